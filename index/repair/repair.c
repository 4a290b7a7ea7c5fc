#include "index/repair/repair.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/checkpoint.h"
#include "index/journal_merge.h"
#include "index/mailbox_state.h"
#include "index/repair/repair_core.h"
#include "index/store_state.h"
#include "index/volume_files.h"
#include "index/volume_floor.h"

enum {
	REPAIR_LINE_BYTES_MAX = 1024,
	REPAIR_POLL_NS = 1000 * 1000,
};

void repair_say(struct repair *repair, const char *format, ...)
{
	char line[REPAIR_LINE_BYTES_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0 || repair->say == NULL)
		return;
	repair->say(repair->arg,
	    bytes_of(line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1));
}

bool repair_found_damage(const struct repair_report *report)
{
	return report->records_missing != 0 || report->records_unsound != 0 ||
	       report->boxes_spoilt != 0 || report->boxes_unread != 0 || report->kept_bodiless != 0 ||
	       report->mailboxes_wrong != 0 || report->messages_bodiless != 0 ||
	       report->derived_damaged != 0 || report->places_spoilt != 0 ||
	       report->journals_gone;
}

/* Without an open volume: which files are there. *journals: or records that are to be in one. */
static enum rp_err look_at_files(struct task *task, struct store *store,
    const struct userid *userid, bool *any, bool *journals)
{
	char dir[USERID_PATH_BYTES];
	struct dir_entry *entries = NULL;
	struct arena arena;
	size_t count = 0;
	enum rp_err err = RP_OK;

	*any = false;
	*journals = store->recover != NULL && recover_has(store->recover, userid);
	userid_path(userid, dir);
	arena_init(&arena, REPAIR_LIST_BYTES_MAX);
	err = dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count);
	for (size_t i = 0; err == RP_OK && i < count; i++) {
		struct bytes name = entries[i].name;
		size_t dot = bytes_find(name, 0, '.');

		*any = true;
		*journals = *journals || bytes_eq(bytes_from(name, dot), BYTES_LIT(".journal"));
	}
	arena_fini(&arena);
	*any = *any || *journals;
	return err == RP_ERR_NOTFOUND ? RP_OK : err;
}

static bool is_truth(struct bytes name)
{
	size_t dot = bytes_find(name, 0, '.');
	struct bytes end = bytes_from(name, dot);

	return bytes_eq(end, BYTES_LIT(".journal")) || bytes_eq(end, BYTES_LIT(".dbox"));
}

/* As the server would open it. */
static enum rp_err try_open(struct task *task, const char *path)
{
	struct file *file;
	enum rp_err err = file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file);

	if (err == RP_OK)
		file_close(file);
	return err;
}

struct refused {
	unsigned denied;
	unsigned no_files; /* of those that are the truth */
};

static void say_refused(struct task *task, struct repair *repair, const char *dir,
    const struct dir_entry *entry, struct refused *refused)
{
	bool truth = is_truth(entry->name);
	char path[VOLUME_PATH_BYTES];
	enum rp_err err;

	if ((!truth && volume_file_parse(entry->name).kind == VOLUME_FILE_OTHER) ||
	    entry->name.n >= sizeof(path) - USERID_PATH_BYTES)
		return;
	snprintf(path, sizeof(path), "%s/%.*s", dir, BYTES_FMT(entry->name));
	err = try_open(task, path);
	if (err == RP_ERR_DENIED) {
		refused->denied++;
		repair_say(repair,
		    "%s may not be read and written by the owner of the data directory, or is a symbolic link: nothing "
		    "is changed", path);
	}
	if (err == RP_ERR_CANNOT && truth) { /* of the others a repair makes new ones */
		refused->no_files++;
		repair_say(repair, "%s is no file, but %s: nothing is changed; put the file back, or take that away "
				   "and repair without it",
		    path, entry->is_dir ? "a folder" : "a FIFO, a socket or a device");
	}
}

/* What somebody has done to modes, owners and links: nothing is lost by it, and nobody else can put it right. RP_ERR_CORRUPT: where one of
 * his files was is what is none. */
