/* resp_code.h -- what an rp_err is to a client: the one place where errors become IMAP (RFC 5530).
 */
#ifndef RP_CORE_IMAP_RESP_CODE_H
#define RP_CORE_IMAP_RESP_CODE_H

#include "core/imap/resp.h"
#include "io/base/err.h"

struct resp_code {
	enum resp_status status; /* RESP_NO; RESP_BAD for what breaks the grammar */
	const char *code;        /* "NONEXISTENT"; NULL: none */
	const char *text;        /* never empty */
};

/* Total: every err but RP_OK has its row. */
const struct resp_code *resp_code_of(enum rp_err err);

/* The line; tag.n == 0: untagged. */
void resp_code_write(struct resp *resp, struct bytes tag, enum rp_err err);

#endif
