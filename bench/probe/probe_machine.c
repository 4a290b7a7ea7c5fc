#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/load/die.h"
#include "bench/probe/probe.h"
#include "io/base/clock.h"

enum { WRITE_BYTES = 4096, FILE_BYTES = 16 << 20, WRITES_MAX = FILE_BYTES / WRITE_BYTES, AREA_BYTES = 64 << 20 };

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Zeroed and on the disk, so that a write changes no more than its own blocks. */
static int make_file(const char *path)
{
	static char block[1 << 20];
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	unlink(path);
	for (int i = 0; i < FILE_BYTES; i += (int)sizeof(block))
		if (write(fd, block, sizeof(block)) != sizeof(block))
			die("%s: %s", path, strerror(errno));
	if (fsync(fd) != 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

void probe_disk(double seconds, const char *dir)
{
	static uint64_t spent_ns[WRITES_MAX];
	static char block[WRITE_BYTES];
	char path[4096];
	size_t count = 0;

	snprintf(path, sizeof(path), "%s/probe.%d", dir, (int)getpid());
	int fd = make_file(path);
	uint64_t until_ns = clock_monotonic_ns() + (uint64_t)(seconds * 1e9);
	uint64_t cpu_ns = probe_cpu_ns();

	for (; count < WRITES_MAX && (count == 0 || clock_monotonic_ns() < until_ns); count++) {
		uint64_t from_ns = clock_monotonic_ns();

		memset(block, (int)count, sizeof(block));
		if (pwrite(fd, block, sizeof(block), (off_t)(count * WRITE_BYTES)) != sizeof(block) || fdatasync(fd) != 0)
			die("%s: %s", path, strerror(errno));
		spent_ns[count] = clock_monotonic_ns() - from_ns;
	}
	cpu_ns = probe_cpu_ns() - cpu_ns;
	close(fd);
	qsort(spent_ns, count, sizeof(spent_ns[0]), compare);
	probe_tell("log_write_ns", (double)spent_ns[count / 2]);
	probe_tell("log_write_cpu_ns", (double)cpu_ns / (double)count);
}

void probe_memory(double seconds)
{
	char *from = malloc(AREA_BYTES);
	char *to = malloc(AREA_BYTES);
	uint64_t copy_ns = UINT64_MAX;
	uint64_t scan_ns = UINT64_MAX;
	uint64_t until_ns = clock_monotonic_ns() + (uint64_t)(seconds * 1e9);

	if (from == NULL || to == NULL)
		die("the probe has no memory");
	memset(from, 'a', AREA_BYTES);
	memset(to, 'b', AREA_BYTES);
	/* The best: whatever else the machine does, it cannot be faster than it is. The first round makes the pages. */
	for (int round = 0; round < 3 || clock_monotonic_ns() < until_ns; round++) {
		uint64_t start_ns = probe_cpu_ns();

		memcpy(to, from, AREA_BYTES);
		uint64_t copied_ns = probe_cpu_ns();

		if (memchr(to, 'z', AREA_BYTES) != NULL)
			die("the probe's memory is not what it was");
		uint64_t scanned_ns = probe_cpu_ns();

		copy_ns = copied_ns - start_ns < copy_ns ? copied_ns - start_ns : copy_ns;
		scan_ns = scanned_ns - copied_ns < scan_ns ? scanned_ns - copied_ns : scan_ns;
	}
	probe_tell("copy_ns_per_kib", (double)copy_ns * 1024 / AREA_BYTES);
	probe_tell("scan_ns_per_kib", (double)scan_ns * 1024 / AREA_BYTES);
	free(from);
	free(to);
}
