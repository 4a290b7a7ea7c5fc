#include "core/auth/sasl.h"

#include "core/auth/sasl_plain.h"

static const struct sasl_mech mechs[] = {
    {"PLAIN", sasl_plain_step},
};

const struct sasl_mech *sasl_find(struct bytes name)
{
	for (size_t i = 0; i < sizeof(mechs) / sizeof(mechs[0]); i++)
		if (bytes_eq_fold(name, bytes_of_str(mechs[i].name)))
			return &mechs[i];
	return NULL;
}

const struct sasl_mech *sasl_all(size_t *count)
{
	*count = sizeof(mechs) / sizeof(mechs[0]);
	return mechs;
}

enum sasl_verdict sasl_start(struct sasl *sasl, const struct sasl_mech *mech)
{
	*sasl = (struct sasl){.mech = mech};
	return SASL_CHALLENGE;
}

static enum sasl_verdict bad(struct sasl *sasl, const char *reason)
{
	sasl->reason = reason;
	return SASL_BAD;
}

/* 0..63, or 64 and above for what is no digit of base64. */
static unsigned digit_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26u;
	if (c >= '0' && c <= '9')
		return c - '0' + 52u;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Strict base64 (RFC 4648, section 4): whole groups, padding at the end alone, no stray bits. */
static bool decode(struct bytes in, uint8_t *out, size_t *out_n)
{
	size_t pad = 0, n = 0;

	if (in.n % 4 != 0)
		return false;
	while (pad < 2 && pad < in.n && in.p[in.n - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < in.n; i += 4) {
		size_t here = i + 4 == in.n ? 4 - pad : 4;
		uint32_t word = 0;

		for (size_t k = 0; k < 4; k++) {
			unsigned digit = k < here ? digit_of(in.p[i + k]) : 0;

			if (digit > 63)
				return false;
			word = word << 6 | digit;
		}
		if ((here == 3 && (word & 0xff) != 0) || (here == 2 && (word & 0xffff) != 0))
			return false;
		for (size_t k = 0; k + 1 < here; k++)
			out[n++] = (uint8_t)(word >> (16 - 8 * k));
	}
	*out_n = n;
	return true;
}

enum sasl_verdict sasl_step(struct sasl *sasl, struct bytes line)
{
	size_t n;

	if (bytes_eq(line, BYTES_LIT("*")))
		return bad(sasl, "Authentication given up");
	if (line.n > SASL_LINE_BYTES_MAX)
		return bad(sasl, "Response too long");
	RP_ASSERT(sasl->room_bytes >= line.n / 4 * 3);
	if (!decode(line, sasl->room, &n))
		return bad(sasl, "Response is not base64");
	return sasl->mech->step(sasl, bytes_of(sasl->room, n));
}

enum sasl_verdict sasl_step_initial(struct sasl *sasl, struct bytes word)
{
	if (bytes_eq(word, BYTES_LIT("=")))
		word.n = 0;
	return sasl_step(sasl, word);
}
