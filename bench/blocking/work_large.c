/* Commands over all of the large mailbox: what they cost, and how long a neighbour on the shard is held up meanwhile.
 *
 * What costs by the message is told by the message, so that mailboxes of any size compare; what should cost only what
 * it touches is told by the command.
 */
#include <stdio.h>

#include "bench/load/die.h"
#include "bench/blocking/neighbour.h"
#include "bench/blocking/wire.h"
#include "io/base/clock.h"

enum { LARGE_ROUNDS_MIN = 3, LARGE_MESSAGES_A_TARGET = 100000 };

/* One kind of command. `back`: what undoes it, counted like it. */
struct large {
	const char *command;
	const char *back;
	bool each; /* told by the message */
	struct report_row cpu;
	struct report_row p99;
	struct report_row longest;
};

#define LARGE_NEIGHBOUR(KEY, TEXT)                                                                 \
	.p99 = {.key = KEY "_neighbour_p99", .work = "NOOP meanwhile, p99: " TEXT, .unit = "ms"},  \
	.longest = {.key = KEY "_neighbour_longest",                                               \
	    .work = "NOOP meanwhile, longest: " TEXT,                                              \
	    .unit = "ms",                                                                          \
	    .target = 100}

/* Targets of work that grows with the mailbox are the design's for 100,000 messages, by the message. */
static const struct large larges[] = {
    {.command = "NOOP",
        .cpu = {.key = "large_noop", .work = "NOOP, with a neighbour beside it"},
        LARGE_NEIGHBOUR("large_noop", "nothing else")},
    {.command = "FETCH 1:* (FLAGS)",
        .each = true,
        .cpu = {.key = "large_fetch",
            .work = "FETCH 1:* (FLAGS), per message",
            .floor = 0.03,
            .target = 0.05},
        LARGE_NEIGHBOUR("large_fetch", "FETCH")},
    {.command = "UID FETCH 1:* (FLAGS)",
        .each = true,
        .cpu = {.key = "large_uid_fetch",
            .work = "UID FETCH 1:* (FLAGS), per message",
            .floor = 0.035,
            .target = 0.05},
        LARGE_NEIGHBOUR("large_uid_fetch", "UID FETCH")},
    {.command = "STORE 1:* +FLAGS.SILENT (\\Flagged)",
        .back = "STORE 1:* -FLAGS.SILENT (\\Flagged)",
        .each = true,
        .cpu = {.key = "large_store_silent",
            .work = "STORE 1:* +-FLAGS.SILENT, durable, per message",
            .target = 0.002},
        LARGE_NEIGHBOUR("large_store_silent", "STORE .SILENT")},
    {.command = "STORE 1:* +FLAGS (\\Flagged)",
        .back = "STORE 1:* -FLAGS (\\Flagged)",
        .each = true,
        .cpu = {.key = "large_store",
            .work = "STORE 1:* +-FLAGS, durable, per message",
            .target = 0.052},
        LARGE_NEIGHBOUR("large_store", "STORE")},
    {.command = "UID SEARCH UNSEEN",
        .each = true,
        .cpu = {.key = "large_search",
            .work = "UID SEARCH UNSEEN, a fifth is listed, per message",
            .floor = 0.002,
            .target = 0.003},
        LARGE_NEIGHBOUR("large_search", "SEARCH UNSEEN")},
    {.command = "SEARCH RETURN (COUNT) UNSEEN",
        .each = true,
        .cpu = {.key = "large_search_count",
            .work = "SEARCH RETURN (COUNT) UNSEEN, per message",
            .floor = 0.00001,
            .target = 0.0001},
        LARGE_NEIGHBOUR("large_search_count", "SEARCH COUNT")},
    {.command = "SEARCH RETURN (COUNT) UNANSWERED",
        .each = true,
        .cpu = {.key = "large_search_unanswered",
            .work = "SEARCH RETURN (COUNT) UNANSWERED, per message",
            .floor = 0.00001,
            .target = 0.0001},
        LARGE_NEIGHBOUR("large_search_unanswered", "SEARCH UNANSWERED")},
    {.command = "SEARCH RETURN (COUNT) KEYWORD $Large",
        .each = true,
        .cpu = {.key = "large_search_keyword",
            .work = "SEARCH RETURN (COUNT) KEYWORD, a third has it, per message",
            .floor = 0.00001,
            .target = 0.0001},
        LARGE_NEIGHBOUR("large_search_keyword", "SEARCH KEYWORD")},
};

/* The number behind "[NAME " in the answer to a command. */
static uint64_t code_of(struct wire *wire, const char *command, struct bytes name)
{
	struct bytes line;
	uint64_t value = 0;

	wire_start(wire, command);
	do {
		line = wire_line(wire);
		for (size_t at = 0; at + name.n < line.n; at++) {
			struct bytes rest = bytes_from(line, at);

			if (!bytes_starts_with(rest, name))
				continue;
			rest = bytes_from(rest, name.n);
			rest = bytes_slice(rest, 0, bytes_find(rest, 0, ']'));
			if (!bytes_to_u64(rest, UINT64_MAX, &value))
				die("the server answered: %.*s", BYTES_FMT(line));
			break;
		}
	} while (line.n > 0 && line.p[0] == '*');
	return value;
}

