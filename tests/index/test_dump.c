#include "index/dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/volume_files.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/io/io_fixture.h"

struct lines {
	unsigned count;
	unsigned records;
	unsigned bodies;
	unsigned mailboxes;
	bool sound;
};

static enum rp_err take_line(void *arg, struct bytes line)
{
	struct lines *lines = arg;

	lines->count++;
	lines->records += bytes_starts_with(line, BYTES_LIT("record at "));
	lines->bodies += bytes_starts_with(line, BYTES_LIT("body at "));
	lines->mailboxes += bytes_starts_with(line, BYTES_LIT("mailbox "));
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
	for (unsigned i = 0; i < 60; i++) {
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
}
