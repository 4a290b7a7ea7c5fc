#include "bench/load/bench_run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/load/die.h"
#include "bench/load/worker.h"
#include "io/base/clock.h"
#include "io/base/num.h"
#include "tls/tls_client.h"

enum {
	START_AFTER_NS = 200 * 1000 * 1000, /* from the gate: each thread has seen it by then */
	LOOK_NS = 10 * 1000 * 1000,
};

void run_void(struct bench_run *run, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&run->lock);
	if (run->why[0] == '\0') {
		va_start(args, format);
		vsnprintf(run->why, sizeof(run->why), format, args);
		va_end(args);
		/* One line, whatever a server says. */
		for (char *c = run->why; *c != '\0'; c++)
			if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
				*c = '?';
	}
	pthread_mutex_unlock(&run->lock);
	atomic_store(&run->stop, true);
}

static void sleep_to(struct bench_run *run, uint64_t at_ns)
{
	while (!atomic_load(&run->stop) && clock_monotonic_ns() < at_ns) {
		uint64_t until_ns = num_min(at_ns, clock_monotonic_ns() + 10 * LOOK_NS);
		struct timespec until = {.tv_sec = (time_t)(until_ns / CLOCK_NS_PER_S),
		    .tv_nsec = (long)(until_ns % CLOCK_NS_PER_S)};

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	}
}

static void wait_begun(struct bench_run *run)
{
	uint64_t since_ns = clock_monotonic_ns();

	while (atomic_load(&run->begun) < run->profile->clients && !atomic_load(&run->stop))
		sleep_to(run, clock_monotonic_ns() + LOOK_NS);
	run->begin_s = (double)(clock_monotonic_ns() - since_ns) / 1e9;
}

static void look(struct bench_run *run, struct cost *cost, bool memory)
{
	const struct run_settings *settings = run->settings;
	bool right = settings->pids_count > 0 && !atomic_load(&run->stop) &&
	             (memory ? cost_look_memory : cost_look)(cost, settings->pid, settings->pids_count);

	if (settings->pids_count > 0 && !right && !atomic_load(&run->stop))
		run_void(run, "what the server's processes used cannot be read: is each --server-pid there?");
}

static void open_gate(struct bench_run *run)
{
	uint64_t start_ns = num_round_up(clock_monotonic_ns() + START_AFTER_NS, SCHEDULE_TICK_NS);

	run->from_ns = start_ns + (uint64_t)(run->profile->warmup_s * 1e9);
	run->to_ns = run->from_ns + (uint64_t)(run->profile->seconds * 1e9);
	atomic_store(&run->start_ns, start_ns);
}

bool run_make(struct bench_run *run, const struct run_settings *settings, const struct profile *profile)
{
	struct cost memory = {0};

	*run = (struct bench_run){.settings = settings, .profile = profile};
	pthread_mutex_init(&run->lock, NULL);
	run->nonce = clock_wall_ns();
	run->has_cost = settings->pids_count > 0;
	run->tls = tls_client_open();
	run->sent_ns = calloc(profile->users, sizeof(*run->sent_ns));
	if (run->tls == NULL || run->sent_ns == NULL)
		die("no memory for a run");
	look(run, &run->cost_idle, true);
	for (unsigned i = 0; i < settings->threads; i++)
		run->worker[i] = worker_start(run, i);
	wait_begun(run);
	look(run, &memory, true);
	open_gate(run);
	sleep_to(run, run->from_ns);
	run->from_wall_ns = clock_wall_ns();
	look(run, &run->cost_from, false);
	run->look_late_ns = clock_monotonic_ns() - num_min(clock_monotonic_ns(), run->from_ns);
	sleep_to(run, run->to_ns);
	look(run, &run->cost_to, false);
	run->look_late_ns = num_max(run->look_late_ns, clock_monotonic_ns() - num_min(clock_monotonic_ns(), run->to_ns));
	look(run, &run->cost_end, true);
	run->cost_from.pss_bytes = memory.pss_bytes;
	run->cost_from.kernel_bytes = memory.kernel_bytes;
	for (unsigned i = 0; i < settings->threads; i++)
		worker_join(run->worker[i]);
	return !atomic_load(&run->stop);
}

void run_fini(struct bench_run *run)
{
	for (unsigned i = 0; i < run->settings->threads; i++)
		worker_free(run->worker[i]);
	tls_client_close(run->tls);
	free(run->sent_ns);
	pthread_mutex_destroy(&run->lock);
}
