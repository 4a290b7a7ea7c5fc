#include "tests/io/io_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "io/base/num.h"

static struct file *must_open(struct task *task, const char *path, unsigned mode)
{
	struct file *file = NULL;

	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, mode, &file), RP_OK, "%s", path);
	cr_assert_not_null(file);
	return file;
}

static void must_write(struct task *task, struct file *file, const char *text, uint64_t offset)
{
	cr_assert_eq(file_write(task, file, text, strlen(text), offset, false), RP_OK);
}

static uint64_t size_of(struct task *task, struct file *file)
{
	uint64_t size = UINT64_MAX;

	cr_assert_eq(file_size(task, file, &size), RP_OK);
	return size;
}

IO_TASK_TEST(file, what_is_written_is_read)
{
	struct file *file =
	    must_open(task, "a", FILE_READ | FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE);
	char text[32] = {0};
	size_t got;

	(void)arg;
	must_write(task, file, "hello, world", 0);
	must_write(task, file, "HELLO", 0);
	cr_assert_eq(file_write(task, file, "!", 1, 12, true), RP_OK);
	cr_assert_eq(file_read(task, file, text, sizeof(text), 0, &got), RP_OK);
	cr_assert_eq(got, 13);
	cr_assert_str_eq(text, "HELLO, world!");
	cr_assert_eq(file_read(task, file, text, 5, 7, &got), RP_OK);
	cr_assert_eq(got, 5);
	cr_assert_eq(memcmp(text, "world", 5), 0);
	cr_assert_eq(file_read(task, file, text, 5, 13, &got), RP_OK);
	cr_assert_eq(got, 0);
	cr_assert_eq(size_of(task, file), 13);
	cr_assert_eq(file_sync(task, file), RP_OK);
	cr_assert_eq(file_syncfs(task, file), RP_OK);
	file_close(file);
	file_close(NULL);
}

IO_TASK_TEST(file, a_hole_reads_as_zeroes_and_sizes_change)
{
	struct file *file = must_open(task, "h", FILE_READ | FILE_WRITE | FILE_CREATE);
	uint8_t b[8];
	size_t got;

	(void)arg;
	must_write(task, file, "x", 100000);
	cr_assert_eq(size_of(task, file), 100001);
	cr_assert_eq(file_read(task, file, b, 8, 50000, &got), RP_OK);
	cr_assert_eq(got, 8);
	cr_assert_eq(memcmp(b, "\0\0\0\0\0\0\0\0", 8), 0);
	cr_assert_eq(file_truncate(task, file, 3), RP_OK);
	cr_assert_eq(size_of(task, file), 3);
	cr_assert_eq(file_truncate(task, file, 100001), RP_OK);
	cr_assert_eq(file_read(task, file, b, 8, 100000, &got), RP_OK);
	cr_assert_eq(got, 1);
	cr_assert_eq(b[0], 0);
	cr_assert_eq(file_allocate(task, file, 0, 200000), RP_OK);
	cr_assert_eq(size_of(task, file), 200000);
	cr_assert_eq(file_allocate(task, file, 0, 1000), RP_OK);
	cr_assert_eq(size_of(task, file), 200000);
	file_close(file);
}

IO_TASK_TEST(file, opening_says_what_is_wrong)
{
	struct file *file = NULL;

	(void)arg;
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "none", FILE_READ, &file), RP_ERR_NOTFOUND);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "no/ne", FILE_WRITE | FILE_CREATE, &file),
	    RP_ERR_NOTFOUND);
	file_close(must_open(task, "a", FILE_WRITE | FILE_CREATE));
	cr_assert_eq(
	    file_open(task, FILE_ROOT_DATA, "a", FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, &file),
	    RP_ERR_EXISTS);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "a/b", FILE_READ, &file), RP_ERR_CANNOT);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "../x", FILE_READ, &file), RP_ERR_DENIED);
	cr_assert_eq(
	    file_open(task, FILE_ROOT_DATA, "/etc/passwd", FILE_READ, &file), RP_ERR_DENIED);
	cr_assert_null(file);
}

