/* mailbox_state.h -- what an open mailbox is inside index: shared by mailbox*.c, volume*.c, checkpoint.c and view.c.
 *
 *            mailbox_load               replayed                    last user and view let go, memory wanted
 *   (none) ---------------> loading ------------------> loaded ---------------------------------> (none)
 *                              | cannot be read            | deleted
 *                              v                           v
 *                           (none), openers told         gone: lives on until its last user lets go
 *
 * One whose only users are views of sessions that are in no command *rests*; where memory or mappings are short it gives up its table
 * (mailbox_sleep), and is loaded again by the first who wants it: view_wake(), or whoever opens it to change something.
 *
 * The table is swapped by a checkpoint in one breath (view_news_table): nobody keeps it, or what it lends, over a
 * suspension.
 */
#ifndef RP_INDEX_MAILBOX_STATE_H
#define RP_INDEX_MAILBOX_STATE_H

#include "index/change.h"
#include "index/mailbox.h"
#include "index/table.h"
#include "io/base/list.h"

struct cache;

struct mailbox {
	struct list link; /* in volume->mailboxes */
	struct list idle; /* in store->idle_mailboxes while refs == 0, oldest first */
	uint64_t idle_bytes;
	struct volume *volume;
	uint64_t mailboxid;
	struct table *table; /* NULL: loading, or that failed and nobody has tried again yet */
	struct cache *cache; /* NULL: not needed yet */
	struct list views;   /* view.c's; a view holds the mailbox */
	struct list watches; /* struct watch */
	unsigned refs;
	unsigned resting;     /* of these, views that rest */
	struct list rest;     /* in store->resting_mailboxes while nobody else uses it and there is a table, longest first */
	uint64_t rest_bytes;
	struct table_state slept; /* of the table that was given up; .version 0: there was none */
	bool loading;
	bool gone;                   /* deleted: facts are as they last were */
	bool lost; /* likewise, while it had no table: what its sessions know cannot be shown any more */
	struct task_queue loaded;    /* those that wait while it is loading */
	struct catalog_entry facts;  /* when gone; else the catalog's */
	uint8_t *gone_name;          /* what facts.name borrows when gone */
};

/* One more user; mailbox_close() lets go. A mailbox with users holds its volume. */
void mailbox_hold(struct mailbox *mailbox);

/* Its counters as they are now, to be told as they are afterwards. */
struct change_counters mailbox_counters(const struct mailbox *mailbox);

/* Add the result of a change that was made to what the caller has; *runs is emptied. RP_ERR_UNKNOWN: it was made, but there
 * is no memory to tell. Cannot fail when *to is empty. */
RP_MUST_USE enum rp_err mailbox_give_runs(struct runs *to, struct runs *runs);

/* mailbox_expunge() of these, \Deleted or not: repair's, of those whose bodies are no more. */
RP_MUST_USE enum rp_err mailbox_take_out(
    struct task *task, struct mailbox *mailbox, const struct runs *uids);

/* Keep a message's cache entry; where that fails it is made again when it is wanted. */
void mailbox_keep_entry(struct task *task, struct mailbox *mailbox, uint32_t uid, uint64_t emailid,
    struct bytes entry);

/* Its refs, resting, table or gone have changed. */
void mailbox_note_rest(struct mailbox *mailbox);

/* Wait till it has a table. RP_ERR_NOTFOUND: it was deleted. */
RP_MUST_USE enum rp_err mailbox_wait_loaded(struct task *task, struct mailbox *mailbox);

/* Give up the table of one that rests. False: a session is still to hear what was expunged, or something is being written. */
bool mailbox_sleep(struct mailbox *mailbox);

/* Take one that nobody uses out of memory: its messages are read again when they are wanted. */
void mailbox_forget(struct mailbox *mailbox);

/* By id; else as mailbox_open(). */
RP_MUST_USE enum rp_err mailbox_open_id(
    struct task *task, struct volume *volume, uint64_t mailboxid, struct mailbox **out);

