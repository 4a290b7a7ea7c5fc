#include "index/claim.h"
#include "index/claim_logs.h"
#include "index/logfile.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/io/io_fixture.h"

struct claimed {
	struct arena arena;
	struct claim *claim;
	uint64_t epoch;
	const char *reason;
};

static enum rp_err claim_it(struct task *task, struct claimed *claimed, unsigned shards_count)
{
	arena_init(&claimed->arena, 1024 * 1024);

	enum rp_err err = store_claim(task, &claimed->arena, shards_count, &claimed->claim,
	    &claimed->epoch, &claimed->reason);

	arena_fini(&claimed->arena);
	return err;
}

static void damage(struct task *task, enum file_root root, const char *path, uint64_t offset)
{
	struct file *file;

	cr_assert_eq(file_open(task, root, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_write(task, file, "damage", 6, offset + 40, false), RP_OK);
	file_close(file);
}

IO_TASK_TEST(claim, the_epoch_rises_at_each_start_and_one_copy_is_enough)
{
	(void)arg;
	for (unsigned i = 1; i <= 6; i++) {
		struct claimed claimed = { .epoch = 0 };

		cr_assert_eq(claim_it(task, &claimed, 2), RP_OK);
		cr_assert_eq(claimed.epoch, i);
		store_unclaim(claimed.claim);
		cr_assert_eq(task_sleep(task, 10000000), RP_OK); /* closing is not waited for */
		damage(task, FILE_ROOT_DATA, "store", i % 2 == 0 ? 0 : 4096);
		damage(task, FILE_ROOT_COMMIT, claim_logs_path, i % 3 == 0 ? 0 : 4096);
	}
}

IO_TASK_TEST(claim, two_owners_are_one_too_many)
{
	struct claimed first = { 0 };
	struct claimed second = { .epoch = 77 };

	(void)arg;
	cr_assert_eq(claim_it(task, &first, 1), RP_OK);
	cr_assert_eq(claim_it(task, &second, 1), RP_ERR_BUSY);
	cr_assert_eq(second.epoch, 77);
	cr_assert_not_null(strstr(second.reason, "another server"));
	store_unclaim(first.claim);
	store_unclaim(NULL);
}

/* So many starts, each ended; the last one's epoch. */
static void start_and_end(struct task *task, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		struct claimed claimed = { .epoch = 0 };

		cr_assert_eq(claim_it(task, &claimed, 1), RP_OK, "%s", claimed.reason);
		store_unclaim(claimed.claim);
		cr_assert_eq(task_sleep(task, 10000000), RP_OK);
	}
}

/* looks: what is there can be looked at all the same. */
static void assert_refused(struct task *task, enum rp_err err, const char *reason, bool looks)
{
	struct claimed claimed = { .epoch = 0 };
	struct claim *claim = NULL;
	struct arena arena;
	uint64_t epoch;

	cr_assert_eq(claim_it(task, &claimed, 1), err);
	cr_assert_not_null(strstr(claimed.reason, reason), "%s", claimed.reason);
	cr_assert_eq(task_sleep(task, 10000000), RP_OK);
	arena_init(&arena, 65536);
	cr_assert_eq(store_claim_look(task, &arena, &claim, &epoch, &claimed.reason), err);
	arena_fini(&arena);
	cr_assert_not_null(strstr(claimed.reason, reason), "%s", claimed.reason);
	cr_assert_eq(claim != NULL, looks);
	cr_assert(!looks || epoch != 0);
	store_unclaim(claim);
	cr_assert_eq(task_sleep(task, 10000000), RP_OK);
}

/* A disk that is not mounted: what was acknowledged last is in no file that is seen. */
IO_TASK_TEST(claim, a_start_without_the_last_runs_logs_is_refused_till_a_repair)
{
	(void)arg;
	start_and_end(task, 2);
	cr_assert_eq(file_rename(task, FILE_ROOT_COMMIT, claim_logs_path, "away"), RP_OK);
	assert_refused(task, RP_ERR_CORRUPT, "mount it", true);
	cr_assert_eq(file_rename(task, FILE_ROOT_COMMIT, "away", claim_logs_path), RP_OK);
	start_and_end(task, 1);
	cr_assert_eq(file_remove(task, FILE_ROOT_COMMIT, claim_logs_path), RP_OK);
	cr_assert_eq(store_claim_renew(task), RP_OK);
	cr_assert_eq(task_sleep(task, 10000000), RP_OK);
	start_and_end(task, 2);
}

