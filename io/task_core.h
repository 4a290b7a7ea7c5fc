/* task_core.h -- what a task consists of; for io's own files and the debugger.
 */
#ifndef RP_IO_TASK_CORE_H
#define RP_IO_TASK_CORE_H

#include "io/fiber.h"
#include "io/op.h"
#include "io/task.h"
#include "io/timer.h"

enum task_wait {
	TASK_STARTS,
	TASK_READY,       /* in loop->ready */
	TASK_PAUSED,      /* in loop->paused */
	TASK_RUNS,        /* is loop->running */
	TASK_WAITS_OP,    /* for op */
	TASK_WAITS_QUEUE, /* link is in the queue; the timer may be set */
	TASK_SLEEPS,      /* for the timer */
	TASK_ENDED,
};

struct task {
	struct list link; /* in what it stands in line for */
	struct list all;  /* in loop->tasks */
	struct loop *loop;
	struct fiber fiber;
	task_fn *fn;
	void *arg;
	const char *name;
	uint64_t owner[2]; /* whose work it is; both 0: nobody's */
	struct op *op;
	struct timer timer;
	uint64_t slice_since; /* 0: task_pause() has not been called in this slice */
	uint64_t cpu_since_ns; /* counts_cpu: the thread's CPU time when it began to run */
	uint64_t cpu_ns;       /* counts_cpu: used before that */
	enum task_wait wait;
	enum rp_err woken; /* why the wait in a queue or for the timer is over */
	unsigned shields;
	bool canceled;
	bool counts_cpu;
	bool loses_whole; /* file_lose_whole() */
	bool serves_call; /* of another shard: it makes no calls itself */
};

#endif
