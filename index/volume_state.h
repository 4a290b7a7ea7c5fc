/* volume_state.h -- what an open volume is inside index: shared by volume*.c, mailbox*.c, breath.c and checkpoint.c.
 *
 *             first volume_open            read, replayed              nobody uses it, memory wanted
 *   (none) ------------------> opening ------------------> open -----------------------------------> (none)
 *                                 | cannot be read: all who wait are told
 *                                 v
 *                              (none)
 */
#ifndef RP_INDEX_VOLUME_STATE_H
#define RP_INDEX_VOLUME_STATE_H

#include "index/catalog.h"
#include "index/dbox/dbox.h"
#include "index/journal.h"
#include "index/pace.h"
#include "index/store_state.h"

enum {
	VOLUME_PATH_BYTES = USERID_PATH_BYTES + 64, /* of a file in it */
	VOLUME_IDLE_BYTES = 16 * 1024, /* what one idle volume counts for besides its names and mailboxes */
};

struct pending;

struct volume {
	struct hash_link by_userid;
	struct list idle; /* in store->idle_volumes while refs == 0 */
	uint64_t idle_bytes;
	struct store *store;
	struct userid userid;
	char dir[USERID_PATH_BYTES];
	unsigned refs;
	bool open;
	bool opening;
	bool bare; /* not completed: nothing was written to it, see volume_complete() */
	enum rp_err open_err; /* told to those who wait when it could not be opened */
	struct task_queue opened;
	struct journal *journal;
	struct journal_notes *notes; /* NULL: nobody goes through many mailboxes */
	unsigned notes_holds;
	struct pending *pending; /* what recovery will put into them, where there is none: for who only looks */
	struct dbox *dbox;
	struct settle settle;
	struct catalog catalog;
	struct list mailboxes; /* loaded or loading */
	uint64_t position;     /* in the commit log, of the last change */
	uint64_t begun_position; /* likewise, of the first that there ever was; 0: it was there when this was opened */
	uint64_t generation;   /* grows with every change and every table that is swapped */
	bool changing;               /* a change of several breaths is under way (transfer_long.c): no other is made */
	bool checkpoint_turn;        /* it has been put off long enough: no such change begins */
	struct task_queue changed;   /* who waits for the end of either */
	uint64_t replayed_lsn; /* when it was opened: of the last record of a whole change */
	uint64_t catalog_lsn;  /* of the newest catalog file that is not ahead of the journal; 0: none */
	uint64_t newest_catalog_lsn; /* when it was opened: of the newest catalog file of all; 0: none */
	uint64_t known_lsn; /* likewise: the greatest that anything but the journal tells of */
	uint64_t
	    seen_lsn; /* likewise: what it had when it was open last, if that is remembered; 0 */
	uint64_t known_mailboxid; /* likewise, by the names of files */
	uint64_t
	    missing_lsn; /* likewise: of the newest record that is missing before others; 0: none */
	bool log_lost; /* likewise: what was durable of it may have been lost with a part of a commit log, and nothing tells: log_loss.h */
	bool void_end; /* likewise: it ends in parts of a change whose last one was never made */
	bool log_spared; /* likewise: it would be so, but the logs told that nothing was */
	unsigned cache_writes; /* under way: a file may be made after its mailbox has gone */
	bool checkpointing;
	uint64_t checkpoint_after_ns; /* not tried again before */
	uint64_t checkpoint_at_bytes; /* of unwritten_bytes: then it is looked at closely */
	uint64_t unwritten_bytes;     /* of the journal, since the last checkpoint began */
	struct compact *compacting; /* NULL: no dbox file is being emptied */
	struct pace compact_pace;
	bool compact_runs;          /* one is looked for, or emptied */
	unsigned compact_holds;     /* while there are any, none runs: compact_hold() */
	uint64_t compact_off_ns;    /* since then they have kept off one that was worth while; 0: they have not */
	uint64_t compact_at_bytes;  /* of bodies that nothing may refer to: before it is not worth while */
	uint64_t compact_shared_bytes; /* of messages whose body another has too; UINT64_MAX: nobody has looked */
	uint64_t compact_copied_bytes; /* since it was looked */
	uint64_t compact_seen_bytes; /* of all messages, when it was considered last, */
	size_t compact_seen_files;  /* and how many files of bodies there were */
	uint64_t compact_after_ns;  /* not before: one was cut short */
	uint64_t compact_at_expiry; /* or what was expunged in this second is over: then a file can be emptied */
	bool trimming;              /* trim.h: its task runs */
	bool trim_wanted;
	bool trim_unknown; /* likewise, with what a crash has left */
	bool undeleting;            /* undelete.h: one at a time */
	bool kept_over; /* more was expunged than is kept (kept_any()) */
	bool merging;
	uint64_t merge_at_bytes; /* of sealed journals: before it is not worth while */
};