static enum rp_err say_why(
    struct task *task, struct repair *repair, const struct userid *userid, enum rp_err err)
{
	struct dir_entry *entries = NULL;
	struct refused refused = { 0 };
	char dir[USERID_PATH_BYTES];
	struct arena arena;
	size_t count = 0;

	if (err != RP_ERR_DENIED && err != RP_ERR_CANNOT)
		return err;
	userid_path(userid, dir);
	arena_init(&arena, REPAIR_LIST_BYTES_MAX);
	if (dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count) == RP_OK)
		for (size_t i = 0; i < count; i++)
			say_refused(task, repair, dir, &entries[i], &refused);
	arena_fini(&arena);
	if (refused.denied == 0 && refused.no_files == 0)
		repair_say(repair,
		    err == RP_ERR_DENIED ? "%s may not be read and written by the owner of the data directory"
					 : "%s is no folder, or in it is what a newer version has written",
		    dir);
	return err == RP_ERR_CANNOT && refused.no_files > 0 ? RP_ERR_CORRUPT : err;
}

static bool records_are_lost(const struct repair_report *report)
{
	return report->records_missing != 0 || report->records_unsound != 0 || report->journals_gone;
}

static void say_recovered(struct repair *repair, const struct known *known)
{
	if (known->recovered > 0)
		repair_say(repair, "%llu messages are known by their bodies alone",
		    (unsigned long long)known->recovered);
}

/* Where records are lost: what a repair brings back by bodies. What is gathered goes into the volume's catalog (a mailbox of which only
 * bodies tell is made in it), so nobody else may have it: no server runs. */
static enum rp_err say_bodies(struct task *task, struct repair *repair)
{
	struct known known;
	enum rp_err err;

	if (repair->volume->catalog.destroyed || !records_are_lost(repair->report))
		return RP_OK;
	if (repair->volume->store->commit != NULL) {
		repair_say(repair, "messages that their bodies alone tell of are not named while a server runs: "
				   "a repair names each that it brings back, a check without a server each that it would");
		return RP_OK;
	}
	known_init(&known, repair);
	volume_notes_hold(repair->volume);
	err = known_gather(task, &known);
	if (err == RP_OK)
		err = bodies_gather(task, &known);
	if (err == RP_OK)
		err = bodies_say(task, &known);
	volume_notes_let_go(repair->volume);
	if (err == RP_OK)
		say_recovered(repair, &known);
	known_fini(task, &known);
	return err == RP_ERR_CANCELED || err == RP_ERR_NOMEM ? err : RP_OK; /* the damage has been told */
}

enum rp_err repair_check(struct task *task, struct store *store, const struct userid *userid,
    repair_say_fn *say, void *arg, struct repair_report *report)
{
	struct repair repair = { .say = say, .arg = arg, .report = report };
	bool any;
	bool journals;
	enum rp_err err = look_at_files(task, store, userid, &any, &journals);
	bool open = volume_is_open(store, userid);
	bool bare;

	*report = (struct repair_report){ 0 };
	if (err != RP_OK)
		return say_why(task, &repair, userid, err);
	if (!any && !open)
		return RP_ERR_NOTFOUND;
	report->journals_gone = !journals && !open; /* it is said with what else is found */
	/* Bare: what opening would write to mend numbers is no business of who only looks. Nor does he give up what cannot be
	 * read (file_lose_whole()): whoever comes meanwhile is served from what he has opened. */
	err = volume_open_bare(task, store, userid, &repair.volume);
	if (err == RP_OK)
		err = repair_look(task, &repair);
	if (err == RP_OK)
		err = say_bodies(task, &repair);
	err = say_why(task, &repair, userid, err);
	if (err == RP_ERR_UNAVAILABLE)
		repair_say(&repair, "his files cannot be read now: the disk is away, or he is being repaired; "
				    "what is lost for good repair goes on without");
	if (repair.volume == NULL)
		return err;
	repair_fini(&repair);
	bare = repair.volume->bare;
	volume_close(repair.volume);
	if (bare)
		(void)!volume_drop(task, store, userid); /* in use by now: it stays */
	return err;
}

/* A folder that has the name of one would be in the way of what is made anew. What somebody has put into it is his. */
static enum rp_err remove_folder(
    struct task *task, struct repair *repair, const char *path, struct bytes name)
{
	enum rp_err err = dir_remove(task, FILE_ROOT_DATA, path);

