/* fold.h -- text as SEARCH compares it: case folded, decomposed (RFC 5051 in spirit).
 *
 * Each character is mapped alone, so text may come in pieces that end anywhere between characters.
 */
#ifndef RP_CORE_MAIL_FOLD_H
#define RP_CORE_MAIL_FOLD_H

#include "core/mail/text.h"

enum { FOLD_CHAR_BYTES_MAX = 72 }; /* Unicode's longest decomposition is 18 characters */

/* Fold well-formed UTF-8 into out, as many whole characters as surely have room
 * (FOLD_CHAR_BYTES_MAX for each). Returns bytes written; *in moves behind what was taken. */
RP_MUST_USE size_t fold_utf8(struct bytes *in, uint8_t *out, size_t room);

/* Append all of it, folded. */
void fold_text(struct text *out, struct bytes utf8);

#endif
