/* What is kept: which UIDs, and since when. Their rows are kept_rows.c's. */
#include "index/kept.h"

#include <stdlib.h>
#include <string.h>

#include "index/kept_core.h"
#include "index/long_sort.h"
#include "io/base/num.h"

enum {
	NOTED_RUNS = 64, /* taken out of a record at a time */
	BUCKETS = 1024,  /* that a span of time is looked at in */
};

void kept_init(struct kept *kept, uint64_t since)
{
	*kept = (struct kept){.since = since, .rows_max = KEPT_ROWS_MAX};
}

void kept_core_drop_rows(struct task *task, struct kept_rows *rows)
{
	for (size_t i = 0; i < rows->pieces_count; i++) {
		size_t from = i * KEPT_PIECE_ROWS;

		for (size_t k = from; k < from + KEPT_PIECE_ROWS && k < rows->count; k++)
			free(kept_row_at(rows, k)->keyword);
		free(rows->piece[i]);
		(void)!kept_core_pause(task, from); /* cancelled or not, it has to be done */
	}
	free(rows->piece);
	*rows = (struct kept_rows){0};
}

void kept_fini(struct task *task, struct kept *kept)
{
	if (task != NULL)
		task_shield(task);
	for (size_t i = 0; i < kept->mailboxes_count; i++) {
		struct kept_mailbox *mailbox = &kept->mailbox[i];

		free((void *)(uintptr_t)mailbox->name.p);
		free(mailbox->timed.run);
		free(mailbox->out.run);
		free(mailbox->back.run);
		free(mailbox->keyword);
		kept_core_drop_rows(task, &mailbox->rows);
		kept_core_drop_rows(task, &mailbox->told);
	}
	if (task != NULL)
		task_unshield(task);
	free(kept->mailbox);
	*kept = (struct kept){.since = kept->since, .rows_max = kept->rows_max};
}

/* ---- mailboxes ---- */

