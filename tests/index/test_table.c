#include <stdio.h>

#include "index/table_select.h"
#include "tests/index/table_model.h"

/* Rows of a selection, their sums and who has a keyword, against one look-up per message. */
static void compare_select(struct model *model)
{
	struct table *table = model->mailbox.table;
	struct runs uids = model_uids(model, 5, 400);
	struct table_select select;
	struct table_select_walk walk = {0};
	struct table_counts sum;
	struct table_counts want = {0};
	struct runs numbers = RUNS_EMPTY;
	struct table_row got;
	unsigned k = model_draw(model, MODEL_KEYWORDS);
	const uint32_t first = 77;

	cr_assert_eq(table_select(table, &uids, &select), RP_OK);
	table_select_counts(&select, &sum);
	cr_assert_eq(table_select_flag(&select, TABLE_SYSTEM_FLAGS + k, first, &numbers), RP_OK);
	for (uint32_t uid = table_uid_from(table, 1, false); uid != 0;
	     uid = table_uid_from(table, uid + 1, false)) {
		struct table_row row;
		bool has = false;

		if (!runs_has(&uids, uid))
			continue;
		cr_assert_eq(table_row(NULL, table, uid, false, &row, NULL), RP_OK);
		for (size_t i = 0; i < row.keywords_count; i++)
			has = has || row.keywords[i] == k;
		cr_assert_eq(runs_has(&numbers, first + want.messages), has);
		cr_assert(table_select_next(&select, &walk, &got));
		cr_assert_eq(got.emailid, row.emailid);
		cr_assert_eq(got.modseq, row.modseq);
		cr_assert_eq(got.flags, row.flags);
		want.messages++;
		want.unseen += (row.flags & MAIL_SEEN) == 0;
		want.deleted += (row.flags & MAIL_DELETED) != 0;
		want.bytes += row.rfc822_size_bytes;
	}
	cr_assert_not(table_select_next(&select, &walk, &got));
	cr_assert_eq(memcmp(&sum, &want, sizeof(sum)), 0);
	cr_assert_eq(runs_rank(&numbers, first - 1), 0);
	cr_assert_eq(runs_rank(&numbers, first + want.messages - 1), runs_total(&numbers));
	table_select_fini(&select);
	runs_fini(&numbers);
	runs_fini(&uids);
}

/* What the three sets say, against the model. */
static void compare_having(struct model *model)
{
	struct table *table = model->mailbox.table;
	struct runs uids = model_uids(model, 5, 400);
	struct runs there = RUNS_EMPTY;
	struct runs seen = RUNS_EMPTY;
	struct runs unseen = RUNS_EMPTY;
	struct runs newer = RUNS_EMPTY;
	uint64_t since = model->modseq > 20 ? model->modseq - 20 : 0;
	unsigned flag = (unsigned)__builtin_ctz(MAIL_SEEN);

	cr_assert_eq(table_having(NULL, table, &uids, &there), RP_OK);
	cr_assert_eq(table_having_flag(NULL, table, &uids, flag, true, &seen), RP_OK);
	cr_assert_eq(table_having_flag(NULL, table, NULL, flag, false, &unseen), RP_OK);
	cr_assert_eq(table_having_modseq_above(NULL, table, &uids, since, &newer), RP_OK);
	uint32_t count = 0;
	uint64_t totals[4] = {0};

	for (uint32_t i = 0; i < model->rows_count; i++) {
		const struct model_row *at = &model->rows[i];
		bool in = at->live && runs_has(&uids, at->row.uid);
		bool is_seen = at->row.flags & MAIL_SEEN;

		count += in;
		totals[0] += in;
		totals[1] += in && is_seen;
		totals[2] += at->live && !is_seen;
		totals[3] += in && at->row.modseq > since;
		cr_assert_eq(runs_has(&there, at->row.uid), in);
		cr_assert_eq(runs_has(&seen, at->row.uid), in && is_seen);
		cr_assert_eq(runs_has(&unseen, at->row.uid), at->live && !is_seen);
		cr_assert_eq(runs_has(&newer, at->row.uid), in && at->row.modseq > since);
	}
	cr_assert_eq(table_count_of(table, &uids), count);
	cr_assert_eq(runs_total(&there), totals[0]);
	cr_assert_eq(runs_total(&seen), totals[1]);
	cr_assert_eq(runs_total(&unseen), totals[2]);
	cr_assert_eq(runs_total(&newer), totals[3]);
	runs_fini(&uids);
	runs_fini(&there);
	runs_fini(&seen);
	runs_fini(&unseen);
	runs_fini(&newer);
}

