/* The bodies: what check says of dbox files, and of messages that were expunged and are kept; what repair mends there.
 *
 *   repair_look_boxes -> repair_try_body for each message -> repair_look_kept: whose damaged body was asked for is named by then
 *
 * A body that nobody has, neither a message nor undelete, may be damaged as it likes: a crash leaves such (a large body is not flushed
 * before its change), so that is said, and is no damage. Bytes that are no record are the same: an upload that was broken off.
 */
#include <stdio.h>
#include <stdlib.h>

#include "index/breath.h"
#include "index/dbox/dbox_format.h"
#include "index/kept_read.h"
#include "index/pending.h"
#include "index/repair/repair_core.h"

void repair_say_body(struct repair *repair, uint64_t mailboxid, struct bytes name, uint32_t uid,
    struct dbox_ref ref, const char *what)
{
	repair_say(repair, "mailbox %llu (%.*s), UID %u, %u.dbox at %llu: %s",
	    (unsigned long long)mailboxid, BYTES_FMT(name), uid, ref.file,
	    (unsigned long long)ref.offset * DBOX_RECORD_ALIGN, what);
}

/* The list, with room for one more of `bytes` each; NULL: there is no memory. */
static void *with_room(void *list, size_t count, size_t *max, size_t bytes)
{
	size_t wanted = 2 * *max + 64;
	void *p;

	if (count < *max)
		return list;
	p = realloc(list, wanted * bytes);
	if (p != NULL)
		*max = wanted;
	return p;
}

enum rp_err repair_keep_lost(struct repair_lost *lost, const struct repair_message *message)
{
	struct repair_message *list =
	    with_room(lost->message, lost->count, &lost->max, sizeof(*list));

	if (list == NULL)
		return RP_ERR_NOMEM;
	lost->message = list;
	lost->message[lost->count++] = *message;
	return RP_OK;
}

void repair_fini(struct repair *repair)
{
	free(repair->unsound);
	free(repair->spoilt);
	free(repair->lost.message);
	free(repair->unkept.message);
	repair->unsound = NULL;
	repair->spoilt = NULL;
	repair->unsound_count = repair->unsound_max = 0;
	repair->spoilt_count = repair->spoilt_max = 0;
	repair->lost = repair->unkept = (struct repair_lost){0};
}

/* ---- files ---- */

/* It was just being written when it was met, and is whole by now. */
static enum rp_err is_whole_now(
    struct task *task, struct repair *repair, const struct dbox_found *found, bool *whole)
{
	struct volume *volume = repair->volume;
	uint8_t *p = malloc(DBOX_BLOCK_BYTES);
	struct dbox_body *body = NULL;
	size_t got = 0;
	enum rp_err err = p != NULL ? dbox_body_open(task, volume->dbox, &volume->settle,
	                                  found->ref, found->message.emailid, &body)
	                            : RP_ERR_NOMEM;

	for (uint64_t at = 0; err == RP_OK && at < dbox_body_bytes(body); at += got) {
		err = dbox_body_read(task, body, at, p, DBOX_BLOCK_BYTES, &got);
		if (err == RP_OK && got == 0)
			err = RP_ERR_CORRUPT;
	}
	*whole = err == RP_OK;
	if (body != NULL)
		dbox_body_close(body);
	free(p);
	return err == RP_ERR_CANCELED || err == RP_ERR_NOMEM ? err : RP_OK;
}

static int by_place(const void *a, const void *b)
{
	uint64_t x = known_place(((const struct repair_unsound *)a)->ref);
	uint64_t y = known_place(((const struct repair_unsound *)b)->ref);

	return (x > y) - (x < y);
}

static enum rp_err look_at_body(struct task *task, void *arg, const struct dbox_found *found)
{
	struct repair *repair = arg;
	bool whole = found->sound;
	struct repair_unsound *unsound;
	enum rp_err err = whole ? RP_OK : is_whole_now(task, repair, found, &whole);

	if (err != RP_OK || whole)
		return err;
	unsound = with_room(
	    repair->unsound, repair->unsound_count, &repair->unsound_max, sizeof(*unsound));
	if (unsound == NULL)
		return RP_ERR_NOMEM;
	repair->unsound = unsound;
	unsound[repair->unsound_count++] = (struct repair_unsound){.ref = found->ref};
	return RP_OK;
}

static const char *text_of(enum dbox_odd what)
{
	switch (what) {
	case DBOX_ODD_HEADER:
		return "of its header are damaged; a repair writes them anew";
	case DBOX_ODD_NAMES:
		return "with the names of mailboxes are damaged; a repair does without";
	case DBOX_ODD_BEGIN_ZEROES:
	case DBOX_ODD_ZEROES:
		return "that must be zeroes are not; a repair clears them";
	default:
		return "are no record of a body: a lost one, or what an upload that was broken off "
		       "has left";
	}
}

