/* view_model.h -- a session's view as an array of UIDs, to compare the real one with. */
#ifndef RP_TESTS_INDEX_VIEW_MODEL_H
#define RP_TESTS_INDEX_VIEW_MODEL_H

#include "index/msgset.h"
#include "index/view.h"
#include "tests/index/table_model.h"

struct view_model {
	struct model *model;
	struct view *view;
	uint32_t index[MODEL_ROWS_MAX]; /* in model->rows, of the messages that the session knows */
	uint32_t count;
	uint64_t told[MODEL_ROWS_MAX]; /* per row of the model: MODSEQ of the state that the session
	                                  has been told */
};

static inline const struct model_row *view_model_at(const struct view_model *vm, uint32_t seqno)
{
	return &vm->model->rows[vm->index[seqno - 1]];
}

static inline void view_model_let_in(struct view_model *vm)
{
	uint32_t from = vm->count == 0 ? 0 : vm->index[vm->count - 1] + 1;
	uint32_t exists = view_take_exists(vm->view);

	(void)from;
	for (uint32_t i = 0; i < vm->model->rows_count; i++) {
		bool known = vm->told[i] != 0;

		if (known)
			continue;
		vm->told[i] = UINT64_MAX; /* was there, gone before it was told of */
		if (!vm->model->rows[i].live)
			continue;
		vm->told[i] = vm->model->rows[i].row.modseq;
		vm->index[vm->count++] = i;
	}
	cr_assert_eq(exists, vm->count);
}

static inline struct view_model *view_model_new(struct task *task, struct model *model)
{
	struct view_model *vm = calloc(1, sizeof(*vm));

	vm->model = model;
	cr_assert_eq(view_open(task, &model->mailbox, NULL, &vm->view), RP_OK);
	view_model_let_in(vm);
	return vm;
}

static inline void view_model_free(struct view_model *vm)
{
	view_close(vm->view);
	free(vm);
}

/* What is expunged at or behind this UID is told. */
static inline void view_model_announce_from(struct view_model *vm, uint32_t from)
{
	uint32_t kept = 0;
	uint32_t gone = 0;
	const struct runs *expunged = view_expunged(vm->view);

	for (uint32_t i = 0; i < vm->count; i++) {
		const struct model_row *at = &vm->model->rows[vm->index[i]];
		bool told = !at->live && at->row.uid >= from;

		cr_assert_eq(runs_has(expunged, at->row.uid), !at->live, "uid %u", at->row.uid);
		gone += !at->live;
		if (!told)
			vm->index[kept++] = vm->index[i];
	}
	cr_assert_eq(runs_total(expunged), gone);
	vm->count = kept;
	view_take_expunged(vm->view, from);
	cr_assert_eq(view_exists(vm->view), kept);
}

/* From the last to the first, in slices. */
static inline void view_model_announce(struct view_model *vm)
{
	for (unsigned i = 0; i < 3; i++)
		view_model_announce_from(vm, 1 + model_draw(vm->model, vm->model->uidnext));
	view_model_announce_from(vm, 0);
	cr_assert_eq(view_expunged(vm->view)->count, 0);
}

static inline void view_model_compare_message(
    const struct view_model *vm, const struct view_cursor *cursor, uint32_t seqno)
{
	const struct model_row *at = view_model_at(vm, seqno);
	const struct message *message = &cursor->message;
	unsigned bits = 0;

	cr_assert_eq(cursor->seqno, seqno, "seqno %u is %u", seqno, cursor->seqno);
	cr_assert_eq(message->uid, at->row.uid);
	cr_assert_eq(message->flags, at->row.flags);
	cr_assert_eq(cursor->expunged, !at->live);
	cr_assert_eq(message->modseq, at->row.modseq);
	cr_assert_eq(message->internaldate.seconds, at->row.internaldate.seconds);
	cr_assert_eq(message->internaldate.zone_min, at->row.internaldate.zone_min);
	cr_assert_eq(message->sent.seconds, at->row.sent.seconds);
	cr_assert_eq(message->rfc822_size_bytes, at->row.rfc822_size_bytes);
	cr_assert_eq(message->savedate_s, at->row.savedate_s);
	cr_assert_eq(message->emailid, at->row.emailid);
	cr_assert_eq(message->threadid, at->row.threadid);
	for (unsigned k = 0; k < table_keywords_count(vm->model->mailbox.table); k++) {
		struct bytes name = table_keyword_name(vm->model->mailbox.table, k);

		cr_assert_lt(k / 64, cursor->keyword_words);
		for (unsigned m = 0;
		     (cursor->keywords[k / 64] >> (k % 64) & 1) && m < MODEL_KEYWORDS; m++)
			bits |= (unsigned)bytes_eq(name, bytes_of_str(model_keyword(m))) << m;
	}
	cr_assert_eq(bits, at->keyword_bits);
}