	if (err != RP_ERR_EXISTS)
		return err;
	repair_say(repair, "%.*s is a folder with files in it, and stays: take it away", BYTES_FMT(name));
	return RP_OK;
}

static enum rp_err remove_derived(
    struct task *task, struct repair *repair, const struct userid *userid)
{
	char dir[USERID_PATH_BYTES];
	struct dir_entry *entries = NULL;
	struct arena arena;
	size_t count = 0;
	enum rp_err err;

	userid_path(userid, dir);
	arena_init(&arena, REPAIR_LIST_BYTES_MAX);
	err = dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count);
	for (size_t i = 0; err == RP_OK && i < count; i++) {
		struct bytes name = entries[i].name;
		char path[VOLUME_PATH_BYTES];

		if (volume_file_parse(name).kind == VOLUME_FILE_OTHER)
			continue;
		snprintf(path, sizeof(path), "%s/%.*s", dir, BYTES_FMT(name));
		err = entries[i].is_dir ? remove_folder(task, repair, path, name)
		                        : file_remove(task, FILE_ROOT_DATA, path);
	}
	arena_fini(&arena);
	return err == RP_ERR_NOTFOUND ? RP_OK : err;
}

/* Must the truth be written anew: is what the journal has lost more than derived files can be made from? */
static bool must_write_anew(const struct repair *repair)
{
	return repair->restored || records_are_lost(repair->report) ||
	       volume_floor_end_is_lost(repair->volume);
}

/* All that anything knows goes into a journal of its own, in the place of the damaged one. Until that has its name nothing is
 * changed, and from then on it is the only one: a crash costs no more than doing it again. */
static enum rp_err write_picture(struct task *task, struct repair *repair)
{
	struct known known;
	enum rp_err err;

	known_init(&known, repair);
	volume_notes_hold(repair->volume);
	err = known_gather(task, &known);
	if (err == RP_OK && known.no_records)
		repair_say(repair,
		    "the journals are gone: mailboxes are made anew from bodies%s",
		    known.no_catalog ? "" : ", with the names of a catalog");
	if (err == RP_OK)
		err = bodies_gather(task, &known);
	if (err == RP_OK)
		err = known_keep(task, &known);
	if (err == RP_OK)
		known_raise_uidnexts(&known);
	if (err == RP_OK)
		err = picture_write(task, &known);
	volume_notes_let_go(repair->volume);
	repair->anew = err == RP_OK;
	if (err == RP_OK)
		repair_say(repair, "what is known is written anew");
	if (err == RP_OK)
		say_recovered(repair, &known);
	known_fini(task, &known);
	return err;
}

/* Look at it as it is, and mend the truth if that is damaged. */
static enum rp_err mend_truth(
    struct task *task, const struct volume_repair *user, struct repair *repair)
{
	enum rp_err err = volume_repair_open(task, user, true, &repair->volume);

	if (err != RP_OK)
		return err;
	/* A commit log has lost more than a journal can: numbers rise by that first. */
	if (repair->volume->log_lost && journal_last_lsn(repair->volume->journal) != 0)
		err = volume_floor_check(task, repair->volume);
	if (err == RP_OK)
		err = repair_look(task, repair);
	if (err == RP_OK && must_write_anew(repair))
		err = write_picture(task, repair);
	else if (err == RP_OK)
		err = repair_mend_journal(task, repair);
	if (err == RP_OK)
		err = repair_mend_boxes(task, repair);
	volume_close(repair->volume);
	repair->volume = NULL;
	return err == RP_OK ? volume_drop(task, user->store, &user->userid) : err;
}

/* Behind a journal that was written anew the next one, so that its loss could be seen. */
static enum rp_err begin_journal(struct task *task, const struct volume_repair *user)
{
	struct volume *volume;
	enum rp_err err = volume_repair_open(task, user, true, &volume);

	if (err != RP_OK)
		return err;
	err = volume_floor_begin(task, volume);
	volume_close(volume);
	return err == RP_OK ? volume_drop(task, user->store, &user->userid) : err;
}

