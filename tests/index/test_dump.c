#include "index/dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "index/format.h"
#include "index/volume_files.h"
#include "io/base/num.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/io/io_fixture.h"

struct lines {
	unsigned count;
	unsigned records;
	unsigned bodies;
	unsigned mailboxes;
	unsigned entries;
	unsigned rows;
	unsigned named;
};

static enum rp_err take_line(void *arg, struct bytes line)
{
	struct lines *lines = arg;

	lines->count++;
	lines->records += bytes_starts_with(line, BYTES_LIT("record at "));
	lines->bodies += bytes_starts_with(line, BYTES_LIT("body at "));
	lines->mailboxes += bytes_starts_with(line, BYTES_LIT("mailbox "));
	lines->entries += bytes_starts_with(line, BYTES_LIT("entry at "));
	lines->rows += bytes_starts_with(line, BYTES_LIT("uid "));
	lines->named += bytes_starts_with(line, BYTES_LIT("named: "));
	for (size_t i = 0; i < line.n; i++)
		cr_assert(line.p[i] >= 0x20 && line.p[i] != 0x7f);
	return RP_OK;
}

/* Dump each file as it is, cut short anywhere, and with a byte changed. */
static void dump_all(const uint8_t *p, size_t n, struct lines *lines)
{
	uint8_t *copy = malloc(n + 1);
	uint64_t state = n;

	cr_assert_eq(dump_file(bytes_of(p, n), take_line, lines), RP_OK);
	for (unsigned i = 0; n > 0 && i < 60; i++) {
		struct lines ignored = {0};
		size_t cut = model_random(&state) % (n + 1);
		enum rp_err err;

		memcpy(copy, p, n);
		copy[model_random(&state) % n] ^= (uint8_t)(1 + model_random(&state) % 255);
		err = dump_file(bytes_of(copy, cut), take_line, &ignored);
		cr_assert(err == RP_OK || err == RP_ERR_CORRUPT);
		cr_assert_gt(ignored.count, 0);
	}
	free(copy);
}

IO_TASK_TEST(dump, any_file_is_dumped)
{
	char dir[USERID_PATH_BYTES];
	struct dir_entry *entries;
	struct arena arena;
	struct lines lines = {0};
	size_t count;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	userid_path(&made_user, dir);
	arena_init(&arena, 65536);
	cr_assert_eq(dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count), RP_OK);
	for (size_t i = 0; i < count; i++) {
		char path[VOLUME_PATH_BYTES];
		struct file *file;
		uint64_t size;
		uint8_t *p;
		size_t got;

		snprintf(path, sizeof(path), "%s/%.*s", dir, BYTES_FMT(entries[i].name));
		cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ, &file), RP_OK);
		cr_assert_eq(file_size(task, file, &size), RP_OK);
		p = malloc(size + 1);
		cr_assert_eq(file_read(task, file, p, size, 0, &got), RP_OK);
		file_close(file);
		dump_all(p, got, &lines);
		free(p);
	}
	arena_fini(&arena);
	cr_assert_geq(lines.records, 43);
	cr_assert_eq(lines.bodies, 41);
	cr_assert_eq(lines.mailboxes, 8);
	cr_assert_eq(lines.rows, 40);
	cr_assert_eq(lines.named, 8);
}

/* An entry of n bytes, as it lies in a cache file; its place behind it. */
static size_t put_entry(uint8_t *file, size_t at, uint64_t emailid, uint32_t n, uint64_t nonce)
{
	memset(file + at, 0, 24 + n + 8);
	memset(file + at + 24, 'e', n);
	num_put_u64(file + at, emailid);
	num_put_u32(file + at + 8, n);
	num_put_u64(file + at + 16, XXH3_64bits_withSeed(file + at + 24, n, nonce));
	return (at + 24 + n + 7) & ~(size_t)7;
}

Test(dump, the_entries_of_a_cache_are_dumped)
{
	struct format_header header = { .nonce = 7, .number = 1 };
	static uint8_t file[8192];
	struct lines lines = {0};
	size_t n = FORMAT_AREA_BYTES;

	format_sign(&header, FORMAT_CACHE, 1);
	format_put_area(&header, file);
	for (uint32_t i = 1; i <= 20; i++)
		n = put_entry(file, n, i, i * 9, header.nonce);
	dump_all(file, n, &lines);
	cr_assert_eq(lines.entries, 20);

	lines = (struct lines){0};
	file[FORMAT_AREA_BYTES + 24] ^= 1; /* costs that entry alone */
	dump_all(file, n, &lines);
	cr_assert_eq(lines.entries, 19);
}
