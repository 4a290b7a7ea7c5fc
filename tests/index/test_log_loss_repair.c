/* A store whose logs, or DATA/store, are gone: a repair goes on without. */
#include <string.h>

#include "index/logfile.h"
#include "index/repair/repair.h"
#include "tests/index/lost_log.h"

static void repair_store(struct task *task, void *arg)
{
	(void)arg;
	lost_log_start(task);
	cr_assert_eq(lost_log.err, RP_ERR_CORRUPT);
	lost_log_stop(task);
	cr_assert_eq(store_claim_renew(task), RP_OK);
}

struct log_paths {
	char paths[8][LOGFILE_PATH_BYTES];
	bool keeps_owner;
};

static void find_log(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	struct log_paths *all = arg;

	(void)bytes;
	if (root != FILE_ROOT_COMMIT || (all->keeps_owner && strcmp(path, "owner") == 0))
		return;
	for (unsigned i = 0; i < 8; i++)
		if (all->paths[i][0] == '\0') {
			strcpy(all->paths[i], path);
			break;
		}
}

static void remove_logs(bool keeps_owner)
{
	struct log_paths all = {.keeps_owner = keeps_owner};

	sim_disk_walk(lost_log.fixture.world, find_log, &all);
	for (unsigned i = 0; i < 8 && all.paths[i][0] != '\0'; i++)
		cr_assert_eq(sim_disk_remove(lost_log.fixture.world, FILE_ROOT_COMMIT, all.paths[i]), RP_OK);
}

static void remove_store(void)
{
	cr_assert_eq(sim_disk_remove(lost_log.fixture.world, FILE_ROOT_DATA, "store"), RP_OK);
}

static void repair_and_look(bool raises)
{
	io_fixture_run(&lost_log.fixture, repair_store, NULL);
	io_fixture_settle(&lost_log.fixture);
	lost_log_look(raises, raises, raises, raises);
	lost_log_look(false, false, false, false);
	lost_log_end();
}

Test(log_loss_repair, a_repair_without_the_logs_raises_all)
{
	lost_log_two_lives();
	remove_logs(false);
	repair_and_look(true);
}

/* Nothing tells of an epoch but what users have. */
Test(log_loss_repair, a_repair_without_the_logs_and_the_store_raises_all)
{
	lost_log_two_lives();
	remove_logs(false);
	remove_store();
	repair_and_look(true);
}

Test(log_loss_repair, a_repair_with_the_owner_file_alone_raises_all)
{
	lost_log_two_lives();
	remove_logs(true);
	remove_store();
	repair_and_look(true);
}

/* They may be of any run. What they have is put in its place all the same. */
Test(log_loss_repair, a_repair_with_logs_that_nothing_tells_whose_they_are_raises_all)
{
	lost_log_two_lives();
	cr_assert_eq(sim_disk_remove(lost_log.fixture.world, FILE_ROOT_COMMIT, "owner"), RP_OK);
	remove_store();
	repair_and_look(true);
}

/* Only their owner file is gone: they are the last run's. */
Test(log_loss_repair, a_repair_with_the_logs_raises_nothing)
{
	lost_log_two_lives();
	cr_assert_eq(sim_disk_remove(lost_log.fixture.world, FILE_ROOT_COMMIT, "owner"), RP_OK);
	io_fixture_run(&lost_log.fixture, repair_store, NULL);
	io_fixture_settle(&lost_log.fixture);
	lost_log_look(false, false, false, false);
	lost_log_end();
}

/* DATA/store is lost, and what it told of losses is in the logs. */
Test(log_loss_repair, a_repair_without_the_store_forgets_no_loss)
{
	lost_log_two_lives();
	lost_log_lose_alice();
	io_fixture_run(&lost_log.fixture, lost_log_only_bob, NULL);
	io_fixture_settle(&lost_log.fixture);
	cr_assert_eq(sim_disk_remove(lost_log.fixture.world, FILE_ROOT_DATA, "store"), RP_OK);
	io_fixture_run(&lost_log.fixture, repair_store, NULL);
	io_fixture_settle(&lost_log.fixture);
	lost_log_look(true, true, false, true);
	lost_log_end();
}

static void repair_alice(struct task *task, void *arg)
{
	struct repair_report report;

	(void)arg;
	lost_log_start(task);
	cr_assert_eq(
	    repair_rebuild(task, lost_log.store, &lost_log_user[ALICE], NULL, NULL, &report), RP_OK);
	cr_assert_not(repair_found_damage(&report));
	lost_log_assert_numbers(task, ALICE, true);
	lost_log_stop(task);
}

/* A repair comes before he does: it raises as much, and leaves nothing that is missing. */
Test(log_loss_repair, a_repair_raises_too)
{
	lost_log_two_lives();
	lost_log_lose_alice();
	io_fixture_run(&lost_log.fixture, repair_alice, NULL);
	io_fixture_settle(&lost_log.fixture);
	lost_log_look(true, false, false, true);
	lost_log_end();
}
