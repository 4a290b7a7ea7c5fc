/* Mailboxes that are read by notes meet what a replay of all would tell of them: of changes whole, in parts, void, cut by damage, and made
 * behind the notes. */
#include <stdio.h>
#include <string.h>

#include "index/checkpoint.h"
#include "index/journal_core.h"
#include "index/journal_mark.h"
#include "index/journal_notes.h"
#include "index/repair/repair.h"
#include "index/replay.h"
#include "index/volume_state.h"
#include "tests/index/journal_files.h"
#include "tests/index/made_mail.h"

enum {
	BOXES = 6,
	CHANGES = 60,
	MET_MAX = 4096,
	SMALL_FILE_BYTES = 3000,
	ROUNDS = 40,
};

/* What one mailbox meets: an item's LSN and what it says; missing ones. */
struct met {
	struct {
		uint64_t lsn;
		uint64_t told; /* UID of the item; 0: missing up to `last` */
		uint64_t last;
	} met[MET_MAX];
	size_t count;
	uint64_t mailboxid;
	struct replay replay;
};

static uint64_t draw(uint64_t *state, uint64_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state % below;
}

static void note_met(struct met *met, uint64_t lsn, uint64_t told, uint64_t last)
{
	cr_assert_lt(met->count, MET_MAX);
	met->met[met->count].lsn = lsn;
	met->met[met->count].told = told;
	met->met[met->count++].last = last;
}

/* A replay_fn. */
static enum rp_err meet(
    struct task *task, void *arg, const struct record_header *header, struct bytes payload)
{
	struct met *met = arg;
	struct change_reader reader;
	struct change_item item;

	(void)task;
	cr_assert_eq(change_check(payload), RP_OK);
	cr_assert_eq(change_open(payload, &reader), RP_OK);
	while (change_next(&reader, &item) == RP_OK)
		if (item.mailboxid == met->mailboxid)
			note_met(met, header->lsn, item.uid, 0);
	return RP_OK;
}

/* A journal_replay_fn. */
static enum rp_err meet_record(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct met *met = arg;
	enum rp_err err = replay_record(task, &met->replay, record, missing_first, missing_last);

	if (record == NULL)
		note_met(met, missing_first, 0, missing_last);
	return err;
}

static void begin(struct met *met, uint64_t mailboxid, uint64_t since)
{
	met->count = 0;
	met->mailboxid = mailboxid;
	replay_init(&met->replay, NULL, "", meet, met, since);
}

/* What is left of a change without an end is met too, as where the end is lost. */
static void end(struct task *task, struct met *met)
{
	cr_assert_eq(replay_lost_end(task, &met->replay), RP_OK);
	replay_fini(&met->replay);
}

static void by_replay(struct task *task, struct journal *journal, uint64_t mailboxid, uint64_t since,
    struct met *out)
{
	begin(out, mailboxid, since);
	cr_assert_eq(journal_replay(task, journal, since, meet_record, out), RP_OK);
	end(task, out);
}

static void by_notes(struct task *task, struct journal *journal, struct journal_notes *notes,
    uint64_t mailboxid, uint64_t since, struct met *out)
{
	uint64_t done;

	begin(out, mailboxid, since);
	cr_assert_eq(
	    journal_notes_replay(task, notes, mailboxid, since, meet_record, out, &done), RP_OK);
	if (done > out->replay.lsn)
		out->replay.lsn = done;
	if (out->replay.lsn < journal_last_lsn(journal))
		cr_assert_eq(
		    journal_replay(task, journal, out->replay.lsn, meet_record, out), RP_OK);
	end(task, out);
}

static void put_payload(struct task *task, struct journal *journal, struct bytes payload)
{
	struct record record = {.header = {.type = CHANGE_COMPACT, .userid = log_user_id(1)}};
	const struct record *records[] = {&record};

	record.payload = payload;
	record_fill(&record.header, record.payload, record.body);
	journal_number(journal, record_journal_bytes(&record.header), &record.header.lsn,
	    &record.header.place);
	cr_assert_eq(journal_write(task, journal, records, 1, &(size_t){0}), RP_OK);
}

