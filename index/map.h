/* map.h -- one derived file, to be read: a small one is read into memory, a large one mapped.
 *
 * No page fault may go to disk (DESIGN section 2): before pages of a mapping are touched that may
 * be cold, map_load() is awaited. A file cut short or unreadable is then RP_ERR_CORRUPT. Pages are
 * private: what is written to them stays here.
 */
#ifndef RP_INDEX_MAP_H
#define RP_INDEX_MAP_H

#include "io/file.h"

enum {
	MAP_READ_BYTES_MAX =
	    1024 *
	    1024, /* up to this a file is read: two system calls, no mapping of the kernel's few */
	MAP_WARM_MS = 30 * 1000, /* pages loaded so long ago may have been dropped by the kernel:
	                            load them again */
};

struct map {
	struct loop *loop;
	uint8_t *p;
	size_t n;
	bool mapped;
};

/* RP_ERR_NOTFOUND, RP_ERR_LIMIT (no mapping left), RP_ERR_NOMEM, RP_ERR_IO. *out is zero or whole.
 */
RP_MUST_USE enum rp_err map_open(struct task *task, const char *path, struct map *out);
void map_close(struct map *map);

/* Bring [offset, offset + n) into memory. Returns at once where all of it always is. */
RP_MUST_USE enum rp_err map_load(struct task *task, const struct map *map, size_t offset, size_t n);

/* A page went missing under a reader, and read as zeroes; or the file was cut short, by whole pages at least. What was
 * loaded lately is touched, no disk. */
bool map_is_bad(const struct map *map);

#endif
