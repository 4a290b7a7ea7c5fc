/* fake_view.c -- see fake.h: views and sets of messages. */
#include <stdlib.h>
#include <string.h>

#include "tests/core/cmd/fake.h"

struct told {
	uint32_t uid;
	uint64_t modseq;
};

struct view {
	struct mailbox *mailbox;
	struct told *told;
	uint32_t count;
	uint32_t last_seen_uid; /* of the mailbox when EXISTS was told */
	struct runs expunged;
	unsigned keywords_told;
	struct watch *watch;
};

struct msgset {
	struct view *view;
	bool *in; /* one for each told message */
};

static void *need(void *p)
{
	RP_ASSERT(p != NULL);
	return p;
}

static struct fake_message *at(struct view *view, uint32_t seqno)
{
	return fake_find(view->mailbox, view->told[seqno - 1].uid);
}

static void let_in(struct view *view)
{
	for (size_t i = 0; i < view->mailbox->count; i++) {
		struct fake_message *m = &view->mailbox->messages[i];

		if (m->expunged || m->message.uid <= view->last_seen_uid)
			continue;
		view->told = need(realloc(view->told, (view->count + 1) * sizeof(*view->told)));
		view->told[view->count++] = (struct told){ m->message.uid, m->message.modseq };
	}
	view->last_seen_uid = view->mailbox->entry.uidnext - 1;
}

enum rp_err view_open(
    struct task *task, struct mailbox *mailbox, struct watch *watch, struct view **out)
{
	struct view *view = need(calloc(1, sizeof(*view)));

	(void)task;
	view->mailbox = mailbox;
	mailbox->refs++;
	view->keywords_told = mailbox->keywords_count;
	view->watch = watch;
	if (watch != NULL)
		list_push_back(&mailbox->watches, &watch->link);
	let_in(view);
	*out = view;
	return RP_OK;
}

void view_close(struct view *view)
{
	if (view == NULL)
		return;
	if (view->watch != NULL)
		list_del(&view->watch->link);
	runs_fini(&view->expunged);
	mailbox_close(view->mailbox);
	free(view->told);
	free(view);
}

struct mailbox *view_mailbox(const struct view *view)
{
	return view->mailbox;
}

uint32_t view_exists(const struct view *view)
{
	return view->count;
}

uint32_t view_uid_of(const struct view *view, uint32_t seqno)
{
	return seqno >= 1 && seqno <= view->count ? view->told[seqno - 1].uid : 0;
}

uint32_t view_seqno_of(const struct view *view, uint32_t uid)
{
	for (uint32_t i = 0; i < view->count; i++)
		if (view->told[i].uid == uid)
			return i + 1;
	return 0;
}

uint32_t view_last_uid(const struct view *view)
{
	return view->count > 0 ? view->told[view->count - 1].uid : 0;
}

uint32_t view_first_unseen(const struct view *view)
{
	for (uint32_t seqno = 1; seqno <= view->count; seqno++)
		if ((fake_find(view->mailbox, view->told[seqno - 1].uid)->message.flags & MAIL_SEEN) == 0)
			return seqno;
	return 0;
}

enum rp_err view_uids_of_seqnos(
    const struct view *view, const struct runs *seqnos, struct runs *uids)
{
	if (seqnos->count > 0 && seqnos->run[seqnos->count - 1].last > view->count)
		return RP_ERR_NOTFOUND;
	for (uint32_t seqno = 1; seqno <= view->count; seqno++) {
		uint32_t uid = view->told[seqno - 1].uid;

		if (runs_has(seqnos, seqno) && runs_add(uids, uid, uid) != RP_OK)
			return RP_ERR_NOMEM;
	}
	return RP_OK;
}

void view_cursor_init(struct view_cursor *cursor, struct view *view, const struct runs *uids)
{
	memset(cursor, 0, sizeof(*cursor));
	cursor->view = view;
	cursor->uids = uids;
	cursor->fields = VIEW_ALL;
}

static void show(struct view_cursor *cursor, uint32_t seqno)
{
	struct fake_message *m = at(cursor->view, seqno);

	cursor->seqno = seqno;
	cursor->message = m->message;
	cursor->keywords = &m->keywords;
	cursor->keyword_words = 1;
	cursor->expunged = m->expunged;
}

