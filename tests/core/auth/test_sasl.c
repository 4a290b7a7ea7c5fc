#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/auth/auth_wire.h"
#include "core/auth/sasl.h"

static uint8_t room[SASL_LINE_BYTES_MAX / 4 * 3];

static struct sasl start(void)
{
	struct sasl sasl;

	cr_assert_eq(sasl_start(&sasl, sasl_find(BYTES_LIT("plain"))), SASL_CHALLENGE);
	sasl.room = room;
	sasl.room_bytes = sizeof(room);
	cr_assert_eq(sasl.challenge.n, 0);
	return sasl;
}

/* Written anew here, so that the decoder is not tested against itself. */
static struct bytes encode(struct bytes in, uint8_t *out)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0;

	for (size_t i = 0; i < in.n; i += 3) {
		size_t have = in.n - i < 3 ? in.n - i : 3;
		uint32_t word = 0;

		for (size_t k = 0; k < 3; k++)
			word = word << 8 | (k < have ? in.p[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			out[n++] = k <= have ? (uint8_t)digits[word >> (18 - 6 * k) & 63] : '=';
	}
	return bytes_of(out, n);
}

static struct sasl step(struct bytes plain, enum sasl_verdict expected)
{
	static uint8_t line[2 * SASL_LINE_BYTES_MAX];
	struct sasl sasl = start();

	cr_assert_eq(sasl_step(&sasl, encode(plain, line)), expected, "%s", sasl.reason);
	cr_assert_eq(expected == SASL_BAD, sasl.reason != NULL);
	return sasl;
}

Test(sasl, only_known_mechanisms_are_found)
{
	size_t count;

	cr_assert_str_eq(sasl_all(&count)[0].name, "PLAIN");
	cr_assert_eq(count, 1);
	cr_assert_not_null(sasl_find(BYTES_LIT("PLAIN")));
	cr_assert_null(sasl_find(BYTES_LIT("PLAI")));
	cr_assert_null(sasl_find(BYTES_LIT("PLAIN ")));
	cr_assert_null(sasl_find(BYTES_LIT("LOGIN")));
	cr_assert_null(sasl_find(BYTES_LIT("")));
}

Test(sasl, plain_gives_the_three_parts)
{
	struct sasl sasl = step(BYTES_LIT("\0demo\0s e:c\xff"), SASL_DONE);

	cr_assert_eq(sasl.authzid.n, 0);
	cr_assert(bytes_eq(sasl.authcid, BYTES_LIT("demo")));
	cr_assert(bytes_eq(sasl.password, BYTES_LIT("s e:c\xff")));
	sasl = step(BYTES_LIT("bob\0master\0"), SASL_DONE);
	cr_assert(bytes_eq(sasl.authzid, BYTES_LIT("bob")));
	cr_assert_eq(sasl.password.n, 0);
	sasl = step(BYTES_LIT("DEMO\0demo\0x"), SASL_DONE);
	cr_assert_eq(sasl.authzid.n, 0);
}

Test(sasl, plain_needs_two_nuls_and_a_name)
{
	static const struct bytes bad[] = {BYTES_LIT(""), BYTES_LIT("demo"), BYTES_LIT("\0demo"),
	    BYTES_LIT("\0"), BYTES_LIT("\0\0"), BYTES_LIT("\0\0secret"), BYTES_LIT("bob\0\0secret"),
	    BYTES_LIT("\0demo\0a\0"), BYTES_LIT("\0demo\0a\0b"), BYTES_LIT("\0\0\0")};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		step(bad[i], SASL_BAD);
}

Test(sasl, plain_keeps_its_bounds)
{
	static uint8_t text[2 * AUTH_WIRE_PASSWORD_BYTES_MAX];

	for (size_t n = AUTH_WIRE_NAME_BYTES_MAX - 1; n <= AUTH_WIRE_NAME_BYTES_MAX + 1; n++) {
		memset(text, 'x', sizeof(text));
		text[0] = text[n + 1] = '\0';
		step(bytes_of(text, n + 5), n <= AUTH_WIRE_NAME_BYTES_MAX ? SASL_DONE : SASL_BAD);
		memset(text, 'x', sizeof(text));
		text[n] = text[n + 3] = '\0';
		step(bytes_of(text, n + 5), n <= AUTH_WIRE_NAME_BYTES_MAX ? SASL_DONE : SASL_BAD);
	}
	for (size_t n = AUTH_WIRE_PASSWORD_BYTES_MAX - 1; n <= AUTH_WIRE_PASSWORD_BYTES_MAX + 1;
	     n++) {
		memset(text, 'x', sizeof(text));
		text[0] = text[2] = '\0';
		step(bytes_of(text, n + 3),
		    n <= AUTH_WIRE_PASSWORD_BYTES_MAX ? SASL_DONE : SASL_BAD);
	}
}

Test(sasl, base64_is_strict)
{
	static const struct {
		const char *line;
		enum sasl_verdict verdict;
	} cases[] = {
	    {"AGEAYg==", SASL_DONE}, {"AGEAYmI=", SASL_DONE}, {"AGEAYmJi", SASL_DONE},
	    {"AGEAYg=", SASL_BAD}, {"AGEAYg", SASL_BAD}, {"AGEAYg===", SASL_BAD},
	    {"AGEA====", SASL_BAD}, {"====", SASL_BAD}, {"AGEAYh==", SASL_BAD}, /* stray bits */
	    {"AGEAYmJ=", SASL_BAD}, {"AGE=AGI=", SASL_BAD}, {"AGEA Yg=", SASL_BAD},
	    {"AGEAYg==\r", SASL_BAD}, {"AGEAY-__", SASL_BAD}, {"*", SASL_BAD}, {"=", SASL_BAD},
	    {"", SASL_BAD}, /* an empty response is no PLAIN message */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sasl sasl = start();

		cr_assert_eq(sasl_step(&sasl, bytes_of_str(cases[i].line)), cases[i].verdict, "%s",
		    cases[i].line);
	}
}

Test(sasl, an_initial_response_may_be_empty_by_an_equals_sign)
{
	struct sasl sasl = start();

	cr_assert_eq(sasl_step_initial(&sasl, BYTES_LIT("=")), SASL_BAD);
	cr_assert_str_eq(sasl.reason, "PLAIN response needs two NULs");
	sasl = start();
	cr_assert_eq(sasl_step_initial(&sasl, BYTES_LIT("AGEAYg==")), SASL_DONE);
}

/* A line one over the bound, in memory of its exact size, and room of exactly what the bound
 * allows. */
Test(sasl, a_line_has_at_most_12_kib)
{
	uint8_t *line = malloc(SASL_LINE_BYTES_MAX + 4);
	struct sasl sasl = start();

	memset(line, 'A', SASL_LINE_BYTES_MAX + 4);
	cr_assert_eq(sasl_step(&sasl, bytes_of(line, SASL_LINE_BYTES_MAX)), SASL_BAD);
	cr_assert_str_eq(sasl.reason, "PLAIN response needs two NULs");
	cr_assert_eq(sasl_step(&sasl, bytes_of(line, SASL_LINE_BYTES_MAX + 4)), SASL_BAD);
	cr_assert_str_eq(sasl.reason, "Response too long");
	free(line);
}
