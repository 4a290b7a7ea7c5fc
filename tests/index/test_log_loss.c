/* Where a part of a commit log is lost after a crash, no number that was shown is given out again, and whoever had nothing in it loses
 * nothing by that. */
#include "index/log_loss.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/logfile.h"
#include "index/mailbox_state.h"
#include "index/store_state.h"
#include "index/volume_floor.h"
#include "tests/index/lost_log.h"
#include "tests/index/shown.h"
#include "tests/io/io_fixture.h"

enum { LOG_FILES = 3 }; /* of the shard */

Test(log_loss, nothing_is_raised_where_nothing_is_lost)
{
	lost_log_two_lives();
	lost_log_look(false, false, false, false);
	lost_log_end();
}

/* Nobody has said that the last write was durable. */
Test(log_loss, a_torn_tail_raises_nothing)
{
	lost_log_two_lives();
	lost_log_spoil(4, 0, LOGFILE_BLOCK_BYTES);
	lost_log_look(false, false, false, false);
	lost_log_end();
}

/* Bob's record comes behind what is lost. Of the others nothing tells, and once is enough. */
Test(log_loss, a_lost_write_raises_whom_no_later_one_is_of)
{
	lost_log_two_lives();
	lost_log_lose_alice();
	lost_log_look(true, true, false, true);
	lost_log_look(false, false, false, false);
	lost_log_end();
}

/* The header says how many records there were, and they are there: of one the body is damaged. */
Test(log_loss, a_write_whose_records_are_all_there_raises_nothing)
{
	lost_log_two_lives();
	lost_log_spoil(LOG_OF_ALICE, 64 + 96 + 400, 1);
	lost_log_look(false, false, false, false);
	lost_log_end();
}

/* The power goes again before the logs are made void: the same damage is met once more. */
Test(log_loss, a_start_that_is_cut_short_raises_once_too)
{
	lost_log_two_lives();
	lost_log_lose_alice();
	lost_log.not_void = true;
	lost_log_look(true, true, false, true);
	lost_log_crash();
	lost_log.not_void = false;
	lost_log_look(false, false, false, false);
	lost_log_look(false, false, false, false);
	lost_log_end();
}

/* The logs are void long since, and the files of them that told of it are used again. */
Test(log_loss, who_comes_late_is_raised_too)
{
	lost_log_two_lives();
	lost_log_lose_alice();
	for (unsigned i = 0; i < 4; i++) {
		io_fixture_run(&lost_log.fixture, lost_log_only_bob, NULL);
		io_fixture_settle(&lost_log.fixture);
	}
	lost_log_look(true, true, false, true);
	lost_log_look(false, false, false, false);
	lost_log_end();
}

/* As files that are made anew are. */
static void forget(struct task *task, void *arg)
{
	uint8_t *block = aligned_alloc(LOGFILE_BLOCK_BYTES, LOGFILE_BLOCK_BYTES);

	(void)arg;
	for (uint64_t number = 1; number <= LOG_FILES; number++) {
		char path[LOGFILE_PATH_BYTES];
		struct format_header header;
		struct file *file;

		logfile_path(0, number, path);
		cr_assert_eq(file_open(task, FILE_ROOT_COMMIT, path, FILE_READ | FILE_WRITE, &file), RP_OK);
		cr_assert_eq(logfile_read_header(task, file, &header), RP_OK);
		header.extra[LOGFILE_EXTRA_LOST] = 0;
		cr_assert_eq(logfile_write_header(task, file, &header, block), RP_OK);
		file_close(file);
	}
	free(block);
}

/* No log file is left that could tell: DATA/store does. */
Test(log_loss, who_comes_late_is_raised_though_the_logs_are_new)
{
	lost_log_two_lives();
	lost_log_lose_alice();
	io_fixture_run(&lost_log.fixture, lost_log_only_bob, NULL);
	io_fixture_settle(&lost_log.fixture);
	io_fixture_run(&lost_log.fixture, forget, NULL);
	lost_log_look(true, true, false, true);
	lost_log_end();
}

static void two_losses(struct task *task, void *arg)
{
	(void)arg;
	lost_log_start(task);
	for (unsigned u = CAROL; u <= BOB; u++)
		lost_log_assert_numbers(task, u, u != BOB);
}

Test(log_loss, each_loss_raises_once)
{
	lost_log_two_lives();
	lost_log_lose_alice();
	/* Of Bob, who is spared, one write; then of each of the others one that raises, and of all three a message. Now the one is lost that has
	 * raised Alice, of whom there is a later one. */
	io_fixture_run(&lost_log.fixture, two_losses, NULL);
	lost_log_crash();
	lost_log.log[0] = '\0';
	sim_disk_walk(lost_log.fixture.world, lost_log_find, NULL);
	lost_log_spoil(4, 0, LOGFILE_BLOCK_BYTES);
	lost_log_look(true, false, false, true);
	lost_log_look(false, false, false, false);
	lost_log_end();
}

