/* flags_text.h -- flags as a client reads them: "(\Seen $Forwarded)". */
#ifndef RP_CORE_SESSION_FLAGS_TEXT_H
#define RP_CORE_SESSION_FLAGS_TEXT_H

#include "core/imap/resp.h"
#include "index/view.h"

/* The flags of the message under the cursor, with parentheses. */
void flags_text_message(struct resp *resp, const struct view_cursor *cursor);

/* "* FLAGS (...)" and "* OK [PERMANENTFLAGS (...)]" (empty when read_only): all that this mailbox has. A keyword stands there before
 * any message is shown with it. */
void flags_text_mailbox(struct resp *resp, const struct mailbox *mailbox, bool read_only);

/* "* n FETCH ([UID u ]FLAGS (...)[ MODSEQ (m)])", one line. */
void flags_text_fetch(
    struct resp *resp, const struct view_cursor *cursor, bool with_uid, bool with_modseq);

#endif