/* It was forgotten in a drawer, and comes back: its records would go over newer ones. */
IO_TASK_TEST(claim, logs_of_an_older_run_are_refused_and_a_repair_makes_them_void)
{
	struct format_header header = { .nonce = 7, .epoch = 1, .number = 1 };
	uint8_t *block = aligned_alloc(LOGFILE_BLOCK_BYTES, LOGFILE_BLOCK_BYTES);
	struct file *file;

	(void)arg;
	start_and_end(task, 1);
	cr_assert_eq(file_rename(task, FILE_ROOT_COMMIT, claim_logs_path, "old"), RP_OK);
	cr_assert_eq(store_claim_renew(task), RP_OK);
	cr_assert_eq(task_sleep(task, 10000000), RP_OK);
	start_and_end(task, 2);
	cr_assert_eq(file_rename(task, FILE_ROOT_COMMIT, "old", claim_logs_path), RP_OK);
	cr_assert_eq(dir_make(task, FILE_ROOT_COMMIT, "0"), RP_OK);
	cr_assert_eq(file_open(task, FILE_ROOT_COMMIT, "0/1.log", FILE_READ | FILE_WRITE | FILE_CREATE, &file), RP_OK);
	header.extra[LOGFILE_EXTRA_STATE] = LOGFILE_USED;
	cr_assert_eq(logfile_write_header(task, file, &header, block), RP_OK);
	assert_refused(task, RP_ERR_CORRUPT, "older than the last run", false);
	cr_assert_eq(store_claim_renew(task), RP_OK);
	cr_assert_eq(logfile_read_header(task, file, &header), RP_OK);
	cr_assert_eq(header.extra[LOGFILE_EXTRA_STATE], LOGFILE_FREE);
	file_close(file);
	free(block);
	cr_assert_eq(task_sleep(task, 10000000), RP_OK);
	start_and_end(task, 2);
}

IO_TASK_TEST(claim, logs_of_another_store_are_refused_and_no_repair_takes_them)
{
	struct file *file;

	(void)arg;
	start_and_end(task, 2);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "store", FILE_READ | FILE_WRITE, &file), RP_OK);
	for (unsigned i = 0; i < 2; i++) {
		struct format_header header;
		size_t got;

		cr_assert_eq(file_read(task, file, &header, sizeof(header), i * COPIES_BLOCK_BYTES, &got), RP_OK);
		header.extra[CLAIM_EXTRA_ID]++;
		format_sign(&header, FORMAT_STORE, CLAIM_VERSION);
		cr_assert_eq(file_write(task, file, &header, sizeof(header), i * COPIES_BLOCK_BYTES, false), RP_OK);
	}
	file_close(file);
	cr_assert_eq(task_sleep(task, 10000000), RP_OK);
	assert_refused(task, RP_ERR_CANNOT, "belong to another", false);
	cr_assert_eq(store_claim_renew(task), RP_ERR_CANNOT);
}

IO_TASK_TEST(claim, one_folder_of_logs_has_one_server)
{
	struct file *file;

	(void)arg;
	start_and_end(task, 1);
	cr_assert_eq(file_open(task, FILE_ROOT_COMMIT, claim_logs_path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_lock(task, file), RP_OK);
	assert_refused(task, RP_ERR_BUSY, "folder of the commit logs", false);
	file_close(file);
}

static void let_go_slowly(struct task *task, void *arg)
{
	struct file **files = arg;

	cr_assert_eq(task_sleep(task, 200 * 1000 * 1000), RP_OK);
	file_close(files[0]);
	cr_assert_eq(task_sleep(task, 200 * 1000 * 1000), RP_OK);
	file_close(files[1]);
}

/* The kernel closes the files of a killed process's ring a little after the process has gone, each by itself. */
IO_TASK_TEST(claim, locks_of_a_killed_server_are_waited_for)
{
	static struct file *files[2];

	(void)arg;
	start_and_end(task, 1);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "store", FILE_READ | FILE_WRITE, &files[0]), RP_OK);
	cr_assert_eq(file_open(task, FILE_ROOT_COMMIT, claim_logs_path, FILE_READ | FILE_WRITE, &files[1]), RP_OK);
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(file_lock(task, files[i]), RP_OK);
	cr_assert_eq(task_start(task_loop(task), let_go_slowly, files, NULL), RP_OK);
	start_and_end(task, 1);
}

