/* view.h -- what one session has been told about its selected mailbox.
 *
 * Small: the last EXISTS, the MODSEQ up to which flags were told, and the UIDs that are expunged
 * but not announced. Sequence numbers exist only here. Never an array per message: work costs what
 * it touches.
 */
#ifndef RP_INDEX_VIEW_H
#define RP_INDEX_VIEW_H

#include "index/mailbox.h"
#include "index/watch.h"

struct view;

enum {
	VIEW_UNANNOUNCED_BYTES_MAX = 64 * 1024
}; /* of expunged runs that others made; beyond the session ends (BYE) */

/* A view of the mailbox as it is now. The view holds the mailbox. watch (may be NULL): woken at
 * each change. */
RP_MUST_USE enum rp_err view_open(
    struct task *task, struct mailbox *mailbox, struct watch *watch, struct view **out);
void view_close(struct view *view);

/* The session is in no command: nothing but view_wake(), view_rest() and view_close() is called till it wakes. Its mailbox may give its
 * memory up meanwhile. What is new wakes the watch as ever. Both may be called again. An error of view_wake(): the mailbox
 * cannot be read now, and the view still rests. One that was deleted while it had given its memory up is overrun. */
void view_rest(struct view *view);
RP_MUST_USE enum rp_err view_wake(struct task *task, struct view *view);
struct mailbox *view_mailbox(const struct view *view);

/* EXISTS as the session knows it. */
uint32_t view_exists(const struct view *view);

/* seqno <-> UID in what the session knows, O(1). 0: none. */
uint32_t view_uid_of(const struct view *view, uint32_t seqno);
uint32_t view_seqno_of(const struct view *view, uint32_t uid);

/* The UID of the last message; 0: empty. */
uint32_t view_last_uid(const struct view *view);

/* seqno of the first message without \Seen; 0: none. O(groups), no disk. */
uint32_t view_first_unseen(const struct view *view);

/* Turn a set of seqnos into UIDs. Each run of seqnos becomes one run of UIDs: among those it
 * covers, exactly the named messages are in the view. RP_ERR_NOTFOUND: a seqno beyond EXISTS.
 * RP_ERR_NOMEM. */
RP_MUST_USE enum rp_err view_uids_of_seqnos(
    const struct view *view, const struct runs *seqnos, struct runs *uids);

/* Which fields of a message are wanted: columns that nobody asks for are not read from the disk. */
enum view_field {
	VIEW_MODSEQ = 1 << 0,
	VIEW_INTERNALDATE = 1 << 1,
	VIEW_SENT = 1 << 2,
	VIEW_SIZE = 1 << 3,
	VIEW_SAVEDATE = 1 << 4,
	VIEW_EMAILID = 1 << 5,
	VIEW_THREADID = 1 << 6,
	VIEW_ALL = (1 << 7) - 1, /* uid, flags and keywords are always there */
};

/* Walk messages of the view in UID order. What it yields is also there for messages that are
 * expunged but not announced.
 *
 *     struct view_cursor cursor;
 *     view_cursor_init(&cursor, view, uids or NULL for all);
 *     cursor.fields = VIEW_MODSEQ | ...;    (VIEW_ALL otherwise; what is left out reads as 0)
 *     while ((err = view_cursor_next(task, &cursor)) == RP_OK) ... cursor.seqno, cursor.message ...
 *     RP_ERR_END: all were met. RP_ERR_UNAVAILABLE: the view is overrun.
 *
 * It may suspend (pages to load, other tasks' turn), and goes on rightly after any change
 * meanwhile. */
struct view_cursor {
	struct view *view;
	const struct runs
	    *uids; /* borrowed for the walk, unchanged meanwhile; may name what is not there */
	uint32_t seqno;
	struct message message;
	const uint64_t *keywords; /* bitmap by keyword index, keyword_words of them; good until a
	                             cursor of this view steps */
	unsigned keyword_words;
	unsigned fields;       /* enum view_field; set before the first step */
	bool expunged;         /* gone, though not announced */
	uint64_t modseq_since; /* only messages changed after this; 0: all */
	struct view_place {    /* view_cursor.c's own: a word of 64 rows */
		uint64_t version;
		uint64_t visible; /* rows that are in the view */
		uint64_t live;    /* of these, not expunged */
		uint64_t left;    /* still to be met */
		uint64_t flags[5];
		uint32_t row;   /* the word's first */
		uint32_t seqno; /* of the first in `visible` */
		uint32_t leaf;
		uint32_t uid; /* the last that was met */
		uint32_t words_met;
		uint32_t from; /* rows of the run of uids that we are in */
		uint32_t to;
		size_t run; /* the next one of uids */
		bool news;  /* leave out what the session knows */
		bool exact; /* seqnos of these rows are looked up one by one */
	} place;
};
void view_cursor_init(struct view_cursor *cursor, struct view *view, const struct runs *uids);
RP_MUST_USE enum rp_err view_cursor_next(struct task *task, struct view_cursor *cursor);

/* One message by UID. RP_ERR_NOTFOUND: not in the view. keywords as in the cursor. */
RP_MUST_USE enum rp_err view_message(
    struct task *task, struct view *view, uint32_t uid, struct view_cursor *out);

/* What is new since the session heard last. Taking marks it as told. */
bool view_has_news(const struct view *view);
bool view_is_overrun(const struct view *view); /* too much unannounced: end the session */

/* The runs of UIDs that are expunged and not announced: exactly messages of the view, ascending.
 * Borrowed until the next call that takes the task; what is told must be told before that, and then
 * view_take_expunged() called in the same breath: seqnos close up. Seqnos for EXPUNGE lines:
 * view_seqno_of() of each, from the last to the first; so a slice may be told at a time: those with
 * a UID >= from (0: all) were told. */
const struct runs *view_expunged(const struct view *view);
void view_take_expunged(struct view *view, uint32_t from);

/* What is expunged while this is on is of the session's own making: however scattered, it is kept
 * for it, for it will be told at the end of that command. */
void view_own_expunges(struct view *view, bool on);

/* Let new messages in: returns the new EXISTS (it only grows here). */
uint32_t view_take_exists(struct view *view);

/* Messages whose flags changed since they were told. Set cursor up to walk them, then call
 * view_take_flags when all were sent: what changed after view_flags_cursor() stays news. New
 * messages that view_take_exists() let in are no news here until they change. view_told_flags: a
 * change that the session made itself with this modseq, and need not be told of
 * (.SILENT); uids: all that it changed. */
void view_flags_cursor(struct view_cursor *cursor, struct view *view);
void view_take_flags(struct view *view);
RP_MUST_USE enum rp_err view_told_flags(
    struct view *view, const struct runs *uids, uint64_t modseq);

/* The expunged UIDs that any view of the mailbox lists, added to out: for table_write(). */
RP_MUST_USE enum rp_err view_listed(const struct mailbox *mailbox, struct runs *out);

/* Has the session been told of the keywords that there are now (FLAGS)? */
bool view_has_keywords_told(const struct view *view);
void view_take_keywords(struct view *view);

#endif
