#include "index/view.h"

#include <stdlib.h>

#include "index/table_state.h"
#include "index/view_state.h"
#include "io/base/num.h"

enum rp_err view_open(
    struct task *task, struct mailbox *mailbox, struct watch *watch, struct view **out)
{
	struct view *view = calloc(1, sizeof(*view));
	const struct table *table = mailbox->table;

	(void)task;
	if (view == NULL)
		return RP_ERR_NOMEM;
	view->mailbox = mailbox;
	view->watch = watch;
	view->version = 1;
	view->uid_max = table_last_uid(table);
	view->exists = table_count(table);
	view->told_modseq = table_modseq(table);
	view->told_new_modseq = view->told_modseq;
	view->told_uid = view->uid_max;
	view->names_told = table_names_version(table);
	mailbox_hold(mailbox);
	list_push_back(&mailbox->views, &view->link);
	if (watch != NULL)
		list_push_back(&mailbox->watches, &watch->link);
	*out = view;
	return RP_OK;
}

void view_close(struct view *view)
{
	if (view == NULL)
		return;
	list_del(&view->link);
	if (view->watch != NULL)
		list_del(&view->watch->link);
	view->mailbox->resting -= view->resting;
	view_drop_expunged(view);
	free(view->known);
	mailbox_close(view->mailbox);
	free(view);
}

struct mailbox *view_mailbox(const struct view *view)
{
	return view->mailbox;
}

uint32_t view_exists(const struct view *view)
{
	return view->exists;
}

uint32_t view_expunged_before(const struct view *view, uint32_t uid)
{
	if (view->expunged.count == 0)
		return 0;
	size_t i = runs_lower(&view->expunged, uid);
	uint32_t before = view->expunged_before[i];

	if (i < view->expunged.count && view->expunged.run[i].first < uid)
		before += uid - view->expunged.run[i].first;
	return before;
}

uint32_t view_rows(const struct view *view, const struct table *table)
{
	return view->uid_max >= table->uids.last_uid
	           ? table->uids.rows
	           : uidmap_lower(&table->uids, view->uid_max + 1);
}

/* The bits of dead rows that are unannounced. */
static uint64_t listed_word(
    const struct view *view, const struct table *table, uint32_t word, uint64_t dead)
{
	uint64_t listed = 0;

	for (uint64_t left = dead; left != 0; left &= left - 1) {
		uint32_t bit = (uint32_t)__builtin_ctzll(left);

		if (runs_has(&view->expunged, uidmap_uid(&table->uids, word * 64 + bit)))
			listed |= UINT64_C(1) << bit;
	}
	return listed;
}

uint64_t view_word(
    const struct view *view, const struct table *table, uint32_t word, uint32_t rows, bool *listed)
{
	uint64_t mask = table_word_mask(word, 0, rows);
	uint64_t live = table->live.words[word] & mask;

	*listed = false;
	if (view->expunged.count == 0)
		return live;
	uint32_t last_row = word * 64 + 63 - (uint32_t)__builtin_clzll(mask);
	size_t i = runs_lower(&view->expunged, uidmap_uid(&table->uids, word * 64));

	if (i == view->expunged.count ||
	    view->expunged.run[i].first > uidmap_uid(&table->uids, last_row))
		return live;
	*listed = true;
	return live | listed_word(view, table, word, mask & ~live);
}

uint32_t view_seqno_of(const struct view *view, uint32_t uid)
{
	const struct table *table = view->mailbox->table;
	uint32_t row;

	if (uid == 0 || uid > view->uid_max)
		return 0;
	if (!uidmap_row(&table->uids, uid, &row) || !rank_get(&table->live, row)) {
		if (!runs_has(&view->expunged, uid))
			return 0;
		row = uidmap_lower(&table->uids, uid);
	}
	return rank_before(&table->live, row) + view_expunged_before(view, uid) + 1;
}