/* One more user; volume_close() lets go. */
void volume_hold(struct volume *volume);

/* Start a background task of the volume's, which gets it as its argument, holds it, and says volume_task_ended() last. The
 * task does not run before the caller waits. False: none can be started now, and nothing is held. */
RP_MUST_USE bool volume_task_start(struct volume *volume, const char *name, task_fn *fn);
void volume_task_ended(struct volume *volume);

/* A user whose mail is taken apart and put together again. From begin to end nobody but who repairs opens him: all others get
 * RP_ERR_UNAVAILABLE. RP_ERR_BUSY: somebody uses him, or repairs him already. */
struct volume_repair {
	struct list link; /* in store->repairs */
	struct store *store;
	struct userid userid;
};

RP_MUST_USE enum rp_err volume_repair_begin(struct task *task, struct store *store,
    const struct userid *userid, struct volume_repair *repair);
RP_MUST_USE enum rp_err volume_repair_open(
    struct task *task, const struct volume_repair *repair, bool bare, struct volume **out);
void volume_repair_end(struct volume_repair *repair); /* ended already: nothing happens */

/* Between these mailboxes are read by notes of the journal (journal_notes.h): for who goes through many, each once. A merge waits. Without
 * memory for them it is as without this. */
void volume_notes_hold(struct volume *volume);
void volume_notes_let_go(struct volume *volume);

/* All that was changed so far is durable, and in its place. */
RP_MUST_USE enum rp_err volume_settle(struct task *task, struct volume *volume);

/* Before a file for bodies is made: wait till the first record that there ever was is durable. Bodies without a journal are taken for
 * those of a journal that is lost. RP_ERR_UNAVAILABLE: the log has failed. */
RP_MUST_USE enum rp_err volume_wait_begun(struct task *task, struct volume *volume);

/* For repair. Is it in memory? Take it out, when nobody uses it (RP_ERR_BUSY). Open it bare, if it is not open: though its
 * journals are gone, and without what opening writes; who comes by volume_open() then completes it. */
bool volume_is_open(const struct store *store, const struct userid *userid);
RP_MUST_USE enum rp_err volume_drop(
    struct task *task, struct store *store, const struct userid *userid);
RP_MUST_USE enum rp_err volume_open_bare(
    struct task *task, struct store *store, const struct userid *userid, struct volume **out);

/* For purge: bare, and though he was destroyed. */
RP_MUST_USE enum rp_err volume_open_any(
    struct task *task, struct store *store, const struct userid *userid, struct volume **out);

/* A file of his that is none, or may not be opened, is for an admin to put right (the log names it): till then his mail is away. */
static inline enum rp_err volume_away(enum rp_err err)
{
	return err == RP_ERR_DENIED || err == RP_ERR_CANNOT ? RP_ERR_UNAVAILABLE : err;
}

/* The last LSN that it had when it was forgotten last; 0: that is not known. */
uint64_t volume_seen_lsn(const struct volume *volume);

/* Forget a volume that nobody uses and that has nothing to settle. */
void volume_forget(struct volume *volume);

/* journal_keep_headers(), before it is forgotten. False: the disk may be away. */
bool volume_keep_headers(struct task *task, struct volume *volume);
bool volume_is_forgettable(const struct volume *volume);

/* Read the files and replay. */
RP_MUST_USE enum rp_err volume_read(struct task *task, struct volume *volume);

/* What opening writes: numbers that lost records gave out are raised over, and where there are no mailboxes the first are made.
 * RP_ERR_CORRUPT: there was a journal, and is none. Any other error: nothing has changed. */
RP_MUST_USE enum rp_err volume_complete(struct task *task, struct volume *volume);

/* The newest sound catalog file of a directory, with an LSN below the bound, into an empty catalog. RP_ERR_NOTFOUND. */
RP_MUST_USE enum rp_err volume_read_catalog(
    struct task *task, const struct userid *userid, uint64_t bound, struct catalog *catalog);
/* The one with this LSN. RP_ERR_NOTFOUND, RP_ERR_CORRUPT. */
RP_MUST_USE enum rp_err volume_read_catalog_file(
    struct task *task, const struct userid *userid, uint64_t lsn, struct catalog *catalog);
void volume_unread(struct volume *volume);

/* What a new volume has (CLIENTS C-40). */
struct volume_first {
	struct bytes name;
	unsigned special_use;
};
extern const struct volume_first volume_first[];
extern const unsigned volume_first_count;

/* The next UIDVALIDITY after the one that was given last: seconds now where that is greater. */
uint32_t volume_uidvalidity(const struct volume *volume, uint32_t last);

/* "users/.../name" */
void volume_path(const struct volume *volume, char path[VOLUME_PATH_BYTES], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
