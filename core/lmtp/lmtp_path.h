/* lmtp_path.h -- the paths and parameters of MAIL and RCPT (RFC 5321, section 4.1.2; RFC 6531). */
#ifndef RP_CORE_LMTP_LMTP_PATH_H
#define RP_CORE_LMTP_LMTP_PATH_H

#include "io/base/bytes.h"
#include "io/base/err.h"

enum { LMTP_PATH_BYTES_MAX = 1000 }; /* RFC 5321 asks for 256; longer ones exist */

struct lmtp_path {
	uint8_t address[LMTP_PATH_BYTES_MAX]; /* local@domain, quoting undone; or the local part alone */
	size_t address_bytes;                 /* 0: the null path <> */
	size_t local_bytes;                   /* of the local part */
	bool ascii;
	struct bytes written; /* local@domain as it came, quotes and all; borrowed from the line */
};

/* "<" [source route ":"] mailbox ">" at the front of *in, which is moved behind it. RP_ERR_SYNTAX (also: bytes beyond ASCII
 * that are no UTF-8); RP_ERR_LIMIT. */
RP_MUST_USE enum rp_err lmtp_path_parse(struct bytes *in, struct lmtp_path *out);

/* " KEYWORD[=VALUE]" at the front of *in: RP_OK; RP_ERR_END: no more; RP_ERR_SYNTAX. Borrowed from in; value->p NULL: no "=". */
RP_MUST_USE enum rp_err lmtp_path_param(struct bytes *in, struct bytes *keyword, struct bytes *value);

/* What follows the first '+' of the local part; .n == 0: none. Borrowed from path. */
struct bytes lmtp_path_detail(const struct lmtp_path *path);

#endif
