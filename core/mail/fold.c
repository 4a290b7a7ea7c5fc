#include "core/mail/fold.h"

#include <utf8proc.h>

enum { FOLD_CHARS_MAX = 18 };

/* One character beyond ASCII; returns bytes written, *used bytes taken. */
static size_t fold_char(struct bytes in, uint8_t *out, size_t *used)
{
	utf8proc_int32_t c;
	utf8proc_int32_t folded[FOLD_CHARS_MAX];
	utf8proc_ssize_t taken = utf8proc_iterate(in.p, (utf8proc_ssize_t)in.n, &c);
	int boundclass = 0;
	size_t n = 0;

	if (taken <=
	    0) { /* not well-formed: whoever gave it has not kept the bargain; pass it on */
		out[0] = in.p[0];
		*used = 1;
		return 1;
	}
	*used = (size_t)taken;
	utf8proc_ssize_t count = utf8proc_decompose_char(c, folded, FOLD_CHARS_MAX,
	    UTF8PROC_CASEFOLD | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE, &boundclass);

	if (count < 0 || count > FOLD_CHARS_MAX) {
		memcpy(out, in.p, *used);
		return *used;
	}
	for (utf8proc_ssize_t i = 0; i < count; i++)
		n += (size_t)utf8proc_encode_char(folded[i], out + n);
	return n;
}

/* How much of b is ASCII, 8 bytes at a time at most. */
static size_t ascii_bytes(struct bytes b)
{
	size_t n = 0;
	uint64_t word;

	while (b.n - n >= sizeof(word)) {
		memcpy(&word, b.p + n, sizeof(word));
		if ((word & UINT64_C(0x8080808080808080)) != 0)
			break;
		n += sizeof(word);
	}
	while (n < b.n && b.p[n] < 0x80)
		n++;
	return n;
}

/* A loop without branches, which compilers turn into vectors. */
static void lower_ascii(const uint8_t *in, size_t n, uint8_t *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(in[i] | ((uint8_t)(in[i] - 'A') < 26) << 5);
}

size_t fold_utf8(struct bytes *in, uint8_t *out, size_t room)
{
	size_t n = 0;

	while (in->n != 0) {
		size_t ascii = in->n < room - n ? in->n : room - n;

		ascii = ascii_bytes(bytes_slice(*in, 0, ascii));
		lower_ascii(in->p, ascii, out + n);
		n += ascii;
		*in = bytes_from(*in, ascii);
		if (in->n == 0 || room - n < FOLD_CHAR_BYTES_MAX)
			break;
		if (in->p[0] >= 0x80) {
			size_t used;

			n += fold_char(*in, out + n, &used);
			*in = bytes_from(*in, used);
		}
	}
	return n;
}

void fold_text(struct text *out, struct bytes utf8)
{
	while (utf8.n != 0 && text_reserve(out, utf8.n + FOLD_CHAR_BYTES_MAX))
		out->n += fold_utf8(&utf8, out->p + out->n, out->room - out->n);
}
