/* Where a part of a commit log is lost after a crash, no number that was shown is given out again, and whoever had nothing in it loses
 * nothing by that. */
#include "index/log_loss.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "index/claim.h"
#include "index/logfile.h"
#include "index/mailbox_state.h"
#include "index/repair.h"
#include "index/store_state.h"
#include "index/volume_floor.h"
#include "io/base/clock.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/index/shown.h"
#include "tests/io/io_fixture.h"

enum {
	CAROL, /* the first write of the life that ends in a crash */
	ALICE, /* the second */
	BOB,   /* the third, which says that the second was durable */
	DAVE,  /* nothing in it */
	USERS,
};

enum { LOG_OF_ALICE = 2, COMMIT_FILE_BYTES = 1024 * 1024 };

static const struct userid user[USERS] = {{{0x11}}, {{0x12}}, {{0x13}}, {{0x14}}};

static struct machine {
	struct io_fixture fixture;
	struct arena arena;
	struct claim *claim;
	struct store *store;
	uint64_t epoch;
	enum rp_err err; /* of a start */
	struct shown shown[USERS];
	char log[LOGFILE_PATH_BYTES]; /* where the three writes lie; and from where on */
	uint64_t log_at;
	void (*meanwhile)(void); /* between the reading of the logs and what follows */
	bool not_void;
} machine;

static void new_loop(void)
{
	struct loop_settings settings = {.files_max = 64};

	cr_assert_eq(sim_loop_open(machine.fixture.world, &settings, &machine.fixture.loop), RP_OK);
}

static void start(struct task *task)
{
	struct store_settings settings = small_store();
	const char *reason = "";

	cr_assert_eq(settings.commit_file_bytes, COMMIT_FILE_BYTES);

	arena_init(&machine.arena, 65536);
	machine.err =
	    store_claim(task, &machine.arena, 1, &machine.claim, &machine.epoch, &reason);
	if (machine.err == RP_OK)
		machine.err =
		    store_open(task, &settings, machine.epoch, &machine.store, &reason);
	if (machine.err != RP_OK)
		return;
	if (machine.meanwhile != NULL)
		machine.meanwhile();
	if (machine.not_void)
		return;
	cr_assert_eq(store_recover(task, machine.store), RP_OK);
	cr_assert_eq(store_recover_void(task, machine.store), RP_OK);
	cr_assert_eq(store_recovered(task, machine.store), RP_OK);
}

static void stop(struct task *task)
{
	if (machine.err == RP_OK)
		cr_assert_eq(store_close(task, machine.store), RP_OK);
	store_unclaim(machine.claim);
	machine.claim = NULL;
	arena_fini(&machine.arena);
	cr_assert_eq(task_sleep(task, CLOCK_NS_PER_S), RP_OK); /* till the files are closed, and the locks gone */
}

static void append(struct task *task, struct volume *volume)
{
	made_append(task, volume, "INBOX", 0, "a message");
	cr_assert_eq(store_wait_durable(task, machine.store, volume_position(volume)), RP_OK);
}

static struct volume *open_user(struct task *task, unsigned u)
{
	struct volume *volume;

	cr_assert_eq(volume_open(task, machine.store, &user[u], &volume), RP_OK);
	return volume;
}

static void begin(struct task *task, void *arg)
{
	(void)arg;
	start(task);
	for (unsigned u = 0; u < USERS; u++) {
		struct volume *volume = open_user(task, u);

		append(task, volume);
		machine.shown[u] = shown_of(volume, "INBOX");
		volume_close(volume);
	}
	stop(task);
}

static void change(struct task *task, void *arg)
{
	(void)arg;
	start(task);
	for (unsigned u = CAROL; u <= BOB; u++) {
		struct volume *volume = open_user(task, u);

		append(task, volume);
		machine.shown[u] = shown_of(volume, "INBOX");
	}
}

/* The power goes before anything that was settled is flushed. Nobody unwinds: what was held is remembered, so that no leak is seen. */
static void crash(void)
{
	enum { CRASHES_MAX = 4 };
	static struct machine crashed[CRASHES_MAX];
	static struct machine *kept = crashed; /* as a pointer, so that gcc sees a use */
	static unsigned count;

	cr_assert_lt(count, CRASHES_MAX);
	kept[count++] = machine;
	machine.claim = NULL;
	sim_crash(machine.fixture.world);
	new_loop();
}

