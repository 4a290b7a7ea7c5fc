#include "tests/sim/looker.h"

#include <string.h>

#include "index/repair/repair.h"
#include "tests/sim/damage.h"
#include "tests/sim/server.h"

enum { STEPS_MAX = 4 * 1000 * 1000, LOG_BYTES = 64 * 1024 };

struct looker {
	struct machine *machine;
	bool ended;
};

static void say(void *arg, struct bytes line)
{
	machine_tell(arg, "looker: %.*s", BYTES_FMT(line));
}

static void look_at_user(struct task *task, struct looker *looker, struct store *store, unsigned u)
{
	struct machine *machine = looker->machine;
	const struct ledger *ledger = &machine->ledger[u];
	struct repair_report report;
	enum rp_err err = repair_check(task, store, &ledger->userid, say, machine, &report);

	if (err == RP_ERR_NOTFOUND)
		return;
	MODEL_EQ(err, RP_OK);
	machine->tally->looked++;
	if (report.records_missing != 0 || report.records_unsound != 0 || report.places_spoilt != 0 ||
	    report.journals_gone)
		assert_panic("user %u: a look finds damage in journals that nothing has damaged", u);
	/* A stand-in that failed before its header was written is there, half a header and all. */
	if (report.messages_bodiless != 0 || report.kept_bodiless != 0 || report.boxes_unread != 0)
		assert_panic("user %u: a look finds damage in bodies that nothing has damaged", u);
}

static void look(struct task *task, void *arg)
{
	struct looker *looker = arg;
	struct store_settings settings = server_settings(1);
	struct claim *claim = NULL;
	struct arena arena;
	struct store *store;
	const char *reason = "";
	uint64_t epoch = 0;

	arena_init(&arena, 65536);

	enum rp_err err = store_claim_look(task, &arena, &claim, &epoch, &reason);

	if (err == RP_OK && epoch != 0) {
		MODEL_EQ(store_open_look(task, &settings, epoch, &store, &reason), RP_OK);
		for (unsigned u = 0; u < MACHINE_USERS; u++)
			look_at_user(task, looker, store, u);
		MODEL_EQ(store_close(task, store), RP_OK);
	}
	store_unclaim(claim);
	arena_fini(&arena);
	looker->ended = true;
}

void looker_run(struct machine *machine)
{
	static const struct sim_faults none;
	struct looker looker = {.machine = machine};
	struct loop_settings settings = {.shard = 0};
	struct log *log = log_open("shard", 0, LOG_BYTES);
	struct loop *loop;
	uint64_t before;

	MODEL_CHECK(log != NULL);
	settings.log = log;
	sim_set_faults(machine->world, &none);
	before = damage_disk_digest_all(machine);
	MODEL_EQ(sim_loop_open(machine->world, &settings, &loop), RP_OK);
	MODEL_EQ(task_start(loop, look, &looker, NULL), RP_OK);
	MODEL_CHECK(sim_run(machine->world, STEPS_MAX));
	MODEL_CHECK(looker.ended);
	loop_close(loop);
	if (machine->plan.tells)
		log_flush_fd(log, 1);
	log_close(log);
	if (damage_disk_digest_all(machine) != before)
		assert_panic("a look has changed something");
}
