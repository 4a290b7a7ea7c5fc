/* mailbox_state.h -- what an open mailbox is inside index: shared by mailbox*.c, volume*.c, checkpoint.c and view.c.
 *
 *            mailbox_load               replayed                    last user and view let go, memory wanted
 *   (none) ---------------> loading ------------------> loaded ---------------------------------> (none)
 *                              | cannot be read            | deleted
 *                              v                           v
 *                           (none), openers told         gone: lives on until its last user lets go
 *
 * The table is swapped by a checkpoint in one breath (view_news_table): nobody keeps it, or what it lends, over a
 * suspension.
 */
#ifndef RP_INDEX_MAILBOX_STATE_H
#define RP_INDEX_MAILBOX_STATE_H

#include "index/mailbox.h"
#include "index/table.h"
#include "io/base/list.h"

struct cache;

struct mailbox {
	struct list link; /* in volume->mailboxes */
	struct list idle; /* in store->idle_mailboxes while refs == 0, oldest first */
	struct volume *volume;
	uint64_t mailboxid;
	struct table *table; /* NULL: loading */
	struct cache *cache; /* NULL: not needed yet */
	struct list views;   /* view.c's; a view holds the mailbox */
	struct list watches; /* struct watch */
	unsigned refs;
	bool loading;
	bool gone;                   /* deleted: facts are as they last were */
	struct task_queue loaded;    /* those that wait while it is loading */
	struct catalog_entry facts;  /* when gone; else the catalog's */
	uint8_t *gone_name;          /* what facts.name borrows when gone */
};

/* One more user; mailbox_close() lets go. */
void mailbox_hold(struct mailbox *mailbox);

/* What view.c is told, in the breath of a change and without a task. They wake the mailbox's watches too.
 *
 * expunge  before table_expunge(): the rows are still there. In pieces; modseq is that of the change.
 * flags    after the change
 * append   after the rows are there
 * gone     the mailbox was deleted
 * table    the table was replaced by a newer one with the same messages (a checkpoint): holds on rows are to be taken
 *          over from the old one, which is freed when this returns */
void view_news_expunge(struct mailbox *mailbox, const struct runs *uids, uint64_t modseq);
void view_news_flags(struct mailbox *mailbox, const struct runs *uids, uint64_t modseq);
void view_news_append(struct mailbox *mailbox);
void view_news_gone(struct mailbox *mailbox);
void view_news_table(struct mailbox *mailbox, struct table *old_table, struct table *new_table);

#endif