IO_TASK_TEST(file, truncating_at_open_empties_it)
{
	struct file *file = must_open(task, "t", FILE_WRITE | FILE_CREATE);

	(void)arg;
	must_write(task, file, "something", 0);
	file_close(file);
	file = must_open(task, "t", FILE_WRITE | FILE_CREATE | FILE_TRUNCATE);
	cr_assert_eq(size_of(task, file), 0);
	file_close(file);
}

IO_TASK_TEST(file, direct_writes_of_whole_blocks)
{
	struct file *file = NULL;
	enum rp_err err = file_open(task, FILE_ROOT_COMMIT, "log",
	    FILE_READ | FILE_WRITE | FILE_CREATE | FILE_DIRECT, &file);
	uint8_t *block = aligned_alloc(4096, 8192);
	size_t got;

	(void)arg;
	cr_assert_not_null(block);
	if (err == RP_ERR_CANNOT)
		err = file_open(
		    task, FILE_ROOT_COMMIT, "log", FILE_READ | FILE_WRITE | FILE_CREATE, &file);
	cr_assert_eq(err, RP_OK);
	cr_assert_eq(file_allocate(task, file, 0, 65536), RP_OK);
	memset(block, 'z', 4096);
	cr_assert_eq(file_write(task, file, block, 4096, 8192, true), RP_OK);
	memset(block, 0, 8192);
	cr_assert_eq(file_read(task, file, block, 8192, 4096, &got), RP_OK);
	cr_assert_eq(got, 8192);
	cr_assert_eq(block[4095], 0);
	cr_assert_eq(block[4096], 'z');
	cr_assert_eq(block[8191], 'z');
	free(block);
	file_close(file);
}

IO_TASK_TEST(file, names_come_and_go)
{
	struct file *file = must_open(task, "a", FILE_WRITE | FILE_CREATE);

	(void)arg;
	must_write(task, file, "one", 0);
	cr_assert_eq(dir_make(task, FILE_ROOT_DATA, "users/7/u1"), RP_OK);
	cr_assert_eq(dir_make(task, FILE_ROOT_DATA, "users/7/u1"), RP_OK);
	cr_assert_eq(dir_make(task, FILE_ROOT_DATA, "users/7/u2"), RP_OK);
	cr_assert_eq(file_rename(task, FILE_ROOT_DATA, "a", "users/7/u1/b"), RP_OK);
	cr_assert_eq(size_of(task, file), 3);
	file_close(file);
	file_close(must_open(task, "users/7/u1/b", FILE_READ));
	cr_assert_eq(file_rename(task, FILE_ROOT_DATA, "a", "c"), RP_ERR_NOTFOUND);
	cr_assert_eq(dir_sync(task, FILE_ROOT_DATA, "users/7/u1"), RP_OK);
	cr_assert_eq(dir_sync(task, FILE_ROOT_DATA, "."), RP_OK);
	cr_assert_eq(dir_sync(task, FILE_ROOT_DATA, "users/8"), RP_ERR_NOTFOUND);
	cr_assert_eq(dir_remove(task, FILE_ROOT_DATA, "users/7/u1"), RP_ERR_EXISTS);
	cr_assert_eq(file_remove(task, FILE_ROOT_DATA, "users/7/u1/b"), RP_OK);
	cr_assert_eq(file_remove(task, FILE_ROOT_DATA, "users/7/u1/b"), RP_OK);
	cr_assert_eq(dir_remove(task, FILE_ROOT_DATA, "users/7/u1"), RP_OK);
	cr_assert_eq(dir_remove(task, FILE_ROOT_DATA, "users/7/u1"), RP_OK);
}

IO_TASK_TEST(file, a_rename_takes_the_place_of_what_is_there)
{
	struct file *a = must_open(task, "a", FILE_WRITE | FILE_CREATE);
	struct file *b = must_open(task, "b", FILE_READ | FILE_WRITE | FILE_CREATE);
	char c = 0;
	size_t got;

	(void)arg;
	must_write(task, a, "A", 0);
	must_write(task, b, "B", 0);
	cr_assert_eq(file_rename(task, FILE_ROOT_DATA, "a", "b"), RP_OK);
	cr_assert_eq(file_read(task, b, &c, 1, 0, &got), RP_OK);
	cr_assert_eq(c, 'B', "an open file lives on");
	file_close(b);
	b = must_open(task, "b", FILE_READ);
	cr_assert_eq(file_read(task, b, &c, 1, 0, &got), RP_OK);
	cr_assert_eq(c, 'A');
	file_close(a);
	file_close(b);
}

