/* worker.h -- one thread of the tool: a loop, its clients, what it measured, and how late it was itself.
 */
#ifndef RP_BENCH_LOAD_WORKER_H
#define RP_BENCH_LOAD_WORKER_H

#include "bench/load/bench_run.h"
#include "bench/load/client.h"
#include "bench/load/hist.h"

enum { WORKER_ACTS_MAX = PROFILE_GROUPS_MAX * PROFILE_ACTS_MAX };

struct worker {
	struct bench_run *run;
	unsigned number;
	pthread_t thread;
	struct loop *loop;
	struct client *client;
	unsigned clients_count;
	unsigned alive;          /* clients whose tasks have not ended */
	unsigned beginning;      /* clients that connect and fill just now */
	struct task_queue turn;  /* who wants to begin */
	struct task_queue gate;  /* who has begun */
	uint8_t *scratch;
	size_t scratch_bytes;
	struct hist *word[PROFILE_WORDS_MAX]; /* NULL: never done in the window */
	struct hist *act[WORKER_ACTS_MAX];
	struct hist *start_lag;
	struct hist *beat_lag;
	uint64_t done_count;   /* words that ended in the window */
	uint64_t behind_count; /* starts of the window that were never made */
	uint64_t cpu_from_ns;
	uint64_t cpu_to_ns;
};

/* Its part of the clients: every threads-th. Start and join the thread. */
RP_MUST_USE struct worker *worker_start(struct bench_run *run, unsigned number);
void worker_join(struct worker *worker);
void worker_free(struct worker *worker);

/* One latency into a histogram of the worker's, which is made when it is needed first. */
void worker_note(struct hist **place, uint64_t ns);

/* Room for so many bytes, for as long as the running task does not wait. */
uint8_t *worker_scratch(struct worker *worker, size_t bytes);

/* The life of one client, from connecting to logging out (life.c). */
void client_live(struct task *task, void *client);

#endif
