#include "index/settle.h"

#include <string.h>

#include "index/claim.h"
#include "index/commit_core.h"
#include "index/blame.h"
#include "index/place.h"
#include "io/base/clock.h"
#include "io/base/num.h"

enum {
	/* Tasks that may try users whose last try failed: a disk may take half a minute to say no, and all others wait for nobody. */
	SETTLE_FAILED_TASKS = SETTLE_TASKS / 2,
};
#define FAILED_AGAIN_NS (60 * CLOCK_NS_PER_S) /* the log names a user again */

void settle_init(struct settle *settle, enum rp_err (*write)(struct task *, struct settle *))
{
	*settle = (struct settle){ .write = write };
	list_init(&settle->entries);
	list_init(&settle->link);
}

void settle_fini(struct settle *settle)
{
	RP_ASSERT(list_empty(&settle->entries));
	RP_ASSERT(!settle->writing);
	list_del(&settle->link);
}

static struct commit_entry *entry_of(struct list *link)
{
	return RP_CONTAINER_OF(link, struct commit_entry, link);
}

static bool is_durable(const struct commit *commit, const struct commit_entry *entry)
{
	return entry->position <= commit->durable;
}

static bool has_durable(const struct commit *commit, const struct settle *settle)
{
	return !list_empty(&settle->entries) && is_durable(commit, entry_of(settle->entries.next));
}

/* ---- which user is next ---- */

static void enlist(struct commit *commit, struct settle *settle)
{
	bool failed = settle->retry_ns != 0;

	if (settle->writing)
		return; /* looked at again when that is done */
	if (settle->bytes >= SETTLE_GATHER_BYTES && !settle->urgent && !failed) {
		settle->urgent = true;
		list_del(&settle->link);
		list_push_back(&commit->urgent, &settle->link);
		task_queue_wake(&commit->settlers);
		return;
	}
	if (list_linked(&settle->link))
		return;
	if (failed && settle->retry_ns < commit->failed_due_ns)
		commit->failed_due_ns = settle->retry_ns;

	struct list *line = failed ? &commit->failed_users : &commit->dirty;

	if (list_empty(line))
		task_queue_wake(&commit->settlers); /* somebody must set a time for it */
	list_push_back(line, &settle->link);
}

void settle_core_durable(struct commit *commit, struct commit_entry *entry)
{
	struct settle *settle = entry->settle;

	settle->bytes += record_bytes(&entry->record.header);
	if (settle->oldest_ns == 0)
		settle->oldest_ns = loop_now_ns(commit->loop);
	enlist(commit, settle);
}

static bool in_hurry(const struct commit *commit)
{
	return commit->hurry || commit->pressed || commit->draining ||
	       commit->live_bytes > commit->settings.memory_bytes_max / 2;
}

void commit_press(struct commit *commit, bool on)
{
	if (on && !commit->pressed)
		task_queue_wake_all(&commit->settlers);
	commit->pressed = on;
}

/* So long this user's records can still wait; 0: they are to be written now. */
static uint64_t due_in_ns(const struct commit *commit, const struct settle *settle)
{
	uint64_t now_ns = loop_now_ns(commit->loop);
	uint64_t due_ns = settle->oldest_ns + SETTLE_GATHER_NS;

	return in_hurry(commit) || now_ns >= due_ns ? 0 : due_ns - now_ns;
}

/* One who failed a while ago: not before his time, not even in a hurry. NULL: none; *ns: when to look again, 0: when woken. */
static struct settle *next_failed(struct commit *commit, uint64_t *ns)
{
	uint64_t now_ns = loop_now_ns(commit->loop);
	uint64_t due_ns = UINT64_MAX;

	*ns = 0;
	if (list_empty(&commit->failed_users))
		return NULL;
	if (commit->settling_failed >= SETTLE_FAILED_TASKS) {
		*ns = CLOCK_NS_PER_S;
		return NULL;
	}
	if (commit->failed_due_ns <= now_ns) {
		LIST_FOR_EACH(link, &commit->failed_users) {
			struct settle *settle = RP_CONTAINER_OF(link, struct settle, link);

			if (settle->retry_ns <= now_ns)
				return settle; /* there may be more behind him */
			due_ns = num_min(due_ns, settle->retry_ns);
		}
		commit->failed_due_ns = due_ns;
	}
	*ns = commit->failed_due_ns - now_ns;
	return NULL;
}

/* The next user to write for. NULL: nobody yet; *ns: when to look again, 0: when woken. */
static struct settle *next_settle(struct commit *commit, uint64_t *ns)
{
	struct settle *settle;
	uint64_t in_ns;

