#include "core/imap/base64.h"

static const char digits[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* -1: not a digit. */
static int value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Four digits, the last `pad` of which are '='. Bits that pad covers must be clear. */
static bool read_group(const uint8_t *p, unsigned pad, uint32_t *group)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < 4 - pad; i++) {
		int value = value_of(p[i]);

		if (value < 0)
			return false;
		bits |= (uint32_t)value << (18 - 6 * i);
	}
	*group = bits;
	return pad == 0 || (bits & (pad == 1 ? 0xffu : 0xffffu)) == 0;
}

enum rp_err base64_decode(struct bytes in, uint8_t *out, size_t out_max, size_t *out_n)
{
	unsigned pad = 0;

	if (in.n % 4 != 0)
		return RP_ERR_SYNTAX;
	if (in.n > 0 && in.p[in.n - 1] == '=')
		pad = in.p[in.n - 2] == '=' ? 2 : 1;
	size_t need = in.n / 4 * 3 - pad;

	if (need > out_max)
		return RP_ERR_LIMIT;
	size_t n = 0;

	for (size_t at = 0; at < in.n; at += 4) {
		uint32_t group;
		unsigned last_pad = at + 4 == in.n ? pad : 0;

		if (!read_group(in.p + at, last_pad, &group))
			return RP_ERR_SYNTAX;
		for (unsigned i = 0; i < 3 - last_pad; i++)
			out[n++] = (uint8_t)(group >> (16 - 8 * i));
	}
	*out_n = n;
	return RP_OK;
}

size_t base64_encode(struct bytes in, uint8_t *out)
{
	size_t n = 0;

	for (size_t at = 0; at < in.n; at += 3) {
		size_t left = in.n - at;
		uint32_t bits = (uint32_t)in.p[at] << 16;

		bits |= left > 1 ? (uint32_t)in.p[at + 1] << 8 : 0;
		bits |= left > 2 ? (uint32_t)in.p[at + 2] : 0;
		out[n++] = (uint8_t)digits[bits >> 18];
		out[n++] = (uint8_t)digits[bits >> 12 & 63];
		out[n++] = left > 1 ? (uint8_t)digits[bits >> 6 & 63] : '=';
		out[n++] = left > 2 ? (uint8_t)digits[bits & 63] : '=';
	}
	return n;
}