/* From a version that knew of no such file, and from a first start that was cut short. */
IO_TASK_TEST(claim, a_store_without_an_id_gets_one)
{
	struct format_header header = { .epoch = 4, .nonce = 3 };
	struct file *file;

	(void)arg;
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "store", FILE_READ | FILE_WRITE | FILE_CREATE, &file), RP_OK);
	cr_assert_eq(copies_write(task, file, FORMAT_STORE, CLAIM_VERSION, &header, 1), RP_OK);
	start_and_end(task, 1);
	header = (struct format_header){ .epoch = 5, .nonce = 3, .extra = { [CLAIM_EXTRA_ID] = 77 } };
	cr_assert_eq(copies_write(task, file, FORMAT_STORE, CLAIM_VERSION, &header, 1), RP_OK);
	cr_assert_eq(file_remove(task, FILE_ROOT_COMMIT, claim_logs_path), RP_OK);
	file_close(file);
	start_and_end(task, 2);
	cr_assert_eq(file_remove(task, FILE_ROOT_COMMIT, claim_logs_path), RP_OK);
	assert_refused(task, RP_ERR_CORRUPT, "mount it", true);
}

IO_TASK_TEST(claim, a_newer_format_and_a_lost_store_are_refused_with_a_reason)
{
	struct claimed claimed = { 0 };
	struct format_header header = { .epoch = 9, .nonce = 1 };
	struct file *file;

	(void)arg;
	format_sign(&header, FORMAT_STORE, CLAIM_VERSION + 1);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "store",
	                 FILE_READ | FILE_WRITE | FILE_CREATE, &file),
	    RP_OK);
	cr_assert_eq(file_write(task, file, &header, sizeof(header), 4096, false), RP_OK);
	cr_assert_eq(claim_it(task, &claimed, 1), RP_ERR_CANNOT);
	cr_assert_not_null(strstr(claimed.reason, "newer version"));
	cr_assert_eq(file_truncate(task, file, 0), RP_OK);
	file_close(file);
	cr_assert_eq(dir_make(task, FILE_ROOT_DATA, "users/0001"), RP_OK);
	cr_assert_eq(claim_it(task, &claimed, 1), RP_ERR_CORRUPT);
	cr_assert_not_null(strstr(claimed.reason, "repair"));
}

IO_TASK_TEST(claim, the_reserve_is_made_and_given_up_once)
{
	struct file *file;
	uint64_t size_bytes;

	(void)arg;
	cr_assert_eq(claim_reserve_give_up(task), RP_ERR_NOTFOUND);
	cr_assert_eq(claim_reserve_make(task, 1024 * 1024), RP_OK);
	cr_assert_eq(claim_reserve_make(task, 1024 * 1024), RP_OK);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "reserve", FILE_READ, &file), RP_OK);
	cr_assert_eq(file_size(task, file, &size_bytes), RP_OK);
	cr_assert_eq(size_bytes, 1024 * 1024);
	file_close(file);
	cr_assert_eq(claim_reserve_give_up(task), RP_OK);
	cr_assert_eq(claim_reserve_give_up(task), RP_ERR_NOTFOUND);
}

static struct file *open_reserve(struct task *task)
{
	struct file *file;

	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "reserve",
			 FILE_READ | FILE_WRITE | FILE_CREATE, &file),
	    RP_OK);
	return file;
}

