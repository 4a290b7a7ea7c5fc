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

size_t fold_utf8(struct bytes *in, uint8_t *out, size_t room)
{
	size_t n = 0;
	size_t at = 0;

	while (at < in->n) {
		if (in->p[at] < 0x80) {
			if (n == room)
				break;
			out[n++] = bytes_lower(in->p[at++]);
			continue;
		}
		size_t used;

		if (room - n < FOLD_CHAR_BYTES_MAX)
			break;
		n += fold_char(bytes_from(*in, at), out + n, &used);
		at += used;
	}
	*in = bytes_from(*in, at);
	return n;
}

void fold_text(struct text *out, struct bytes utf8)
{
	while (utf8.n != 0 && text_reserve(out, utf8.n + FOLD_CHAR_BYTES_MAX))
		out->n += fold_utf8(&utf8, out->p + out->n, out->room - out->n);
}
