#include <criterion/criterion.h>

#include "core/mail/search_text.h"

#include <stdlib.h>

static struct charset_set set;
static struct arena arena;
static struct arena scratch;

static void set_up(void)
{
	const char *name;

	cr_assert_eq(charset_init(&set, &name), RP_OK);
	arena_init(&arena, 4 << 20);
	arena_init(&scratch, 4 << 20);
}

static void tear_down(void)
{
	charset_fini(&set);
	arena_fini(&arena);
	arena_fini(&scratch);
}

TestSuite(search_text, .init = set_up, .fini = tear_down);

static bool body_has(
    struct bytes body, const struct search_range *range, const struct needle *needle)
{
	struct search_text *search = arena_alloc(&arena, sizeof(*search));
	struct needle_scan scan = {0};
	bool found = false;
	struct bytes out;

	search_text_begin(search, &set, range->cte, range->charset);
	for (size_t at = 0; at < body.n; at += 7) {
		struct bytes in = bytes_slice(body, at, at + 7 < body.n ? at + 7 : body.n);

		while (search_text_next(search, &in, &out))
			found |= needle_find(needle, &scan, out);
	}
	return needle_find(needle, &scan, search_text_finish(search)) || found;
}

/* The way a SEARCH goes. */
static bool message_has(const char *message, bool own_header, const char *key)
{
	struct mime mime;
	struct needle needle;
	struct search_range range;
	uint64_t cursor = 0;
	bool found = false;

	cr_assert_eq(mime_parse(&arena, MIME_FOR_SECTIONS, bytes_of_str(message), &mime), RP_OK);
	cr_assert_eq(needle_init(&needle, &arena, bytes_of_str(key)), RP_OK);
	while (!found && search_range_next(&mime, own_header, &cursor, &range)) {
		struct bytes in =
		    bytes_slice(bytes_of_str(message), range.offset, range.offset + range.bytes);

		found = range.header
		            ? search_header(&set, in, BYTES_LIT(""), &needle, &scratch) == RP_OK
		            : body_has(in, &range, &needle);
	}
	return found;
}

static const char message[] =
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= outside\r\n"
    "Content-Type: multipart/mixed; boundary=x\r\n\r\npreamble\r\n"
    "--x\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\nM=FCn=\r\nchen\r\n"
    "--x\r\nContent-Type: image/png; name=\"picture.png\"\r\nContent-Transfer-Encoding: "
    "base64\r\n\r\n"
    "aGVsbG8=\r\n"
    "--x\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    "PGI+xIzE\r\njCA8L2I+\r\n"
    "--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?koi8-r?b?8NLJ18XU?=\r\n\r\nin the "
    "middle\r\n"
    "--x--\r\n";

Test(search_text, bodies_are_searched_decoded)
{
	cr_expect(message_has(message, false, "MÜNCHEN"));
	cr_expect(message_has(message, false, "<B>čč"));
	cr_expect(message_has(message, false, "the MIDDLE"));
	cr_expect(message_has(message, false, "привет"));
	cr_expect(message_has(message, false, "picture.png"));
	cr_expect_not(message_has(message, false, "M=FCn"));
	cr_expect_not(message_has(message, false, "hello"));
	cr_expect_not(message_has(message, false, "grüsse"));
	cr_expect_not(message_has(message, false, "preamble"));
}

Test(search_text, text_takes_the_header_in)
{
	cr_expect(message_has(message, true, "GRÜSSE OUTSIDE"));
	cr_expect(message_has(message, true, "subject: grü"));
}

static enum rp_err field_has(const char *block, const char *name, const char *key)
{
	struct needle needle;

	cr_assert_eq(needle_init(&needle, &arena, bytes_of_str(key)), RP_OK);
	return search_header(&set, bytes_of_str(block), bytes_of_str(name), &needle, &scratch);
}

Test(search_text, one_field_by_name)
{
	static const char block[] =
	    "From: Anna\r\n <a@b>\r\nX-Empty:\r\nTo: c\r\nTO: d\r\n\r\nTo: body\r\n";

	cr_expect_eq(field_has(block, "from", "anna <A@"), RP_OK);
	cr_expect_eq(field_has(block, "To", "D"), RP_OK);
	cr_expect_eq(field_has(block, "To", "body"), RP_ERR_NOTFOUND);
	cr_expect_eq(field_has(block, "From", "from:"), RP_ERR_NOTFOUND);
	cr_expect_eq(field_has(block, "x-empty", ""), RP_OK);
	cr_expect_eq(field_has(block, "x-none", ""), RP_ERR_NOTFOUND);
}
