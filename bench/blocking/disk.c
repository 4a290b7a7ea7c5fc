#include "bench/blocking/disk.h"

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <string.h>

#include "bench/load/die.h"

enum { DISK_DIRS_OPEN = 16, DISK_BLOCK_BYTES = 512 /* of st_blocks, whatever the file system */ };

/* nftw() hands nothing through. */
static struct disk_use found;
static size_t data_n;

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name);
	size_t end_n = strlen(end);

	return n >= end_n && strcmp(name + n - end_n, end) == 0;
}

static int add(const char *path, const struct stat *stat, int type, struct FTW *where)
{
	uint64_t bytes = (uint64_t)stat->st_blocks * DISK_BLOCK_BYTES;
	const char *below = path + data_n;

	(void)where;
	if (type != FTW_F)
		return 0;
	if (strncmp(below, "/users/", 7) != 0) {
		found.log_bytes += bytes;
		return 0;
	}
	found.files++;
	if (ends_with(path, ".journal"))
		found.journal_bytes += bytes;
	else if (ends_with(path, ".dbox"))
		found.body_bytes += bytes;
	else
		found.derived_bytes += bytes;
	return 0;
}

struct disk_use disk_look(const char *data)
{
	found = (struct disk_use){0};
	data_n = strlen(data);
	if (nftw(data, add, DISK_DIRS_OPEN, FTW_PHYS) != 0)
		die("%s cannot be read: %s", data, strerror(errno));
	return found;
}
