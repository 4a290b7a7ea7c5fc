#include "index/compact.h"

#include <stdlib.h>

#include "index/breath.h"
#include "index/compact_core.h"
#include "index/keep.h"
#include "index/long_sort.h"
#include "index/mailbox_state.h"
#include "io/base/clock.h"
#include "io/base/log.h"
#include "io/base/num.h"

enum {
	PAUSE_ROWS = 1024, /* that are gone through without a look at the clock */
	RETRY_S = 60,      /* after one that was cut short */
	SEEN_PARTS = 4,    /* of a file: considered when so much has come or gone */
	MOVE_ROWS_MAX = 1024, /* that have a body's new place by one change: a quarter of a millisecond */
};

void compact_note(struct compact *compact, const struct change_item *item)
{
	struct change_rows rows = item->rows;

	while (change_rows_next(&rows)) {
		struct compact_row row = {item->mailboxid, rows.row.emailid, rows.row.uid,
		    rows.row.body.file, rows.row.body.offset};

		if (!compact_core_empties(compact, row.file))
			continue;
		compact->volume->store->compacts_noted++;
		compact->news_here += row.file == compact->file;
		if (compact_core_add(&compact->news, &row) != RP_OK)
			compact->failed = true;
	}
}

bool compact_core_empties(const struct compact *compact, uint32_t file)
{
	size_t low = 0;
	size_t high = compact->count;

	if (file < compact->file)
		return false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compact->number[middle] < file)
			low = middle + 1;
		else
			high = middle;
	}
	return low < compact->count && compact->number[low] == file;
}

bool compact_core_must_end(const struct volume *volume)
{
	return volume->store->closing || volume->catalog.destroyed || volume->compact_holds > 0;
}

static int by_place(const void *a, const void *b)
{
	const struct compact_row *x = a;
	const struct compact_row *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
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
	enum rp_err err = long_sort(task, rows->row, rows->count, sizeof(*rows->row), by_place);

	for (size_t i = 0; err == RP_OK && i < rows->count; i++) {
		if (left == 0 || by_place(&rows->row[left - 1], &rows->row[i]) != 0)
			rows->row[left++] = rows->row[i];
		if (i % PAUSE_ROWS == 0)
			err = task_pause(task);
	}
	if (err == RP_OK)
		rows->count = left;
	return err;
}

/* All of one file. */
static enum rp_err move_rows(
    struct task *task, struct compact *compact, const struct compact_row *row, size_t count, uint8_t *p)
{
	struct volume *volume = compact->volume;
	enum rp_err err = RP_OK;

	for (size_t at = 0, n; err == RP_OK && at < count; at += n) {
		for (n = 1; n < MOVE_ROWS_MAX && at + n < count && row[at + n].offset == row[at].offset;)
			n++; /* of more the others find the place that these have */
		if (compact->failed)
			return RP_ERR_NOMEM;
		if (compact_core_must_end(volume))
			return RP_ERR_CANCELED;
		err = compact_core_move(task, compact, &row[at], n, p);
		if (err == RP_OK)
			err = pace_spend(task, volume->store, &volume->compact_pace,
			    2 * compact->copied_bytes); /* read, and written */
	}
	return err;
}

/* What was noted of this file leaves the list. More may be noted meanwhile: it is at the list's end. */
static enum rp_err take_news(struct task *task, struct compact *compact, struct compact_rows *again)
{
	struct compact_rows *news = &compact->news;
	size_t left = 0;
	enum rp_err err = RP_OK;

	again->count = 0;
	for (size_t i = 0; err == RP_OK && i < news->count; i++) {
		if (news->row[i].file == compact->file)
			err = compact_core_add(again, &news->row[i]);
		else
			news->row[left++] = news->row[i];
		if (err == RP_OK && i % PAUSE_ROWS == PAUSE_ROWS - 1)
			err = task_pause(task);
	}
	if (err != RP_OK)
		return err;
	news->count = left;
	compact->news_here = 0;
	return sort_rows(task, again);
}

static enum rp_err drop_write(struct breath *breath, void *arg)
{
	struct compact *compact = arg;

	if (compact->failed)
		return RP_ERR_NOMEM;
	if (compact->news_here > 0)
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

/* These rows have been found in it. */
static enum rp_err empty_file(
    struct task *task, struct compact *compact, const struct compact_row *row, size_t count, uint8_t *p)
{
	struct compact_rows again = {0};
	enum rp_err err;

	compact->moved_count = 0;
	err = move_rows(task, compact, row, count, p);
	while (err == RP_OK) {
		err = take_news(task, compact, &again);
		if (err == RP_OK)
			err = move_rows(task, compact, again.row, again.count, p);
		if (err == RP_OK)
			err = drop_file(task, compact);
		if (err != RP_ERR_EXISTS)
			break;
		err = RP_OK;
	}
	free(again.row);
	return err;
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

static enum rp_err empty_all(struct task *task, struct compact *compact, struct compact_passed *passed, uint8_t *p)
{
	const struct compact_rows *rows = &compact->rows;
	struct volume *volume = compact->volume;
	enum rp_err err = RP_OK;

