/* Whatever is lost of a journal, a repair gives no number out again that was shown. */
#include "index/volume_floor.h"

#include <stdio.h>
#include <string.h>

#include "index/breath.h"
#include "index/mailbox_state.h"
#include "index/repair/repair.h"
#include "tests/index/open_store.h"
#include "tests/index/said.h"
#include "tests/index/shown.h"
#include "tests/io/io_fixture.h"

/* What the last repair has said. */
static struct said said;

static struct shown repaired(struct task *task, struct store *store, const char *name)
{
	struct repair_report report;
	struct volume *volume;
	struct shown shown;

	said = (struct said){0};
	cr_assert_eq(repair_rebuild(task, store, &made_user, said_keep, &said, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
	volume = shown_open_made(task, store);
	shown = shown_of(volume, name);
	volume_close(volume);
	return shown;
}

IO_TASK_TEST(repair_floor, a_repair_raises_numbers_once)
{
	struct shown shown = shown_make_more(task);
	struct store *store;
	struct shown first;
	struct shown again;

	(void)arg;
	shown_cut_journal(task, 501);
	store = made_open_store(task, 3);
	first = repaired(task, store, "INBOX");
	shown_assert_above(&first, &shown);
	again = repaired(task, store, "INBOX");
	cr_assert_eq(memcmp(&again, &first, sizeof(first)), 0);
	cr_assert_eq(store_close(task, store), RP_OK);
	store = made_open_store(task, 4);
	again = repaired(task, store, "INBOX");
	cr_assert_eq(memcmp(&again, &first, sizeof(first)), 0);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(repair_floor, a_repair_raises_whom_no_later_record_tells_of)
{
	struct shown ab;
	struct shown inbox;
	struct store *store;
	struct shown now;

	(void)arg;
	shown_lose_one_of_two(task, &ab, &inbox);
	store = made_open_store(task, 3);
	now = repaired(task, store, "INBOX");
	cr_assert_eq(now.uidnext, inbox.uidnext);
	cr_assert_eq(now.uidvalidity, inbox.uidvalidity);
	now = repaired(task, store, "a/b");
	shown_assert_above(&now, &ab);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static void assert_told(unsigned uid)
{
	char line[64];
	const char *at;

	snprintf(line, sizeof(line), "mailbox 1 (INBOX), UID %u, 1.dbox at ", uid);
	at = strstr(said.text, line);
	cr_assert_not_null(at, "%s", said.text);
	cr_assert_not_null(strstr(at, ": its body alone tells of it\n"), "%s", said.text);
	cr_assert_not_null(
	    strstr(at, "\n1 messages are known by their bodies alone\n"), "%s", said.text);
}

/* While no server runs. */
static void check_tells(struct task *task, unsigned uid)
{
	struct store_settings settings = small_store();
	struct repair_report report;
	struct store *store;
	const char *reason;

	said = (struct said){0};
	cr_assert_eq(store_open_look(task, &settings, 3, &store, &reason), RP_OK);
	cr_assert_eq(repair_check(task, store, &made_user, said_keep, &said, &report), RP_OK);
	cr_assert(repair_found_damage(&report));
	assert_told(uid);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* A message whose record is lost is known by its body, also where later ones are there. Which one it is is told. */
IO_TASK_TEST(repair_floor, a_repair_brings_a_message_back_whose_record_is_missing)
{
	struct store *store;
	struct volume *volume;
	uint64_t before;
	uint64_t after;

	(void)arg;
	(void)shown_make_more(task);
	store = made_open_store(task, 3);
	volume = shown_open_made(task, store);
	before = volume->journal->number_end;
	made_append(task, volume, "INBOX", 0, "its record goes");
	after = volume->journal->number_end;
	made_append(task, volume, "INBOX", 0, "its record stays");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	shown_damage_journal(task, before, after);
	check_tells(task, 21 + MORE + 1);
	store = made_open_store(task, 4);
	(void)repaired(task, store, "INBOX");
	assert_told(21 + MORE + 1);
	volume = shown_open_made(task, store);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, 21 + MORE + 2);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static enum rp_err set_uidnext(struct breath *breath, void *arg)
{
	struct change_counters counters = {.uidnext = *(const uint32_t *)arg};

	BREATH_PUT(
	    breath, change_put_counters(&breath->writer,
	                volume_find(breath->volume, BYTES_LIT("Trash"))->mailboxid, &counters));
	return RP_OK;
}

/* UIDs are nearly used up: a new UIDVALIDITY costs them none. */
IO_TASK_TEST(repair_floor, a_repair_gives_a_new_uidvalidity_where_uids_are_few)
{
	uint32_t uidnext = 3000000000;
	struct breath_plan plan = {.type = CHANGE_INIT, .write = set_uidnext, .arg = &uidnext};
	struct store *store;
	struct volume *volume;
	struct shown before;
	struct shown now;

	(void)arg;
	(void)shown_make_more(task);
	store = made_open_store(task, 3);
	volume = shown_open_made(task, store);
	cr_assert_eq(breath_run(task, volume, &plan), RP_OK);
	made_append(task, volume, "INBOX", 0, "what is cut");
	before = shown_of(volume, "Trash");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	shown_cut_journal(task, 20);
	store = made_open_store(task, 4);
	now = repaired(task, store, "Trash");
	cr_assert_gt(now.uidvalidity, before.uidvalidity);
	cr_assert_eq(now.uidnext, uidnext);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Sound files of the past: what was given out since they were copied nothing tells. */
IO_TASK_TEST(repair_floor, what_is_restored_has_new_uidvalidities_and_all_of_its_mail)
{
	struct repair_report report;
	struct store *store;
	struct volume *volume;
	struct shown before;
	struct shown now;
	struct shown trash;
	uint64_t mailboxid;

	(void)arg;
	before = shown_make_more(task);
	store = made_open_store(task, 3);
	cr_assert_eq(repair_restored(task, store, &made_user, NULL, NULL, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
	volume = shown_open_made(task, store);
	now = shown_of(volume, "INBOX");
	trash = shown_of(volume, "Trash");
	cr_assert_gt(now.uidvalidity, before.uidvalidity);
	cr_assert_gt(trash.uidvalidity, before.uidvalidity);
	cr_assert_neq(trash.uidvalidity, now.uidvalidity);
	cr_assert_gt(now.highestmodseq, before.highestmodseq);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, 21 + MORE);
	cr_assert_eq(volume_find(volume, BYTES_LIT("a/b"))->messages_count, 20);
	/* Nor is an id, which may have been another mailbox's, given again. */
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("new"), 0, &mailboxid), RP_OK);
	cr_assert_gt(mailboxid, 1 << 20);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Of a body's file the text that tells of mailboxes. */
static void damage_names(struct task *task)
{
	char dir[USERID_PATH_BYTES];
	char path[USERID_PATH_BYTES + 32];
	struct file *file;

	userid_path(&made_user, dir);
	snprintf(path, sizeof(path), "%s/1.dbox", dir);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_write(task, file, "damaged!", 8, FORMAT_AREA_BYTES, false), RP_OK);
	file_close(file);
}

/* As a recovery makes a file that a crash has taken: without a text. Each body tells all the same how far UIDVALIDITYs had come. */
SIM_TASK_TEST(repair_floor, bodies_alone_tell_which_uidvalidities_were_given)
{
	struct io_fixture *fixture = arg;
	struct volume *volume;
	struct store *store;
	struct shown shown;
	struct shown now;
	uint64_t digest;

	made_mail(task, &digest);
	store = made_open_store(task, 2);
	volume = shown_open_made(task, store);
	shown = shown_of(volume, "INBOX");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	damage_names(task);
	made_harm(task, MADE_JOURNAL, true);
	made_harm(task, MADE_INDEX, true);
	made_harm(task, MADE_CATALOG, true);
	sim_jump_wall(fixture->world, -10 * 86400);

	store = made_open_store(task, 3);
	now = repaired(task, store, "INBOX");
	cr_assert_gt(now.uidvalidity, shown.uidvalidity);
	cr_assert_eq(store_close(task, store), RP_OK);
}
