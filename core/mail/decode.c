#include "core/mail/decode.h"

enum {
	B64_JUNK = 64,
	B64_PAD = 65,
};

enum decode_cte decode_cte_of(struct bytes token)
{
	static const struct {
		const char *name;
		enum decode_cte cte;
	} names[] = {
	    {"7bit", DECODE_NONE},
	    {"8bit", DECODE_NONE},
	    {"binary", DECODE_NONE},
	    {"base64", DECODE_BASE64},
	    {"quoted-printable", DECODE_QP},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (bytes_eq_fold(token, bytes_of_str(names[i].name)))
			return names[i].cte;
	return DECODE_UNKNOWN;
}

void decode_init(struct decode *decode, enum decode_cte cte)
{
	*decode = (struct decode){.cte = cte};
}

static uint8_t base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint8_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint8_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (uint8_t)(c - '0' + 52);
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	return c == '=' ? B64_PAD : B64_JUNK;
}

/* A group that ended early: 2 characters are one byte, 3 are two, 1 is nothing. */
static size_t base64_flush(struct decode *decode, uint8_t *out)
{
	size_t n = 0;

	if (decode->bits_n == 2) {
		out[n++] = (uint8_t)(decode->bits >> 4);
	} else if (decode->bits_n == 3) {
		out[n++] = (uint8_t)(decode->bits >> 10);
		out[n++] = (uint8_t)(decode->bits >> 2);
	}
	decode->bits = 0;
	decode->bits_n = 0;
	return n;
}

/* Padding ends a group; after it another stretch of base64 may follow, as some mailers join them.
 */
static size_t feed_base64(struct decode *decode, struct bytes in, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		uint8_t v = base64_value(in.p[i]);

		if (v == B64_JUNK)
			continue;
		if (v == B64_PAD) {
			n += base64_flush(decode, out + n);
			continue;
		}
		decode->bits = decode->bits << 6 | v;
		if (++decode->bits_n < 4)
			continue;
		out[n++] = (uint8_t)(decode->bits >> 16);
		out[n++] = (uint8_t)(decode->bits >> 8);
		out[n++] = (uint8_t)decode->bits;
		decode->bits = 0;
		decode->bits_n = 0;
	}
	return n;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = bytes_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t release_held(struct decode *decode, uint8_t *out)
{
	size_t n = decode->held_n;

	memcpy(out, decode->held, n);
	decode->held_n = 0;
	decode->soft = false;
	return n;
}

/* One byte behind an "=". Returns how many bytes came out; *again: the byte itself is still to do.
 */
static size_t qp_behind_equals(struct decode *decode, uint8_t c, uint8_t *out, bool *again)
{
	*again = false;
	if (decode->held_n == 1 && c == '\n') { /* soft line break: nothing comes out */
		decode->held_n = 0;
		decode->soft = false;
		return 0;
	}
	if (decode->held_n == 1 && (c == ' ' || c == '\t' || c == '\r')) {
		decode->soft = true;
		return 0;
	}
	if (decode->held_n == 1 && !decode->soft && hex_value(c) >= 0) {
		decode->held[decode->held_n++] = c;
		return 0;
	}
	if (decode->held_n == 2 && hex_value(c) >= 0) {
		out[0] = (uint8_t)(hex_value(decode->held[1]) << 4 | hex_value(c));
		decode->held_n = 0;
		return 1;
	}
	*again = true;
	return release_held(decode, out);
}

static size_t feed_qp(struct decode *decode, struct bytes in, uint8_t *out)
{
	size_t n = 0;
	size_t i = 0;

	while (i < in.n) {
		if (decode->held_n != 0) {
			bool again;

			n += qp_behind_equals(decode, in.p[i], out + n, &again);
			if (!again)
				i++;
			continue;
		}
		size_t equals = bytes_find(in, i, '=');

		memcpy(out + n, in.p + i, equals - i);
		n += equals - i;
		i = equals;
		if (i < in.n) {
			decode->held[decode->held_n++] = '=';
			i++;
		}
	}
	return n;
}

size_t decode_feed(struct decode *decode, struct bytes in, uint8_t *out)
{
	switch (decode->cte) {
	case DECODE_BASE64:
		return feed_base64(decode, in, out);
	case DECODE_QP:
		return feed_qp(decode, in, out);
	default:
		if (in.n != 0)
			memmove(out, in.p, in.n);
		return in.n;
	}
}

size_t decode_finish(struct decode *decode, uint8_t *out)
{
	if (decode->cte == DECODE_BASE64)
		return base64_flush(decode, out);
	if (decode->cte == DECODE_QP && decode->soft) {
		decode->held_n = 0;
		return 0;
	}
	return decode->cte == DECODE_QP ? release_held(decode, out) : 0;
}