Test(table, agrees_with_a_plain_model_over_random_changes)
{
	for (uint32_t seed = 1; seed <= 3; seed++) {
		struct model *model = model_new(seed);

		for (int step = 0; step < 2500; step++) {
			model_change(model);
			if (step % 50 == 0)
				model_compare(model, false);
			if (step % 25 == 0) {
				compare_having(model);
				compare_select(model);
			}
		}
		model_compare(model, false);
		model_free(model);
	}
}

Test(table, an_empty_one_has_nothing)
{
	struct model *model = model_new(1);
	struct table *table = model->mailbox.table;
	struct table_row row;
	struct runs all = RUNS_EMPTY;

	cr_assert_eq(table_count(table), 0);
	cr_assert_eq(table_last_uid(table), 0);
	cr_assert_eq(table_uid_from(table, 1, true), 0);
	cr_assert_eq(table_row(NULL, table, 1, true, &row, NULL), RP_ERR_NOTFOUND);
	cr_assert_eq(table_having(NULL, table, NULL, &all), RP_OK);
	cr_assert_eq(all.count, 0);
	cr_assert_eq(runs_add(&all, 1, UINT32_MAX), RP_OK);
	cr_assert_eq(table_prepare_flags(NULL, table, &all, 5, 0), RP_OK);
	table_set_flag(table, &all, 0, true);
	table_set_modseq(table, &all, 9);
	cr_assert_eq(table_prepare_expunge(NULL, table, &all), RP_OK);
	table_expunge(table, &all, 10);
	cr_assert_eq(table_count(table), 0);
	cr_assert_eq(table_modseq(table), 10);
	runs_fini(&all);
	model_free(model);
}

Test(table, the_next_uid_there_is_found)
{
	struct model *model = model_new(3);
	struct table *table = model->mailbox.table;
	struct runs some = RUNS_EMPTY;

	model_append(model, 10);
	model->uidnext = 1000;
	model_append(model, 1);
	cr_assert_eq(runs_add(&some, 3, 5), RP_OK);
	model_expunge(model, &some);
	cr_assert_eq(table_uid_from(table, 3, false), 6);
	cr_assert_eq(table_uid_from(table, 3, true), 3);
	cr_assert_eq(table_uid_from(table, 11, false), 1000);
	cr_assert_eq(table_uid_from(table, 1001, true), 0);
	runs_fini(&some);
	model_free(model);
}

/* A record that is applied again changes nothing; a message comes back as the record says. */
Test(table, appending_again_writes_over)
{
	struct model *model = model_new(4);
	struct table *table = model->mailbox.table;
	struct table_room room = {
	    .first_uid = 1, .last_uid = 20, .rows = 20, .flags_on = 8, .new_keywords = 3};
	struct runs some = RUNS_EMPTY;

	model_append(model, 20);
	cr_assert_eq(runs_add(&some, 5, 8), RP_OK);
	model_expunge(model, &some);
	cr_assert_eq(table_prepare_append(NULL, table, &room), RP_OK);
	for (uint32_t i = 0; i < 20; i++) {
		struct table_row row = model->rows[i].row;
		uint16_t keywords[MODEL_KEYWORDS];

		row.keywords = keywords;
		row.keywords_count = 0;
		for (unsigned k = 0; k < MODEL_KEYWORDS; k++) {
			if ((model->rows[i].keyword_bits >> k) & 1)
				keywords[row.keywords_count++] =
				    table_keyword(table, bytes_of_str(model_keyword(k)), true);
		}
		table_append(table, &row);
		table_append(table, &row);
		model->rows[i].live = true;
	}
	model_compare(model, false);
	runs_fini(&some);
	model_free(model);
}

