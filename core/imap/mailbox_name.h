/* mailbox_name.h -- mailbox names: as clients write them, and as the rest of the house has them.
 *
 * Inside, a name is UTF-8, its levels joined by '/', INBOX in capitals wherever it is the first
 * level, and valid: mailbox_name_check(). On the wire it is modified UTF-7 (RFC 3501,
 * section 5.1.3), or, for a session with UTF8=ACCEPT, the same UTF-8.
 */
#ifndef RP_CORE_IMAP_MAILBOX_NAME_H
#define RP_CORE_IMAP_MAILBOX_NAME_H

#include "core/imap/lex.h"
#include "core/imap/resp.h"

enum {
	MAILBOX_NAME_BYTES_MAX = 1000,      /* of UTF-8: a row of the catalog, a line of LIST */
	MAILBOX_NAME_LEVEL_BYTES_MAX = 255, /* what other stores can hold as a folder's name */
	MAILBOX_NAME_DEPTH_MAX = 20,        /* LIST walks the levels */
	MAILBOX_NAME_DELIMITER = '/',
};

/* An astring, decoded: what a command's mailbox argument means. In the arena, or borrowed from the
 * command. A delimiter at the end is taken off.
 * RP_ERR_SYNTAX: no astring. RP_ERR_CANNOT: no name that can be. RP_ERR_LIMIT: no room. */
RP_MUST_USE enum rp_err mailbox_name_parse(
    struct lex *lex, struct arena *arena, bool utf8, struct bytes *out);

/* The same for bytes that are already at hand. */
RP_MUST_USE enum rp_err mailbox_name_decode(
    struct bytes wire, struct arena *arena, bool utf8, struct bytes *out);

/* Only the charset: modified UTF-7 to UTF-8, or (utf8) a look whether it is UTF-8. For LIST
 * patterns, whose levels may be anything. RP_ERR_CANNOT: ill-formed. RP_ERR_LIMIT. */
RP_MUST_USE enum rp_err mailbox_name_to_utf8(
    struct bytes wire, struct arena *arena, bool utf8, struct bytes *out);

/* Is it a name as we keep them? RP_ERR_CANNOT: no (empty levels, control characters, too long, too
 * deep, ill-formed, INBOX not in capitals). */
RP_MUST_USE enum rp_err mailbox_name_check(struct bytes name);

/* As an astring for the writer's session. name is a valid name, or a part of one. */
void mailbox_name_write(struct resp *resp, struct bytes name);

/* UTF-8 to modified UTF-7. RP_ERR_CANNOT: ill-formed UTF-8. RP_ERR_LIMIT: no room. */
RP_MUST_USE enum rp_err mailbox_name_to_utf7(
    struct bytes name, struct arena *arena, struct bytes *out);

/* Is the first level INBOX, in any case? */
bool mailbox_name_under_inbox(struct bytes name);

#endif