enum rp_err view_cursor_next(struct task *task, struct view_cursor *cursor)
{
	(void)task;
	while (cursor->place.seqno < cursor->view->count) {
		uint32_t seqno = ++cursor->place.seqno;
		struct fake_message *m = at(cursor->view, seqno);

		if (cursor->uids != NULL && !runs_has(cursor->uids, m->message.uid))
			continue;
		if (cursor->modseq_since != 0 && m->message.modseq <= cursor->modseq_since)
			continue;
		if (cursor->place.news &&
		    (m->expunged || m->message.modseq <= cursor->view->told[seqno - 1].modseq))
			continue;
		show(cursor, seqno);
		return RP_OK;
	}
	return RP_ERR_END;
}

enum rp_err view_message(
    struct task *task, struct view *view, uint32_t uid, struct view_cursor *out)
{
	uint32_t seqno = view_seqno_of(view, uid);

	(void)task;
	if (seqno == 0)
		return RP_ERR_NOTFOUND;
	view_cursor_init(out, view, NULL);
	show(out, seqno);
	return RP_OK;
}

static void find_expunged(struct view *view)
{
	for (uint32_t seqno = 1; seqno <= view->count; seqno++) {
		uint32_t uid = view->told[seqno - 1].uid;

		if (at(view, seqno)->expunged && runs_add(&view->expunged, uid, uid) != RP_OK)
			RP_ASSERT(false);
	}
}

bool view_has_news(const struct view *view)
{
	struct view *mine = (struct view *)(uintptr_t)view;
	struct view_cursor cursor;

	if (view->mailbox->entry.uidnext - 1 > view->last_seen_uid ||
	    view->keywords_told != view->mailbox->keywords_count)
		return true;
	find_expunged(mine);
	view_flags_cursor(&cursor, mine);
	return view->expunged.count > 0 || view_cursor_next(NULL, &cursor) == RP_OK;
}

bool fake_view_overrun;

bool view_is_overrun(const struct view *view)
{
	return fake_view_overrun || view->expunged.count * sizeof(struct run) > VIEW_UNANNOUNCED_BYTES_MAX;
}

const struct runs *view_expunged(const struct view *view)
{
	find_expunged((struct view *)(uintptr_t)view);
	return &view->expunged;
}

void view_take_expunged(struct view *view, uint32_t from)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < view->count; i++)
		if (view->told[i].uid < from || !runs_has(&view->expunged, view->told[i].uid))
			view->told[kept++] = view->told[i];
	view->count = kept;
	runs_fini(&view->expunged);
}

bool fake_view_own;

void view_own_expunges(struct view *view, bool on)
{
	(void)view;
	fake_view_own = on;
}

uint32_t view_take_exists(struct view *view)
{
	let_in(view);
	return view->count;
}

void view_flags_cursor(struct view_cursor *cursor, struct view *view)
{
	view_cursor_init(cursor, view, NULL);
	cursor->place.news = true;
}

void view_take_flags(struct view *view)
{
	for (uint32_t seqno = 1; seqno <= view->count; seqno++)
		view->told[seqno - 1].modseq = at(view, seqno)->message.modseq;
}

enum rp_err view_told_flags(struct view *view, const struct runs *uids, uint64_t modseq)
{
	for (uint32_t i = 0; i < view->count; i++)
		if (runs_has(uids, view->told[i].uid) && view->told[i].modseq < modseq)
			view->told[i].modseq = modseq;
	return RP_OK;
}

bool view_has_keywords_told(const struct view *view)
{
	return view->keywords_told == view->mailbox->keywords_count;
}

void view_rest(struct view *view)
{
	(void)view;
}

enum rp_err view_wake(struct task *task, struct view *view)
{
	(void)task;
	(void)view;
	return RP_OK;
}

void view_take_keywords(struct view *view)
{
	view->keywords_told = view->mailbox->keywords_count;
}

static struct msgset *new_set(struct view *view)
{
	struct msgset *set = need(calloc(1, sizeof(*set)));

	set->view = view;
	set->in = need(calloc(view->count + 1, sizeof(bool)));
	return set;
}

enum rp_err msgset_all(struct task *task, struct view *view, struct msgset **out)
{
	(void)task;
	*out = new_set(view);
	memset((*out)->in, 1, view->count * sizeof(bool));
	return RP_OK;
}

enum rp_err msgset_none(struct task *task, struct view *view, struct msgset **out)
{
	(void)task;
	*out = new_set(view);
	return RP_OK;
}

enum rp_err msgset_flag(struct task *task, struct view *view, uint32_t flag, struct msgset **out)
{
	(void)task;
	*out = new_set(view);
	for (uint32_t i = 0; i < view->count; i++)
		(*out)->in[i] = (at(view, i + 1)->message.flags & flag) != 0;
	return RP_OK;
}

