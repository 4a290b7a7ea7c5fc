/* Recovery of a store in which somebody is left out for a while. */
#include "index/store.h"

#include "index/mailbox.h"
#include "tests/index/model.h"
#include "tests/io/io_fixture.h"

static const struct userid poisoned = { { 0x50 } };
static const struct userid other = { { 0x51 } };

static bool left_out;

static bool may_recover(void *arg, const struct userid *userid)
{
	(void)arg;
	return !left_out || !userid_eq(userid, &poisoned);
}

static struct store *open_store(struct task *task, uint64_t epoch)
{
	struct store_settings settings = { .shards_count = 1,
		.commit_file_bytes = 512 * 1024,
		.unsettled_bytes_max = 2 * 1024 * 1024,
		.volumes_bytes_max = 1024 * 1024,
		.may_recover = may_recover,
		.reader = &model_reader };
	struct store *store;
	const char *reason;

	cr_assert_eq(store_open(task, &settings, epoch, &store, &reason), RP_OK);
	return store;
}

static void make_both(struct task *task, void *arg)
{
	struct store *store = open_store(task, 1);
	struct volume *volume;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &poisoned, &volume), RP_OK);
	cr_assert_eq(volume_open(task, store, &other, &volume), RP_OK);
	cr_assert_eq(store_wait_durable(task, store, store_position(store)), RP_OK);
}

static void recover_in_two_steps(struct task *task, void *arg)
{
	struct store *store = open_store(task, 2);
	struct store_stats stats;
	struct volume *volume;

	(void)arg;
	left_out = true;
	for (unsigned i = 0; i < 2; i++) {
		cr_assert_eq(store_recover(task, store), RP_ERR_UNAVAILABLE);
		store_stats(store, &stats);
		cr_assert_eq(stats.users_unrecovered, 1);
	}
	cr_assert_eq(volume_open(task, store, &other, &volume), RP_OK);
	cr_assert_not_null(volume_find(volume, BYTES_LIT("INBOX")));
	volume_close(volume);
	left_out = false;
	cr_assert_eq(store_recover(task, store), RP_OK);
	store_stats(store, &stats);
	cr_assert_eq(stats.users_unrecovered, 0);
	cr_assert_eq(stats.files_sealed, 0);
	cr_assert_eq(store_recover_void(task, store), RP_OK);
	cr_assert_eq(store_recovered(task, store), RP_OK);
	cr_assert_eq(volume_open(task, store, &poisoned, &volume), RP_OK);
	cr_assert_not_null(volume_find(volume, BYTES_LIT("INBOX")));
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* He is worked on when he may be; the others do not wait for him. */
Test(store, who_is_left_out_of_recovery_holds_nobody_up)
{
	struct io_fixture fixture;
	struct loop_settings settings = { .files_max = 64 };

	io_fixture_open(&fixture, IO_FIXTURE_SIM, 0);
	io_fixture_run(&fixture, make_both, NULL);
	sim_crash(fixture.world);
	cr_assert_eq(sim_loop_open(fixture.world, &settings, &fixture.loop), RP_OK);
	io_fixture_run(&fixture, recover_in_two_steps, NULL);
	io_fixture_settle(&fixture);
	io_fixture_close(&fixture);
}