/* ---- whole files ---- */

Test(log_loss, a_log_that_is_gone_raises_all)
{
	lost_log_two_lives();
	cr_assert_eq(
	    sim_disk_remove(lost_log.fixture.world, FILE_ROOT_COMMIT, lost_log.log), RP_OK);
	lost_log_look(true, true, true, true);
	lost_log_look(false, false, false, false);
	lost_log_end();
}

/* The owner file says that there were logs. */
Test(log_loss, a_folder_that_is_gone_raises_all)
{
	lost_log_two_lives();
	for (uint64_t number = 1; number <= LOG_FILES; number++) {
		char path[LOGFILE_PATH_BYTES];

		logfile_path(0, number, path);
		cr_assert_eq(sim_disk_remove(lost_log.fixture.world, FILE_ROOT_COMMIT, path), RP_OK);
	}
	lost_log_look(true, true, true, true);
	lost_log_look(false, false, false, false);
	lost_log_end();
}

/* [from, to) of a log, with this byte; or it is cut there. */
static void put(const char *path, uint8_t byte, size_t from, size_t to)
{
	struct bytes log;
	uint8_t *copy;

	cr_assert_eq(sim_disk_read(lost_log.fixture.world, FILE_ROOT_COMMIT, path, &log), RP_OK);
	copy = malloc(log.n);
	memcpy(copy, log.p, log.n);
	memset(copy + from, byte, to - from);
	cr_assert_eq(sim_disk_write(
	                 lost_log.fixture.world, FILE_ROOT_COMMIT, path, bytes_of(copy, log.n)),
	    RP_OK);
	free(copy);
}

static void cut(const char *path, size_t at)
{
	struct bytes log;

	cr_assert_eq(sim_disk_read(lost_log.fixture.world, FILE_ROOT_COMMIT, path, &log), RP_OK);
	cr_assert_eq(sim_disk_write(lost_log.fixture.world, FILE_ROOT_COMMIT, path,
	                 bytes_slice(log, 0, at)),
	    RP_OK);
}

static void lose_headers(const char *path)
{
	put(path, 0x55, 0, LOGFILE_FIRST_OFFSET);
}

Test(log_loss, a_log_without_a_header_raises_all)
{
	lost_log_two_lives();
	lose_headers(lost_log.log);
	lost_log_look(true, true, true, true);
	lost_log_look(false, false, false, false);
	lost_log_end();
}

/* Zeroes, as a file begins with that is being made. */
Test(log_loss, a_log_with_zeroes_for_headers_raises_all)
{
	lost_log_two_lives();
	put(lost_log.log, 0, 0, FORMAT_HEADER_BYTES);
	put(lost_log.log, 0, LOGFILE_BLOCK_BYTES, LOGFILE_BLOCK_BYTES + FORMAT_HEADER_BYTES);
	lost_log_look(true, true, true, true);
	lost_log_look(false, false, false, false);
	lost_log_end();
}

/* The first write is gone too; there are others behind. */
Test(log_loss, a_log_that_begins_with_more_zeroes_raises_all)
{
	lost_log_two_lives();
	put(lost_log.log, 0, 0, lost_log.log_at + LOGFILE_BLOCK_BYTES);
	lost_log_look(true, true, true, true);
	lost_log_look(false, false, false, false);
	lost_log_end();
}

/* A header tells of it, and it had its size then. */
Test(log_loss, a_log_that_is_cut_within_its_header_raises_all)
{
	static const size_t at[] = {0, 64, 127};

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		lost_log_two_lives();
		cut(lost_log.log, at[i]);
		lost_log_look(true, true, true, true);
		lost_log_look(false, false, false, false);
		lost_log_end();
	}
}

/* Another shard's, or one that was copied from elsewhere. zeroed: where something was. */
static void become_another(bool zeroed)
{
	const char *other;
	struct bytes log;
	uint8_t *copy;

	lost_log_two_lives();
	other = strcmp(lost_log.log, "0/1.log") == 0 ? "0/2.log" : "0/1.log";
	cr_assert_eq(sim_disk_read(lost_log.fixture.world, FILE_ROOT_COMMIT, other, &log), RP_OK);
	copy = malloc(log.n);
	memcpy(copy, log.p, log.n);
	if (zeroed)
		memset(copy + LOGFILE_FIRST_OFFSET, 0, log.n - LOGFILE_FIRST_OFFSET);
	cr_assert_eq(sim_disk_write(lost_log.fixture.world, FILE_ROOT_COMMIT, lost_log.log,
	                 bytes_of(copy, log.n)),
	    RP_OK);
	free(copy);
	lost_log_look(true, true, true, true);
	lost_log_look(false, false, false, false);
	lost_log_end();
}

