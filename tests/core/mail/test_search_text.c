#include <criterion/criterion.h>

#include "core/mail/needle.h"
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

/* In a field of this name, or (NULL) in the name and value of any. */
static bool block_has(struct bytes block, const char *name, const struct needle *needle)
{
	struct search_field *search = arena_alloc(&arena, sizeof(*search));
	struct header_field field;
	bool found = false;

	while (header_next(&block, &field)) {
		struct needle_scan scan = {0};
		struct bytes out = BYTES_LIT("");

		if (name != NULL && !header_is(&field, bytes_of_str(name)))
			continue;
		arena_reset(&scratch);
		cr_assert_eq(search_field_begin(search, &set, &field, name == NULL, &scratch), RP_OK);
		found |= needle_find(needle, &scan, out);
		while (search_field_next(search, &out)) {
			cr_assert_leq(out.n, SEARCH_FOLDED_BYTES);
			found |= needle_find(needle, &scan, out);
		}
		search_field_end(search);
	}
	return found;
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

		found = range.header ? block_has(in, NULL, &needle) : body_has(in, &range, &needle);
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

static bool field_has(const char *block, const char *name, const char *key)
{
	struct needle needle;

	cr_assert_eq(needle_init(&needle, &arena, bytes_of_str(key)), RP_OK);
	return block_has(bytes_of_str(block), name, &needle);
}

Test(search_text, one_field_by_name)
{
	static const char block[] =
	    "From: Anna\r\n <a@b>\r\nX-Empty:\r\nTo: c\r\nTO: d\r\n\r\nTo: body\r\n";

	cr_expect(field_has(block, "from", "anna <A@"));
	cr_expect(field_has(block, "To", "D"));
	cr_expect_not(field_has(block, "To", "body"));
	cr_expect_not(field_has(block, "From", "from:"));
	cr_expect(field_has(block, "x-empty", ""));
	cr_expect_not(field_has(block, "x-none", ""));
}

/* U+FDFA folds to 18 characters: whatever a field unfolds to, it comes in bounded pieces. */
Test(search_text, a_long_field_comes_in_pieces)
{
	static char block[200 * 1024] = "Subject: ";
	size_t n = strlen(block);

	while (n + 20 < sizeof(block)) {
		memcpy(block + n, "\xef\xb7\xba", 3);
		n += 3;
	}
	strcpy(block + n, "the End\r\n");
	cr_expect(field_has(block, "Subject", "THE END"));
	cr_expect(field_has(block, NULL, "subject: \xef\xb7\xba\xef\xb7\xba"));
	cr_expect_not(field_has(block, "Subject", "the end\r"));
}
