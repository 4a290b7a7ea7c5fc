/* What operations do to the simulated machine. Results are as the kernel's. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "io/base/num.h"
#include "io/sim_core.h"

enum {
	SIM_ROOM_BYTES = 1 << 30, /* what an endless disk says of itself */
	SIM_ROOM_FILES = 1 << 20,
	SIM_PAGE_BYTES = 4096,
};

static bool strikes(struct sim_world *world, uint16_t chance, uint64_t *met)
{
	bool struck = chance != 0 && sim_dice_below(&world->dice, 65536) < chance;

	*met += struck;
	return struck;
}

int sim_handle_take(struct sim_world *world)
{
	for (size_t i = 0; i < world->handles_count; i++) {
		if (world->handle[i].node == NULL && world->handle[i].stream == NULL)
			return (int)i;
	}
	if (world->handles_count >= SIM_HANDLES_MAX)
		return -EMFILE;
	size_t count = world->handles_count == 0 ? 64 : world->handles_count * 2;
	struct sim_handle *handle = realloc(world->handle, count * sizeof(*handle));

	if (handle == NULL)
		assert_panic("no memory for the simulated machine");
	memset(handle + world->handles_count, 0, (count - world->handles_count) * sizeof(*handle));
	int fd = (int)world->handles_count;

	world->handle = handle;
	world->handles_count = count;
	return fd;
}

struct sim_handle *sim_handle_of(struct sim_world *world, int fd)
{
	RP_ASSERT(fd >= 0 && (size_t)fd < world->handles_count);
	struct sim_handle *handle = &world->handle[fd];

	RP_ASSERT(handle->node != NULL || handle->stream != NULL);
	return handle;
}

void sim_handle_give(struct sim_world *world, int fd)
{
	struct sim_handle *handle = sim_handle_of(world, fd);

	if (handle->node != NULL) {
		if (handle->node->locked_by == (void *)(uintptr_t)(fd + 1))
			handle->node->locked_by = NULL;
		sim_disk_unref(&world->disk, handle->node);
	} else {
		sim_net_unref(handle->stream);
	}
	*handle = (struct sim_handle){0};
}

static int may_open(const struct sim_node *node, uint64_t flags)
{
	if ((flags & O_DIRECTORY) != 0 && !node->is_dir)
		return -ENOTDIR;
	if (node->is_dir && (flags & O_DIRECTORY) == 0)
		return -EISDIR;
	if (node->broken.open != 0)
		return -node->broken.open;
	if ((flags & O_EXCL) != 0)
		return -EEXIST;
	return 0;
}

static bool is_away(struct sim_world *world)
{
	bool away = world->now_ns < world->away_until_ns;

	world->met.reads_away += away;
	return away;
}

/* No room for one more file or folder? */
static bool is_refused(struct sim_world *world)
{
	return world->faults.no_more_files ||
	       strikes(world, world->faults.write_nospace, &world->met.writes_refused);
}

static int open_node(struct sim_world *world, struct op *op)
{
	uint64_t flags = op->open.how.flags;
	struct sim_node *node;
	int result = sim_disk_find(&world->disk, op->root, op->open.path, &node);

	if (is_away(world))
		return -EIO;
	if (result == 0)
		result = may_open(node, flags);
	else if (result == -ENOENT && (flags & O_CREAT) != 0)
		result = is_refused(world)
		             ? -ENOSPC
		             : sim_disk_create(&world->disk, op->root, op->open.path, false, &node);
	if (result < 0)
		return result;
	if ((flags & O_TRUNC) != 0 && !node->is_dir)
		result = sim_disk_resize(&world->disk, node, 0);
	int fd = result < 0 ? result : sim_handle_take(world);

	if (fd < 0)
		return fd;
	world->handle[fd].node = node;
	world->handle[fd].writable = (flags & O_ACCMODE) != O_RDONLY;
	world->handle[fd].failures_seen = world->flush_failures;
	world->handle[fd].file_failures_seen =
	    node->flush_failures - (node->flush_failures > 0 && !node->flush_failure_told);
	sim_disk_ref(node);
	return fd;
}

/* The error of a read that touches [from, to), for as long as it lasts; 0: none. */
static int read_breaks(
    struct sim_world *world, const struct sim_node *node, uint64_t from, uint64_t to)
{
	const struct sim_broken *broken = &node->broken;
	bool over = broken->read_until_ns != 0 && world->now_ns >= broken->read_until_ns;
	int error = 0;

	if (broken->read != 0 && !over &&
	    (broken->read_to == 0 || (from < broken->read_to && broken->read_from < to)))
		error = broken->read;
	world->met.reads_away += error != 0;
	return is_away(world) ? EIO : error;
}

static int read_node(struct sim_world *world, struct op *op)
{
	struct sim_node *node = sim_handle_of(world, op->fd)->node;

	RP_ASSERT(node != NULL);
	if (node->is_dir)
		return -EISDIR;
	if (strikes(world, world->faults.read_eio, &world->met.reads_failed))
		return -EIO;
	int error = read_breaks(world, node, op->io.offset, op->io.offset + op->io.n);

	if (error != 0)
		return -error;
	return (int)sim_disk_get(node, op->io.p, op->io.n, op->io.offset);
}

