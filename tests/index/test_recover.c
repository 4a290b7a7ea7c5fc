/* Recovery of logs that were damaged, cut, or belong to users who are no more. */
#include "index/recover.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/claim.h"
#include "index/logfile.h"
#include "io/base/clock.h"
#include "io/sim.h"
#include "tests/index/log_user.h"

enum { FILE_BYTES = 256 * 1024, MEMORY_BYTES = 2 * 1024 * 1024, COUNT = 10 };

struct machine {
	struct sim_world *world;
	struct loop *loop;
	struct commit *commit;
	struct log_user user;
	struct recover_report report;
	struct dbox_ref refs[COUNT + 1];
	uint64_t epoch;
	uint64_t seen[COUNT + 3]; /* how often each LSN was met */
	uint64_t missing;
	uint64_t newest_count; /* records of the epoch before the recovery's */
	unsigned unreadable; /* bodies */
	unsigned flags_at; /* this LSN destroys the user */
	bool ended;
	bool faulty;
	enum rp_err outcome;
	task_fn *fn;
};

static void run_task(struct task *task, void *arg)
{
	struct machine *machine = arg;

	machine->fn(task, machine);
	machine->ended = true;
}

static void start_loop(struct machine *machine)
{
	struct loop_settings settings = { 0 };

	machine->epoch++;
	cr_assert_eq(sim_loop_open(machine->world, &settings, &machine->loop), RP_OK);
}

static void run(struct machine *machine, task_fn *fn)
{
	machine->fn = fn;
	machine->ended = false;
	cr_assert_eq(task_start(machine->loop, run_task, machine, NULL), RP_OK);
	while (!machine->ended)
		cr_assert(sim_step(machine->world));
}

static void open_all(struct task *task, struct machine *machine)
{
	struct commit_settings settings = { .file_bytes = FILE_BYTES,
		.memory_bytes_max = MEMORY_BYTES,
		.epoch = machine->epoch };

	cr_assert_eq(commit_open(task, &settings, &machine->commit), RP_OK);
	cr_assert_eq(log_user_open(task, &machine->user, machine->commit, 1, machine->epoch), RP_OK);
}

static uint64_t append_one(struct task *task, struct machine *machine, uint64_t lsn_expected)
{
	struct record_header header = { .type = 1, .userid = machine->user.userid };
	uint64_t position = 0;
	uint64_t lsn;
	uint8_t payload[64];
	uint8_t body[3000];

	memset(payload, (int)lsn_expected, sizeof(payload));
	memset(body, (int)lsn_expected, sizeof(body));
	if (machine->flags_at == lsn_expected) {
		header.flags = RECORD_DESTROYS;
		cr_assert_eq(commit_reserve(task, machine->commit, sizeof(header)), RP_OK);
		journal_cut(machine->user.journal);
		journal_number(machine->user.journal, sizeof(header), &header.lsn, &header.place);
		return commit_append(machine->commit, &machine->user.settle, header,
		    bytes_of(NULL, 0), bytes_of(NULL, 0), NULL);
	}
	cr_assert_eq(log_user_append(task, &machine->user, bytes_of(payload, sizeof(payload)),
	                 bytes_of(body, sizeof(body)), &lsn, &position, &machine->refs[lsn_expected]),
	    RP_OK);
	cr_assert_eq(lsn, lsn_expected);
	return position;
}

/* COUNT records, each a write of its own: the i-th (from 1) lies at 8,192 + (i - 1) * 4,096 of the first log file. */
static void fill_log(struct task *task, void *arg)
{
	struct machine *machine = arg;

	open_all(task, machine);
	for (uint64_t lsn = 1; lsn <= COUNT; lsn++)
		cr_assert_eq(
		    commit_wait(task, machine->commit, append_one(task, machine, lsn)), RP_OK);
}

static enum rp_err see(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct machine *machine = arg;

	(void)task;
	if (record == NULL) {
		machine->missing += missing_last - missing_first + 1;
		return RP_OK;
	}
	cr_assert_leq(record->header.lsn, COUNT);
	machine->seen[record->header.lsn]++;
	machine->newest_count += record->header.epoch + 1 == machine->epoch;
	return RP_OK;
}

