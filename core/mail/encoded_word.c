#include "core/mail/encoded_word.h"

#include "core/mail/decode.h"

enum {
	WORD_CHARSET_BYTES_MAX = 40, /* the longest name in the table is shorter */
	WORD_SLICE_BYTES = 128,      /* decoded at a time: bounds the stack */
};

/* =?charset?encoding?text?= */
struct word {
	enum charset charset;
	enum decode_cte cte;
	struct bytes text;
	size_t whole; /* bytes of all of it */
};

/* Is there an encoded word at the start of b? Looks no further than four question marks. */
static bool parse_word(struct bytes b, struct word *word)
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

/* Through the charset into out. */
static void put_converted(struct charset_conv *conv, struct bytes b, struct text *out)
{
	while (b.n != 0) {
		size_t n = b.n < WORD_SLICE_BYTES ? b.n : WORD_SLICE_BYTES;

		if (!text_reserve(out, CHARSET_OUT_BYTES(n)))
			return;
		out->n += charset_feed(conv, bytes_slice(b, 0, n), out->p + out->n);
		b = bytes_from(b, n);
	}
}

static void end_conversion(struct charset_conv *conv, struct text *out)
{
	if (text_reserve(out, CHARSET_OUT_BYTES(0)))
		out->n += charset_finish(conv, out->p + out->n);
	else
		charset_finish(conv, NULL);
}

/* The bytes of a word; in Q an underscore is a blank. */
static void put_word(struct charset_conv *conv, const struct word *word, struct text *out)
{
	uint8_t slice[WORD_SLICE_BYTES];
	uint8_t decoded[WORD_SLICE_BYTES + DECODE_CARRY_MAX];
	struct decode decode;

	decode_init(&decode, word->cte);
	for (size_t at = 0; at < word->text.n; at += WORD_SLICE_BYTES) {
		size_t n =
		    word->text.n - at < WORD_SLICE_BYTES ? word->text.n - at : WORD_SLICE_BYTES;

		memcpy(slice, word->text.p + at, n);
		for (size_t i = 0; word->cte == DECODE_QP && i < n; i++)
			if (slice[i] == '_')
				slice[i] = ' ';
		n = decode_feed(&decode, bytes_of(slice, n), decoded);
		put_converted(conv, bytes_of(decoded, n), out);
	}
	put_converted(conv, bytes_of(decoded, decode_finish(&decode, decoded)), out);
}

static void put_plain(const struct charset_set *set, struct bytes b, struct text *out)
{
	struct charset_conv conv;

	charset_begin_brief(&conv, set, CHARSET_UTF8);
	put_converted(&conv, b, out);
	end_conversion(&conv, out);
}

static size_t blanks_at(struct bytes b, size_t at)
{
	size_t n = 0;

	while (at + n < b.n && (b.p[at + n] == ' ' || b.p[at + n] == '\t' || b.p[at + n] == '\r' ||
	                           b.p[at + n] == '\n'))
		n++;
	return n;
}

/* A run of encoded words with nothing but blanks between them; returns where it ends. */
static size_t put_words(const struct charset_set *set, struct bytes value, size_t at,
    struct word word, struct text *out)
{
	struct charset_conv conv;

	charset_begin_brief(&conv, set, word.charset);
	for (;;) {
		enum charset charset = word.charset;

		put_word(&conv, &word, out);
		at += word.whole;
		size_t next = at + blanks_at(value, at);

		if (!parse_word(bytes_from(value, next), &word))
			break;
		at = next;
		if (word.charset != charset || charset >= CHARSET_STATE_FIRST) {
			end_conversion(&conv, out);
			charset_begin_brief(&conv, set, word.charset);
		}
	}
	end_conversion(&conv, out);
	return at;
}

void encoded_word_decode(const struct charset_set *set, struct bytes value, struct text *out)
{
	size_t plain = 0; /* where the text starts that is not out yet */
	size_t at = 0;
	struct word word;

	while (at < value.n) {
		at = bytes_find(value, at, '=');
		if (at == value.n)
			break;
		if (!parse_word(bytes_from(value, at), &word)) {
			at++;
			continue;
		}
		put_plain(set, bytes_slice(value, plain, at), out);
		at = put_words(set, value, at, word, out);
		plain = at;
	}
	if (plain < value.n)
		put_plain(set, bytes_from(value, plain), out);
}
