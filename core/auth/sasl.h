/* sasl.h -- AUTHENTICATE's conversation, whatever the mechanism (RFC 4422), as a pure state
 *machine.
 *
 *	sasl_start --> CHALLENGE --(a line from the client)--> sasl_step --> ... --> DONE: ask the
 *auth process
 *	                                                           \-> BAD: not base64, not the
 *grammar, "*"
 *
 * The table in sasl.c has the mechanisms. Credentials that come out lie in the caller's room, which
 *is to be wiped when the auth process has answered.
 */
#ifndef RP_CORE_AUTH_SASL_H
#define RP_CORE_AUTH_SASL_H

#include "io/base/bytes.h"
#include "io/base/err.h"

enum {
	SASL_LINE_BYTES_MAX = 12 * 1024, /* base64, before login: bounds what a stranger holds */
};

enum sasl_verdict {
	SASL_CHALLENGE, /* send "+ " and `challenge` in base64 (nothing, if it is empty), read a
	                   line */
	SASL_DONE,      /* authcid, authzid and password are there: have them verified */
	SASL_BAD,       /* reason says why: a BAD response */
};

struct sasl;

struct sasl_mech {
	const char *name;
	enum sasl_verdict (*step)(struct sasl *sasl, struct bytes response);
};

struct sasl {
	const struct sasl_mech *mech;
	uint8_t *room;          /* the caller's, for the step: three quarters of the line */
	size_t room_bytes;
	struct bytes challenge; /* with SASL_CHALLENGE; static */
	struct bytes authcid;   /* with SASL_DONE, these three; in the room */
	struct bytes authzid;
	struct bytes password;
	const char *reason; /* with SASL_BAD; static */
};

/* The mechanism of this name, case-blind; NULL: there is none. */
const struct sasl_mech *sasl_find(struct bytes name);

/* All mechanisms, for CAPABILITY: *count of them. */
const struct sasl_mech *sasl_all(size_t *count);

/* Begin. The verdict is always SASL_CHALLENGE, with an empty one, as all mechanisms here let the
 * client speak first; with an initial response (SASL-IR) go on with sasl_step() at once. */
enum sasl_verdict sasl_start(struct sasl *sasl, const struct sasl_mech *mech);

/* The client's line without CRLF: base64. "*" gives up. What is found stays in sasl->room, set before. */
RP_MUST_USE enum sasl_verdict sasl_step(struct sasl *sasl, struct bytes line);

/* The initial response of SASL-IR: base64, or "=" for an empty one. */
RP_MUST_USE enum sasl_verdict sasl_step_initial(struct sasl *sasl, struct bytes word);

#endif