static void recover_all(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct userid id = log_user_id(1);
	struct recover *recover;

	cr_assert_eq(recover_open(task, 1, machine->epoch, &recover), RP_OK);
	recover_report(recover, &machine->report);
	if (machine->faulty) {
		struct sim_faults faults = { .write_eio = 30000 };
		unsigned tries = 0;

		sim_set_faults(machine->world, &faults);
		while (recover_user(task, recover, &id) != RP_OK)
			cr_assert_lt(++tries, 1000);
		faults.write_eio = 0;
		sim_set_faults(machine->world, &faults);
	}
	cr_assert_eq(recover_user(task, recover, &id), RP_OK);
	cr_assert_not(recover_has(recover, &id));
	cr_assert_eq(recover_sync(task, recover), RP_OK);
	cr_assert_eq(recover_void(task, 1, machine->epoch), RP_OK);
	recover_close(recover);
	open_all(task, machine);
	cr_assert_eq(journal_replay(task, machine->user.journal, 0, see, machine), RP_OK);
	for (uint64_t lsn = 1; lsn <= COUNT; lsn++) {
		struct dbox_body *body;
		uint8_t read[1];
		size_t got;

		if (machine->seen[lsn] == 0 || machine->refs[lsn].file == 0)
			continue;

		enum rp_err err = dbox_body_open(
		    task, machine->user.dbox, NULL, machine->refs[lsn], 99, &body);

		if (err == RP_OK) {
			err = dbox_body_read(task, body, 2999, read, 1, &got);
			dbox_body_close(body);
		}
		if (err == RP_OK) {
			cr_assert_eq(read[0], lsn);
		} else {
			machine->outcome = err;
			machine->unreadable++;
		}
	}
	cr_assert_eq(log_user_close(task, &machine->user), RP_OK);
	cr_assert_eq(commit_close(task, machine->commit), RP_OK);
}

/* The disk's content of the first log file, to be damaged and put back. */
static void damage_log(struct machine *machine, uint64_t offset, size_t n, uint8_t value)
{
	struct bytes log;
	uint8_t *copy;

	cr_assert_eq(sim_disk_read(machine->world, FILE_ROOT_COMMIT, "0/1.log", &log), RP_OK);
	copy = malloc(log.n);
	memcpy(copy, log.p, log.n);
	for (size_t i = 0; i < n; i++)
		copy[offset + i] ^= value;
	cr_assert_eq(
	    sim_disk_write(machine->world, FILE_ROOT_COMMIT, "0/1.log", bytes_of(copy, log.n)), RP_OK);
	free(copy);
}

/* Nobody unwinds: what the user held is remembered, so that no leak is seen where there is none. */
static void crash(struct machine *machine)
{
	enum { CRASHES_MAX = 16 };
	static struct log_user crashed[CRASHES_MAX];
	static struct log_user *kept = crashed; /* as a pointer, so that gcc sees a use */
	static unsigned count;

	cr_assert_lt(count, CRASHES_MAX);
	kept[count++] = machine->user;
	sim_crash(machine->world);
}

static void recover_it(struct machine *machine)
{
	start_loop(machine);
	run(machine, recover_all);
	cr_assert(sim_run(machine->world, 1000000));
	loop_close(machine->loop);
}

static struct machine *begin(unsigned flags_at)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	machine->flags_at = flags_at;
	cr_assert_eq(sim_open(7, &machine->world), RP_OK);
	start_loop(machine);
	run(machine, fill_log);
	crash(machine);
	return machine;
}

static void end(struct machine *machine)
{
	sim_close(machine->world);
	free(machine);
}

static uint64_t seen_count(const struct machine *machine)
{
	uint64_t n = 0;

	for (unsigned i = 1; i <= COUNT; i++)
		n += machine->seen[i];
	return n;
}

static uint64_t write_at(unsigned lsn)
{
	return LOGFILE_FIRST_OFFSET + (uint64_t)(lsn - 1) * LOGFILE_BLOCK_BYTES;
}