IO_TASK_TEST(file, no_name_leads_out_of_its_root)
{
	static const char *const bad[] = {"../x", "a/../../x", "/x", "", "a//b", "a/"};

	(void)arg;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		cr_assert_eq(dir_make(task, FILE_ROOT_DATA, bad[i]), RP_ERR_CANNOT);
		cr_assert_eq(file_remove(task, FILE_ROOT_DATA, bad[i]), RP_ERR_CANNOT);
		cr_assert_eq(dir_remove(task, FILE_ROOT_DATA, bad[i]), RP_ERR_CANNOT);
		cr_assert_eq(file_rename(task, FILE_ROOT_DATA, bad[i], "y"), RP_ERR_CANNOT);
		cr_assert_eq(file_rename(task, FILE_ROOT_DATA, "y", bad[i]), RP_ERR_CANNOT);
	}
}

IO_TASK_TEST(file, a_directory_is_listed_in_order)
{
	struct arena arena;
	struct dir_entry *entry;
	size_t count;
	char name[32];

	(void)arg;
	arena_init(&arena, 256 * 1024);
	cr_assert_eq(dir_list(task, FILE_ROOT_DATA, "d", &arena, &entry, &count), RP_ERR_NOTFOUND);
	cr_assert_eq(dir_make(task, FILE_ROOT_DATA, "d/sub"), RP_OK);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "d/%03u", (i * 7) % 300);
		file_close(must_open(task, name, FILE_WRITE | FILE_CREATE));
	}
	cr_assert_eq(dir_list(task, FILE_ROOT_DATA, "d", &arena, &entry, &count), RP_OK);
	cr_assert_eq(count, 301);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "%03u", i);
		cr_assert_str_eq((const char *)entry[i].name.p, name);
		cr_assert_eq(entry[i].name.n, 3);
		cr_assert_not(entry[i].is_dir);
	}
	cr_assert(entry[300].is_dir);
	arena_fini(&arena);
	arena_init(&arena, 8192);
	cr_assert_eq(dir_list(task, FILE_ROOT_DATA, "d", &arena, &entry, &count), RP_ERR_LIMIT);
	arena_fini(&arena);
}

IO_TASK_TEST(file, a_lock_keeps_others_out_while_its_file_is_open)
{
	struct file *a = must_open(task, "store", FILE_READ | FILE_WRITE | FILE_CREATE);
	struct file *b = must_open(task, "store", FILE_READ | FILE_WRITE);
	enum rp_err err = RP_ERR_BUSY;

	(void)arg;
	cr_assert_eq(file_lock(task, a), RP_OK);
	cr_assert_eq(file_lock(task, b), RP_ERR_BUSY);
	file_close(a);
	for (unsigned i = 0; i < 100 && err == RP_ERR_BUSY; i++) {
		cr_assert_eq(task_sleep(task, 1000000), RP_OK);
		err = file_lock(task, b);
	}
	cr_assert_eq(err, RP_OK);
	file_close(b);
}

IO_TASK_TEST(file, the_file_system_tells_its_room)
{
	struct file_room room = {0};

	(void)arg;
	cr_assert_eq(file_room(task, FILE_ROOT_DATA, &room), RP_OK);
	cr_assert_gt(room.total_bytes, 0);
	cr_assert_leq(room.free_bytes, room.total_bytes);
	cr_assert_gt(room.free_files, 0);
}

IO_TASK_TEST(file, a_mapping_is_private)
{
	struct file *file =
	    must_open(task, "m", FILE_READ | FILE_WRITE | FILE_CREATE | FILE_MAPPABLE);
	struct loop *loop = task_loop(task);
	uint8_t b[8];
	size_t got;
	void *p;

	(void)arg;
	cr_assert_eq(file_truncate(task, file, 3 * 4096 + 10), RP_OK);
	must_write(task, file, "abc", 8192);
	cr_assert_eq(file_map(file, 3 * 4096 + 10, &p), RP_OK);
	cr_assert_eq(file_map_populate(task, p, 3 * 4096 + 10), RP_OK);
	cr_assert_eq(file_map_populate(task, (uint8_t *)p + 8190, 7), RP_OK);
	cr_assert_eq(memcmp((uint8_t *)p + 8192, "abc", 3), 0);
	((uint8_t *)p)[8192] = 'X';
	cr_assert_eq(file_read(task, file, b, 3, 8192, &got), RP_OK);
	cr_assert_eq(b[0], 'a');
	cr_assert_not(file_map_is_bad(loop, p));
	file_close(file);
	cr_assert_eq(((uint8_t *)p)[8192], 'X');
	file_unmap(loop, p, 3 * 4096 + 10);
	file_unmap(loop, NULL, 0);
}

