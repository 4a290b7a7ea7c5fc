#include "index/table_open.h"
#include "io/file.h"
#include "tests/index/view_model.h"
#include "tests/io/io_fixture.h"

static const char path[] = "7.index";
static const struct userid user = {.b = {1, 2, 3}};
static const uint64_t epoch = 5;

static struct bytes read_file(struct task *task)
{
	struct file *file;
	uint64_t n;
	size_t got;

	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ, &file), RP_OK);
	cr_assert_eq(file_size(task, file, &n), RP_OK);
	uint8_t *p = malloc(n);

	cr_assert_eq(file_read(task, file, p, n, 0, &got), RP_OK);
	cr_assert_eq(got, n);
	file_close(file);
	return bytes_of(p, n);
}

static void write_file(struct task *task, struct bytes b)
{
	struct file *file;

	cr_assert_eq(
	    file_open(task, FILE_ROOT_DATA, path, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, &file),
	    RP_OK);
	if (b.n > 0)
		cr_assert_eq(file_write(task, file, b.p, b.n, 0, false), RP_OK);
	file_close(file);
}

/* A checkpoint as the volume makes it: write, open, replay what came meanwhile, swap in one breath.
 */
static void checkpoint(struct task *task, struct model *model)
{
	struct table *old = model->mailbox.table;
	struct table *fresh;
	struct runs listed = RUNS_EMPTY;
	uint64_t lsn = model->modseq;
	uint64_t got;

	model->logs = true;
	cr_assert_eq(view_listed(&model->mailbox, &listed), RP_OK);
	cr_assert_eq(table_write(task, old, path, &user, epoch, lsn, &listed), RP_OK);
	cr_assert_eq(table_open(task, path, &user, 7, &fresh, &got), RP_OK);
	cr_assert_eq(got, lsn);
	model_replay(model, fresh);
	model_replay(model, fresh); /* twice does no harm */
	model_forget(model);
	model->logs = false;
	table_succeed(fresh, old);
	model->mailbox.table = fresh;
	view_news_table(&model->mailbox, old, fresh);
	table_free(old);
	runs_fini(&listed);
}

IO_TASK_TEST(table_file, what_is_written_is_read)
{
	struct model *model = model_new(1);

	(void)arg;
	checkpoint(task, model);
	model_compare(model, true);
	for (int round = 0; round < 12; round++) {
		for (int i = 0; i < 60; i++)
			model_change(model);
		checkpoint(task, model);
		model_compare(model, true);
		for (uint32_t i = 0; i < model->rows_count; i++) /* rows have closed up */
			cr_assert_eq(table_has(model->mailbox.table, model->rows[i].row.uid, true),
			    model->rows[i].live);
	}
	model_free(model);
}

IO_TASK_TEST(table_file, history_keywords_and_the_last_uid_are_kept)
{
	struct model *model = model_new(2);
	struct runs all = RUNS_EMPTY;
	struct runs gone = RUNS_EMPTY;
	bool complete;

	(void)arg;
	model_append(model, 20);
	uint64_t before = model->modseq;
	unsigned keywords = table_keywords_count(model->mailbox.table);

	cr_assert_gt(keywords, 0);
	cr_assert_eq(runs_add(&all, 1, 100), RP_OK);
	model_expunge(model, &all);
	table_forget_history(model->mailbox.table, before - 1);
	checkpoint(task, model);
	cr_assert_eq(table_last_uid(model->mailbox.table), 20);
	cr_assert_eq(table_modseq(model->mailbox.table), model->modseq);
	cr_assert_eq(table_keywords_count(model->mailbox.table), keywords);
	cr_assert_eq(
	    table_expunged_since(model->mailbox.table, before - 2, &gone, &complete), RP_OK);
	cr_assert_not(complete);
	cr_assert_eq(table_expunged_since(model->mailbox.table, before, &gone, &complete), RP_OK);
	cr_assert(complete);
	cr_assert_eq(runs_total(&gone), 20);
	model_append(model, 3);
	model_compare(model, true);
	runs_fini(&all);
	runs_fini(&gone);
	model_free(model);
}

