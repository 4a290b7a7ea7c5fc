/* The log under power cuts: in many seeded runs, users append at random, the machine dies at some step, other shards
 * than before (and perhaps another crash in the middle of recovery) find what is there.
 *
 * Held against a model: all that was durable is there, in the order of LSNs and with the right bytes; nothing is there
 * that was never appended; what was not acknowledged is whole or absent.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/base/num.h"
#include "tests/index/log_machine.h"

enum {
	WORKERS = 3,  /* of each shard */
	RUNS_MAX = 5, /* of one seed: crash, or a clean end, after each */
	BODY_BYTES_MAX = 9000,
	SEEDS_DEFAULT = 60, /* more: LOG_CRASH_SEEDS, LOG_CRASH_FIRST */
	SEEDS_TOGETHER = 10,
	STEPS_MAX = 6000000,
};

/* ---- the work ---- */

static void changed(void *arg)
{
	struct shard *shard = arg;

	if (shard->commit == NULL)
		return;

	uint64_t durable = commit_durable(shard->commit);

	for (unsigned u = 0; u < USERS; u++) {
		struct model_user *model = &shard->machine->model[u];

		if (!shard->open[u])
			continue;
		while (model->durable < model->appended &&
		       model->records[model->durable + 1].position <= durable) {
			model->durable++;
			shard->machine->tally->acknowledged++;
		}
	}
}

static enum rp_err stream_body(struct task *task, struct log_user *user,
    const struct model_record *record, const uint8_t *body, struct dbox_ref *ref)
{
	struct dbox_message message = {.mailboxid = 1, .emailid = 99};
	struct dbox_stream *stream;
	enum rp_err err = dbox_stream_begin(task, user->dbox, &stream);

	if (err != RP_OK)
		return err;
	err = dbox_stream_write(task, stream, bytes_of(body, record->body_bytes));
	if (err == RP_OK && record->seed % 5 == 0) {
		struct model_record again = *record;

		dbox_stream_abort(stream); /* the client went away, and came back */
		again.seed++;
		return stream_body(task, user, &again, body, ref);
	}
	if (err == RP_OK)
		err = dbox_stream_finish(task, stream, &message, ref);
	if (err != RP_OK)
		dbox_stream_abort(stream);
	return err;
}

static void append(struct task *task, struct shard *shard, unsigned u)
{
	struct machine *machine = shard->machine;
	struct model_user *model = &machine->model[u];
	struct log_user *user = &shard->users[u];
	struct model_record record = {.seed = log_machine_draw(machine, 1u << 30)};
	uint8_t *payload = malloc(4096);
	uint8_t *body = malloc(LARGE_BYTES);
	struct dbox_ref ref = {0};
	uint64_t lsn;
	uint64_t position;
	enum rp_err err = RP_OK;

	record.payload_bytes =
	    (uint32_t)log_machine_draw(machine, log_machine_draw(machine, 4) == 0 ? 4000 : 200);
	if (log_machine_draw(machine, 3) == 0)
		record.body_bytes = 1 + (uint32_t)log_machine_draw(machine, BODY_BYTES_MAX);
	if (log_machine_draw(machine, 60) == 0) {
		record.body_bytes = LARGE_BYTES - (uint32_t)log_machine_draw(machine, 3000);
		record.streamed = true;
	}
	log_machine_fill(payload, record.payload_bytes, record.seed);
	log_machine_body(machine, &record, body);
	record.body_sum = log_machine_sum(body, record.body_bytes);
	if (record.streamed)
		err = stream_body(task, user, &record, body, &ref);
	if (err == RP_OK)
		err = log_user_append(task, user, bytes_of(payload, record.payload_bytes),
		    bytes_of(body, record.streamed ? 0 : record.body_bytes), &lsn, &position, &ref);
	free(payload);
	free(body);
	if (err == RP_ERR_UNAVAILABLE)
		return;
	if (err == RP_ERR_IO && machine->worn)
		return; /* a stream's file, or one that was just being made: refused, the next try finds another */
	CHECK(machine, err == RP_OK, "append: %s", err_name(err));
	CHECK(machine, lsn == model->appended + 1, "user %u: LSN %lu after %lu", u, lsn,
	    model->appended);
	record.position = position;
	record.ref = ref;
	model->records[lsn] = record;
	model->appended = lsn;
	machine->tally->records++;
	machine->tally->streamed += record.streamed;
}

