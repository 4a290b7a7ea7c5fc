#include "tests/index/view_model.h"

/* A set as booleans by seqno. */
struct set_model {
	struct msgset *set;
	bool in[MODEL_ROWS_MAX];
};

static int64_t local_day(struct mail_date date)
{
	int64_t local = date.seconds + date.zone_min * 60;

	return local >= 0 ? local / 86400 : (local - 86399) / 86400;
}

static int64_t column_of(const struct model_row *at, enum msgset_column column)
{
	switch (column) {
	case MSGSET_INTERNALDATE:
		return local_day(at->row.internaldate);
	case MSGSET_SENT:
		return local_day(at->row.sent);
	case MSGSET_SIZE:
		return at->row.rfc822_size_bytes;
	case MSGSET_MODSEQ:
		return (int64_t)at->row.modseq;
	case MSGSET_SAVEDATE:
		return at->row.savedate_s;
	case MSGSET_INTERNALDATE_SECONDS:
		return at->row.internaldate.seconds;
	}
	return 0;
}

static void make_range(struct view_model *vm, struct set_model *sm)
{
	enum msgset_column column = (enum msgset_column)model_draw(vm->model, 6);
	int64_t least = INT64_MIN;
	int64_t greatest = INT64_MAX;

	if (vm->count > 0) {
		least = column_of(view_model_at(vm, 1 + model_draw(vm->model, vm->count)), column);
		greatest =
		    column_of(view_model_at(vm, 1 + model_draw(vm->model, vm->count)), column);
		if (model_draw(vm->model, 4) == 0)
			least = INT64_MIN;
		if (model_draw(vm->model, 4) == 0)
			greatest = INT64_MAX;
	}
	cr_assert_eq(msgset_range(NULL, vm->view, column, least, greatest, &sm->set), RP_OK);
	for (uint32_t s = 1; s <= vm->count; s++) {
		int64_t value = column_of(view_model_at(vm, s), column);

		sm->in[s] = value >= least && value <= greatest;
	}
}

static void make(struct view_model *vm, struct set_model *sm)
{
	struct runs uids = model_uids(vm->model, 4, 200);
	unsigned flag = model_draw(vm->model, 5);
	unsigned k = model_draw(vm->model, MODEL_KEYWORDS);
	uint32_t kind = model_draw(vm->model, 7);

	switch (kind) {
	case 0:
		cr_assert_eq(msgset_all(NULL, vm->view, &sm->set), RP_OK);
		break;
	case 1:
		cr_assert_eq(msgset_none(NULL, vm->view, &sm->set), RP_OK);
		break;
	case 2:
		cr_assert_eq(msgset_flag(NULL, vm->view, 1U << flag, &sm->set), RP_OK);
		break;
	case 3:
		cr_assert_eq(
		    msgset_keyword(NULL, vm->view, bytes_of_str(model_keyword(k)), &sm->set),
		    RP_OK);
		break;
	case 4:
		cr_assert_eq(msgset_uids(NULL, vm->view, &uids, &sm->set), RP_OK);
		break;
	default:
		make_range(vm, sm);
	}
	for (uint32_t s = 1; s <= vm->count && kind < 5; s++) {
		const struct model_row *at = view_model_at(vm, s);

		sm->in[s] = kind == 0 || (kind == 2 && (at->row.flags >> flag) & 1) ||
		            (kind == 3 && (at->keyword_bits >> k) & 1) ||
		            (kind == 4 && runs_has(&uids, at->row.uid));
	}
	runs_fini(&uids);
}

static void compare(const struct view_model *vm, const struct set_model *sm)
{
	struct runs uids = RUNS_EMPTY;
	struct runs seqnos = RUNS_EMPTY;
	uint32_t count = 0;
	uint32_t first = 0;
	uint32_t last = 0;
	uint64_t highest = 0;
	uint64_t got = 1;

	cr_assert_eq(msgset_uids_of(sm->set, &uids), RP_OK);
	cr_assert_eq(msgset_seqnos_of(sm->set, &seqnos), RP_OK);
	for (uint32_t s = 1; s <= vm->count; s++) {
		const struct model_row *at = view_model_at(vm, s);

		cr_assert_eq(runs_has(&uids, at->row.uid), sm->in[s], "uid %u", at->row.uid);
		cr_assert_eq(runs_has(&seqnos, s), sm->in[s], "seqno %u", s);
		cr_assert_eq(msgset_has(sm->set, at->row.uid), sm->in[s]);
		if (!sm->in[s])
			continue;
		count++;
		first = first == 0 ? at->row.uid : first;
		last = at->row.uid;
		highest = at->row.modseq > highest ? at->row.modseq : highest;
	}
	cr_assert_eq(msgset_count(sm->set), count);
	cr_assert_eq(runs_total(&uids), count);
	cr_assert_eq(runs_total(&seqnos), count);
	cr_assert_eq(msgset_first(sm->set), first);
	cr_assert_eq(msgset_last(sm->set), last);
	cr_assert_eq(msgset_highest_modseq(NULL, sm->set, &got), RP_OK);
	cr_assert_eq(got, highest);
	runs_fini(&uids);
	runs_fini(&seqnos);
}

