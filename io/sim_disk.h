/* sim_disk.h -- a simulated disk: directories and files, each with what is durable and what is not
 * yet.
 *
 * Of a file the disk has two contents: `now`, which everybody reads, and `kept`, which a power cut
 * leaves; sectors in which they may differ are marked. Of a directory likewise; what happened to
 * names and is not durable stands in one list, in order. A crash goes through both and throws dice.
 */
#ifndef RP_IO_SIM_DISK_H
#define RP_IO_SIM_DISK_H

#include "io/base/list.h"
#include "io/file.h"
#include "io/sim.h"

struct sim_node;

enum { SIM_SECTOR_BYTES = 512 };

struct sim_disk {
	struct list nodes;   /* all that are referred to */
	struct list changes; /* of names, not durable yet, oldest first */
	struct sim_node *root[FILE_ROOT_COUNT];
	uint64_t bytes_used;
	uint64_t bytes_max; /* 0: endless */
	uint64_t *dice;     /* state of the seed's stream, the world's */
};

struct sim_content {
	uint8_t *p;
	size_t size;
	size_t room;
};

enum sim_fate {
	SIM_FATE_CLEAN,
	SIM_FATE_KEPT,
	SIM_FATE_TORN,
	SIM_FATE_LOST,
};

struct sim_name {
	char *text;
	struct sim_node *node;
};

/* Sorted by text. */
struct sim_names {
	struct sim_name *name;
	size_t count;
	size_t room;
};

struct sim_node {
	struct list link;
	size_t refs; /* names now, names kept, changes, handles, and being a root */
	bool is_dir;
	bool
	    gone; /* has no name now: its room is free, though the name may come back with a crash */
	const void *locked_by; /* a handle */
	struct sim_broken broken;
	struct sim_content now;
	struct sim_content kept;
	uint8_t *dirty; /* a byte per sector */
	size_t dirty_count;
	uint8_t *fate; /* of each sector that was dirty when the last crash came: enum sim_fate */
	size_t fate_count;
	unsigned crash_did;      /* enum sim_crash_did */
	uint64_t flush_failures; /* that lost what was written to it */
	bool flush_failure_told; /* the last one, to anybody */
	struct sim_names names_now;
	struct sim_names names_kept;
};

/* The seed's next number, and one below n. */
uint64_t sim_dice(uint64_t *state);
uint64_t sim_dice_below(uint64_t *state, uint64_t n);

RP_MUST_USE enum rp_err sim_disk_init(struct sim_disk *disk, uint64_t *dice);
void sim_disk_fini(struct sim_disk *disk);

/* The rest returns 0 or -errno. *node is NULL where there is none (-ENOENT). */
int sim_disk_find(
    struct sim_disk *disk, enum file_root root, const char *path, struct sim_node **node);
int sim_disk_create(struct sim_disk *disk, enum file_root root, const char *path, bool is_dir,
    struct sim_node **node);
int sim_disk_unlink(struct sim_disk *disk, enum file_root root, const char *path, bool is_dir);
int sim_disk_rename(struct sim_disk *disk, enum file_root root, const char *from, const char *to);
void sim_disk_ref(struct sim_node *node);
void sim_disk_unref(struct sim_disk *disk, struct sim_node *node);

int sim_disk_put(
    struct sim_disk *disk, struct sim_node *node, const void *p, size_t n, uint64_t offset);
size_t sim_disk_get(const struct sim_node *node, void *p, size_t n, uint64_t offset);
int sim_disk_resize(struct sim_disk *disk, struct sim_node *node, uint64_t size);

/* Make durable: the pages that hold [offset, offset + n); all of a file, or a directory's names;
 * everything. */
void sim_disk_flush_range(struct sim_node *node, uint64_t offset, size_t n);
void sim_disk_flush(struct sim_disk *disk, struct sim_node *node);
void sim_disk_flush_all(struct sim_disk *disk);

/* The same when the device fails: any part becomes durable, and all of it is believed to be. */
void sim_disk_flush_badly(struct sim_disk *disk, struct sim_node *node);

/* Of sectors [from, to): one that is bad has a good one before (unless !before) and a good one behind it. */
bool sim_disk_fate_is_mixed(const struct sim_node *node, size_t from, size_t to, bool before);

/* The power goes. Handles are forgotten by their owner before. */
void sim_disk_crash(struct sim_disk *disk);

#endif
