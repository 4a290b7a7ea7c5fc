#include "tests/crash/lossy/disk.h"

#include "tests/crash/lossy/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NODES_MAX = 1 << 20, PAGE_SECTORS = 8 };

static struct node
    *nodes[NODES_MAX]; /* by number; a node whose names are gone stays till the next cut */
static uint64_t nodes_end = DISK_ROOT;
static int backing_fd;

uint64_t disk_dice(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t now_bytes(const struct node *node)
{
	return (uint64_t)node->stat.st_size;
}

static void touch(struct node *node)
{
	clock_gettime(CLOCK_REALTIME, &node->stat.st_mtim);
	node->stat.st_ctim = node->stat.st_mtim;
}

struct node *disk_node(uint64_t number)
{
	return number < nodes_end ? nodes[number] : NULL;
}

static int open_backing(uint64_t number, const char *what)
{
	char name[64];

	snprintf(name, sizeof(name), "%llu.%s", (unsigned long long)number, what);
	return openat(backing_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static void remove_backing(uint64_t number, const char *what)
{
	char name[64];

	snprintf(name, sizeof(name), "%llu.%s", (unsigned long long)number, what);
	unlinkat(backing_fd, name, 0);
}

static int make_node(mode_t mode, struct node **out)
{
	struct node *node;

	if (nodes_end == NODES_MAX)
		return -ENOSPC;
	node = calloc(1, sizeof(*node));
	if (node == NULL)
		return -ENOMEM;
	node->number = nodes_end;
	node->now_fd = node->kept_fd = -1;
	node->stat.st_ino = nodes_end;
	node->stat.st_mode = mode;
	node->stat.st_nlink = 1;
	node->stat.st_blksize = 4096;
	touch(node);
	node->stat.st_atim = node->stat.st_mtim;
	if (S_ISREG(mode)) {
		node->now_fd = open_backing(node->number, "now");
		node->kept_fd = open_backing(node->number, "kept");
		if (node->now_fd < 0 || node->kept_fd < 0) {
			perror("lossyfs: backing file");
			exit(1);
		}
	}
	nodes[nodes_end++] = node;
	*out = node;
	return 0;
}

static void free_names(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->entry[i].name);
	free(names->entry);
	*names = (struct names){0};
}

static void free_node(struct node *node)
{
	nodes[node->number] = NULL;
	if (node->now_fd >= 0) {
		close(node->now_fd);
		close(node->kept_fd);
		remove_backing(node->number, "now");
		remove_backing(node->number, "kept");
	}
	free_names(&node->now);
	free_names(&node->kept);
	free(node->dirty);
	free(node->name);
	free(node);
}

int disk_open(const char *backing)
{
	struct node *root;

	backing_fd = open(backing, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return backing_fd < 0 ? -errno : make_node(S_IFDIR | 0755, &root);
}

struct node *disk_find(const struct node *dir, const char *name)
{
	return disk_node(names_get(&dir->now, name));
}

static int name_it(struct node *node, struct node *dir, const char *name)
{
	char *copy = strdup(name);

	if (copy == NULL)
		return -ENOMEM;
	free(node->name);
	node->name = copy;
	node->parent = dir->number;
	touch(dir);
	return 0;
}

int disk_link(struct node *node, struct node *dir, const char *name)
{
	struct change change = {.edit = {{dir->number, (char *)name, node->number}}, .edits = 1};

	if (disk_find(dir, name) != NULL)
		return -EEXIST;
	int err = names_change(&change);

	return err != 0 ? err : name_it(node, dir, name);
}

int disk_make(struct node *dir, const char *name, mode_t mode, struct node **out)
{
	if (disk_find(dir, name) != NULL)
		return -EEXIST;
	int err = make_node(mode, out);

	return err != 0 ? err : disk_link(*out, dir, name);
}

int disk_remove(struct node *dir, const char *name, bool is_dir)
{
	struct change change = {.edit = {{dir->number, (char *)name, 0}}, .edits = 1};
	struct node *node = disk_find(dir, name);

	if (node == NULL)
		return -ENOENT;
	if (is_dir && !S_ISDIR(node->stat.st_mode))
		return -ENOTDIR;
	if (node->now.count > 0)
		return -ENOTEMPTY;
	touch(dir);
	return names_change(&change);
}

int disk_rename(
    struct node *from, const char *old, struct node *to, const char *name, bool replaces)
{
	struct node *node = disk_find(from, old);
	struct node *there = disk_find(to, name);
	struct change change = {
	    .edit = {{from->number, (char *)old, 0}, {to->number, (char *)name, 0}}, .edits = 2};

	if (node == NULL)
		return -ENOENT;
	if (there != NULL && !replaces)
		return -EEXIST;
	if (there != NULL && there->now.count > 0)
		return -ENOTEMPTY;
	change.edit[1].number = node->number;
	touch(from);
	int err = names_change(&change);

	return err != 0 ? err : name_it(node, to, name);
}

void disk_path(const struct node *node, char *out, size_t n)
{
	char below[1024] = "";

	out[0] = '\0';
	while (node != NULL && node->number != DISK_ROOT && node->name != NULL) {
		snprintf(out, n, "%s%s%s", node->name, below[0] != '\0' ? "/" : "", below);
		snprintf(below, sizeof(below), "%s", out);
		node = disk_node(node->parent);
	}
}

static int mark(struct node *node, uint64_t offset, uint64_t end)
{
	size_t first = offset / SECTOR_BYTES, last = (end + SECTOR_BYTES - 1) / SECTOR_BYTES;

	if (last > node->dirty_count) {
		uint8_t *dirty = realloc(node->dirty, last * 2);

		if (dirty == NULL)
			return -ENOMEM;
		memset(dirty + node->dirty_count, 0, last * 2 - node->dirty_count);
		node->dirty = dirty;
		node->dirty_count = last * 2;
	}
	if (last > first)
		memset(node->dirty + first, 1, last - first);
	return 0;
}

int disk_write(struct node *node, const void *p, size_t n, uint64_t offset)
{
	int err = mark(node, offset, offset + n);

	if (err != 0)
		return err;
	if (pwrite(node->now_fd, p, n, (off_t)offset) != (ssize_t)n)
		return -EIO;
	if (offset + n > now_bytes(node))
		node->stat.st_size = (off_t)(offset + n);
	touch(node);
	return 0;
}

int disk_resize(struct node *node, uint64_t bytes)
{
	int err = bytes < now_bytes(node) ? mark(node, bytes, now_bytes(node)) : 0;

	if (err != 0)
		return err;
	if (ftruncate(node->now_fd, (off_t)bytes) != 0)
		return -errno;
	node->stat.st_size = (off_t)bytes;
	touch(node);
	return 0;
}

/* Of what one file has there; beyond its end that is nothing. */
static int copy_sector(int from_fd, int to_fd, size_t sector)
{
	uint8_t bytes[SECTOR_BYTES] = {0};
	off_t at = (off_t)(sector * SECTOR_BYTES);

	if (pread(from_fd, bytes, sizeof(bytes), at) < 0)
		return -errno;
	return pwrite(to_fd, bytes, sizeof(bytes), at) == sizeof(bytes) ? 0 : -EIO;
}

static int keep_sector(struct node *node, size_t sector)
{
	node->dirty[sector] = 0;
	return copy_sector(node->now_fd, node->kept_fd, sector);
}

static int keep_sectors(struct node *node, size_t first, size_t end)
{
	int err = 0;

	for (size_t s = first; err == 0 && s < end && s < node->dirty_count; s++)
		if (node->dirty[s])
			err = keep_sector(node, s);
	return err;
}

int disk_flush_range(struct node *node, uint64_t offset, uint64_t n)
{
	uint64_t end = least(offset + n, now_bytes(node));

	if (end > node->kept_bytes)
		node->kept_bytes = end;
	return keep_sectors(
	    node, offset / SECTOR_BYTES, (offset + n + SECTOR_BYTES - 1) / SECTOR_BYTES);
}

int disk_flush(struct node *node)
{
	if (S_ISDIR(node->stat.st_mode))
		return names_flush(node);
	if (!S_ISREG(node->stat.st_mode))
		return 0;
	node->kept_bytes = now_bytes(node);
	return keep_sectors(node, 0, node->dirty_count);
}

int disk_flush_all(void)
{
	int err = names_flush_all();

	for (uint64_t i = DISK_ROOT; err == 0 && i < nodes_end; i++)
		if (nodes[i] != NULL && S_ISREG(nodes[i]->stat.st_mode))
			err = disk_flush(nodes[i]);
	return err;
}

/* What is dirty is written back by pages, at any time; the last page under way may be cut. */
static int crash_sectors(
    struct node *node, unsigned lost_of_8, uint64_t *dice, struct disk_cut *cut)
{
	bool tears = disk_dice(dice) % 4 == 0, lost = false;
	uint64_t kept_count = 0, lost_count = 0;
	int err = 0;

	for (size_t s = 0; err == 0 && s < node->dirty_count; s++) {
		if (tears || s % PAGE_SECTORS == 0)
			lost = disk_dice(dice) % 8 < lost_of_8;
		if (!node->dirty[s])
			continue;
		cut->sectors_dirty++;
		kept_count += !lost;
		lost_count += lost;
		node->dirty[s] = 0;
		err = lost ? copy_sector(node->kept_fd, node->now_fd, s)
		           : copy_sector(node->now_fd, node->kept_fd, s);
	}
	cut->sectors_lost += lost_count;
	cut->files_torn += kept_count > 0 && lost_count > 0;
	return err;
}

/* Everybody reads what was kept. */
static int crash_file(struct node *node, unsigned lost_of_8, uint64_t *dice, struct disk_cut *cut)
{
	int err = crash_sectors(node, lost_of_8, dice, cut);

	if (err != 0)
		return err;
	if (disk_dice(dice) % 8 >= lost_of_8)
		node->kept_bytes = now_bytes(node);
	node->stat.st_size = (off_t)node->kept_bytes;
	if (ftruncate(node->kept_fd, node->stat.st_size) != 0 ||
	    ftruncate(node->now_fd, node->stat.st_size) != 0)
		return -errno;
	return 0;
}

/* Directories are as they were kept; a node that no kept name leads to is gone. */
static int crash_directories(void)
{
	bool *named = calloc(nodes_end, 1);
	bool more = named != NULL;

	if (named == NULL)
		return -ENOMEM;
	named[DISK_ROOT] = true;
	while (more) {
		more = false;
		for (uint64_t i = DISK_ROOT; i < nodes_end; i++)
			for (size_t e = 0; named[i] && e < nodes[i]->kept.count; e++) {
				more = more || !named[nodes[i]->kept.entry[e].number];
				named[nodes[i]->kept.entry[e].number] = true;
			}
	}
	for (uint64_t i = DISK_ROOT; i < nodes_end; i++)
		if (nodes[i] != NULL && !named[i])
			free_node(nodes[i]);
	free(named);
	return 0;
}

static int names_of_kept(struct node *dir)
{
	int err = 0;

	free_names(&dir->now);
	dir->now.entry = calloc(dir->kept.count + 1, sizeof(*dir->now.entry));
	if (dir->now.entry == NULL)
		return -ENOMEM;
	dir->now.room = dir->kept.count + 1;
	for (; dir->now.count < dir->kept.count; dir->now.count++) {
		const struct entry *entry = &dir->kept.entry[dir->now.count];

		dir->now.entry[dir->now.count] = (struct entry){strdup(entry->name), entry->number};
		err = err != 0 ? err : name_it(nodes[entry->number], dir, entry->name);
	}
	return err;
}

int disk_crash(uint64_t seed, struct disk_cut *cut)
{
	uint64_t dice = seed;
	static const unsigned losses[] = {8, 8, 0, 1, 4, 7}; /* of 8 */
	unsigned lost_of_8 = losses[disk_dice(&dice) % (sizeof(losses) / sizeof(losses[0]))];
	enum names_mercy mercy = lost_of_8 == 8              ? NAMES_ALL_LOST
	                         : lost_of_8 == 0            ? NAMES_ALL_KEPT
	                         : disk_dice(&dice) % 2 == 0 ? NAMES_ORDERED
	                                                     : NAMES_EACH_DIRECTORY;
	int err = names_crash(mercy, &dice, cut);

	if (err == 0)
		err = crash_directories();
	for (uint64_t i = DISK_ROOT; err == 0 && i < nodes_end; i++) {
		if (nodes[i] != NULL && nodes[i]->now_fd >= 0)
			err = crash_file(nodes[i], lost_of_8, &dice, cut);
		else if (nodes[i] != NULL && S_ISDIR(nodes[i]->stat.st_mode))
			err = names_of_kept(nodes[i]);
	}
	return err;
}