	for (size_t i = 0, at = 0, n; err == RP_OK && i < compact->count; i++, at += n) {
		compact->file = compact->number[i];
		for (n = 0; at + n < rows->count && rows->row[at + n].file == compact->file;)
			n++;
		err = empty_file(task, compact, n > 0 ? rows->row + at : NULL, n, p);
		if (err == RP_OK) {
			volume->store->compacts_done++;
			volume->compact_off_ns = 0;
		} else if (err == RP_ERR_CORRUPT) {
			err = pass(passed, compact->file);
		}
	}
	return err;
}

/* One that is written to meanwhile is left out, and so is one that went meanwhile: a compaction before this one had emptied it, and ended
 * before it was removed. */
static enum rp_err seal(struct compact *compact)
{
	bool busy = false;
	size_t left = 0;

	for (size_t i = 0; i < compact->count; i++) {
		enum rp_err err = dbox_seal(compact->volume->dbox, compact->number[i]);

		if (err == RP_OK)
			compact->number[left++] = compact->number[i];
		else if (err != RP_ERR_BUSY && err != RP_ERR_NOTFOUND)
			return err;
		busy = busy || err == RP_ERR_BUSY;
	}
	compact->count = left;
	return left == 0 && busy ? RP_ERR_BUSY : RP_OK;
}

static enum rp_err empty_chosen(struct task *task, struct compact *compact, struct compact_passed *passed, uint8_t *p)
{
	struct volume *volume = compact->volume;
	enum rp_err err = seal(compact);

	if (err == RP_OK && compact->count == 0)
		return RP_OK; /* it is to be chosen anew */
	if (err == RP_OK)
		err = settle(task, volume); /* what is on its way into them */
	if (err == RP_OK)
		err = compact_core_scan(task, compact);
	if (err == RP_OK)
		err = sort_rows(task, &compact->rows);
	if (err == RP_OK)
		err = empty_all(task, compact, passed, p);
	return err == RP_OK ? settle(task, volume) : err; /* by which they are removed */
}

static enum rp_err compact_chosen(struct task *task, struct compact *compact, struct compact_passed *passed)
{
	struct volume *volume = compact->volume;
	uint8_t *p = malloc(COMPACT_COPY_BYTES);
	enum rp_err err = RP_ERR_NOMEM;

	volume->compacting = compact;
	if (p != NULL)
		err = empty_chosen(task, compact, passed, p);
	volume->compacting = NULL;
	free(compact->rows.row);
	free(compact->news.row);
	free(compact->moved);
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

static enum rp_err compact_files(
    struct task *task, struct volume *volume, struct compact_passed *passed)
{
	for (;;) {
		struct compact compact = {.volume = volume};
		size_t chosen;
		enum rp_err err;

		if (commit_room(volume->store->commit) != COMMIT_ROOM_ENOUGH)
			commit_look_at_room(task, volume->store->commit);
		err = compact_core_choose(task, &compact, passed);
		chosen = compact.count;
		if (err == RP_OK && chosen > 0)
			err = compact_chosen(task, &compact, passed);
		if (err != RP_OK)
			return err;
		if (chosen == 0)
			return compact.lacks_room ? RP_ERR_NOSPACE : RP_OK;
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

/* Are records lost that may have told of bodies? Then none is waste till a repair has looked at them. */
static bool has_loss(const struct volume *volume)
{
	return volume->catalog.heard_mailboxid != 0;
}

static enum rp_err run(struct task *task, struct volume *volume)
{
	struct store *store = volume->store;
	enum rp_err err;

	volume->compact_runs = true;
	store->compacts++;
	pace_begin(&volume->compact_pace, store);
	err = volume->catalog.destroyed || has_loss(volume) ? RP_OK : compact(task, volume);
	if (err != RP_OK && compact_core_must_end(volume))
		err = RP_ERR_CANCELED;
	if (volume->compact_holds == 0)
		volume->compact_off_ns = 0;
	else if (err == RP_ERR_CANCELED)
		compact_core_kept_off(volume);
	volume->compact_after_ns =
	    err == RP_ERR_NOSPACE || err == RP_ERR_NOMEM ? loop_now_ns(store->loop) + RETRY_S * CLOCK_NS_PER_S : 0;
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

	if (volume->compact_runs || volume->bare || volume->catalog.destroyed || has_loss(volume) ||
	    store->compacts >= COMPACTS_MAX || commit_failed(store->commit) ||
	    !is_worth_it(volume))
		return;
	if (volume->compact_holds > 0) {
		compact_core_kept_off(volume);
		return;
	}
	volume->compact_runs = volume_task_start(volume, "compact", compact_task);
}

/* A new file of bodies tells of what comes and goes in turn. Where another user's is under way the next change asks again. */
void compact_count(struct volume *volume)
{
	uint64_t bytes = volume->catalog.sums.bytes;
	uint64_t seen = volume->compact_seen_bytes;
	size_t files = dbox_files_count(volume->dbox);
	struct store *store = volume->store;

	if (!volume->open || volume->compact_runs || store->compacts >= COMPACTS_MAX)
		return;
	if (files == volume->compact_seen_files &&
	    (bytes > seen ? bytes - seen : seen - bytes) < dbox_file_bytes_max(volume->dbox) / SEEN_PARTS)
		return;
	if (volume->compact_after_ns != 0 && loop_now_ns(store->loop) < volume->compact_after_ns)
		return;
	volume->compact_seen_bytes = bytes;
	volume->compact_seen_files = files;
	compact_consider(volume);
}

enum rp_err compact_now(struct task *task, struct volume *volume)
{
	return volume->compact_runs || volume->compact_holds > 0 ? RP_ERR_BUSY : run(task, volume);
}
