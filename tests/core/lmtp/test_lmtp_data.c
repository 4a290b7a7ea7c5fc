#include <criterion/criterion.h>

#include "core/lmtp/lmtp_data.h"

/* Feed text in pieces of `cut` bytes; out gets the message; returns how many bytes stand behind the end. */
static size_t feed(const char *text, size_t cut, char *out, bool *ended)
{
	struct lmtp_data data = { .state = LMTP_DATA_START };
	size_t n = strlen(text);
	size_t at = 0;
	size_t out_n = 0;

	while (at < n && data.state != LMTP_DATA_END) {
		size_t piece = n - at < cut ? n - at : cut;
		struct bytes in = { (const uint8_t *)text + at, piece };
		struct bytes span;

		while ((span = lmtp_data_next(&data, &in)).n > 0) {
			memcpy(out + out_n, span.p, span.n);
			out_n += span.n;
		}
		at += piece - in.n;
	}
	out[out_n] = '\0';
	*ended = data.state == LMTP_DATA_END;
	return n - at;
}

static void check(const char *text, const char *message, size_t rest)
{
	char out[256];
	bool ended;

	for (size_t cut = 1; cut <= strlen(text); cut++) {
		cr_assert_eq(feed(text, cut, out, &ended), rest, "\"%s\" cut by %zu", text, cut);
		cr_assert(ended);
		cr_assert_str_eq(out, message, "\"%s\" cut by %zu", text, cut);
	}
}

Test(lmtp_data, ends_at_a_dot_alone)
{
	check("a\r\n.\r\nQUIT\r\n", "a\r\n", 6);
	check(".\r\n", "", 0);
	check("\r\n\r\n.\r\n", "\r\n\r\n", 0);
}

Test(lmtp_data, takes_one_dot_away_at_a_lines_start)
{
	check("..a\r\n.\r\n", ".a\r\n", 0);
	check("a\r\n.b\r\n..\r\n...\r\n.\r\n", "a\r\nb\r\n.\r\n..\r\n", 0);
	check("a.b\r\n.\r\n", "a.b\r\n", 0);
}

/* What other servers took for an end (CVE-2023-51764 and its like) is none. */
Test(lmtp_data, nothing_else_is_the_end)
{
	check("a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", 0);
	check("a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", 0);
	check("a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", 0);
	check("a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", 0);
	check("a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", 0);
	check("a\r\n.\r.\r\n.\r\n", "a\r\n\r.\r\n", 0);
	check("\r\r\n.\r\n", "\r\r\n", 0);
}
