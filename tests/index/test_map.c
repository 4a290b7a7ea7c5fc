#include "index/map.h"
#include "tests/io/io_fixture.h"

#include <stdlib.h>

static void make(struct task *task, const char *path, size_t n)
{
	struct file *file;
	uint8_t *p = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 7 + i / 4096);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_WRITE | FILE_CREATE, &file), RP_OK);
	if (n > 0)
		cr_assert_eq(file_write(task, file, p, n, 0, false), RP_OK);
	file_close(file);
	free(p);
}

/* At the bound between reading and mapping, and to each side. */
IO_TASK_TEST(map, a_file_is_read_or_mapped_by_its_size)
{
	static const size_t sizes[] = {0, 1, 5000, MAP_READ_BYTES_MAX - 1, MAP_READ_BYTES_MAX,
	    MAP_READ_BYTES_MAX + 1, 2 * MAP_READ_BYTES_MAX + 77};

	(void)arg;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		char path[16] = "a";
		struct map map;

		path[1] = (char)('0' + s);
		make(task, path, sizes[s]);
		cr_assert_eq(map_open(task, path, &map), RP_OK);
		cr_assert_eq(map.n, sizes[s]);
		cr_assert_eq(map.mapped, sizes[s] > MAP_READ_BYTES_MAX);
		cr_assert_eq(map_load(task, &map, 0, map.n), RP_OK);
		for (size_t i = 0; i < map.n; i += 997) {
			cr_assert_eq(
			    map_load(task, &map, i, map.n - i < 5000 ? map.n - i : 5000), RP_OK);
			cr_assert_eq(map.p[i], (uint8_t)(i * 7 + i / 4096));
		}
		cr_assert_not(map_is_bad(&map));
		map_close(&map);
		cr_assert_null(map.p);
	}
}

IO_TASK_TEST(map, what_is_not_there_is_said_so)
{
	struct map map;

	(void)arg;
	cr_assert_eq(map_open(task, "none", &map), RP_ERR_NOTFOUND);
}

IO_TASK_TEST(map, a_file_cut_short_under_a_mapping_is_found_when_it_is_loaded)
{
	struct map map;
	struct file *file;

	(void)arg;
	make(task, "cut", 2 * MAP_READ_BYTES_MAX);
	cr_assert_eq(map_open(task, "cut", &map), RP_OK);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "cut", FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_truncate(task, file, MAP_READ_BYTES_MAX), RP_OK);
	file_close(file);
	cr_assert_eq(map_load(task, &map, 0, 4096), RP_ERR_CORRUPT);
	cr_assert_eq(map_load(task, &map, MAP_READ_BYTES_MAX + 4096, 4096), RP_ERR_CORRUPT);
	map_close(&map);
}

/* The page in which it ends reads as zeroes behind the end, and nothing faults. */
IO_TASK_TEST(map, a_file_cut_short_within_a_page_is_bad_before_any_page_is_missed)
{
	struct io_fixture *fixture = arg;
	struct map map;
	struct file *file;

	make(task, "cut", 2 * MAP_READ_BYTES_MAX);
	cr_assert_eq(map_open(task, "cut", &map), RP_OK);
	cr_assert_eq(map_load(task, &map, 0, 8192), RP_OK);
	cr_assert_not(map_is_bad(&map));
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "cut", FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_truncate(task, file, 4096 + 100), RP_OK);
	file_close(file);
	if (fixture->kind == IO_FIXTURE_URING) { /* the simulator's is a copy */
		cr_assert_eq(map.p[4096 + 200], 0);
		cr_assert(map_is_bad(&map));
	}
	map_close(&map);
}

IO_TASK_TEST(map, what_is_written_to_a_mapping_stays_there)
{
	struct map one;
	struct map other;

	(void)arg;
	make(task, "private", 2 * MAP_READ_BYTES_MAX);
	cr_assert_eq(map_open(task, "private", &one), RP_OK);
	cr_assert_eq(map_open(task, "private", &other), RP_OK);
	cr_assert_eq(map_load(task, &one, 0, 4096), RP_OK);
	cr_assert_eq(map_load(task, &other, 0, 4096), RP_OK);
	one.p[10] = 0xee;
	cr_assert_eq(one.p[10], 0xee);
	cr_assert_eq(other.p[10], 70);
	map_close(&one);
	map_close(&other);
}
