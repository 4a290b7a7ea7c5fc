/* What a file holds: now, and after a power cut. Names are in sim_name.c. */
#include "io/sim_disk.h"

#include <errno.h>
#include <stdlib.h>

#include "io/base/num.h"
#include "io/sim.h"
#include "io/sim_name.h"

enum {
	SIM_PAGE_BYTES = 4096,
	SIM_FILE_BYTES_MAX = 1 << 30, /* a test that writes more has lost its way */
};

uint64_t sim_dice(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t sim_dice_below(uint64_t *state, uint64_t n)
{
	return n == 0 ? 0 : sim_dice(state) % n;
}

static void content_size(struct sim_content *content, size_t size)
{
	if (size > content->room) {
		size_t room = num_round_up(num_max(size, content->room * 2), SIM_PAGE_BYTES);
		uint8_t *p = realloc(content->p, room);

		if (p == NULL)
			assert_panic("no memory for the simulated disk");
		content->p = p;
		content->room = room;
	}
	if (size > content->size)
		memset(content->p + content->size, 0, size - content->size);
	content->size = size;
}

static void mark(struct sim_node *node, uint64_t from, uint64_t to)
{
	size_t last = num_round_up(to, SIM_SECTOR_BYTES) / SIM_SECTOR_BYTES;

	if (last > node->dirty_count) {
		size_t count = num_max(last, node->dirty_count * 2);
		uint8_t *dirty = realloc(node->dirty, count);

		if (dirty == NULL)
			assert_panic("no memory for the simulated disk");
		memset(dirty + node->dirty_count, 0, count - node->dirty_count);
		node->dirty = dirty;
		node->dirty_count = count;
	}
	for (size_t i = from / SIM_SECTOR_BYTES; i < last; i++)
		node->dirty[i] = 1;
}

/* Let the durable content have this sector's first n bytes as they are now. */
static void keep_sector(struct sim_node *node, size_t sector, size_t skip, size_t n)
{
	size_t from = sector * SIM_SECTOR_BYTES + skip;
	size_t to = num_min(from + n, node->now.size);

	if (from < to && to > node->kept.size)
		content_size(&node->kept, to);
	if (from < to)
		memcpy(node->kept.p + from, node->now.p + from, to - from);
}

/* Cut off, or zero, what the durable content has beyond the file's end. */
static void keep_size(struct sim_node *node, size_t size)
{
	content_size(&node->kept, size);
}

struct sim_node *sim_disk_node(struct sim_disk *disk, bool is_dir)
{
	struct sim_node *node = calloc(1, sizeof(*node));

	if (node == NULL)
		assert_panic("no memory for the simulated disk");
	node->is_dir = is_dir;
	list_push_back(&disk->nodes, &node->link);
	return node;
}

void sim_disk_ref(struct sim_node *node)
{
	node->refs++;
}

/* Directories give up their names one by one, so a whole tree goes without recursion: what loses
 * its last reference stands in line. */
void sim_disk_unref(struct sim_disk *disk, struct sim_node *first)
{
	struct list dead;
	struct list *link;

	RP_ASSERT(first->refs > 0);
	if (--first->refs > 0)
		return;
	list_init(&dead);
	list_del(&first->link);
	list_push_back(&dead, &first->link);
	while ((link = list_pop_front(&dead)) != NULL) {
		struct sim_node *node = RP_CONTAINER_OF(link, struct sim_node, link);

		sim_name_drop_all(&node->names_now, &dead);
		sim_name_drop_all(&node->names_kept, &dead);
		if (!node->gone)
			disk->bytes_used -= node->now.size;
		free(node->now.p);
		free(node->kept.p);
		free(node->dirty);
		free(node->fate);
		free(node);
	}
}

enum rp_err sim_disk_init(struct sim_disk *disk, uint64_t *dice)
{
	*disk = (struct sim_disk){.dice = dice};
	list_init(&disk->nodes);
	list_init(&disk->changes);
	for (unsigned i = 0; i < FILE_ROOT_COUNT; i++) {
		disk->root[i] = sim_disk_node(disk, true);
		sim_disk_ref(disk->root[i]);
	}
	return RP_OK;
}

void sim_disk_fini(struct sim_disk *disk)
{
	sim_name_forget_changes(disk);
	for (unsigned i = 0; i < FILE_ROOT_COUNT; i++)
		sim_disk_unref(disk, disk->root[i]);
	RP_ASSERT(list_empty(&disk->nodes));
}

size_t sim_disk_get(const struct sim_node *node, void *p, size_t n, uint64_t offset)
{
	if (offset >= node->now.size)
		return 0;
	n = num_min(n, node->now.size - offset);
	memcpy(p, node->now.p + offset, n);
	return n;
}

int sim_disk_resize(struct sim_disk *disk, struct sim_node *node, uint64_t size)
{
	size_t before = node->now.size;

	if (size > SIM_FILE_BYTES_MAX)
		return -EFBIG;
	if (size > before && disk->bytes_max != 0 && !node->gone &&
	    disk->bytes_used + (size - before) > disk->bytes_max)
		return -ENOSPC;
	if (!node->gone)
		disk->bytes_used += size - before;
	if (size < before)
		mark(node, size, num_max(before, node->kept.size));
	content_size(&node->now, size);
	return 0;
}

int sim_disk_put(
    struct sim_disk *disk, struct sim_node *node, const void *p, size_t n, uint64_t offset)
{
	if (offset > SIM_FILE_BYTES_MAX || n > SIM_FILE_BYTES_MAX - offset)
		return -EFBIG;
	if (offset + n > node->now.size) {
		int result = sim_disk_resize(disk, node, offset + n);

		if (result < 0)
			return result;
	}
	memcpy(node->now.p + offset, p, n);
	mark(node, offset, offset + n);
	return 0;
}

/* As the kernel does for RWF_DSYNC: whole pages as they are now, and a size that reaches what was
 * written. */
void sim_disk_flush_range(struct sim_node *node, uint64_t offset, size_t n)
{
	size_t from = offset / SIM_PAGE_BYTES * SIM_PAGE_BYTES / SIM_SECTOR_BYTES;
	size_t to = num_round_up(offset + n, SIM_PAGE_BYTES) / SIM_SECTOR_BYTES;

	if (offset + n > node->kept.size)
		keep_size(node, offset + n);
	for (size_t i = from; i < to && i < node->dirty_count; i++) {
		size_t room = node->kept.size - num_min(node->kept.size, i * SIM_SECTOR_BYTES);

		if (node->dirty[i] == 0)
			continue;
		keep_sector(node, i, 0, num_min(room, SIM_SECTOR_BYTES));
		/* Bytes behind the kept size are not durable yet. */
		node->dirty[i] = (i + 1) * SIM_SECTOR_BYTES > node->kept.size &&
		                 node->now.size > node->kept.size;
	}
}

void sim_disk_flush(struct sim_disk *disk, struct sim_node *node)
{
	if (node->is_dir) {
		sim_name_flush(disk, node);
		return;
	}
	keep_size(node, node->now.size);
	for (size_t i = 0; i < node->dirty_count; i++) {
		if (node->dirty[i] != 0)
			keep_sector(node, i, 0, SIM_SECTOR_BYTES);
		node->dirty[i] = 0;
	}
}

void sim_disk_flush_badly(struct sim_disk *disk, struct sim_node *node)
{
	bool lost = false;

	if (node->is_dir)
		return;
	for (size_t i = 0; i < node->dirty_count; i++) {
		lost = lost || node->dirty[i] != 0;
		if (node->dirty[i] != 0 && sim_dice_below(disk->dice, 2) == 0)
			keep_sector(node, i, 0, SIM_SECTOR_BYTES);
		node->dirty[i] = 0;
	}
	node->flush_failures += lost;
	node->flush_failure_told = node->flush_failure_told && !lost;
}

void sim_disk_flush_all(struct sim_disk *disk)
{
	LIST_FOR_EACH (link, &disk->nodes) {
		struct sim_node *node = RP_CONTAINER_OF(link, struct sim_node, link);

		if (!node->is_dir)
			sim_disk_flush(disk, node);
	}
	sim_name_flush(disk, NULL);
}

/* How much of what was not durable this power cut leaves. */
enum mercy {
	MERCY_NONE,
	MERCY_ALL,
	MERCY_SOME,
	MERCY_COUNT = 4, /* two of four are MERCY_SOME */
};

static enum sim_fate crash_sector(struct sim_disk *disk, struct sim_node *node, size_t sector)
{
	size_t cut = sim_dice_below(disk->dice, SIM_SECTOR_BYTES);

	switch (sim_dice_below(disk->dice, 8)) {
	case 0:
		keep_sector(node, sector, 0, cut);
		return SIM_FATE_TORN;
	case 1:
		keep_sector(node, sector, cut, SIM_SECTOR_BYTES - cut);
		return SIM_FATE_TORN;
	case 2:
	case 3:
	case 4:
		keep_sector(node, sector, 0, SIM_SECTOR_BYTES);
		return SIM_FATE_KEPT;
	default:
		return SIM_FATE_LOST;
	}
}

static enum sim_fate fate_of(
    struct sim_disk *disk, struct sim_node *node, size_t sector, enum mercy mercy)
{
	if (node->dirty[sector] == 0)
		return SIM_FATE_CLEAN;
	if (mercy == MERCY_NONE)
		return SIM_FATE_LOST;
	if (mercy != MERCY_ALL)
		return crash_sector(disk, node, sector);
	keep_sector(node, sector, 0, SIM_SECTOR_BYTES);
	return SIM_FATE_KEPT;
}

bool sim_disk_fate_is_mixed(const struct sim_node *node, size_t from, size_t to, bool before)
{
	bool good = !before;
	bool bad = false;

	for (size_t i = from; i < to && i < node->fate_count; i++) {
		if (node->fate[i] == SIM_FATE_KEPT && bad)
			return true;
		good = good || node->fate[i] == SIM_FATE_KEPT;
		bad = bad || (good && node->fate[i] >= SIM_FATE_TORN);
	}
	return false;
}

static void crash_file(struct sim_disk *disk, struct sim_node *node, enum mercy mercy)
{
	size_t before = node->kept.size;
	size_t size = before;

	for (size_t i = 0; i < node->dirty_count; i++)
		node->dirty[i] = (uint8_t)fate_of(disk, node, i, mercy);
	/* What became of each sector can be asked for until the next crash. */
	free(node->fate);
	node->fate = node->dirty;
	node->fate_count = node->dirty_count;
	node->dirty = NULL;
	node->dirty_count = 0;
	node->crash_did =
	    sim_disk_fate_is_mixed(node, 0, node->fate_count, false) ? SIM_CRASH_REORDERED : 0;
	if (mercy == MERCY_ALL)
		size = node->now.size;
	else if (mercy != MERCY_NONE && node->now.size != before)
		size = num_min(before, node->now.size) +
		       sim_dice_below(disk->dice,
		           num_max(before, node->now.size) - num_min(before, node->now.size) + 1);
	keep_size(node, size);
	content_size(&node->now, 0);
	content_size(&node->now, size);
	if (size > 0)
		memcpy(node->now.p, node->kept.p, size);
	node->locked_by = NULL;
}

void sim_disk_crash(struct sim_disk *disk)
{
	enum mercy mercy = (enum mercy)sim_dice_below(disk->dice, MERCY_COUNT);

	LIST_FOR_EACH (link, &disk->nodes) {
		struct sim_node *node = RP_CONTAINER_OF(link, struct sim_node, link);

		if (!node->is_dir)
			crash_file(disk, node, mercy);
	}
	/* Most file systems keep the order of what happens to names; some do not. */
	sim_name_crash(
	    disk, mercy == MERCY_NONE, mercy == MERCY_ALL, sim_dice_below(disk->dice, 2) == 0);
	disk->bytes_used = 0;
	LIST_FOR_EACH (link, &disk->nodes) {
		struct sim_node *node = RP_CONTAINER_OF(link, struct sim_node, link);

		node->gone = false; /* whoever is still here has a name */
		node->flush_failures = 0;
		node->flush_failure_told = false;
		disk->bytes_used += node->now.size;
	}
}