/* The seqno of the first UID of an unannounced run. */
static uint32_t seqno_of_run(const struct view *view, const struct table *table, size_t i)
{
	uint32_t row = uidmap_lower(&table->uids, view->expunged.run[i].first);

	return rank_before(&table->live, row) + view->expunged_before[i] + 1;
}

uint32_t view_uid_of(const struct view *view, uint32_t seqno)
{
	const struct table *table = view->mailbox->table;
	size_t low = 0; /* runs that begin at or before seqno */
	size_t high = view->expunged.count;
	uint32_t gone = 0;

	if (seqno == 0 || seqno > view->exists)
		return 0;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (seqno_of_run(view, table, mid) <= seqno)
			low = mid + 1;
		else
			high = mid;
	}
	if (low > 0) {
		const struct run *run = &view->expunged.run[low - 1];
		uint32_t at = seqno - seqno_of_run(view, table, low - 1);

		if (at <= run->last - run->first)
			return run->first + at;
		gone = view->expunged_before[low];
	}
	uint32_t k = seqno - gone - 1;

	/* Overrun, seqnos mean nothing any more; the session ends. */
	return k < table->live.ones ? uidmap_uid(&table->uids, rank_select(&table->live, k)) : 0;
}

uint32_t view_last_uid(const struct view *view)
{
	return view_uid_of(view, view->exists);
}

uint32_t view_first_unseen(const struct view *view)
{
	const struct table *table = view->mailbox->table;
	uint32_t seen = (uint32_t)__builtin_ctz(MAIL_SEEN);
	uint32_t rows = view_rows(view, table);
	uint32_t word = 0;

	while (word * 64 < rows) {
		const struct group *group = table->group[word * 64 / GROUP_ROWS_MAX];
		uint32_t in_group = word % (GROUP_ROWS_MAX / 64);
		uint64_t mask = table->live.words[word] & table_word_mask(word, 0, rows);
		uint64_t bits = mask & ~group_flag_word(group, seen, in_group);

		if (bits != 0)
			return view_seqno_of(view,
			    uidmap_uid(&table->uids, word * 64 + (uint32_t)__builtin_ctzll(bits)));
		if (in_group == 0 && seen < group->flags_count &&
		    group->flag[seen].live_ones ==
		        table_group_live(table, word * 64 / GROUP_ROWS_MAX))
			word += GROUP_ROWS_MAX / 64; /* all of it is seen */
		else
			word++;
	}
	return 0;
}