Test(table, an_append_below_the_greatest_uid_without_a_row_is_passed_over)
{
	struct model *model = model_new(5);
	struct table *table = model->mailbox.table;
	struct table_room room = {.first_uid = 4, .last_uid = 4, .rows = 1};

	model_append(model, 2);
	model->uidnext = 10;
	model_append(model, 2);
	cr_assert_eq(table_prepare_append(NULL, table, &room), RP_OK);
	table_append(table, &(struct table_row){.uid = 4, .modseq = 3});
	cr_assert_not(table_has(table, 4, true));
	model_compare(model, false);
	model_free(model);
}

Test(table, keywords_are_found_in_any_case_up_to_their_bounds)
{
	struct table *table;
	struct runs none = RUNS_EMPTY;
	char text[MAILBOX_KEYWORD_BYTES_MAX + 2];

	cr_assert_eq(table_new(NULL, 1, &table), RP_OK);
	cr_assert_eq(table_prepare_flags(NULL, table, &none, 0, MAILBOX_KEYWORDS_MAX + 10), RP_OK);
	cr_assert_eq(table_keyword(table, BYTES_LIT("$Junk"), false), UINT16_MAX);
	cr_assert_eq(table_keyword(table, BYTES_LIT("$Junk"), true), 0);
	cr_assert_eq(table_keyword(table, BYTES_LIT("$jUNK"), true), 0);
	cr_assert_eq(table_keyword(table, BYTES_LIT(""), true), UINT16_MAX);
	memset(text, 'x', sizeof(text));
	cr_assert_eq(table_keyword(table, bytes_of(text, MAILBOX_KEYWORD_BYTES_MAX), true), 1);
	cr_assert_eq(
	    table_keyword(table, bytes_of(text, MAILBOX_KEYWORD_BYTES_MAX + 1), true), UINT16_MAX);
	for (int i = 2; i < MAILBOX_KEYWORDS_MAX; i++) {
		size_t n = (size_t)snprintf(text, sizeof(text), "k%d", i);

		cr_assert_eq(table_keyword(table, bytes_of(text, n), true), i);
	}
	cr_assert(bytes_eq(table_keyword_name(table, 0), BYTES_LIT("$Junk")));
	/* No message has any of them. */
	cr_assert_eq(table_keyword(table, BYTES_LIT("one-more"), false), UINT16_MAX);
	cr_assert_eq(table_keyword(table, BYTES_LIT("one-more"), true), 0);
	cr_assert_eq(table_keyword(table, BYTES_LIT("$Junk"), false), UINT16_MAX);
	cr_assert_eq(table_keywords_count(table), MAILBOX_KEYWORDS_MAX);
	cr_assert(bytes_eq(table_keyword_name(table, 0), BYTES_LIT("one-more")));
	table_free(table);
}

Test(table, the_history_tells_what_went_and_says_when_it_does_not_know)
{
	struct model *model = model_new(6);
	struct table *table = model->mailbox.table;
	struct runs gone = RUNS_EMPTY;
	struct runs one = RUNS_EMPTY;
	bool complete = false;
	uint64_t modseqs[3];

	model_append(model, 30);
	for (uint32_t i = 0; i < 3; i++) {
		cr_assert_eq(runs_add(&one, 20 - 8 * i, 22 - 8 * i), RP_OK);
		model_expunge(model, &one);
		modseqs[i] = model->modseq;
		one.count = 0;
	}
	cr_assert_eq(table_expunged_since(table, modseqs[0], &gone, &complete), RP_OK);
	cr_assert(complete);
	cr_assert_eq(runs_total(&gone), 6);
	cr_assert(runs_has(&gone, 4) && runs_has(&gone, 14) && !runs_has(&gone, 20));
	gone.count = 0;
	cr_assert_eq(table_expunged_since(table, modseqs[2], &gone, &complete), RP_OK);
	cr_assert(complete);
	cr_assert_eq(gone.count, 0);
	cr_assert_eq(table_expunged_since(table, 0, &gone, &complete), RP_OK);
	cr_assert_eq(runs_total(&gone), 9);
	gone.count = 0;
	table_forget_history(table, modseqs[1]);
	cr_assert_eq(table_expunged_since(table, modseqs[1] - 1, &gone, &complete), RP_OK);
	cr_assert_not(complete);
	cr_assert_eq(gone.count, 0);
	cr_assert_eq(table_expunged_since(table, modseqs[1], &gone, &complete), RP_OK);
	cr_assert(complete);
	cr_assert_eq(runs_total(&gone), 3);
	runs_fini(&one);
	runs_fini(&gone);
	model_free(model);
}