Test(recover, all_that_was_durable_is_placed)
{
	struct machine *machine = begin(0);

	recover_it(machine);
	cr_assert_eq(machine->report.records, COUNT);
	cr_assert_eq(machine->report.writes_damaged, 0);
	cr_assert_eq(seen_count(machine), COUNT);
	cr_assert_eq(machine->missing, 0);
	cr_assert_eq(machine->outcome, RP_OK);
	end(machine);
}

static void recover_in_vain(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct recover *recover;

	machine->outcome = recover_open(task, 1, machine->epoch, &recover);
}

static const struct sim_broken away = { .read = EIO };
static const struct sim_broken back;

/* Nothing of the log can be read: it is not lost, so it is not made void, and later all is there. */
Test(recover, a_disk_that_is_away_does_not_void_the_log)
{
	struct machine *machine = begin(0);

	start_loop(machine);
	cr_assert_eq(sim_break_file(machine->world, FILE_ROOT_COMMIT, "0/1.log", &away), RP_OK);
	run(machine, recover_in_vain);
	cr_assert_eq(machine->outcome, RP_ERR_UNAVAILABLE);
	cr_assert(sim_run(machine->world, 1000000));
	loop_close(machine->loop);
	cr_assert_eq(sim_break_file(machine->world, FILE_ROOT_COMMIT, "0/1.log", &back), RP_OK);
	machine->outcome = RP_OK;
	recover_it(machine);
	cr_assert_eq(machine->report.records, COUNT);
	cr_assert_eq(seen_count(machine), COUNT);
	cr_assert_eq(machine->missing, 0);
	end(machine);
}

/* The log is away when the server starts, for some seconds. */
Test(recover, a_log_that_comes_back_loses_nothing)
{
	struct machine *machine = begin(0);
	struct sim_broken for_a_while = {
		.read = EIO, .read_until_ns = sim_now_ns(machine->world) + 8 * CLOCK_NS_PER_S };

	cr_assert_eq(
	    sim_break_file(machine->world, FILE_ROOT_COMMIT, "0/1.log", &for_a_while), RP_OK);
	recover_it(machine);
	cr_assert_eq(seen_count(machine), COUNT);
	cr_assert_eq(machine->missing, 0);
	cr_assert_eq(machine->outcome, RP_OK);
	end(machine);
}

static void open_and_close(struct task *task, void *arg)
{
	struct machine *machine = arg;

	open_all(task, machine);
	cr_assert_eq(log_user_close(task, &machine->user), RP_OK);
	cr_assert_eq(commit_close(task, machine->commit), RP_OK);
}

static void recover_without_log(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct userid id = log_user_id(1);
	struct recover *recover;

	cr_assert_eq(recover_open(task, 1, machine->epoch, &recover), RP_OK);
	cr_assert_eq(sim_break_file(machine->world, FILE_ROOT_COMMIT, "0", &away), RP_OK);
	machine->outcome = recover_user(task, recover, &id);
	cr_assert_eq(sim_break_file(machine->world, FILE_ROOT_COMMIT, "0", &back), RP_OK);
	cr_assert(recover_has(recover, &id));
	recover_close(recover);
}

/* The log was read at the start, and cannot be opened when this user's records are to be placed: he waits. */
Test(recover, a_log_that_cannot_be_opened_again_loses_nothing)
{
	struct machine *machine = begin(0);

	start_loop(machine);
	run(machine, recover_without_log);
	cr_assert_eq(machine->outcome, RP_ERR_IO);
	cr_assert(sim_run(machine->world, 1000000));
	loop_close(machine->loop);
	machine->outcome = RP_OK;
	recover_it(machine);
	cr_assert_eq(seen_count(machine), COUNT);
	cr_assert_eq(machine->missing, 0);
	end(machine);
}

/* Both copies of a log's header are lost for good: its records are too, and the server starts. */
Test(recover, a_log_whose_header_cannot_be_read_is_in_nobodys_way)
{
	static const struct sim_broken broken = {
		.read = EIO, .read_to = LOGFILE_FIRST_OFFSET };
	struct machine *machine = begin(0);

	cr_assert_eq(sim_break_file(machine->world, FILE_ROOT_COMMIT, "0/1.log", &broken), RP_OK);
	start_loop(machine);
	run(machine, open_and_close);
	cr_assert(sim_run(machine->world, 1000000));
	loop_close(machine->loop);
	end(machine);
}

