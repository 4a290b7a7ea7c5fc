#include "bench/load/procs.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/load/die.h"
#include "io/base/clock.h"

static void add_children(struct procs *procs, pid_t parent)
{
	char path[64];
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	FILE *file = fopen(path, "re");

	if (file == NULL)
		die("%s cannot be read: is process %d there?", path, (int)parent);
	while (procs->count < PROCS_MAX && fscanf(file, "%d", &child) == 1)
		procs->pid[procs->count++] = (pid_t)child;
	fclose(file);
}

void procs_find(struct procs *procs, pid_t root)
{
	*procs = (struct procs){0};
	if (root <= 0)
		return;
	procs->pid[procs->count++] = root;
	for (size_t i = 0; i < procs->count; i++)
		add_children(procs, procs->pid[i]);
}

uint64_t procs_cpu_ns(const struct procs *procs)
{
	uint64_t sum_ns = 0;

	for (size_t i = 0; i < procs->count; i++) {
		clockid_t clock;
		struct timespec now;

		if (clock_getcpuclockid(procs->pid[i], &clock) != 0 ||
		    clock_gettime(clock, &now) != 0)
			die("process %d of the server has gone", (int)procs->pid[i]);
		sum_ns += (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
	}
	return sum_ns;
}

/* The number in the first line of a file of /proc/PID that is as the format says. */
static uint64_t number_in(pid_t pid, const char *file_name, const char *format)
{
	char path[64];
	char line[256];
	unsigned long long number = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file_name);
	FILE *file = fopen(path, "re");

	if (file == NULL)
		die("%s cannot be read: run this as root or as the server's user", path);
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, format, &number) == 1)
			break;
	fclose(file);
	return number;
}

uint64_t procs_pss_bytes(const struct procs *procs)
{
	uint64_t sum_kib = 0;

	for (size_t i = 0; i < procs->count; i++)
		sum_kib += number_in(procs->pid[i], "smaps_rollup", "Pss: %llu");
	return sum_kib * 1024;
}

uint64_t procs_written_bytes(const struct procs *procs)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < procs->count; i++)
		sum += number_in(procs->pid[i], "io", "write_bytes: %llu");
	return sum;
}

size_t procs_descriptors(const struct procs *procs)
{
	size_t count = 0;

	for (size_t i = 0; i < procs->count; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/fd", (int)procs->pid[i]);
		DIR *dir = opendir(path);

		if (dir == NULL)
			die("%s cannot be read: run this as root or as the server's user", path);
		while (readdir(dir) != NULL)
			count++;
		closedir(dir);
		count -= 2; /* . and .. */
	}
	return count;
}

size_t procs_mappings(const struct procs *procs)
{
	size_t count = 0;

	for (size_t i = 0; i < procs->count; i++) {
		char path[64];
		int c;

		snprintf(path, sizeof(path), "/proc/%d/maps", (int)procs->pid[i]);
		FILE *file = fopen(path, "re");

		if (file == NULL)
			die("%s cannot be read: run this as root or as the server's user", path);
		while ((c = getc_unlocked(file)) != EOF)
			count += c == '\n';
		fclose(file);
	}
	return count;
}
