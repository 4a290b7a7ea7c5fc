/* Looking at the simulated disk from outside, and damaging it. */
#include <errno.h>
#include <stdio.h>

#include "io/sim_core.h"
#include "io/sim_name.h"

enum { SIM_PATH_BYTES = 512 };

enum rp_err sim_disk_read(
    struct sim_world *world, enum file_root root, const char *path, struct bytes *out)
{
	struct sim_node *node;
	int result = sim_disk_find(&world->disk, root, path, &node);

	if (result < 0)
		return err_of_errno(-result);
	*out = bytes_of(node->kept.p, node->kept.size);
	return RP_OK;
}

enum rp_err sim_disk_write(
    struct sim_world *world, enum file_root root, const char *path, struct bytes content)
{
	struct sim_node *node;
	int result = sim_disk_find(&world->disk, root, path, &node);

	if (result == -ENOENT) {
		result = sim_disk_create(&world->disk, root, path, false, &node);
		sim_name_flush(&world->disk, NULL);
	}
	if (result == 0)
		result = sim_disk_resize(&world->disk, node, content.n);
	if (result == 0)
		result = sim_disk_put(&world->disk, node, content.p, content.n, 0);
	if (result < 0)
		return err_of_errno(-result);
	sim_disk_flush(&world->disk, node);
	return RP_OK;
}

enum rp_err sim_disk_remove(struct sim_world *world, enum file_root root, const char *path)
{
	int result = sim_disk_unlink(&world->disk, root, path, false);

	if (result < 0)
		return err_of_errno(-result);
	sim_name_flush(&world->disk, NULL);
	return RP_OK;
}

void sim_disk_rest(struct sim_world *world)
{
	sim_disk_flush_all(&world->disk);
}

unsigned sim_disk_crash_did(struct sim_world *world, enum file_root root, const char *path)
{
	struct sim_node *node;

	return sim_disk_find(&world->disk, root, path, &node) == 0 ? node->crash_did : 0;
}

/* Directories are few and shallow here: the tree of DATA has five levels. */
static void walk(const struct sim_node *dir, enum file_root root, const char *path,
    sim_disk_file_fn *fn, void *arg)
{
	for (size_t i = 0; i < dir->names_now.count; i++) {
		const struct sim_name *name = &dir->names_now.name[i];
		char at[SIM_PATH_BYTES];
		int n =
		    snprintf(at, sizeof(at), "%s%s%s", path, path[0] != 0 ? "/" : "", name->text);

		if (n < 0 || (size_t)n >= sizeof(at))
			assert_panic("a path of the simulated disk is too long");
		if (name->node->is_dir)
			walk(name->node, root, at, fn, arg);
		else
			fn(arg, root, at, name->node->now.size);
	}
}

void sim_disk_walk(struct sim_world *world, sim_disk_file_fn *fn, void *arg)
{
	for (unsigned i = 0; i < FILE_ROOT_COUNT; i++)
		walk(world->disk.root[i], (enum file_root)i, "", fn, arg);
}