/* Is this user here, and not just being destroyed? */
static bool is_usable(const struct shard *shard, unsigned u)
{
	return shard->open[u] && !shard->machine->model[u].destroying;
}

static void read_some_body(struct task *task, struct shard *shard, unsigned u)
{
	struct model_user *model = &shard->machine->model[u];

	if (!is_usable(shard, u) || model->durable <= model->first)
		return;

	uint64_t lsn =
	    model->first + log_machine_draw(shard->machine, model->durable - model->first + 1);

	model->busy++;
	if (model->records[lsn].body_bytes != 0)
		log_machine_check_body(task, shard, u, lsn);
	model->busy--;
}

static void worker_task(struct task *task, void *arg)
{
	struct shard *shard = arg;
	struct machine *machine = shard->machine;

	while (!machine->stop && !commit_failed(shard->commit)) {
		unsigned u = (unsigned)log_machine_draw(machine, USERS);

		if (is_usable(shard, u) && machine->model[u].appended < RECORDS_MAX - 10) {
			machine->model[u].busy++;
			append(task, shard, u);
			machine->model[u].busy--;
		}
		if (log_machine_draw(machine, 8) == 0)
			(void)!task_sleep(task, log_machine_draw(machine, 2000) * 1000);
		else if (log_machine_draw(machine, 500) == 0)
			(void)!task_sleep(task, 1200 * UINT64_C(1000000));
		else
			(void)!task_yield(task);
		if (log_machine_draw(machine, 10) == 0)
			read_some_body(task, shard, u);
	}
	shard->workers--;
}

/* All of a user is gone: a record in a file of its own that says so. */
static void destroy_user(struct task *task, struct shard *shard, unsigned u)
{
	struct machine *machine = shard->machine;
	struct model_user *model = &machine->model[u];
	struct log_user *user = &shard->users[u];
	struct record_header header = {
	    .type = 11, .flags = RECORD_DESTROYS, .userid = user->userid};
	uint64_t bytes = record_journal_bytes(&header);

	model->destroying = true;
	while (model->busy > 0)
		(void)!task_sleep(task, 100000);
	if (commit_reserve(task, shard->commit, bytes) != RP_OK)
		return;

	uint32_t first_dbox = dbox_last_file(user->dbox) + 1;

	journal_cut(user->journal);
	journal_number(user->journal, bytes, &header.lsn, &header.place);
	model->appended = header.lsn;
	model->records[header.lsn] = (struct model_record){0};

	uint64_t position = commit_append(
	    shard->commit, &user->settle, header, bytes_of(NULL, 0), bytes_of(NULL, 0), NULL);

	model->records[header.lsn].position = position;
	dbox_number_from(user->dbox, first_dbox);
	if (commit_wait(task, shard->commit, position) != RP_OK)
		return;
	model->first = header.lsn; /* durable: nothing before it may come back */
	while (!list_empty(&user->settle.entries) &&
	       RP_CONTAINER_OF(user->settle.entries.next, struct commit_entry, link)
	               ->record.header.lsn <= header.lsn)
		if (settle_flush(task, shard->commit, &user->settle) != RP_OK)
			return;
	(void)!journal_remove_below(task, user->journal, header.lsn);
	for (uint32_t file = 1; file < first_dbox; file++)
		(void)!dbox_remove(task, user->dbox, file);
	machine->tally->destroyed++;
	model->destroying = false;
}

/* From now on no write to one of this shard's users' files succeeds, not even after the next start. */
static void break_a_file(struct task *task, struct shard *shard)
{
	static const struct sim_broken broken = {.write = EIO};
	struct machine *machine = shard->machine;
	unsigned u = (unsigned)log_machine_draw(machine, USERS);
	struct dir_entry *names = NULL;
	struct arena arena;
	size_t count = 0;
	char path[300];

	if (!is_usable(shard, u))
		return;
	arena_init(&arena, 1024 * 1024);
	if (dir_list(task, FILE_ROOT_DATA, shard->users[u].dir, &arena, &names, &count) == RP_OK &&
	    count > 0) {
		snprintf(path, sizeof(path), "%s/%s", shard->users[u].dir,
		    (const char *)names[log_machine_draw(machine, count)].name.p);
		if (sim_break_file(machine->world, FILE_ROOT_DATA, path, &broken) == RP_OK)
			machine->tally->broken++;
	}
	arena_fini(&arena);
}

