#include <criterion/criterion.h>

#include "core/mail/mime_section.h"

static const char message[] = "Subject: outer\r\n"
                              "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
                              "--x\r\nA: 1\r\n\r\none\r\n"
                              "--x\r\nContent-Type: message/rfc822\r\n\r\n"
                              "Subject: inner\r\n\r\ntwo\r\n"
                              "--x\r\nContent-Type: message/rfc822\r\n\r\n"
                              "Subject: deep\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n"
                              "--y\r\nB: 2\r\n\r\nthree\r\n--y--\r\n"
                              "--x--\r\n";

/* The section's bytes, "NIL" when there are none. */
static struct bytes section_of(const char *of, enum mime_section_kind kind, const char *parts)
{
	static struct arena arena;
	struct mime mime;
	struct mime_range range;
	uint32_t part[8];
	struct mime_section section = {.part = part, .kind = kind};

	for (const char *p = parts; *p != 0; p++)
		if (*p != '.')
			part[section.part_count++] = (uint32_t)(*p - '0');
	arena_fini(&arena);
	arena_init(&arena, 1 << 20);
	cr_assert_eq(mime_parse(&arena, MIME_FOR_SECTIONS, bytes_of_str(of), &mime), RP_OK);
	bool found = mime_section_find(&mime, &section, &range) == RP_OK;
	struct bytes out = BYTES_LIT("NIL");

	if (found)
		out = bytes_slice(bytes_of_str(of), range.offset, range.offset + range.bytes);
	arena_fini(&arena);
	return out;
}

struct section_case {
	const char *message;
	enum mime_section_kind kind;
	const char *parts;
	const char *want;
};

Test(mime_section, parts_and_what_of_them)
{
	static const char plain[] = "Subject: p\r\n\r\nbody\r\n";
	static const struct section_case cases[] = {
	    {plain, MIME_SECTION_BODY, "", plain},
	    {plain, MIME_SECTION_HEADER, "", "Subject: p\r\n\r\n"},
	    {plain, MIME_SECTION_TEXT, "", "body\r\n"},
	    {plain, MIME_SECTION_BODY, "1", "body\r\n"},
	    {plain, MIME_SECTION_MIME, "1", "Subject: p\r\n\r\n"},
	    {plain, MIME_SECTION_BODY, "2", "NIL"},
	    {plain, MIME_SECTION_BODY, "1.1", "NIL"},
	    {plain, MIME_SECTION_HEADER, "1", "NIL"},
	    {plain, MIME_SECTION_BODY, "0", "NIL"},
	    {message, MIME_SECTION_BODY, "1", "one"},
	    {message, MIME_SECTION_MIME, "1", "A: 1\r\n\r\n"},
	    {message, MIME_SECTION_BODY, "1.1", "NIL"},
	    {message, MIME_SECTION_BODY, "2", "Subject: inner\r\n\r\ntwo"},
	    {message, MIME_SECTION_MIME, "2", "Content-Type: message/rfc822\r\n\r\n"},
	    {message, MIME_SECTION_HEADER, "2", "Subject: inner\r\n\r\n"},
	    {message, MIME_SECTION_TEXT, "2", "two"},
	    {message, MIME_SECTION_BODY, "2.1", "two"},
	    {message, MIME_SECTION_BODY, "2.2", "NIL"},
	    {message, MIME_SECTION_BODY, "3.1", "three"},
	    {message, MIME_SECTION_MIME, "3.1", "B: 2\r\n\r\n"},
	    {message, MIME_SECTION_HEADER, "3",
	        "Subject: deep\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n"},
	    {message, MIME_SECTION_BODY, "4", "NIL"},
	    {message, MIME_SECTION_MIME, "", "NIL"},
	    {message, MIME_SECTION_TEXT, "1", "NIL"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes got = section_of(cases[i].message, cases[i].kind, cases[i].parts);

		cr_expect(bytes_eq(got, bytes_of_str(cases[i].want)), "case %zu: %.*s", i,
		    BYTES_FMT(got));
	}
}

static void check_fields(
    enum mime_section_kind kind, const struct bytes *names, size_t count, const char *want)
{
	const struct bytes block = BYTES_LIT("To: a\r\nSubject: x\r\n y\r\njunk\r\nto: b\r\n\r\n");
	const struct mime_section section = {.kind = kind, .name = names, .name_count = count};
	struct arena arena;
	struct text out;

	arena_init(&arena, 1 << 20);
	text_init(&out, &arena);
	cr_assert(mime_section_fields(&out, block, &section));
	cr_expect(
	    bytes_eq(text_bytes(&out), bytes_of_str(want)), "%.*s", BYTES_FMT(text_bytes(&out)));
	arena_fini(&arena);
}

Test(mime_section, header_fields_and_the_others)
{
	const struct bytes names[] = {BYTES_LIT("TO"), BYTES_LIT("cc"), BYTES_LIT("To")};
	const struct bytes empty = BYTES_LIT("");

	check_fields(MIME_SECTION_FIELDS, names, 3, "To: a\r\nto: b\r\n\r\n");
	check_fields(MIME_SECTION_FIELDS_NOT, names, 3, "Subject: x\r\n y\r\njunk\r\n\r\n");
	check_fields(MIME_SECTION_FIELDS, names + 1, 1, "\r\n");
	check_fields(MIME_SECTION_FIELDS, &empty, 1, "\r\n");
	check_fields(MIME_SECTION_FIELDS_NOT, &empty, 1,
	    "To: a\r\nSubject: x\r\n y\r\njunk\r\nto: b\r\n\r\n");
	check_fields(
	    MIME_SECTION_FIELDS_NOT, NULL, 0, "To: a\r\nSubject: x\r\n y\r\njunk\r\nto: b\r\n\r\n");
}