/* Rounds of it, until the time is over. */
static unsigned run(const struct work *work, struct wire *wire, const struct large *large)
{
	struct work_clock start = work_clock_start(work);
	unsigned rounds = 0;

	while (rounds < LARGE_ROUNDS_MIN ||
	       (double)work_clock_since(work, start).wall_ns < work->seconds * 1e9) {
		(void)wire_command(wire, large->command);
		rounds++;
		if (large->back == NULL)
			continue;
		(void)wire_command(wire, large->back);
		rounds++;
	}
	return rounds;
}

static void measure(
    struct work *work, struct wire *wire, const struct large *large, double messages_count)
{
	struct report_row p99 = large->p99;
	struct report_row longest = large->longest;
	struct report_row cpu = large->cpu;
	struct work_clock start = work_clock_start(work);
	unsigned rounds = run(work, wire, large);
	struct work_clock spent = work_clock_since(work, start);
	struct neighbours *neighbours = neighbours_start(work);

	(void)run(work, wire, large);
	neighbours_stop(neighbours, &p99.value, &longest.value);
	cpu.unit = "us CPU";
	cpu.value = (double)spent.cpu_ns / 1000 / rounds / (large->each ? messages_count : 1);
	if (work->procs.count > 0)
		report_add(&work->report, cpu);
	report_add(&work->report, p99);
	report_add(&work->report, longest);
}

/* What has changed since: ten messages of all, by MODSEQ. */
static void measure_changes(struct work *work, struct wire *wire, const char *select)
{
	char command[WIRE_TEXT_BYTES_MAX];
	uint64_t modseq = code_of(wire, select, BYTES_LIT("[HIGHESTMODSEQ "));

	wire_command(wire, "STORE 1001:1010 +FLAGS.SILENT ($Changed)");
	snprintf(command, sizeof(command), "FETCH 1:* (FLAGS) (CHANGEDSINCE %llu)",
	    (unsigned long long)modseq);
	measure(work, wire,
	    &(struct large){.command = command,
	        .cpu = {.key = "large_changes",
	            .work = "FETCH 1:* (FLAGS) (CHANGEDSINCE), 10 have changed"},
	        LARGE_NEIGHBOUR("large_changes", "CHANGEDSINCE")},
	    1);
	wire_command(wire, "STORE 1001:1010 -FLAGS.SILENT ($Changed)");
}

/* A tenth more messages: more than the journal grows by before the mailbox's index is written anew. */
static void measure_checkpoint(struct work *work, struct wire *wire, double messages_count)
{
	struct report_row p99 = {.key = "large_append_neighbour_p99",
	    .work = "NOOP meanwhile, p99: APPEND of a tenth more, a checkpoint in it",
	    .unit = "ms"};
	struct report_row longest = {.key = "large_append_neighbour_longest",
	    .work = "NOOP meanwhile, longest: APPEND of a tenth more",
	    .unit = "ms",
	    .target = 100};
	struct neighbours *neighbours = neighbours_start(work);

	work_append(work, wire, (unsigned)(messages_count / 10));
	neighbours_stop(neighbours, &p99.value, &longest.value);
	report_add(&work->report, p99);
	report_add(&work->report, longest);
}

void work_large(struct work *work)
{
	char select[WIRE_TEXT_BYTES_MAX];
	struct wire wire;

	snprintf(select, sizeof(select), "SELECT \"%s\"", work->mailbox);
	wire_login(&wire, work->imap, false, work->user, work->password);
	wire_command(&wire, select);
	double messages_count = (double)wire_command(&wire, "FETCH 1:* (FLAGS)");

	if (messages_count < LARGE_MESSAGES_A_TARGET)
		die("the mailbox is too small: --fill %d at least", LARGE_MESSAGES_A_TARGET);
	fprintf(stderr, "  (%.0f messages)\n", messages_count);
	for (uint32_t i = 1; i + 3 < 1000; i += 3) {
		char command[WIRE_TEXT_BYTES_MAX];

		snprintf(command, sizeof(command), "STORE %.0f:%.0f +FLAGS.SILENT ($Large)",
		    i * messages_count / 1000, (i + 1) * messages_count / 1000);
		wire_command(&wire, command);
	}
	for (size_t i = 0; i < sizeof(larges) / sizeof(larges[0]); i++)
		measure(work, &wire, &larges[i], messages_count);
	measure_changes(work, &wire, select);
	wire_command(&wire, "CLOSE");
	measure_checkpoint(work, &wire, messages_count);
	wire_logout(&wire);
}