enum rp_err msgset_keyword(
    struct task *task, struct view *view, struct bytes keyword, struct msgset **out)
{
	(void)task;
	*out = new_set(view);
	for (unsigned k = 0; k < view->mailbox->keywords_count; k++)
		if (bytes_eq_fold(keyword, mailbox_keyword(view->mailbox, k)))
			for (uint32_t i = 0; i < view->count; i++)
				(*out)->in[i] = (at(view, i + 1)->keywords >> k & 1) != 0;
	return RP_OK;
}

enum rp_err msgset_uids(
    struct task *task, struct view *view, const struct runs *uids, struct msgset **out)
{
	(void)task;
	*out = new_set(view);
	for (uint32_t i = 0; i < view->count; i++)
		(*out)->in[i] = runs_has(uids, view->told[i].uid);
	return RP_OK;
}

static int64_t day_of(struct mail_date date)
{
	int64_t seconds = date.seconds + date.zone_min * 60;

	return seconds >= 0 ? seconds / 86400 : -((86399 - seconds) / 86400);
}

static int64_t value_of(const struct message *m, enum msgset_column column)
{
	switch (column) {
	case MSGSET_INTERNALDATE:
		return day_of(m->internaldate);
	case MSGSET_SENT:
		return day_of(m->sent);
	case MSGSET_SIZE:
		return m->rfc822_size_bytes;
	case MSGSET_MODSEQ:
		return (int64_t)m->modseq;
	case MSGSET_SAVEDATE:
		return m->savedate_s;
	case MSGSET_INTERNALDATE_SECONDS:
		return m->internaldate.seconds;
	}
	return 0;
}

enum rp_err msgset_range(struct task *task, struct view *view, enum msgset_column column,
    int64_t least, int64_t greatest, struct msgset **out)
{
	(void)task;
	*out = new_set(view);
	for (uint32_t i = 0; i < view->count; i++) {
		int64_t value = value_of(&at(view, i + 1)->message, column);

		(*out)->in[i] = value >= least && value <= greatest;
	}
	return RP_OK;
}

void msgset_and(struct msgset *a, const struct msgset *b)
{
	for (uint32_t i = 0; i < a->view->count; i++)
		a->in[i] = a->in[i] && b->in[i];
}

void msgset_or(struct msgset *a, const struct msgset *b)
{
	for (uint32_t i = 0; i < a->view->count; i++)
		a->in[i] = a->in[i] || b->in[i];
}

void msgset_not(struct msgset *a)
{
	for (uint32_t i = 0; i < a->view->count; i++)
		a->in[i] = !a->in[i];
}

void msgset_free(struct msgset *set)
{
	if (set == NULL)
		return;
	free(set->in);
	free(set);
}

uint32_t msgset_count(const struct msgset *set)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < set->view->count; i++)
		n += set->in[i];
	return n;
}

bool msgset_has(const struct msgset *set, uint32_t uid)
{
	uint32_t seqno = view_seqno_of(set->view, uid);

	return seqno != 0 && set->in[seqno - 1];
}

void msgset_remove(struct msgset *set, uint32_t uid)
{
	uint32_t seqno = view_seqno_of(set->view, uid);

	if (seqno != 0)
		set->in[seqno - 1] = false;
}

enum rp_err msgset_uids_of(const struct msgset *set, struct runs *uids)
{
	for (uint32_t i = 0; i < set->view->count; i++)
		if (set->in[i] && runs_add(uids, set->view->told[i].uid, set->view->told[i].uid) != RP_OK)
			return RP_ERR_NOMEM;
	return RP_OK;
}

enum rp_err msgset_seqnos_of(const struct msgset *set, struct runs *seqnos)
{
	for (uint32_t i = 0; i < set->view->count; i++)
		if (set->in[i] && runs_add(seqnos, i + 1, i + 1) != RP_OK)
			return RP_ERR_NOMEM;
	return RP_OK;
}

uint32_t msgset_first(const struct msgset *set)
{
	for (uint32_t i = 0; i < set->view->count; i++)
		if (set->in[i])
			return set->view->told[i].uid;
	return 0;
}

uint32_t msgset_last(const struct msgset *set)
{
	for (uint32_t i = set->view->count; i-- > 0;)
		if (set->in[i])
			return set->view->told[i].uid;
	return 0;
}

enum rp_err msgset_highest_modseq(struct task *task, const struct msgset *set, uint64_t *modseq)
{
	(void)task;
	*modseq = 0;
	for (uint32_t i = 0; i < set->view->count; i++)
		if (set->in[i])
			*modseq = num_max(*modseq, at(set->view, i + 1)->message.modseq);
	return RP_OK;
}
