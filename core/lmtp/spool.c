#include "core/lmtp/spool.h"

#include <stdio.h>
#include <stdlib.h>

#include "index/room.h"
#include "io/base/num.h"

enum { SPOOL_ROOM_MIN = 16 * 1024 };

void spool_init(struct spool *spool)
{
	*spool = (struct spool){ .p = NULL };
}

void spool_asks(struct spool *spool, spool_room_fn *has_room, void *arg)
{
	spool->has_room = has_room;
	spool->room_arg = arg;
}

bool spool_has_room(struct task *task, void *store, uint64_t bytes)
{
	return store == NULL || room_ask(task, store, bytes);
}

static enum rp_err reserve(struct spool *spool, size_t n)
{
	size_t room = spool->room == 0 ? SPOOL_ROOM_MIN : spool->room;

	if (spool->n + n <= spool->room)
		return RP_OK;
	while (room < spool->n + n)
		room *= 2;
	uint8_t *p = realloc(spool->p, room);

	if (p == NULL)
		return RP_ERR_NOMEM;
	spool->p = p;
	spool->room = room;
	return RP_OK;
}

static bool has_room(struct task *task, const struct spool *spool, uint64_t bytes)
{
	return spool->has_room == NULL || spool->has_room(task, spool->room_arg, bytes);
}

static enum rp_err write_piece(struct task *task, struct spool *spool, struct bytes b)
{
	enum rp_err err = has_room(task, spool, b.n) ? RP_OK : RP_ERR_NOSPACE;

	if (err == RP_OK)
		err = file_write(task, spool->file, b.p, b.n, spool->written, false);
	spool->written += err == RP_OK ? b.n : 0;
	return err;
}

static enum rp_err write_out(struct task *task, struct spool *spool)
{
	enum rp_err err = write_piece(task, spool, bytes_of(spool->p, spool->n));

	if (err == RP_OK)
		spool->n = 0;
	return err;
}

static enum rp_err open_file(struct task *task, struct spool *spool)
{
	uint64_t name[2];

	loop_random(task_loop(task), name, sizeof(name));
	snprintf(spool->path, sizeof(spool->path), "spool/%016llx%016llx", (unsigned long long)name[0],
		(unsigned long long)name[1]);
	return file_open(task, FILE_ROOT_DATA, spool->path, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE,
		&spool->file);
}

enum rp_err spool_write(struct task *task, struct spool *spool, struct bytes b)
{
	enum rp_err err = RP_OK;

	if (spool->n + b.n > SPOOL_MEMORY_BYTES_MAX) {
		if (spool->file == NULL)
			err = has_room(task, spool, 0) ? open_file(task, spool) : RP_ERR_NOSPACE;
		if (err == RP_OK)
			err = write_out(task, spool);
		if (err != RP_OK)
			return err;
	}
	if (b.n > SPOOL_MEMORY_BYTES_MAX) {
		err = write_piece(task, spool, b);
	} else {
		err = reserve(spool, b.n);
		if (err == RP_OK && b.n > 0)
			memcpy(spool->p + spool->n, b.p, b.n);
		spool->n += err == RP_OK ? b.n : 0;
	}
	spool->bytes += err == RP_OK ? b.n : 0;
	return err;
}

enum rp_err spool_sink(struct task *task, void *spool, struct bytes piece)
{
	return spool_write(task, spool, piece);
}

enum rp_err spool_finish(struct task *task, struct spool *spool)
{
	return spool->file != NULL && spool->n > 0 ? write_out(task, spool) : RP_OK;
}

void spool_fini(struct task *task, struct spool *spool)
{
	if (spool->file != NULL) {
		task_shield(task);
		file_close(spool->file);
		/* If it stays, the next start removes it. */
		(void)!file_remove(task, FILE_ROOT_DATA, spool->path);
		task_unshield(task);
	}
	free(spool->p);
	spool_init(spool);
}

enum rp_err spool_clean(struct task *task)
{
	struct arena arena;
	struct dir_entry *entries;
	size_t count;
	char path[SPOOL_PATH_BYTES];
	enum rp_err err = dir_make(task, FILE_ROOT_DATA, "spool");

	arena_init(&arena, 16 * 1024 * 1024);
	if (err == RP_OK)
		err = dir_list(task, FILE_ROOT_DATA, "spool", &arena, &entries, &count);
	for (size_t i = 0; err == RP_OK && i < count; i++) {
		int n = snprintf(path, sizeof(path), "spool/%.*s", BYTES_FMT(entries[i].name));

		if (n > 0 && (size_t)n < sizeof(path))
			err = file_remove(task, FILE_ROOT_DATA, path);
	}
	arena_fini(&arena);
	return err;
}
