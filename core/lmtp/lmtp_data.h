/* lmtp_data.h -- the end of DATA, and its doubled dots (RFC 5321, section 4.5.2).
 *
 * Only CRLF "." CRLF ends the message, and a dot is taken away only behind a CRLF: a bare LF or CR is a byte like others here
 * (it becomes CRLF later), so nobody can smuggle a second message in.
 */
#ifndef RP_CORE_LMTP_LMTP_DATA_H
#define RP_CORE_LMTP_LMTP_DATA_H

#include "io/base/bytes.h"

/*   LINE --CR--> CR --LF--> START --'.'--> DOT --CR--> DOT_CR --LF--> END
 *     ^-------------- any other byte --------'-------------'              */
enum lmtp_data_state {
	LMTP_DATA_START,
	LMTP_DATA_LINE,
	LMTP_DATA_CR,
	LMTP_DATA_DOT,
	LMTP_DATA_DOT_CR,
	LMTP_DATA_END,
};

struct lmtp_data {
	enum lmtp_data_state state; /* zero: the message begins, which is a line's start */
};

/* The next span of the message in *in, which is moved behind what was used. .n == 0: *in is used up (come back with more), or
 * state is END and *in begins behind the end. The span borrows from *in, or is static. */
struct bytes lmtp_data_next(struct lmtp_data *data, struct bytes *in);

#endif
