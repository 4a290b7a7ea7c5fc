#include "bench/load/worker.h"

#include <stdlib.h>

#include "bench/load/die.h"
#include "io/base/clock.h"
#include "io/base/num.h"
#include "io/task.h"

enum {
	BEAT_NS = 76 * SCHEDULE_TICK_NS, /* 4.98 ms */
	RECV_BUFFERS = 1024,
	TASKS_SPARE = 8, /* besides the clients' */
};

uint8_t *worker_scratch(struct worker *worker, size_t bytes)
{
	if (worker->scratch_bytes < bytes) {
		free(worker->scratch);
		worker->scratch = malloc(bytes);
		if (worker->scratch == NULL)
			die("no memory for a message of %zu bytes", bytes);
		worker->scratch_bytes = bytes;
	}
	return worker->scratch;
}

void worker_note(struct hist **place, uint64_t ns)
{
	if (*place == NULL)
		*place = hist_new();
	if (*place == NULL)
		die("no memory for histograms");
	hist_add(*place, ns);
}

static void stop_all(struct worker *worker)
{
	for (unsigned i = 0; i < worker->clients_count; i++)
		if (worker->client[i].task != NULL)
			task_cancel(worker->client[i].task);
}

/* How busy the thread was: what it had used at the edges of the window, as near as a beat comes. */
static void note_cpu(struct worker *worker, uint64_t start_ns, uint64_t now_ns)
{
	if (start_ns == 0 || now_ns < worker->run->from_ns)
		return;
	if (worker->cpu_from_ns == 0)
		worker->cpu_from_ns = clock_cpu_ns();
	if (now_ns < worker->run->to_ns + BEAT_NS)
		worker->cpu_to_ns = clock_cpu_ns();
}

/* Opens the gate, ends what is void, and notes how late it is woken itself, whatever the clients do. */
static void beat(struct task *task, void *arg)
{
	struct worker *worker = arg;
	struct bench_run *run = worker->run;
	bool stopped = false;

	while (worker->alive > 0) {
		uint64_t start_ns = atomic_load(&run->start_ns);
		uint64_t due_ns = num_round_up(loop_now_ns(task_loop(task)) + 1, SCHEDULE_TICK_NS) + BEAT_NS;

		if (atomic_load(&run->stop) && !stopped) {
			stopped = true;
			stop_all(worker);
		}
		if (start_ns != 0)
			task_queue_wake_all(&worker->gate);
		if (task_sleep(task, due_ns - loop_now_ns(task_loop(task))) != RP_OK)
			break;
		uint64_t now_ns = clock_monotonic_ns();

		note_cpu(worker, start_ns, now_ns);
		if (start_ns != 0 && due_ns >= run->from_ns && due_ns < run->to_ns)
			hist_add(worker->beat_lag, now_ns > due_ns ? now_ns - due_ns : 0);
	}
	loop_stop(worker->loop);
}

static void open_loop(struct worker *worker)
{
	struct loop_settings settings = {.shard = worker->number,
	    .recv_buffers = RECV_BUFFERS,
	    .tasks_max = worker->clients_count + TASKS_SPARE,
	    .root_fd = {-1, -1}};
	const char *reason;

	if (loop_open(&settings, &worker->loop, &reason) != RP_OK)
		die("%s", reason);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;

	open_loop(worker);
	for (unsigned i = 0; i < worker->clients_count; i++) {
		struct client *client = &worker->client[i];

		if (task_start(worker->loop, client_live, client, &client->task) != RP_OK)
			die("no memory for %u clients", worker->clients_count);
		worker->alive++;
	}
	if (task_start(worker->loop, beat, worker, NULL) != RP_OK)
		die("no memory for a task");
	loop_run(worker->loop);
	loop_close(worker->loop);
	return NULL;
}

/* Clients of each group go round the threads. */
static void take_clients(struct worker *worker)
{
	const struct profile *profile = worker->run->profile;
	unsigned threads = worker->run->settings->threads;
	unsigned at = 0;

	worker->client = calloc(profile->clients / threads + 1, sizeof(struct client));
	if (worker->client == NULL)
		die("no memory for %u clients", profile->clients);
	for (unsigned g = 0; g < profile->groups_count; g++) {
		const struct profile_group *group = &profile->group[g];

		for (unsigned i = 0; i < group->clients; i++, at++) {
			if (at % threads != worker->number)
				continue;
			worker->client[worker->clients_count++] = (struct client){.worker = worker,
			    .group = group,
			    .number = i,
			    .user = profile->users_from + group->user_first + i,
			    .word = PROFILE_WORDS_MAX,
			    .mirror.sole = !group->shares,
			    .dice = dice_of(profile->seed, g + 1, i)};
		}
	}
}

struct worker *worker_start(struct bench_run *run, unsigned number)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (worker == NULL)
		die("no memory for a thread");
	worker->run = run;
	worker->number = number;
	worker->start_lag = hist_new();
	worker->beat_lag = hist_new();
	if (worker->start_lag == NULL || worker->beat_lag == NULL)
		die("no memory for histograms");
	task_queue_init(&worker->turn);
	task_queue_init(&worker->gate);
	take_clients(worker);
	if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
		die("no thread");
	return worker;
}

void worker_join(struct worker *worker)
{
	pthread_join(worker->thread, NULL);
}

void worker_free(struct worker *worker)
{
	if (worker == NULL)
		return;
	for (unsigned i = 0; i < worker->clients_count; i++) {
		mirror_fini(&worker->client[i].mirror);
		tls_client_session_fini(&worker->client[i].session);
	}
	for (unsigned i = 0; i < PROFILE_WORDS_MAX; i++)
		free(worker->word[i]);
	for (unsigned i = 0; i < WORKER_ACTS_MAX; i++)
		free(worker->act[i]);
	free(worker->start_lag);
	free(worker->beat_lag);
	free(worker->scratch);
	free(worker->client);
	free(worker);
}
