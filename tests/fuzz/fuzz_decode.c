/* Transfer encodings are undone, and line ends made normal, alike in any cuts and within the
 * bounds. The first byte is the encoding, the second the cut. */
#include "core/mail/decode.h"
#include "core/mail/normalise.h"

#include <stdlib.h>

static size_t decode_all(enum decode_cte cte, struct bytes in, size_t cut, uint8_t *out)
{
	struct decode decode;
	size_t n = 0;

	decode_init(&decode, cte);
	for (size_t at = 0; at < in.n; at += cut) {
		size_t end = at + cut < in.n ? at + cut : in.n;
		size_t got = decode_feed(&decode, bytes_slice(in, at, end), out + n);

		RP_ASSERT(got <= end - at + DECODE_CARRY_MAX);
		n += got;
	}
	n += decode_finish(&decode, out + n);
	RP_ASSERT(n <= in.n);
	return n;
}

static size_t normalise_all(struct bytes in, size_t cut, uint8_t *out)
{
	struct normalise state = {0};
	struct bytes span;
	size_t n = 0;

	for (size_t at = 0; at < in.n; at += cut) {
		struct bytes piece = bytes_slice(in, at, at + cut < in.n ? at + cut : in.n);

		while ((span = normalise_next(&state, &piece)).n != 0) {
			memcpy(out + n, span.p, span.n);
			n += span.n;
		}
		RP_ASSERT(piece.n == 0);
	}
	span = normalise_finish(&state);
	for (size_t i = 0; i < span.n; i++)
		out[n++] = span.p[i];
	RP_ASSERT(n <= 2 * in.n);
	for (size_t i = 0; i < n; i++) {
		RP_ASSERT(out[i] != '\n' || (i > 0 && out[i - 1] == '\r'));
		RP_ASSERT(out[i] != '\r' || (i + 1 < n && out[i + 1] == '\n'));
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n < 2)
		return 0;
	struct bytes in = bytes_of(p + 2, n - 2);
	size_t cut = 1 + p[1] % 32;
	size_t room = in.n * 2 + in.n * DECODE_CARRY_MAX + 16;
	uint8_t *a = malloc(room);
	uint8_t *b = malloc(room);
	size_t a_n = decode_all(p[0] % (DECODE_UNKNOWN + 1), in, in.n + 1, a);
	size_t b_n = decode_all(p[0] % (DECODE_UNKNOWN + 1), in, cut, b);

	RP_ASSERT(bytes_eq(bytes_of(a, a_n), bytes_of(b, b_n)));
	a_n = normalise_all(in, in.n + 1, a);
	b_n = normalise_all(in, cut, b);
	RP_ASSERT(bytes_eq(bytes_of(a, a_n), bytes_of(b, b_n)));
	free(a);
	free(b);
	return 0;
}
