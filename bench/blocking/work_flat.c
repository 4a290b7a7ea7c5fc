/* Mail goes through mailboxes whose size stays the same: does anything grow?
 *
 *   a round:  FLAT_BATCH messages more for each user, by LMTP -> as many others of his get \Deleted, and are expunged
 *
 * Those that go stand scattered, so what stays becomes old, with gaps everywhere between. In one of FLAT_SINGLE_ONE_IN rounds each goes by
 * itself. All rounds are told in FLAT_SPANS spans: what is on the disk and open at most in each, memory at least (what is left
 * when nothing else is under way), the mean of a message's cost, the cheapest of several looks at SELECT and FETCH. The last third of
 * the spans is held against the second; in the first things that have a bound fill up.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/load/die.h"
#include "bench/blocking/disk.h"
#include "bench/blocking/lmtp_load.h"
#include "bench/blocking/wire.h"

enum {
	FLAT_BATCH = 100,
	FLAT_SINGLE_ONE_IN = 50,
	FLAT_SPANS = 30,
	FLAT_LOOKS = 10, /* at a SELECT, and at a FETCH, in a span: */
	FLAT_ASKS = 20,  /* the mean of so many each */
	FLAT_USERS_MAX = 16,
	FLAT_SET_BYTES = 800,
};

enum flat_figure {
	FLAT_BODIES,
	FLAT_JOURNALS,
	FLAT_DERIVED,
	FLAT_LOG,
	FLAT_FILES,
	FLAT_MEMORY,
	FLAT_MAPPINGS,
	FLAT_DESCRIPTORS,
	FLAT_CPU,
	FLAT_SELECT,
	FLAT_FETCH,
	FLAT_FIGURES
};

/* How much more it may be in the last third: by a share, and by something besides, of what comes and goes as a whole. */
struct flat_kind {
	const char *key;
	const char *work;
	const char *unit;
	const char *head; /* of its column */
	double more_share;
	double more;
};

static const struct flat_kind kinds[FLAT_FIGURES] = {
    [FLAT_BODIES] = {"flat_bodies", "bodies on the disk", "MiB", "bodies", 0.05, 64},
    [FLAT_JOURNALS] = {"flat_journals", "journals on the disk", "MiB", "journal", 0.05, 8},
    [FLAT_DERIVED] = {"flat_derived", "catalogs, indexes, caches on the disk", "MiB", "derived",
        0.05, 1},
    [FLAT_LOG] = {"flat_log", "commit logs on the disk", "MiB", "logs", 0.05, 64},
    [FLAT_FILES] = {"flat_files", "users' files on the disk", "files", "files", 0.05, 8},
    [FLAT_MEMORY] = {"flat_memory", "memory of the server, at least", "MiB", "memory", 0.05, 2},
    [FLAT_MAPPINGS] = {"flat_mappings", "mappings of its processes", "", "maps", 0.05, 16},
    [FLAT_DESCRIPTORS] = {"flat_descriptors", "its open files", "files", "open", 0.05, 8},
    [FLAT_CPU] = {"flat_cpu", "a message in and out, all of it", "us CPU", "cpu/msg", 0.15, 0},
    [FLAT_SELECT] = {"flat_select", "SELECT again", "us CPU", "SELECT", 0.25, 5},
    [FLAT_FETCH] = {"flat_fetch", "FETCH 1:* (FLAGS)", "us CPU", "FETCH", 0.25, 20},
};

struct flat {
	struct work *work;
	struct lmtp_load *load;
	struct wire wire[FLAT_USERS_MAX];
	uint64_t random;
	double span[FLAT_SPANS][FLAT_FIGURES];
};

static unsigned draw(struct flat *flat, unsigned below)
{
	flat->random ^= flat->random << 13;
	flat->random ^= flat->random >> 7;
	flat->random ^= flat->random << 17;
	return (unsigned)(flat->random % below);
}

static void open_user(struct flat *flat, unsigned user)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%u", flat->work->users, user);
	wire_login(&flat->wire[user], flat->work->imap, false, name, flat->work->password);
	(void)wire_command(&flat->wire[user], "SELECT INBOX");
}

/* ---- a round ---- */