	*ns = 0;
	if (!list_empty(&commit->urgent))
		return RP_CONTAINER_OF(commit->urgent.next, struct settle, link);
	settle = next_failed(commit, ns);
	if (settle != NULL || list_empty(&commit->dirty))
		return settle;
	settle = RP_CONTAINER_OF(commit->dirty.next, struct settle, link); /* in the order of time */
	in_ns = due_in_ns(commit, settle);
	if (in_ns == 0)
		return settle;
	*ns = *ns == 0 ? in_ns : num_min(*ns, in_ns);
	return NULL;
}

/* ---- one user ---- */

/* The disk is full: what was promised gets the room that was kept for it, and new mail is refused. The reserve is of all shards:
 * what another one has given up is there for this one too. True: try once more. */
static bool give_reserve(struct task *task, struct commit *commit)
{
	enum rp_err err;

	if (commit->disk == COMMIT_ROOM_ENOUGH)
		commit->disk = COMMIT_ROOM_FULL;
	if (commit->reserve_given)
		return false;
	commit->reserve_given = true;
	commit->reserve_gifts++;
	commit->room_checked_ns = 0;
	LOG(loop_log(commit->loop), LOG_ERROR, "disk.full", LOG_STR("answer", "reserve given up"));
	err = claim_reserve_give_up(task);
	return err == RP_OK || err == RP_ERR_NOTFOUND;
}

bool settle_is_stuck(const struct settle *settle)
{
	return settle->stuck;
}

/* All that is durable, but for what users have who are stuck, is in its place. */
static bool rest_is_settled(const struct commit *commit)
{
	if (commit->users_stuck == 0 || commit->settling > 0 || !list_empty(&commit->urgent) ||
	    !list_empty(&commit->dirty))
		return false;
	LIST_FOR_EACH(link, &commit->failed_users)
		if (!RP_CONTAINER_OF(link, struct settle, link)->stuck)
			return false;
	return true;
}

bool settle_core_only_stuck(const struct commit *commit)
{
	return list_empty(&commit->unsent) && list_empty(&commit->sent) && rest_is_settled(commit);
}

static void note_stuck(struct commit *commit, struct settle *settle, bool stuck)
{
	char userid[USERID_TEXT_BYTES + 1];

	if (settle->stuck == stuck)
		return;
	settle->stuck = stuck;
	commit->users_stuck += stuck ? 1 : -1U;
	if (stuck) {
		userid_format(&entry_of(settle->entries.next)->record.header.userid, userid);
		LOG(loop_log(commit->loop), LOG_ERROR, "settle.stuck", LOG_STR("userid", userid),
		    LOG_U64("users", commit->users_stuck));
	} else {
		LOG(loop_log(commit->loop), LOG_INFO, "settle.goes_on",
		    LOG_U64("users", commit->users_stuck));
	}
	commit_core_wake_recycler(commit);
}

/* Somebody waits for memory, or for a log file, and only records that cannot go to their places take it. */
static void look_for_room(struct commit *commit)
{
	uint64_t now_ns = loop_now_ns(commit->loop);
	bool no_memory = !task_queue_empty(&commit->room) &&
	                 !commit_core_has_room(commit, commit->settings.memory_bytes_max / 2);
	bool none = (no_memory || commit_core_has_no_files(commit)) && rest_is_settled(commit);

	if (!none)
		commit->stuck_room_ns = 0;
	else if (commit->stuck_room_ns == 0)
		commit->stuck_room_ns = now_ns;
	else if (now_ns - commit->stuck_room_ns >= COMMIT_STUCK_ROOM_S * CLOCK_NS_PER_S)
		commit_core_fail(commit, "settle", RP_ERR_LIMIT);
}

/* A disk may be full for a day, and each of all users is tried once a second. */
static void tell_failure(struct commit *commit, const struct settle *settle, enum rp_err err)
{
	const struct userid *userid = &entry_of(settle->entries.next)->record.header.userid;
	char text[USERID_TEXT_BYTES + 1];
	uint64_t who;

	memcpy(&who, userid, sizeof(who)); /* user ids are random */
	if (!seldom_is_due(&commit->failed_told, who, loop_now_ns(commit->loop), FAILED_AGAIN_NS))
		return;
	userid_format(userid, text);
	LOG(loop_log(commit->loop), LOG_ERROR, "settle.failed", LOG_STR("userid", text),
	    LOG_STR("error", err_name(err)), LOG_U64("tries", settle->tries));
}

static void note_failure(struct commit *commit, struct settle *settle, enum rp_err err)
{
	settle->tries++;
	tell_failure(commit, settle, err);
	settle->retry_ns = loop_now_ns(commit->loop) + CLOCK_NS_PER_S;
	if (err == RP_ERR_NOSPACE && commit->disk != COMMIT_ROOM_ENOUGH) {
		commit->settle_stuck = true;
		task_queue_wake_all(&commit->room);
		return;
	}
	if (++settle->failures < COMMIT_SETTLE_TRIES)
		return;
	settle->retry_ns = loop_now_ns(commit->loop) + COMMIT_STUCK_RETRY_S * CLOCK_NS_PER_S;
	note_stuck(commit, settle, true);
}