static void put_part(struct task *task, struct journal *journal, uint32_t part, bool last, uint64_t *state)
{
	static uint8_t payload[CHANGE_PAYLOAD_BYTES_MAX];
	struct change_writer writer;

	change_begin(&writer, payload, sizeof(payload), part);
	for (uint64_t i = draw(state, 5); i > 0; i--)
		cr_assert(change_put_body(&writer, 1 + draw(state, BOXES),
		    (uint32_t)(1 + draw(state, 1000)), (struct dbox_ref){1, 8}));
	if (draw(state, 4) == 0) /* what is about no mailbox */
		cr_assert(change_put_subscription(&writer, BYTES_LIT("x"), true));
	put_payload(task, journal, change_finish(&writer, last));
}

/* One in eight of those in parts has no last one. */
static void put_change(struct task *task, struct journal *journal, uint64_t *state)
{
	uint32_t parts = draw(state, 3) == 0 ? 2 + (uint32_t)draw(state, 4) : 1;
	bool ends = parts == 1 || draw(state, 8) != 0;

	for (uint32_t part = 0; part < parts; part++)
		put_part(task, journal, part, ends && part == parts - 1, state);
}

/* In files but for the newest, so that it stays open. */
static void harm(struct task *task, const struct journal *journal, uint64_t *state)
{
	size_t at = draw(state, journal->files_count - 1);
	char path[JOURNAL_CORE_PATH_BYTES];
	uint64_t bytes;

	journal_core_path_of(journal, &journal->files[at], path);
	cr_assert_eq(file_size_at(task, FILE_ROOT_DATA, path, &bytes), RP_OK);
	flip_in(task, path, FORMAT_AREA_BYTES + draw(state, bytes - FORMAT_AREA_BYTES - JOURNAL_MARK_BYTES));
}

static void assert_same(struct task *task, struct journal *journal, struct journal_notes *notes,
    uint64_t since, uint64_t seed)
{
	static struct met expected;
	static struct met got;

	for (uint64_t mailboxid = 1; mailboxid <= BOXES + 1; mailboxid++) {
		by_replay(task, journal, mailboxid, since, &expected);
		by_notes(task, journal, notes, mailboxid, since, &got);
		cr_assert_eq(got.count, expected.count, "seed %llu, mailbox %llu behind %llu: %zu of %zu",
		    (unsigned long long)seed, (unsigned long long)mailboxid,
		    (unsigned long long)since, got.count, expected.count);
		cr_assert_arr_eq(got.met, expected.met, got.count * sizeof(*got.met));
	}
}

static struct journal *make_journal(struct task *task, uint64_t *state)
{
	struct journal *journal = open_it(task);

	journal_set_file_bytes(journal, FORMAT_AREA_BYTES + SMALL_FILE_BYTES);
	for (unsigned i = 0; i < CHANGES; i++)
		put_change(task, journal, state);
	cr_assert_gt(journal->files_count, 3);
	return journal;
}

static void remove_files(struct task *task, struct journal *journal)
{
	for (size_t i = 0; i < journal->files_count; i++) {
		char path[JOURNAL_CORE_PATH_BYTES];

		journal_core_path_of(journal, &journal->files[i], path);
		cr_assert_eq(file_remove(task, FILE_ROOT_DATA, path), RP_OK);
	}
	journal_close(journal);
}

static void compare(struct task *task, unsigned harms, uint64_t bytes_max)
{
	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15);
		struct journal *journal = make_journal(task, &state);
		struct journal_notes *notes;

		for (unsigned i = 0; i < harms; i++)
			harm(task, journal, &state);
		cr_assert_eq(journal_notes_new(journal, bytes_max, &notes), RP_OK);
		assert_same(task, journal, notes, draw(&state, 10), seed);
		assert_same(task, journal, notes, draw(&state, journal_last_lsn(journal)), seed);
		assert_same(task, journal, notes, 0, seed); /* all of it is noted anew */
		put_change(task, journal, &state);
		put_change(task, journal, &state);
		assert_same(task, journal, notes, draw(&state, journal_last_lsn(journal)), seed);
		journal_notes_let_go(notes);
		remove_files(task, journal);
	}
}

