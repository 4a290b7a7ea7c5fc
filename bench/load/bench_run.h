/* bench_run.h -- one run: begin, warm-up, window, end; and what is to be thought of it.
 *
 *      begin            gate          start            from                 to
 *      | connect, fill  | all wait    |  warm-up       |  window            |  late starts, logout
 */
#ifndef RP_BENCH_LOAD_BENCH_RUN_H
#define RP_BENCH_LOAD_BENCH_RUN_H

#include <pthread.h>
#include <stdatomic.h>

#include "bench/load/cost.h"
#include "bench/load/profile.h"
#include "io/net.h"

struct tls_client;
struct worker;

enum {
	RUN_PIDS_MAX = 16,
	RUN_THREADS_MAX = 64,
	RUN_WHY_BYTES = 640,
	RUN_BUSY_MAX_PERCENT = 80, /* of the window, each thread; beyond, the tool was the limit */
	RUN_LOOK_MAX_PERCENT = 5,  /* of the window: costs that were looked at later are none of it */
	RUN_LATE_S = 10,           /* starts of the window that were late are made until then */
};

struct run_settings {
	struct net_address imap, imaps, lmtp; /* port 0: not given */
	const char *users;                    /* prefix of their names */
	unsigned users_count;
	const char *password;
	unsigned threads;
	pid_t pid[RUN_PIDS_MAX]; /* the server's roots */
	unsigned pids_count;
	const char *domain; /* of LMTP recipients */
};

struct bench_run {
	const struct run_settings *settings;
	const struct profile *profile;
	struct tls_client *tls;
	uint64_t nonce; /* no run's messages are another's */
	_Atomic uint64_t start_ns; /* 0: the gate is shut */
	uint64_t from_ns;          /* set before start_ns, as */
	uint64_t to_ns;            /* this is */
	_Atomic unsigned begun;    /* clients at the gate */
	_Atomic unsigned can;      /* enum op_capability */
	_Atomic uint64_t left_out; /* a bit for each word that the server cannot do */
	_Atomic bool stop;
	_Atomic uint64_t *sent_ns; /* by user, from users_from: when its newest message was sent; 0: it was told since */
	pthread_mutex_t lock;
	char why[RUN_WHY_BYTES]; /* of the first fault; "": none */
	struct worker *worker[RUN_THREADS_MAX];
	struct cost cost_idle; /* before anybody connected */
	struct cost cost_from;
	struct cost cost_to;
	struct cost cost_end;  /* the memory, just after the window */
	uint64_t look_late_ns; /* how long after an end of the window the costs there were known, at most */
	uint64_t from_wall_ns; /* when the window began */
	bool has_cost;
	double begin_s; /* how long begin took */
};

/* A wrong answer: the first one counts, and everything ends. Any thread. */
void run_void(struct bench_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Make it; false: it is void, run->why says why. */
bool run_make(struct bench_run *run, const struct run_settings *settings, const struct profile *profile);
void run_fini(struct bench_run *run);

#endif
