/* An account of many mailboxes: what LIST and its kin cost, by the mailbox.
 *
 * Half of them lie flat, half in folders of 99; every third is subscribed, and as many names that are no mailbox, below
 * parents that are none either.
 */
#include <stdio.h>

#include "bench/load/die.h"
#include "bench/blocking/neighbour.h"
#include "bench/blocking/wire.h"

enum {
	NAMES_COUNT = 10000, /* mailboxes */
	NAMES_FOLDER = 100,  /* a folder, and what is in it */
	NAMES_UNDER_WAY = 100,
	NAMES_ROUNDS_MIN = 3,
};

struct names {
	const char *command;
	struct report_row cpu;
	struct report_row longest;
};

#define NAMES_NEIGHBOUR(KEY, TEXT)                                                                 \
	{                                                                                          \
		.key = KEY "_neighbour_longest", .work = "NOOP meanwhile, longest: " TEXT,         \
		.unit = "ms", .target = 100                                                        \
	}

static const struct names works[] = {
    {"LIST \"\" \"*\"", {.key = "names_list", .work = "LIST \"\" \"*\" of 10,000 mailboxes, each"},
        NAMES_NEIGHBOUR("names_list", "LIST")},
    {"LIST \"\" \"*\" RETURN (SUBSCRIBED CHILDREN STATUS (MESSAGES UIDNEXT UIDVALIDITY UNSEEN "
     "HIGHESTMODSEQ))",
        {.key = "names_status", .work = "the same, RETURN (STATUS ...), each"},
        NAMES_NEIGHBOUR("names_status", "LIST-STATUS")},
    {"LIST \"\" \"%\"", {.key = "names_top", .work = "LIST \"\" \"%\", each of all"},
        NAMES_NEIGHBOUR("names_top", "LIST %")},
    {"LIST (SUBSCRIBED) \"\" \"*\"",
        {.key = "names_subscribed", .work = "LIST (SUBSCRIBED) \"\" \"*\", each of all"},
        NAMES_NEIGHBOUR("names_subscribed", "LIST (SUBSCRIBED)")},
    {"LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"*\"",
        {.key = "names_recursive",
            .work = "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"*\", each of all"},
        NAMES_NEIGHBOUR("names_recursive", "RECURSIVEMATCH *")},
    {"LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"%\"",
        {.key = "names_recursive_top",
            .work = "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"%\", each of all"},
        NAMES_NEIGHBOUR("names_recursive_top", "RECURSIVEMATCH %")},
    {"LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (\"%\" \"ghost/a*\")",
        {.key = "names_recursive_some",
            .work = "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (\"%\" \"ghost/a*\"), each of all"},
        NAMES_NEIGHBOUR("names_recursive_some", "RECURSIVEMATCH of two")},
    {"LSUB \"\" \"%\"", {.key = "names_lsub", .work = "LSUB \"\" \"%\", each of all"},
        NAMES_NEIGHBOUR("names_lsub", "LSUB")},
};

/* The answers of all that is under way. */
static void finish(struct wire *wire, unsigned count)
{
	while (count > 0) {
		struct bytes line = wire_line(wire);
		size_t space = bytes_find(line, 0, ' ');

		if (line.n == 0 || line.p[0] == '*')
			continue;
		if (!bytes_starts_with(bytes_from(line, space), BYTES_LIT(" OK")))
			die("the server answered: %.*s", BYTES_FMT(line));
		count--;
	}
}

static void name_of(char *out, size_t size, unsigned i)
{
	if (i % 2 == 0)
		snprintf(out, size, "flat%u", i);
	else if (i / 2 % NAMES_FOLDER == 0)
		snprintf(out, size, "folder%u", i / 2 / NAMES_FOLDER);
	else
		snprintf(out, size, "folder%u/in%u", i / 2 / NAMES_FOLDER, i);
}

/* Mailboxes and subscriptions. An account that has some is left as it is. */
static void make(struct wire *wire)
{
	char command[WIRE_TEXT_BYTES_MAX];
	char name[64];
	unsigned under_way = 0;

	if (wire_command(wire, "LIST \"\" \"flat*\"") > 0)
		return;
	for (unsigned i = 0; i < NAMES_COUNT; i++) {
		name_of(name, sizeof(name), i);
		snprintf(command, sizeof(command), "CREATE \"%s\"", name);
		wire_start(wire, command);
		under_way++;
		if (i % 3 == 0) {
			snprintf(command, sizeof(command), "SUBSCRIBE \"%s\"", name);
			wire_start(wire, command);
			snprintf(command, sizeof(command), "SUBSCRIBE \"ghost/%c%u\"",
			    i % 2 == 0 ? 'a' : 'b', i);
			wire_start(wire, command);
			under_way += 2;
		}
		if (under_way >= NAMES_UNDER_WAY) {
			finish(wire, under_way);
			under_way = 0;
		}
	}
	finish(wire, under_way);
}

static unsigned run(const struct work *work, struct wire *wire, const char *command)
{
	struct work_clock start = work_clock_start(work);
	unsigned rounds = 0;

	while (rounds < NAMES_ROUNDS_MIN ||
	       (double)work_clock_since(work, start).wall_ns < work->seconds * 1e9) {
		(void)wire_command(wire, command);
		rounds++;
	}
	return rounds;
}

static void measure(struct work *work, struct wire *wire, const struct names *names)
{
	struct report_row cpu = names->cpu;
	struct report_row longest = names->longest;
	struct work_clock start = work_clock_start(work);
	unsigned rounds = run(work, wire, names->command);
	struct work_clock spent = work_clock_since(work, start);
	struct neighbours *neighbours = neighbours_start(work);
	double p99_ms;

	(void)run(work, wire, names->command);
	neighbours_stop(neighbours, &p99_ms, &longest.value);
	cpu.unit = "us CPU";
	cpu.value = (double)spent.cpu_ns / 1000 / rounds / NAMES_COUNT;
	if (work->procs.count > 0)
		report_add(&work->report, cpu);
	report_add(&work->report, longest);
}

void work_names(struct work *work)
{
	struct wire wire;

	wire_login(&wire, work->imap, false, work->user, work->password);
	struct work_clock start = work_clock_start(work);

	make(&wire);
	struct work_clock spent = work_clock_since(work, start);

	report_add(
	    &work->report, (struct report_row){.key = "names_create",
	                       .work = "CREATE of 10,000 mailboxes and 6,668 SUBSCRIBE, each",
	                       .unit = "us CPU",
	                       .value = (double)spent.cpu_ns / 1000 / (NAMES_COUNT * 5 / 3)});
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
		measure(work, &wire, &works[i]);
	wire_logout(&wire);
}