/* Views stay what they were over many checkpoints, with unannounced messages in them. */
IO_TASK_TEST(table_file, views_survive_checkpoints)
{
	enum { VIEWS = 3 };
	struct model *model = model_new(3);
	struct view_model *views[VIEWS];

	(void)arg;
	model_append(model, 50);
	for (int i = 0; i < VIEWS; i++)
		views[i] = view_model_new(task, model);
	for (int step = 0; step < 300; step++) {
		struct view_model *vm = views[model_draw(model, VIEWS)];
		struct runs uids = model_uids(model, 8, 60);

		model_change(model);
		if (step % 11 == 0)
			checkpoint(task, model);
		switch (model_draw(model, 6)) {
		case 0:
			if (model_draw(model, 3) == 0)
				view_model_announce(vm);
			break;
		case 1:
			view_model_let_in(vm);
			break;
		case 2:
			view_model_hear(task, vm, 0);
			break;
		case 3:
			view_model_walk(task, vm, &uids, 0);
			break;
		case 4:
			view_model_walk(task, vm, NULL, model->modseq / 2);
			break;
		default:
			view_model_compare_numbers(vm);
		}
		runs_fini(&uids);
	}
	for (int i = 0; i < VIEWS; i++) {
		view_model_compare_numbers(views[i]);
		view_model_walk(task, views[i], NULL, 0);
		view_model_free(views[i]);
	}
	model_compare(model, true);
	model_free(model);
}

struct side {
	struct model *model;
	bool stop;
	bool ended;
};

/* Changes while somebody else writes. */
static void change_on(struct task *task, void *arg)
{
	struct side *side = arg;

	while (!side->stop) {
		if (side->model->logs && side->model->ops_count < MODEL_OPS_MAX - 1)
			model_change(side->model);
		cr_assert_eq(task_yield(task), RP_OK);
	}
	side->ended = true;
}

IO_TASK_TEST(table_file, a_fuzzy_copy_and_a_replay_are_exact)
{
	struct io_fixture *fixture = arg;
	struct side side = {.model = model_new(4)};

	for (int i = 0; i < 100; i++)
		model_change(side.model);
	cr_assert_eq(task_start(fixture->loop, change_on, &side, NULL), RP_OK);
	for (int round = 0; round < 15; round++) {
		checkpoint(task, side.model);
		model_compare(side.model, true);
	}
	side.stop = true;
	while (!side.ended)
		cr_assert_eq(task_sleep(task, 1000), RP_OK);
	model_free(side.model);
}

/* One walk, while another task makes checkpoints: it must meet each message once. */
struct walk {
	struct view_model *vm;
	bool ended;
};

static void walk_slowly(struct task *task, void *arg)
{
	struct walk *walk = arg;
	struct view_cursor cursor;
	uint32_t seqno = 0;

	view_cursor_init(&cursor, walk->vm->view, NULL);
	while (view_cursor_next(task, &cursor) == RP_OK) {
		view_model_compare_message(walk->vm, &cursor, ++seqno);
		cr_assert_eq(task_yield(task), RP_OK);
	}
	cr_assert_eq(seqno, walk->vm->count);
	walk->ended = true;
}

IO_TASK_TEST(table_file, a_walk_goes_on_over_a_checkpoint)
{
	struct io_fixture *fixture = arg;
	struct model *model = model_new(5);

	for (int i = 0; i < 200; i++)
		model_change(model);
	struct walk walk = {.vm = view_model_new(task, model)};

	cr_assert_eq(task_start(fixture->loop, walk_slowly, &walk, NULL), RP_OK);
	while (!walk.ended)
		checkpoint(task, model);
	view_model_free(walk.vm);
	model_free(model);
}

IO_TASK_TEST(table_file, another_users_or_mailboxs_file_is_refused)
{
	struct model *model = model_new(6);
	struct userid other = {.b = {9}};
	struct table *table;
	uint64_t lsn;

	(void)arg;
	model_append(model, 5);
	cr_assert_eq(table_open(task, path, &user, 7, &table, &lsn), RP_ERR_NOTFOUND);
	cr_assert_eq(table_write(task, model->mailbox.table, path, &user, epoch, 9, NULL), RP_OK);
	cr_assert_eq(table_open(task, path, &other, 7, &table, &lsn), RP_ERR_CORRUPT);
	cr_assert_eq(table_open(task, path, &user, 8, &table, &lsn), RP_ERR_CORRUPT);
	cr_assert_eq(table_open(task, path, &user, 7, &table, &lsn), RP_OK);
	cr_assert_eq(lsn, 9);
	table_free(table);
	model_free(model);
}

/* A copy of bytes as a map in memory; the answer of the reader, the table compared if it is taken.
 */
static void expect_same_or_corrupt(struct model *model, struct bytes b, unsigned *taken)
{
	struct map map = {.p = malloc(b.n + 1), .n = b.n};
	struct table *table;
	uint64_t lsn;

	memcpy(map.p, b.p, b.n);
	enum rp_err err = table_of_map(NULL, &map, &user, 7, &table, &lsn);

	if (err != RP_OK) {
		cr_assert_eq(err, RP_ERR_CORRUPT, "%s", err_name(err));
		return;
	}
	struct table *kept = model->mailbox.table;

	++*taken;
	model->mailbox.table = table;
	model_compare(model, true);
	model->mailbox.table = kept;
	table_free(table);
}