/* Every second or third from somewhere on: as many as came. */
static void expunge_many(struct flat *flat, struct wire *wire)
{
	unsigned step = 2 + draw(flat, 2);
	unsigned number = 1 + draw(flat, flat->work->kept_count - step * FLAT_BATCH);
	char set[FLAT_SET_BYTES];
	char command[WIRE_TEXT_BYTES_MAX];
	size_t at = 0;

	for (unsigned i = 0; i < FLAT_BATCH; i++, number += step)
		at += (size_t)snprintf(set + at, sizeof(set) - at, i == 0 ? "%u" : ",%u", number);
	snprintf(command, sizeof(command), "STORE %s +FLAGS.SILENT (\\Deleted)", set);
	(void)wire_command(wire, command);
	if (wire_command(wire, "EXPUNGE") < FLAT_BATCH)
		die("EXPUNGE took fewer than were \\Deleted");
}

static void expunge_singly(struct flat *flat, struct wire *wire)
{
	char command[WIRE_TEXT_BYTES_MAX];

	for (unsigned i = 0; i < FLAT_BATCH; i++) {
		snprintf(command, sizeof(command), "STORE %u +FLAGS (\\Deleted)",
		    1 + draw(flat, flat->work->kept_count));
		(void)wire_command(wire, command);
		if (wire_command(wire, "EXPUNGE") < 1)
			die("EXPUNGE took nothing");
	}
}

static void round_of(struct flat *flat, uint64_t number)
{
	char command[WIRE_TEXT_BYTES_MAX];

	lmtp_load_deliver(flat->load, FLAT_BATCH * (uint64_t)flat->work->users_count);
	for (unsigned user = 0; user < flat->work->users_count; user++) {
		struct wire *wire = &flat->wire[user];
		unsigned seen = 1 + draw(flat, flat->work->kept_count - FLAT_BATCH);

		snprintf(command, sizeof(command), "STORE %u:%u +FLAGS.SILENT (\\Seen)", seen,
		    seen + FLAT_BATCH / 2);
		(void)wire_command(wire, command);
		if (number % FLAT_SINGLE_ONE_IN == 0)
			expunge_singly(flat, wire);
		else
			expunge_many(flat, wire);
	}
}

/* ---- a span ---- */

static void larger(double *most, double value)
{
	*most = value > *most ? value : *most;
}

/* Nothing is 0. */
static void smaller(double *least, double value)
{
	*least = *least == 0 || value < *least ? value : *least;
}

static void look(const struct flat *flat, double figure[FLAT_FIGURES])
{
	const struct procs *procs = &flat->work->procs;
	struct disk_use disk = disk_look(flat->work->data);

	larger(&figure[FLAT_BODIES], (double)disk.body_bytes / 1048576);
	larger(&figure[FLAT_JOURNALS], (double)disk.journal_bytes / 1048576);
	larger(&figure[FLAT_DERIVED], (double)disk.derived_bytes / 1048576);
	larger(&figure[FLAT_LOG], (double)disk.log_bytes / 1048576);
	larger(&figure[FLAT_FILES], (double)disk.files);
	smaller(&figure[FLAT_MEMORY], (double)procs_pss_bytes(procs) / 1048576);
	larger(&figure[FLAT_MAPPINGS], (double)procs_mappings(procs));
	larger(&figure[FLAT_DESCRIPTORS], (double)procs_descriptors(procs));
}

/* CPU time of one, in microseconds; what goes on besides is not to be told. */
static double ask(const struct flat *flat, struct wire *wire, const char *command, size_t lines_min)
{
	double least = 0;

	for (unsigned i = 0; i < FLAT_LOOKS; i++) {
		struct work_clock start = work_clock_start(flat->work);

		for (unsigned k = 0; k < FLAT_ASKS; k++)
			if (wire_command(wire, command) < lines_min)
				die("%s tells fewer messages than there must be", command);
		smaller(
		    &least, (double)work_clock_since(flat->work, start).cpu_ns / 1000 / FLAT_ASKS);
	}
	return least;
}