/* Many separate expunges: the history stays bounded, and what it still says is complete. */
Test(table, the_history_is_bounded)
{
	enum { MESSAGES = 2 * TABLE_HISTORY_MAX + 200 };
	struct table *table;
	struct table_room room = {.first_uid = 1, .last_uid = MESSAGES, .rows = MESSAGES};
	struct runs one = RUNS_EMPTY;
	struct runs gone = RUNS_EMPTY;
	bool complete = true;
	uint64_t modseq = 10;
	size_t bytes;

	cr_assert_eq(table_new(NULL, 1, &table), RP_OK);
	cr_assert_eq(table_prepare_append(NULL, table, &room), RP_OK);
	for (uint32_t uid = 1; uid <= MESSAGES; uid++)
		table_append(table, &(struct table_row){.uid = uid, .modseq = 1});
	bytes = table_bytes(table);
	for (uint32_t uid = 1; uid <= MESSAGES; uid += 2) {
		one.count = 0;
		cr_assert_eq(runs_add(&one, uid, uid), RP_OK);
		cr_assert_eq(table_prepare_expunge(NULL, table, &one), RP_OK);
		table_expunge(table, &one, ++modseq);
	}
	cr_assert_eq(table_expunged_since(table, 10, &gone, &complete), RP_OK);
	cr_assert_not(complete);
	cr_assert_eq(table_expunged_since(table, modseq - 1000, &gone, &complete), RP_OK);
	cr_assert(complete);
	cr_assert_eq(runs_total(&gone), 1000);
	cr_assert_lt(table_bytes(table), bytes + 17 * TABLE_HISTORY_MAX);
	runs_fini(&one);
	runs_fini(&gone);
	table_free(table);
}

/* A replay of what a merge has left: of each run some have a row and some have none. All of it is told. */
Test(table, what_a_replay_never_met_is_in_the_history_beside_what_it_did)
{
	enum { RUNS = 40 };
	struct table *table;
	struct table_room room = {.first_uid = 1, .last_uid = 10 * RUNS, .rows = 2 * RUNS};
	struct runs runs = RUNS_EMPTY;
	struct runs gone = RUNS_EMPTY;
	bool complete;

	cr_assert_eq(table_new(NULL, 1, &table), RP_OK);
	cr_assert_eq(table_prepare_append(NULL, table, &room), RP_OK);
	for (uint32_t uid = 1; uid < 10 * RUNS; uid += 10) {
		table_append(table, &(struct table_row){.uid = uid + 1, .modseq = 1});
		table_append(table, &(struct table_row){.uid = uid + 5, .modseq = 1}); /* stays */
		cr_assert_eq(runs_add(&runs, uid, uid + 2), RP_OK);
	}
	cr_assert_eq(table_prepare_expunge_unmet(NULL, table, &runs), RP_OK);
	table_expunge(table, &runs, 10);
	table_expunge_unmet(table, &runs, 10);
	cr_assert_eq(table_expunged_since(table, 0, &gone, &complete), RP_OK);
	cr_assert(complete);
	cr_assert_eq(gone.count, runs.count);
	cr_assert_eq(runs_total(&gone), runs_total(&runs));
	runs_fini(&gone);
	runs_fini(&runs);
	table_free(table);
}

