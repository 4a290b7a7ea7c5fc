/* What is no user's own: DATA/store and the commit logs are looked at, and DATA/store is made anew. */
#include "index/repair/store_look.h"

#include <stdio.h>
#include <string.h>

#include "index/claim.h"
#include "index/logfile.h"
#include "tests/index/made_mail.h"
#include "tests/index/said.h"
#include "tests/io/io_fixture.h"

static uint64_t claim_once(struct task *task)
{
	struct claim *claim = NULL;
	struct arena arena;
	const char *reason;
	uint64_t epoch = 0;

	arena_init(&arena, 65536);
	if (store_claim(task, &arena, 1, &claim, &epoch, &reason) != RP_OK)
		epoch = 0;
	store_unclaim(claim);
	arena_fini(&arena);
	cr_assert_eq(task_sleep(task, 10 * 1000 * 1000), RP_OK); /* till its files are closed */
	return epoch;
}

static uint64_t look(struct task *task, struct said *said)
{
	struct store_settings settings = {.shards_count = 1};
	struct store *store;
	const char *reason;
	uint64_t damaged;

	*said = (struct said){0};
	cr_assert_eq(store_open_look(task, &settings, 9, &store, &reason), RP_OK);
	cr_assert_eq(store_look(task, store, said_keep, said, &damaged), RP_OK);
	cr_assert_eq(store_close(task, store), RP_OK);
	return damaged;
}

/* One bit, by XOR: twice is nothing. */
static void flip(struct task *task, enum file_root root, const char *path, uint64_t at)
{
	struct file *file;
	uint8_t byte;
	size_t got;

	cr_assert_eq(file_open(task, root, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_read(task, file, &byte, 1, at, &got), RP_OK);
	cr_assert_eq(got, 1);
	byte ^= 4;
	cr_assert_eq(file_write(task, file, &byte, 1, at, false), RP_OK);
	file_close(file);
}

static void assert_named(
    struct task *task, enum file_root root, const char *path, uint64_t at, const char *line)
{
	struct said said;

	flip(task, root, path, at);
	cr_assert_eq(look(task, &said), 1);
	cr_assert(strncmp(said.text, line, strlen(line)) == 0);
	flip(task, root, path, at);
	cr_assert_eq(look(task, &said), 0);
}

/* The first log of shard 0 that there is; 0: there is none. */
static uint64_t find_log(struct task *task)
{
	struct dir_entry *names;
	struct arena arena;
	size_t count;
	uint64_t number = 0;

	arena_init(&arena, 65536);
	cr_assert_eq(dir_list(task, FILE_ROOT_COMMIT, "0", &arena, &names, &count), RP_OK);
	for (size_t i = 0; i < count && number == 0; i++)
		(void)!logfile_parse_name(names[i].name, &number);
	arena_fini(&arena);
	return number;
}

static uint64_t a_log(struct task *task)
{
	uint64_t number = find_log(task);

	cr_assert_neq(number, 0);
	return number;
}

IO_TASK_TEST(store_look, each_byte_of_headers_is_looked_at)
{
	char path[LOGFILE_PATH_BYTES];
	char line[LOGFILE_PATH_BYTES + 32];
	struct said said;
	uint64_t digest;

	(void)arg;
	cr_assert_eq(claim_once(task), 1);
	made_mail(task, &digest);
	cr_assert_eq(look(task, &said), 0);
	assert_named(task, FILE_ROOT_DATA, "store", 33, "store at 0: ");
	assert_named(task, FILE_ROOT_DATA, "store", 4095, "store at 4095: ");
	assert_named(task, FILE_ROOT_DATA, "store", 4096 + 127, "store at 4096: ");
	logfile_path(0, a_log(task), path);
	snprintf(line, sizeof(line), "%s at 0: ", path);
	assert_named(task, FILE_ROOT_COMMIT, path, 60, line);
	snprintf(line, sizeof(line), "%s at 4224: ", path);
	assert_named(task, FILE_ROOT_COMMIT, path, 4224, line);
}

IO_TASK_TEST(store_look, a_shard_whose_logs_are_gone_is_named)
{
	char path[LOGFILE_PATH_BYTES];
	struct said said;
	uint64_t digest, number;

	(void)arg;
	cr_assert_eq(claim_once(task), 1);
	made_mail(task, &digest);
	for (unsigned i = 0; (number = find_log(task)) != 0; i++) {
		cr_assert_lt(i, 100);
		logfile_path(0, number, path);
		cr_assert_eq(file_remove(task, FILE_ROOT_COMMIT, path), RP_OK);
	}
	cr_assert_eq(look(task, &said), 1);
	cr_assert(strncmp(said.text, "0/: ", 4) == 0);
}

IO_TASK_TEST(store_look, a_lost_store_is_made_anew_above_all_logs)
{
	uint64_t digest;
	uint64_t epoch;

	(void)arg;
	cr_assert_eq(claim_once(task), 1);
	made_mail(task, &digest);
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(store_close(task, made_open_store(task, 2 + i)), RP_OK);
	flip(task, FILE_ROOT_DATA, "store", 8);
	flip(task, FILE_ROOT_DATA, "store", 4096 + 8);
	cr_assert_eq(claim_once(task), 0);
	cr_assert_eq(store_claim_renew(task), RP_OK);
	epoch = claim_once(task);
	cr_assert_gt(epoch, 3);
	cr_assert_eq(file_remove(task, FILE_ROOT_DATA, "store"), RP_OK);
	cr_assert_eq(claim_once(task), 0);
	cr_assert_eq(store_claim_renew(task), RP_OK);
	cr_assert_gt(claim_once(task), 3);
	/* What is there is left alone. */
	epoch = claim_once(task);
	cr_assert_eq(store_claim_renew(task), RP_OK);
	cr_assert_eq(claim_once(task), epoch + 1);
}
