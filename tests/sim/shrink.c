#include "tests/sim/shrink.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OPS_MAX = 100 * 1000 };

/* The operations that are left, by number; shared with the processes that try. */
struct ops {
	uint32_t count;
	uint32_t number[OPS_MAX];
};

static bool wait_well(pid_t child)
{
	int status = -1;

	MODEL_CHECK(child > 0);
	MODEL_EQ(waitpid(child, &status, 0), child);
	return status == 0;
}

static void write_to(int fd)
{
	int out = fd >= 0 ? fd : open("/dev/null", O_WRONLY | O_CLOEXEC);

	MODEL_CHECK(out >= 0);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
}

bool shrink_try(const struct plan *plan, int output_fd)
{
	static struct tally tally; /* what is tried here counts nowhere */
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		write_to(output_fd);
		alarm(SHRINK_SEED_S);
		(void)machine_run(plan, &tally);
		fflush(stdout);
		_exit(0);
	}
	return wait_well(child);
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a;
	const uint32_t *y = b;

	return (*x > *y) - (*x < *y);
}

/* Only these operations, but for [from, to). False: too many ranges to write down. */
static bool plan_only(struct plan *plan, const struct ops *ops, uint32_t from, uint32_t to)
{
	plan->some = true;
	plan->only_count = 0;
	for (uint32_t i = 0; i < ops->count; i++) {
		struct plan_range *last = &plan->only[plan->only_count - (plan->only_count > 0)];

		if (i >= from && i < to)
			continue;
		if (plan->only_count > 0 && ops->number[i] == last->last + 1) {
			last->last++;
			continue;
		}
		if (plan->only_count == PLAN_ONLY_MAX)
			return false;
		plan->only[plan->only_count++] =
		    (struct plan_range){ops->number[i], ops->number[i]};
	}
	return true;
}

static void drop(struct ops *ops, uint32_t from, uint32_t to)
{
	memmove(&ops->number[from], &ops->number[to], (ops->count - to) * sizeof(ops->number[0]));
	ops->count -= to - from;
}

/* Leave out pieces of the history, large ones first, as long as it fails without them. */
static void drop_ops(struct plan *plan, struct ops *ops, time_t until)
{
	for (uint32_t piece = (ops->count + 1) / 2; piece > 0;
	     piece = piece > 1 ? (piece + 1) / 2 : 0) {
		for (uint32_t at = 0; at < ops->count && time(NULL) < until;) {
			struct plan less = *plan;
			uint32_t to = at + piece < ops->count ? at + piece : ops->count;

			if (!plan_only(&less, ops, at, to) || shrink_try(&less, -1)) {
				at = to;
				continue;
			}
			*plan = less;
			drop(ops, at, to);
		}
	}
}

static void drop_faults(struct plan *plan, time_t until)
{
	for (unsigned i = 0; i < PLAN_OFF_COUNT && time(NULL) < until; i++) {
		struct plan less = *plan;

		less.off |= 1u << i;
		if (!shrink_try(&less, -1))
			*plan = less;
	}
}

void shrink(struct plan *plan)
{
	time_t until = time(NULL) + SHRINK_S;
	struct ops *ops =
	    mmap(NULL, sizeof(*ops), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MODEL_CHECK(ops != MAP_FAILED);
	drop_faults(plan, until);
	plan->did = ops->number;
	plan->did_count = &ops->count;
	plan->did_max = OPS_MAX;
	(void)shrink_try(plan, -1);
	plan->did_max = 0;
	qsort(ops->number, ops->count, sizeof(ops->number[0]), by_number);
	drop_ops(plan, ops, until);
	munmap(ops, sizeof(*ops));
}

void shrink_tell(const struct plan *plan)
{
	struct plan told = *plan;

	printf("replay: tests/sim/run --seed %llu", (unsigned long long)plan->seed);
	for (unsigned i = 0; i < PLAN_OFF_COUNT; i++)
		if ((plan->off & 1u << i) != 0)
			printf(" --without %s", plan_off_name[i]);
	if (plan->some)
		printf(" --only ");
	for (unsigned i = 0; i < plan->only_count; i++)
		printf("%s%u-%u", i > 0 ? "," : "", plan->only[i].first, plan->only[i].last);
	printf("%s --tell\n", plan->some && plan->only_count == 0 ? "0-0" : "");
	told.tells = true;
	(void)shrink_try(&told, STDOUT_FILENO);
}
