#include "index/view_state.h"
#include "tests/index/view_model.h"

enum { VIEWS = 4 };

static void look(struct view_model *vm)
{
	struct runs uids =
	    model_uids(vm->model, 1 + model_draw(vm->model, 20), 1 + model_draw(vm->model, 50));

	switch (model_draw(vm->model, 8)) {
	case 0:
		view_model_announce(vm);
		break;
	case 1:
		view_model_let_in(vm);
		break;
	case 2:
		view_model_compare_numbers(vm);
		break;
	case 3:
		view_model_walk(NULL, vm, NULL, 0);
		break;
	case 4:
		view_model_walk(NULL, vm, &uids, 0);
		break;
	case 5:
		view_model_walk(NULL, vm, model_draw(vm->model, 2) ? &uids : NULL,
		    vm->model->modseq - model_draw(vm->model, 30) % vm->model->modseq);
		break;
	case 6:
		view_model_hear(NULL, vm, model_draw(vm->model, 3));
		break;
	default:
		view_model_store_silently(vm);
	}
	runs_fini(&uids);
}

Test(view, several_agree_with_plain_models_over_random_changes)
{
	for (uint32_t seed = 1; seed <= 3; seed++) {
		struct model *model = model_new(seed);
		struct view_model *views[VIEWS] = {0};

		for (int step = 0; step < 4000; step++) {
			uint32_t which = model_draw(model, VIEWS);

			if (step % 2 == 0)
				model_change(model);
			if (views[which] == NULL) {
				views[which] = view_model_new(NULL, model);
			} else if (model_draw(model, 60) == 0) {
				view_model_free(views[which]);
				views[which] = NULL;
			} else {
				look(views[which]);
			}
		}
		for (int i = 0; i < VIEWS; i++) {
			if (views[i] != NULL) {
				view_model_compare_numbers(views[i]);
				view_model_walk(NULL, views[i], NULL, 0);
				view_model_free(views[i]);
			}
		}
		model_compare(model, false);
		model_free(model);
	}
}

static void expunge(struct model *model, uint32_t first, uint32_t last)
{
	struct run run = {first, last};

	model_expunge(model, &(struct runs){.run = &run, .count = 1});
}

static uint64_t flag(struct model *model, uint32_t first, uint32_t last)
{
	struct run run = {first, last};

	return model_flag(model, &(struct runs){.run = &run, .count = 1}, 1, true);
}

static uint32_t news(struct view *view, uint32_t *first)
{
	struct view_cursor cursor;
	uint32_t count = 0;

	view_flags_cursor(&cursor, view);
	while (view_cursor_next(NULL, &cursor) == RP_OK) {
		if (count++ == 0)
			*first = cursor.message.uid;
	}
	view_take_flags(view);
	return count;
}

Test(view, an_empty_mailbox_has_no_numbers)
{
	struct model *model = model_new(1);
	struct view_model *vm = view_model_new(NULL, model);
	struct view_cursor cursor;
	struct run one = {1, 1};
	struct runs uids = RUNS_EMPTY;

	view_model_compare_numbers(vm);
	view_model_walk(NULL, vm, NULL, 0);
	cr_assert_eq(view_message(NULL, vm->view, 1, &cursor), RP_ERR_NOTFOUND);
	cr_assert_eq(view_message(NULL, vm->view, 0, &cursor), RP_ERR_NOTFOUND);
	cr_assert_eq(view_uids_of_seqnos(vm->view, &(struct runs){.run = &one, .count = 1}, &uids),
	    RP_ERR_NOTFOUND);
	cr_assert_not(view_has_news(vm->view));
	view_model_free(vm);
	model_free(model);
}

Test(view, what_is_expunged_elsewhere_keeps_its_number_and_can_be_read)
{
	struct model *model = model_new(2);
	struct view_cursor cursor;

	model_append(model, 10);
	struct view_model *vm = view_model_new(NULL, model);

	expunge(model, 3, 4);
	cr_assert(view_has_news(vm->view));
	cr_assert_eq(view_message(NULL, vm->view, 4, &cursor), RP_OK);
	cr_assert(cursor.expunged);
	cr_assert_eq(cursor.seqno, 4);
	cr_assert_eq(cursor.message.emailid, model->rows[3].row.emailid);
	cr_assert_eq(view_uid_of(vm->view, 5), 5);
	view_model_announce(vm);
	cr_assert_eq(view_message(NULL, vm->view, 4, &cursor), RP_ERR_NOTFOUND);
	cr_assert_eq(view_uid_of(vm->view, 3), 5);
	cr_assert_not(view_has_news(vm->view));
	view_model_free(vm);
	model_free(model);
}