static enum rp_err look_at_oddity(struct task *task, void *arg, const struct dbox_oddity *oddity)
{
	struct repair *repair = arg;
	bool mended = repair_logs_mend_box(repair, oddity);
	char standin[16] = "";
	struct dbox_oddity *spoilt;

	(void)task;
	if (mended && oddity->what != DBOX_ODD_NAMES)
		return RP_OK;
	if (oddity->standin != 0)
		snprintf(standin, sizeof(standin), "-%u", oddity->standin);
	repair_say(repair, "%u%s.dbox at %llu: %llu bytes %s", oddity->file, standin,
	    (unsigned long long)oddity->offset, (unsigned long long)oddity->bytes,
	    mended ? "with the names of mailboxes are damaged; the next start does without"
		   : text_of(oddity->what));
	if (mended || oddity->what == DBOX_ODD_GAP)
		return RP_OK;
	spoilt =
	    with_room(repair->spoilt, repair->spoilt_count, &repair->spoilt_max, sizeof(*spoilt));
	if (spoilt == NULL)
		return RP_ERR_NOMEM;
	repair->spoilt = spoilt;
	spoilt[repair->spoilt_count++] = *oddity;
	return RP_OK;
}

static enum rp_err look_at_box(struct task *task, struct repair *repair, uint32_t file)
{
	struct dbox_scan_report found = {0};
	size_t spoilt = repair->spoilt_count;
	struct arena arena;
	struct bytes names;
	enum rp_err err;

	arena_init(&arena, DBOX_NAMES_BYTES_MAX + 65536);
	err = dbox_scan_all(task, repair->volume->dbox, file, &arena, &names, look_at_body,
	    look_at_oddity, repair, &found);
	arena_fini(&arena);
	repair->report->bodies += found.records;
	/* A crash may leave a file with half a beginning, and nothing in it. */
	if (found.records != 0)
		repair->report->boxes_spoilt += repair->spoilt_count - spoilt;
	if (err == RP_ERR_IO) {
		repair->report->boxes_unread++;
		repair_say(repair, "%u.dbox: it cannot be read", file);
		return RP_OK;
	}
	if (err == RP_ERR_CORRUPT) {
		/* Each message that lies in it is told of; a crash may leave one in which nothing lies. */
		if (!pending_has_bodies(repair->volume->pending, file))
			repair_say(repair,
			    "%u.dbox at 0: its header is lost, and no body in it can be read: it stays as it is",
			    file);
		return RP_OK;
	}
	return err == RP_ERR_NOTFOUND ? RP_OK : err;
}

enum rp_err repair_look_boxes(struct task *task, struct repair *repair)
{
	struct dbox *dbox = repair->volume->dbox;
	uint32_t file = 0;
	enum rp_err err = RP_OK;

	while (err == RP_OK && (file = dbox_next_file(dbox, file)) != 0)
		if (!pending_drops(repair->volume->pending, file))
			err = look_at_box(task, repair, file);
	if (repair->unsound_count > 0)
		qsort(repair->unsound, repair->unsound_count, sizeof(*repair->unsound), by_place);
	return err;
}

enum rp_err repair_mend_boxes(struct task *task, struct repair *repair)
{
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < repair->spoilt_count; i++) {
		err = dbox_mend(task, repair->volume->dbox, &repair->spoilt[i]);
		if (err == RP_ERR_NOTFOUND)
			err = RP_OK;
	}
	return err;
}

/* ---- bodies ---- */

static struct repair_unsound *find_unsound(const struct repair *repair, struct dbox_ref ref)
{
	struct repair_unsound wanted = {.ref = ref};

	return repair->unsound_count == 0
	           ? NULL
	           : bsearch(&wanted, repair->unsound, repair->unsound_count, sizeof(wanted), by_place);
}

enum rp_err repair_try_body(struct task *task, struct repair *repair, struct dbox_ref ref,
    uint64_t emailid, enum repair_body *state)
{
	struct volume *volume = repair->volume;
	struct repair_unsound *unsound = find_unsound(repair, ref);
	struct dbox_body *body;
	enum rp_err err = dbox_body_open(task, volume->dbox, &volume->settle, ref, emailid, &body);

	if (err == RP_ERR_CANCELED || err == RP_ERR_NOMEM)
		return err;
	if (unsound != NULL)
		unsound->named = true;
	if ((err != RP_OK || unsound != NULL) && repair_logs_have_body(repair, ref)) {
		*state = REPAIR_BODY_WHOLE;
		if (err == RP_OK)
			dbox_body_close(body);
		return RP_OK;
	}
	if (err == RP_OK)
		*state = unsound != NULL ? REPAIR_BODY_DAMAGED : REPAIR_BODY_WHOLE;
	else if (err == RP_ERR_IO)
		*state = REPAIR_BODY_UNREAD;
	else
		*state = err == RP_ERR_EXPUNGED ? REPAIR_BODY_NO_FILE : REPAIR_BODY_GONE;
	if (err == RP_OK)
		dbox_body_close(body);
	return RP_OK;
}

