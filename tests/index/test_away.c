/* Files of one user that the disk does not give for a while, or for good, and who may conclude what from it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "index/repair.h"
#include "index/volume_files.h"
#include "io/base/clock.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/io/io_fixture.h"

static const struct sim_broken lost = {.read = EIO};
static const struct sim_broken back;

/* All of this user's files of a kind. */
static void break_files(struct task *task, const struct io_fixture *fixture, const char *suffix,
    const struct sim_broken *broken)
{
	char dir[USERID_PATH_BYTES];
	struct dir_entry *entries;
	struct arena arena;
	size_t count;
	unsigned met = 0;

	userid_path(&made_user, dir);
	arena_init(&arena, 65536);
	cr_assert_eq(dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count), RP_OK);
	for (size_t i = 0; i < count; i++) {
		char path[VOLUME_PATH_BYTES];
		size_t n = strlen(suffix);

		if (entries[i].name.n <= n ||
		    memcmp(entries[i].name.p + entries[i].name.n - n, suffix, n) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%.*s", dir, BYTES_FMT(entries[i].name));
		cr_assert_eq(sim_break_file(fixture->world, FILE_ROOT_DATA, path, broken), RP_OK);
		met++;
	}
	arena_fini(&arena);
	cr_assert_gt(met, 0);
}

/* What a claim leaves there: it is looked at whether the disk answers at all. */
static void put_store(struct task *task)
{
	uint8_t bytes[8192] = {1};
	struct file *file;

	cr_assert_eq(
	    file_open(task, FILE_ROOT_DATA, "store", FILE_WRITE | FILE_CREATE, &file), RP_OK);
	cr_assert_eq(file_write(task, file, bytes, sizeof(bytes), 0, true), RP_OK);
	file_close(file);
}

static void all_is_there(struct task *task, uint64_t epoch, uint64_t digest)
{
	struct store *store = made_open_store(task, epoch);
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(model_digest(task, volume), digest);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

struct looking {
	struct store *store;
	enum rp_err err;
	bool ended;
};

static void check_task(struct task *task, void *arg)
{
	struct looking *looking = arg;
	struct repair_report report;

	looking->err = repair_check(task, looking->store, &made_user, NULL, NULL, &report);
	looking->ended = true;
}

/* Not one journal can be read: his mail does not open, not even for who comes while a check looks at it. */
SIM_TASK_TEST(away, a_check_gives_nothing_up)
{
	struct io_fixture *fixture = arg;
	struct looking looking = {0};
	struct volume *volume;
	uint64_t digest;

	made_mail(task, &digest);
	put_store(task);
	break_files(task, fixture, ".journal", &lost);
	looking.store = made_open_store(task, 2);
	cr_assert_eq(task_start(task_loop(task), check_task, &looking, NULL), RP_OK);
	while (!looking.ended) {
		cr_assert_eq(task_sleep(task, CLOCK_NS_PER_S / 10), RP_OK);
		cr_assert_eq(
		    volume_open(task, looking.store, &made_user, &volume), RP_ERR_UNAVAILABLE);
	}
	cr_assert_eq(looking.err, RP_ERR_UNAVAILABLE);
	break_files(task, fixture, ".journal", &back);
	cr_assert_eq(store_close(task, looking.store), RP_OK);
	all_is_there(task, 3, digest);
}

/* A repair waits for them, and does without then: the catalog and the indexes know most. */
SIM_TASK_TEST(away, a_repair_does_without)
{
	struct io_fixture *fixture = arg;
	struct repair_report report;
	struct store *store;
	struct volume *volume;
	uint64_t digest;

	made_mail(task, &digest);
	put_store(task);
	break_files(task, fixture, ".journal", &lost);
	store = made_open_store(task, 2);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_geq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, 20);
	cr_assert_eq(volume_find(volume, BYTES_LIT("a/b"))->messages_count, 20);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}
