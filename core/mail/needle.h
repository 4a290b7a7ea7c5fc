/* needle.h -- does a text contain a string, case-blind? The text may come in pieces.
 *
 * Knuth, Morris and Pratt: one step per byte, whatever key and text are, and nothing to go back to.
 */
#ifndef RP_CORE_MAIL_NEEDLE_H
#define RP_CORE_MAIL_NEEDLE_H

#include "core/mail/text.h"
#include "io/base/err.h"

enum { NEEDLE_BYTES_MAX = 1024 }; /* of a search key: bounds its tables, 5 bytes a byte */

struct needle {
	struct bytes key; /* folded */
	const uint16_t
	    *back; /* how much of the key still matches when the byte behind i does not */
};

/* A place in one text; zero at its start. */
struct needle_scan {
	size_t matched;
};

/* Prepare a key, UTF-8. It lies in the arena. RP_ERR_LIMIT: longer than NEEDLE_BYTES_MAX.
 * RP_ERR_NOMEM. */
RP_MUST_USE enum rp_err needle_init(struct needle *needle, struct arena *arena, struct bytes utf8);

/* Look through the next piece of folded text. True: the key is there (an empty one always is);
 * after that the scan is at its start again. */
RP_MUST_USE bool needle_find(
    const struct needle *needle, struct needle_scan *scan, struct bytes folded);

#endif