IO_TASK_TEST(table_file, any_flipped_byte_and_any_length_is_found_or_does_no_harm)
{
	struct model *model = model_new(7);
	unsigned taken = 0;
	unsigned cut = 0;

	(void)arg;
	for (int i = 0; i < 12; i++)
		model_change(model);
	model_append(model, 20);
	cr_assert_eq(table_write(task, model->mailbox.table, path, &user, epoch, 9, NULL), RP_OK);
	struct bytes b = read_file(task);
	uint8_t *p = malloc(b.n);

	memcpy(p, b.p, b.n);
	for (size_t i = 0; i < b.n; i++) {
		p[i] ^= 0x41;
		expect_same_or_corrupt(model, bytes_of(p, b.n), &taken);
		p[i] ^= 0x41;
		expect_same_or_corrupt(model, bytes_of(p, i), &cut);
	}
	cr_assert_eq(cut, 0);
	cr_assert_lt(taken, b.n / 2); /* padding, and one copy of the header */
	expect_same_or_corrupt(model, b, &cut);
	cr_assert_eq(cut, 1);
	free(p);
	free((void *)(uintptr_t)b.p);
	model_free(model);
}

enum { LARGE = 140000 }; /* two full groups and a part: a mapped file */

static struct table *large_table(struct loop *loop)
{
	struct table *table;
	struct table_room room = {.first_uid = 1, .last_uid = LARGE, .rows = LARGE, .flags_on = 5};

	cr_assert_eq(table_new(loop, 7, &table), RP_OK);
	cr_assert_eq(table_prepare_append(NULL, table, &room), RP_OK);
	for (uint32_t uid = 1; uid <= LARGE; uid++)
		table_append(table, &(struct table_row){.uid = uid,
		                        .flags = uid % 3 == 0 ? MAIL_SEEN : 0,
		                        .modseq = uid / 10 + 1,
		                        .rfc822_size_bytes = uid,
		                        .emailid = uid * 7ULL});
	return table;
}

static void compare_large(struct task *task, struct table *table, uint32_t uid)
{
	struct table_row row;

	cr_assert_eq(table_row(task, table, uid, true, &row, NULL), RP_OK);
	cr_assert_eq(row.rfc822_size_bytes, uid);
	cr_assert_eq(row.modseq, uid / 10 + 1);
	cr_assert_eq(row.emailid, uid * 7ULL);
	cr_assert_eq(row.flags, uid % 3 == 0 ? MAIL_SEEN : 0);
}

/* Rows close up over the borders of groups; what is cold is loaded, and without a task it says so.
 */
IO_TASK_TEST(table_file, a_large_file_is_mapped_and_loaded_as_it_is_touched)
{
	struct io_fixture *fixture = arg;
	struct table *table = large_table(fixture->loop);
	struct table *mapped;
	struct table_row row;
	struct table_counts before;
	struct table_counts after;
	struct runs gone = RUNS_EMPTY;
	uint64_t lsn;

	for (uint32_t uid = 5; uid < LARGE; uid += 7)
		cr_assert_eq(runs_add(&gone, uid, uid), RP_OK);
	cr_assert_eq(runs_add(&gone, 60000, 70000), RP_OK);
	cr_assert_eq(table_prepare_expunge(task, table, &gone), RP_OK);
	table_expunge(table, &gone, LARGE);
	cr_assert_eq(table_write(task, table, path, &user, epoch, 9, NULL), RP_OK);
	cr_assert_eq(table_open(task, path, &user, 7, &mapped, &lsn), RP_OK);
	table_counts(table, &before);
	table_counts(mapped, &after);
	cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0);
	cr_assert_eq(table_row(NULL, mapped, 1, false, &row, NULL), RP_ERR_BUSY);
	cr_assert_lt(table_bytes(mapped), 400000);
	for (uint32_t uid = 1; uid <= LARGE; uid += uid % 100 == 0 ? 999 : 1) {
		cr_assert_eq(table_has(mapped, uid, true), !runs_has(&gone, uid));
		if (!runs_has(&gone, uid))
			compare_large(task, mapped, uid);
	}

	struct run some = {10, 20};
	struct runs uids = {.run = &some, .count = 1};
	size_t bytes = table_bytes(mapped);

	cr_assert_eq(table_prepare_flags(task, mapped, &uids, 1, 0), RP_OK);
	table_set_flag(mapped, &uids, 1, true);
	table_set_modseq(mapped, &uids, LARGE + 1);
	cr_assert_gt(table_bytes(mapped), bytes); /* a page was copied, and a flag got bits */
	cr_assert_lt(table_bytes(mapped), bytes + 40000);
	cr_assert_eq(table_row(task, mapped, 10, false, &row, NULL), RP_OK);
	cr_assert_eq(row.modseq, LARGE + 1);
	cr_assert_eq(row.flags, MAIL_FLAGGED);

	struct table_room room = {.first_uid = LARGE + 1, .last_uid = LARGE + 1, .rows = 1};

	cr_assert_eq(table_prepare_append(task, mapped, &room), RP_OK);
	cr_assert_eq(table_prepare_append(NULL, mapped, &room), RP_OK);
	table_append(mapped, &(struct table_row){.uid = LARGE + 1, .modseq = LARGE + 2});
	compare_large(task, mapped, LARGE);
	cr_assert_not(table_is_bad(mapped));
	runs_fini(&gone);
	table_free(mapped);
	table_free(table);
}