enum rp_err view_uids_of_seqnos(
    const struct view *view, const struct runs *seqnos, struct runs *uids)
{
	if (view->overrun)
		return RP_ERR_UNAVAILABLE;
	for (size_t i = 0; i < seqnos->count; i++) {
		if (seqnos->run[i].first == 0 || seqnos->run[i].last > view->exists)
			return RP_ERR_NOTFOUND;
	}
	for (size_t i = 0; i < seqnos->count; i++) {
		uint32_t first = view_uid_of(view, seqnos->run[i].first);
		uint32_t last = view_uid_of(view, seqnos->run[i].last);

		if (first == 0 || last == 0)
			return RP_ERR_NOTFOUND;
		enum rp_err err = runs_add(uids, first, last);

		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

uint32_t view_take_exists(struct view *view)
{
	const struct table *table = view->mailbox->table;
	uint32_t last = table_last_uid(table);

	if (last <= view->uid_max)
		return view->exists;
	if (table->flags_modseq <= view->told_modseq) {
		/* No change of flags is untold: the new ones are told like the rest. */
		view->told_modseq = num_max(view->told_modseq, table_modseq(table));
		view->told_uid = last;
	} else if (view->told_uid == view->uid_max ||
	           table->flags_modseq <= view->told_new_modseq) {
		view->told_new_modseq = table_modseq(table);
	}
	view->uid_max = last;
	view->exists = table_count(table) + (uint32_t)runs_total(&view->expunged);
	view->version++;
	return view->exists;
}

const struct runs *view_expunged(const struct view *view)
{
	return &view->expunged;
}

void view_take_expunged(struct view *view, uint32_t from)
{
	struct runs *expunged = &view->expunged;
	uint32_t *before = view->expunged_before;
	size_t kept = from == 0 ? 0 : runs_lower(expunged, from);

	if (kept == expunged->count)
		return;
	uint32_t total = before[expunged->count];

	if (expunged->run[kept].first < from) {
		expunged->run[kept].last = from - 1;
		before[kept + 1] = before[kept] + (from - expunged->run[kept].first);
		kept++;
	}
	view->exists -= total - before[kept];
	expunged->count = kept;
	view->version++;
	if (kept == 0)
		view_drop_expunged(view);
}

void view_drop_expunged(struct view *view)
{
	runs_fini(&view->expunged);
	free(view->expunged_before);
	view->expunged_before = NULL;
	view->own_runs = 0;
}

void view_own_expunges(struct view *view, bool on)
{
	view->own = on;
}

bool view_is_overrun(const struct view *view)
{
	return view->overrun;
}

bool view_has_news(const struct view *view)
{
	const struct table *table = view->mailbox->table;

	return view->overrun || view->expunged.count > 0 ||
	       table->flags_modseq > view->told_modseq ||
	       view->names_told != table->names_version ||
	       (table->last_uid > view->uid_max &&
	           table_uid_from(table, view->uid_max + 1, false) != 0);
}

bool view_knows(const struct view *view, uint32_t uid, uint64_t modseq)
{
	if (modseq <= (uid > view->told_uid ? view->told_new_modseq : view->told_modseq))
		return true;
	for (unsigned i = 0; i < view->known_count; i++) {
		const struct view_known *known = &view->known[i];

		if (modseq <= known->modseq && uid >= known->uids.first && uid <= known->uids.last)
			return true;
	}
	return false;
}

void view_take_flags(struct view *view)
{
	unsigned kept = 0;

	view->told_modseq = num_max(view->told_modseq, view->taking_modseq);
	view->told_new_modseq = num_max(view->told_new_modseq, view->taking_modseq);
	view->told_uid = view->taking_uid;
	for (unsigned i = 0; i < view->known_count; i++) {
		if (view->known[i].modseq > view->told_modseq)
			view->known[kept++] = view->known[i];
	}
	view->known_count = kept;
	if (kept > 0)
		return;
	free(view->known);
	view->known = NULL;
	view->known_room = 0;
}

/* Room for so many more, as far as there may be any. */
static void known_reserve(struct view *view, size_t more)
{
	size_t room = num_min(view->known_count + more, VIEW_KNOWN_MAX);
	struct view_known *known;

	if (room <= view->known_room)
		return;
	room = num_min(num_max(room, 2 * (size_t)view->known_room), VIEW_KNOWN_MAX);
	known = realloc(view->known, room * sizeof(*known));
	if (known == NULL)
		return; /* the session will be told what it knows, no more */
	view->known = known;
	view->known_room = (unsigned)room;
}

enum rp_err view_told_flags(struct view *view, const struct runs *uids, uint64_t modseq)
{
	const struct table *table = view->mailbox->table;

	if (table->flags_modseq <= modseq && table->flags_modseq_before <= view->told_modseq) {
		view->told_modseq = num_max(view->told_modseq, modseq); /* nothing else is untold */
		view->told_new_modseq = num_max(view->told_new_modseq, modseq);
		return RP_OK;
	}
	known_reserve(view, uids->count);
	for (size_t i = 0; i < uids->count && view->known_count < view->known_room; i++)
		view->known[view->known_count++] =
		    (struct view_known){.modseq = modseq, .uids = uids->run[i]};
	return RP_OK;
}

bool view_has_keywords_told(const struct view *view)
{
	return view->names_told == table_names_version(view->mailbox->table);
}

void view_take_keywords(struct view *view)
{
	view->names_told = table_names_version(view->mailbox->table);
}