/* With all derived files anew. */
static enum rp_err open_anew(
    struct task *task, const struct volume_repair *user, struct repair *repair)
{
	enum rp_err err = remove_derived(task, repair, &user->userid);

	if (err == RP_OK && repair->anew)
		err = begin_journal(task, user);
	return err == RP_OK ? volume_repair_open(task, user, false, &repair->volume) : err;
}

static enum rp_err write_derived(struct task *task, struct repair *repair)
{
	enum rp_err err = journal_remove_void(task, repair->volume->journal);

	while (err == RP_OK && (err = checkpoint_now(task, repair->volume)) == RP_ERR_BUSY)
		err = task_sleep(task, REPAIR_POLL_NS); /* one has begun by itself */
	return err;
}

/* Messages whose bodies are no more leave their mailboxes, by a record like any other: one line has named each. */
static enum rp_err take_out_lost(struct task *task, struct repair *repair)
{
	const struct repair_lost *lost = &repair->lost;
	enum rp_err err = RP_OK;

	for (size_t i = 0, end; err == RP_OK && i < lost->count; i = end) {
		uint64_t mailboxid = lost->message[i].mailboxid;
		struct mailbox *mailbox;
		struct runs uids = RUNS_EMPTY;

		for (end = i; err == RP_OK && end < lost->count &&
		     lost->message[end].mailboxid == mailboxid;
		     end++)
			err = runs_add(&uids, lost->message[end].uid, lost->message[end].uid);
		if (err == RP_OK)
			err = mailbox_open_id(task, repair->volume, mailboxid, &mailbox);
		if (err == RP_OK) {
			err = mailbox_take_out(task, mailbox, &uids);
			mailbox_close(mailbox);
		}
		if (err == RP_OK)
			repair_say(repair, "mailbox %llu: %llu messages without a body are taken out",
			    (unsigned long long)mailboxid, (unsigned long long)runs_total(&uids));
		runs_fini(&uids);
	}
	return err;
}

/* Those that have no body where it should be. */
static enum rp_err settle_lost(struct task *task, struct repair *repair)
{
	enum rp_err err = repair_point_elsewhere(task, repair);

	if (err == RP_OK)
		err = take_out_lost(task, repair);
	if (err == RP_OK)
		err = repair_end_kept(task, repair);
	if (err == RP_OK)
		err = write_derived(task, repair);
	repair->report->messages_taken_out = repair->lost.count + repair->unkept.count;
	return err;
}

static enum rp_err rebuild(
    struct task *task, struct store *store, const struct userid *userid, struct repair with)
{
	struct repair repair = with;
	struct repair_report *report = repair.report;
	struct volume_repair user;
	bool any = false;
	bool journals = false;
	enum rp_err err = volume_repair_begin(task, store, userid, &user);

	*report = (struct repair_report){ 0 };
	if (err != RP_OK)
		return err;
	file_lose_whole(task, true);
	err = look_at_files(task, store, userid, &any, &journals);
	if (err == RP_OK && !any)
		err = RP_ERR_NOTFOUND;
	if (err == RP_OK)
		err = mend_truth(task, &user, &repair);
	if (err == RP_OK)
		err = open_anew(task, &user, &repair);
	volume_repair_end(&user);
	if (err == RP_OK)
		err = write_derived(task, &repair);
	*report = (struct repair_report){ 0 };
	if (err == RP_OK)
		err = repair_look(task, &repair);
	if (err == RP_OK && repair.lost.count + repair.unkept.count > 0)
		err = settle_lost(task, &repair);
	file_lose_whole(task, false);
	err = say_why(task, &repair, userid, err);
	repair_fini(&repair);
	volume_close(repair.volume);
	return err;
}

enum rp_err repair_rebuild(struct task *task, struct store *store, const struct userid *userid,
    repair_say_fn *say, void *arg, struct repair_report *report)
{
	return rebuild(
	    task, store, userid, (struct repair){.say = say, .arg = arg, .report = report});
}

enum rp_err repair_restored(struct task *task, struct store *store, const struct userid *userid,
    repair_say_fn *say, void *arg, struct repair_report *report)
{
	return rebuild(task, store, userid,
	    (struct repair){.say = say, .arg = arg, .report = report, .restored = true});
}
