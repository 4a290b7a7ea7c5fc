/* Files of one user that the disk does not give for a while, or for good, and who may conclude what from it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "index/claim.h"
#include "index/repair/repair.h"
#include "index/volume_files.h"
#include "index/volume_state.h"
#include "io/base/clock.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
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

static enum rp_err start(struct task *task, struct arena *arena, struct claim **claim,
    struct store **store, const char **reason)
{
	struct store_settings settings = small_store();
	uint64_t epoch;
	enum rp_err err = store_claim(task, arena, 1, claim, &epoch, reason);

	if (err != RP_OK)
		return err;
	err = store_open(task, &settings, epoch, store, reason);
	if (err != RP_OK)
		store_unclaim(*claim);
	return err;
}

/* Epoch 1 is claimed, and made_mail()'s. */
static void claimed_mail(struct task *task, uint64_t *digest)
{
	struct claim *claim;
	struct arena arena;
	uint64_t epoch;
	const char *reason;

	arena_init(&arena, 65536);
	cr_assert_eq(store_claim(task, &arena, 1, &claim, &epoch, &reason), RP_OK);
	cr_assert_eq(epoch, 1);
	made_mail(task, digest);
	store_unclaim(claim);
	arena_fini(&arena);
}

static uint64_t ms_since(const struct io_fixture *fixture, uint64_t begun_ns)
{
	return (sim_now_ns(fixture->world) - begun_ns) / CLOCK_NS_PER_MS;
}

/* For some seconds nothing can be opened, listed or read: the start takes that long. */
SIM_TASK_TEST(away, a_server_that_starts_waits_for_the_disk)
{
	struct io_fixture *fixture = arg;
	uint64_t begun_ns;
	uint64_t digest;
	struct volume *volume;
	struct claim *claim;
	struct store *store;
	struct arena arena;
	const char *reason;

	arena_init(&arena, 65536);
	claimed_mail(task, &digest);
	begun_ns = sim_now_ns(fixture->world);
	sim_disk_away(fixture->world, begun_ns + 12 * CLOCK_NS_PER_S);
	cr_assert_eq(start(task, &arena, &claim, &store, &reason), RP_OK, "%s", reason);
	cr_assert_geq(ms_since(fixture, begun_ns), 12000);
	cr_assert_eq(store_recover(task, store), RP_OK);
	cr_assert_eq(store_recover_void(task, store), RP_OK);
	cr_assert_eq(store_recovered(task, store), RP_OK);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(model_digest(task, volume), digest);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	store_unclaim(claim);
	arena_fini(&arena);
}

/* It does not come back: the server ends, and has touched nothing. */
SIM_TASK_TEST(away, a_server_that_starts_does_not_wait_for_ever)
{
	struct io_fixture *fixture = arg;
	uint64_t begun_ns;
	uint64_t digest;
	struct claim *claim;
	struct store *store;
	struct arena arena;
	const char *reason = "";

	arena_init(&arena, 65536);
	claimed_mail(task, &digest);
	begun_ns = sim_now_ns(fixture->world);
	sim_disk_away(fixture->world, UINT64_MAX);
	cr_assert_eq(start(task, &arena, &claim, &store, &reason), RP_ERR_IO);
	cr_assert_not_null(strstr(reason, "cannot be read"), "%s", reason);
	cr_assert_geq(ms_since(fixture, begun_ns), FILE_AWAY_MS);
	cr_assert_lt(ms_since(fixture, begun_ns), 2 * FILE_AWAY_MS);
	sim_disk_away(fixture->world, 0);
	all_is_there(task, 2, digest);
	arena_fini(&arena);
}

struct starting {
	enum rp_err err;
	bool ended;
};

static void start_task(struct task *task, void *arg)
{
	struct starting *starting = arg;
	struct claim *claim;
	struct store *store;
	struct arena arena;
	const char *reason;

	arena_init(&arena, 65536);
	starting->err = start(task, &arena, &claim, &store, &reason);
	arena_fini(&arena);
	starting->ended = true;
}

