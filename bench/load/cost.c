#include "bench/load/cost.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/base/clock.h"

enum { COST_PROCESSES_MAX = 1 << 18, COST_LINE_BYTES = 1024, COST_TRIES_MAX = 100 };

/* What /proc tells of one process; its own, and of the children that it has waited for. */
struct process {
	pid_t pid;
	pid_t parent;
	bool below;      /* a root, or below one */
	bool has_below;  /* a parent of one that is below */
	bool waited_for; /* what it used stands in its parent's figures */
	bool io_told;
	uint64_t minor, major; /* faults */
	uint64_t minor_waited;
	uint64_t own_ticks, waited_ticks; /* CPU time */
	uint64_t cpu_ns;
	uint64_t written_bytes;
};

struct processes {
	struct process *process;
	size_t count;
	size_t room;
};

static FILE *proc_open(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return fopen(path, "re");
}

static bool read_stat(struct process *process)
{
	char line[COST_LINE_BYTES] = "";
	unsigned long long minor, minor_waited, major, major_waited, user, system, user_waited, system_waited;
	int parent;
	FILE *file = proc_open(process->pid, "stat");

	if (file == NULL)
		return false;
	(void)!fgets(line, sizeof(line), file);
	fclose(file);
	const char *behind_name = strrchr(line, ')');

	if (behind_name == NULL ||
	    sscanf(behind_name + 1, " %*c %d %*d %*d %*d %*d %*u %llu %llu %llu %llu %llu %llu %llu %llu", &parent,
	        &minor, &minor_waited, &major, &major_waited, &user, &system, &user_waited, &system_waited) != 9)
		return false;
	process->parent = (pid_t)parent;
	process->minor = minor + minor_waited;
	process->major = major + major_waited;
	process->minor_waited = minor_waited;
	process->own_ticks = user + system;
	process->waited_ticks = user_waited + system_waited;
	return true;
}

/* All of the machine. (/proc/PID/task/TID/children passes over some while others end.) */
static bool list(struct processes *all)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	bool right = dir != NULL;

	*all = (struct processes){0};
	while (right && (entry = readdir(dir)) != NULL) {
		int pid = atoi(entry->d_name);

		if (pid <= 0)
			continue;
		if (all->count == all->room) {
			size_t room = all->room > 0 ? all->room * 2 : 256;
			void *p = room <= COST_PROCESSES_MAX ? realloc(all->process, room * sizeof(*all->process)) : NULL;

			right = p != NULL;
			if (!right)
				break;
			all->process = p;
			all->room = room;
		}
		all->process[all->count] = (struct process){.pid = (pid_t)pid};
		all->count += read_stat(&all->process[all->count]);
	}
	if (dir != NULL)
		closedir(dir);
	return right;
}

static struct process *find(struct processes *all, pid_t pid)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->process[i].pid == pid)
			return &all->process[i];
	return NULL;
}

/* False: a root is not there. */
static bool mark(struct processes *all, const pid_t *roots, size_t roots_count)
{
	size_t found = 0;
	bool more = true;

	for (size_t i = 0; i < all->count; i++) {
		for (size_t k = 0; k < roots_count; k++)
			all->process[i].below |= all->process[i].pid == roots[k];
		found += all->process[i].below;
	}
	while (more) {
		more = false;
		for (size_t i = 0; i < all->count; i++) {
			struct process *process = &all->process[i];
			struct process *parent = process->below ? NULL : find(all, process->parent);

			if (parent == NULL || !parent->below)
				continue;
			process->below = true;
			parent->has_below = true;
			more = true;
		}
	}
	return found == roots_count;
}

/* Finer than its stat. One that has ended and was not waited for yet has no clock any more. */
static uint64_t clock_of(const struct process *process)
{
	clockid_t clock;
	struct timespec now;

	if (clock_getcpuclockid(process->pid, &clock) != 0 || clock_gettime(clock, &now) != 0)
		return process->own_ticks * (CLOCK_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
	return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
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

/* False: it is not there any more. Whose child it was when they were listed it stays: that one's figures are settled by it. */
static bool read_use(struct process *process)
{
	pid_t parent = process->parent;

	if (!read_stat(process))
		return false;
	process->parent = parent;
	process->cpu_ns = clock_of(process) + process->waited_ticks * (CLOCK_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
	process->written_bytes = 0;
	process->io_told = sum_lines(process->pid, "io", "write_bytes: %llu", &process->written_bytes);
	return true;
}

static void find_waited_for(struct processes *all, pid_t parent)
{
	for (size_t i = 0; i < all->count; i++) {
		struct process *process = &all->process[i];

		if (process->below && process->parent == parent)
			process->waited_for = kill(process->pid, 0) != 0 && errno == ESRCH;
	}
}

/* The parent once more, until no child was waited for between its figures and the look at who of its children is still there:
 * then whoever is gone stands in these figures, and nobody else does. That look takes microseconds for each child. */
static void settle(struct processes *all, struct process *parent)
{
	for (unsigned i = 0; i < COST_TRIES_MAX; i++) {
		if (!read_use(parent))
			return;
		find_waited_for(all, parent->pid);
		struct process after = *parent;

		if (!read_stat(&after) ||
		    (after.minor_waited == parent->minor_waited && after.waited_ticks == parent->waited_ticks))
			return;
	}
}

/* A root has told all. */
static bool sum_up(const struct processes *all, struct cost *cost, const pid_t *roots, size_t roots_count, bool memory)
{
	uint64_t pss_kib = 0;
	bool right = true;

	*cost = (struct cost){0};
	for (size_t i = 0; i < all->count; i++) {
		const struct process *process = &all->process[i];

		if (!process->below || process->waited_for)
			continue;
		cost->processes++;
		cost->minor_faults += process->minor;
		cost->major_faults += process->major;
		cost->cpu_ns += process->cpu_ns;
		cost->written_bytes += process->written_bytes;
		/* What ends meanwhile has none; the rights for it were those for the roots. */
		bool told = process->io_told && (!memory || sum_lines(process->pid, "smaps_rollup", "Pss: %llu", &pss_kib));

		for (size_t k = 0; k < roots_count; k++)
			right = right && (told || process->pid != roots[k]);
	}
	cost->pss_bytes = pss_kib * 1024;
	return right;
}

/* The children first, then their parents: what ends in between is in both for a moment, and settle() takes it out of one. */
static bool look(struct cost *cost, const pid_t *roots, size_t roots_count, bool memory)
{
	struct processes all;
	bool right = list(&all) && mark(&all, roots, roots_count);

	for (size_t i = 0; i < all.count && right; i++)
		if (all.process[i].below && !all.process[i].has_below)
			read_use(&all.process[i]);
	for (size_t i = all.count; i > 0 && right; i--)
		if (all.process[i - 1].has_below)
			settle(&all, &all.process[i - 1]);
	right = right && sum_up(&all, cost, roots, roots_count, memory);
	free(all.process);
	return right;
}

bool cost_look(struct cost *cost, const pid_t *roots, size_t roots_count)
{
	return look(cost, roots, roots_count, false);
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
	bool right = look(cost, roots, roots_count, true);

	cost->kernel_bytes = kernel_bytes();
	return right;
}
