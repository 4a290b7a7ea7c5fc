/* Whether a volume's journals are whole, and what else knows of more than they do: repair_look_journal() of repair_core.h. */
#include "index/apply.h"
#include "index/journal_look.h"
#include "index/repair/repair_core.h"
#include "index/replay.h"
#include "index/volume_files.h"
#include "io/base/num.h"

struct journal_check {
	struct repair *repair;
	struct replay replay; /* into a catalog of its own, from the first record on */
	struct catalog catalog;
};

static enum rp_err take_change(
    struct task *task, void *arg, const struct record_header *header, struct bytes payload)
{
	struct journal_check *check = arg;

	(void)task;
	check->catalog.has_gap = check->replay.missing > 0;
	return apply_to_catalog(&check->catalog, NULL, "", header->lsn, payload);
}

/* Records with these LSNs are lost: by the files that have them, or had them. */
static void say_missing(struct repair *repair, uint64_t first, uint64_t last)
{
	const struct journal *journal = repair->volume->journal;

	repair->report->records_missing += last - first + 1;
	for (uint64_t rest; first <= last; first = rest + 1) {
		char name[JOURNAL_LOOK_NAME_BYTES];
		bool gone = journal_look_is_gone(journal, first, last, &rest, name);

		repair_say(repair, "%s%s: records %llu to %llu are lost", name,
		    gone ? " is gone" : "", (unsigned long long)first, (unsigned long long)rest);
	}
}

static void say_unsound(struct repair *repair, const struct record *record)
{
	const struct journal *journal = repair->volume->journal;
	uint64_t lsn = record->header.lsn;
	char name[JOURNAL_LOOK_NAME_BYTES];
	uint64_t rest;

	repair->report->records_unsound++;
	(void)journal_look_is_gone(journal, lsn, lsn, &rest, name);
	repair_say(repair, "%s at %llu: record %llu does not say what it must", name,
	    (unsigned long long)record->header.place.journal_offset, (unsigned long long)lsn);
}

static enum rp_err check_record(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct journal_check *check = arg;
	struct repair *repair = check->repair;
	enum rp_err err;

	if (record == NULL) {
		say_missing(repair, missing_first, missing_last);
	} else {
		repair->report->records++;
		if (change_check(record->payload) != RP_OK)
			say_unsound(repair, record);
	}
	err = replay_record(task, &check->replay, record, missing_first, missing_last);
	return err == RP_OK ? task_pause(task) : err;
}

static bool same_entry(const struct catalog_entry *a, const struct catalog_entry *b)
{
	return bytes_eq(a->name, b->name) && a->mailboxid == b->mailboxid &&
	       a->special_use == b->special_use && a->subscribed == b->subscribed &&
	       a->uidvalidity == b->uidvalidity && a->uidnext == b->uidnext &&
	       a->highestmodseq == b->highestmodseq && a->messages_count == b->messages_count &&
	       a->unseen_count == b->unseen_count && a->deleted_count == b->deleted_count &&
	       a->bytes == b->bytes;
}

/* The catalog in memory (from its file and what followed) against the journal alone. */
static void compare_catalogs(struct repair *repair, const struct catalog *replayed)
{
	const struct catalog *catalog = &repair->volume->catalog;

	for (size_t i = 0; i < catalog->count; i++) {
		const struct catalog_entry *entry = &catalog->by_name[i]->entry;
		const struct catalog_node *node = catalog_find(replayed, entry->name);

		repair->report->mailboxes += entry->mailboxid != 0;
		if (node != NULL && same_entry(entry, &node->entry))
			continue;
		repair->report->mailboxes_wrong++;
		repair_say(repair, "catalog: mailbox %llu is not as the journal says",
		    (unsigned long long)entry->mailboxid);
	}
	if (catalog->count == replayed->count)
		return;
	repair->report->mailboxes_wrong++;
	repair_say(
	    repair, "catalog: it has %zu names, the journal %zu", catalog->count, replayed->count);
}

/* What was written and shown is not there to be read any more, though the files that had it did not tell. */
static void check_end(struct repair *repair, uint64_t lsn, uint64_t expected)
{
	bool none = repair->report->records == 0;

	if (none && (expected != 0 || repair->volume->bare)) {
		repair->report->journals_gone = true;
		repair_say(repair, "the journals are gone, with 1-.journal");
	} else if (lsn < expected) {
		say_missing(repair, lsn + 1, expected);
	} else if (journal_look_newest_is_gone(repair->volume->journal, &lsn)) {
		repair->report->records_missing++;
		repair_say(repair, "%llu-.journal is gone: all records from %llu on are lost",
		    (unsigned long long)lsn, (unsigned long long)lsn);
	}
}

