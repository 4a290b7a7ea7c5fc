/* Which messages the records that are left say to be no more: known_expunged() of repair_core.h.
 *
 * A table has a history of that too, but may join what is expunged on both sides of UIDs that have no row: these were expunged before, or
 * never were. Where records are lost that is not so: their messages may be there, and their bodies tell of them.
 */
#include <stdlib.h>

#include "index/change.h"
#include "index/repair_core.h"
#include "index/replay.h"
#include "io/base/num.h"

enum { RUNS_TAKEN = 64 };

static enum rp_err push(struct known *known, const struct known_run *run)
{
	if (known->expunged_count == known->expunged_max) {
		size_t wanted = known->expunged_max != 0 ? 2 * known->expunged_max : 64;
		struct known_run *p = realloc(known->expunged, wanted * sizeof(*p));

		if (p == NULL)
			return RP_ERR_NOMEM;
		known->expunged = p;
		known->expunged_max = wanted;
	}
	known->expunged[known->expunged_count++] = *run;
	return RP_OK;
}

static enum rp_err take_runs(struct known *known, const struct change_item *item)
{
	struct change_runs rest = item->runs;
	struct run run[RUNS_TAKEN];
	enum rp_err err = RP_OK;
	size_t n;

	while (err == RP_OK && (n = change_runs_next(&rest, run, RUNS_TAKEN)) > 0)
		for (size_t i = 0; err == RP_OK && i < n; i++)
			err = push(known,
			    &(struct known_run){item->mailboxid, run[i].first, run[i].last});
	return err;
}

static enum rp_err take_change(
    struct task *task, void *arg, const struct record_header *header, struct bytes payload)
{
	struct change_reader reader;
	struct change_item item;
	enum rp_err err = change_check(payload);

	(void)header;
	if (err == RP_OK)
		err = change_open(payload, &reader);
	while (err == RP_OK && (err = change_next(&reader, &item)) == RP_OK)
		if (item.type == CHANGE_ITEM_EXPUNGED)
			err = take_runs(arg, &item);
	if (err == RP_ERR_CORRUPT) /* it was told when the catalog was replayed */
		err = RP_ERR_END;
	return err == RP_ERR_END ? task_pause(task) : err;
}

static int by_uid(const void *a, const void *b)
{
	const struct known_run *x = a;
	const struct known_run *y = b;

	if (x->mailboxid != y->mailboxid)
		return x->mailboxid < y->mailboxid ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

/* Sorted, and those that overlap are one. */
static void sort(struct known *known)
{
	size_t kept = 0;

	if (known->expunged_count > 0)
		qsort(known->expunged, known->expunged_count, sizeof(*known->expunged), by_uid);
	for (size_t i = 0; i < known->expunged_count; i++) {
		const struct known_run run = known->expunged[i];
		struct known_run *before = kept > 0 ? &known->expunged[kept - 1] : NULL;

		if (before != NULL && before->mailboxid == run.mailboxid &&
		    run.first <= before->last)
			before->last = (uint32_t)num_max(before->last, run.last);
		else
			known->expunged[kept++] = run;
	}
	known->expunged_count = kept;
}

enum rp_err known_expunged(struct task *task, struct known *known)
{
	struct replay replay;
	enum rp_err err;

	replay_init(&replay, NULL, "", take_change, known, 0);
	err = journal_replay(task, known->repair->volume->journal, 0, replay_record, &replay);
	replay_fini(&replay);
	if (err == RP_OK)
		sort(known);
	return err;
}

bool known_is_expunged(const struct known *known, uint64_t mailboxid, uint32_t uid)
{
	const struct known_run wanted = {.mailboxid = mailboxid, .first = uid};
	size_t low = 0;
	size_t high = known->expunged_count;

	while (low < high) { /* to the first that begins behind it */
		size_t middle = low + (high - low) / 2;

		if (by_uid(&known->expunged[middle], &wanted) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && known->expunged[low - 1].mailboxid == mailboxid &&
	       known->expunged[low - 1].last >= uid;
}