/* Call its write function, once. It is in no list meanwhile. */
static enum rp_err write_one(struct task *task, struct commit *commit, struct settle *settle)
{
	struct blame before =
	    blame_set(task, &entry_of(settle->entries.next)->record.header.userid);

	bool failed = settle->retry_ns != 0;

	list_del(&settle->link);
	settle->urgent = false;
	settle->writing = true;
	settle->oldest_ns = 0;
	commit->settling++;
	commit->settling_failed += failed;
	commit->stats.settles++;
	task_shield(task);

	enum rp_err err = settle->write(task, settle);

	/* Where there is room, but not for this user, he is not everybody's full disk. */
	if (err == RP_ERR_NOSPACE && !place_disk_has_room(task) && give_reserve(task, commit))
		err = settle->write(task, settle);
	task_unshield(task);
	blame_restore(task, before);
	commit->settling--;
	commit->settling_failed -= failed;
	settle->writing = false;
	if (err != RP_OK) {
		note_failure(commit, settle, err);
	} else {
		settle->failures = 0;
		settle->tries = 0;
		settle->retry_ns = 0;
		note_stuck(commit, settle, false);
		commit->settle_stuck = false;
	}
	if (has_durable(commit, settle)) {
		if (settle->oldest_ns == 0)
			settle->oldest_ns = loop_now_ns(commit->loop);
		enlist(commit, settle);
	}
	task_queue_wake_all(&commit->settled_wait);
	return err;
}

/* It is of all shards: another one, or recovery, may have given it up, or made it again; and at the start there may have been no room
 * for it. There must be more than it takes, or new mail would be refused again at once. */
static bool have_reserve(struct task *task, struct commit *commit, const struct file_room *room)
{
	const struct commit_settings *settings = &commit->settings;

	if (claim_reserve_is_there(task, settings->reserve_bytes))
		return true;
	return room->free_bytes > settings->reserve_bytes + settings->memory_bytes_max / 4 * 5 &&
	       claim_reserve_make(task, settings->reserve_bytes) == RP_OK;
}

/* Without the reserve the room it would take is for what was promised, and for what makes room: no log is made of it. Where one
 * is waited for it is made of what there is besides this shard's part. */
bool settle_core_has_room_for_file(struct task *task, const struct commit *commit)
{
	const struct commit_settings *settings = &commit->settings;
	uint64_t kept = commit->wants_file ? commit_core_scarce_bytes(commit) + settings->memory_bytes_max
	                                   : settings->reserve_bytes;
	struct file_room room;

	return claim_reserve_is_there(task, settings->reserve_bytes) ||
	       file_room(task, FILE_ROOT_DATA, &room) != RP_OK ||
	       room.free_bytes >= settings->file_bytes + kept;
}

static enum commit_room room_of(const struct commit *commit, const struct file_room *room)
{
	/* The room of the reserve is for what was promised: it is no room for more. */
	if (room->free_files < COMMIT_SCARCE_FILES ||
	    (commit->reserve_given && room->free_bytes < commit_core_scarce_bytes(commit)))
		return COMMIT_ROOM_SCARCE;
	return commit->reserve_given || room->free_bytes < commit->settings.memory_bytes_max || room->free_files < COMMIT_ROOM_FILES
	    ? COMMIT_ROOM_FULL
	    : COMMIT_ROOM_ENOUGH;
}

static void note_room(struct commit *commit, const struct file_room *room)
{
	static const char *const answer[] = {
	    [COMMIT_ROOM_ENOUGH] = "there is room again",
	    [COMMIT_ROOM_FULL] = "new mail is refused",
	    [COMMIT_ROOM_SCARCE] = "all is refused but what makes room",
	};
	enum commit_room is = room_of(commit, room);

	if (is != commit->disk_told) {
		LOG(loop_log(commit->loop), is == COMMIT_ROOM_ENOUGH ? LOG_INFO : LOG_ERROR, "disk.room",
		    LOG_STR("answer", answer[is]), LOG_U64("free_bytes", room->free_bytes),
		    LOG_U64("free_files", room->free_files));
		task_queue_wake_all(&commit->settlers); /* who sleeps without end, and has to look again now */
	}
	commit->disk = commit->disk_told = is;
	commit->disk_free_bytes = room->free_bytes;
}

