/* What a mailbox costs in memory, without disk or socket: a walk as for FETCH (UID FLAGS), SEARCH
 * UNSEEN, STORE, append.
 *
 *     bench_table [messages]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/mailbox_state.h"
#include "index/msgset.h"
#include "io/base/clock.h"

enum { ROUNDS = 7 };

/* What mailbox.c has. */
void mailbox_hold(struct mailbox *mailbox)
{
	mailbox->refs++;
}

enum rp_err mailbox_mend(struct task *task, struct mailbox *mailbox)
{
	(void)task;
	(void)mailbox;
	return RP_OK; /* nothing is bad here */
}

void mailbox_close(struct mailbox *mailbox)
{
	mailbox->refs--;
}

static void must(enum rp_err err)
{
	if (err == RP_OK)
		return;
	fprintf(stderr, "bench_table: %s\n", err_name(err));
	exit(1);
}

struct bench {
	struct mailbox mailbox;
	struct view *view;
	uint32_t count;
	uint64_t modseq;
};

static void fill(struct bench *bench)
{
	struct table *table = bench->mailbox.table;

	for (uint32_t uid = 1; uid <= bench->count; uid++) {
		struct table_room room = {
		    .first_uid = uid, .last_uid = uid, .rows = 1, .flags_on = 1};

		must(table_prepare_append(NULL, table, &room));
		table_append(table, &(struct table_row){.uid = uid,
		                        .flags = uid % 5 ? MAIL_SEEN : 0,
		                        .modseq = ++bench->modseq,
		                        .rfc822_size_bytes = uid % 20000,
		                        .internaldate = {uid * 100, 60}});
	}
}

static uint64_t walk(struct bench *bench, unsigned fields)
{
	struct view_cursor cursor;
	uint64_t sum = 0;

	view_cursor_init(&cursor, bench->view, NULL);
	cursor.fields = fields;
	while (view_cursor_next(NULL, &cursor) == RP_OK)
		sum += cursor.seqno + cursor.message.uid + cursor.message.flags;
	return sum;
}

static uint64_t sink;

static void flags_walk(struct bench *bench)
{
	sink += walk(bench, 0);
}

static void modseq_walk(struct bench *bench)
{
	sink += walk(bench, VIEW_MODSEQ);
}

static void all_walk(struct bench *bench)
{
	sink += walk(bench, VIEW_ALL);
}

static void search(struct bench *bench)
{
	struct runs uids = RUNS_EMPTY;
	struct msgset *set;

	must(msgset_flag(NULL, bench->view, MAIL_SEEN, &set));
	msgset_not(set);
	must(msgset_uids_of(set, &uids));
	sink += uids.count;
	msgset_free(set);
	runs_fini(&uids);
}

static void count(struct bench *bench)
{
	struct msgset *set;

	must(msgset_flag(NULL, bench->view, MAIL_SEEN, &set));
	sink += msgset_count(set);
	msgset_free(set);
}

static void dates(struct bench *bench)
{
	struct msgset *set;

	must(msgset_range(NULL, bench->view, MSGSET_INTERNALDATE, 3, 30, &set));
	sink += msgset_count(set);
	msgset_free(set);
}

static void store(struct bench *bench, uint32_t first, uint32_t last)
{
	struct run run = {first, last};
	struct runs uids = {.run = &run, .count = 1};
	struct table *table = bench->mailbox.table;

	must(table_prepare_flags(NULL, table, &uids, 1, 0));
	bench->modseq++;
	table_set_flag(table, &uids, 1, bench->modseq & 1);
	table_set_modseq(table, &uids, bench->modseq);
}

static void store_one(struct bench *bench)
{
	for (uint32_t i = 0; i < 1000; i++)
		store(bench, 1 + i * 97 % bench->count, 1 + i * 97 % bench->count);
}

static void store_all(struct bench *bench)
{
	store(bench, 1, bench->count);
}

static void news(struct bench *bench)
{
	struct view_cursor cursor;

	for (int i = 0; i < 1000; i++) {
		store(bench, bench->count / 2, bench->count / 2);
		view_flags_cursor(&cursor, bench->view);
		while (view_cursor_next(NULL, &cursor) == RP_OK)
			sink += cursor.message.uid;
		view_take_flags(bench->view);
	}
}

static void numbers(struct bench *bench)
{
	for (uint32_t i = 0; i < 10000; i++)
		sink += view_seqno_of(
		    bench->view, view_uid_of(bench->view, 1 + i * 7919 % bench->count));
}

static void report(
    const char *name, struct bench *bench, void (*fn)(struct bench *), double per, const char *unit)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t from = clock_cpu_ns();

		fn(bench);
		uint64_t ns = clock_cpu_ns() - from;

		best = ns < best ? ns : best;
	}
	printf("%-44s %12.1f ns %s\n", name, (double)best / per, unit);
}

static void expunge_one(struct bench *bench)
{
	struct table *table = bench->mailbox.table;

	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t uid = table_uid_from(table, 1 + i * 613 % bench->count, false);
		struct run run = {uid, uid};
		struct runs uids = {.run = &run, .count = 1};

		must(table_prepare_expunge(NULL, table, &uids));
		view_news_expunge(&bench->mailbox, &uids, ++bench->modseq);
		table_expunge(table, &uids, bench->modseq);
	}
	view_take_expunged(bench->view, 0);
}

int main(int argc, char **argv)
{
	struct bench bench = {.count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000};

	list_init(&bench.mailbox.views);
	list_init(&bench.mailbox.watches);
	if (bench.count < 10000) {
		fprintf(stderr, "bench_table: at least 10000 messages\n");
		return 1;
	}
	must(table_new(NULL, 1, &bench.mailbox.table));
	uint64_t from = clock_cpu_ns();

	fill(&bench);
	printf("%" PRIu32 " messages\n", bench.count);
	printf("%-44s %12.1f ns a message\n", "prepare and append, one by one",
	    (double)(clock_cpu_ns() - from) / bench.count);
	printf("%-44s %12.1f bytes a message\n", "memory",
	    (double)table_bytes(bench.mailbox.table) / bench.count);
	must(view_open(NULL, &bench.mailbox, NULL, &bench.view));
	report("walk: UID FLAGS", &bench, flags_walk, bench.count, "a message");
	report("walk: UID FLAGS MODSEQ", &bench, modseq_walk, bench.count, "a message");
	report("walk: all columns", &bench, all_walk, bench.count, "a message");
	report("SEARCH UNSEEN to runs of UIDs", &bench, search, 1, "");
	report("SEARCH UNSEEN RETURN (COUNT)", &bench, count, 1, "");
	report("SEARCH SINCE BEFORE, by scan", &bench, dates, 1, "");
	report("STORE a flag on one message", &bench, store_one, 1000, "");
	report("STORE a flag on all", &bench, store_all, 1, "");
	report("one changed flag: STORE, found as news", &bench, news, 1000, "");
	report("seqno to UID and back", &bench, numbers, 10000, "");
	report("EXPUNGE one message", &bench, expunge_one, 1000, "");
	view_close(bench.view);
	table_free(bench.mailbox.table);
	return sink == 42;
}
