/* normalise.h -- bare CR and bare LF become CRLF, once, at the door (delivery, APPEND, import).
 *
 * So size, partial fetch and search agree ever after. All else, NUL too, stays as it came. Nothing
 * is copied: what comes out is spans of the input, and CRLFs of our own between them.
 */
#ifndef RP_CORE_MAIL_NORMALISE_H
#define RP_CORE_MAIL_NORMALISE_H

#include "io/base/bytes.h"

struct normalise {
	bool cr; /* the input so far ended in a CR that has not come out yet */
};

/* The next span of output from *in, which moves behind what was taken. A CR at the very end waits
 * for what comes next. .n == 0: *in is used up. The span is good as long as the input.
 *
 *     while ((span = normalise_next(&state, &in)).n != 0) ... */
struct bytes normalise_next(struct normalise *state, struct bytes *in);

/* At the end of the input: what still waited, at most a CRLF. */
struct bytes normalise_finish(struct normalise *state);

#endif