Test(view, what_came_and_went_untold_is_never_heard_of)
{
	struct model *model = model_new(3);

	model_append(model, 5);
	struct view_model *vm = view_model_new(NULL, model);

	model_append(model, 5);
	expunge(model, 7, 8);
	cr_assert_eq(view_expunged(vm->view)->count, 0);
	expunge(model, 4, 6); /* partly known */
	cr_assert_eq(view_expunged(vm->view)->count, 1);
	cr_assert_eq(view_expunged(vm->view)->run[0].last, 5);
	view_model_let_in(vm);
	cr_assert_eq(view_exists(vm->view), 7);
	view_model_compare_numbers(vm);
	view_model_announce(vm);
	view_model_compare_numbers(vm);
	view_model_free(vm);
	model_free(model);
}

Test(view, only_changed_flags_are_news_and_new_messages_are_not)
{
	struct model *model = model_new(4);
	uint32_t first = 0;

	model_append(model, 200);
	struct view_model *vm = view_model_new(NULL, model);

	cr_assert_eq(news(vm->view, &first), 0);
	(void)flag(model, 150, 150);
	cr_assert(view_has_news(vm->view));
	model_append(model, 10);
	view_model_let_in(vm);
	cr_assert_eq(news(vm->view, &first), 1);
	cr_assert_eq(first, 150);
	cr_assert_not(view_has_news(vm->view));
	(void)flag(model, 205, 206);
	cr_assert_eq(news(vm->view, &first), 2);
	cr_assert_eq(first, 205);
	cr_assert_eq(news(vm->view, &first), 0);
	view_model_free(vm);
	model_free(model);
}

Test(view, a_silent_change_is_no_news_for_who_made_it)
{
	struct model *model = model_new(5);
	uint32_t first = 0;

	model_append(model, 20);
	struct view_model *mine = view_model_new(NULL, model);
	struct view_model *other = view_model_new(NULL, model);
	struct run run = {3, 5};
	struct runs uids = {.run = &run, .count = 1};

	cr_assert_eq(view_told_flags(mine->view, &uids, flag(model, 3, 5)), RP_OK);
	cr_assert_not(view_has_news(mine->view));
	cr_assert_eq(news(mine->view, &first), 0);
	cr_assert_eq(news(other->view, &first), 3);
	(void)flag(model, 5, 6); /* somebody else's, untold; then mine again */
	cr_assert_eq(view_told_flags(mine->view, &uids, flag(model, 3, 5)), RP_OK);
	cr_assert_eq(news(mine->view, &first), 1);
	cr_assert_eq(first, 6);
	view_model_free(mine);
	view_model_free(other);
	model_free(model);
}

/* What is more than one record, as a STORE of thousands of messages that do not stand together, is one change all the same. */
Test(view, a_silent_change_of_several_records_is_no_news_either)
{
	enum { RUNS = 600 }; /* more than a view would remember one by one */
	struct model *model = model_new(5);
	struct runs part[2] = {RUNS_EMPTY, RUNS_EMPTY};
	struct runs uids = RUNS_EMPTY;
	uint32_t first = 0;

	model_append(model, 2 * RUNS);
	struct view_model *mine = view_model_new(NULL, model);
	struct view_model *other = view_model_new(NULL, model);
	struct table *table = model->mailbox.table;
	uint64_t modseq = table_modseq(table);

	for (uint32_t i = 0; i < RUNS; i++) {
		cr_assert_eq(runs_add(&part[i / (RUNS / 2)], 2 * i + 1, 2 * i + 1), RP_OK);
		cr_assert_eq(runs_add(&uids, 2 * i + 1, 2 * i + 1), RP_OK);
	}
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(table_prepare_flags(NULL, table, &part[i], 1, 0), RP_OK);
		table_set_flag(table, &part[i], 1, true);
		table_set_modseq_of(table, &part[i], modseq + 1, modseq + 1 + (uint64_t)i);
	}
	cr_assert_eq(view_told_flags(mine->view, &uids, modseq + 2), RP_OK);
	cr_assert_not(view_has_news(mine->view));
	cr_assert_eq(news(other->view, &first), RUNS);
	/* Somebody else's change before it stays news. */
	table_set_modseq(table, &part[0], modseq + 3);
	table_set_modseq_of(table, &part[1], modseq + 4, modseq + 4);
	cr_assert_eq(view_told_flags(mine->view, &part[1], modseq + 4), RP_OK);
	cr_assert_geq(news(mine->view, &first), RUNS / 2);
	cr_assert_eq(first, 1);
	for (int i = 0; i < 2; i++)
		runs_fini(&part[i]);
	runs_fini(&uids);
	view_model_free(mine);
	view_model_free(other);
	model_free(model);
}

