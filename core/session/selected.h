/* selected.h -- the mailbox that a session has selected. */
#ifndef RP_CORE_SESSION_SELECTED_H
#define RP_CORE_SESSION_SELECTED_H

#include "core/session/session.h"
#include "index/view.h"

struct selected {
	struct session *session;
	struct mailbox *mailbox; /* held by the view */
	struct view *view;
	struct watch watch; /* wakes the session */
	bool read_only;     /* EXAMINE */
};

/* Select a mailbox in an authenticated session that has none selected. */
RP_MUST_USE enum rp_err selected_open(
    struct task *task, struct session *session, struct bytes name, bool read_only);

/* Before a command or news, and behind: between them the mailbox may give its memory up. None selected: nothing to do. */
RP_MUST_USE enum rp_err selected_wake(struct task *task, struct session *session);
void selected_rest(struct session *session);

/* None selected any more; news that was not told is forgotten. No mailbox selected: nothing to do. */
void selected_close(struct session *session);

#endif
