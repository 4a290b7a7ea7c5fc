/* decode.h -- Content-Transfer-Encoding, undone while it streams (RFC 2045, section 6).
 *
 * Junk is tolerated: what is no base64 is passed over, what is no escape in quoted-printable comes
 * out as it stands. The output of a call is never longer than its input and DECODE_CARRY_MAX bytes
 * more.
 */
#ifndef RP_CORE_MAIL_DECODE_H
#define RP_CORE_MAIL_DECODE_H

#include "io/base/bytes.h"

enum decode_cte {
	DECODE_NONE, /* 7bit, 8bit, binary: as it is */
	DECODE_BASE64,
	DECODE_QP,
	DECODE_UNKNOWN, /* a name we do not know; bytes pass as they are, BINARY must refuse */
};

enum { DECODE_CARRY_MAX = 4 }; /* what the last call may have held back */

struct decode {
	enum decode_cte cte;
	uint32_t bits;   /* base64: the group so far */
	uint8_t bits_n;  /* base64: characters in it */
	uint8_t held[2]; /* QP: "=" or "=X", not yet known what it will be */
	uint8_t held_n;
	bool soft; /* QP: blanks after "=", a soft line break to be */
};

/* What a Content-Transfer-Encoding token names. */
enum decode_cte decode_cte_of(struct bytes token);

void decode_init(struct decode *decode, enum decode_cte cte);

/* Decode the next bytes into out, which has room for in.n + DECODE_CARRY_MAX; returns how many.
 * out may be in.p only for DECODE_NONE. */
RP_MUST_USE size_t decode_feed(struct decode *decode, struct bytes in, uint8_t *out);

/* What was held back; at most DECODE_CARRY_MAX bytes. */
RP_MUST_USE size_t decode_finish(struct decode *decode, uint8_t *out);

#endif
