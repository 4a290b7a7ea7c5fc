/* address.h -- address lists (RFC 5322, section 3.4, with its obsolete forms), as ENVELOPE wants
 * them.
 *
 * One pass, no recursion, no going back: whatever stands in a field, each byte is looked at once
 * and comes out as part of some address, or as a comment. Quotes and escapes are taken off; encoded
 * words are left as they are.
 */
#ifndef RP_CORE_MAIL_ADDRESS_H
#define RP_CORE_MAIL_ADDRESS_H

#include "core/mail/text.h"

enum address_kind {
	ADDRESS_MAILBOX,
	ADDRESS_GROUP_START, /* name is the group's */
	ADDRESS_GROUP_END,
};

struct address {
	enum address_kind kind;
	struct bytes name;    /* .p == NULL: none. Without one, the last comment stands in */
	struct bytes route;   /* "@a,@b" of <@a,@b:c@d>; .p == NULL: none */
	struct bytes mailbox; /* local part; may be empty */
	struct bytes host;    /* domain; empty: the address has none */
};

/* Reads one field's value, folded or not. The texts are scratch, used again for each address, so
 * memory is bounded by the longest one. */
struct address_reader {
	struct bytes rest;
	bool in_group;
	struct text name;
	struct text comment;
	struct text route;
	struct text mailbox;
	struct text host;
};

void address_reader_init(struct address_reader *reader, struct arena *arena);

/* Start on another field's value. */
void address_read(struct address_reader *reader, struct bytes value);

/* The next address; empty places in the list are passed over. False: no more. What is handed out is
 * good till the next call. An open group is closed at the end of the value. */
RP_MUST_USE bool address_next(struct address_reader *reader, struct address *address);

#endif