struct oddities {
	struct repair *repair;
	uint64_t gaps;
};

static enum rp_err say_oddity(struct task *task, void *arg, const struct journal_oddity *oddity)
{
	static const char *const what[] = {
	    [JOURNAL_ODD_HEADER] = "a copy of the header is damaged, the other is sound",
	    [JOURNAL_ODD_KNOWN] = "both copies of the header are damaged: the server knows it still, and will write it again",
	    [JOURNAL_ODD_LOST] = "the header is lost, and with it all records in the file",
	    [JOURNAL_ODD_ZEROES] = "there should be zeroes, no record is hit",
	    [JOURNAL_ODD_GAP] = "there is no sound record",
	    [JOURNAL_ODD_BEHIND] = "there should be nothing, all records are before it",
	    [JOURNAL_ODD_MARK] = "there should be its end mark alone, all records are before it",
	    [JOURNAL_ODD_END] = "its end mark is not there: records behind it may be lost",
	};
	struct oddities *oddities = arg;
	struct repair *repair = oddities->repair;

	(void)task;
	if (journal_odd_is_harmless(oddity->what))
		repair->report->places_spoilt++;
	else
		oddities->gaps++;
	repair_say(repair, "%.*s at %llu, %llu bytes behind record %llu: %s",
	    BYTES_FMT(oddity->name), (unsigned long long)oddity->offset,
	    (unsigned long long)oddity->bytes, (unsigned long long)oddity->lsn, what[oddity->what]);
	return RP_OK;
}

/* File by file. Behind the newest record no gap in the LSNs tells of what is lost. */
static enum rp_err check_files(struct task *task, struct repair *repair)
{
	struct oddities oddities = {.repair = repair};
	enum rp_err err = journal_look(task, repair->volume->journal, false, say_oddity, &oddities);

	if (err == RP_OK && oddities.gaps > 0 && repair->report->records_missing == 0)
		repair->report->records_missing++;
	return err;
}

static enum rp_err mend_oddity(struct task *task, void *arg, const struct journal_oddity *oddity)
{
	(void)task;
	if (journal_odd_is_harmless(oddity->what))
		repair_say(arg, "%.*s at %llu: it is put in order", BYTES_FMT(oddity->name),
		    (unsigned long long)oddity->offset);
	return RP_OK;
}

enum rp_err repair_mend_journal(struct task *task, struct repair *repair)
{
	if (repair->report->places_spoilt == 0)
		return RP_OK;
	return journal_look(task, repair->volume->journal, true, mend_oddity, repair);
}

static enum rp_err check_records(struct task *task, struct repair *repair)
{
	struct volume *volume = repair->volume;
	struct journal_check check = {.repair = repair};
	uint64_t expected = volume->catalog.lsn; /* has its place, once all is settled */
	enum rp_err err = volume_settle(task, volume);

	if (err != RP_OK)
		return err;
	catalog_init(&check.catalog, volume->catalog.names.key);
	replay_init(&check.replay, NULL, "", take_change, &check, 0);
	err = journal_replay(task, volume->journal, 0, check_record, &check);
	if (err == RP_OK)
		repair_say_logs(repair);
	if (err == RP_OK)
		check_end(repair, check.replay.lsn, expected);
	/* Changes that came meanwhile would look like faults: then only the journal was looked at. */
	if (err == RP_OK && check.replay.lsn == volume->catalog.lsn)
		compare_catalogs(repair, &check.catalog);
	replay_fini(&check.replay);
	catalog_fini(&check.catalog);
	return err;
}

/* Derived files are written when their changes are durable: one that is ahead of the journal knows that records are lost. */
static enum rp_err check_ahead(struct task *task, struct repair *repair)
{
	struct volume *volume = repair->volume;
	struct volume_files files;
	struct arena arena;
	uint64_t lsn = 0;
	enum rp_err err;

	arena_init(&arena, REPAIR_LIST_BYTES_MAX);
	err = volume_files_list(task, volume->dir, &arena, &files);
	for (size_t i = 0; err == RP_OK && i < files.count; i++)
		lsn = num_max(lsn, volume_file_parse(files.entries[i].name).lsn);
	arena_fini(&arena);
	if (err == RP_OK && lsn > volume->catalog.lsn)
		say_missing(repair, volume->catalog.lsn + 1, lsn);
	return err;
}

enum rp_err repair_look_journal(struct task *task, struct repair *repair)
{
	enum rp_err err = check_records(task, repair);

	if (err == RP_OK)
		err = check_ahead(task, repair);
	return err == RP_OK ? check_files(task, repair) : err;
}
