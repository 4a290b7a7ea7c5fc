/* How long work on very many messages holds its shard: the longest time of CPU between two turns of another task.
 *
 *     bench_slices DIR [messages]    an empty folder, what is made in it is left there; of one user 1,000,000
 *
 * First what is kept of those that were expunged (index/kept.h), in memory; then a mailbox of so many, which share one body.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/compact.h"
#include "index/dbox/dbox.h"
#include "index/kept.h"
#include "index/view.h"
#include "index/volume_state.h"
#include "io/base/clock.h"

enum { SECONDS = 1700000000 };

struct bench {
	uint32_t count;
	uint64_t turn_ns; /* of CPU, when the other one had its last turn */
	uint64_t longest_ns;
	bool over;
	struct kept kept;
	uint8_t *payload;
};

static void must(enum rp_err err, const char *what)
{
	if (err != RP_OK)
		assert_panic("%s: %s", what, err_name(err));
}

/* The other one. */
static void look_on(struct task *task, void *arg)
{
	struct bench *bench = arg;

	while (!bench->over) {
		uint64_t now = clock_cpu_ns();

		if (bench->turn_ns != 0 && now - bench->turn_ns > bench->longest_ns)
			bench->longest_ns = now - bench->turn_ns;
		bench->turn_ns = now;
		must(task_yield(task), "yield");
	}
	loop_stop(task_loop(task));
}

static void begin(struct task *task, struct bench *bench)
{
	must(task_yield(task), "yield");
	bench->longest_ns = 0;
}

static void end(struct task *task, const struct bench *bench, const char *what)
{
	must(task_yield(task), "yield");
	printf("%-52s %9.3f ms\n", what, (double)bench->longest_ns / 1e6);
}

static void expunge(struct bench *bench)
{
	struct run all = {1, bench->count};
	struct runs uids = {&all, 1, 1};
	struct change_writer writer;
	size_t at = 0;
	bool any;

	change_begin(&writer, bench->payload, CHANGE_PAYLOAD_BYTES_MAX, 0);
	if (!change_put_expunged(&writer, 1, SECONDS, &uids, &at))
		assert_panic("one run has no room");
	must(kept_note(&bench->kept, change_finish(&writer, true)), "note");
	must(kept_ready(NULL, &bench->kept, &any), "ready");
}

static void take_rows(struct task *task, struct bench *bench)
{
	struct change_row row = {.uid = 1};

	while (row.uid <= bench->count) {
		struct change_writer writer;
		bool room;

		change_begin(&writer, bench->payload, CHANGE_PAYLOAD_BYTES_MAX, 0);
		room = change_rows_begin(&writer, 1, row.uid);
		while (room && row.uid <= bench->count) {
			row.emailid = row.uid;
			row.body = (struct dbox_ref){1, row.uid};
			room = change_rows_put(&writer, &row);
			row.uid += room;
		}
		change_rows_end(&writer);
		must(kept_take(task, &bench->kept, change_finish(&writer, true)), "take");
		must(task_pause(task), "pause");
	}
}

static void take_keyword(struct task *task, struct bench *bench, const char *name)
{
	struct run all = {1, bench->count};
	struct runs uids = {&all, 1, 1};
	struct change_writer writer;
	size_t at = 0;

	change_begin(&writer, bench->payload, CHANGE_PAYLOAD_BYTES_MAX, 0);
	if (!change_put_flag(&writer, 1, CHANGE_FLAG_KEYWORD, bytes_of_str(name), true, &uids, &at))
		assert_panic("one run has no room");
	must(kept_take(task, &bench->kept, change_finish(&writer, true)), "take");
}

static void write_all(struct task *task, struct bench *bench)
{
	enum rp_err err;

	do {
		struct change_writer writer;

		change_begin(&writer, bench->payload, CHANGE_PAYLOAD_BYTES_MAX, 0);
		err = kept_write(task, &bench->kept, &writer);
		must(task_pause(task), "pause");
	} while (err == RP_ERR_LIMIT);
	must(err, "write");
}

static void run_kept(struct task *task, struct bench *bench)
{
	kept_init(&bench->kept, 0);
	bench->kept.rows_max = bench->count;
	expunge(bench);
	begin(task, bench);
	take_rows(task, bench);
	end(task, bench, "rows are taken");
	begin(task, bench);
	take_keyword(task, bench, "one");
	take_keyword(task, bench, "two");
	end(task, bench, "two keywords are set");
	begin(task, bench);
	must(kept_end(task, &bench->kept), "end");
	end(task, bench, "joined");
	begin(task, bench);
	write_all(task, bench);
	end(task, bench, "written into a merged journal");
	begin(task, bench);
	kept_fini(task, &bench->kept);
	end(task, bench, "let go");
}

/* ---- a mailbox ---- */

