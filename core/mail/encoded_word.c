#include "core/mail/encoded_word.h"

enum { WORD_CHARSET_BYTES_MAX = 40 }; /* the longest name in the table is shorter */

/* Is there an encoded word at the start of b? Looks no further than four question marks. */
static bool parse_word(struct bytes b, struct encoded_word *word)
{
	if (b.n < 2 || b.p[0] != '=' || b.p[1] != '?')
		return false;
	size_t charset_end = 2;

	while (charset_end < b.n && charset_end <= 2 + WORD_CHARSET_BYTES_MAX &&
	       b.p[charset_end] > ' ' && b.p[charset_end] != '?')
		charset_end++;
	if (b.n - charset_end < 4 || b.p[charset_end] != '?' || b.p[charset_end + 2] != '?')
		return false;
	uint8_t encoding = bytes_lower(b.p[charset_end + 1]);

	if (encoding != 'b' && encoding != 'q')
		return false;
	size_t from = charset_end + 3;
	size_t to = bytes_find(b, from, '?');

	if (b.n - to < 2 || b.p[to + 1] != '=')
		return false;
	struct bytes charset = bytes_slice(b, 2, charset_end);
	size_t star = bytes_find(charset, 0, '*'); /* a language may follow (RFC 2231, section 5) */

	word->charset = charset_find(bytes_slice(charset, 0, star));
	word->cte = encoding == 'b' ? DECODE_BASE64 : DECODE_QP;
	word->text = bytes_slice(b, from, to);
	word->whole = to + 2;
	return true;
}

static size_t blanks_at(struct bytes b, size_t at)
{
	size_t n = 0;

	while (at + n < b.n && (b.p[at + n] == ' ' || b.p[at + n] == '\t' || b.p[at + n] == '\r' ||
	                           b.p[at + n] == '\n'))
		n++;
	return n;
}

void encoded_word_begin(
    struct encoded_word_reader *reader, const struct charset_set *set, struct bytes value)
{
	*reader = (struct encoded_word_reader){.set = set, .rest = value, .place = ENCODED_WORD_AHEAD};
}

/* Plain text up to the next encoded word, or that word itself. False: there is nothing left. */
static bool look_ahead(struct encoded_word_reader *reader)
{
	struct bytes rest = reader->rest;
	enum charset charset = CHARSET_UTF8;
	size_t at = bytes_find(rest, 0, '=');

	if (rest.n == 0)
		return false;
	while (at < rest.n && !parse_word(bytes_from(rest, at), &reader->word))
		at = bytes_find(rest, at + 1, '=');
	reader->place = at > 0 ? ENCODED_WORD_IN_PLAIN : ENCODED_WORD_IN_WORD;
	if (at > 0) {
		reader->now = bytes_slice(rest, 0, at);
		reader->rest = bytes_from(rest, at);
	} else {
		charset = reader->word.charset;
		reader->now = reader->word.text;
		reader->rest = bytes_from(rest, reader->word.whole);
		decode_init(&reader->decode, reader->word.cte);
	}
	charset_begin(&reader->conv, reader->set, charset);
	return true;
}

/* The word is out. Another one behind nothing but blanks goes on in its conversion, if it can. */
static size_t end_word(struct encoded_word_reader *reader, uint8_t *out)
{
	uint8_t left[DECODE_CARRY_MAX];
	size_t left_n = decode_finish(&reader->decode, left);
	size_t n = charset_feed(&reader->conv, bytes_of(left, left_n), out);
	enum charset charset = reader->word.charset;
	struct bytes ahead = bytes_from(reader->rest, blanks_at(reader->rest, 0));

	if (!parse_word(ahead, &reader->word)) {
		reader->place = ENCODED_WORD_AHEAD;
		return n + charset_finish(&reader->conv, out + n);
	}
	reader->now = reader->word.text;
	reader->rest = bytes_from(ahead, reader->word.whole);
	decode_init(&reader->decode, reader->word.cte);
	if (reader->word.charset != charset || charset >= CHARSET_STATE_FIRST) {
		n += charset_finish(&reader->conv, out + n);
		charset_begin(&reader->conv, reader->set, reader->word.charset);
	}
	return n;
}

/* The next bytes of a word; in Q an underscore is a blank. */
static size_t put_word(struct encoded_word_reader *reader, struct bytes slice, uint8_t *out)
{
	uint8_t text[ENCODED_WORD_SLICE_BYTES];
	uint8_t decoded[ENCODED_WORD_SLICE_BYTES + DECODE_CARRY_MAX];

	memcpy(text, slice.p, slice.n);
	for (size_t i = 0; reader->word.cte == DECODE_QP && i < slice.n; i++)
		if (text[i] == '_')
			text[i] = ' ';
	size_t n = decode_feed(&reader->decode, bytes_of(text, slice.n), decoded);

	return charset_feed(&reader->conv, bytes_of(decoded, n), out);
}

bool encoded_word_next(struct encoded_word_reader *reader, uint8_t *out, size_t *out_n)
{
	if (reader->place == ENCODED_WORD_AHEAD && !look_ahead(reader))
		return false;
	size_t n = reader->now.n < ENCODED_WORD_SLICE_BYTES ? reader->now.n : ENCODED_WORD_SLICE_BYTES;
	struct bytes slice = bytes_slice(reader->now, 0, n);

	reader->now = bytes_from(reader->now, n);
	if (reader->place == ENCODED_WORD_IN_WORD) {
		*out_n = n > 0 ? put_word(reader, slice, out) : 0;
		if (reader->now.n == 0)
			*out_n += end_word(reader, out + *out_n);
		return true;
	}
	*out_n = charset_feed(&reader->conv, slice, out);
	if (reader->now.n == 0) {
		*out_n += charset_finish(&reader->conv, out + *out_n);
		reader->place = ENCODED_WORD_AHEAD;
	}
	return true;
}

void encoded_word_end(struct encoded_word_reader *reader)
{
	if (reader->place != ENCODED_WORD_AHEAD)
		charset_finish(&reader->conv, NULL);
	reader->place = ENCODED_WORD_AHEAD;
}
