/* envelope.h -- a header block as the text of IMAP's ENVELOPE (RFC 3501, section 7.4.2).
 *
 * An empty address list is NIL. A field that is missing is NIL, one that is there but empty is "".
 * Sender and Reply-To stand for From where they are missing or empty. Values are sent as they are
 * in the mail, unfolded, encoded words and all: nothing is decoded into the protocol.
 */
#ifndef RP_CORE_MAIL_ENVELOPE_H
#define RP_CORE_MAIL_ENVELOPE_H

#include "core/mail/text.h"

enum {
	ENVELOPE_FIELD_ADDRESSES_MAX = 1000,    /* of From, To ...: the size of one ENVELOPE */
	ENVELOPE_MESSAGE_ADDRESSES_MAX = 10000, /* with all messages within it */
};

/* What is said of a message that has no room for better. */
#define ENVELOPE_EMPTY "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"

/* Append "(date subject from sender reply-to to cc bcc in-reply-to message-id)" to out.
 *
 * block           a header block; what stands behind its empty line is not looked at
 * scratch         for what is not kept
 * addresses_left  how many addresses this message may still show; goes down
 *
 * False: no room; what was appended is of no use. */
RP_MUST_USE bool envelope_render(
    struct text *out, struct bytes block, struct arena *scratch, uint32_t *addresses_left);

#endif
