/* disk.h -- a disk that forgets: files and directories, each with what everybody reads and what a
 * power cut leaves.
 *
 * The bytes lie in two flat files of a backing directory for each file here, <number>.now and
 * <number>.kept; sectors in which they may differ are marked. What happened to names and is not
 * durable stands in one list, in order. One disk a process. What returns int: 0 or -errno.
 */
#ifndef RP_TESTS_CRASH_LOSSY_DISK_H
#define RP_TESTS_CRASH_LOSSY_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum { SECTOR_BYTES = 512, DISK_ROOT = 1 };

struct entry {
	char *name;
	uint64_t number; /* of the node; 0: no such name */
};

struct names {
	struct entry *entry;
	size_t count;
	size_t room;
};

struct node {
	uint64_t number;
	uint64_t parent; /* where it was named last */
	char *name;
	struct stat stat; /* st_size is what everybody sees; mode, owner and times are never lost */
	uint64_t kept_bytes;
	int now_fd, kept_fd; /* -1: not a file */
	uint8_t *dirty;      /* a byte per sector */
	size_t dirty_count;  /* sectors that the array covers */
	struct names now, kept;
};

/* What a power cut did. */
struct disk_cut {
	uint64_t sectors_dirty, sectors_lost;
	uint64_t files_torn;            /* some of its sectors lost, some kept */
	uint64_t changes, changes_lost; /* of names */
};

int disk_open(const char *backing);

/* NULL: no such node, or its name is not there. */
struct node *disk_node(uint64_t number);
struct node *disk_find(const struct node *dir, const char *name);
int disk_make(struct node *dir, const char *name, mode_t mode, struct node **out);
int disk_link(struct node *node, struct node *dir, const char *name);
int disk_remove(struct node *dir, const char *name, bool is_dir);
int disk_rename(
    struct node *from, const char *old, struct node *to, const char *name, bool replaces);

/* The path from the root, without a '/' before it. */
void disk_path(const struct node *node, char *out, size_t n);

int disk_write(struct node *node, const void *p, size_t n, uint64_t offset);
int disk_resize(struct node *node, uint64_t bytes);

int disk_flush_range(struct node *node, uint64_t offset, uint64_t n);
int disk_flush(struct node *node); /* a file's bytes and size, or a directory's names */
int disk_flush_all(void);

/* The power goes. The seed says what is lost: nothing, all, or some. */
int disk_crash(uint64_t seed, struct disk_cut *cut);

#endif