void commit_look_at_room(struct task *task, struct commit *commit)
{
	uint64_t gifts = commit->reserve_gifts;
	struct file_room room;

	commit->room_checked_ns = loop_now_ns(commit->loop);
	task_shield(task); /* it is for all: whoever looks may be canceled, and what is half made would be no reserve */
	if (file_room(task, FILE_ROOT_DATA, &room) == RP_OK) {
		bool have = have_reserve(task, commit, &room);

		if (commit->reserve_gifts == gifts) /* else what was seen is over */
			commit->reserve_given = !have;
		note_room(commit, &room);
	}
	task_unshield(task);
}

/* Once a second while there is work. */
static void check_room(struct task *task, struct commit *commit)
{
	uint64_t now_ns = loop_now_ns(commit->loop);

	if (now_ns - commit->room_checked_ns >= CLOCK_NS_PER_S || commit->room_checked_ns == 0)
		commit_look_at_room(task, commit);
}

void settle_core_task(struct task *task, void *arg)
{
	struct commit *commit = arg;

	task_set_name(task, "commit.settle");
	while (!commit->failed && !commit->stopping) {
		uint64_t ns;
		struct settle *settle = next_settle(commit, &ns);

		if (settle != NULL) {
			if (write_one(task, commit, settle) == RP_OK)
				check_room(task, commit);
			if (commit->settings.settled != NULL)
				commit->settings.settled(
				    commit->settings.arg); /* it may be gone now */
			continue;
		}
		look_for_room(commit);
		if (commit->failed)
			break;
		/* While new mail is refused there may be no work that would show that there is room again. */
		if ((ns == 0 && commit->disk != COMMIT_ROOM_ENOUGH) || (ns > CLOCK_NS_PER_S && commit->users_stuck > 0))
			ns = CLOCK_NS_PER_S;
		if (ns != 0)
			(void)!task_queue_wait_ns(task, &commit->settlers, ns);
		else
			(void)!task_queue_wait(task, &commit->settlers);
		if (commit->disk != COMMIT_ROOM_ENOUGH && !commit->stopping)
			check_room(task, commit);
	}
	commit->tasks_count--;
	task_queue_wake_all(&commit->ended);
}

enum rp_err settle_flush(struct task *task, struct commit *commit, struct settle *settle)
{
	while (has_durable(commit, settle)) {
		enum rp_err err;

		if (commit->failed)
			return RP_ERR_UNKNOWN;
		if (settle->writing)
			err = task_queue_wait(task, &commit->settled_wait);
		else
			err = write_one(task, commit, settle);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

void settle_done(struct commit *commit, struct commit_entry *entry)
{
	struct settle *settle = entry->settle;
	uint64_t bytes = record_bytes(&entry->record.header);

	RP_ASSERT(settle != NULL && settle->bytes >= bytes && is_durable(commit, entry));
	list_del(&entry->link);
	settle->bytes -= bytes;
	entry->settle = NULL;
	entry->segment->file->unsettled--;
	commit->unsettled--;
	commit_entry_release(commit, entry);
}

/* ---- the whole of a write function ---- */

static size_t gather(const struct commit *commit, struct settle *settle,
    struct commit_entry *entries[PLACE_RECORDS_MAX], const struct record *records[PLACE_RECORDS_MAX])
{
	size_t count = 0;

	LIST_FOR_EACH(link, &settle->entries) {
		struct commit_entry *entry = entry_of(link);

		if (count == PLACE_RECORDS_MAX || !is_durable(commit, entry))
			break;
		entries[count] = entry;
		records[count++] = &entry->record;
	}
	return count;
}

enum rp_err settle_write(struct task *task, struct commit *commit, struct settle *settle,
    struct journal *journal, struct dbox *dbox)
{
	struct place place = { .journal = journal, .dbox = dbox };
	struct commit_entry *entries[PLACE_RECORDS_MAX];
	const struct record *records[PLACE_RECORDS_MAX];
	enum rp_err err = RP_OK;
	size_t count;

	while (err == RP_OK && (count = gather(commit, settle, entries, records)) > 0) {
		err = place_records(task, &place, records, NULL, count);
		for (size_t i = 0; err == RP_OK && i < count; i++)
			settle_done(commit, entries[i]);
	}
	commit->stats.files_sealed += place.sealed;
	return err;
}

struct bytes settle_find_body(const struct settle *settle, uint64_t dbox, uint64_t dbox_offset)
{
	for (const struct list *link = settle->entries.prev; link != &settle->entries;
	     link = link->prev) {
		const struct record *record =
		    &RP_CONTAINER_OF(link, struct commit_entry, link)->record;
		const struct record_place *place = &record->header.place;

		if (record->body.n == 0 || place->dbox != dbox || dbox_offset < place->dbox_offset ||
		    dbox_offset - place->dbox_offset >= record->body.n)
			continue;
		return bytes_from(record->body, (size_t)(dbox_offset - place->dbox_offset));
	}
	return bytes_of(NULL, 0);
}
