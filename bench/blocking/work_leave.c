/* Changes to all of the large mailbox that take messages elsewhere or away: what they cost, and how long a neighbour on the shard is
 * held up meanwhile. Of each second message too, which leaves as many runs of UIDs as messages. It leaves the mailbox empty.
 */
#include <stdio.h>

#include "bench/load/die.h"
#include "bench/blocking/neighbour.h"
#include "bench/blocking/wire.h"
#include "io/base/clock.h"

enum { LEAVE_NUMBER_BYTES = 12 };

struct leave {
	const char *command;
	struct report_row cpu;
	struct report_row wall;
	struct report_row p99;
	struct report_row longest;
};

#define LEAVE(KEY, COMMAND, TEXT)                                                                  \
	{                                                                                          \
		.command = COMMAND,                                                                \
		.cpu = {.key = KEY, .work = TEXT ", per message", .unit = "us CPU"},               \
		.wall = {.key = KEY "_wall", .work = TEXT ", all of it, wall", .unit = "ms"},      \
		.p99 = {.key = KEY "_neighbour_p99",                                               \
		    .work = "NOOP meanwhile, p99: " TEXT,                                          \
		    .unit = "ms"},                                                                 \
		.longest = {                                                                       \
			.key = KEY "_neighbour_longest",                                           \
			.work = "NOOP meanwhile, longest: " TEXT,                                  \
			.unit = "ms",                                                              \
			.target = 100                                                              \
		}                                                                                  \
	}

static const struct leave copy_all = LEAVE("leave_copy", "COPY 1:* \"Leave\"", "COPY of all");
static const struct leave expunge_half =
    LEAVE("leave_expunge_half", "EXPUNGE", "EXPUNGE of each second");
static const struct leave store_half = LEAVE("leave_store_half",
    "STORE 1:* +FLAGS.SILENT (\\Flagged)", "STORE .SILENT of what is left, each second UID");
static const struct leave move_half =
    LEAVE("leave_move_half", "MOVE 1:* \"Leave\"", "MOVE of these");
static const struct leave store_all = LEAVE(
    "leave_store_deleted", "STORE 1:* +FLAGS.SILENT (\\Deleted)", "STORE .SILENT of all these");
static const struct leave expunge_all = LEAVE("leave_expunge", "EXPUNGE", "EXPUNGE of all these");

static void measure(
    struct work *work, struct wire *wire, const struct leave *leave, double messages_count)
{
	struct neighbours *neighbours = neighbours_start(work);
	struct work_clock start = work_clock_start(work);
	struct report_row cpu = leave->cpu;
	struct report_row wall = leave->wall;
	struct report_row p99 = leave->p99;
	struct report_row longest = leave->longest;

	(void)wire_command(wire, leave->command);

	struct work_clock spent = work_clock_since(work, start);

	neighbours_stop(neighbours, &p99.value, &longest.value);
	cpu.value = (double)spent.cpu_ns / 1000 / messages_count;
	wall.value = (double)spent.wall_ns / 1e6;
	if (work->procs.count > 0)
		report_add(&work->report, cpu);
	report_add(&work->report, wall);
	report_add(&work->report, p99);
	report_add(&work->report, longest);
}

/* \Deleted for each second message. */
static void delete_half(struct wire *wire, unsigned messages_count)
{
	char command[WIRE_TEXT_BYTES_MAX - 64];
	unsigned seqno = 1;

	while (seqno <= messages_count) {
		int n = snprintf(command, sizeof(command), "STORE %u", seqno);

		for (seqno += 2; seqno <= messages_count &&
		                 (size_t)n + LEAVE_NUMBER_BYTES + 32 < sizeof(command);
		     seqno += 2)
			n += snprintf(command + n, sizeof(command) - (size_t)n, ",%u", seqno);
		snprintf(command + n, sizeof(command) - (size_t)n, " +FLAGS.SILENT (\\Deleted)");
		(void)wire_command(wire, command);
	}
}

void work_leave(struct work *work)
{
	char select[WIRE_TEXT_BYTES_MAX];
	struct wire wire;

	snprintf(select, sizeof(select), "SELECT \"%s\"", work->mailbox);
	wire_login(&wire, work->imap, false, work->user, work->password);
	wire_command(&wire, "CREATE \"Leave\"");
	wire_command(&wire, select);

	unsigned count = (unsigned)wire_command(&wire, "FETCH 1:* (FLAGS)");
	unsigned half = count / 2;

	measure(work, &wire, &copy_all, count);
	delete_half(&wire, count);
	measure(work, &wire, &expunge_half, count - half);
	measure(work, &wire, &store_half, half);
	measure(work, &wire, &move_half, half);
	wire_command(&wire, "SELECT \"Leave\"");
	measure(work, &wire, &store_all, count + half);
	measure(work, &wire, &expunge_all, count + half);
	wire_command(&wire, "CLOSE");
	wire_command(&wire, "DELETE \"Leave\"");
	wire_logout(&wire);
}
