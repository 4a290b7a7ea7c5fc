/* view_news.c -- what the views of a mailbox are told in the breath of a change. */
#include <stdlib.h>
#include <string.h>

#include "index/table_state.h"
#include "index/view_state.h"

/* The session will be ended: seqnos cannot be kept right any more. */
void view_overrun(struct view *view)
{
	view_drop_expunged(view);
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

/* Both lists are sorted, and nothing is in both: one pass, for adding run by run could move all of them
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

/* Room for so many runs in all. A change comes in pieces, so what has to grow grows by more. */
static bool make_room(struct view *view, size_t runs)
{
	struct runs *expunged = &view->expunged;
	size_t room = runs + runs / 2;

	if (runs <= expunged->count_max)
		return true;
	if (runs <= VIEW_RUNS_MAX && room > VIEW_RUNS_MAX)
		room = VIEW_RUNS_MAX;
	struct run *run = realloc(expunged->run, room * sizeof(*run));

	if (run == NULL)
		return false;
	expunged->run = run;
	uint32_t *before = realloc(view->expunged_before, (room + 1) * sizeof(*before));

	if (before == NULL)
		return false;
	before[0] = 0;
	view->expunged_before = before;
	expunged->count_max = room;
	return true;
}

/* Let the first `count` of uids in. Runs before them stay where they are: the pieces of a change ascend. */
static bool let_in(struct view *view, const struct runs *uids, size_t count)
{
	struct runs *expunged = &view->expunged;
	size_t from = runs_lower(expunged, uids->run[0].first);

	if (from > 0)
		from--; /* it may touch */
	struct runs tail = {.count = expunged->count - from};

	if (!make_room(view, expunged->count + count))
		return false;
	if (tail.count > 0) {
		tail.run = malloc(tail.count * sizeof(*tail.run));
		if (tail.run == NULL)
			return false;
		memcpy(tail.run, expunged->run + from, tail.count * sizeof(*tail.run));
	}
	expunged->count =
	    from + merge(&tail, uids->run, count, view->uid_max, expunged->run + from);
	free(tail.run);
	for (size_t i = from; i < expunged->count; i++)
		view->expunged_before[i + 1] =
		    view->expunged_before[i] + (expunged->run[i].last - expunged->run[i].first + 1);
	return true;
}

static void note_expunged(struct view *view, const struct runs *uids)
{
	/* What the session has not heard of it need not hear gone. */
	size_t count = runs_lower(uids, view->uid_max);
	size_t before = view->expunged.count;

	if (count < uids->count && uids->run[count].first <= view->uid_max)
		count++;
	if (view->overrun || count == 0)
		return;
	if (!let_in(view, uids, count)) {
		view_overrun(view);
		return;
	}
	if (view->own && view->expunged.count > before)
		view->own_runs += view->expunged.count - before;
	if (view->expunged.count > VIEW_RUNS_MAX + view->own_runs)
		view_overrun(view);
	view->version++;
}

void view_news_expunge_these(struct mailbox *mailbox, const struct runs *there)
{
	LIST_FOR_EACH (link, &mailbox->views)
		note_expunged(RP_CONTAINER_OF(link, struct view, link), there);
	watch_wake_all(&mailbox->watches);
}

void view_news_expunge(struct mailbox *mailbox, const struct runs *uids, uint64_t modseq)
{
	struct runs there = RUNS_EMPTY;
	enum rp_err err = RP_OK;

	(void)modseq;
	if (!list_empty(&mailbox->views))
		err = table_having(NULL, mailbox->table, uids, &there);
	if (err == RP_OK) {
		view_news_expunge_these(mailbox, &there);
	} else {
		LIST_FOR_EACH (link, &mailbox->views)
			view_overrun(RP_CONTAINER_OF(link, struct view, link));
		watch_wake_all(&mailbox->watches);
	}
	runs_fini(&there);
}

void view_news_flags(struct mailbox *mailbox, const struct runs *uids, uint64_t modseq)
{
	(void)uids;
	(void)modseq;
	watch_wake_all(&mailbox->watches);
}

void view_news_keyword(struct mailbox *mailbox, unsigned keyword)
{
	LIST_FOR_EACH (link, &mailbox->views) {
		struct view *view = RP_CONTAINER_OF(link, struct view, link);

		view->keywords[keyword / 64] &= ~(UINT64_C(1) << (keyword % 64));
	}
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

bool view_is_behind(const struct mailbox *mailbox)
{
	LIST_FOR_EACH (link, &mailbox->views)
		if (RP_CONTAINER_OF(link, struct view, link)->expunged.count > 0)
			return true;
	return false;
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
