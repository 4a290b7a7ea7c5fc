/* search_text.h -- the text of a message as SEARCH sees it: decoded, in UTF-8, folded.
 *
 * BODY looks into the bodies of text parts and, since clients show them, into the header blocks of
 * parts and of messages within; TEXT besides into the message's own header block. The caller brings
 * the bytes of each range, in pieces as they come from the disk, and looks for its needles in what
 * comes out.
 */
#ifndef RP_CORE_MAIL_SEARCH_TEXT_H
#define RP_CORE_MAIL_SEARCH_TEXT_H

#include "core/mail/encoded_word.h"
#include "core/mail/header.h"
#include "core/mail/mime.h"

enum {
	SEARCH_SLICE_BYTES = 1024, /* of input at a time: bounds the buffers below */
	SEARCH_UTF8_BYTES = CHARSET_OUT_BYTES(SEARCH_SLICE_BYTES + DECODE_CARRY_MAX),
	SEARCH_FOLDED_BYTES = 4096,
};

struct search_range {
	uint64_t offset;
	uint64_t bytes;
	bool header; /* a header block: for search_field_begin; at most MIME_HEADER_BYTES_MAX bytes */
	enum decode_cte cte; /* of a body: for search_text_begin */
	enum charset charset;
};

/* Where to look next. *cursor is 0 at first, then what the last call left there. own_header: TEXT.
 * False: nowhere any more. */
RP_MUST_USE bool search_range_next(
    const struct mime *mime, bool own_header, uint64_t *cursor, struct search_range *out);

/* One body under way. Large (10 KiB): in an arena or a pool, not on a task's stack. */
struct search_text {
	struct decode decode;
	struct charset_conv conv;
	struct bytes utf8; /* converted, not yet folded; borrows from utf8_buffer */
	uint8_t decoded[SEARCH_SLICE_BYTES + DECODE_CARRY_MAX];
	uint8_t utf8_buffer[SEARCH_UTF8_BYTES];
	uint8_t folded[SEARCH_FOLDED_BYTES];
};

void search_text_begin(struct search_text *search, const struct charset_set *set,
    enum decode_cte cte, enum charset charset);

/* The next piece of folded text, good till the next call; *in moves behind what was taken. Call
 * till it is empty and *in too:
 *
 *     while (search_text_next(search, &in, &out))
 *             found |= needle_find(needle, &scan, out);
 */
RP_MUST_USE bool search_text_next(struct search_text *search, struct bytes *in, struct bytes *out);

/* The last piece, when all input is in; may be empty. Gives back what the conversion held: must be
 * called for each search_text_begin, on errors too. */
struct bytes search_text_finish(struct search_text *search);

/* One header field's text under way. Large (7 KiB), as above. */
struct search_field {
	struct encoded_word_reader words;
	struct bytes utf8; /* decoded, not yet folded; borrows from utf8_buffer */
	uint8_t utf8_buffer[ENCODED_WORD_OUT_BYTES];
	uint8_t folded[SEARCH_FOLDED_BYTES];
};

/* Its value; named: "name: value". The unfolded text lies in scratch till search_field_end(). RP_ERR_NOMEM. */
RP_MUST_USE enum rp_err search_field_begin(struct search_field *search, const struct charset_set *set,
    const struct header_field *field, bool named, struct arena *scratch);

/* The next piece of folded text, good till the next call; may be empty. False: that was all. */
RP_MUST_USE bool search_field_next(struct search_field *search, struct bytes *out);

/* Must be called for each search_field_begin that went well. */
void search_field_end(struct search_field *search);

#endif
