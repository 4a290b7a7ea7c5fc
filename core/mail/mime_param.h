/* mime_param.h -- "type/subtype; name=value; ..." of Content-Type and Content-Disposition.
 *
 * RFC 2045, section 5.1, read leniently, with the continuations of RFC 2231 put together again:
 * what was name*0*, name*1 becomes one name* in charset'language'percent-encoded form, what was
 * name*0, name*1 becomes one name. That is what RFC 2231 (section 6) asks of an IMAP server;
 * decoding the charset is the client's business.
 */
#ifndef RP_CORE_MAIL_MIME_PARAM_H
#define RP_CORE_MAIL_MIME_PARAM_H

#include "core/mail/text.h"

enum {
	MIME_PARAMS_MAX = 100,   /* read of one field; keeps joining continuations short */
	MIME_SECTIONS_MAX = 100, /* continuations 0 to 99 of one name */
};

struct mime_param {
	struct bytes name;
	struct bytes value; /* never NULL; may be empty */
};

struct mime_params {
	struct mime_param *param; /* count of them, in the order of the field */
	size_t count;
};

struct mime_value {
	struct bytes type;    /* before the slash; empty: there was nothing of use */
	struct bytes subtype; /* empty: no slash, or nothing behind it */
	struct mime_params params;
};

/* Read a field's value, folded or not. All that is handed out lies in the arena. False: no room. */
RP_MUST_USE bool mime_value_parse(struct arena *arena, struct bytes value, struct mime_value *out);

/* Value of the first parameter of this name. .p == NULL: none. */
struct bytes mime_params_find(const struct mime_params *params, struct bytes name);

/* The first token of a value: what Content-Transfer-Encoding says. Comments are passed over.
 * Borrows from value; may be empty. */
struct bytes mime_token(struct bytes value);

#endif