static struct store *open_store(struct task *task)
{
	struct store_settings settings = {.shards_count = 1,
	    .commit_file_bytes = 64 * 1024 * 1024,
	    .unsettled_bytes_max = 64 * 1024 * 1024,
	    .volumes_bytes_max = 64 * 1024 * 1024};
	struct store *store;
	const char *reason;

	must(store_open(task, &settings, 1, &store, &reason), "store");
	must(store_recover(task, store), "recover");
	must(store_recover_void(task, store), "recover");
	must(store_recovered(task, store), "recover");
	return store;
}

static struct mailbox *open_mailbox(struct task *task, struct volume *volume, const char *name)
{
	struct mailbox *mailbox;

	must(mailbox_open(task, volume, bytes_of_str(name), &mailbox), name);
	return mailbox;
}

static void append(struct task *task, struct mailbox *mailbox)
{
	struct append message = {.internaldate = {1700000000, 60}};
	uint32_t uid;

	must(body_begin(task, mailbox_volume(mailbox), &message.body), "body");
	must(body_write(task, message.body, BYTES_LIT("a: b\r\n\r\n")), "body");
	must(mailbox_append(task, mailbox, &message, 1, &uid), "append");
}

/* COPY of all to the same mailbox, till there are so many. */
static void fill(struct task *task, struct mailbox *mailbox, uint32_t count)
{
	append(task, mailbox);
	for (uint32_t n = 1, more; n < count; n += more) {
		struct run run = {1, more = n < count - n ? n : count - n};
		struct runs uids = {&run, 1, 1};
		struct runs copied = RUNS_EMPTY;
		uint32_t first;

		must(mailbox_copy(task, mailbox, &uids, mailbox, &copied, &first), "copy");
		runs_fini(&copied);
	}
}

/* Each second message goes: what is left stands as scattered as it can. */
static void scatter(struct task *task, struct mailbox *mailbox, uint32_t count)
{
	struct mail_store deleted = {.mode = MAIL_STORE_ADD, .flags = MAIL_DELETED};
	struct runs uids = RUNS_EMPTY;

	for (uint32_t uid = 1; uid <= count; uid += 2) {
		must(runs_add(&uids, uid, uid), "uids");
		if (uids.count < 4096 && uid + 2 <= count)
			continue;
		must(mailbox_store(task, mailbox, &uids, &deleted, NULL, NULL), "store");
		uids.count = 0;
	}
	runs_fini(&uids);
	must(mailbox_expunge(task, mailbox, NULL, NULL), "expunge");
}

static void empty_file(struct task *task, struct bench *bench, struct volume *volume)
{
	dbox_number_from(volume->dbox, 2); /* the one that they lie in is sealed */
	must(dbox_reserve(task, volume->dbox, 1), "dbox");
	begin(task, bench);
	must(compact_now(task, volume), "compact");
	end(task, bench, "the file of one body that all share is emptied");
	if (dbox_next_file(volume->dbox, 0) == 1)
		assert_panic("the file is still there");
}

static void run_mailbox(struct task *task, struct bench *bench)
{
	static const struct userid userid = {{1}};
	struct store *store = open_store(task);
	struct volume *volume;
	struct mailbox *inbox;
	struct view *view;

	must(volume_open(task, store, &userid, &volume), "volume");
	inbox = open_mailbox(task, volume, "INBOX");
	fill(task, inbox, bench->count);
	empty_file(task, bench, volume);
	scatter(task, inbox, bench->count);
	must(view_open(task, inbox, NULL, &view), "view");
	view_own_expunges(view, true);
	begin(task, bench);
	must(volume_rename(task, volume, BYTES_LIT("INBOX"), BYTES_LIT("old")), "rename");
	end(task, bench, "RENAME of INBOX, each second message");
	view_close(view);
	mailbox_close(inbox);
	volume_close(volume);
	must(store_close(task, store), "close");
}

static void run(struct task *task, void *arg)
{
	struct bench *bench = arg;

	run_kept(task, bench);
	run_mailbox(task, bench);
	bench->over = true;
}

int main(int argc, char **argv)
{
	struct loop_settings settings = {.files_max = 1024, .restricted = true};
	struct bench bench = {.count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000 * 1000,
	    .payload = malloc(CHANGE_PAYLOAD_BYTES_MAX)};
	int root = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	struct loop *loop;
	const char *reason;

	setlinebuf(stdout);
	if (root < 0 || bench.payload == NULL) {
		fprintf(stderr, "usage: bench_slices DIR [messages]\n");
		return 1;
	}
	for (unsigned i = 0; i < FILE_ROOT_COUNT; i++)
		settings.root_fd[i] = root;
	must(loop_open(&settings, &loop, &reason), "loop");
	must(task_start(loop, run, &bench, NULL), "task");
	must(task_start(loop, look_on, &bench, NULL), "task");
	loop_run(loop);
	loop_close(loop);
	free(bench.payload);
	return 0;
}
