/* encoded_word.h -- encoded words in header text (RFC 2047), to UTF-8.
 *
 * Blanks between two encoded words go; a character cut between two of the same charset is joined,
 * as some mailers cut there. What is no encoded word stands as it is, its 8-bit taken as UTF-8.
 * Looser than the RFC: words may be longer than 75 characters, have blanks in them, and touch other
 * text. Linear in the bytes, however many "=?" stand in them.
 */
#ifndef RP_CORE_MAIL_ENCODED_WORD_H
#define RP_CORE_MAIL_ENCODED_WORD_H

#include "core/mail/charset.h"
#include "core/mail/text.h"

/* Append the decoded text of an unfolded value: well-formed UTF-8, at most 4 times as long (and a
 * little). */
void encoded_word_decode(const struct charset_set *set, struct bytes value, struct text *out);

#endif
