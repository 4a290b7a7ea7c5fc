#include "index/map.h"

#include <stdlib.h>

static enum rp_err read_whole(struct task *task, struct file *file, size_t n, struct map *out)
{
	uint8_t *p = malloc(n == 0 ? 1 : n);
	size_t got = 0;

	if (p == NULL)
		return RP_ERR_NOMEM;
	enum rp_err err = file_read(task, file, p, n, 0, &got);

	if (err == RP_OK && got < n)
		err = RP_ERR_CORRUPT; /* it is being cut short */
	if (err != RP_OK) {
		free(p);
		return err;
	}
	*out = (struct map){.loop = task_loop(task), .p = p, .n = n};
	return RP_OK;
}

static enum rp_err map_whole(struct task *task, struct file *file, size_t n, struct map *out)
{
	void *p;
	enum rp_err err = file_map(file, n, &p);

	if (err != RP_OK)
		return err;
	*out = (struct map){.loop = task_loop(task), .p = p, .n = n, .mapped = true};
	return RP_OK;
}

enum rp_err map_open(struct task *task, const char *path, struct map *out)
{
	struct file *file;
	uint64_t n;
	enum rp_err err = file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_MAPPABLE, &file);

	if (err != RP_OK)
		return err;
	err = file_size(task, file, &n);
	if (err == RP_OK)
		err = n <= MAP_READ_BYTES_MAX ? read_whole(task, file, (size_t)n, out)
		                              : map_whole(task, file, (size_t)n, out);
	file_close(file);
	return err;
}

void map_close(struct map *map)
{
	if (map->mapped)
		file_unmap(map->loop, map->p, map->n);
	else
		free(map->p);
	*map = (struct map){0};
}

enum rp_err map_load(struct task *task, const struct map *map, size_t offset, size_t n)
{
	const size_t page = 4096;
	size_t from = offset & ~(page - 1);

	RP_ASSERT(offset <= map->n && n <= map->n - offset);
	if (!map->mapped || n == 0)
		return RP_OK;
	/* The mapping begins at a page, so its parts do where the file's do. */
	enum rp_err err = file_map_populate(task, map->p + from, offset + n - from);

	if (err == RP_OK && offset + n < map->n) /* map_is_bad() touches the last byte */
		err = file_map_populate(task, map->p + map->n - 1, 1);
	return err;
}

bool map_is_bad(const struct map *map)
{
	if (!map->mapped)
		return false;
	/* Of a file that was cut short, the page in which it ends now reads as zeroes from there on, and no fault
	 * tells. Its last page is gone. */
	(void)*(const volatile uint8_t *)(map->p + map->n - 1);
	return file_map_is_bad(map->loop, map->p);
}