static bool is_home(const struct machine *machine, unsigned u, unsigned shard)
{
	struct userid id = log_user_id(u);

	return userid_shard(&id, machine->shards_count) == shard;
}

static void open_users(struct task *task, struct shard *shard)
{
	struct machine *machine = shard->machine;

	for (unsigned u = 0; u < USERS; u++) {
		struct userid id = log_user_id(u);
		struct recover_report report;

		if (!is_home(machine, u, shard->number))
			continue;
		recover_report(shard->recover, &report);

		enum rp_err err = recover_user(task, shard->recover, &id);

		CHECK(machine, err == RP_OK, "recover_user: %s", err_name(err));
		CHECK(machine, !recover_has(shard->recover, &id), "user %u", u);
		err = log_user_open(task, &shard->users[u], shard->commit, u, machine->epoch);
		CHECK(machine, err == RP_OK, "open: %s", err_name(err));
		log_machine_check_user(task, shard, u);
		shard->open[u] = true;
	}
}

/* Settled, synced on every shard; one makes the old logs void; all go on. */
static void finish_recovery(struct task *task, struct shard *shard)
{
	struct machine *machine = shard->machine;
	struct recover_report report;
	struct userid id;
	enum rp_err err = RP_OK;

	CHECK(machine, !recover_next(shard->recover, &id), "somebody is left");
	err = recover_sync(task, shard->recover);
	CHECK(machine, err == RP_OK, "sync: %s", err_name(err));
	shard->placed = true;
	for (unsigned i = 0; i < machine->shards_count; i++)
		while (!machine->shards[i].placed)
			(void)!task_sleep(task, 100000);
	if (shard->number == 0) {
		err = recover_void(task, machine->shards_count, machine->epoch);
		CHECK(machine, err == RP_OK, "void: %s", err_name(err));
		machine->voided = true;
	}
	while (!machine->voided)
		(void)!task_sleep(task, 100000);
	err = commit_recovered(task, shard->commit);
	CHECK(machine, err == RP_OK, "recovered: %s", err_name(err));
	recover_report(shard->recover, &report);
	machine->tally->sealed += report.files_sealed;
	recover_close(shard->recover);
	shard->recover = NULL;
	shard->adopted = true;
}

static void start_shard(struct task *task, struct shard *shard)
{
	struct machine *machine = shard->machine;
	struct recover_report report;
	struct arena arena;
	const char *reason = "";

	if (shard->number == 0) {
		arena_init(&arena, 1024 * 1024);

		enum rp_err err = store_claim(
		    task, &arena, machine->shards_count, &machine->claim, &machine->epoch, &reason);

		CHECK(machine, err == RP_OK, "claim: %s", reason);
		arena_fini(&arena);
		machine->claimed = true;
	}
	while (!machine->claimed)
		(void)!task_sleep(task, 100000);

	enum rp_err err =
	    recover_open(task, machine->shards_count, machine->epoch, &shard->recover);

	CHECK(machine, err == RP_OK, "recover: %s", err_name(err));
	recover_report(shard->recover, &report);
	CHECK(machine, report.records_damaged == 0 && report.writes_damaged == 0,
	    "%lu writes and %lu records are said to be damaged", report.writes_damaged,
	    report.records_damaged);
	CHECK(machine, !machine->was_clean || report.records == 0, "a clean end left %lu records",
	    report.records);
	machine->tally->recovered += report.records;
	machine->tally->cut += report.writes_cut;
	machine->tally->damaged += report.records_damaged;

	struct commit_settings settings = {
	    .file_bytes = 64 * 1024 << (machine->seed % 3),
	    .memory_bytes_max = 1024 * 1024,
	    .files_max = machine->seed % 2 == 0 ? 3 : 6,
	    .epoch = machine->epoch,
	    .recovering = true,
	    .changed = changed,
	    .arg = shard,
	};

	err = commit_open(task, &settings, &shard->commit);
	CHECK(machine, err == RP_OK, "commit_open: %s", err_name(err));
}