/* Half of all writes fail meanwhile: it is tried again, in other files where need be. */
Test(recover, a_disk_that_fails_now_and_then_loses_nothing)
{
	struct machine *machine = begin(0);

	machine->faulty = true;
	recover_it(machine);
	cr_assert_eq(seen_count(machine), COUNT);
	cr_assert_eq(machine->missing, 0);
	cr_assert_eq(machine->outcome, RP_OK);
	end(machine);
}

/* One byte, in the header of the write, of the record, in its payload, in the body's record: the write was durable, a later one
 * says so. What is sound of it is kept. */
Test(recover, rot_in_a_durable_write_costs_that_record_only)
{
	static const struct {
		uint64_t offset;
		uint64_t lost;
	} cases[] = { { 20, 0 }, { 64 + 10, 1 }, { 64 + 96 + 5, 1 }, { 64 + 160 + 128 + 700, 0 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct machine *machine = begin(0);

		damage_log(machine, write_at(4) + cases[i].offset, 1, 0x40);
		recover_it(machine);
		cr_assert_eq(machine->report.writes_damaged, 1);
		cr_assert_geq(machine->report.records_damaged, 1);
		cr_assert_eq(machine->report.writes_cut, 0);
		cr_assert_eq(seen_count(machine), COUNT - cases[i].lost, "case %zu", i);
		cr_assert_eq(machine->missing, cases[i].lost);
		cr_assert_eq(machine->outcome, i == 3 ? RP_ERR_CORRUPT : RP_OK);
		end(machine);
	}
}

/* One byte of the first body's record: its magic, the file's nonce, the checksum of its header, its text. */
static const uint64_t rot_in_a_body[] = { 0, 72, 120, 128 + 700 };

/* The bodies lie side by side, in a file that is not there yet and gets the nonce that they name. */
Test(recover, rot_in_a_body_costs_that_body_only)
{
	for (size_t i = 0; i < sizeof(rot_in_a_body) / sizeof(rot_in_a_body[0]); i++) {
		struct machine *machine = begin(0);

		damage_log(machine, write_at(1) + 64 + 160 + rot_in_a_body[i], 1, 0x40);
		recover_it(machine);
		cr_assert_eq(seen_count(machine), COUNT);
		cr_assert_eq(machine->missing, 0);
		cr_assert_eq(machine->unreadable, 1, "case %zu: %u", i, machine->unreadable);
		end(machine);
	}
}

static void place_all(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct userid id = log_user_id(1);
	struct recover *recover;

	cr_assert_eq(recover_open(task, 1, machine->epoch, &recover), RP_OK);
	cr_assert_eq(recover_user(task, recover, &id), RP_OK);
	cr_assert_eq(recover_sync(task, recover), RP_OK);
	recover_close(recover);
}

/* The log is read once more, and what it has of a body is not what it was any more. */
Test(recover, rot_in_a_log_spares_the_body_that_is_in_its_place)
{
	for (size_t i = 0; i < sizeof(rot_in_a_body) / sizeof(rot_in_a_body[0]); i++) {
		struct machine *machine = begin(0);

		start_loop(machine);
		run(machine, place_all);
		cr_assert(sim_run(machine->world, 1000000));
		loop_close(machine->loop);
		damage_log(machine, write_at(4) + 64 + 160 + rot_in_a_body[i], 1, 0x40);
		recover_it(machine);
		cr_assert_eq(machine->report.writes_damaged, 1);
		cr_assert_eq(seen_count(machine), COUNT);
		cr_assert_eq(machine->unreadable, 0, "case %zu", i);
		end(machine);
	}
}

/* The last write is not said to be durable by anybody: it ends the log, and is no damage. */
Test(recover, a_torn_tail_is_cut_in_silence)
{
	struct machine *machine = begin(0);

	damage_log(machine, write_at(COUNT) + 300, 1, 0x40);
	recover_it(machine);
	cr_assert_eq(machine->report.writes_cut, 1);
	cr_assert_eq(machine->report.writes_damaged, 0);
	cr_assert_eq(machine->report.records_damaged, 0);
	cr_assert_eq(seen_count(machine), COUNT - 1);
	end(machine);
}

/* Several in a row, the first one, and a lost copy of the file's header. */
Test(recover, more_damage_costs_what_it_hits)
{
	struct machine *machine = begin(0);

	damage_log(machine, write_at(1), LOGFILE_BLOCK_BYTES, 0x11);
	damage_log(machine, write_at(5), 3 * LOGFILE_BLOCK_BYTES, 0x11);
	damage_log(machine, 0, LOGFILE_BLOCK_BYTES, 0x11);
	recover_it(machine);
	cr_assert_geq(machine->report.writes_damaged, 4);
	cr_assert_eq(seen_count(machine), COUNT - 4);
	cr_assert_eq(machine->seen[1] + machine->seen[5] + machine->seen[6] + machine->seen[7], 0);
	cr_assert_eq(machine->missing, 4);
	end(machine);
}

Test(recover, a_log_without_a_header_is_reported_and_goes_on)
{
	struct machine *machine = begin(0);

	damage_log(machine, 0, 2 * LOGFILE_BLOCK_BYTES, 0x11);
	recover_it(machine);
	cr_assert_eq(seen_count(machine), 0);
	start_loop(machine);
	memset(machine->seen, 0, sizeof(machine->seen));
	run(machine, fill_log);
	crash(machine);
	recover_it(machine);
	cr_assert_eq(seen_count(machine), COUNT);
	end(machine);
}

Test(recover, nothing_before_a_users_end_comes_back)
{
	struct machine *machine = begin(6);

	recover_it(machine);
	cr_assert_eq(machine->report.records, COUNT - 5);
	cr_assert_eq(machine->report.records_void, 5);
	for (unsigned lsn = 1; lsn <= COUNT; lsn++)
		cr_assert_eq(machine->seen[lsn], lsn >= 6);
	cr_assert_eq(machine->missing, 0);
	end(machine);
}

struct names {
	enum file_root root[64];
	char path[64][256];
	unsigned count;
};

static void collect(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	struct names *names = arg;

	(void)bytes;
	cr_assert_lt(names->count, 64);
	names->root[names->count] = root;
	snprintf(names->path[names->count++], sizeof(names->path[0]), "%s", path);
}

/* Its two headers say so. */
static void call_log(uint8_t *log, uint64_t number)
{
	for (size_t at = 0; at < LOGFILE_FIRST_OFFSET; at += LOGFILE_BLOCK_BYTES) {
		struct format_header header;

		memcpy(&header, log + at, sizeof(header));
		header.number = number;
		format_sign(&header, FORMAT_LOG, LOGFILE_VERSION);
		memcpy(log + at, &header, sizeof(header));
	}
}

/* A journal had lost all that it had, and its LSNs were given out again: what the later epoch wrote counts, though the logs have both. */
Test(recover, of_two_records_with_one_lsn_that_of_the_later_epoch_is_placed)
{
	struct machine *machine = begin(0);
	static struct names names;
	struct bytes log;
	uint8_t *older;
	size_t n;

	cr_assert_eq(sim_disk_read(machine->world, FILE_ROOT_COMMIT, "0/1.log", &log), RP_OK);
	n = log.n;
	older = malloc(n);
	memcpy(older, log.p, n);
	call_log(older, 9);
	sim_disk_walk(machine->world, collect, &names);
	for (unsigned i = 0; i < names.count; i++)
		cr_assert_eq(
		    sim_disk_remove(machine->world, names.root[i], names.path[i]), RP_OK);
	start_loop(machine);
	run(machine, fill_log);
	crash(machine);
	cr_assert_eq(
	    sim_disk_write(machine->world, FILE_ROOT_COMMIT, "0/9.log", bytes_of(older, n)), RP_OK);
	free(older);

	recover_it(machine);
	cr_assert_eq(machine->report.records, COUNT);
	cr_assert_eq(machine->report.records_void, COUNT);
	cr_assert_eq(seen_count(machine), COUNT);
	cr_assert_eq(machine->newest_count, COUNT);
	cr_assert_eq(machine->missing, 0);
	end(machine);
}