/* Seqnos and UIDs both ways, and what SELECT asks. */
static inline void view_model_compare_numbers(struct view_model *vm)
{
	uint32_t unseen = 0;
	uint32_t seqno = 1;

	cr_assert_eq(view_exists(vm->view), vm->count);
	cr_assert_eq(
	    view_last_uid(vm->view), vm->count == 0 ? 0 : view_model_at(vm, vm->count)->row.uid);
	cr_assert_eq(view_uid_of(vm->view, 0), 0);
	cr_assert_eq(view_uid_of(vm->view, vm->count + 1), 0);
	for (uint32_t uid = 0; uid <= vm->model->uidnext + 1; uid++) {
		bool in = seqno <= vm->count && view_model_at(vm, seqno)->row.uid == uid;

		cr_assert_eq(view_seqno_of(vm->view, uid), in ? seqno : 0, "uid %u", uid);
		if (!in)
			continue;
		const struct model_row *at = view_model_at(vm, seqno);

		cr_assert_eq(view_uid_of(vm->view, seqno), uid);
		if (unseen == 0 && at->live && !(at->row.flags & MAIL_SEEN))
			unseen = seqno;
		seqno++;
	}
	cr_assert_eq(view_first_unseen(vm->view), unseen);
}

/* Walk over all, or some UIDs, or what is newer; with changes between the steps if `change`. */
static inline void view_model_walk(
    struct task *task, struct view_model *vm, const struct runs *uids, uint64_t since)
{
	struct view_cursor cursor;
	enum rp_err err;
	uint32_t seqno = 0;

	view_cursor_init(&cursor, vm->view, uids);
	cursor.modseq_since = since;
	while ((err = view_cursor_next(task, &cursor)) == RP_OK) {
		for (seqno++; seqno <= vm->count; seqno++) {
			const struct model_row *at = view_model_at(vm, seqno);

			if ((uids == NULL || runs_has(uids, at->row.uid)) && at->row.modseq > since)
				break;
		}
		cr_assert_leq(seqno, vm->count);
		view_model_compare_message(vm, &cursor, seqno);
	}
	cr_assert_eq(err, RP_ERR_END, "%s", err_name(err));
	for (seqno++; seqno <= vm->count; seqno++) {
		const struct model_row *at = view_model_at(vm, seqno);

		cr_assert(
		    (uids != NULL && !runs_has(uids, at->row.uid)) || at->row.modseq <= since);
	}
	cr_assert_eq(view_cursor_next(task, &cursor), RP_ERR_END);
}

/* Hear of all changed flags. changes: how many changes happen while we walk. Afterwards the session
 * knows all that it was owed when the walk began. */
static inline void view_model_hear(struct task *task, struct view_model *vm, uint32_t changes)
{
	struct view_cursor cursor;
	enum rp_err err;
	uint64_t began = vm->model->modseq;

	view_flags_cursor(&cursor, vm->view);
	while ((err = view_cursor_next(task, &cursor)) == RP_OK) {
		uint32_t i = vm->index[cursor.seqno - 1];

		cr_assert_eq(cursor.message.uid, vm->model->rows[i].row.uid);
		cr_assert_eq(cursor.message.flags, vm->model->rows[i].row.flags);
		/* It may be told twice, when it changed while an earlier walk was under way; never
		 * an older state. */
		cr_assert_geq(cursor.message.modseq, vm->told[i]);
		vm->told[i] = cursor.message.modseq;
		if (changes > 0 && model_draw(vm->model, 3) == 0) {
			changes--;
			model_change(vm->model);
		}
	}
	cr_assert_eq(err, RP_ERR_END);
	view_take_flags(vm->view);
	for (uint32_t i = 0; i < vm->count; i++) {
		const struct model_row *at = &vm->model->rows[vm->index[i]];

		if (at->live && at->row.modseq <= began)
			cr_assert_eq(
			    vm->told[vm->index[i]], at->row.modseq, "uid %u not told", at->row.uid);
	}
}

/* A change that the session makes itself, silently. */
static inline void view_model_store_silently(struct view_model *vm)
{
	struct runs uids = model_uids(vm->model, 2, 30);
	struct runs changed = RUNS_EMPTY;

	cr_assert_eq(table_having(NULL, vm->model->mailbox.table, &uids, &changed), RP_OK);
	uint64_t modseq =
	    model_flag(vm->model, &changed, model_draw(vm->model, 5), model_draw(vm->model, 2));

	cr_assert_eq(view_told_flags(vm->view, &changed, modseq), RP_OK);
	for (uint32_t i = 0; i < vm->count; i++) {
		const struct model_row *at = &vm->model->rows[vm->index[i]];

		if (at->live && runs_has(&changed, at->row.uid))
			vm->told[vm->index[i]] = at->row.modseq;
	}
	runs_fini(&changed);
	runs_fini(&uids);
}

#endif
