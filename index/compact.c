#include "index/compact.h"

#include <stdlib.h>

#include "index/body.h"
#include "index/breath.h"
#include "index/compact_core.h"
#include "index/dbox/dbox_format.h"
#include "index/keep.h"
#include "index/long_sort.h"
#include "index/mailbox_state.h"
#include "io/base/log.h"
#include "io/base/num.h"

enum {
	COPY_BYTES = 64 * 1024, /* of a body at a time */
	PAUSE_ROWS = 1024, /* that are gone through without a look at the clock */
	MOVE_ROWS_MAX = 1024, /* that have a body's new place by one change: a quarter of a millisecond */
};

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

void compact_note(struct compact *compact, const struct change_item *item)
{
	struct change_rows rows = item->rows;

	while (change_rows_next(&rows)) {
		struct compact_row row = {
		    item->mailboxid, rows.row.emailid, rows.row.uid, rows.row.body.offset};

		if (rows.row.body.file != compact->file)
			continue;
		compact->volume->store->compacts_noted++;
		if (compact_core_add(&compact->news, &row) != RP_OK)
			compact->failed = true;
	}
}

bool compact_core_must_end(const struct volume *volume)
{
	return volume->store->closing || volume->catalog.destroyed || volume->compact_holds > 0;
}

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
		err = dbox_body_read(task, body, at, p, COPY_BYTES, &got);
		if (err == RP_OK && got == 0)
			err = RP_ERR_CORRUPT;
		if (err == RP_OK)
			err = body_write(task, put, bytes_of(p, got));
		at += got;
	}
	return err;
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
	err = copy_bytes(task, body, moving->put, p);
	dbox_body_close(body);
	if (err == RP_OK && !body_is_inline(moving->put))
		err = body_finish(task, moving->put, &moving->message);
	return err;
}

