/* Files and directories by name. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "io/file_core.h"

enum {
	/* A path below a root is users/<slot>/<userid>/<name>; the kernel's own bound is 4,096. */
	FILE_PATH_BYTES_MAX = 1024,
};

/* Only open is kept beneath its root by the kernel; so no name may climb: no empty part, no "..".
 */
static bool stays_below(const char *path)
{
	size_t n = strlen(path);

	if (n == 0 || n >= FILE_PATH_BYTES_MAX)
		return false;
	for (const char *part = path;;) {
		size_t length = strcspn(part, "/");

		if (length == 0 || (length == 2 && part[0] == '.' && part[1] == '.'))
			return false;
		if (part[length] == '\0')
			return true;
		part += length + 1;
	}
}

static int carry_on(struct task *task, struct op *op)
{
	int result;

	do
		result = op_await(task, op);
	while ((result == -EINTR || result == -EAGAIN) && !task_interrupted(task));
	return result;
}

static int by_name(struct task *task, enum op_kind kind, enum file_root root, const char *path)
{
	struct op op = {.kind = (uint8_t)kind, .root = (uint8_t)root};

	op.path.from = path;
	return carry_on(task, &op);
}

enum rp_err file_rename(struct task *task, enum file_root root, const char *from, const char *to)
{
	struct op op = {.kind = OP_RENAME, .root = (uint8_t)root};

	if (!stays_below(from) || !stays_below(to))
		return RP_ERR_CANNOT;
	op.path.from = from;
	op.path.to = to;
	return file_err_of(task, from, carry_on(task, &op));
}

static enum rp_err remove_name(
    struct task *task, enum op_kind kind, enum file_root root, const char *path)
{
	if (!stays_below(path))
		return RP_ERR_CANNOT;
	int result = by_name(task, kind, root, path);

	return file_err_of(task, path, result == -ENOENT ? 0 : result);
}

enum rp_err file_remove(struct task *task, enum file_root root, const char *path)
{
	return remove_name(task, OP_UNLINK, root, path);
}

enum rp_err dir_remove(struct task *task, enum file_root root, const char *path)
{
	return remove_name(task, OP_RMDIR, root, path);
}

/* Mostly only the last part is missing: try the whole first, and from the top only when that fails.
 */
enum rp_err dir_make(struct task *task, enum file_root root, const char *path)
{
	char part[FILE_PATH_BYTES_MAX];

	if (!stays_below(path))
		return RP_ERR_CANNOT;
	int result = by_name(task, OP_MKDIR, root, path);

	for (size_t n = 0; result == -ENOENT && path[n] != '\0'; n++) {
		if (path[n] != '/')
			continue;
		memcpy(part, path, n);
		part[n] = '\0';
		int made = by_name(task, OP_MKDIR, root, part);

		if (made < 0 && made != -EEXIST)
			return file_err_of(task, part, made);
	}
	if (result == -ENOENT)
		result = by_name(task, OP_MKDIR, root, path);
	return file_err_of(task, path, result == -EEXIST ? 0 : result);
}

enum rp_err dir_sync(struct task *task, enum file_root root, const char *path)
{
	struct op open = {.kind = OP_OPEN, .root = (uint8_t)root};

	open.open.path = path;
	open.open.how = (struct open_how){.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	int fd = carry_on(task, &open);

	if (fd < 0)
		return file_err_of(task, path, fd);
	int result = carry_on(task, &(struct op){.kind = OP_SYNC, .fd = fd});

	task_shield(task);
	int closed = op_await(task, &(struct op){.kind = OP_CLOSE, .fd = fd});

	task_unshield(task);
	(void)closed; /* nothing was written through it */
	return file_err_of(task, path, result);
}

enum rp_err dir_sync_path(struct task *task, enum file_root root, const char *path)
{
	char part[FILE_PATH_BYTES_MAX];
	enum rp_err err;

	if (!stays_below(path))
		return RP_ERR_CANNOT;
	strcpy(part, path);
	err = dir_sync(task, root, part);
	for (char *slash = strrchr(part, '/'); err == RP_OK && slash != NULL; slash = strrchr(part, '/')) {
		*slash = '\0';
		err = dir_sync(task, root, part);
	}
	return err == RP_OK ? dir_sync(task, root, ".") : err;
}

static int by_bytes(const void *a, const void *b)
{
	return bytes_cmp(((const struct dir_entry *)a)->name, ((const struct dir_entry *)b)->name);
}

static enum rp_err unpack(
    const struct op_names *names, struct arena *arena, struct dir_entry **out, size_t *out_count)
{
	struct dir_entry *entry = arena_calloc(arena, names->count, sizeof(*entry));
	size_t at = 0;

	if (entry == NULL)
		return RP_ERR_LIMIT;
	for (size_t i = 0; i < names->count; i++) {
		size_t n = strlen((const char *)names->p + at + 1);

		entry[i].is_dir = names->p[at] != 0;
		entry[i].name = arena_copy(arena, bytes_of(names->p + at + 1, n + 1));
		if (entry[i].name.p == NULL)
			return RP_ERR_LIMIT;
		entry[i].name.n = n;
		at += n + 2;
	}
	qsort(entry, names->count, sizeof(*entry), by_bytes);
	*out = entry;
	*out_count = names->count;
	return RP_OK;
}

enum rp_err dir_list(struct task *task, enum file_root root, const char *path, struct arena *arena,
    struct dir_entry **out, size_t *out_count)
{
	struct op_names names = {0};
	struct op op = {.kind = OP_LIST, .root = (uint8_t)root};

	op.list.path = path;
	op.list.names = &names;
	int result = carry_on(task, &op);
	enum rp_err err = file_err_of(task, path, result);

	if (err == RP_OK)
		err = unpack(&names, arena, out, out_count);
	op_names_fini(&names);
	return err;
}

enum rp_err file_room(struct task *task, enum file_root root, struct file_room *out)
{
	struct op op = {.kind = OP_ROOM, .root = (uint8_t)root};
	enum rp_err err = file_err_of(task, ".", carry_on(task, &op));

	if (err != RP_OK)
		return err;
	out->free_bytes = op.room.free_bytes;
	out->total_bytes = op.room.total_bytes;
	out->free_files = op.room.total_files == 0 ? UINT64_MAX : op.room.free_files;
	return RP_OK;
}

enum rp_err file_fs_type(struct task *task, enum file_root root, uint64_t *type)
{
	struct op op = {.kind = OP_ROOM, .root = (uint8_t)root};
	enum rp_err err = file_err_of(task, ".", carry_on(task, &op));

	if (err == RP_OK)
		*type = op.room.fs_type;
	return err;
}