/* ---- what is kept ---- */

/* Without its file its time was over, by a clock that we do not trust yet: a compaction has removed it. */
static enum rp_err look_at_kept(struct task *task, struct repair *repair,
    const struct kept_mailbox *mailbox, const struct kept_row *row)
{
	enum repair_body state;
	enum rp_err err = repair_try_body(task, repair, row->row.body, row->row.emailid, &state);

	if (err != RP_OK || state == REPAIR_BODY_WHOLE || state == REPAIR_BODY_NO_FILE)
		return err;
	repair->report->kept_bodiless++;
	if (state != REPAIR_BODY_UNREAD)
		err = repair_keep_lost(&repair->unkept,
		    &(struct repair_message){mailbox->mailboxid, row->row.uid,
		        row->row.rfc822_size_bytes, row->row.emailid, row->row.body});
	if (err == RP_OK)
		repair_say_body(repair, mailbox->mailboxid, mailbox->name, row->row.uid,
		    row->row.body, "it was expunged and is kept: its body cannot be read");
	return err;
}

static enum rp_err look_at_all_kept(
    struct task *task, struct repair *repair, const struct kept *kept)
{
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < kept->mailboxes_count; i++) {
		const struct kept_mailbox *mailbox = &kept->mailbox[i];

		for (size_t k = 0; err == RP_OK && k < mailbox->rows.count; k++) {
			err = look_at_kept(task, repair, mailbox, kept_row_at(&mailbox->rows, k));
			if (err == RP_OK)
				err = task_pause(task);
		}
	}
	return err;
}

enum rp_err repair_look_kept(struct task *task, struct repair *repair)
{
	struct kept kept;
	enum rp_err err = RP_OK;

	if (!repair->volume->catalog.destroyed) {
		err = kept_read(task, repair->volume, NULL, &kept);
		if (err == RP_OK) {
			err = look_at_all_kept(task, repair, &kept);
			kept_fini(task, &kept);
		} else if (err == RP_ERR_LIMIT) {
			repair_say(repair, "more is kept for undelete than can be looked at");
			err = RP_OK;
		}
	}
	for (size_t i = 0; err == RP_OK && i < repair->unsound_count; i++) {
		const struct repair_unsound *unsound = &repair->unsound[i];

		if (unsound->named || repair_logs_have_body(repair, unsound->ref))
			continue;
		repair->report->bodies_dead++;
		repair_say(repair, "%u.dbox at %llu: a body that no message has is damaged",
		    unsound->ref.file, (unsigned long long)unsound->ref.offset * DBOX_RECORD_ALIGN);
	}
	return err;
}

struct ending {
	uint64_t mailboxid;
	struct runs uids;
};

static enum rp_err write_end(struct breath *breath, void *arg)
{
	const struct ending *ending = arg;
	size_t at = 0;

	BREATH_PUT(breath,
	    change_put_brought_back(&breath->writer, ending->mailboxid, &ending->uids, &at));
	return RP_OK;
}

enum rp_err repair_end_kept(struct task *task, struct repair *repair)
{
	const struct repair_lost *lost = &repair->unkept;
	enum rp_err err = RP_OK;

	for (size_t i = 0, end; err == RP_OK && i < lost->count; i = end) {
		struct ending ending = {lost->message[i].mailboxid, RUNS_EMPTY};
		struct breath_plan plan = {
		    .type = CHANGE_UNDELETE, .write = write_end, .arg = &ending};

		for (end = i; err == RP_OK && end < lost->count &&
		              lost->message[end].mailboxid == ending.mailboxid;
		     end++)
			err =
			    runs_add(&ending.uids, lost->message[end].uid, lost->message[end].uid);
		if (err == RP_OK)
			err = breath_run(task, repair->volume, &plan);
		if (err == RP_OK)
			repair_say(repair,
			    "mailbox %llu: %llu expunged messages without a body are kept no more",
			    (unsigned long long)ending.mailboxid,
			    (unsigned long long)runs_total(&ending.uids));
		runs_fini(&ending.uids);
	}
	return err;
}