/* SIGTERM meanwhile: nobody waits any more, whatever it is that he waits for. */
SIM_TASK_TEST(away, a_server_that_stops_waits_for_no_disk)
{
	struct io_fixture *fixture = arg;
	struct looking looking = {0};
	struct starting starting = {0};
	uint64_t begun_ns;
	uint64_t digest;

	made_mail(task, &digest);
	put_store(task);
	looking.store = made_open_store(task, 2);
	break_files(task, fixture, ".journal", &lost);
	cr_assert_eq(task_start(task_loop(task), check_task, &looking, NULL), RP_OK);
	cr_assert_eq(task_sleep(task, CLOCK_NS_PER_S), RP_OK);
	sim_disk_away(fixture->world, UINT64_MAX);
	cr_assert_eq(task_start(task_loop(task), start_task, &starting, NULL), RP_OK);
	cr_assert_eq(task_sleep(task, CLOCK_NS_PER_S), RP_OK);
	cr_assert_not(looking.ended);
	cr_assert_not(starting.ended);
	begun_ns = sim_now_ns(fixture->world);
	file_wait_no_more(task_loop(task));
	while (!looking.ended || !starting.ended)
		cr_assert_eq(task_sleep(task, CLOCK_NS_PER_S / 10), RP_OK);
	cr_assert_leq(ms_since(fixture, begun_ns), 3000);
	cr_assert_eq(looking.err, RP_ERR_UNAVAILABLE);
	cr_assert_eq(starting.err, RP_ERR_IO);
	sim_disk_away(fixture->world, 0);
	break_files(task, fixture, ".journal", &back);
	cr_assert_eq(store_close(task, looking.store), RP_OK);
	all_is_there(task, 3, digest);
}

/* Of two sound copies of what a start needs one cannot be read for good. */
SIM_TASK_TEST(away, one_copy_of_the_epoch_is_enough)
{
	struct io_fixture *fixture = arg;

	for (unsigned i = 0; i < 2; i++) {
		const struct sim_broken copy = {
		    .read = EIO, .read_from = i * 4096, .read_to = (i + 1) * 4096};
		struct claim *claim;
		struct arena arena;
		uint64_t epoch;
		const char *reason;

		arena_init(&arena, 65536);
		cr_assert_eq(store_claim(task, &arena, 1, &claim, &epoch, &reason), RP_OK);
		cr_assert_eq(epoch, 2 * i + 1);
		store_unclaim(claim);
		cr_assert_eq(sim_break_file(fixture->world, FILE_ROOT_DATA, "store", &copy), RP_OK);
		cr_assert_eq(store_claim(task, &arena, 1, &claim, &epoch, &reason), RP_OK);
		cr_assert_eq(epoch, 2 * i + 2);
		store_unclaim(claim);
		cr_assert_eq(sim_break_file(fixture->world, FILE_ROOT_DATA, "store", &back), RP_OK);
		arena_fini(&arena);
	}
}

/* The newest catalog knows what the journal has lost: it is waited for, and not passed over for an older one, or for none. */
SIM_TASK_TEST(away, a_catalog_that_is_away_is_waited_for)
{
	struct io_fixture *fixture = arg;
	struct store *store;
	struct volume *volume;
	uint64_t digest;

	made_mail(task, &digest);
	put_store(task);
	store = made_open_store(task, 2);
	sim_disk_away(fixture->world, sim_now_ns(fixture->world) + 60 * CLOCK_NS_PER_S);
	cr_assert_neq(volume_open(task, store, &made_user, &volume), RP_OK);
	sim_disk_away(fixture->world, 0);
	break_files(task, fixture, ".catalog",
	    &(struct sim_broken){
	        .read = EIO, .read_until_ns = sim_now_ns(fixture->world) + 8 * CLOCK_NS_PER_S});
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_neq(volume->catalog_lsn, 0, "it was begun with");
	cr_assert_eq(model_digest(task, volume), digest);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	break_files(task, fixture, ".catalog", &lost);
	all_is_there(task, 3, digest);
}