IO_TASK_TEST(file, populating_what_is_beyond_the_file_is_corrupt)
{
	struct file *file =
	    must_open(task, "m", FILE_READ | FILE_WRITE | FILE_CREATE | FILE_MAPPABLE);
	void *p;

	(void)arg;
	cr_assert_eq(file_truncate(task, file, 16384), RP_OK);
	cr_assert_eq(file_map(file, 16384, &p), RP_OK);
	cr_assert_eq(file_truncate(task, file, 5000), RP_OK);
	cr_assert_eq(file_map_populate(task, p, 8192), RP_OK);
	cr_assert_eq(file_map_populate(task, p, 16384), RP_ERR_CORRUPT);
	file_unmap(task_loop(task), p, 16384);
	file_close(file);
}

static void touches_what_is_gone(struct task *task, void *arg)
{
	struct file *file =
	    must_open(task, "m", FILE_READ | FILE_WRITE | FILE_CREATE | FILE_MAPPABLE);
	struct loop *loop = task_loop(task);
	void *p, *other;

	(void)arg;
	cr_assert_eq(file_truncate(task, file, 16384), RP_OK);
	must_write(task, file, "abc", 0);
	cr_assert_eq(file_map(file, 16384, &p), RP_OK);
	cr_assert_eq(file_map(file, 16384, &other), RP_OK);
	cr_assert_eq(file_truncate(task, file, 4096), RP_OK);
	cr_assert_eq(((volatile uint8_t *)p)[0], 'a');
	cr_assert_not(file_map_is_bad(loop, p));
	cr_assert_eq(((volatile uint8_t *)p)[8192], 0);
	cr_assert(file_map_is_bad(loop, p));
	cr_assert_not(file_map_is_bad(loop, other));
	cr_assert_eq(((volatile uint8_t *)p)[12288], 0);
	file_unmap(loop, p, 16384);
	cr_assert_eq(file_map(file, 4096, &p), RP_OK);
	cr_assert_not(file_map_is_bad(loop, p));
	file_unmap(loop, p, 4096);
	file_unmap(loop, other, 16384);
	file_close(file);
}

/* SIGBUS: a page that is lost under a reader becomes zeroes, and the mapping is marked. */
Test(file, a_page_that_is_gone_reads_as_zeroes_and_is_told)
{
	struct io_fixture fixture;

	io_fixture_open(&fixture, IO_FIXTURE_URING, 0);
	io_fixture_run(&fixture, touches_what_is_gone, NULL);
	io_fixture_close(&fixture);
}

/* Whoever reads rows asks for each: one bad page, once, must not make that a walk over all mappings for ever. */
static void asks_often(struct task *task, void *arg)
{
	enum { MAPPINGS = 4000, QUESTIONS = 100 * 1000 };
	static void *mapped[MAPPINGS];
	struct file *file =
	    must_open(task, "m", FILE_READ | FILE_WRITE | FILE_CREATE | FILE_MAPPABLE);
	struct loop *loop = task_loop(task);
	void *bad;

	(void)arg;
	cr_assert_eq(file_truncate(task, file, 8192), RP_OK);
	for (unsigned i = 0; i < MAPPINGS; i++)
		cr_assert_eq(file_map(file, 4096, &mapped[i]), RP_OK);
	cr_assert_eq(file_map(file, 8192, &bad), RP_OK);
	cr_assert_eq(file_truncate(task, file, 4096), RP_OK);
	cr_assert_eq(((volatile uint8_t *)bad)[4096], 0);
	cr_assert(file_map_is_bad(loop, bad));
	cr_assert_not(file_map_is_bad(loop, mapped[MAPPINGS - 1]));
	file_unmap(loop, bad, 8192);

	clock_t before = clock();

	for (unsigned i = 0; i < QUESTIONS; i++)
		cr_assert_not(file_map_is_bad(loop, mapped[MAPPINGS - 1]));
	cr_assert_lt(clock() - before, CLOCKS_PER_SEC / 4);
	for (unsigned i = 0; i < MAPPINGS; i++)
		file_unmap(loop, mapped[i], 4096);
	file_close(file);
}