/* Index of the first mailbox whose id is not below this one. */
static size_t mailbox_lower(const struct kept *kept, uint64_t mailboxid)
{
	size_t low = 0;
	size_t high = kept->mailboxes_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (kept->mailbox[middle].mailboxid < mailboxid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct kept_mailbox *kept_core_mailbox(const struct kept *kept, uint64_t mailboxid)
{
	size_t i = mailbox_lower(kept, mailboxid);

	return i < kept->mailboxes_count && kept->mailbox[i].mailboxid == mailboxid
	           ? &kept->mailbox[i]
	           : NULL;
}

/* NULL: no memory. */
static struct kept_mailbox *have_mailbox(struct kept *kept, uint64_t mailboxid)
{
	size_t i = mailbox_lower(kept, mailboxid);

	if (i < kept->mailboxes_count && kept->mailbox[i].mailboxid == mailboxid)
		return &kept->mailbox[i];
	if (kept->mailboxes_count == kept->mailboxes_max) {
		size_t max = 2 * kept->mailboxes_max + 8;
		struct kept_mailbox *p = realloc(kept->mailbox, max * sizeof(*p));

		if (p == NULL)
			return NULL;
		kept->mailbox = p;
		kept->mailboxes_max = max;
	}
	memmove(kept->mailbox + i + 1, kept->mailbox + i,
	    (kept->mailboxes_count - i) * sizeof(*kept->mailbox));
	kept->mailbox[i] = (struct kept_mailbox){.mailboxid = mailboxid};
	kept->mailboxes_count++;
	return &kept->mailbox[i];
}

static enum rp_err name_it(struct kept_mailbox *mailbox, struct bytes name)
{
	uint8_t *p = malloc(name.n);

	if (p == NULL)
		return RP_ERR_NOMEM;
	memcpy(p, name.p, name.n);
	free((void *)(uintptr_t)mailbox->name.p);
	mailbox->name = bytes_of(p, name.n);
	return RP_OK;
}

/* ---- runs ---- */

static enum rp_err add_run(struct kept_runs *runs, struct kept_run run)
{
	struct kept_run *newest = runs->count > 0 ? &runs->run[runs->count - 1] : NULL;

	if (newest != NULL && newest->seconds == run.seconds &&
	    (uint64_t)newest->last + 1 == run.first) {
		newest->last = run.last;
		return RP_OK;
	}
	if (runs->count == runs->max) {
		size_t max = 2 * runs->max + 16;
		struct kept_run *p = realloc(runs->run, max * sizeof(*p));

		if (p == NULL)
			return RP_ERR_NOMEM;
		runs->run = p;
		runs->max = max;
	}
	runs->run[runs->count++] = run;
	return RP_OK;
}

static int by_first(const void *a, const void *b)
{
	const struct kept_run *x = a;
	const struct kept_run *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

enum rp_err kept_core_pause(struct task *task, size_t at)
{
	return task != NULL && at % KEPT_PAUSE_ROWS == 0 ? task_pause(task) : RP_OK;
}

/* Sorted; where two overlap the first of them counts. */
static enum rp_err sort_runs(struct task *task, struct kept_runs *runs)
{
	size_t kept = 0;
	enum rp_err err = long_sort(task, runs->run, runs->count, sizeof(*runs->run), by_first);

	for (size_t i = 0; err == RP_OK && i < runs->count; i++) {
		struct kept_run run = runs->run[i];

		err = kept_core_pause(task, i);
		if (kept > 0 && run.last <= runs->run[kept - 1].last)
			continue;
		if (kept > 0 && run.first <= runs->run[kept - 1].last)
			run.first = runs->run[kept - 1].last + 1;
		runs->run[kept++] = run;
	}
	if (err == RP_OK)
		runs->count = kept;
	return err;
}

/* Index of the first that does not end before this UID. */
static size_t run_lower(const struct kept_runs *runs, uint32_t uid)
{
	size_t low = 0;
	size_t high = runs->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (runs->run[middle].last < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* NULL: it is in none. */
static const struct kept_run *find_run(const struct kept_runs *runs, uint32_t uid)
{
	size_t at = run_lower(runs, uid);

	return at < runs->count && runs->run[at].first <= uid ? &runs->run[at] : NULL;
}

uint64_t kept_core_seconds(
    const struct kept *kept, const struct kept_mailbox *mailbox, uint32_t uid)
{
	const struct kept_run *timed = find_run(&mailbox->timed, uid);
	uint64_t seconds = 0;

	if (find_run(&mailbox->back, uid) != NULL)
		return 0;
	if (timed != NULL)
		seconds = timed->seconds;
	else if (find_run(&mailbox->out, uid) == NULL)
		seconds = mailbox->gone_seconds;
	return seconds > kept->since ? seconds : 0;
}

/* ---- noting ---- */

static enum rp_err note_runs(struct kept_runs *to, struct change_runs rest, uint64_t seconds)
{
	struct run run[NOTED_RUNS];
	enum rp_err err = RP_OK;
	size_t n;

	while (err == RP_OK && (n = change_runs_next(&rest, run, NOTED_RUNS)) > 0)
		for (size_t i = 0; err == RP_OK && i < n; i++)
			err = add_run(to, (struct kept_run){seconds, run[i].first, run[i].last});
	return err;
}

static enum rp_err note_item(
    struct kept *kept, const struct change_item *item, uint64_t lost_seconds)
{
	uint64_t seconds = item->seconds != 0 ? item->seconds : lost_seconds;
	struct kept_mailbox *mailbox =
	    item->mailboxid != 0 ? have_mailbox(kept, item->mailboxid) : NULL;
	uint32_t first = item->rows.row.uid + 1;

	if (item->type == CHANGE_ITEM_DESTROYED)
		kept_fini(NULL, kept); /* there are no rows yet */
	if (item->mailboxid == 0)
		return RP_OK;
	if (mailbox == NULL)
		return RP_ERR_NOMEM;
	switch (item->type) {
	case CHANGE_ITEM_KEPT_NAME:
		mailbox->gone = true;
		return name_it(mailbox, item->name);
	case CHANGE_ITEM_MAILBOX:
	case CHANGE_ITEM_NAME:
		return name_it(mailbox, item->name);
	case CHANGE_ITEM_COUNTERS:
		mailbox->messages_count = item->counters.messages_count;
		return RP_OK;
	case CHANGE_ITEM_GONE:
		mailbox->gone = true;
		mailbox->gone_seconds = item->seconds;
		return RP_OK;
	case CHANGE_ITEM_EXPUNGED:
		return note_runs(
		    seconds != 0 ? &mailbox->timed : &mailbox->out, item->runs, seconds);
	case CHANGE_ITEM_BROUGHT_BACK:
		return note_runs(&mailbox->back, item->runs, 0);
	case CHANGE_ITEM_KEPT:
		if (item->rows.left == 0)
			return RP_OK;
		return add_run(&mailbox->timed,
		    (struct kept_run){item->seconds, first, first + item->rows.left - 1});
	default:
		return RP_OK;
	}
}

enum rp_err kept_note_lost(struct kept *kept, struct bytes payload, uint64_t seconds)
{
	struct change_reader reader;
	struct change_item item;
	enum rp_err err = change_check(payload);

	if (err == RP_OK)
		err = change_open(payload, &reader);
	while (err == RP_OK && (err = change_next(&reader, &item)) == RP_OK)
		err = note_item(kept, &item, seconds);
	return err == RP_ERR_END ? RP_OK : err;
}

enum rp_err kept_note(struct kept *kept, struct bytes payload)
{
	return kept_note_lost(kept, payload, 0);
}

/* ---- how many there are ---- */

/* How many were expunged when: of the seconds behind `after`, up to `until`, by spans of `width`. */
struct counting {
	uint64_t after;
	uint64_t until;
	uint64_t width;
	uint64_t newest; /* second, of all that were met */
	uint64_t all;
	uint64_t in[BUCKETS];
};

static void count_at(struct counting *counting, uint64_t seconds, uint64_t messages)
{
	if (messages == 0 || seconds <= counting->after || seconds > counting->until)
		return;
	counting->newest = num_max(counting->newest, seconds);
	counting->all += messages;
	counting->in[(seconds - counting->after - 1) / counting->width] += messages;
}

/* What was brought back counts too: were there room for others then, what had been let go would be kept again, and its bodies may be
 * gone. So `since` never falls back while only the log grows. */
static enum rp_err count(struct task *task, const struct kept *kept, struct counting *counting)
{
	enum rp_err err = RP_OK;

	counting->width = (counting->until - counting->after - 1) / BUCKETS + 1;
	memset(counting->in, 0, sizeof(counting->in));
	counting->all = 0;
	for (size_t i = 0; err == RP_OK && i < kept->mailboxes_count; i++) {
		const struct kept_mailbox *mailbox = &kept->mailbox[i];

		count_at(counting, mailbox->gone_seconds, mailbox->messages_count);
		for (size_t k = 0; err == RP_OK && k < mailbox->timed.count; k++) {
			const struct kept_run *run = &mailbox->timed.run[k];

			count_at(counting, run->seconds, (uint64_t)run->last - run->first + 1);
			err = kept_core_pause(task, k);
		}
	}
	return err;
}

/* The newest that have room stay: the last second of those that do not. */
static enum rp_err since_with_room(
    struct task *task, const struct kept *kept, struct counting *counting, uint64_t *since)
{
	uint64_t room = kept->rows_max;

	for (;;) {
		size_t at = BUCKETS;
		enum rp_err err = count(task, kept, counting);

		if (err != RP_OK)
			return err;
		while (at > 0 && counting->in[at - 1] <= room)
			room -= counting->in[--at];
		*since = counting->after;
		if (at == 0)
			return RP_OK;
		if (at < BUCKETS && at * counting->width < counting->until - counting->after)
			counting->until = counting->after + at * counting->width;
		counting->after += (at - 1) * counting->width;
		*since = counting->until;
		if (counting->width == 1)
			return RP_OK;
	}
}

/* The oldest of too many are let go. */
static enum rp_err let_go(struct task *task, struct kept *kept)
{
	struct counting counting = {.after = kept->since, .until = UINT64_MAX};
	uint64_t since = kept->since;
	uint64_t all;
	enum rp_err err;

	if (kept->since == UINT64_MAX)
		return RP_OK;
	err = count(task, kept, &counting);
	all = counting.all;
	if (err != RP_OK || all <= kept->rows_max)
		return err;
	counting.until = counting.newest;
	err = since_with_room(task, kept, &counting, &since);
	if (err != RP_OK)
		return err;
	kept->since = since;
	counting = (struct counting){.after = since, .until = UINT64_MAX};
	if (since < UINT64_MAX)
		err = count(task, kept, &counting);
	kept->let_go = all - counting.all;
	return err;
}

static bool wants(const struct kept *kept)
{
	for (size_t i = 0; i < kept->mailboxes_count; i++) {
		const struct kept_mailbox *mailbox = &kept->mailbox[i];

		if (mailbox->gone_seconds > kept->since)
			return true;
		for (size_t k = 0; k < mailbox->timed.count; k++)
			if (mailbox->timed.run[k].seconds > kept->since)
				return true;
	}
	return false;
}

enum rp_err kept_ready(struct task *task, struct kept *kept, bool *any)
{
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < kept->mailboxes_count; i++) {
		struct kept_mailbox *mailbox = &kept->mailbox[i];

		err = sort_runs(task, &mailbox->timed);
		if (err == RP_OK)
			err = sort_runs(task, &mailbox->out);
		if (err == RP_OK)
			err = sort_runs(task, &mailbox->back);
	}
	if (err == RP_OK)
		err = let_go(task, kept);
	*any = err == RP_OK && wants(kept);
	return err;
}