Test(log_loss, a_log_that_is_another_raises_all)
{
	become_another(false);
	become_another(true); /* it was never used: no file is made with another's header */
}

Test(log_loss, a_log_that_is_cut_raises_all)
{
	struct bytes log;

	lost_log_two_lives();
	cr_assert_eq(
	    sim_disk_read(lost_log.fixture.world, FILE_ROOT_COMMIT, lost_log.log, &log), RP_OK);
	cr_assert_eq(sim_disk_write(lost_log.fixture.world, FILE_ROOT_COMMIT, lost_log.log,
	                 bytes_slice(log, 0, lost_log.log_at + LOGFILE_BLOCK_BYTES)),
	    RP_OK);
	lost_log_look(true, true, true, true);
	lost_log_look(false, false, false, false);
	lost_log_end();
}

static void fill_two_files(struct task *task, void *arg)
{
	struct volume *volume;

	(void)arg;
	lost_log_start(task);
	for (unsigned u = CAROL; u <= BOB; u++) {
		volume = lost_log_open_user(task, u);
		lost_log_append(task, volume);
		lost_log.shown[u] = shown_of(volume, "INBOX");
	}
	for (unsigned i = 0; i < LOST_LOG_FILE_BYTES / LOGFILE_BLOCK_BYTES + 8; i++)
		lost_log_append(task, volume);
	lost_log.shown[BOB] = shown_of(volume, "INBOX");
}

/* Its header is sound, and nothing else: what there is begins in the next one, as if all before were settled. */
Test(log_loss, a_log_in_which_nothing_is_any_more_raises_all)
{
	struct bytes log;
	uint8_t *copy;

	lost_log_two_lives();
	lost_log_look(false, false, false, false);
	io_fixture_run(&lost_log.fixture, fill_two_files, NULL);
	lost_log_crash();
	lost_log.log[0] = '\0';
	sim_disk_walk(lost_log.fixture.world, lost_log_find, NULL);
	cr_assert_eq(
	    sim_disk_read(lost_log.fixture.world, FILE_ROOT_COMMIT, lost_log.log, &log), RP_OK);
	copy = calloc(1, log.n);
	memcpy(copy, log.p, LOGFILE_FIRST_OFFSET);
	cr_assert_eq(sim_disk_write(lost_log.fixture.world, FILE_ROOT_COMMIT, lost_log.log,
	                 bytes_of(copy, log.n)),
	    RP_OK);
	free(copy);
	lost_log_look(true, true, false, true);
	lost_log_look(false, false, false, false);
	lost_log_end();
}

/* The end of the log cannot be read: what was written last may have been there. */
Test(log_loss, a_tail_that_cannot_be_read_raises_all)
{
	struct sim_broken broken = {.read = EIO};

	lost_log_two_lives();
	broken.read_from = lost_log.log_at + 3 * LOGFILE_BLOCK_BYTES;
	broken.read_to = broken.read_from + LOGFILE_BLOCK_BYTES;
	cr_assert_eq(
	    sim_break_file(lost_log.fixture.world, FILE_ROOT_COMMIT, lost_log.log, &broken), RP_OK);
	lost_log_look(true, true, true, true);
	lost_log_end();
}

/* Where the last run has ended in order nothing was in them. */
Test(log_loss, logs_in_which_nothing_was_raise_nothing)
{
	lost_log_two_lives();
	lost_log_look(false, false, false, false);
	for (uint64_t number = 1; number <= LOG_FILES; number++) {
		char path[LOGFILE_PATH_BYTES];

		logfile_path(0, number, path);
		lose_headers(path);
		lost_log_look(false, false, false, false);
		put(path, 0, 0, LOGFILE_FIRST_OFFSET);
		lost_log_look(false, false, false, false);
		cut(path, 64);
		lost_log_look(false, false, false, false);
		cr_assert_eq(sim_disk_remove(lost_log.fixture.world, FILE_ROOT_COMMIT, path), RP_OK);
		lost_log_look(false, false, false, false);
	}
	lost_log_end();
}

/* ---- what is lost later ---- */

static void lose_bob(void)
{
	lost_log_spoil(3, 64 + 96 + 5, 1);
}

/* It was sound when the logs were read, and is not when it is to be placed: whose it is is known. */
Test(log_loss, a_record_that_is_lost_meanwhile_raises_its_user)
{
	lost_log_two_lives();
	lost_log.meanwhile = lose_bob;
	lost_log_look(false, false, true, false);
	lost_log.meanwhile = NULL;
	lost_log_look(false, false, false, false);
	lost_log_end();
}

static void only_start(struct task *task, void *arg)
{
	(void)arg;
	lost_log_start(task);
	lost_log_stop(task);
}