static uint32_t count_news(struct view *view)
{
	uint32_t first = 0;

	return news(view, &first);
}

/* Among others' untold changes own ones are remembered one by one, as many as there may be; what is beyond is told. */
Test(view, own_changes_among_untold_ones_are_remembered_up_to_a_bound)
{
	enum { CHANGES = VIEW_KNOWN_MAX + 3 };
	struct model *model = model_new(5);

	model_append(model, CHANGES + 1);
	struct view_model *mine = view_model_new(NULL, model);

	for (unsigned round = 0; round < 2; round++) {
		cr_assert_null(mine->view->known);
		(void)flag(model, CHANGES + 1, CHANGES + 1); /* somebody else's, untold */
		for (uint32_t uid = 1; uid <= CHANGES; uid++) {
			struct run run = {uid, uid};
			struct runs uids = {.run = &run, .count = 1};

			cr_assert_eq(
			    view_told_flags(mine->view, &uids, flag(model, uid, uid)), RP_OK);
			cr_assert_leq(mine->view->known_room, VIEW_KNOWN_MAX);
		}
		cr_assert_eq(count_news(mine->view), 1 + CHANGES - VIEW_KNOWN_MAX);
	}
	cr_assert_null(mine->view->known); /* all is told: the memory went back */
	/* A view may end with some of them. */
	(void)flag(model, CHANGES + 1, CHANGES + 1);
	struct run run = {2, 2};
	struct runs uids = {.run = &run, .count = 1};

	cr_assert_eq(view_told_flags(mine->view, &uids, flag(model, 2, 2)), RP_OK);
	cr_assert_not_null(mine->view->known);
	view_model_free(mine);
	model_free(model);
}

Test(view, a_seqno_set_becomes_uids_that_cover_exactly_it)
{
	struct model *model = model_new(6);
	struct run runs[] = {{1, 1}, {3, 5}};
	struct runs seqnos = {.run = runs, .count = 2};
	struct runs uids = RUNS_EMPTY;

	for (int i = 0; i < 6; i++) {
		model->uidnext += 9;
		model_append(model, 1);
	}
	struct view_model *vm = view_model_new(NULL, model);

	expunge(model, 40, 40);
	cr_assert_eq(view_uids_of_seqnos(vm->view, &seqnos, &uids), RP_OK);
	cr_assert_eq(uids.count, 2);
	cr_assert_eq(uids.run[0].first, 10);
	cr_assert_eq(uids.run[0].last, 10);
	cr_assert_eq(uids.run[1].first, 30);
	cr_assert_eq(uids.run[1].last, 50);
	runs[1].last = 7;
	cr_assert_eq(view_uids_of_seqnos(vm->view, &seqnos, &uids), RP_ERR_NOTFOUND);
	runs[1].last = 6;
	cr_assert_eq(view_uids_of_seqnos(vm->view, &seqnos, &uids), RP_OK);
	runs_fini(&uids);
	view_model_free(vm);
	model_free(model);
}

/* Every second message of a large mailbox goes: the bound on what is kept for a silent session, at
 * its last run and beyond. */
Test(view, too_much_unannounced_ends_the_session_not_the_server)
{
	enum {
		RUNS_MAX = VIEW_UNANNOUNCED_BYTES_MAX / sizeof(struct run),
		MESSAGES = 2 * RUNS_MAX + 10
	};
	struct model *model = model_new(7);
	struct table *table = model->mailbox.table;
	struct table_room room = {.first_uid = 1, .last_uid = MESSAGES, .rows = MESSAGES};
	struct runs odd = RUNS_EMPTY;
	struct run one = {2 * RUNS_MAX + 1, 2 * RUNS_MAX + 1};
	struct runs named = RUNS_EMPTY;
	struct view_cursor cursor;
	struct view *view;

	cr_assert_eq(table_prepare_append(NULL, table, &room), RP_OK);
	for (uint32_t uid = 1; uid <= MESSAGES; uid++)
		table_append(table, &(struct table_row){.uid = uid, .modseq = 1});
	cr_assert_eq(view_open(NULL, &model->mailbox, NULL, &view), RP_OK);
	for (uint32_t i = 0; i < RUNS_MAX; i++)
		cr_assert_eq(runs_add(&odd, 2 * i + 1, 2 * i + 1), RP_OK);
	model_expunge(model, &odd);
	cr_assert_not(view_is_overrun(view));
	cr_assert_eq(view_uid_of(view, 5000), 5000);
	cr_assert_eq(view_seqno_of(view, 5001), 5001);
	view_cursor_init(&cursor, view, NULL);
	for (uint32_t seqno = 1; seqno <= 20; seqno++) {
		cr_assert_eq(view_cursor_next(NULL, &cursor), RP_OK);
		cr_assert_eq(cursor.seqno, seqno);
	}
	model_expunge(model, &(struct runs){.run = &one, .count = 1});
	cr_assert(view_is_overrun(view));
	/* No message under a wrong number, and none that is meant by another's. */
	cr_assert_eq(view_uids_of_seqnos(view, &(struct runs){.run = &one, .count = 1}, &named),
	    RP_ERR_UNAVAILABLE);
	cr_assert_eq(named.count, 0);
	cr_assert_eq(view_cursor_next(NULL, &cursor), RP_ERR_UNAVAILABLE);
	cr_assert_eq(view_message(NULL, view, 2, &cursor), RP_ERR_UNAVAILABLE);
	cr_assert(view_has_news(view));
	cr_assert_eq(view_expunged(view)->count, 0);
	view_take_expunged(view, 0);
	for (uint32_t seqno = 0; seqno <= MESSAGES + 1; seqno++)
		(void)view_uid_of(view, seqno); /* no meaning, no harm */
	view_close(view);
	runs_fini(&odd);
	model_free(model);
}

