#include "bench/load/cost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/base/clock.h"

enum { COST_PIDS_MAX = 1 << 17, COST_LINE_BYTES = 1024 };

struct pids {
	pid_t *pid;
	size_t count;
	size_t room;
};

static bool add_pid(struct pids *pids, pid_t pid)
{
	if (pids->count == pids->room) {
		size_t room = pids->room > 0 ? pids->room * 2 : 64;
		pid_t *p = room <= COST_PIDS_MAX ? realloc(pids->pid, room * sizeof(*p)) : NULL;

		if (p == NULL)
			return false;
		pids->pid = p;
		pids->room = room;
	}
	pids->pid[pids->count++] = pid;
	return true;
}

static FILE *proc_open(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return fopen(path, "re");
}

/* Children of a process's main thread; what other threads have forked is not seen. */
static bool add_children(struct pids *pids, pid_t parent)
{
	char name[48];
	int child;

	snprintf(name, sizeof(name), "task/%d/children", (int)parent);
	FILE *file = proc_open(parent, name);
	bool right = true;

	while (file != NULL && right && fscanf(file, "%d", &child) == 1)
		right = add_pid(pids, (pid_t)child);
	if (file != NULL)
		fclose(file);
	return right;
}

/* Below the roots, parents first. */
static bool find(struct pids *pids, const pid_t *roots, size_t roots_count)
{
	*pids = (struct pids){0};
	for (size_t i = 0; i < roots_count; i++)
		if (!add_pid(pids, roots[i]))
			return false;
	for (size_t i = 0; i < pids->count; i++)
		if (!add_children(pids, pids->pid[i]))
			return false;
	return true;
}

static uint64_t clock_of(pid_t pid)
{
	clockid_t clock;
	struct timespec now;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &now) != 0)
		return 0; /* it has just ended: its parent has its time */
	return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Faults, its own and of children that were waited for; the CPU time of these (its own by its clock, which is finer). */
static bool add_stat(struct cost *cost, pid_t pid)
{
	char line[COST_LINE_BYTES] = "";
	unsigned long long minor, minor_ended, major, major_ended, user_ended, system_ended;
	FILE *file = proc_open(pid, "stat");

	if (file == NULL)
		return false;
	(void)!fgets(line, sizeof(line), file);
	fclose(file);
	const char *behind_name = strrchr(line, ')');

	if (behind_name == NULL ||
	    sscanf(behind_name + 1, " %*c %*d %*d %*d %*d %*d %*u %llu %llu %llu %llu %*u %*u %llu %llu",
	        &minor, &minor_ended, &major, &major_ended, &user_ended, &system_ended) != 6)
		return false;
	cost->minor_faults += minor + minor_ended;
	cost->major_faults += major + major_ended;
	cost->cpu_ns += (user_ended + system_ended) * (CLOCK_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
	cost->cpu_ns += clock_of(pid);
	return true;
}

/* The sum of all lines of this form. */
static bool sum_lines(pid_t pid, const char *name, const char *format, uint64_t *sum)
{
	char line[COST_LINE_BYTES];
	unsigned long long number;
	FILE *file = proc_open(pid, name);

	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, format, &number) == 1)
			*sum += number;
	fclose(file);
	return true;
}

bool cost_look(struct cost *cost, const pid_t *roots, size_t roots_count)
{
	struct pids pids;
	bool right = find(&pids, roots, roots_count);

	*cost = (struct cost){0};
	for (size_t i = 0; right && i < pids.count; i++) {
		pid_t pid = pids.pid[i];
		bool there = add_stat(cost, pid) &&
		             sum_lines(pid, "io", "write_bytes: %llu", &cost->written_bytes);

		cost->processes += there;
		right = there || i >= roots_count;
	}
	free(pids.pid);
	return right;
}

/* Kernel memory is the machine's: who reads it compares two moments of a machine that does little else. */
static uint64_t kernel_bytes(void)
{
	static const char *const kinds[] = {
	    "Slab: %llu", "PageTables: %llu", "KernelStack: %llu", "VmallocUsed: %llu", "Percpu: %llu"};
	char line[COST_LINE_BYTES];
	unsigned long long kib;
	uint64_t sum_kib = 0;
	FILE *file = fopen("/proc/meminfo", "re");

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			if (sscanf(line, kinds[i], &kib) == 1)
				sum_kib += kib;
	if (file != NULL)
		fclose(file);
	return sum_kib * 1024;
}

bool cost_look_memory(struct cost *cost, const pid_t *roots, size_t roots_count)
{
	struct pids pids;
	uint64_t pss_kib = 0;
	bool right = find(&pids, roots, roots_count) && cost_look(cost, roots, roots_count);

	for (size_t i = 0; right && i < pids.count; i++)
		right = sum_lines(pids.pid[i], "smaps_rollup", "Pss: %llu", &pss_kib) || i >= roots_count;
	free(pids.pid);
	cost->pss_bytes = pss_kib * 1024;
	cost->kernel_bytes = kernel_bytes();
	return right;
}