static void find_log(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	struct bytes log;

	(void)arg;
	if (root != FILE_ROOT_COMMIT || strcmp(path, "owner") == 0)
		return;
	cr_assert_eq(sim_disk_read(machine.fixture.world, root, path, &log), RP_OK);
	for (uint64_t at = LOGFILE_FIRST_OFFSET; at < bytes; at += LOGFILE_BLOCK_BYTES) {
		struct format_header header;
		struct logfile_write write;

		memcpy(&header, log.p, sizeof(header));
		if (logfile_check_write(bytes_from(log, at), header.nonce, &write) != RP_OK ||
		    write.number != 1 || header.epoch != machine.epoch)
			continue;
		strcpy(machine.log, path);
		machine.log_at = at;
	}
}

/* Two lives: all four get mail, and the end is in order; then three do, one after the other, and the power goes. */
static void two_lives(void)
{
	machine = (struct machine){0};
	io_fixture_open(&machine.fixture, IO_FIXTURE_SIM, 0);
	io_fixture_run(&machine.fixture, begin, NULL);
	io_fixture_settle(&machine.fixture);
	io_fixture_run(&machine.fixture, change, NULL);
	crash();
	sim_disk_walk(machine.fixture.world, find_log, NULL);
	cr_assert(machine.log[0] != '\0');
}

/* In the log, from the beginning of its n-th write on (from 1). */
static void spoil(unsigned write, uint64_t at, size_t n)
{
	struct bytes log;
	uint8_t *copy;

	cr_assert_eq(
	    sim_disk_read(machine.fixture.world, FILE_ROOT_COMMIT, machine.log, &log), RP_OK);
	copy = malloc(log.n);
	memcpy(copy, log.p, log.n);
	for (size_t i = 0; i < n; i++)
		copy[machine.log_at + (uint64_t)(write - 1) * LOGFILE_BLOCK_BYTES + at + i] ^= 0x41;
	cr_assert_eq(sim_disk_write(machine.fixture.world, FILE_ROOT_COMMIT, machine.log,
	                 bytes_of(copy, log.n)),
	    RP_OK);
	free(copy);
}

static void lose_alice(void)
{
	spoil(LOG_OF_ALICE, 0, LOGFILE_BLOCK_BYTES);
}

/* Above what he was told; or what it was, but for nothing that is lost. */
static void assert_numbers(struct task *task, unsigned u, bool raised)
{
	struct volume *volume = open_user(task, u);
	struct shown now = shown_of(volume, "INBOX");

	cr_assert_eq(now.uidvalidity, machine.shown[u].uidvalidity);
	if (raised) {
		cr_assert_gt(now.uidnext, machine.shown[u].uidnext + (1 << 25), "user %u: %u, not above %u", u, now.uidnext, machine.shown[u].uidnext);
		cr_assert_gt(
		    now.highestmodseq, machine.shown[u].highestmodseq + (1 << 20), "user %u: %lu, not above %lu", u, now.highestmodseq, machine.shown[u].highestmodseq);
	} else {
		cr_assert_eq(now.uidnext, machine.shown[u].uidnext, "user %u", u);
		cr_assert_eq(now.highestmodseq, machine.shown[u].highestmodseq, "user %u", u);
	}
	append(task, volume);
	machine.shown[u] = shown_of(volume, "INBOX");
	volume_close(volume);
}

static bool raised[USERS];

static void look(struct task *task, void *arg)
{
	(void)arg;
	start(task);
	cr_assert_eq(machine.err, RP_OK, "%s", err_name(machine.err));
	for (unsigned u = 0; u < USERS; u++)
		assert_numbers(task, u, raised[u]);
	if (!machine.not_void)
		stop(task);
}

/* A start after which these are raised, all have had mail, and the end is in order. */
static void start_and_look(bool carol, bool alice, bool bob, bool dave)
{
	const bool expected[USERS] = {carol, alice, bob, dave};

	memcpy(raised, expected, sizeof(raised));
	io_fixture_run(&machine.fixture, look, NULL);
	if (!machine.not_void)
		io_fixture_settle(&machine.fixture);
}

static void end(void)
{
	io_fixture_close(&machine.fixture);
}

Test(log_loss, nothing_is_raised_where_nothing_is_lost)
{
	two_lives();
	start_and_look(false, false, false, false);
	end();
}

/* Nobody has said that the last write was durable. */
Test(log_loss, a_torn_tail_raises_nothing)
{
	two_lives();
	spoil(4, 0, LOGFILE_BLOCK_BYTES);
	start_and_look(false, false, false, false);
	end();
}

/* Bob's record comes behind what is lost. Of the others nothing tells, and once is enough. */
Test(log_loss, a_lost_write_raises_whom_no_later_one_is_of)
{
	two_lives();
	lose_alice();
	start_and_look(true, true, false, true);
	start_and_look(false, false, false, false);
	end();
}