IO_TASK_TEST(table_file, a_damaged_column_of_a_large_file_is_found_at_first_touch)
{
	struct io_fixture *fixture = arg;
	struct table *table = large_table(fixture->loop);
	struct table_row row;
	uint64_t lsn;

	cr_assert_eq(table_write(task, table, path, &user, epoch, 9, NULL), RP_OK);
	table_free(table);
	struct bytes b = read_file(task);

	((uint8_t *)(uintptr_t)b.p)[1024 + 5000] ^= 1; /* the first group's first column */
	write_file(task, b);
	cr_assert_eq(table_open(task, path, &user, 7, &table, &lsn), RP_OK);
	cr_assert_not(table_is_bad(table));
	compare_large(task, table, 100000);
	cr_assert_eq(table_row(task, table, 1, false, &row, NULL), RP_ERR_CORRUPT);
	cr_assert(table_is_bad(table));
	table_free(table);
	free((void *)(uintptr_t)b.p);
}

IO_TASK_TEST(table_file, a_freed_table_lives_until_its_tasks_have_left)
{
	struct io_fixture *fixture = arg;
	struct table *table = large_table(fixture->loop);

	(void)task;
	struct model *model = model_new(9);
	struct view *view;
	struct msgset *set;
	struct runs uids = RUNS_EMPTY;

	table_free(model->mailbox.table);
	model->mailbox.table = table;
	cr_assert_eq(view_open(task, &model->mailbox, NULL, &view), RP_OK);
	cr_assert_eq(msgset_flag(task, view, MAIL_SEEN, &set), RP_OK);
	table_free(table);
	cr_assert_eq(table_new(fixture->loop, 7, &model->mailbox.table), RP_OK);
	cr_assert_eq(msgset_uids_of(set, &uids), RP_OK);
	cr_assert_eq(runs_total(&uids), LARGE / 3);
	msgset_free(set);
	view_close(view);
	runs_fini(&uids);
	model_free(model);
}

/* The sections of a file that does not fit in one buffer are as aligned in memory as in the file: UBSan looks. */
IO_TASK_TEST(table_file, sections_of_a_large_file_are_aligned)
{
	enum { ROWS = 30011 };
	struct model *model = model_new(9);
	struct table *table = model->mailbox.table;
	struct table_room room = {.first_uid = 1, .last_uid = ROWS, .rows = ROWS, .flags_on = TABLE_SYSTEM_FLAGS};
	struct table *fresh;
	uint64_t lsn;

	(void)arg;
	cr_assert_eq(table_prepare_append(NULL, table, &room), RP_OK);
	for (uint32_t uid = 1; uid <= ROWS; uid++) {
		struct table_row row = {
		    .uid = uid,
		    .flags = uid % 3 == 0 ? MAIL_SEEN : 0,
		    .modseq = 1,
		    .internaldate = {uid, 60},
		    .sent = {uid, 60},
		    .rfc822_size_bytes = uid,
		    .savedate_s = uid,
		    .body = {1, uid},
		    .cache_offset = uid,
		    .emailid = uid,
		    .threadid = uid,
		};

		table_append(table, &row);
	}
	cr_assert_eq(table_write(task, table, path, &user, epoch, 1, NULL), RP_OK);
	cr_assert_eq(table_open(task, path, &user, 7, &fresh, &lsn), RP_OK);
	cr_assert(table_has(fresh, ROWS, true));
	table_free(fresh);
	model_free(model);
}
