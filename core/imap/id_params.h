/* id_params.h -- id-params-list (RFC 2971): what a client says it is. */
#ifndef RP_CORE_IMAP_ID_PARAMS_H
#define RP_CORE_IMAP_ID_PARAMS_H

#include "core/imap/lex.h"
#include "core/imap/resp.h"

/* The standard's own bounds. */
enum {
	ID_PARAMS_MAX = 30,
	ID_FIELD_BYTES_MAX = 30,
	ID_VALUE_BYTES_MAX = 1024,
};

struct id_param {
	struct bytes field;
	struct bytes value; /* .p == NULL: NIL */
};

struct id_params {
	const struct id_param *param; /* in the arena */
	size_t count;                 /* 0: NIL, or an empty list */
};

/* NIL / "(" [string SP nstring *(SP string SP nstring)] ")". Over a bound is RP_ERR_SYNTAX: the
 * standard makes them part of the grammar. RP_ERR_LIMIT: no room in the arena. */
RP_MUST_USE enum rp_err id_params_parse(
    struct lex *lex, struct arena *arena, struct id_params *out);

/* ("name" "ringpost" ...), or NIL when there is none. */
void id_params_write(struct resp *resp, const struct id_params *params);

#endif
