/* Files by their handle. Names are in file_name.c. */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>

#include "io/base/num.h"
#include "io/file_core.h"
#include "io/loop_core.h"

enum {
	FILE_MODE_BITS = 0600,
	/* One transfer of the kernel is 2 GiB less a page at most; a result is an int32_t. */
	FILE_TRANSFER_BYTES_MAX = 1 << 30,
};

/* What the result of an operation is to its caller; a cancel goes before anything else. */
static enum rp_err outcome(struct task *task, int result)
{
	if (task_interrupted(task))
		return RP_ERR_CANCELED;
	return result < 0 ? err_of_errno(-result) : RP_OK;
}

static bool again(int result)
{
	return result == -EINTR || result == -EAGAIN;
}

static uint64_t open_flags(unsigned mode)
{
	uint64_t flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

	RP_ASSERT((mode & (FILE_READ | FILE_WRITE)) != 0);
	if ((mode & FILE_WRITE) != 0)
		flags |= (mode & FILE_READ) != 0 ? O_RDWR : O_WRONLY;
	if ((mode & FILE_CREATE) != 0)
		flags |= O_CREAT;
	if ((mode & FILE_EXCLUSIVE) != 0)
		flags |= O_EXCL;
	if ((mode & FILE_TRUNCATE) != 0)
		flags |= O_TRUNC;
	if ((mode & FILE_DIRECT) != 0)
		flags |= O_DIRECT;
	return flags;
}

static void close_done(struct op *op)
{
	struct file *file = op->owner;

	pool_give(&file->loop->file_pool, file);
}

void file_close(struct file *file)
{
	if (file == NULL)
		return;
	file->loop->files_open--;
	file->close =
	    (struct op){.kind = OP_CLOSE, .fd = file->fd, .done = close_done, .owner = file};
	op_submit(file->loop, &file->close);
}

static void drop_fd(struct loop *loop, struct file *file, int result)
{
	if (result < 0) {
		pool_give(&loop->file_pool, file);
		return;
	}
	file->fd = result;
	loop->files_open++;
	file_close(file);
}

enum rp_err file_open(
    struct task *task, enum file_root root, const char *path, unsigned mode, struct file **out)
{
	struct loop *loop = task_loop(task);
	struct op op = {.kind = OP_OPEN, .root = (uint8_t)root};
	int result;

	RP_ASSERT(root < FILE_ROOT_COUNT);
	if (task_interrupted(task))
		return RP_ERR_CANCELED;
	struct file *file = pool_take(&loop->file_pool);

	if (file == NULL)
		return RP_ERR_LIMIT;
	file->loop = loop;
	file->mappable = (mode & FILE_MAPPABLE) != 0;
	file->lost_ns = 0;
	op.open.path = path;
	op.open.how = (struct open_how){.flags = open_flags(mode),
	    .mode = (mode & FILE_CREATE) != 0 ? FILE_MODE_BITS : 0,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	do
		result = op_await(task, &op);
	while (again(result) && !task_interrupted(task));
	if (result < 0 || task_interrupted(task)) {
		drop_fd(loop, file, result);
		/* EINVAL: the file system knows no O_DIRECT. */
		return result == -EINVAL ? RP_ERR_CANNOT : file_err_of(task, path, result);
	}
	file->fd = result;
	loop->files_open++;
	*out = file;
	return RP_OK;
}

size_t file_open_count(const struct loop *loop)
{
	return loop->files_open;
}

enum rp_err file_read(
    struct task *task, struct file *file, void *p, size_t n, uint64_t offset, size_t *got)
{
	size_t have = 0;

	while (have < n) {
		struct op op = {.kind = OP_READ, .fd = file->fd};

		op.io.p = (uint8_t *)p + have;
		op.io.n = num_min(n - have, FILE_TRANSFER_BYTES_MAX);
		op.io.offset = offset + have;
		int result = op_await(task, &op);

		if (again(result) && !task_interrupted(task))
			continue;
		enum rp_err err = outcome(task, result);

		if (err != RP_OK)
			return err;
		if (result == 0)
			break;
		have += (size_t)result;
	}
	*got = have;
	return RP_OK;
}

static bool is_pinned(const struct loop *loop, const uint8_t *p, size_t n)
{
	uintptr_t from = (uintptr_t)loop->pinned;

	return (uintptr_t)p >= from && (uintptr_t)p - from < loop->pinned_bytes &&
	       n <= loop->pinned_bytes - ((uintptr_t)p - from);
}

enum rp_err file_write(
    struct task *task, struct file *file, const void *p, size_t n, uint64_t offset, bool dsync)
{
	size_t written = 0;
	bool pinned = is_pinned(task_loop(task), p, n);

