/* view.h -- what one session has been told about its selected mailbox.
 *
 * Small: the last EXISTS, the MODSEQ up to which flags were told, and the UIDs that are expunged but not announced. Sequence
 * numbers exist only here. Never an array per message: work costs what it touches.
 */
#ifndef RP_INDEX_VIEW_H
#define RP_INDEX_VIEW_H

#include "index/mailbox.h"
#include "index/watch.h"

struct view;

enum { VIEW_UNANNOUNCED_BYTES_MAX = 64 * 1024 }; /* of expunged runs; beyond the session ends (BYE) */

/* A view of the mailbox as it is now. The view holds the mailbox. watch (may be NULL): woken at each change. */
RP_MUST_USE enum rp_err view_open(
    struct task *task, struct mailbox *mailbox, struct watch *watch, struct view **out);
void view_close(struct view *view);
struct mailbox *view_mailbox(const struct view *view);

/* EXISTS as the session knows it. */
uint32_t view_exists(const struct view *view);

/* seqno <-> UID in what the session knows, O(1). 0: none. */
uint32_t view_uid_of(const struct view *view, uint32_t seqno);
uint32_t view_seqno_of(const struct view *view, uint32_t uid);

/* The UID of the last message; 0: empty. */
uint32_t view_last_uid(const struct view *view);

/* seqno of the first message without \Seen; 0: none. */
uint32_t view_first_unseen(const struct view *view);

/* Turn a set of seqnos into UIDs that are in the view. RP_ERR_NOTFOUND: a seqno beyond EXISTS. */
RP_MUST_USE enum rp_err view_uids_of_seqnos(
    const struct view *view, const struct runs *seqnos, struct runs *uids);

/* Walk messages of the view in UID order. What it yields is also there for messages that are expunged but not announced.
 *
 *     struct view_cursor cursor;
 *     view_cursor_init(&cursor, view, uids or NULL for all);
 *     while ((err = view_cursor_next(task, &cursor)) == RP_OK) ... cursor.seqno, cursor.message ...
 *     RP_ERR_END: all were met.
 *
 * It may suspend (pages to load, other tasks' turn), and goes on rightly after any change meanwhile. */
struct view_cursor {
	struct view *view;
	const struct runs *uids;
	uint32_t seqno;
	struct message message;
	const uint64_t *keywords; /* bitmap by keyword index, keyword_words of them; good until the next step */
	unsigned keyword_words;
	bool expunged; /* gone, though not announced */
	uint64_t modseq_since; /* only messages changed after this; 0: all */
	uint64_t state[8];     /* view.c's own */
};
void view_cursor_init(struct view_cursor *cursor, struct view *view, const struct runs *uids);
RP_MUST_USE enum rp_err view_cursor_next(struct task *task, struct view_cursor *cursor);

/* One message by UID. RP_ERR_NOTFOUND: not in the view. keywords as in the cursor. */
RP_MUST_USE enum rp_err view_message(struct task *task, struct view *view, uint32_t uid, struct view_cursor *out);

/* What is new since the session heard last. Taking marks it as told. */
bool view_has_news(const struct view *view);
bool view_is_overrun(const struct view *view); /* too much unannounced: end the session */

/* The runs of UIDs that are expunged and not announced (borrowed until the next call). view_take_expunged takes those out that
 * were announced now: seqnos close up. */
const struct runs *view_expunged(const struct view *view);
RP_MUST_USE enum rp_err view_take_expunged(struct view *view);

/* Let new messages in: returns the new EXISTS (it only grows here). */
uint32_t view_take_exists(struct view *view);

/* Messages whose flags changed since they were told; the session's own silent changes are marked with view_told_flags. Set
 * cursor up to walk them, then call view_take_flags when all were sent. */
void view_flags_cursor(struct view_cursor *cursor, struct view *view);
void view_take_flags(struct view *view);
RP_MUST_USE enum rp_err view_told_flags(struct view *view, const struct runs *uids, uint64_t modseq);

/* Keywords that the session has been told of (FLAGS): count then, and now. */
unsigned view_keywords_told(const struct view *view);
void view_take_keywords(struct view *view);

#endif
