#include <criterion/criterion.h>

#include "core/mail/normalise.h"

#include <stdlib.h>
#include <time.h>

static size_t put(uint8_t *out, struct bytes span)
{
	if (span.n != 0)
		memcpy(out, span.p, span.n);
	return span.n;
}

static size_t normalise_all(struct bytes in, size_t cut, uint8_t *out)
{
	struct normalise state = {0};
	size_t n = 0;

	for (size_t at = 0; at < in.n; at += cut) {
		struct bytes piece = bytes_slice(in, at, at + cut < in.n ? at + cut : in.n);
		struct bytes span;

		while ((span = normalise_next(&state, &piece)).n != 0)
			n += put(out + n, span);
		cr_assert_eq(piece.n, 0);
	}
	return n + put(out + n, normalise_finish(&state));
}

Test(normalise, every_line_end_becomes_crlf)
{
	static const struct {
		struct bytes in, want;
	} cases[] = {
	    {{(const uint8_t *)"", 0}, {(const uint8_t *)"", 0}},
	    {{(const uint8_t *)"a\r\nb\r\n", 6}, {(const uint8_t *)"a\r\nb\r\n", 6}},
	    {{(const uint8_t *)"a\nb", 3}, {(const uint8_t *)"a\r\nb", 4}},
	    {{(const uint8_t *)"a\rb", 3}, {(const uint8_t *)"a\r\nb", 4}},
	    {{(const uint8_t *)"a\r", 2}, {(const uint8_t *)"a\r\n", 3}},
	    {{(const uint8_t *)"\n\r\r\n\n", 5}, {(const uint8_t *)"\r\n\r\n\r\n\r\n", 8}},
	    {{(const uint8_t *)"a\0\x80\n", 4}, {(const uint8_t *)"a\0\x80\r\n", 5}},
	    {{(const uint8_t *)"x\r\n\ny\r\n\rz", 9}, {(const uint8_t *)"x\r\n\r\ny\r\n\r\nz", 11}},
	};
	uint8_t out[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t cut = 1; cut < 12; cut++) {
			size_t n = normalise_all(cases[i].in, cut, out);

			cr_expect(
			    bytes_eq(bytes_of(out, n), cases[i].want), "case %zu, cut %zu", i, cut);
		}
	}
}

/* Against the plain rule, byte by byte; and what is normal stays as it is. */
Test(normalise, agrees_with_the_plain_rule_in_any_cut)
{
	uint32_t seed = 11;

	for (int round = 0; round < 20000; round++) {
		uint8_t in[24], want[48], out[64], again[64];
		size_t want_n = 0;
		size_t n = (size_t)round % sizeof(in);

		for (size_t i = 0; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			in[i] = (uint8_t) "\r\nab"[seed >> 30];
		}
		for (size_t i = 0; i < n; i++) {
			bool end = in[i] == '\r' || in[i] == '\n';

			if (!end) {
				want[want_n++] = in[i];
				continue;
			}
			if (in[i] == '\r' && i + 1 < n && in[i + 1] == '\n')
				i++;
			want[want_n++] = '\r';
			want[want_n++] = '\n';
		}
		size_t got = normalise_all(bytes_of(in, n), 1 + (size_t)round % 9, out);

		cr_assert(bytes_eq(bytes_of(out, got), bytes_of(want, want_n)));
		size_t twice = normalise_all(bytes_of(out, got), 1 + (size_t)round % 5, again);

		cr_assert(bytes_eq(bytes_of(again, twice), bytes_of(out, got)));
	}
}

static uint64_t time_of(const char *each, size_t count)
{
	size_t each_n = strlen(each);
	uint8_t *in = malloc(each_n * count);
	uint8_t *out = malloc(2 * each_n * count + 2);
	struct timespec from, to;

	for (size_t i = 0; i < count; i++)
		memcpy(in + i * each_n, each, each_n);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	size_t n = normalise_all(bytes_of(in, each_n * count), each_n * count, out);

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	cr_assert_geq(n, each_n * count);
	free(in);
	free(out);
	return (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000u +
	       (uint64_t)(to.tv_nsec - from.tv_nsec);
}

/* All LF and no CR, all CR and no LF: no search for the one that is not there, over and over. */
Test(normalise, bare_line_ends_take_linear_time, .timeout = 60)
{
	static const char *const bombs[] = {"\n", "\r", "a\n", "a\r", "\r\n", "a\r\nb\n"};

	for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {
		uint64_t once = time_of(bombs[i], 100 * 1000);
		uint64_t eight = time_of(bombs[i], 800 * 1000);

		cr_expect_lt(eight, 24 * once + 20 * 1000 * 1000, "bomb %zu: %lu, %lu", i,
		    (unsigned long)once, (unsigned long)eight);
	}
}
