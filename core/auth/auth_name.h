/* auth_name.h -- login names and addresses, in the one form in which they are compared.
 *
 * A name is lower case and made of letters, digits and . _ - + = @ alone, with one @ at most: what
 * is not, is nobody's name, and never gets into a file, a log's format or a path.
 */
#ifndef RP_CORE_AUTH_AUTH_NAME_H
#define RP_CORE_AUTH_AUTH_NAME_H

#include "io/base/bytes.h"
#include "io/base/err.h"

enum {
	AUTH_NAME_BYTES_MAX = 255, /* a login name, and a mail address (RFC 5321: 254) */
	AUTH_NAME_CANDIDATES = 4,  /* ways to look a name up */
};

/* Write the compared form to room. RP_ERR_SYNTAX: it can be nobody's name; *out untouched. */
RP_MUST_USE enum rp_err auth_name_fold(
    struct bytes in, uint8_t room[AUTH_NAME_BYTES_MAX], struct bytes *out);

struct auth_name_candidate {
	struct bytes name;   /* lies in the caller's room */
	bool without_detail; /* "+detail" was cut off */
};

/* The names under which a folded name is looked up, best first: whole; its local part, if the
 * domain is ours; both without +detail. Returns how many.
 *
 * domain_is_ours   of the part behind the @; true for a name without one
 * room             AUTH_NAME_BYTES_MAX bytes; the candidates lie there or in `name` */
size_t auth_name_candidates(struct bytes name, bool domain_is_ours,
    uint8_t room[AUTH_NAME_BYTES_MAX], struct auth_name_candidate out[AUTH_NAME_CANDIDATES]);

/* What is behind the @; .n == 0: there is none. */
struct bytes auth_name_domain(struct bytes name);

#endif
