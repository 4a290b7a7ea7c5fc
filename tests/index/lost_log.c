#include "tests/index/lost_log.h"

#include <stdlib.h>
#include <string.h>

#include "io/base/clock.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"

const struct userid lost_log_user[LOST_LOG_USERS] = {{{0x11}}, {{0x12}}, {{0x13}}, {{0x14}}};

struct lost_log lost_log;

static void new_loop(void)
{
	struct loop_settings settings = {.files_max = 64};

	cr_assert_eq(sim_loop_open(lost_log.fixture.world, &settings, &lost_log.fixture.loop), RP_OK);
}

void lost_log_start(struct task *task)
{
	struct store_settings settings = small_store();
	const char *reason = "";

	cr_assert_eq(settings.commit_file_bytes, LOST_LOG_FILE_BYTES);

	arena_init(&lost_log.arena, 65536);
	lost_log.err =
	    store_claim(task, &lost_log.arena, 1, &lost_log.claim, &lost_log.epoch, &reason);
	if (lost_log.err == RP_OK)
		lost_log.err =
		    store_open(task, &settings, lost_log.epoch, &lost_log.store, &reason);
	if (lost_log.err != RP_OK)
		return;
	if (lost_log.meanwhile != NULL)
		lost_log.meanwhile();
	if (lost_log.not_void)
		return;
	cr_assert_eq(store_recover(task, lost_log.store), RP_OK);
	cr_assert_eq(store_recover_void(task, lost_log.store), RP_OK);
	cr_assert_eq(store_recovered(task, lost_log.store), RP_OK);
}

void lost_log_stop(struct task *task)
{
	if (lost_log.err == RP_OK)
		cr_assert_eq(store_close(task, lost_log.store), RP_OK);
	store_unclaim(lost_log.claim);
	lost_log.claim = NULL;
	arena_fini(&lost_log.arena);
	cr_assert_eq(task_sleep(task, CLOCK_NS_PER_S), RP_OK); /* till the files are closed, and the locks gone */
}

void lost_log_append(struct task *task, struct volume *volume)
{
	made_append(task, volume, "INBOX", 0, "a message");
	cr_assert_eq(store_wait_durable(task, lost_log.store, volume_position(volume)), RP_OK);
}

struct volume *lost_log_open_user(struct task *task, unsigned u)
{
	struct volume *volume;

	cr_assert_eq(volume_open(task, lost_log.store, &lost_log_user[u], &volume), RP_OK);
	return volume;
}

static void begin(struct task *task, void *arg)
{
	(void)arg;
	lost_log_start(task);
	for (unsigned u = 0; u < LOST_LOG_USERS; u++) {
		struct volume *volume = lost_log_open_user(task, u);

		lost_log_append(task, volume);
		lost_log.shown[u] = shown_of(volume, "INBOX");
		volume_close(volume);
	}
	lost_log_stop(task);
}

static void change(struct task *task, void *arg)
{
	(void)arg;
	lost_log_start(task);
	for (unsigned u = CAROL; u <= BOB; u++) {
		struct volume *volume = lost_log_open_user(task, u);

		lost_log_append(task, volume);
		lost_log.shown[u] = shown_of(volume, "INBOX");
	}
}

/* The power goes before anything that was settled is flushed. Nobody unwinds: what was held is remembered, so that no leak is seen. */
void lost_log_crash(void)
{
	enum { CRASHES_MAX = 4 };
	static struct lost_log crashed[CRASHES_MAX];
	static struct lost_log *kept = crashed; /* as a pointer, so that gcc sees a use */
	static unsigned count;

	cr_assert_lt(count, CRASHES_MAX);
	kept[count++] = lost_log;
	lost_log.claim = NULL;
	sim_crash(lost_log.fixture.world);
	new_loop();
}

void lost_log_find(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	struct bytes log;

	(void)arg;
	if (root != FILE_ROOT_COMMIT || strcmp(path, "owner") == 0)
		return;
	cr_assert_eq(sim_disk_read(lost_log.fixture.world, root, path, &log), RP_OK);
	for (uint64_t at = LOGFILE_FIRST_OFFSET; at < bytes; at += LOGFILE_BLOCK_BYTES) {
		struct format_header header;
		struct logfile_write write;

		memcpy(&header, log.p, sizeof(header));
		if (logfile_check_write(bytes_from(log, at), header.nonce, &write) != RP_OK ||
		    write.number != 1 || header.epoch != lost_log.epoch)
			continue;
		strcpy(lost_log.log, path);
		lost_log.log_at = at;
	}
}