static void end_shard(struct task *task, struct shard *shard)
{
	struct machine *machine = shard->machine;
	struct commit_stats stats;

	while (shard->workers > 0)
		(void)!task_sleep(task, 1000000);
	for (unsigned u = 0; u < USERS; u++) {
		if (!shard->open[u])
			continue;

		enum rp_err err = log_user_close(task, &shard->users[u]);

		CHECK(machine, err == RP_OK, "close: %s", err_name(err));
		shard->open[u] = false;
	}
	commit_stats(shard->commit, &stats);
	machine->tally->reused += stats.files_reused;
	machine->tally->sealed += stats.files_sealed;

	enum rp_err err = commit_close(task, shard->commit);

	CHECK(machine, err == RP_OK, "commit_close: %s", err_name(err));
	shard->commit = NULL;
	shard->ended = true;
	for (unsigned i = 0; i < machine->shards_count; i++)
		while (!machine->shards[i].ended)
			(void)!task_sleep(task, 100000);
	if (shard->number == 0)
		store_unclaim(machine->claim);
}

static void shard_task(struct task *task, void *arg)
{
	struct shard *shard = arg;
	struct machine *machine = shard->machine;

	start_shard(task, shard);
	open_users(task, shard);
	for (unsigned i = 0; i < WORKERS; i++) {
		CHECK(machine, task_start(shard->loop, worker_task, shard, NULL) == RP_OK, "task");
		shard->workers++;
	}
	finish_recovery(task, shard);
	while (!machine->stop) {
		unsigned u = (unsigned)log_machine_draw(machine, USERS * 100);

		if (u < USERS && is_usable(shard, u) &&
		    machine->model[u].appended < RECORDS_MAX - 5)
			destroy_user(task, shard, u);
		if (machine->worn && log_machine_draw(machine, 10) == 0)
			break_a_file(task, shard);
		(void)!task_sleep(task, 3000000);
	}
	end_shard(task, shard);
}

/* ---- the runs ---- */

static void start_machine(struct machine *machine, unsigned shards_count)
{
	for (unsigned u = 0; u < USERS; u++) {
		machine->model[u].busy = 0;
		machine->model[u].destroying = false;
	}
	machine->claimed = false;
	machine->claim = NULL;
	machine->stop = false;
	machine->voided = false;
	if (machine->shards_count != 0 && machine->shards_count != shards_count)
		machine->tally->shards_changed++;
	machine->shards_count = shards_count;
	for (unsigned i = 0; i < shards_count; i++) {
		struct shard *shard = &machine->shards[i];
		struct loop_settings settings = {.shard = i};

		*shard = (struct shard){.machine = machine, .number = i};
		cr_assert_eq(sim_loop_open(machine->world, &settings, &shard->loop), RP_OK);
		cr_assert_eq(task_start(shard->loop, shard_task, shard, NULL), RP_OK);
	}
}

static void keep_old_log(struct machine *machine)
{
	struct bytes log;

	if (sim_disk_read(machine->world, FILE_ROOT_COMMIT, "0/1.log", &log) != RP_OK || log.n == 0)
		return;
	if (log.n > sizeof(machine->old_log_room))
		log.n = sizeof(machine->old_log_room);
	memcpy(machine->old_log_room, log.p, log.n);
	machine->old_log = bytes_of(machine->old_log_room, log.n);
}

static void end_cleanly(struct machine *machine)
{
	uint64_t steps = 0;

	machine->stop = true;
	for (bool ended = false; !ended;) {
		cr_assert(sim_step(machine->world), "seed %lu waits for nothing", machine->seed);
		cr_assert_lt(++steps, STEPS_MAX, "seed %lu never ends", machine->seed);
		ended = true;
		for (unsigned i = 0; i < machine->shards_count; i++)
			ended = ended && machine->shards[i].ended;
	}
	cr_assert(sim_run(machine->world, STEPS_MAX));
	for (unsigned i = 0; i < machine->shards_count; i++)
		loop_close(machine->shards[i].loop);
	machine->tally->clean_ends++;
}

static void crash(struct machine *machine)
{
	for (unsigned i = 0; i < machine->shards_count; i++) {
		struct commit_stats stats;

		if (machine->shards[i].commit == NULL)
			continue;
		commit_stats(machine->shards[i].commit, &stats);
		machine->tally->reused += stats.files_reused;
		machine->tally->sealed += stats.files_sealed;
	}
	if (!machine->voided)
		machine->tally->crashes_in_recovery++;
	sim_crash(machine->world);
	machine->tally->crashes++;
}