/* What a session expunges itself it will be told at once: no number of pieces ends it. */
Test(view, what_a_session_expunges_itself_does_not_end_it)
{
	enum {
		RUNS_MAX = VIEW_UNANNOUNCED_BYTES_MAX / sizeof(struct run),
		PIECES = 3 * RUNS_MAX,
		MESSAGES = 2 * PIECES + 2 * RUNS_MAX + 10,
	};
	struct model *model = model_new(7);
	struct table *table = model->mailbox.table;
	struct table_room room = {.first_uid = 1, .last_uid = MESSAGES, .rows = MESSAGES};
	struct view *view;

	cr_assert_eq(table_prepare_append(NULL, table, &room), RP_OK);
	for (uint32_t uid = 1; uid <= MESSAGES; uid++)
		table_append(table, &(struct table_row){.uid = uid, .modseq = 1});
	cr_assert_eq(view_open(NULL, &model->mailbox, NULL, &view), RP_OK);
	expunge(model, MESSAGES - 1, MESSAGES - 1);
	view_own_expunges(view, true);
	for (uint32_t i = 0; i < PIECES; i++)
		expunge(model, 2 * i + 1, 2 * i + 1);
	view_own_expunges(view, false);
	cr_assert_not(view_is_overrun(view));
	cr_assert_eq(view_expunged(view)->count, PIECES + 1);
	cr_assert_eq(view_seqno_of(view, MESSAGES), MESSAGES);
	for (uint32_t from = MESSAGES; from > 0; from -= from > 5000 ? 5000 : from) {
		view_take_expunged(view, from);
		cr_assert_eq(view_uid_of(view, view_seqno_of(view, 4)), 4);
	}
	view_take_expunged(view, 0);
	cr_assert_eq(view_exists(view), MESSAGES - PIECES - 1);
	/* What others do has its bound, as ever. */
	for (uint32_t i = 0; i <= RUNS_MAX; i++)
		expunge(model, 2 * PIECES + 2 * i + 1, 2 * PIECES + 2 * i + 1);
	cr_assert(view_is_overrun(view));
	view_close(view);
	model_free(model);
}

static unsigned woken;

static void count_wake(struct watch *watch)
{
	(void)watch;
	woken++;
}

Test(view, a_watch_is_woken_at_each_change)
{
	struct model *model = model_new(8);
	struct watch watch;
	struct view *view;

	watch_init(&watch, count_wake);
	cr_assert_eq(view_open(NULL, &model->mailbox, &watch, &view), RP_OK);
	model_append(model, 2);
	cr_assert_eq(woken, 1);
	(void)flag(model, 1, 1);
	cr_assert_eq(woken, 2);
	expunge(model, 1, 1);
	cr_assert_eq(woken, 3);
	view_news_gone(&model->mailbox);
	cr_assert_eq(woken, 4);
	view_close(view);
	model_append(model, 1);
	cr_assert_eq(woken, 4);
	model_free(model);
}

Test(view, a_walk_reads_the_fields_that_are_asked_for)
{
	struct model *model = model_new(9);
	struct view_cursor cursor;

	model_append(model, 3);
	struct view_model *vm = view_model_new(NULL, model);

	view_cursor_init(&cursor, vm->view, NULL);
	cursor.fields = VIEW_SIZE;
	cr_assert_eq(view_cursor_next(NULL, &cursor), RP_OK);
	cr_assert_eq(cursor.message.rfc822_size_bytes, model->rows[0].row.rfc822_size_bytes);
	cr_assert_eq(cursor.message.modseq, 0);
	cr_assert_eq(cursor.message.emailid, 0);
	view_model_free(vm);
	model_free(model);
}
