/* Every class of bytes of a journal is damaged: check names file and offset, and a repair leaves nothing to be found. */
#include <stdio.h>
#include <string.h>

#include "index/journal_core.h"
#include "index/journal_look.h"
#include "index/journal_mark.h"
#include "index/repair/repair.h"
#include "index/volume_state.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/index/said.h"
#include "tests/io/io_fixture.h"

enum {
	OFFSETS_MAX = 100,
	FLIP = 0x10,
	SMALL_JOURNAL_BYTES = 2560,
};

/* The one journal file, and where its records begin. */
struct file_map {
	struct file *file;
	uint64_t size;
	uint64_t at[OFFSETS_MAX + 1]; /* count of them, then the end */
	size_t count;
};

static void path_of(const char *name, char path[VOLUME_PATH_BYTES])
{
	userid_path(&made_user, path);
	strcat(path, "/");
	strcat(path, name);
}

static void open_map(struct task *task, struct file_map *map)
{
	char path[VOLUME_PATH_BYTES];
	struct record_header header;
	size_t got;

	*map = (struct file_map){.at = {FORMAT_AREA_BYTES}};
	path_of("1-.journal", path);
	cr_assert_eq(
	    file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &map->file), RP_OK);
	cr_assert_eq(file_size(task, map->file, &map->size), RP_OK);
	while (map->at[map->count] + JOURNAL_MARK_BYTES < map->size) {
		uint64_t at = map->at[map->count];

		cr_assert_lt(map->count, OFFSETS_MAX);
		cr_assert_eq(file_read(task, map->file, &header, sizeof(header), at, &got), RP_OK);
		map->at[++map->count] = at + record_journal_bytes(&header);
	}
	cr_assert_eq(map->at[map->count] + JOURNAL_MARK_BYTES, map->size);
}

static void flip(struct task *task, const struct file_map *map, uint64_t at)
{
	uint8_t byte = 0;
	size_t got;

	cr_assert_eq(file_read(task, map->file, &byte, 1, at, &got), RP_OK);
	byte ^= FLIP;
	cr_assert_eq(file_write(task, map->file, &byte, 1, at, false), RP_OK);
}

static void put_more(struct task *task, const struct file_map *map, size_t n)
{
	uint8_t more[400];

	memset(more, 0x55, sizeof(more));
	cr_assert_eq(file_write(task, map->file, more, n, map->size, false), RP_OK);
}

/* Where the zeroes behind a record begin. */
static uint64_t padding_of(struct task *task, const struct file_map *map)
{
	for (size_t i = 0; i < map->count; i++) {
		uint32_t bytes = 0;
		size_t got;

		cr_assert_eq(file_read(task, map->file, &bytes, 4, map->at[i] + 72, &got), RP_OK);
		if (bytes % RECORD_ALIGN != 0)
			return map->at[i] + sizeof(struct record_header) + bytes;
	}
	cr_assert(false, "no record has padding");
	return 0;
}

/* What is done; returned is the offset at which check must say so. */
typedef uint64_t harm_fn(struct task *task, const struct file_map *map);

static uint64_t first_copy(struct task *task, const struct file_map *map)
{
	flip(task, map, 50);
	return 50;
}

static uint64_t second_copy(struct task *task, const struct file_map *map)
{
	flip(task, map, FORMAT_SECTOR_BYTES + 125);
	return FORMAT_SECTOR_BYTES + 125;
}

static uint64_t behind_copy(struct task *task, const struct file_map *map)
{
	flip(task, map, 300);
	return 300;
}

static uint64_t zeroes(struct task *task, const struct file_map *map)
{
	uint64_t at = padding_of(task, map);

	flip(task, map, at);
	return at;
}

static uint64_t record_magic(struct task *task, const struct file_map *map)
{
	flip(task, map, map->at[7]);
	return map->at[7];
}

static uint64_t record_length(struct task *task, const struct file_map *map)
{
	flip(task, map, map->at[7] + 73);
	return map->at[7];
}

static uint64_t record_sum(struct task *task, const struct file_map *map)
{
	flip(task, map, map->at[7] + 90);
	return map->at[7];
}

static uint64_t record_payload(struct task *task, const struct file_map *map)
{
	flip(task, map, map->at[7] + sizeof(struct record_header) + 9);
	return map->at[7];
}

static uint64_t first_record(struct task *task, const struct file_map *map)
{
	flip(task, map, map->at[0] + 60);
	return map->at[0];
}

static uint64_t last_record(struct task *task, const struct file_map *map)
{
	flip(task, map, map->at[map->count - 1] + 34);
	return map->at[map->count - 1];
}

static uint64_t cut_tail(struct task *task, const struct file_map *map)
{
	uint64_t at = map->at[map->count - 1];

	cr_assert_eq(file_truncate(task, map->file, at + 40), RP_OK);
	return at;
}

static uint64_t few_more(struct task *task, const struct file_map *map)
{
	put_more(task, map, 7);
	return map->at[map->count];
}

static uint64_t many_more(struct task *task, const struct file_map *map)
{
	put_more(task, map, 333);
	return map->at[map->count];
}

