/* sync.h -- what has changed since the client last heard: FLAGS, EXPUNGE, EXISTS, FETCH.
 *
 * Told with the answer of nearly every command, and in IDLE. An EXPUNGE shifts sequence numbers, so it is told only where the
 * standard lets it: never while a command that names messages by them is under way (RFC 3501, section 7.4.1).
 */
#ifndef RP_CORE_SESSION_SYNC_H
#define RP_CORE_SESSION_SYNC_H

#include "core/imap/resp.h"
#include "core/session/selected.h"

/* Waits until there is room for more output; NULL in struct sync: there always is. */
typedef enum rp_err sync_flush_fn(struct task *task, void *arg);

struct sync {
	bool expunges; /* may be told now */
	bool uids;     /* FETCH lines bear the UID: after a UID command. With CONDSTORE they always do */
	sync_flush_fn *flush;
	void *flush_arg;
};

/* A keyword that the session was not told of yet stands in FLAGS before a FETCH shows it: call before such a line. */
void sync_keywords(struct selected *selected, struct resp *resp);

/* Which of these messages have flags that changed and were not told; added to *untold. Asked before the session changes them
 * itself in silence: what others did must still be told. */
RP_MUST_USE enum rp_err sync_untold_flags(
    struct task *task, struct selected *selected, const struct runs *uids, struct runs *untold);

/* Write the news of the selected mailbox, if there is one, as untagged responses, stamped with what they reveal. Too much was
 * kept back: the session wishes its end (BYE). */
RP_MUST_USE enum rp_err sync_news(
    struct task *task, struct session *session, struct resp *resp, const struct sync *how);

#endif
