#include "core/mail/normalise.h"

static const struct bytes crlf = {(const uint8_t *)"\r\n", 2};

static bool has_byte(uint64_t word, uint8_t c)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t x = word ^ ones * c;

	return ((x - ones) & ~x & ones << 7) != 0;
}

/* Offset of the first CR or LF at or after `at`, or in.n. One search for both: with one each, a
 * text that has only one of them would be looked through to its end for the other, again and again.
 */
static size_t find_line_end(struct bytes in, size_t at)
{
	uint64_t word;

	while (in.n - at >= sizeof(word)) {
		memcpy(&word, in.p + at, sizeof(word));
		if (has_byte(word, '\r') || has_byte(word, '\n'))
			break;
		at += sizeof(word);
	}
	while (at < in.n && in.p[at] != '\r' && in.p[at] != '\n')
		at++;
	return at;
}

/* How far the input is as it should be: whole CRLFs, and bytes that are neither CR nor LF. */
static size_t good_bytes(struct bytes in)
{
	size_t at = find_line_end(in, 0);

	while (in.n - at >= 2 && in.p[at] == '\r' && in.p[at + 1] == '\n')
		at = find_line_end(in, at + 2);
	return at;
}

struct bytes normalise_next(struct normalise *state, struct bytes *in)
{
	if (in->n == 0)
		return (struct bytes){NULL, 0};
	if (state->cr) {
		state->cr = false;
		*in = bytes_from(*in, in->p[0] == '\n' ? 1 : 0);
		return crlf;
	}
	size_t n = good_bytes(*in);

	if (n != 0) {
		struct bytes span = bytes_slice(*in, 0, n);

		*in = bytes_from(*in, n);
		return span;
	}
	if (in->p[0] == '\r' && in->n == 1) {
		*in = bytes_from(*in, 1);
		state->cr = true;
		return (struct bytes){NULL, 0};
	}
	*in = bytes_from(*in, 1); /* a bare LF, or a CR with something else behind it */
	return crlf;
}

struct bytes normalise_finish(struct normalise *state)
{
	bool cr = state->cr;

	state->cr = false;
	return cr ? crlf : (struct bytes){NULL, 0};
}