/* His folder cannot be written: he reads, and changes nothing; all others go on. */
SIM_TASK_TEST(away, who_is_stuck_reads_and_changes_nothing)
{
	static const struct userid other_user = {{0x53, 0x45}};
	static const struct sim_broken broken = {.read = EIO, .write = EIO};
	struct io_fixture *fixture = arg;
	struct store_stats stats;
	struct store *store;
	struct volume *volume;
	struct volume *other;
	struct mailbox *mailbox;
	uint64_t digest;
	char dir[USERID_PATH_BYTES];

	made_mail(task, &digest);
	store = made_open_store(task, 2);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(volume_open(task, store, &other_user, &other), RP_OK);
	made_append(task, volume, "INBOX", 0, "in its place");
	cr_assert_eq(task_sleep(task, 3 * CLOCK_NS_PER_S), RP_OK);
	break_files(task, fixture, ".journal", &(struct sim_broken){.write = EIO});
	break_files(task, fixture, ".dbox", &(struct sim_broken){.write = EIO});
	userid_path(&made_user, dir);
	cr_assert_eq(sim_break_file(fixture->world, FILE_ROOT_DATA, dir, &broken), RP_OK);
	made_append(task, volume, "INBOX", 0, "only in the log");
	cr_assert_eq(task_sleep(task, 20 * CLOCK_NS_PER_S), RP_OK);
	store_stats(store, &stats);
	cr_assert_eq(stats.users_stuck, 1);
	cr_assert_not(store_failed(store));
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	cr_assert_eq(mailbox_entry(mailbox)->messages_count, 23);
	cr_assert_eq(
	    volume_create(task, volume, BYTES_LIT("no more"), 0, NULL), RP_ERR_UNAVAILABLE);
	mailbox_close(mailbox);
	made_append(task, other, "INBOX", 0, "nobody else hears of it");
	cr_assert_eq(store_wait_durable(task, store, volume_position(other)), RP_OK);
	cr_assert_eq(sim_break_file(fixture->world, FILE_ROOT_DATA, dir, &back), RP_OK);
	break_files(task, fixture, ".journal", &back);
	break_files(task, fixture, ".dbox", &back);
	cr_assert_eq(task_sleep(task, 120 * CLOCK_NS_PER_S), RP_OK);
	store_stats(store, &stats);
	cr_assert_eq(stats.users_stuck, 0);
	made_append(task, volume, "INBOX", 0, "and on");
	digest = model_digest(task, volume);
	volume_close(volume);
	volume_close(other);
	cr_assert_eq(store_close(task, store), RP_OK);
	all_is_there(task, 3, digest);
}

enum { STUCK = 100, OTHERS = 100 };

static void open_user(struct task *task, struct store *store, unsigned number, struct volume **volume)
{
	const struct userid userid = {{0x77, (uint8_t)number, 1}};

	cr_assert_eq(volume_open(task, store, &userid, volume), RP_OK);
	made_append(task, *volume, "INBOX", 0, "in its place");
}

static void break_user(
    const struct io_fixture *fixture, const struct volume *volume, const struct sim_broken *broken)
{
	char path[VOLUME_PATH_BYTES];

	volume_path(volume, path, "1-.journal");
	cr_assert_eq(sim_break_file(fixture->world, FILE_ROOT_DATA, path, broken), RP_OK);
	volume_path(volume, path, "1.dbox");
	cr_assert_eq(sim_break_file(fixture->world, FILE_ROOT_DATA, path, broken), RP_OK);
}

static bool all_settled(struct volume *const *volumes, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		if (!list_empty(&volumes[i]->settle.entries))
			return false;
	return true;
}

/* Whatever number of users cannot be written: who can waits no longer than ever, and the others go on when they can, without a restart. */
SIM_TASK_TEST(away, many_who_are_stuck_hold_nobody_up)
{
	static const struct sim_broken denied = {.write = EACCES};
	static struct volume *volumes[STUCK + OTHERS];
	struct io_fixture *fixture = arg;
	struct store *store = made_open_store(task, 1);
	struct store_stats stats;

	for (unsigned i = 0; i < STUCK + OTHERS; i++)
		open_user(task, store, i, &volumes[i]);
	cr_assert_eq(task_sleep(task, 5 * CLOCK_NS_PER_S), RP_OK);
	cr_assert(all_settled(volumes, 0, STUCK + OTHERS));
	for (unsigned i = 0; i < STUCK; i++) {
		break_user(fixture, volumes[i], &denied);
		made_append(task, volumes[i], "INBOX", 0, "only in the log");
	}
	cr_assert_eq(task_sleep(task, 30 * CLOCK_NS_PER_S), RP_OK);
	store_stats(store, &stats);
	cr_assert_eq(stats.users_stuck, STUCK);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = STUCK; i < STUCK + OTHERS; i++)
			made_append(task, volumes[i], "INBOX", 0, "nobody else hears of it");
		cr_assert_eq(task_sleep(task, 3 * CLOCK_NS_PER_S), RP_OK);
		cr_assert(all_settled(volumes, STUCK, STUCK + OTHERS), "round %u", round);
	}
	for (unsigned i = 0; i < STUCK; i++)
		break_user(fixture, volumes[i], &back);
	cr_assert_eq(task_sleep(task, 65 * CLOCK_NS_PER_S), RP_OK);
	store_stats(store, &stats);
	cr_assert_eq(stats.users_stuck, 0);
	cr_assert(all_settled(volumes, 0, STUCK + OTHERS));
	for (unsigned i = 0; i < STUCK + OTHERS; i++) {
		made_append(task, volumes[i], "INBOX", 0, "and on");
		volume_close(volumes[i]);
	}
	cr_assert_eq(store_close(task, store), RP_OK);
}