/* The header says how many records there were, and they are there: of one the body is damaged. */
Test(log_loss, a_write_whose_records_are_all_there_raises_nothing)
{
	two_lives();
	spoil(LOG_OF_ALICE, 64 + 96 + 400, 1);
	start_and_look(false, false, false, false);
	end();
}

/* The power goes again before the logs are made void: the same damage is met once more. */
Test(log_loss, a_start_that_is_cut_short_raises_once_too)
{
	two_lives();
	lose_alice();
	machine.not_void = true;
	start_and_look(true, true, false, true);
	crash();
	machine.not_void = false;
	start_and_look(false, false, false, false);
	start_and_look(false, false, false, false);
	end();
}

static void only_bob(struct task *task, void *arg)
{
	(void)arg;
	start(task);
	assert_numbers(task, BOB, false);
	stop(task);
}

/* The logs are void long since, and the files of them that told of it are used again. */
Test(log_loss, who_comes_late_is_raised_too)
{
	two_lives();
	lose_alice();
	for (unsigned i = 0; i < 4; i++) {
		io_fixture_run(&machine.fixture, only_bob, NULL);
		io_fixture_settle(&machine.fixture);
	}
	start_and_look(true, true, false, true);
	start_and_look(false, false, false, false);
	end();
}

/* No log file is left that could tell: DATA/store does. */
Test(log_loss, who_comes_late_is_raised_though_the_logs_are_new)
{
	two_lives();
	lose_alice();
	io_fixture_run(&machine.fixture, only_bob, NULL);
	io_fixture_settle(&machine.fixture);
	(void)!sim_disk_remove(machine.fixture.world, FILE_ROOT_COMMIT, "0/1.log");
	(void)!sim_disk_remove(machine.fixture.world, FILE_ROOT_COMMIT, "0/2.log");
	(void)!sim_disk_remove(machine.fixture.world, FILE_ROOT_COMMIT, "0/3.log");
	start_and_look(true, true, false, true);
	end();
}

static void two_losses(struct task *task, void *arg)
{
	(void)arg;
	start(task);
	for (unsigned u = CAROL; u <= BOB; u++)
		assert_numbers(task, u, u != BOB);
}

Test(log_loss, each_loss_raises_once)
{
	two_lives();
	lose_alice();
	/* Of Bob, who is spared, one write; then of each of the others one that raises, and of all three a message. Now the one is lost that has
	 * raised Alice, of whom there is a later one. */
	io_fixture_run(&machine.fixture, two_losses, NULL);
	crash();
	machine.log[0] = '\0';
	sim_disk_walk(machine.fixture.world, find_log, NULL);
	spoil(4, 0, LOGFILE_BLOCK_BYTES);
	start_and_look(true, false, false, true);
	start_and_look(false, false, false, false);
	end();
}

/* ---- whole files ---- */

Test(log_loss, a_log_that_is_gone_raises_all)
{
	two_lives();
	cr_assert_eq(
	    sim_disk_remove(machine.fixture.world, FILE_ROOT_COMMIT, machine.log), RP_OK);
	start_and_look(true, true, true, true);
	start_and_look(false, false, false, false);
	end();
}

static void lose_headers(const char *path)
{
	struct bytes log;
	uint8_t *copy;

	cr_assert_eq(sim_disk_read(machine.fixture.world, FILE_ROOT_COMMIT, path, &log), RP_OK);
	copy = malloc(log.n);
	memcpy(copy, log.p, log.n);
	memset(copy, 0x55, LOGFILE_FIRST_OFFSET);
	cr_assert_eq(sim_disk_write(
	                 machine.fixture.world, FILE_ROOT_COMMIT, path, bytes_of(copy, log.n)),
	    RP_OK);
	free(copy);
}

Test(log_loss, a_log_without_a_header_raises_all)
{
	two_lives();
	lose_headers(machine.log);
	start_and_look(true, true, true, true);
	start_and_look(false, false, false, false);
	end();
}

/* Another shard's, or one that was copied from elsewhere. */
Test(log_loss, a_log_that_is_another_raises_all)
{
	const char *other;
	struct bytes log;
	uint8_t *copy;

	two_lives();
	other = strcmp(machine.log, "0/1.log") == 0 ? "0/2.log" : "0/1.log";
	cr_assert_eq(sim_disk_read(machine.fixture.world, FILE_ROOT_COMMIT, other, &log), RP_OK);
	copy = malloc(log.n);
	memcpy(copy, log.p, log.n);
	cr_assert_eq(sim_disk_write(machine.fixture.world, FILE_ROOT_COMMIT, machine.log,
	                 bytes_of(copy, log.n)),
	    RP_OK);
	free(copy);
	start_and_look(true, true, true, true);
	start_and_look(false, false, false, false);
	end();
}