/* Two lives: all four get mail, and the end is in order; then three do, one after the other, and the power goes. */
void lost_log_two_lives(void)
{
	lost_log = (struct lost_log){0};
	io_fixture_open(&lost_log.fixture, IO_FIXTURE_SIM, 0);
	io_fixture_run(&lost_log.fixture, begin, NULL);
	io_fixture_settle(&lost_log.fixture);
	io_fixture_run(&lost_log.fixture, change, NULL);
	lost_log_crash();
	sim_disk_walk(lost_log.fixture.world, lost_log_find, NULL);
	cr_assert(lost_log.log[0] != '\0');
}

/* In the log, from the beginning of its n-th write on (from 1). */
void lost_log_spoil(unsigned write, uint64_t at, size_t n)
{
	struct bytes log;
	uint8_t *copy;

	cr_assert_eq(
	    sim_disk_read(lost_log.fixture.world, FILE_ROOT_COMMIT, lost_log.log, &log), RP_OK);
	copy = malloc(log.n);
	memcpy(copy, log.p, log.n);
	for (size_t i = 0; i < n; i++)
		copy[lost_log.log_at + (uint64_t)(write - 1) * LOGFILE_BLOCK_BYTES + at + i] ^= 0x41;
	cr_assert_eq(sim_disk_write(lost_log.fixture.world, FILE_ROOT_COMMIT, lost_log.log,
	                 bytes_of(copy, log.n)),
	    RP_OK);
	free(copy);
}

void lost_log_lose_alice(void)
{
	lost_log_spoil(LOG_OF_ALICE, 0, LOGFILE_BLOCK_BYTES);
}

/* Above what he was told; or what it was, but for nothing that is lost. */
void lost_log_assert_numbers(struct task *task, unsigned u, bool raised)
{
	struct volume *volume = lost_log_open_user(task, u);
	struct shown now = shown_of(volume, "INBOX");

	cr_assert_eq(now.uidvalidity, lost_log.shown[u].uidvalidity);
	if (raised) {
		cr_assert_gt(now.uidnext, lost_log.shown[u].uidnext + (1 << 25), "user %u: %u, not above %u", u, now.uidnext, lost_log.shown[u].uidnext);
		cr_assert_gt(
		    now.highestmodseq, lost_log.shown[u].highestmodseq + (1 << 20), "user %u: %lu, not above %lu", u, now.highestmodseq, lost_log.shown[u].highestmodseq);
	} else {
		cr_assert_eq(now.uidnext, lost_log.shown[u].uidnext, "user %u", u);
		cr_assert_eq(now.highestmodseq, lost_log.shown[u].highestmodseq, "user %u", u);
	}
	lost_log_append(task, volume);
	lost_log.shown[u] = shown_of(volume, "INBOX");
	volume_close(volume);
}

static bool raised[LOST_LOG_USERS];

static void look(struct task *task, void *arg)
{
	(void)arg;
	lost_log_start(task);
	cr_assert_eq(lost_log.err, RP_OK, "%s", err_name(lost_log.err));
	for (unsigned u = 0; u < LOST_LOG_USERS; u++)
		lost_log_assert_numbers(task, u, raised[u]);
	if (!lost_log.not_void)
		lost_log_stop(task);
}

/* A start after which these are raised, all have had mail, and the end is in order. */
void lost_log_look(bool carol, bool alice, bool bob, bool dave)
{
	const bool expected[LOST_LOG_USERS] = {carol, alice, bob, dave};

	memcpy(raised, expected, sizeof(raised));
	io_fixture_run(&lost_log.fixture, look, NULL);
	if (!lost_log.not_void)
		io_fixture_settle(&lost_log.fixture);
}

void lost_log_end(void)
{
	io_fixture_close(&lost_log.fixture);
}

void lost_log_only_bob(struct task *task, void *arg)
{
	(void)arg;
	lost_log_start(task);
	lost_log_assert_numbers(task, BOB, false);
	lost_log_stop(task);
}