/* As a crash, or another shard that makes it, leaves it. */
IO_TASK_TEST(claim, half_a_reserve_is_none_and_is_made_whole)
{
	struct file *file = open_reserve(task);

	(void)arg;
	cr_assert_eq(file_allocate(task, file, 0, 4096), RP_OK);
	file_close(file);
	cr_assert_not(claim_reserve_is_there(task, 1024 * 1024));
	cr_assert_eq(claim_reserve_make(task, 1024 * 1024), RP_OK);
	cr_assert(claim_reserve_is_there(task, 1024 * 1024));
}

struct other_maker {
	struct file *file;
	bool allocates;
};

static void make_slowly(struct task *task, void *arg)
{
	struct other_maker *other = arg;

	cr_assert_eq(task_sleep(task, 20 * 1000 * 1000), RP_OK);
	if (other->allocates)
		cr_assert_eq(file_allocate(task, other->file, 0, 1024 * 1024), RP_OK);
	else
		cr_assert_eq(file_remove(task, FILE_ROOT_DATA, "reserve"), RP_OK);
	file_close(other->file);
}

IO_TASK_TEST(claim, a_reserve_that_another_makes_is_waited_for)
{
	struct other_maker other;
	uint64_t size_bytes;

	(void)arg;
	for (unsigned i = 0; i < 2; i++) {
		struct file *file;

		other = (struct other_maker){open_reserve(task), i == 0};
		cr_assert_eq(file_lock(task, other.file), RP_OK);
		cr_assert_eq(task_start(task_loop(task), make_slowly, &other, NULL), RP_OK);
		cr_assert_not(claim_reserve_is_there(task, 1024 * 1024));
		cr_assert_eq(claim_reserve_make(task, 1024 * 1024), RP_OK);
		file = open_reserve(task);
		cr_assert_eq(file_size(task, file, &size_bytes), RP_OK);
		cr_assert_eq(size_bytes, 1024 * 1024);
		file_close(file);
		cr_assert_eq(claim_reserve_give_up(task), RP_OK);
	}
}

struct claim_run {
	enum rp_err err;
	char reason[256];
};

static void run_claim(struct task *task, void *arg)
{
	struct claim_run *run = arg;
	struct claim *claim = NULL;
	const char *reason = "";
	struct arena arena;
	uint64_t epoch;

	arena_init(&arena, 64 * 1024);
	run->err = store_claim(task, &arena, 1, &claim, &epoch, &reason);
	snprintf(run->reason, sizeof(run->reason), "%s", run->err != RP_OK ? reason : "");
	store_unclaim(claim);
	arena_fini(&arena);
}

Test(claim, network_file_systems_are_known_by_their_number)
{
	cr_assert_str_eq(claim_network_fs(0x6969), "NFS");
	cr_assert_str_eq(claim_network_fs(0xff534d42), "CIFS");
	cr_assert_null(claim_network_fs(0xef53), "ext4");
}

/* Before anything is opened or made there. */
Test(claim, data_and_the_commit_log_on_a_network_file_system_are_refused_in_one_line)
{
	static const struct {
		enum file_root root;
		uint64_t type;
		const char *says;
	} cases[] = { { FILE_ROOT_DATA, 0x6969, "the data directory lies on a network file system (NFS)" },
		{ FILE_ROOT_COMMIT, 0xff534d42, "the commit log directory lies on a network file system (CIFS)" } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct io_fixture fixture;
		struct claim_run run = { 0 };
		struct bytes there;

		io_fixture_open(&fixture, IO_FIXTURE_SIM, 0);
		sim_set_fs_type(fixture.world, cases[i].root, cases[i].type);
		io_fixture_run(&fixture, run_claim, &run);
		cr_assert_eq(run.err, RP_ERR_CANNOT);
		cr_assert_not_null(strstr(run.reason, cases[i].says));
		cr_assert_not_null(strstr(run.reason, "move it to a disk of this machine"));
		cr_assert_null(strchr(run.reason, '\n'));
		cr_assert_eq(sim_disk_read(fixture.world, FILE_ROOT_DATA, "store", &there), RP_ERR_NOTFOUND);
		sim_set_fs_type(fixture.world, cases[i].root, 0xef53);
		io_fixture_run(&fixture, run_claim, &run);
		cr_assert_eq(run.err, RP_OK);
		io_fixture_close(&fixture);
	}
}