Test(log_loss, a_log_that_is_cut_raises_all)
{
	struct bytes log;

	two_lives();
	cr_assert_eq(
	    sim_disk_read(machine.fixture.world, FILE_ROOT_COMMIT, machine.log, &log), RP_OK);
	cr_assert_eq(sim_disk_write(machine.fixture.world, FILE_ROOT_COMMIT, machine.log,
	                 bytes_slice(log, 0, machine.log_at + LOGFILE_BLOCK_BYTES)),
	    RP_OK);
	start_and_look(true, true, true, true);
	start_and_look(false, false, false, false);
	end();
}

static void fill_two_files(struct task *task, void *arg)
{
	struct volume *volume;

	(void)arg;
	start(task);
	for (unsigned u = CAROL; u <= BOB; u++) {
		volume = open_user(task, u);
		append(task, volume);
		machine.shown[u] = shown_of(volume, "INBOX");
	}
	for (unsigned i = 0; i < COMMIT_FILE_BYTES / LOGFILE_BLOCK_BYTES + 8; i++)
		append(task, volume);
	machine.shown[BOB] = shown_of(volume, "INBOX");
}

/* Its header is sound, and nothing else: what there is begins in the next one, as if all before were settled. */
Test(log_loss, a_log_in_which_nothing_is_any_more_raises_all)
{
	struct bytes log;
	uint8_t *copy;

	two_lives();
	start_and_look(false, false, false, false);
	io_fixture_run(&machine.fixture, fill_two_files, NULL);
	crash();
	machine.log[0] = '\0';
	sim_disk_walk(machine.fixture.world, find_log, NULL);
	cr_assert_eq(
	    sim_disk_read(machine.fixture.world, FILE_ROOT_COMMIT, machine.log, &log), RP_OK);
	copy = calloc(1, log.n);
	memcpy(copy, log.p, LOGFILE_FIRST_OFFSET);
	cr_assert_eq(sim_disk_write(machine.fixture.world, FILE_ROOT_COMMIT, machine.log,
	                 bytes_of(copy, log.n)),
	    RP_OK);
	free(copy);
	start_and_look(true, true, false, true);
	start_and_look(false, false, false, false);
	end();
}

/* The end of the log cannot be read: what was written last may have been there. */
Test(log_loss, a_tail_that_cannot_be_read_raises_all)
{
	struct sim_broken broken = {.read = EIO};

	two_lives();
	broken.read_from = machine.log_at + 3 * LOGFILE_BLOCK_BYTES;
	broken.read_to = broken.read_from + LOGFILE_BLOCK_BYTES;
	cr_assert_eq(
	    sim_break_file(machine.fixture.world, FILE_ROOT_COMMIT, machine.log, &broken), RP_OK);
	start_and_look(true, true, true, true);
	end();
}

/* Where the last run has ended in order nothing was in them. */
Test(log_loss, logs_in_which_nothing_was_raise_nothing)
{
	static const char *const path[] = {"0/1.log", "0/2.log", "0/3.log"};

	two_lives();
	start_and_look(false, false, false, false);
	for (unsigned i = 0; i < 3; i++) {
		lose_headers(path[i]);
		start_and_look(false, false, false, false);
		cr_assert_eq(
		    sim_disk_remove(machine.fixture.world, FILE_ROOT_COMMIT, path[i]), RP_OK);
		start_and_look(false, false, false, false);
	}
	end();
}

/* ---- what is lost later ---- */

static void lose_bob(void)
{
	spoil(3, 64 + 96 + 5, 1);
}

/* It was sound when the logs were read, and is not when it is to be placed: whose it is is known. */
Test(log_loss, a_record_that_is_lost_meanwhile_raises_its_user)
{
	two_lives();
	machine.meanwhile = lose_bob;
	start_and_look(false, false, true, false);
	machine.meanwhile = NULL;
	start_and_look(false, false, false, false);
	end();
}

static void only_start(struct task *task, void *arg)
{
	(void)arg;
	start(task);
	stop(task);
}

Test(log_loss, a_record_that_is_lost_meanwhile_raises_its_user_before_he_comes)
{
	two_lives();
	machine.meanwhile = lose_bob;
	io_fixture_run(&machine.fixture, only_start, NULL);
	io_fixture_settle(&machine.fixture);
	machine.meanwhile = NULL;
	start_and_look(false, false, true, false);
	end();
}

/* ---- who has lost all ---- */

