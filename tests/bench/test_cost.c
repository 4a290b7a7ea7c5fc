#include "bench/load/cost.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io/base/clock.h"

/* So much CPU time of this process. */
static void burn(uint64_t ns)
{
	struct timespec now;
	uint64_t used_ns;

	do {
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
		used_ns = (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
	} while (used_ns < ns);
}

static pid_t start(void (*fn)(void))
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		fn();
		_exit(0);
	}
	return pid;
}

/* Until its parent is gone. */
static void work_and_stay(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	burn(60 * CLOCK_NS_PER_MS);
	pause();
}

/* One child has worked and ended, one works and stays. */
static void be_a_server(void)
{
	pid_t ended = fork();

	if (ended == 0) {
		burn(80 * CLOCK_NS_PER_MS);
		_exit(0);
	}
	waitpid(ended, NULL, 0);
	pid_t stays = fork();

	if (stays == 0)
		work_and_stay();
	burn(40 * CLOCK_NS_PER_MS);
	pause();
}

Test(cost, all_below_a_root_counts_and_what_has_ended_too)
{
	pid_t root = start(be_a_server);
	struct cost cost = {0};
	uint64_t before_ns = 0;

	for (unsigned i = 0; i < 400; i++) {
		cr_assert(cost_look(&cost, &root, 1));
		cr_assert_geq(cost.cpu_ns + 20 * CLOCK_NS_PER_MS, before_ns, "%lu after %lu", cost.cpu_ns, before_ns);
		before_ns = cost.cpu_ns;
		if (cost.processes == 2 && cost.cpu_ns >= 170 * CLOCK_NS_PER_MS)
			break;
		usleep(10000);
	}
	cr_assert_eq(cost.processes, 2);
	cr_assert_geq(cost.cpu_ns, 170 * CLOCK_NS_PER_MS);
	cr_assert_leq(cost.cpu_ns, 400 * CLOCK_NS_PER_MS);
	cr_assert_gt(cost.minor_faults, 0);
	cr_assert(cost_look_memory(&cost, &root, 1));
	cr_assert_gt(cost.pss_bytes, 0);
	kill(root, SIGKILL);
	waitpid(root, NULL, 0);
}

enum { ENDING = 200, PAGES = 100, PAGE_BYTES = 4096 };

/* Many children, each with some faults; then one after the other ends and is waited for. */
static void be_a_server_whose_children_end(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 0; i < ENDING; i++) {
		if (fork() != 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		char *pages = malloc(PAGES * PAGE_BYTES);

		for (unsigned k = 0; pages != NULL && k < PAGES; k++)
			((volatile char *)pages)[k * PAGE_BYTES] = 1;
		usleep(600000 + i * 1500);
		_exit(0);
	}
	while (wait(NULL) > 0)
		continue;
	pause();
}

/* A child that ends between the look at its parent and the look at itself was in neither. */
Test(cost, what_ends_while_it_is_looked_at_is_not_lost)
{
	pid_t root = start(be_a_server_whose_children_end);
	struct cost cost = {0};
	uint64_t before = 0;
	unsigned looks = 0;

	do {
		cr_assert(cost_look(&cost, &root, 1));
		cr_assert_geq(cost.minor_faults, before, "look %u", looks);
		before = cost.minor_faults;
		looks++;
	} while (looks < 20 || (cost.processes > 1 && looks < 100000));
	cr_assert_geq(cost.minor_faults, ENDING * PAGES);
	kill(root, SIGKILL);
	waitpid(root, NULL, 0);
}

static void do_nothing(void)
{
}

Test(cost, a_root_that_is_not_there_is_told)
{
	pid_t root = start(do_nothing);
	struct cost cost;

	waitpid(root, NULL, 0);
	cr_assert_not(cost_look(&cost, &root, 1));
}