/* Emptying a mailbox with holes is one entry: nothing that is there lies between. */
Test(table, one_expunge_of_all_is_one_entry)
{
	struct model *model = model_new(8);
	struct runs all = RUNS_EMPTY;
	struct runs gone = RUNS_EMPTY;
	bool complete;

	for (int i = 0; i < 100; i++) {
		model->uidnext += 2;
		model_append(model, 1);
		cr_assert_eq(runs_add(&all, model->uidnext - 1, model->uidnext - 1), RP_OK);
	}
	cr_assert_eq(all.count, 100);
	model_expunge(model, &all);
	cr_assert_eq(table_expunged_since(model->mailbox.table, 0, &gone, &complete), RP_OK);
	cr_assert_eq(gone.count, 1);
	model_compare(model, false);
	runs_fini(&all);
	runs_fini(&gone);
	model_free(model);
}

/* Groups of 64 Ki: flags that are alike in a whole group need no bits, and come apart again. */
Test(table, whole_groups_of_one_flag_cost_no_bits)
{
	enum { MESSAGES = 2 * 65536 + 100 };
	struct table *table;
	struct table_room room = {.first_uid = 1, .last_uid = MESSAGES, .rows = MESSAGES};
	struct runs all = RUNS_EMPTY;
	struct runs one = RUNS_EMPTY;
	struct runs got = RUNS_EMPTY;
	struct table_counts counts;

	cr_assert_eq(table_new(NULL, 1, &table), RP_OK);
	cr_assert_eq(table_prepare_append(NULL, table, &room), RP_OK);
	for (uint32_t uid = 1; uid <= MESSAGES; uid++)
		table_append(
		    table, &(struct table_row){.uid = uid, .modseq = 1, .rfc822_size_bytes = 3});
	cr_assert_eq(runs_add(&all, 1, MESSAGES), RP_OK);
	cr_assert_eq(runs_add(&one, 70000, 70000), RP_OK);
	for (unsigned flag = 0; flag < TABLE_SYSTEM_FLAGS; flag++) {
		cr_assert_eq(table_prepare_flags(NULL, table, &all, 1, 0), RP_OK);
		table_set_flag(table, &all, flag, true);
		cr_assert_eq(table_prepare_flags(NULL, table, &one, 0, 0), RP_OK);
		table_set_flag(table, &one, flag, false);
		got.count = 0;
		cr_assert_eq(table_having_flag(NULL, table, &all, flag, false, &got), RP_OK);
		cr_assert_eq(got.count, 1);
		cr_assert_eq(got.run[0].first, 70000);
		cr_assert_eq(got.run[0].last, 70000);
		cr_assert_eq(table_prepare_flags(NULL, table, &one, 1, 0), RP_OK);
		table_set_flag(table, &one, flag, true);
		got.count = 0;
		cr_assert_eq(table_having_flag(NULL, table, NULL, flag, false, &got), RP_OK);
		cr_assert_eq(got.count, 0);
	}
	table_counts(table, &counts);
	cr_assert_eq(counts.unseen, 0);
	cr_assert_eq(counts.deleted, MESSAGES);
	cr_assert_eq(counts.bytes, 3 * MESSAGES);
	cr_assert_eq(table_prepare_expunge(NULL, table, &one), RP_OK);
	table_expunge(table, &one, 5);
	table_counts(table, &counts);
	cr_assert_eq(counts.deleted, MESSAGES - 1);
	cr_assert_eq(table_flags(table, 70000), 31);
	runs_fini(&all);
	runs_fini(&one);
	runs_fini(&got);
	table_free(table);
}

Test(table, a_message_costs_less_than_64_bytes)
{
	enum { MESSAGES = 1 << 18 };
	struct table *table;
	struct table_room room = {
	    .first_uid = 1, .last_uid = MESSAGES, .rows = MESSAGES, .flags_on = 5};

	cr_assert_eq(table_new(NULL, 1, &table), RP_OK);
	cr_assert_eq(table_prepare_append(NULL, table, &room), RP_OK);
	for (uint32_t uid = 1; uid <= MESSAGES; uid++)
		table_append(
		    table, &(struct table_row){.uid = uid, .flags = uid % 32, .modseq = uid});
	cr_assert_leq(table_bytes(table), (size_t)MESSAGES * 64);
	table_free(table);
}