/* Read one's messages into a table of their own (mailbox_load.c): the index file if it is sound, the journal, what is not
 * settled yet. When it returns RP_OK the table has all changes to this moment. */
RP_MUST_USE enum rp_err mailbox_load(
    struct task *task, struct volume *volume, uint64_t mailboxid, struct table **out);

/* Records are lost: those that are left may count messages of which none tells, or not count those that an index knows. Load all mailboxes,
 * one after the other, so that the catalog tells what there is. */
RP_MUST_USE enum rp_err mailbox_count_all(struct task *task, struct volume *volume);

/* Have a fresh table, which has all changes up to lsn, meet those that came since, and take the place of the mailbox's in
 * one breath. On an error it is still the caller's. */
RP_MUST_USE enum rp_err mailbox_swap(
    struct task *task, struct mailbox *mailbox, struct table *table, uint64_t lsn);

/* The table, which has all changes and those that the same breath is about to make, takes the place of the mailbox's. */
void mailbox_take_table(struct mailbox *mailbox, struct table *table);

/* breath_run() of a change that reads this mailbox: one whose table turns out to be bad is mended, and the change tried
 * again. */
struct breath_plan;
RP_MUST_USE enum rp_err mailbox_run(
    struct task *task, struct mailbox *mailbox, const struct breath_plan *plan);

/* The same of a change to two: a copy, a move. */
RP_MUST_USE enum rp_err mailbox_run_both(struct task *task, struct mailbox *mailbox,
    struct mailbox *other, const struct breath_plan *plan);

/* If the table turned out to be bad: build it from the journal again, ignoring its file. RP_ERR_CORRUPT: the mailbox is
 * deleted, and nothing can be built any more. */
RP_MUST_USE enum rp_err mailbox_mend(struct task *task, struct mailbox *mailbox);

/* Have `table`, which has all changes up to lsn, meet those that came since. As above. */
RP_MUST_USE enum rp_err mailbox_catch_up(struct task *task, struct volume *volume,
    uint64_t mailboxid, struct table *table, uint64_t lsn);

/* The same for repair, which asks what records tell: missing ones change nothing. */
RP_MUST_USE enum rp_err mailbox_replay_known(struct task *task, struct volume *volume,
    uint64_t mailboxid, struct table *table, uint64_t lsn);

/* For repair too: the table has rows whose own records are lost, and meets what any record tells of these: flags, and that they are
 * no more. */
RP_MUST_USE enum rp_err mailbox_replay_rows(
    struct task *task, struct volume *volume, uint64_t mailboxid, struct table *table);

/* What view.c is told, in the breath of a change and without a task. They wake the mailbox's watches too.
 *
 * expunge  before table_expunge(): the rows are still there. In pieces; modseq is that of the change.
 * flags    after the change
 * keyword  this index has another name now: what a cursor has read of a message is of the old one
 * append   after the rows are there
 * gone     the mailbox was deleted
 * table    the table was replaced by a newer one with the same messages (a checkpoint): holds on rows are to be taken
 *          over from the old one, which is freed when this returns */
void view_news_expunge(struct mailbox *mailbox, const struct runs *uids, uint64_t modseq);
/* Is some session still to hear that a message is gone? Its row is needed till then. */
bool view_is_behind(const struct mailbox *mailbox);
/* The same of messages that are known to be there, all of them. */
void view_news_expunge_these(struct mailbox *mailbox, const struct runs *there);
void view_news_flags(struct mailbox *mailbox, const struct runs *uids, uint64_t modseq);
void view_news_keyword(struct mailbox *mailbox, unsigned keyword);
void view_news_append(struct mailbox *mailbox);
void view_news_gone(struct mailbox *mailbox);
void view_news_table(struct mailbox *mailbox, struct table *old_table, struct table *new_table);

#endif
