#include "core/imap/seqset.h"

#include <stdlib.h>

enum {
	GATHER_RUNS_FIRST = 8,
	GATHER_RUNS_MAX = 2 * SEQSET_RUNS_MAX, /* at most so many are held before they are merged */
};

/* The set while it is read: in order of writing, merged only where a range touches the one before.
 */
struct gather {
	struct arena *arena;
	struct run *run;
	size_t count;
	size_t room;
	bool sorted;
};

static int by_first(const void *a, const void *b)
{
	const struct run *x = a;
	const struct run *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Sort, and make one of what overlaps or touches. */
static void merge(struct gather *g)
{
	size_t n = 0;

	if (!g->sorted)
		qsort(g->run, g->count, sizeof(*g->run), by_first);
	g->sorted = true;
	for (size_t i = 0; i < g->count; i++) {
		struct run r = g->run[i];

		if (n > 0 && (uint64_t)g->run[n - 1].last + 1 >= r.first) {
			if (r.last > g->run[n - 1].last)
				g->run[n - 1].last = r.last;
			continue;
		}
		g->run[n++] = r;
	}
	g->count = n;
}

/* Room for one more. Each merge at the bound halves what is held, or ends it: n log n in all. */
static enum rp_err make_room(struct gather *g)
{
	if (g->count < g->room)
		return RP_OK;
	if (g->room == GATHER_RUNS_MAX) {
		merge(g);
		return g->count > SEQSET_RUNS_MAX ? RP_ERR_LIMIT : RP_OK;
	}
	size_t room = g->room == 0 ? GATHER_RUNS_FIRST : g->room * 2;

	if (room > GATHER_RUNS_MAX)
		room = GATHER_RUNS_MAX;
	struct run *run =
	    arena_grow(g->arena, g->run, g->room * sizeof(*g->run), room * sizeof(*g->run));

	if (run == NULL)
		return RP_ERR_LIMIT;
	g->run = run;
	g->room = room;
	return RP_OK;
}

static enum rp_err add(struct gather *g, uint32_t first, uint32_t last)
{
	struct run *newest = g->count > 0 ? &g->run[g->count - 1] : NULL;

	if (newest != NULL && first >= newest->first && first <= (uint64_t)newest->last + 1) {
		if (last > newest->last)
			newest->last = last;
		return RP_OK;
	}
	enum rp_err err = make_room(g);

	if (err != RP_OK)
		return err;
	if (g->count > 0 && first < g->run[g->count - 1].first)
		g->sorted = false;
	g->run[g->count++] = (struct run){ first, last };
	return RP_OK;
}

/* seq-number = nz-number / "*"; *n is 0 for "*". */
static enum rp_err seq_number(struct lex *lex, uint32_t *n)
{
	if (!lex_char(lex, '*'))
		return lex_nz_number(lex, n);
	*n = 0;
	return RP_OK;
}

/* seq-number / seq-range, into the gathered runs or the set's star. */
static enum rp_err range(struct lex *lex, struct gather *g, struct seqset *set)
{
	uint32_t a;
	enum rp_err err = seq_number(lex, &a);
	uint32_t b = a;

	if (err == RP_OK && lex_char(lex, ':'))
		err = seq_number(lex, &b);
	if (err != RP_OK)
		return err;
	if (a != 0 && b != 0)
		return add(g, a < b ? a : b, a < b ? b : a);
	uint32_t from = a != 0 ? a : b;

	if (from == 0)
		from = UINT32_MAX;
	set->star_from = set->star && set->star_from < from ? set->star_from : from;
	set->star = true;
	return RP_OK;
}

enum rp_err seqset_parse(struct lex *lex, struct arena *arena, bool dollar, struct seqset *out)
{
	struct lex ahead = *lex;
	struct gather g = { .arena = arena, .sorted = true };
	struct seqset set = { 0 };

	if (dollar && lex_char(&ahead, '$')) {
		*lex = ahead;
		*out = (struct seqset){ .saved = true };
		return RP_OK;
	}
	do {
		enum rp_err err = range(&ahead, &g, &set);

		if (err != RP_OK)
			return err;
	} while (lex_char(&ahead, ','));
	merge(&g);
	if (g.count > SEQSET_RUNS_MAX)
		return RP_ERR_LIMIT;
	set.run = g.run;
	set.count = g.count;
	*lex = ahead;
	*out = set;
	return RP_OK;
}

enum rp_err seqset_resolve(const struct seqset *set, uint32_t max, struct runs *out)
{
	RP_ASSERT(!set->saved && out->count == 0);
	struct runs runs = RUNS_EMPTY;
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < set->count; i++)
		err = runs_add(&runs, set->run[i].first, set->run[i].last);
	if (err == RP_OK && set->star && max > 0)
		err = runs_add(&runs, set->star_from < max ? set->star_from : max, max);
	if (err != RP_OK) {
		runs_fini(&runs);
		return err;
	}
	*out = runs;
	return RP_OK;
}

void seqset_write(struct resp *resp, const struct runs *runs)
{
	for (size_t i = 0; i < runs->count; i++) {
		uint8_t *p = resp_room(resp, 2 * RESP_U32_BYTES + 2);

		if (p == NULL)
			return;
		if (i > 0)
			*p++ = ',';
		p = resp_at_u32(p, runs->run[i].first);
		if (runs->run[i].last != runs->run[i].first) {
			*p++ = ':';
			p = resp_at_u32(p, runs->run[i].last);
		}
		resp_commit(resp, p);
	}
}