static uint64_t cut_at_record(struct task *task, const struct file_map *map)
{
	uint64_t at = map->at[map->count - 1];

	cr_assert_eq(file_truncate(task, map->file, at), RP_OK);
	return at;
}

static uint64_t cut_mark(struct task *task, const struct file_map *map)
{
	cr_assert_eq(file_truncate(task, map->file, map->at[map->count]), RP_OK);
	return map->at[map->count];
}

static uint64_t mark(struct task *task, const struct file_map *map)
{
	flip(task, map, map->size - 20);
	return map->at[map->count];
}

static uint64_t both_copies(struct task *task, const struct file_map *map)
{
	flip(task, map, 50);
	flip(task, map, FORMAT_SECTOR_BYTES + 50);
	return 0;
}

static void assert_sound(struct task *task, struct store *store)
{
	struct repair_report report;
	struct said said = {.n = 0};

	cr_assert_eq(repair_check(task, store, &made_user, said_keep, &said, &report), RP_OK);
	cr_assert(!repair_found_damage(&report), "%s", said.text);
}

static void assert_found(struct task *task, harm_fn *harm, bool harmless)
{
	struct repair_report report;
	struct said said = {.n = 0};
	struct file_map map;
	struct store *store;
	struct volume *volume;
	char line[64];
	uint64_t digest;
	uint64_t at;

	made_mail(task, &digest);
	open_map(task, &map);
	at = harm(task, &map);
	file_close(map.file);
	snprintf(line, sizeof(line), "1-.journal at %llu, ", (unsigned long long)at);
	store = made_open_store(task, 2);
	cr_assert_eq(repair_check(task, store, &made_user, said_keep, &said, &report), RP_OK);
	cr_assert(repair_found_damage(&report));
	cr_assert_not_null(strstr(said.text, line), "%s: %s", line, said.text);
	cr_assert_eq(report.places_spoilt != 0, harmless);
	cr_assert_eq(report.records_missing == 0, harmless);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	assert_sound(task, store);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	if (harmless)
		cr_assert_eq(model_digest(task, volume), digest);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, 21);
	volume_close(volume);
	assert_sound(task, store);
	cr_assert_eq(store_close(task, store), RP_OK);
}

#define INJURY_TEST(harm, harmless)                                                                \
	IO_TASK_TEST(repair_journal, harm##_is_named)                                              \
	{                                                                                          \
		(void)arg;                                                                         \
		assert_found(task, harm, harmless);                                                \
	}

INJURY_TEST(first_copy, true)
INJURY_TEST(second_copy, true)
INJURY_TEST(behind_copy, true)
INJURY_TEST(zeroes, true)
INJURY_TEST(record_magic, false)
INJURY_TEST(record_length, false)
INJURY_TEST(record_sum, false)
INJURY_TEST(record_payload, false)
INJURY_TEST(first_record, false)
INJURY_TEST(last_record, false)
INJURY_TEST(cut_tail, false)
INJURY_TEST(cut_at_record, false)
INJURY_TEST(cut_mark, false)
INJURY_TEST(mark, false)
INJURY_TEST(few_more, false)
INJURY_TEST(many_more, false)
INJURY_TEST(both_copies, false)

/* What was in the lost record an index knows: whose message it was. Records of INBOX and a/b take turns. */
IO_TASK_TEST(repair_journal, whose_records_are_lost_is_named)
{
	struct repair_report report;
	struct said said = {.n = 0};
	struct file_map map;
	struct store *store;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	open_map(task, &map);
	(void)record_payload(task, &map);
	file_close(map.file);
	store = made_open_store(task, 2);
	cr_assert_eq(repair_check(task, store, &made_user, said_keep, &said, &report), RP_OK);
	cr_assert_not_null(
	    strstr(said.text, "1-.journal: records 8 to 8 are lost"), "%s", said.text);
	cr_assert_not_null(
	    strstr(said.text, "mailbox 8 (a/b), UID 3: the index knows of what lost records said"),
	    "%s", said.text);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* ---- several files ---- */

static struct store *open_small(struct task *task, uint64_t epoch)
{
	struct store_settings settings = small_store();

	settings.journal_file_bytes = SMALL_JOURNAL_BYTES;
	return open_recovered(task, &settings, epoch);
}

struct journal_names {
	char name[OFFSETS_MAX]
	         [JOURNAL_LOOK_NAME_BYTES]; /* count of them, in the order of their LSNs */
	size_t count;
};

static void list_journals(struct task *task, struct journal_names *names)
{
	struct dir_entry *entries;
	struct journal_file file;
	char dir[USERID_PATH_BYTES];
	struct arena arena;
	size_t count;
	uint64_t done = 0;

	names->count = 0;
	userid_path(&made_user, dir);
	arena_init(&arena, 65536);
	cr_assert_eq(dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count), RP_OK);
	for (size_t i = 0; i < count; i++) {
		if (!journal_core_parse_name(entries[i].name, &file) || file.first != done + 1)
			continue;
		snprintf(names->name[names->count++], JOURNAL_LOOK_NAME_BYTES, "%.*s",
		    BYTES_FMT(entries[i].name));
		done = file.last != 0 ? file.last : UINT64_MAX - 1;
		i = (size_t)-1;
	}
	arena_fini(&arena);
}

static uint64_t make_files(struct task *task, struct journal_names *names)
{
	struct store *store = open_small(task, 1);
	struct volume *volume;
	uint64_t digest;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	for (unsigned i = 0; i < 40; i++)
		made_append(task, volume, "INBOX", MAIL_SEEN, "one of many");
	digest = model_digest(task, volume);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	list_journals(task, names);
	cr_assert_geq(names->count, 4);
	return digest;
}

/* Check says all of `line`; a repair leaves nothing to say, and all 40 messages. */
static void assert_said(struct task *task, const char *line, bool harmless, uint64_t digest)
{
	struct repair_report report;
	struct said said = {.n = 0};
	struct volume *volume;
	struct store *store = open_small(task, 2);

	cr_assert_eq(repair_check(task, store, &made_user, said_keep, &said, &report), RP_OK);
	cr_assert(repair_found_damage(&report));
	cr_assert_not_null(strstr(said.text, line), "%s: %s", line, said.text);
	cr_assert_eq(report.places_spoilt != 0, harmless);
	cr_assert_eq(report.records_missing == 0, harmless);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	assert_sound(task, store);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, 40);
	if (harmless)
		cr_assert_eq(model_digest(task, volume), digest);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static void remove_one(struct task *task, const char *name)
{
	char path[VOLUME_PATH_BYTES];

	path_of(name, path);
	cr_assert_eq(file_remove(task, FILE_ROOT_DATA, path), RP_OK);
}

/* The file of this place in their order is gone: a line begins with its name and goes on so. */
static void assert_gone_is_named(struct task *task, bool newest, unsigned at, const char *says)
{
	struct journal_names names;
	char line[256];
	uint64_t digest = make_files(task, &names);
	const char *name = names.name[newest ? names.count - 1 : at];

	remove_one(task, name);
	snprintf(line, sizeof(line), "%s%s", name, says);
	assert_said(task, line, false, digest);
}

IO_TASK_TEST(repair_journal, a_sealed_file_that_is_gone_is_named)
{
	(void)arg;
	assert_gone_is_named(task, false, 1, " is gone: records ");
}

IO_TASK_TEST(repair_journal, the_first_file_that_is_gone_is_named)
{
	(void)arg;
	assert_gone_is_named(task, false, 0, " or 1+");
}

IO_TASK_TEST(repair_journal, the_newest_file_that_is_gone_is_named)
{
	(void)arg;
	assert_gone_is_named(task, true, 0, " is gone: ");
}

static void add_behind(struct task *task, const char *name, const uint8_t *p, size_t n)
{
	char path[VOLUME_PATH_BYTES];
	struct file *file;
	uint64_t size;

	path_of(name, path);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_size(task, file, &size), RP_OK);
	cr_assert_eq(file_write(task, file, p, n, size, false), RP_OK);
	file_close(file);
}