/* Has a flush failed for this file, whoever asked for it? Each descriptor is told once. */
static bool tell_failure(struct sim_handle *handle)
{
	struct sim_node *node = handle->node;
	bool failed = handle->file_failures_seen != node->flush_failures;

	handle->file_failures_seen = node->flush_failures;
	node->flush_failure_told = node->flush_failure_told || failed;
	return failed;
}

static int write_node(struct sim_world *world, struct op *op)
{
	struct sim_handle *handle = sim_handle_of(world, op->fd);
	size_t n = op->io.n;

	RP_ASSERT(handle->node != NULL);
	if (!handle->writable)
		return -EBADF;
	if (strikes(world, world->faults.write_nospace, &world->met.writes_refused))
		return -ENOSPC;
	if (handle->node->broken.write != 0)
		return -handle->node->broken.write;
	bool fails = strikes(world, world->faults.write_eio, &world->met.writes_failed);

	if (fails || strikes(world, world->faults.write_short, &world->met.writes_short))
		n = sim_dice_below(&world->dice, n);
	if (n == 0 && !fails)
		n = num_min(op->io.n, 1);
	int result = sim_disk_put(&world->disk, handle->node, op->io.p, n, op->io.offset);

	if (result < 0)
		return result;
	if (fails)
		return -EIO; /* what had reached the file stays there */
	if (op->dsync)
		sim_disk_flush_range(handle->node, op->io.offset, n);
	return op->dsync && tell_failure(handle) ? -EIO : (int)n;
}

static int sync_node(struct sim_world *world, struct op *op)
{
	struct sim_handle *handle = sim_handle_of(world, op->fd);
	struct sim_node *node = handle->node;
	bool struck = strikes(world, world->faults.sync_eio, &world->met.syncs_failed);

	if (!struck && node->broken.sync == 0) {
		sim_disk_flush(&world->disk, node);
		return tell_failure(handle) ? -EIO : 0;
	}
	sim_disk_flush_badly(&world->disk, node);
	world->flush_failures++;
	(void)tell_failure(handle);
	return struck ? -EIO : -node->broken.sync;
}

static bool is_dirty(const struct sim_node *node)
{
	return node->dirty_count > 0 && memchr(node->dirty, 1, node->dirty_count) != NULL;
}

static int sync_all(struct sim_world *world, struct op *op)
{
	struct sim_handle *handle = sim_handle_of(world, op->fd);
	bool struck = strikes(world, world->faults.sync_eio, &world->met.syncfs_failed);
	int error =
	    EIO; /* also when another descriptor's flush has failed before, and nobody told this one */

	LIST_FOR_EACH (link, &world->disk.nodes) {
		struct sim_node *node = RP_CONTAINER_OF(link, struct sim_node, link);

		if (!struck && (node->broken.sync == 0 || !is_dirty(node)))
			continue;
		sim_disk_flush_badly(&world->disk, node);
		world->flush_failures++;
		if (!struck)
			error = node->broken.sync;
	}
	if (struck)
		world->flush_failures++;
	else
		sim_disk_flush_all(&world->disk);

	bool told = handle->failures_seen == world->flush_failures;

	handle->failures_seen = world->flush_failures;
	return told ? 0 : -error;
}

static int allocate(struct sim_world *world, struct op *op)
{
	struct sim_node *node = sim_handle_of(world, op->fd)->node;

	if (strikes(world, world->faults.write_nospace, &world->met.writes_refused))
		return -ENOSPC;
	if (op->io.offset + op->io.n <= node->now.size)
		return 0;
	return sim_disk_resize(&world->disk, node, op->io.offset + op->io.n);
}

static int lock(struct sim_world *world, struct op *op)
{
	struct sim_node *node = sim_handle_of(world, op->fd)->node;
	const void *me = (void *)(uintptr_t)(op->fd + 1);

	if (node->locked_by != NULL && node->locked_by != me)
		return -EAGAIN;
	node->locked_by = me;
	return 0;
}

static int list(struct sim_world *world, struct op *op)
{
	struct sim_node *dir;
	int result = sim_disk_find(&world->disk, op->root, op->list.path, &dir);

	if (result < 0)
		return result;
	if (!dir->is_dir)
		return -ENOTDIR;
	if (dir->broken.read != 0)
		return -dir->broken.read;
	if (is_away(world))
		return -EIO;
	for (size_t i = 0; i < dir->names_now.count; i++) {
		const struct sim_name *name = &dir->names_now.name[i];

		if (op_names_add(op->list.names, name->text, name->node->is_dir) != RP_OK)
			return -EFBIG;
	}
	return 0;
}