/* New connections: what their sessions held is given back with the old ones. */
static void ask_all(struct flat *flat, double figure[FLAT_FIGURES])
{
	double users = flat->work->users_count;

	for (unsigned user = 0; user < flat->work->users_count; user++) {
		wire_logout(&flat->wire[user]);
		open_user(flat, user);
		figure[FLAT_SELECT] += ask(flat, &flat->wire[user], "SELECT INBOX", 1) / users;
		figure[FLAT_FETCH] +=
		    ask(flat, &flat->wire[user], "FETCH 1:* (FLAGS)", flat->work->kept_count) /
		    users;
	}
}

static void print_head(FILE *out)
{
	fprintf(out, "%10s", "messages");
	for (size_t i = 0; i < FLAT_FIGURES; i++)
		fprintf(out, " %9s", kinds[i].head);
	fputc('\n', out);
}

static void print_span(FILE *out, uint64_t messages, const double figure[FLAT_FIGURES])
{
	fprintf(out, "%10llu", (unsigned long long)messages);
	for (size_t i = 0; i < FLAT_FIGURES; i++)
		fprintf(out, " %9.4g", figure[i]);
	fputc('\n', out);
	fflush(out);
}

static void run_spans(struct flat *flat)
{
	FILE *out = flat->work->report.json ? stderr : stdout;
	uint64_t round_messages = FLAT_BATCH * (uint64_t)flat->work->users_count;
	uint64_t rounds = (flat->work->messages_count + round_messages - 1) / round_messages;
	uint64_t done = 0;

	print_head(out);
	for (unsigned i = 0; i < FLAT_SPANS; i++) {
		struct work_clock start = work_clock_start(flat->work);
		uint64_t before = done;

		for (; done < rounds * (i + 1) / FLAT_SPANS; done++) {
			round_of(flat, done);
			look(flat, flat->span[i]);
		}
		flat->span[i][FLAT_CPU] = (double)work_clock_since(flat->work, start).cpu_ns /
		                          1000 / ((double)(done - before) * (double)round_messages);
		ask_all(flat, flat->span[i]);
		print_span(out, done * round_messages, flat->span[i]);
	}
}

/* ---- all of it ---- */

static double mean(const struct flat *flat, enum flat_figure figure, unsigned from, unsigned to)
{
	double sum = 0;

	for (unsigned i = from; i < to; i++)
		sum += flat->span[i][figure];
	return sum / (to - from);
}

static void judge(struct flat *flat)
{
	for (size_t i = 0; i < FLAT_FIGURES; i++) {
		double before = mean(flat, (enum flat_figure)i, FLAT_SPANS / 3, 2 * FLAT_SPANS / 3);
		struct report_row row = {.key = kinds[i].key,
		    .work = kinds[i].work,
		    .unit = kinds[i].unit,
		    .value = mean(flat, (enum flat_figure)i, 2 * FLAT_SPANS / 3, FLAT_SPANS),
		    .floor = before,
		    .target = before * (1 + kinds[i].more_share) + kinds[i].more};

		report_add(&flat->work->report, row);
		if (row.value <= row.target)
			continue;
		fprintf(stderr, "%s: it grows: %.4g in the second third, %.4g in the last\n",
		    kinds[i].work, before, row.value);
		flat->work->failed = true;
	}
}

void work_flat(struct work *work)
{
	struct flat *flat = calloc(1, sizeof(*flat));

	if (flat == NULL)
		die("no memory");
	if (work->procs.count == 0 || work->data == NULL)
		die("--server-pid and --data are needed");
	if (work->users_count > FLAT_USERS_MAX || work->kept_count < 4 * FLAT_BATCH)
		die("flat: at most %d users, and %d messages that stay", FLAT_USERS_MAX,
		    4 * FLAT_BATCH);
	if (work->messages_count < (uint64_t)FLAT_SPANS * FLAT_BATCH * work->users_count)
		die("flat: too few rounds");
	flat->work = work;
	flat->random = 88172645463325252;
	flat->load = lmtp_load_open(work);
	lmtp_load_deliver(flat->load, (uint64_t)work->kept_count * work->users_count);
	for (unsigned user = 0; user < work->users_count; user++)
		open_user(flat, user);
	run_spans(flat);
	judge(flat);
	for (unsigned user = 0; user < work->users_count; user++)
		wire_logout(&flat->wire[user]);
	lmtp_load_close(flat->load);
	free(flat);
}
