/* Which log files there are, and in which order they are made void. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/logfile.h"
#include "index/recover.h"
#include "tests/io/io_fixture.h"

enum { SHARDS = 3, EPOCHS = 3 };

/* A log in use; each epoch had other shards. */
static void make_log(struct task *task, unsigned shard, uint64_t epoch, uint64_t lost_epoch)
{
	uint8_t *block = aligned_alloc(LOGFILE_BLOCK_BYTES, LOGFILE_BLOCK_BYTES);
	struct format_header header = {.epoch = epoch, .number = epoch, .nonce = 7};
	char path[LOGFILE_PATH_BYTES];
	struct file *file;

	cr_assert_not_null(block);
	header.extra[LOGFILE_EXTRA_SHARD] = shard;
	header.extra[LOGFILE_EXTRA_USE] = 1;
	header.extra[LOGFILE_EXTRA_STATE] = LOGFILE_USED;
	header.extra[LOGFILE_EXTRA_LOST] = lost_epoch;
	snprintf(path, sizeof(path), "%u", shard);
	cr_assert_eq(dir_make(task, FILE_ROOT_COMMIT, path), RP_OK);
	logfile_path(shard, epoch, path);
	cr_assert_eq(file_open(task, FILE_ROOT_COMMIT, path,
	                 FILE_READ | FILE_WRITE | FILE_CREATE, &file),
	    RP_OK);
	cr_assert_eq(logfile_write_header(task, file, &header, block), RP_OK);
	file_close(file);
	free(block);
}

static bool is_used(struct task *task, unsigned shard, uint64_t number)
{
	struct format_header header;
	char path[LOGFILE_PATH_BYTES];
	struct file *file;

	logfile_path(shard, number, path);
	cr_assert_eq(file_open(task, FILE_ROOT_COMMIT, path, FILE_READ, &file), RP_OK);
	cr_assert_eq(logfile_read_header(task, file, &header), RP_OK);
	file_close(file);
	return header.extra[LOGFILE_EXTRA_STATE] == LOGFILE_USED;
}

/* Whoever has moved from shard to shard has older records in one's log and newer ones in another's. If the power goes in between, the
 * newer ones must be there as long as the older are: a recovery that had only these would take for all what is not. */
SIM_TASK_TEST(recover_list, logs_are_made_void_by_epoch)
{
	struct io_fixture *fixture = arg;
	const struct sim_broken broken = {.write = EIO};
	const struct sim_broken sound = {.write = 0};
	char path[LOGFILE_PATH_BYTES];

	for (unsigned i = 0; i < EPOCHS; i++)
		make_log(task, SHARDS - 1 - i, i + 1, 0);
	for (unsigned fails = 0; fails <= EPOCHS; fails++) {
		logfile_path(SHARDS - 1 - fails % EPOCHS, fails % EPOCHS + 1, path);
		if (fails < EPOCHS)
			cr_assert_eq(sim_break_file(fixture->world, FILE_ROOT_COMMIT, path, &broken),
			    RP_OK);
		cr_assert_eq(recover_void(task, SHARDS, EPOCHS + 1),
		    fails < EPOCHS ? RP_ERR_IO : RP_OK);
		for (unsigned i = 0; i < EPOCHS; i++)
			cr_assert_eq(is_used(task, SHARDS - 1 - i, i + 1), i >= fails);
		if (fails < EPOCHS)
			cr_assert_eq(sim_break_file(fixture->world, FILE_ROOT_COMMIT, path, &sound),
			    RP_OK);
	}
}

/* It was first to read them, and uses a file again meanwhile. */
SIM_TASK_TEST(recover_list, what_another_shard_of_this_start_has_found_lost_is_known)
{
	struct recover *recover;

	(void)arg;
	make_log(task, 0, EPOCHS, EPOCHS - 1);
	cr_assert_eq(recover_open(task, SHARDS, EPOCHS, &recover), RP_OK);
	cr_assert_eq(recover_lost_epoch(recover), EPOCHS - 1);
	recover_close(recover);
}