static void run_seed(uint64_t seed, struct tally *tally)
{
	struct machine *machine = calloc(1, sizeof(*machine));
	/* A slow disk has more under way when the power goes. */
	struct sim_faults faults = {
	    .write_short = seed % 4 == 0 ? 2000 : 0, .latency_ns_max = seed % 3 == 0 ? 5000000 : 0};

	machine->seed = seed;
	machine->worn = seed % 3 == 1;
	machine->random = seed;
	machine->tally = tally;
	for (unsigned u = 0; u < USERS; u++)
		machine->model[u].first = 1;
	cr_assert_eq(sim_open(seed, &machine->world), RP_OK);
	sim_set_faults(machine->world, &faults);
	machine->was_clean = true;

	unsigned runs = 2 + (unsigned)log_machine_draw(machine, RUNS_MAX - 1);

	for (unsigned run = 0; run < runs; run++) {
		bool clean = run + 1 == runs || log_machine_draw(machine, 5) == 0;
		uint64_t steps =
		    log_machine_draw(machine, log_machine_draw(machine, 3) == 0 ? 1500 : 20000);

		start_machine(machine, 1 + (unsigned)log_machine_draw(machine, SHARDS_MAX));
		for (uint64_t i = 0; i < steps; i++)
			cr_assert(sim_step(machine->world), "seed %lu", seed);
		if (clean)
			end_cleanly(machine);
		else
			crash(machine);
		machine->was_clean = clean;
		keep_old_log(machine);
	}
	sim_close(machine->world);
	free(machine);
}

/* What crashed tasks had allocated stays allocated: so a few seeds at a time run in a process of their own. */
static void run_seeds(uint64_t from, uint64_t count, struct tally *tally)
{
	pid_t child = fork();
	int status = -1;

	cr_assert_geq(child, 0);
	if (child == 0) {
		for (uint64_t seed = from; seed < from + count; seed++)
			run_seed(seed, tally);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0, "seeds from %lu on", from);
}

Test(log_crash, what_was_acknowledged_survives_every_power_cut, .timeout = 600)
{
	const char *seeds = getenv("LOG_CRASH_SEEDS");
	const char *first = getenv("LOG_CRASH_FIRST");
	uint64_t count = seeds != NULL ? strtoull(seeds, NULL, 10) : SEEDS_DEFAULT;
	uint64_t from = first != NULL ? strtoull(first, NULL, 10) : 1;
	struct tally *tally =
	    mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(tally, MAP_FAILED);
	for (uint64_t done = 0; done < count; done += SEEDS_TOGETHER)
		run_seeds(from + done, num_min(SEEDS_TOGETHER, count - done), tally);
	fprintf(stderr,
	    "%lu seeds: %lu crashes (%lu in recovery), %lu clean ends, %lu records, %lu "
	    "acknowledged, "
	    "%lu recovered, %lu writes cut, %lu records dropped, %lu files reused, %lu bodies "
	    "read, "
	    "%lu streamed, %lu users destroyed, %lu shard changes, %lu files broken, %lu sealed\n",
	    count, tally->crashes, tally->crashes_in_recovery, tally->clean_ends, tally->records,
	    tally->acknowledged, tally->recovered, tally->cut, tally->dropped, tally->reused,
	    tally->bodies_read, tally->streamed, tally->destroyed, tally->shards_changed,
	    tally->broken, tally->sealed);
	if (count < SEEDS_DEFAULT)
		return;
	/* A run that met none of these would prove nothing. */
	cr_assert_gt(tally->crashes_in_recovery, 0);
	cr_assert_gt(tally->recovered, 0);
	cr_assert_gt(tally->cut, 0);
	cr_assert_gt(tally->dropped, 0);
	cr_assert_gt(tally->reused, 0);
	cr_assert_gt(tally->streamed, 0);
	cr_assert_gt(tally->destroyed, 0);
	cr_assert_gt(tally->shards_changed, 0);
	cr_assert_gt(tally->sealed, 0);
	cr_assert_eq(tally->damaged, 0);
}