/* To the file in use, and all who share it are told. */
static enum rp_err move(struct task *task, struct compact *compact, const struct compact_row *row,
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

/* ---- one file ---- */

static int by_offset(const void *a, const void *b)
{
	const struct compact_row *x = a;
	const struct compact_row *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->mailboxid != y->mailboxid)
		return x->mailboxid < y->mailboxid ? -1 : 1;
	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* A message that was expunged while it was looked for is met as live and as kept. */
static enum rp_err sort_rows(struct task *task, struct compact_rows *rows)
{
	size_t left = 0;
	enum rp_err err = long_sort(task, rows->row, rows->count, sizeof(*rows->row), by_offset);

	for (size_t i = 0; err == RP_OK && i < rows->count; i++) {
		if (left == 0 || by_offset(&rows->row[left - 1], &rows->row[i]) != 0)
			rows->row[left++] = rows->row[i];
		if (i % PAUSE_ROWS == 0)
			err = task_pause(task);
	}
	if (err == RP_OK)
		rows->count = left;
	return err;
}

static enum rp_err move_rows(struct task *task, struct compact *compact, uint8_t *p)
{
	struct compact_rows *rows = &compact->rows;
	struct volume *volume = compact->volume;
	enum rp_err err = sort_rows(task, rows);

	for (size_t at = 0, n; err == RP_OK && at < rows->count; at += n) {
		for (n = 1; n < MOVE_ROWS_MAX && at + n < rows->count &&
		            rows->row[at + n].offset == rows->row[at].offset;)
			n++; /* of more the others find the place that these have */
		if (compact->failed)
			return RP_ERR_NOMEM;
		if (compact_core_must_end(compact->volume))
			return RP_ERR_CANCELED;
		err = move(task, compact, &rows->row[at], n, p);
		if (err == RP_OK)
			err = pace_spend(task, volume->store, &volume->compact_pace,
			    2 * compact->copied_bytes); /* read, and written */
	}
	return err;
}

/* What was noted since is the next pass. */
static void turn(struct compact *compact)
{
	struct compact_rows done = compact->rows;

	done.count = 0;
	compact->rows = compact->news;
	compact->news = done;
}

static enum rp_err drop_write(struct breath *breath, void *arg)
{
	struct compact *compact = arg;

	if (compact->failed)
		return RP_ERR_NOMEM;
	if (compact->news.count > 0)
		return RP_ERR_EXISTS; /* somebody refers to it again */
	if (compact_core_must_end(compact->volume))
		return RP_ERR_CANCELED;
	BREATH_PUT(breath, change_put_file_gone(&breath->writer, compact->file));
	return RP_OK;
}

static enum rp_err drop_file(struct task *task, struct compact *compact)
{
	struct volume *volume = compact->volume;
	struct breath_plan plan = {.type = CHANGE_COMPACT,
	    .write = drop_write,
	    .arg = compact,
	    .record_flags = RECORD_DROPS_DBOX,
	    .drops_dbox = compact->file};
	enum rp_err err = dbox_keep_number(task, volume->dbox, compact->file);

	return err == RP_OK ? breath_run(task, volume, &plan) : err;
}

static enum rp_err settle(struct task *task, struct volume *volume)
{
	struct commit *commit = volume->store->commit;
	enum rp_err err = commit_wait(task, commit, volume->position);

	return err == RP_OK ? settle_flush(task, commit, &volume->settle) : err;
}

static enum rp_err empty_file(struct task *task, struct compact *compact, uint8_t *p)
{
	struct volume *volume = compact->volume;
	enum rp_err err = dbox_seal(volume->dbox, compact->file);

	if (err == RP_OK)
		err = settle(task, volume); /* what is on its way into it */
	if (err == RP_OK)
		err = compact_core_scan(task, compact);
	while (err == RP_OK || err == RP_ERR_EXISTS) {
		err = move_rows(task, compact, p);
		if (err == RP_OK)
			err = drop_file(task, compact);
		if (err == RP_OK)
			break;
		turn(compact);
	}
	return err == RP_OK ? settle(task, volume) : err; /* by which it is removed */
}

static enum rp_err compact_file(struct task *task, struct volume *volume, uint32_t file)
{
	struct compact compact = {.volume = volume, .file = file};
	uint8_t *p = malloc(COPY_BYTES);
	enum rp_err err = RP_ERR_NOMEM;

	volume->compacting = &compact;
	if (p != NULL)
		err = empty_file(task, &compact, p);
	volume->compacting = NULL;
	free(compact.rows.row);
	free(compact.news.row);
	free(compact.moved);
	free(p);
	return err;
}

/* Of the messages there are, those whose body is another's too, for all that is known: if nobody has looked, any that are not in
 * the largest mailbox. */
static uint64_t shared_of(const struct volume *volume)
{
	const struct catalog *catalog = &volume->catalog;
	uint64_t largest = 0;

	if (volume->compact_shared_bytes != UINT64_MAX)
		return num_min(volume->compact_shared_bytes + volume->compact_copied_bytes,
		    catalog->sums.bytes);
	for (size_t i = 0; i < catalog->ids_count; i++)
		largest = num_max(largest, catalog->by_id[i]->entry.bytes);
	return catalog->sums.bytes - num_min(largest, catalog->sums.bytes);
}

/* Bytes of bodies that something refers to, by what is known without looking. */
static uint64_t live_of(const struct volume *volume)
{
	return volume->catalog.sums.bytes - shared_of(volume);
}

/* Of those that nothing may refer to, likewise. */
static uint64_t waste_of(const struct volume *volume)
{
	uint64_t files = dbox_files_count(volume->dbox);
	uint64_t most = files > 0 ? (files - 1) * dbox_file_bytes_max(volume->dbox) : 0;
	uint64_t live = live_of(volume);

	return most > live ? most - live : 0;
}

/* It stays, for repair to say what is wrong with it. */
static enum rp_err pass(struct compact_passed *passed, uint32_t file)
{
	uint32_t *p = realloc(passed->number, (passed->count + 1) * sizeof(*p));

	if (p == NULL)
		return RP_ERR_NOMEM;
	passed->number = p;
	passed->number[passed->count++] = file;
	return RP_OK;
}

/* What is moved is less than half of a file, and makes more room than it takes: it may go on where the disk is full. */
static bool has_room(const struct volume *volume)
{
	return commit_room_bytes(volume->store->commit) >= dbox_file_bytes_max(volume->dbox) / 2;
}

static enum rp_err compact_files(
    struct task *task, struct volume *volume, struct compact_passed *passed)
{
	uint32_t file;
	enum rp_err err;

	for (;;) {
		err = has_room(volume) ? compact_core_choose(task, volume, passed, &file) : RP_ERR_NOSPACE;
		if (err != RP_OK || file == 0)
			return err;
		err = compact_file(task, volume, file);
		if (err == RP_OK) {
			volume->store->compacts_done++;
			volume->compact_off_ns = 0;
		} else if (err == RP_ERR_CORRUPT) {
			err = pass(passed, file);
		}
		if (err != RP_OK)
			return err;
	}
}

static enum rp_err compact(struct task *task, struct volume *volume)
{
	struct compact_passed passed = {0};
	enum rp_err err;

	volume->compact_at_expiry = UINT64_MAX;
	err = compact_files(task, volume, &passed);
	free(passed.number);
	/* Looked at again when there is a file's worth more of it, or the time of enough is over (compact_core_choose()). */
	if (!pace_cut_short(err))
		volume->compact_at_bytes = waste_of(volume) + dbox_file_bytes_max(volume->dbox);
	return err;
}

static enum rp_err run(struct task *task, struct volume *volume)
{
	struct store *store = volume->store;
	enum rp_err err;

	volume->compact_runs = true;
	store->compacts++;
	pace_begin(&volume->compact_pace, store);
	err = volume->catalog.destroyed ? RP_OK : compact(task, volume);
	if (err != RP_OK && compact_core_must_end(volume))
		err = RP_ERR_CANCELED;
	if (volume->compact_holds == 0)
		volume->compact_off_ns = 0;
	else if (err == RP_ERR_CANCELED)
		compact_core_kept_off(volume);
	store->compacts--;
	volume->compact_runs = false;
	if (err != RP_OK && err != RP_ERR_CANCELED)
		LOG(loop_log(store->loop), LOG_WARN, "volume.compact",
		    LOG_STR("volume", volume->dir), LOG_STR("reason", err_name(err)));
	return err;
}

static void compact_task(struct task *task, void *arg)
{
	(void)!run(task, arg); /* it was told in the log; nobody waits for it */
	volume_task_ended(arg);
}

static bool is_worth_it(const struct volume *volume)
{
	uint64_t waste = waste_of(volume);

	if (waste <= live_of(volume) || waste < dbox_file_bytes_max(volume->dbox))
		return false;
	return waste >= volume->compact_at_bytes ||
	       (volume->compact_at_expiry != UINT64_MAX &&
	           keep_since(volume->store) >= volume->compact_at_expiry);
}

void compact_note_copied(struct volume *volume, uint64_t bytes)
{
	volume->compact_copied_bytes += bytes;
}

void compact_consider(struct volume *volume)
{
	struct store *store = volume->store;

	if (volume->compact_runs || volume->bare || volume->catalog.destroyed ||
	    store->compacts >= COMPACTS_MAX || commit_failed(store->commit) || !has_room(volume) ||
	    !is_worth_it(volume))
		return;
	if (volume->compact_holds > 0) {
		compact_core_kept_off(volume);
		return;
	}
	volume->compact_runs = volume_task_start(volume, "compact", compact_task);
}

enum rp_err compact_now(struct task *task, struct volume *volume)
{
	return volume->compact_runs || volume->compact_holds > 0 ? RP_ERR_BUSY : run(task, volume);
}
