#include "index/breath.h"

#include "index/apply.h"
#include "index/checkpoint.h"
#include "index/dbox/dbox_format.h"
#include "index/trim.h"

enum {
	/* A change that others get in before, again and again, is given up rather than kept for ever. */
	BREATH_TRIES_MAX = 64,
	/* Reserved before anything is known: most changes are smaller, and need no second look. */
	BREATH_FIRST_BYTES = 4096,
};

static void breath_begin(struct breath *breath, struct volume *volume,
    const struct breath_plan *plan, bool measuring)
{
	*breath = (struct breath){ .volume = volume,
		.type = plan->type,
		.record_flags = plan->record_flags,
		.drops_dbox = plan->drops_dbox,
		.measuring = measuring };
	change_begin(&breath->writer, volume->store->payload, CHANGE_PAYLOAD_BYTES_MAX, 0);
}

/* Number, queue and apply what is in the writer. */
static void flush(struct breath *breath, bool last)
{
	struct volume *volume = breath->volume;
	struct bytes payload = change_finish(&breath->writer, last);
	struct record_header header = { .type = (uint16_t)breath->type,
		.flags = breath->record_flags,
		.userid = volume->userid,
		.payload_bytes = (uint32_t)payload.n,
		.body_bytes = (uint32_t)breath->body.n };

	breath->used_bytes += record_bytes(&header);
	if (!breath->measuring) {
		journal_number(
		    volume->journal, record_journal_bytes(&header), &header.lsn, &header.place);
		if (breath->body.n != 0) {
			header.place.dbox = breath->body_ref.file;
			header.place.dbox_offset =
			    (uint64_t)breath->body_ref.offset * DBOX_RECORD_ALIGN;
		} else {
			header.place.dbox = breath->drops_dbox;
		}
		breath->lsn = header.lsn;
		volume->position = commit_append(volume->store->commit, &volume->settle, header,
		    payload, breath->body, NULL);
		apply_change(volume, header.lsn, payload);
	}
	breath->body = (struct bytes){ 0 };
}

void breath_next(struct breath *breath)
{
	flush(breath, false);
	breath->part++;
	change_begin(&breath->writer, breath->writer.p, breath->writer.bytes_max, breath->part);
}

void breath_body(struct breath *breath, struct bytes body, struct dbox_ref ref)
{
	if (breath->body.n != 0)
		breath_next(breath);
	breath->body = body;
	breath->body_ref = ref;
}

/* The plan's write, and the last record. *bytes 0: there was nothing to change. */
static enum rp_err write_plan(struct volume *volume, const struct breath_plan *plan,
    bool measuring, uint64_t *bytes)
{
	struct breath breath;
	enum rp_err err;

	arena_reset(&volume->store->arena);
	breath_begin(&breath, volume, plan, measuring);
	err = plan->write(&breath, plan->arg);
	RP_ASSERT(err == RP_OK || breath.part == 0);
	if (err != RP_OK)
		return err;
	if (breath.part == 0 && change_is_empty(&breath.writer)) {
		RP_ASSERT(breath.body.n == 0);
		*bytes = 0;
		return RP_OK;
	}
	flush(&breath, true);
	*bytes = breath.used_bytes;
	return RP_OK;
}

/* Everything is as it was prepared when this returns: nobody came between its steps. */
static enum rp_err prepare(struct task *task, struct volume *volume, const struct breath_plan *plan)
{
	uint64_t generation;
	enum rp_err err;

	if (plan->prepare == NULL)
		return RP_OK;
	for (unsigned i = 0; i < BREATH_TRIES_MAX; i++) {
		generation = volume->generation;
		err = plan->prepare(task, plan->arg);
		if (err != RP_OK || volume->generation == generation)
			return err;
	}
	return RP_ERR_BUSY;
}

/* A change of several breaths is under way. It may need the room that we have. */
static enum rp_err wait_turn(struct task *task, struct volume *volume, uint64_t *reserved)
{
	enum rp_err err = RP_OK;

	commit_unreserve(volume->store->commit, *reserved);
	*reserved = 0;
	while (err == RP_OK && volume->changing)
		err = task_queue_wait(task, &volume->changed);
	return err == RP_OK ? RP_ERR_BUSY : err;
}

/* One look. RP_ERR_BUSY: once more, with *reserved as it is now. */
static enum rp_err try_plan(
    struct task *task, struct volume *volume, const struct breath_plan *plan, uint64_t *reserved)
{
	struct commit *commit = volume->store->commit;
	uint64_t bytes;
	enum rp_err err = prepare(task, volume, plan);

	if (volume->changing)
		return wait_turn(task, volume, reserved);
	if (err == RP_OK && volume->catalog.destroyed)
		err = RP_ERR_NOTFOUND; /* who still has it open must not begin it anew */
	if (err == RP_OK && settle_is_stuck(&volume->settle))
		err = RP_ERR_UNAVAILABLE; /* what he has in the log is as much as can wait there */
	if (err == RP_OK)
		err = write_plan(volume, plan, true, &bytes);
	if (err != RP_OK)
		return err;
	if (bytes > CHANGE_GROUP_BYTES_MAX)
		return RP_ERR_LIMIT;
	if (bytes <= *reserved) {
		uint64_t measured = bytes;

		err = bytes != 0 ? write_plan(volume, plan, false, &bytes) : RP_OK;
		if (err == RP_OK) {
			RP_ASSERT(bytes <= measured);
			*reserved -= bytes;
			checkpoint_count(volume, bytes);
		}
		return err;
	}
	/* A little more than it is now, so that what comes meanwhile does not make it short again. */
	bytes += bytes / 8;
	commit_unreserve(commit, *reserved);
	*reserved = 0;
	err = commit_reserve(task, commit, bytes);
	if (err != RP_OK)
		return err;
	*reserved = bytes;
	return RP_ERR_BUSY;
}

static bool is_refused(const struct breath_plan *plan, enum commit_room room)
{
	if (room == COMMIT_ROOM_ENOUGH)
		return false;
	return plan->room == BREATH_ROOM_MORE ||
	    (plan->room == BREATH_ROOM_SOME && room == COMMIT_ROOM_SCARCE);
}

enum rp_err breath_run(struct task *task, struct volume *volume, const struct breath_plan *plan)
{
	struct commit *commit = volume->store->commit;
	uint64_t reserved;
	enum rp_err err;

	if (is_refused(plan, commit_room(commit))) {
		trim_start(volume, true);
		return RP_ERR_NOSPACE;
	}
	err = commit_reserve(task, commit, BREATH_FIRST_BYTES);
	if (err != RP_OK)
		return err;
	reserved = BREATH_FIRST_BYTES;
	for (unsigned i = 0; i < BREATH_TRIES_MAX; i++) {
		err = try_plan(task, volume, plan, &reserved);
		if (err != RP_ERR_BUSY)
			break;
	}
	if (reserved != 0)
		commit_unreserve(commit, reserved);
	catalog_drop_spares(&volume->catalog);
	return err;
}