	while (written < n) {
		struct op op = {
		    .kind = OP_WRITE, .fd = file->fd, .dsync = dsync, .pinned = pinned};

		op.io.p = (uint8_t *)(uintptr_t)p + written;
		op.io.n = num_min(n - written, FILE_TRANSFER_BYTES_MAX);
		op.io.offset = offset + written;
		int result = op_await(task, &op);

		if (again(result) && !task_interrupted(task))
			continue;
		enum rp_err err = outcome(task, result);

		if (err != RP_OK)
			return err;
		if (result == 0)
			return RP_ERR_IO; /* a write of something that writes nothing would go on
			                     for ever */
		written += (size_t)result;
	}
	return RP_OK;
}

/* An operation without data: carried on until it succeeded or failed. */
static enum rp_err simple(struct task *task, struct op *op)
{
	int result;

	do
		result = op_await(task, op);
	while (again(result) && !task_interrupted(task));
	return outcome(task, result);
}

enum rp_err file_sync(struct task *task, struct file *file)
{
	return simple(task, &(struct op){.kind = OP_SYNC, .fd = file->fd});
}

enum rp_err file_allocate(struct task *task, struct file *file, uint64_t offset, uint64_t n)
{
	struct op op = {.kind = OP_ALLOCATE, .fd = file->fd};

	op.io.offset = offset;
	op.io.n = n;
	return simple(task, &op);
}

enum rp_err file_truncate(struct task *task, struct file *file, uint64_t size_bytes)
{
	struct op op = {.kind = OP_TRUNCATE, .fd = file->fd};

	op.io.offset = size_bytes;
	return simple(task, &op);
}

enum rp_err file_size(struct task *task, struct file *file, uint64_t *size_bytes)
{
	struct statx statx = {0};
	struct op op = {.kind = OP_SIZE, .fd = file->fd};

	op.size.out = &statx;
	enum rp_err err = simple(task, &op);

	if (err == RP_OK)
		*size_bytes = statx.stx_size;
	return err;
}

enum rp_err file_size_at(
    struct task *task, enum file_root root, const char *path, uint64_t *bytes)
{
	struct file *file;
	enum rp_err err = file_open(task, root, path, FILE_READ, &file);

	if (err != RP_OK)
		return err;
	err = file_size(task, file, bytes);
	file_close(file);
	return err;
}

/* A lock that is refused is an answer, no reason to try again. */
enum rp_err file_lock(struct task *task, struct file *file)
{
	struct op op = {.kind = OP_LOCK, .fd = file->fd};
	int result = op_await(task, &op);

	return result == -EACCES ? RP_ERR_BUSY : outcome(task, result);
}

enum rp_err file_syncfs(struct task *task, struct file *file)
{
	return simple(task, &(struct op){.kind = OP_SYNCFS, .fd = file->fd});
}

enum rp_err file_map(struct file *file, size_t n, void **out)
{
	RP_ASSERT(file->mappable);
	RP_ASSERT(n > 0);
	return file->loop->kind->map(file->loop, file->fd, n, out);
}

void file_unmap(struct loop *loop, void *p, size_t n)
{
	if (p != NULL)
		loop->kind->unmap(loop, p, n);
}

enum rp_err file_map_populate(struct task *task, void *p, size_t n)
{
	uintptr_t from = (uintptr_t)p & ~(uintptr_t)4095;
	struct op op = {.kind = OP_POPULATE};
	int result;

	op.io.n = num_round_up((uintptr_t)p + n - from, 4096);
	op.io.p = (void *)from;
	do
		result = op_await(task, &op);
	while (again(result) && !task_interrupted(task));
	if (result == -EFAULT || result == -EIO || result == -EINVAL || result == -ENOMEM)
		return task_interrupted(task) ? RP_ERR_CANCELED : RP_ERR_CORRUPT;
	return outcome(task, result);
}

bool file_map_is_bad(struct loop *loop, const void *p)
{
	return loop->kind->map_is_bad(loop, p);
}
