/* view_news.c -- what the views of a mailbox are told in the breath of a change. */
#include <stdlib.h>

#include "index/table_state.h"
#include "index/view_state.h"

/* The session will be ended: seqnos cannot be kept right any more. */
static void overrun(struct view *view)
{
	runs_fini(&view->expunged);
	view->overrun = true;
	view->version++;
}

/* Take the next run in order from one of two lists. */
static struct run take_next(
    const struct runs *a, size_t *i, const struct run *b, size_t b_count, size_t *j)
{
	if (*j == b_count || (*i < a->count && a->run[*i].first < b[*j].first))
		return a->run[(*i)++];
	return b[(*j)++];
}

/* Both lists are sorted, and nothing is in both: one pass, for adding run by run could move 64 KiB
 * each time. */
static size_t merge(
    const struct runs *a, const struct run *b, size_t b_count, uint32_t uid_max, struct run *out)
{
	size_t count = 0;

	for (size_t i = 0, j = 0; i < a->count || j < b_count;) {
		struct run run = take_next(a, &i, b, b_count, &j);

		if (run.last > uid_max)
			run.last = uid_max;
		if (count > 0 && out[count - 1].last + 1 == run.first)
			out[count - 1].last = run.last;
		else
			out[count++] = run;
	}
	return count;
}

static void note_expunged(struct view *view, const struct runs *uids)
{
	/* What the session has not heard of it need not hear gone. */
	size_t count = runs_lower(uids, view->uid_max);

	if (count < uids->count && uids->run[count].first <= view->uid_max)
		count++;
	if (view->overrun || count == 0)
		return;
	struct run *run = malloc((view->expunged.count + count) * sizeof(*run));
	uint32_t *before = malloc((view->expunged.count + count + 1) * sizeof(*before));
	size_t merged = run == NULL || before == NULL
	                    ? SIZE_MAX
	                    : merge(&view->expunged, uids->run, count, view->uid_max, run);

	if (merged > VIEW_RUNS_MAX) {
		free(run);
		free(before);
		overrun(view);
		return;
	}
	runs_fini(&view->expunged);
	free(view->expunged_before);
	view->expunged = (struct runs){.run = run, .count = merged, .count_max = merged};
	view->expunged_before = before;
	before[0] = 0;
	for (size_t i = 0; i < merged; i++)
		before[i + 1] = before[i] + (run[i].last - run[i].first + 1);
	view->version++;
}

void view_news_expunge(struct mailbox *mailbox, const struct runs *uids, uint64_t modseq)
{
	struct runs there = RUNS_EMPTY;

	(void)modseq;
	if (list_empty(&mailbox->views)) {
		watch_wake_all(&mailbox->watches);
		return;
	}
	enum rp_err err = table_having(NULL, mailbox->table, uids, &there);

	LIST_FOR_EACH (link, &mailbox->views) {
		struct view *view = RP_CONTAINER_OF(link, struct view, link);

		if (err == RP_OK)
			note_expunged(view, &there);
		else
			overrun(view);
	}
	runs_fini(&there);
	watch_wake_all(&mailbox->watches);
}

void view_news_flags(struct mailbox *mailbox, const struct runs *uids, uint64_t modseq)
{
	(void)uids;
	(void)modseq;
	watch_wake_all(&mailbox->watches);
}

void view_news_append(struct mailbox *mailbox)
{
	watch_wake_all(&mailbox->watches);
}

void view_news_gone(struct mailbox *mailbox)
{
	watch_wake_all(&mailbox->watches);
}

void view_news_table(struct mailbox *mailbox, struct table *old_table, struct table *new_table)
{
	/* Views know UIDs only, so what they hold is as true of the new table; walks ask for its
	 * version. */
	RP_ASSERT(mailbox->table == new_table && new_table->version > old_table->version);
	watch_wake_all(&mailbox->watches);
}

enum rp_err view_listed(const struct mailbox *mailbox, struct runs *out)
{
	LIST_FOR_EACH (link, &mailbox->views) {
		const struct view *view = RP_CONTAINER_OF(link, struct view, link);

		for (size_t i = 0; i < view->expunged.count; i++) {
			enum rp_err err =
			    runs_add(out, view->expunged.run[i].first, view->expunged.run[i].last);

			if (err != RP_OK)
				return err;
		}
	}
	return RP_OK;
}