IO_TASK_TEST(repair_journal, bytes_behind_a_sealed_file_are_named_and_go)
{
	struct journal_names names;
	uint8_t more[333];
	char line[256];
	uint64_t digest = make_files(task, &names);

	(void)arg;
	memset(more, 0x55, sizeof(more));
	add_behind(task, names.name[1], more, sizeof(more));
	snprintf(line, sizeof(line), "%s at ", names.name[1]);
	assert_said(task, line, true, digest);
}

IO_TASK_TEST(repair_journal, a_sealed_file_that_is_cut_where_a_record_ends_is_named)
{
	struct journal_names names;
	char path[VOLUME_PATH_BYTES];
	char line[256];
	uint64_t digest = make_files(task, &names);
	struct file *file;

	(void)arg;
	path_of(names.name[1], path);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_truncate(task, file, FORMAT_AREA_BYTES), RP_OK);
	file_close(file);
	snprintf(line, sizeof(line), "%s at %u, 0 bytes behind record 0: ", names.name[1],
	    FORMAT_AREA_BYTES);
	assert_said(task, line, false, digest);
}

/* It is made with its first record. */
IO_TASK_TEST(repair_journal, a_file_without_a_record_is_named)
{
	struct journal_names names;
	char path[VOLUME_PATH_BYTES];
	char line[256];
	uint64_t digest = make_files(task, &names);
	struct file *file;

	(void)arg;
	path_of(names.name[names.count - 1], path);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_truncate(task, file, FORMAT_AREA_BYTES), RP_OK);
	file_close(file);
	snprintf(line, sizeof(line),
	    "%s at %u, 0 bytes behind record 0: ", names.name[names.count - 1], FORMAT_AREA_BYTES);
	assert_said(task, line, false, digest);
}

IO_TASK_TEST(repair_journal, zeroes_behind_a_sealed_file_are_named_and_go)
{
	struct journal_names names;
	uint8_t zeroes[200] = {0};
	char line[256];
	uint64_t digest = make_files(task, &names);

	(void)arg;
	add_behind(task, names.name[1], zeroes, sizeof(zeroes));
	snprintf(line, sizeof(line), "%s at ", names.name[1]);
	assert_said(task, line, true, digest);
}
