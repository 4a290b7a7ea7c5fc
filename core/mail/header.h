/* header.h -- the fields of a header block (RFC 5322, section 2.2), whatever state it is in.
 *
 * A block is what stands before the first empty line, with or without that line. Every byte of it
 * belongs to exactly one field, so that what is picked by HEADER.FIELDS and what is left over by
 * HEADER.FIELDS.NOT are together the whole. A line that is no field (no colon, or a name with
 * blanks or control characters in it, as mbox's "From " line) comes as one without a name.
 */
#ifndef RP_CORE_MAIL_HEADER_H
#define RP_CORE_MAIL_HEADER_H

#include "core/mail/text.h"

struct header_field {
	struct bytes name;  /* without blanks around; .n == 0: the line is no field */
	struct bytes value; /* behind the colon, still folded, without its last line end */
	struct bytes whole; /* all of its lines with their ends */
};

/* The next field of *rest, which moves behind it. False at the end, or at the empty line. Linear in
 * the bytes passed; what is handed out borrows from *rest. */
RP_MUST_USE bool header_next(struct bytes *rest, struct header_field *field);

bool header_is(const struct header_field *field, struct bytes name);

/* Value of the first field of this name. .p == NULL: none. */
struct bytes header_find(struct bytes block, struct bytes name);

/* Append the value unfolded: line ends go, blanks at both ends too, what is in between stays. */
void header_unfold(struct text *text, struct bytes value);

/* The same as a copy of its own in the arena. .p == NULL: no room. */
RP_MUST_USE struct bytes header_unfolded(struct arena *arena, struct bytes value);

#endif
