/* One body of a file that is emptied, copied to the file in use, with the records that tell of its new place. */
#include <stdlib.h>

#include "index/body.h"
#include "index/breath.h"
#include "index/compact_core.h"
#include "index/dbox/dbox_format.h"
#include "index/mailbox_state.h"

struct compact_moved {
	uint32_t offset;
	struct dbox_ref to;
};

/* One body, and messages that share it. */
struct moving {
	struct compact *compact;
	const struct compact_row *row;
	size_t count;
	struct body_put *put; /* NULL: it has its new place already */
	struct dbox_message message;
	struct dbox_ref to;
};

/* ---- what has moved ---- */

/* Index of the first that was not before this offset. */
static size_t moved_lower(const struct compact *compact, uint32_t offset)
{
	size_t low = 0;
	size_t high = compact->moved_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compact->moved[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct compact_moved *find_moved(const struct compact *compact, uint32_t offset)
{
	size_t i = moved_lower(compact, offset);

	return i < compact->moved_count && compact->moved[i].offset == offset ? &compact->moved[i]
	                                                                      : NULL;
}

static enum rp_err reserve_moved(struct compact *compact)
{
	size_t max = 2 * compact->moved_max + 64;
	struct compact_moved *p;

	if (compact->moved_count < compact->moved_max)
		return RP_OK;
	p = realloc(compact->moved, max * sizeof(*p));
	if (p == NULL)
		return RP_ERR_NOMEM;
	compact->moved = p;
	compact->moved_max = max;
	return RP_OK;
}

static void add_moved(struct compact *compact, uint32_t offset, struct dbox_ref to)
{
	size_t i = moved_lower(compact, offset);

	RP_ASSERT(compact->moved_count < compact->moved_max);
	memmove(compact->moved + i + 1, compact->moved + i,
	    (compact->moved_count - i) * sizeof(*compact->moved));
	compact->moved[i] = (struct compact_moved){offset, to};
	compact->moved_count++;
}

/* ---- one body ---- */

/* How many rows from `at` on are of the same mailbox. */
static size_t same_mailbox(const struct moving *moving, size_t at)
{
	size_t n = 1;

	while (at + n < moving->count && moving->row[at + n].mailboxid == moving->row[at].mailboxid)
		n++;
	return n;
}

/* Pages for the places; task NULL: are they there? */
static enum rp_err prepare_rows(struct task *task, const struct moving *moving)
{
	struct volume *volume = moving->compact->volume;

	for (size_t at = 0, n; at < moving->count; at += n) {
		const struct catalog_node *node =
		    catalog_by_id(&volume->catalog, moving->row[at].mailboxid);
		struct runs uids = RUNS_EMPTY;
		enum rp_err err = RP_OK;

		n = same_mailbox(moving, at);
		if (node == NULL || node->loaded == NULL || node->loaded->table == NULL)
			continue;
		for (size_t i = at; err == RP_OK && i < at + n; i++)
			err = runs_add(&uids, moving->row[i].uid, moving->row[i].uid);
		if (err == RP_OK)
			err = table_prepare_rows(task, node->loaded->table, &uids);
		runs_fini(&uids);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

static enum rp_err move_prepare(struct task *task, void *arg)
{
	struct moving *moving = arg;
	struct body_put *put = moving->put;
	struct volume *volume = moving->compact->volume;
	enum rp_err err = RP_ERR_BUSY;

	while (err == RP_ERR_BUSY) {
		if (put != NULL && body_is_inline(put))
			err = dbox_reserve(task, volume->dbox, put->n);
		else
			err = RP_OK;
		if (err == RP_OK)
			err = prepare_rows(task, moving);
		if (err == RP_OK)
			err = prepare_rows(NULL, moving);
	}
	return err;
}

static enum rp_err place(struct breath *breath, struct moving *moving)
{
	struct body_put *put = moving->put;
	struct bytes record = {0};
	enum rp_err err;

	if (put == NULL)
		return RP_OK;
	moving->to = put->ref;
	if (!body_is_inline(put))
		return RP_OK;
	if (breath->measuring) {
		moving->to = (struct dbox_ref){UINT32_MAX, UINT32_MAX};
		record.n = (size_t)dbox_format_record_bytes(put->n);
	} else {
		err = dbox_place_inline(breath->volume->dbox, &moving->message,
		    bytes_of(put->p, put->n), &breath->volume->store->arena, &record, &moving->to);
		if (err != RP_OK)
			return err;
	}
	breath_body(breath, record, moving->to);
	return RP_OK;
}

static enum rp_err move_write(struct breath *breath, void *arg)
{
	struct moving *moving = arg;
	enum rp_err err = place(breath, moving);

	if (err != RP_OK)
		return err;
	for (size_t i = 0; i < moving->count; i++)
		BREATH_PUT(breath, change_put_body(&breath->writer, moving->row[i].mailboxid,
		                       moving->row[i].uid, moving->to));
	return RP_OK;
}

/* The whole of a body, on its way to another place. */
static enum rp_err copy_bytes(
    struct task *task, struct dbox_body *body, struct body_put *put, uint8_t *p)
{
	uint64_t at = 0;
	size_t got = 0;
	enum rp_err err = RP_OK;

	while (err == RP_OK && at < dbox_body_bytes(body)) {
		err = dbox_body_read(task, body, at, p, COMPACT_COPY_BYTES, &got);
		if (err == RP_OK && got == 0)
			err = RP_ERR_CORRUPT;
		if (err == RP_OK)
			err = body_write(task, put, bytes_of(p, got));
		at += got;
	}
	return err;
}

/* A large one goes to its file at once, also where the disk takes no new mail: in the end there is more room. */
static enum rp_err begin_stream(struct task *task, struct volume *volume, struct body_put *put, uint64_t bytes)
{
	struct commit *commit = volume->store->commit;
	enum rp_err err;

	if (commit_room(commit) != COMMIT_ROOM_ENOUGH)
		commit_look_at_room(task, commit);
	if (commit_room_to_gain_bytes(commit) < dbox_format_record_bytes((uint32_t)bytes))
		return RP_ERR_NOSPACE;
	err = volume_wait_begun(task, volume);
	return err == RP_OK ? dbox_stream_begin(task, volume->dbox, &put->stream) : err;
}

static enum rp_err take_body(struct task *task, struct moving *moving, uint8_t *p)
{
	struct volume *volume = moving->compact->volume;
	struct dbox_ref from = {moving->compact->file, moving->row[0].offset};
	struct dbox_body *body;
	enum rp_err err = body_begin(task, volume, &moving->put);

	if (err != RP_OK)
		return err;
	err = dbox_body_open(
	    task, volume->dbox, &volume->settle, from, moving->row[0].emailid, &body);
	if (err != RP_OK)
		return err;
	moving->message = *dbox_body_message(body);
	moving->compact->copied_bytes = dbox_body_bytes(body);
	if (dbox_body_bytes(body) > DBOX_INLINE_BYTES_MAX)
		err = begin_stream(task, volume, moving->put, dbox_body_bytes(body));
	if (err == RP_OK)
		err = copy_bytes(task, body, moving->put, p);
	dbox_body_close(body);
	if (err == RP_OK && !body_is_inline(moving->put))
		err = body_finish(task, moving->put, &moving->message);
	return err;
}

/* To the file in use, and all who share it are told. */
enum rp_err compact_core_move(struct task *task, struct compact *compact, const struct compact_row *row,
    size_t count, uint8_t *p)
{
	struct moving moving = {.compact = compact, .row = row, .count = count};
	const struct compact_moved *before = find_moved(compact, row->offset);
	struct breath_plan plan = {.type = CHANGE_COMPACT,
	    .prepare = move_prepare,
	    .write = move_write,
	    .arg = &moving,
	    .room = BREATH_ROOM_SOME};
	enum rp_err err = RP_OK;

	compact->copied_bytes = 0;
	if (before != NULL) {
		moving.to = before->to;
	} else {
		err = reserve_moved(compact);
		if (err == RP_OK)
			err = take_body(task, &moving, p);
	}
	if (err == RP_OK)
		err = breath_run(task, compact->volume, &plan);
	if (err == RP_OK && before == NULL)
		add_moved(compact, row->offset, moving.to);
	body_abort(moving.put);
	return err;
}