static const struct userid new_user = {{0x15}};

static struct shown new_shown;

static void begin_new(struct task *task, void *arg)
{
	struct volume *volume;

	(void)arg;
	start(task);
	cr_assert_eq(volume_open(task, machine.store, &new_user, &volume), RP_OK);
	append(task, volume);
	new_shown = shown_of(volume, "INBOX");
	volume = open_user(task, BOB);
	append(task, volume);
	machine.shown[BOB] = shown_of(volume, "INBOX");
}

static void look_at_new(struct task *task, void *arg)
{
	struct volume *volume;

	(void)arg;
	start(task);
	cr_assert_eq(volume_open(task, machine.store, &new_user, &volume), RP_OK);
	cr_assert_gt(shown_of(volume, "INBOX").uidvalidity, new_shown.uidvalidity);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->mailboxid, 1);
	volume_close(volume);
	stop(task);
}

/* Nothing is left of him, not even a folder, and the clock was set back: his mailboxes are others. */
Test(log_loss, who_has_lost_all_begins_with_another_uidvalidity)
{
	two_lives();
	start_and_look(false, false, false, false);
	io_fixture_run(&machine.fixture, begin_new, NULL);
	crash();
	machine.log[0] = '\0';
	sim_disk_walk(machine.fixture.world, find_log, NULL);
	spoil(1, 0, 2 * LOGFILE_BLOCK_BYTES);
	sim_jump_wall(machine.fixture.world, -3600);
	io_fixture_run(&machine.fixture, look_at_new, NULL);
	end();
}

/* ---- a repair without the logs ---- */

static void repair_store(struct task *task, void *arg)
{
	(void)arg;
	start(task);
	cr_assert_eq(machine.err, RP_ERR_CORRUPT);
	stop(task);
	cr_assert_eq(store_claim_renew(task), RP_OK);
}

static void remove_all(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	char(*paths)[LOGFILE_PATH_BYTES] = arg;

	(void)bytes;
	if (root == FILE_ROOT_COMMIT)
		for (unsigned i = 0; i < 8; i++)
			if (paths[i][0] == '\0') {
				strcpy(paths[i], path);
				break;
			}
}

Test(log_loss, a_repair_without_the_logs_raises_all)
{
	char paths[8][LOGFILE_PATH_BYTES] = {{0}};

	two_lives();
	sim_disk_walk(machine.fixture.world, remove_all, paths);
	for (unsigned i = 0; i < 8 && paths[i][0] != '\0'; i++)
		cr_assert_eq(
		    sim_disk_remove(machine.fixture.world, FILE_ROOT_COMMIT, paths[i]), RP_OK);
	io_fixture_run(&machine.fixture, repair_store, NULL);
	io_fixture_settle(&machine.fixture);
	start_and_look(true, true, true, true);
	start_and_look(false, false, false, false);
	end();
}

/* Only their owner file is gone: they are the last run's. */
Test(log_loss, a_repair_with_the_logs_raises_nothing)
{
	two_lives();
	cr_assert_eq(sim_disk_remove(machine.fixture.world, FILE_ROOT_COMMIT, "owner"), RP_OK);
	io_fixture_run(&machine.fixture, repair_store, NULL);
	io_fixture_settle(&machine.fixture);
	start_and_look(false, false, false, false);
	end();
}

/* DATA/store is lost, and what it told of losses is in the logs. */
Test(log_loss, a_repair_without_the_store_forgets_no_loss)
{
	two_lives();
	lose_alice();
	io_fixture_run(&machine.fixture, only_bob, NULL);
	io_fixture_settle(&machine.fixture);
	cr_assert_eq(sim_disk_remove(machine.fixture.world, FILE_ROOT_DATA, "store"), RP_OK);
	io_fixture_run(&machine.fixture, repair_store, NULL);
	io_fixture_settle(&machine.fixture);
	start_and_look(true, true, false, true);
	end();
}

static void repair_alice(struct task *task, void *arg)
{
	struct repair_report report;

	(void)arg;
	start(task);
	cr_assert_eq(
	    repair_rebuild(task, machine.store, &user[ALICE], NULL, NULL, &report), RP_OK);
	cr_assert_not(repair_found_damage(&report));
	assert_numbers(task, ALICE, true);
	stop(task);
}

/* A repair comes before he does: it raises as much, and leaves nothing that is missing. */
Test(log_loss, a_repair_raises_too)
{
	two_lives();
	lose_alice();
	io_fixture_run(&machine.fixture, repair_alice, NULL);
	io_fixture_settle(&machine.fixture);
	start_and_look(true, false, false, true);
	end();
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
