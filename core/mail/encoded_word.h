/* encoded_word.h -- encoded words in header text (RFC 2047), to UTF-8, in pieces.
 *
 * Blanks between two encoded words go; a character cut between two of the same charset is joined,
 * as some mailers cut there. What is no encoded word stands as it is, its 8-bit taken as UTF-8.
 * Looser than the RFC: words may be longer than 75 characters, have blanks in them, and touch other
 * text. Linear in the bytes, however many "=?" stand in them.
 */
#ifndef RP_CORE_MAIL_ENCODED_WORD_H
#define RP_CORE_MAIL_ENCODED_WORD_H

#include "core/mail/charset.h"
#include "core/mail/decode.h"

enum {
	ENCODED_WORD_SLICE_BYTES = 256, /* of input at a time: bounds the stack */
	/* What one call may put out: a slice, what decoder and converter held back, their ends. */
	ENCODED_WORD_OUT_BYTES = CHARSET_OUT_BYTES(ENCODED_WORD_SLICE_BYTES + DECODE_CARRY_MAX) +
	                         CHARSET_OUT_BYTES(DECODE_CARRY_MAX) + CHARSET_OUT_BYTES(0),
};

/* =?charset?encoding?text?= */
struct encoded_word {
	enum charset charset;
	enum decode_cte cte;
	struct bytes text;
	size_t whole; /* bytes of all of it */
};

/* What `now` is. */
enum encoded_word_place {
	ENCODED_WORD_AHEAD, /* nothing: what comes is not known yet, and no conversion is under way */
	ENCODED_WORD_IN_PLAIN,
	ENCODED_WORD_IN_WORD,
};

/* One value under way. */
struct encoded_word_reader {
	const struct charset_set *set;
	enum encoded_word_place place;
	struct bytes now;  /* what is left of the plain text or word */
	struct bytes rest; /* behind it */
	struct encoded_word word;
	struct decode decode;
	struct charset_conv conv;
};

/* Read an unfolded value, which stays where it is till encoded_word_end(). */
void encoded_word_begin(
    struct encoded_word_reader *reader, const struct charset_set *set, struct bytes value);

/* Its next piece: well-formed UTF-8 of whole characters, maybe none; out has room for
 * ENCODED_WORD_OUT_BYTES. False: that was all. */
RP_MUST_USE bool encoded_word_next(
    struct encoded_word_reader *reader, uint8_t *out, size_t *out_n);

/* Give back what a conversion holds: must be called for each encoded_word_begin. */
void encoded_word_end(struct encoded_word_reader *reader);

#endif