static int make_dir(struct sim_world *world, struct op *op)
{
	struct sim_node *node;

	if (is_refused(world))
		return -ENOSPC;
	return sim_disk_create(&world->disk, op->root, op->path.from, true, &node);
}

static int populate(struct sim_world *world, const struct op *op)
{
	const uint8_t *end = (const uint8_t *)op->io.p + op->io.n;

	if (strikes(world, world->faults.read_eio, &world->met.reads_failed))
		return -EFAULT;
	LIST_FOR_EACH (link, &world->mappings) {
		struct sim_mapping *mapping = RP_CONTAINER_OF(link, struct sim_mapping, link);
		const uint8_t *from = mapping->p;
		uint64_t there = num_round_up(mapping->node->now.size, SIM_PAGE_BYTES);

		if ((const uint8_t *)op->io.p < from || end > from + mapping->n)
			continue;
		if (read_breaks(world, mapping->node, 0, UINT64_MAX) != 0)
			return -EFAULT;
		return (uint64_t)(end - from) > there ? -EFAULT : 0;
	}
	return -ENOMEM;
}

static int room(struct sim_world *world, struct op *op)
{
	uint64_t max = world->disk.bytes_max;

	op->room.total_bytes = max != 0 ? max : SIM_ROOM_BYTES;
	op->room.fs_type = world->fs_type[op->root];
	op->room.total_files = SIM_ROOM_FILES;
	op->room.free_files = world->faults.no_more_files ? 0 : SIM_ROOM_FILES;
	op->room.free_bytes =
	    max == 0 ? SIM_ROOM_BYTES : max - num_min(max, world->disk.bytes_used);
	return 0;
}

int32_t sim_op_carry_out(struct sim_world *world, struct op *op)
{
	struct sim_disk *disk = &world->disk;

	switch ((enum op_kind)op->kind) {
	case OP_NOP:
		return 0;
	case OP_OPEN:
		return open_node(world, op);
	case OP_CLOSE:
		sim_handle_give(world, op->fd);
		return 0;
	case OP_READ:
		return read_node(world, op);
	case OP_FORGET:
		return 0; /* every read asks the disk */
	case OP_WRITE:
		return write_node(world, op);
	case OP_SYNC:
		return sync_node(world, op);
	case OP_SYNCFS:
		return sync_all(world, op);
	case OP_ALLOCATE:
		return allocate(world, op);
	case OP_TRUNCATE:
		return sim_disk_resize(disk, sim_handle_of(world, op->fd)->node, op->io.offset);
	case OP_SIZE:
		op->size.out->stx_size = sim_handle_of(world, op->fd)->node->now.size;
		return 0;
	case OP_LOCK:
		return lock(world, op);
	case OP_RENAME:
		return sim_disk_rename(disk, op->root, op->path.from, op->path.to);
	case OP_UNLINK:
		return sim_disk_unlink(disk, op->root, op->path.from, false);
	case OP_RMDIR:
		return sim_disk_unlink(disk, op->root, op->path.from, true);
	case OP_MKDIR:
		return make_dir(world, op);
	case OP_LIST:
		return list(world, op);
	case OP_ROOM:
		return room(world, op);
	case OP_POPULATE:
		return populate(world, op);
	default:
		return sim_net_carry_out(world, op);
	}
}

/* A copy: private as the kernel's, and pages are never lost under a reader. */
enum rp_err sim_map(struct loop *loop, int fd, size_t n, void **out)
{
	struct sim_world *world = sim_world_of(loop);
	struct sim_node *node = sim_handle_of(world, fd)->node;
	size_t bytes = num_round_up(n, SIM_PAGE_BYTES);
	struct sim_mapping *mapping = calloc(1, sizeof(*mapping));
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mapping == NULL || p == MAP_FAILED)
		assert_panic("no memory for the simulated machine");
	sim_disk_get(node, p, n, 0);
	*mapping = (struct sim_mapping){.node = node, .p = p, .n = bytes};
	sim_disk_ref(node);
	list_push_back(&world->mappings, &mapping->link);
	*out = p;
	return RP_OK;
}

static void drop_mapping(struct sim_world *world, struct sim_mapping *mapping)
{
	munmap(mapping->p, mapping->n);
	sim_disk_unref(&world->disk, mapping->node);
	list_del(&mapping->link);
	free(mapping);
}

void sim_unmap(struct loop *loop, void *p, size_t n)
{
	struct sim_world *world = sim_world_of(loop);

	LIST_FOR_EACH (link, &world->mappings) {
		struct sim_mapping *mapping = RP_CONTAINER_OF(link, struct sim_mapping, link);

		if (mapping->p != p)
			continue;
		RP_ASSERT(mapping->n == num_round_up(n, SIM_PAGE_BYTES));
		drop_mapping(world, mapping);
		return;
	}
	RP_ASSERT(p == NULL);
}

void sim_unmap_all(struct sim_world *world)
{
	LIST_FOR_EACH_SAFE (link, &world->mappings)
		drop_mapping(world, RP_CONTAINER_OF(link, struct sim_mapping, link));
}
