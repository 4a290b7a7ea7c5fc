/* Deliveries spread over many users: what one costs until its 250, and what settling it costs afterwards.
 *
 * They come in bursts that are answered before the first of them is due to be settled; then nothing is sent until the
 * server is quiet. Each message of a burst is another user's, and all users get one before any gets his next.
 */
#include <stdio.h>
#include <time.h>

#include "bench/load/die.h"
#include "bench/blocking/lmtp_load.h"
#include "io/base/clock.h"

enum {
	MANY_BURST = 2000,    /* well below what makes settling hurry, and a second */
	MANY_LOOK_MS = 100,   /* between two looks at a server that is to become quiet */
	MANY_QUIET_LOOKS = 8, /* longer than records wait to be settled */
	MANY_QUIET_US = 2000, /* of CPU between two looks, at most */
	MANY_QUIET_LOOKS_MAX = 600,
	MANY_ROUNDS = 3,
};

/* What was used in one part of the work. */
struct spent {
	double cpu_ns;
	double written_bytes;
};

struct many_clock {
	uint64_t cpu_ns;
	uint64_t written_bytes;
};

static struct many_clock now(const struct work *work)
{
	return (struct many_clock){procs_cpu_ns(&work->procs), procs_written_bytes(&work->procs)};
}

static struct many_clock add_since(
    const struct work *work, struct many_clock start, struct spent *spent)
{
	struct many_clock end = now(work);

	spent->cpu_ns += (double)(end.cpu_ns - start.cpu_ns);
	spent->written_bytes += (double)(end.written_bytes - start.written_bytes);
	return end;
}

static void wait_quiet(const struct work *work)
{
	const struct timespec pause = {.tv_nsec = MANY_LOOK_MS * 1000 * 1000};
	uint64_t before_ns = procs_cpu_ns(&work->procs);
	unsigned quiet = 0;

	for (unsigned looks = 0; quiet < MANY_QUIET_LOOKS; looks++) {
		if (looks == MANY_QUIET_LOOKS_MAX)
			die("the server does not become quiet");
		nanosleep(&pause, NULL);
		uint64_t cpu_ns = procs_cpu_ns(&work->procs);

		quiet = cpu_ns - before_ns < MANY_QUIET_US * 1000 ? quiet + 1 : 0;
		before_ns = cpu_ns;
	}
}

static void round_of(
    const struct work *work, struct lmtp_load *load, struct spent *own, struct spent *settling)
{
	for (unsigned done = 0; done < work->users_count;) {
		unsigned count = work->users_count - done;
		struct many_clock start = now(work);

		if (count > MANY_BURST)
			count = MANY_BURST;
		lmtp_load_deliver(load, count);
		start = add_since(work, start, own);
		wait_quiet(work);
		(void)add_since(work, start, settling);
		done += count;
	}
}

/* The texts of a round. */
struct many_round {
	struct report_row own, settling, own_bytes, settling_bytes, memory, descriptors;
};

#define MANY_ROUND(KEY, TEXT)                                                                      \
	{                                                                                          \
		.own = {.key = KEY "_own", .work = TEXT ", until its 250", .unit = "us CPU"},      \
		.settling = {.key = KEY "_settling", .work = TEXT ", settled", .unit = "us CPU"},  \
		.own_bytes = {.key = KEY "_own_bytes",                                             \
		    .work = TEXT ", written until its 250",                                        \
		    .unit = "bytes"},                                                              \
		.settling_bytes = {.key = KEY "_settling_bytes",                                   \
		    .work = TEXT ", written to settle it",                                         \
		    .unit = "bytes"},                                                              \
		.memory = {.key = KEY "_memory",                                                   \
		    .work = TEXT ", then memory of the server",                                    \
		    .unit = "MiB"},                                                                \
		.descriptors = {.key = KEY "_descriptors",                                         \
		    .work = TEXT ", then its open files",                                          \
		    .unit = "files"},                                                              \
	}

static const struct many_round rounds[MANY_ROUNDS] = {
    MANY_ROUND("many_first", "a user's 1st delivery"),
    MANY_ROUND("many_second", "a user's 2nd delivery"),
    MANY_ROUND("many_third", "a user's 3rd delivery"),
};

/* Settling is to cost no more than the delivery's own. */
static void report(struct work *work, struct many_round round, const struct spent *own,
    const struct spent *settling)
{
	double count = work->users_count;

	round.own.value = own->cpu_ns / 1000 / count;
	round.settling.value = settling->cpu_ns / 1000 / count;
	round.settling.target = round.own.value;
	round.own_bytes.value = own->written_bytes / count;
	round.settling_bytes.value = settling->written_bytes / count;
	round.settling_bytes.target = round.own_bytes.value;
	round.memory.value = (double)procs_pss_bytes(&work->procs) / 1048576;
	round.descriptors.value = (double)procs_descriptors(&work->procs);
	report_add(&work->report, round.own);
	report_add(&work->report, round.settling);
	report_add(&work->report, round.own_bytes);
	report_add(&work->report, round.settling_bytes);
	report_add(&work->report, round.memory);
	report_add(&work->report, round.descriptors);
}

static void report_pace(struct work *work, struct lmtp_load *load)
{
	struct work_clock start = work_clock_start(work);
	double count = (double)lmtp_load_run(load, work->seconds);

	/* What is under way when it ends, and what is to be settled still, is paid by it all the same. */
	wait_quiet(work);
	struct work_clock spent = work_clock_since(work, start);

	report_add(&work->report, (struct report_row){.key = "many_rate",
	                              .work = "LMTP to all of them, 64 sessions, durable, wall",
	                              .unit = "/s",
	                              .value = count / work->seconds,
	                              .more_is_better = true});
	report_add(&work->report, (struct report_row){.key = "many_rate_core",
	                              .work = "the same, per second of server CPU, settling too",
	                              .unit = "/s",
	                              .value = count * 1e9 / (double)spent.cpu_ns,
	                              .target = 20000,
	                              .more_is_better = true});
}

void work_many(struct work *work)
{
	if (work->procs.count == 0)
		die("--server-pid is needed");
	struct lmtp_load *load = lmtp_load_open(work);

	wait_quiet(work); /* a server that has just started may still be making its log */
	report_add(&work->report, (struct report_row){.key = "many_memory_before",
	                              .work = "memory of the server before",
	                              .unit = "MiB",
	                              .value = (double)procs_pss_bytes(&work->procs) / 1048576});
	for (size_t i = 0; i < MANY_ROUNDS; i++) {
		struct spent own = {0};
		struct spent settling = {0};

		round_of(work, load, &own, &settling);
		report(work, rounds[i], &own, &settling);
	}
	report_pace(work, load);
	lmtp_load_close(load);
}