static void calculate(struct view_model *vm, struct set_model *a, const struct set_model *b)
{
	uint32_t what = model_draw(vm->model, 4);

	if (what == 0)
		msgset_and(a->set, b->set);
	else if (what == 1)
		msgset_or(a->set, b->set);
	else if (what == 2)
		msgset_not(a->set);
	for (uint32_t s = 1; s <= vm->count; s++) {
		if (what == 0)
			a->in[s] = a->in[s] && b->in[s];
		else if (what == 1)
			a->in[s] = a->in[s] || b->in[s];
		else if (what == 2)
			a->in[s] = !a->in[s];
	}
	if (what == 3 && vm->count > 0) {
		uint32_t s = 1 + model_draw(vm->model, vm->count);

		msgset_remove(a->set, view_model_at(vm, s)->row.uid);
		a->in[s] = false;
	}
}

/* Another table with the same messages: rows that nobody lists are closed up. */
static void replace(struct model *model, const struct view_model *vm)
{
	struct table *old = model->mailbox.table;
	struct table *fresh;
	struct runs dead = RUNS_EMPTY;

	cr_assert_eq(table_new(NULL, 7, &fresh), RP_OK);
	for (uint32_t i = 0; i < model->rows_count; i++) {
		const struct model_row *at = &model->rows[i];
		uint16_t keywords[MODEL_KEYWORDS];

		if (!at->live && view_seqno_of(vm->view, at->row.uid) == 0)
			continue;
		cr_assert_eq(table_prepare_append(NULL, fresh,
		                 &(struct table_room){at->row.uid, at->row.uid, 1, 8, 3}),
		    RP_OK);
		struct table_row row = model_row_of(fresh, at, keywords);

		table_append(fresh, &row);
		if (!at->live)
			cr_assert_eq(runs_add(&dead, at->row.uid, at->row.uid), RP_OK);
	}
	cr_assert_eq(table_prepare_expunge(NULL, fresh, &dead), RP_OK);
	table_expunge(fresh, &dead, model->modseq);
	table_succeed(fresh, old);
	model->mailbox.table = fresh;
	view_news_table(&model->mailbox, old, fresh);
	table_free(old);
	runs_fini(&dead);
}

static void expunge_some(struct model *model)
{
	struct runs uids = model_uids(model, 1 + model_draw(model, 3), 40);

	model_expunge(model, &uids);
	runs_fini(&uids);
}

Test(msgset, agrees_with_booleans_over_random_sets_and_changes_between)
{
	for (uint32_t seed = 1; seed <= 3; seed++) {
		struct model *model = model_new(seed);
		struct set_model *a = calloc(1, sizeof(*a));
		struct set_model *b = calloc(1, sizeof(*b));

		for (int round = 0; round < 60; round++) {
			for (int i = 0; i < 12; i++)
				model_change(model);
			struct view_model *vm = view_model_new(NULL, model);

			make(vm, a);
			for (int step = 0; step < 8; step++) {
				switch (model_draw(model, 5)) {
				case 0: /* what others do meanwhile does not change who is in the
				           sets */
					expunge_some(model);
					break;
				case 1:
					replace(model, vm);
					break;
				case 2:
					model_append(model, 2);
					break;
				default:
					break;
				}
				make(vm, b);
				calculate(vm, a, b);
				compare(vm, b);
				compare(vm, a);
				msgset_free(b->set);
			}
			msgset_free(a->set);
			view_model_free(vm);
		}
		free(a);
		free(b);
		model_free(model);
	}
}

Test(msgset, a_range_that_is_no_range_and_values_beyond_the_column)
{
	struct model *model = model_new(5);
	struct msgset *set;

	model_append(model, 30);
	struct view_model *vm = view_model_new(NULL, model);
	static const struct {
		enum msgset_column column;
		int64_t least;
		int64_t greatest;
		uint32_t count;
	} cases[] = {
	    {MSGSET_SIZE, 5, 4, 0},
	    {MSGSET_SIZE, INT64_MIN, INT64_MAX, 30},
	    {MSGSET_SIZE, (int64_t)UINT32_MAX + 1, INT64_MAX, 0},
	    {MSGSET_SIZE, INT64_MIN, -1, 0},
	    {MSGSET_SENT, INT64_MIN, INT64_MAX, 30},
	    {MSGSET_INTERNALDATE_SECONDS, INT64_MIN, INT64_MAX, 30},
	    {MSGSET_MODSEQ, INT64_MIN, INT64_MAX, 30},
	    {MSGSET_SAVEDATE, INT64_MIN, INT64_MAX, 30},
	    {MSGSET_INTERNALDATE, INT64_MAX, INT64_MAX, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(msgset_range(NULL, vm->view, cases[i].column, cases[i].least,
		                 cases[i].greatest, &set),
		    RP_OK);
		cr_assert_eq(msgset_count(set), cases[i].count, "case %zu", i);
		msgset_free(set);
	}
	msgset_free(NULL);
	view_model_free(vm);
	model_free(model);
}

Test(msgset, new_messages_are_not_in_a_set_until_they_are_let_in)
{
	struct model *model = model_new(6);
	struct msgset *set;

	model_append(model, 3);
	struct view_model *vm = view_model_new(NULL, model);

	model_append(model, 100);
	cr_assert_eq(msgset_all(NULL, vm->view, &set), RP_OK);
	cr_assert_eq(msgset_count(set), 3);
	msgset_free(set);
	view_model_let_in(vm);
	cr_assert_eq(msgset_all(NULL, vm->view, &set), RP_OK);
	cr_assert_eq(msgset_count(set), 103);
	msgset_free(set);
	view_model_free(vm);
	model_free(model);
}