Test(log_loss, a_record_that_is_lost_meanwhile_raises_its_user_before_he_comes)
{
	lost_log_two_lives();
	lost_log.meanwhile = lose_bob;
	io_fixture_run(&lost_log.fixture, only_start, NULL);
	io_fixture_settle(&lost_log.fixture);
	lost_log.meanwhile = NULL;
	lost_log_look(false, false, true, false);
	lost_log_end();
}

/* ---- who has lost all ---- */

static const struct userid new_user = {{0x15}};

static struct shown new_shown;

static void begin_new(struct task *task, void *arg)
{
	struct volume *volume;

	(void)arg;
	lost_log_start(task);
	cr_assert_eq(volume_open(task, lost_log.store, &new_user, &volume), RP_OK);
	lost_log_append(task, volume);
	new_shown = shown_of(volume, "INBOX");
	volume = lost_log_open_user(task, BOB);
	lost_log_append(task, volume);
	lost_log.shown[BOB] = shown_of(volume, "INBOX");
}

static void look_at_new(struct task *task, void *arg)
{
	struct volume *volume;

	(void)arg;
	lost_log_start(task);
	cr_assert_eq(volume_open(task, lost_log.store, &new_user, &volume), RP_OK);
	cr_assert_gt(shown_of(volume, "INBOX").uidvalidity, new_shown.uidvalidity);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->mailboxid, 1);
	volume_close(volume);
	lost_log_stop(task);
}

/* What the power cut has left of him, if anything, and its folder. */
static void remove_new(struct task *task, void *arg)
{
	struct dir_entry *entries;
	struct arena arena;
	char dir[USERID_PATH_BYTES];
	size_t count = 0;
	enum rp_err err;

	(void)arg;
	userid_path(&new_user, dir);
	arena_init(&arena, 65536);
	err = dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count);
	cr_assert(err == RP_OK || err == RP_ERR_NOTFOUND);
	for (size_t i = 0; i < count; i++) {
		char path[VOLUME_PATH_BYTES];

		snprintf(path, sizeof(path), "%s/%.*s", dir, BYTES_FMT(entries[i].name));
		cr_assert_eq(file_remove(task, FILE_ROOT_DATA, path), RP_OK);
	}
	arena_fini(&arena);
	if (err == RP_OK)
		cr_assert_eq(dir_remove(task, FILE_ROOT_DATA, dir), RP_OK);
}

/* Nothing is left of him, not even a folder, and the clock was set back: his mailboxes are others. */
Test(log_loss, who_has_lost_all_begins_with_another_uidvalidity)
{
	lost_log_two_lives();
	lost_log_look(false, false, false, false);
	io_fixture_run(&lost_log.fixture, begin_new, NULL);
	lost_log_crash();
	lost_log.log[0] = '\0';
	sim_disk_walk(lost_log.fixture.world, lost_log_find, NULL);
	lost_log_spoil(1, 0, 2 * LOGFILE_BLOCK_BYTES);
	io_fixture_run(&lost_log.fixture, remove_new, NULL);
	sim_jump_wall(lost_log.fixture.world, -3600);
	io_fixture_run(&lost_log.fixture, look_at_new, NULL);
	lost_log_end();
}

/* ---- whom a loss spares ---- */

Test(log_loss, who_is_behind_all_that_is_lost_is_spared)
{
	struct log_losses losses;

	log_losses_init(&losses);
	cr_assert_eq(log_losses_epoch(&losses), 0);
	cr_assert(log_losses_spare(&losses, 0, 7, 1));
	cr_assert_eq(log_losses_add(&losses, 1, 7, 20), RP_OK);
	cr_assert_eq(log_losses_add(&losses, 1, 7, 10), RP_OK);
	cr_assert_eq(losses.count, 1);
	cr_assert_eq(log_losses_epoch(&losses), 7);
	cr_assert_not(log_losses_spare(&losses, 1, 7, 20));
	cr_assert(log_losses_spare(&losses, 1, 7, 21));
	cr_assert(log_losses_spare(&losses, 0, 7, 1), "one epoch's are all in one log");
	cr_assert_not(log_losses_spare(&losses, 1, 6, 99));
	cr_assert(log_losses_spare(&losses, 1, 8, 1));
	cr_assert_eq(log_losses_add(&losses, 0, 7, LOG_LOSS_ALL), RP_OK);
	cr_assert_not(log_losses_spare(&losses, 0, 7, 1000));
	log_losses_know(&losses, 7);
	cr_assert(log_losses_spare(&losses, 1, 7, 21), "it is the same that is met again");
	log_losses_know(&losses, 8);
	cr_assert_eq(log_losses_epoch(&losses), 8);
	cr_assert_not(log_losses_spare(&losses, 1, 8, 21));
	log_losses_fini(&losses);
}
