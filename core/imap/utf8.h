/* utf8.h -- UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing past U+10FFFF. */
#ifndef RP_CORE_IMAP_UTF8_H
#define RP_CORE_IMAP_UTF8_H

#include "io/base/bytes.h"

#define UTF8_BAD UINT32_MAX

enum {
	UTF8_BYTES_MAX = 4, /* of one character */
};

/* The character at b.p[*at]; *at moves behind it. UTF8_BAD: ill-formed there; *at is as it was.
 * *at < b.n. */
RP_MUST_USE uint32_t utf8_next(struct bytes b, size_t *at);

/* Write a character (not a surrogate, at most U+10FFFF) to p, which has room for UTF8_BYTES_MAX;
 * returns how many bytes. */
RP_MUST_USE size_t utf8_put(uint8_t *p, uint32_t c);

/* Is all of b well-formed? NUL and control characters are characters like others. */
bool utf8_valid(struct bytes b);

#endif