Test(file, a_bad_page_that_is_no_more_costs_nobody_anything)
{
	struct io_fixture fixture;

	io_fixture_open(&fixture, IO_FIXTURE_URING, 0);
	io_fixture_run(&fixture, asks_often, NULL);
	io_fixture_close(&fixture);
}

struct canceled {
	struct file *file;
	enum rp_err err;
	bool ended;
};

static void writes_for_ever(struct task *task, void *arg)
{
	struct canceled *canceled = arg;
	static const uint8_t block[65536];

	do
		canceled->err = file_write(task, canceled->file, block, sizeof(block), 0, true);
	while (canceled->err == RP_OK);
	struct file *file = NULL;

	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "never", FILE_WRITE | FILE_CREATE, &file),
	    RP_ERR_CANCELED);
	cr_assert_null(file);
	canceled->ended = true;
}

IO_TASK_TEST(file, a_cancel_ends_a_writing_task)
{
	struct canceled canceled = {.file = must_open(task, "w", FILE_WRITE | FILE_CREATE)};
	struct task *writer;

	(void)arg;
	cr_assert_eq(task_start(task_loop(task), writes_for_ever, &canceled, &writer), RP_OK);
	cr_assert_eq(task_sleep(task, 3000000), RP_OK);
	cr_assert_not(canceled.ended);
	task_cancel(writer);
	while (!canceled.ended)
		cr_assert_eq(task_sleep(task, 100000), RP_OK);
	cr_assert_eq(canceled.err, RP_ERR_CANCELED);
	file_close(canceled.file);
}

static void opens_and_closes(struct task *task, void *arg)
{
	enum rp_err err;

	(void)arg;
	do {
		struct file *file = NULL;

		err = file_open(task, FILE_ROOT_DATA, "o", FILE_WRITE | FILE_CREATE, &file);
		file_close(file);
	} while (err == RP_OK);
	cr_assert_eq(err, RP_ERR_CANCELED);
}

/* The pool of files asserts at the loop's end that none was lost, the sanitizer that no memory was.
 */
IO_TASK_TEST(file, a_cancelled_open_leaves_nothing_open)
{
	struct task *opener;

	(void)arg;
	for (unsigned i = 0; i < 50; i++) {
		cr_assert_eq(task_start(task_loop(task), opens_and_closes, NULL, &opener), RP_OK);
		cr_assert_eq(task_sleep(task, 20000 * (i % 7)), RP_OK);
		task_cancel(opener);
		cr_assert_eq(task_sleep(task, 300000), RP_OK);
	}
}

/* Registered with a ring that is restricted like the server's; whole, a part, and neither end at a page. */
IO_TASK_TEST(file, a_write_from_pinned_memory_is_like_any_other)
{
	static const struct {
		size_t from;
		size_t n;
	} parts[] = {{0, 1 << 20}, {4096, 8192}, {513, 70000}, {(1 << 20) - 1, 1}};
	static uint8_t read[1 << 20];
	struct file *file;
	size_t bytes;
	uint8_t *p = loop_pinned(task_loop(task), &bytes);

	(void)arg;
	if (p == NULL)
		cr_skip_test("this machine pins no memory");
	cr_assert_eq(bytes, 1 << 20);
	for (size_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(i * 7 + i / 251);
	cr_assert_eq(
	    file_open(task, FILE_ROOT_DATA, "p", FILE_READ | FILE_WRITE | FILE_CREATE, &file), RP_OK);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t got;

		cr_assert_eq(
		    file_write(task, file, p + parts[i].from, parts[i].n, 12345, i % 2 == 0), RP_OK);
		cr_assert_eq(file_read(task, file, read, parts[i].n, 12345, &got), RP_OK);
		cr_assert_eq(got, parts[i].n);
		cr_assert_eq(memcmp(read, p + parts[i].from, got), 0);
	}
	file_close(file);
}