IO_TASK_TEST(journal_notes, each_mailbox_meets_what_is_about_it)
{
	(void)arg;
	compare(task, 0, JOURNAL_NOTES_BYTES_MAX);
}

IO_TASK_TEST(journal_notes, each_mailbox_meets_what_is_missing)
{
	(void)arg;
	compare(task, 3, JOURNAL_NOTES_BYTES_MAX);
}

IO_TASK_TEST(journal_notes, where_they_would_be_too_many_all_is_read)
{
	(void)arg;
	compare(task, 1, 2000);
}

/* It is damaged after it was noted: whom it was about is told, and no other. */
IO_TASK_TEST(journal_notes, what_was_noted_and_cannot_be_read_any_more_is_missing)
{
	enum { PAIRS = 20, HIT = 17 }; /* of mailbox 1 */
	static uint8_t payload[CHANGE_PAYLOAD_BYTES_MAX];
	static struct met expected;
	static struct met got;
	struct journal *journal = open_it(task);
	struct journal_notes *notes;
	struct change_writer writer;
	uint64_t bytes = 0;

	(void)arg;
	for (uint64_t lsn = 1; lsn <= 2 * PAIRS; lsn++) {
		change_begin(&writer, payload, sizeof(payload), 0);
		cr_assert(change_put_body(
		    &writer, lsn % 2 != 0 ? 1 : 2, (uint32_t)lsn, (struct dbox_ref){1, 8}));
		put_payload(task, journal, change_finish(&writer, true));
	}
	cr_assert_eq(file_size_at(task, FILE_ROOT_DATA, "users/0001/u/1-.journal", &bytes), RP_OK);
	bytes = (bytes - FORMAT_AREA_BYTES - JOURNAL_MARK_BYTES) / (2 * PAIRS);
	cr_assert_eq(journal_notes_new(journal, JOURNAL_NOTES_BYTES_MAX, &notes), RP_OK);
	by_notes(task, journal, notes, 1, 0, &got); /* the second one makes them */
	by_notes(task, journal, notes, 2, 0, &got);
	flip(task, FORMAT_AREA_BYTES + (HIT - 1) * bytes + sizeof(struct record_header));
	by_notes(task, journal, notes, 2, 0, &got);
	cr_assert_eq(got.count, PAIRS);
	by_replay(task, journal, 1, 0, &expected);
	by_notes(task, journal, notes, 1, 0, &got);
	cr_assert_eq(expected.count, PAIRS);
	cr_assert_eq(expected.met[HIT / 2].told, 0);
	cr_assert_eq(expected.met[HIT / 2].lsn, HIT);
	cr_assert_eq(got.count, expected.count);
	cr_assert_arr_eq(got.met, expected.met, got.count * sizeof(*got.met));
	journal_notes_let_go(notes);
	journal_close(journal);
}

/* Two records for each mailbox: it is made, and a message comes. */
static void make_boxes(struct task *task, struct volume *volume, unsigned count)
{
	char name[16];

	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		cr_assert_eq(volume_create(task, volume, bytes_of_str(name), 0, NULL), RP_OK);
		made_append(task, volume, name, 0, "Subject: x\r\n\r\nx\r\n");
	}
}

IO_TASK_TEST(journal_notes, many_mailboxes_are_read_in_a_few_passes)
{
	enum { MANY = 100, PASSES_MAX = 5 };
	struct store *store = made_open_store(task, 1);
	struct repair_report report;
	struct volume *volume;
	uint64_t before;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	make_boxes(task, volume, MANY);
	cr_assert_eq(repair_check(task, store, &made_user, NULL, NULL, &report), RP_OK);
	cr_assert_not(repair_found_damage(&report));
	cr_assert_eq(report.messages, MANY);
	cr_assert_geq(report.records, 2 * MANY);
	cr_assert_leq(volume->journal->told, PASSES_MAX * report.records);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);

	/* Without derived files a repair reads them, looks at them, and writes all of them anew. */
	store = made_open_store(task, 2);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	cr_assert_eq(report.messages, MANY);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	before = volume->journal->told; /* since it was opened with nothing derived */
	cr_assert_leq(before, 2 * PASSES_MAX * report.records);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}
