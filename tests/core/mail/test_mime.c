#include <criterion/criterion.h>

#include "core/mail/mime.h"
#include "tests/support/mail/mail_check.h"

#include <stdio.h>
#include <time.h>

static struct arena arena;

static void set_up(void)
{
	arena_init(&arena, 64 << 20);
}

static void tear_down(void)
{
	arena_fini(&arena);
}

TestSuite(mime, .init = set_up, .fini = tear_down);

static struct mime parse(struct bytes message)
{
	struct mime mime;

	cr_assert_eq(mime_parse(&arena, MIME_FOR_INDEX, message, &mime), RP_OK);
	const char *wrong = mail_check_tree(&mime);

	cr_assert_null(wrong, "%s", wrong);
	return mime;
}

static void check(const char *message, const char *outline)
{
	struct mime mime = parse(bytes_of_str(message));
	struct bytes got = mail_check_outline(&arena, &mime);

	cr_expect(
	    bytes_eq(got, bytes_of_str(outline)), "got  %.*s\nwant %s", BYTES_FMT(got), outline);
}

static void check_body(
    const struct mime *mime, const char *message, int32_t index, const char *want)
{
	const struct mime_part *part = &mime->part[index];
	struct bytes got = bytes_slice(bytes_of_str(message), part->body_offset, part->end);

	cr_expect(bytes_eq(got, bytes_of_str(want)), "part %d: got %.*s", index, BYTES_FMT(got));
}

#define MULTI(b) "Content-Type: multipart/mixed; boundary=\"" b "\"\r\n\r\n"

static const char simple[] = MULTI("x") "preamble\r\n"
                                        "--x\r\n\r\n"
                                        "one\r\ntwo\r\n"
                                        "--x\r\nContent-Type: text/html\r\n\r\n"
                                        "<p>\r\n\r\n"
                                        "--x--\r\nepilogue\r\n";

Test(mime, offsets_and_lines_of_a_simple_multipart)
{
	struct mime mime = parse(bytes_of_str(simple));

	cr_assert_eq(mime.count, 3);
	check_body(&mime, simple, 1, "one\r\ntwo");
	check_body(&mime, simple, 2, "<p>\r\n");
	cr_assert_eq(mime.part[1].lines, 1);
	cr_assert_eq(mime.part[2].lines, 1);
	cr_assert_eq(mime.part[0].lines, 12);
	cr_assert_eq(mime.part[2].body_offset - mime.part[2].header_offset, 27);
}

Test(mime, any_cut_gives_the_same_tree)
{
	struct mime whole = parse(bytes_of_str(simple));

	for (size_t cut = 1; cut < sizeof(simple); cut++) {
		struct mime_parser parser;

		cr_assert_eq(mime_init(&parser, &arena, MIME_FOR_INDEX), RP_OK);
		for (size_t at = 0; at < sizeof(simple) - 1; at += cut) {
			size_t n = at + cut < sizeof(simple) - 1 ? cut : sizeof(simple) - 1 - at;

			mime_feed(&parser, bytes_of(simple + at, n));
		}
		const struct mime *mime = mime_finish(&parser);

		cr_assert_eq(mime->count, whole.count);
		for (int32_t i = 0; i < whole.count; i++) {
			cr_assert_eq(mime->part[i].header_offset, whole.part[i].header_offset);
			cr_assert_eq(mime->part[i].body_offset, whole.part[i].body_offset);
			cr_assert_eq(mime->part[i].end, whole.part[i].end);
			cr_assert_eq(mime->part[i].lines, whole.part[i].lines);
		}
	}
}

Test(mime, messages_without_structure)
{
	check("", "text/plain");
	check("\r\n", "text/plain");
	check("Subject: x", "text/plain");
	check("no header at all\r\nand no empty line\r\n", "text/plain");
	check("Content-Type: text\r\n\r\nx", "text/plain");
	check("Content-Type: ;;;\r\n\r\nx", "text/plain");
	check("Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\n", "text/plain");
	check("Content-Type: Image/PNG\r\n\r\nx", "image/png");
}

/* CLIENTS C-51: never a multipart without a part. */
Test(mime, an_empty_multipart_has_one_empty_text)
{
	static const char *const messages[] = {MULTI("x"), MULTI("x") "--x--\r\n",
	    MULTI("x") "preamble only", "Content-Type: multipart/mixed; boundary=x"};

	for (size_t i = 0; i < 4; i++) {
		struct mime mime = parse(bytes_of_str(messages[i]));

		check(messages[i], "multipart/mixed(text/plain)");
		cr_assert_eq(mime_body_bytes(&mime.part[1]), 0);
		cr_assert_eq(mime.part[1].lines, 0);
	}
}

Test(mime, the_same_boundary_nested_belongs_to_the_inner_one_first)
{
	check(MULTI("x") "--x\r\n" MULTI("x") "--x\r\n\r\na\r\n--x--\r\n--x\r\n\r\nb\r\n--x--\r\n",
	    "multipart/mixed(multipart/mixed(text/plain),text/plain)");
}

Test(mime, a_boundary_that_begins_like_another_is_another)
{
	check(MULTI("x") "--x\r\n" MULTI(
	          "xy") "--xy\r\n\r\na\r\n--x y\r\n--xyz\r\n--xy--\r\n--x--\r\n",
	    "multipart/mixed(multipart/mixed(text/plain))");
	/* "a--" within "a": the line --a-- is the inner one's */
	check(MULTI("a") "--a\r\n" MULTI(
	          "a--") "--a--\r\n\r\nx\r\n--a----\r\n--a\r\n\r\ny\r\n--a--\r\n",
	    "multipart/mixed(multipart/mixed(text/plain),text/plain)");
}

Test(mime, an_outer_boundary_ends_all_within)
{
	check(
	    MULTI("o") "--o\r\n" MULTI("i") "--i\r\n\r\na\r\n--o\r\n\r\nb\r\n--i\r\nc\r\n--o--\r\n",
	    "multipart/mixed(multipart/mixed(text/plain),text/plain)");
}

Test(mime, blanks_behind_a_boundary_do_not_matter_and_other_bytes_do)
{
	static char line[4096];

	check(MULTI("x") "--x \t \r\n\r\na\r\n--x--   \r\n", "multipart/mixed(text/plain)");
	check(MULTI("x  ") "--x  \r\n\r\na\r\n--x  --\r\n\r\n--x  \r\n",
	    "multipart/mixed(text/plain)");
	snprintf(line, sizeof(line), MULTI("x") "--x%2000s\r\n\r\na\r\n--x\r\n\r\nb", " ");
	check(line, "multipart/mixed(text/plain,text/plain)");
	snprintf(line, sizeof(line), MULTI("x") "--x%2000s.\r\n\r\na\r\n--x\r\n\r\nb", " ");
	check(line, "multipart/mixed(text/plain)");
	check(MULTI("x") " --x\r\n\r\na\r\n--xx\r\n--x\r\n\r\n", "multipart/mixed(text/plain)");
}

Test(mime, a_boundary_ends_a_header_block_too)
{
	static const char text[] = MULTI("x") "--x\r\nContent-Type: text/html\r\n--x\r\n\r\n--x--";
	struct mime mime = parse(bytes_of_str(text));

	check(text, "multipart/mixed(text/html,text/plain)");
	check_body(&mime, text, 1, "");
	check_body(&mime, text, 2, "");
	check(MULTI("x") "--x\r\nContent-Type: message/rfc822\r\n--x--",
	    "multipart/mixed(message/rfc822(text/plain))");
	check(MULTI("x") "--x\r\nContent-Type: multipart/mixed; boundary=x\r\n--x--",
	    "multipart/mixed(multipart/mixed(text/plain))");
}

Test(mime, messages_within_messages)
{
	static const char text[] =
	    MULTI("x") "--x\r\nContent-Type: message/rfc822\r\n\r\n"
	               "Subject: in\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n"
	               "--y\r\n\r\na\r\n--y--\r\n--x\r\n\r\nb\r\n--x--\r\n";
	struct mime mime = parse(bytes_of_str(text));

	check(
	    text, "multipart/mixed(message/rfc822(multipart/alternative(text/plain)),text/plain)");
	cr_assert(mime.part[2].is_message);
	cr_assert_eq(mime.part[2].header_offset, mime.part[1].body_offset);
	cr_assert_eq(mime.part[2].end, mime.part[1].end);
	cr_assert(bytes_eq(
	    mime.part[2].envelope, BYTES_LIT("(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL)")));
	check("Content-Type: message/global\r\n\r\nSubject: x\r\n\r\ny",
	    "message/global(text/plain)");
}

/* MailKit#32: it cannot be looked into, and BODYSTRUCTURE cannot show it as message/rfc822. */
Test(mime, an_encoded_message_is_a_lump_of_bytes)
{
	check("Content-Type: message/rfc822; name=m.eml\r\nContent-Transfer-Encoding: "
	      "base64\r\n\r\nAAAA",
	    "application/octet-stream");
	check("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
	    "message/rfc822(text/plain)");
}

Test(mime, a_digest_holds_messages_unless_they_say_otherwise)
{
	check("Content-Type: multipart/digest; boundary=x\r\n\r\n--x\r\n\r\nSubject: a\r\n\r\nb\r\n"
	      "--x\r\nContent-Type: text/plain\r\n\r\nc\r\n--x--",
	    "multipart/digest(message/rfc822(text/plain),text/plain)");
}

Test(mime, bare_lf_works_alike)
{
	static const char text[] =
	    "Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\nb\n--x--\n";
	struct mime mime = parse(bytes_of_str(text));

	cr_assert_eq(mime.count, 2);
	check_body(&mime, text, 1, "a\nb");
	cr_assert_eq(mime.part[1].lines, 1);
}

/* What of a multipart nested `depth` deep is still a multipart. */
static int32_t depth_seen(int depth)
{
	struct text in;
	char part[128];
	int32_t deepest = 0;

	text_init(&in, &arena);
	for (int i = 0; i < depth; i++) {
		snprintf(part, sizeof(part), MULTI("b%d") "--b%d\r\n", i, i);
		text_put_str(&in, part);
	}
	text_put_str(&in, "\r\nin the middle\r\n");
	struct mime mime = parse(text_bytes(&in));

	for (int32_t i = 0; i < mime.count; i++)
		if (mime.part[i].depth > deepest)
			deepest = mime.part[i].depth;
	bool whole = depth < MIME_DEPTH_MAX;

	cr_assert(bytes_eq(mime.part[mime.count - 1].fields->type,
	    whole ? BYTES_LIT("text") : BYTES_LIT("application")));
	return deepest;
}

Test(mime, a_hundred_deep_and_then_a_lump)
{
	cr_assert_eq(depth_seen(98), 99);
	cr_assert_eq(depth_seen(99), 100);
	cr_assert_eq(depth_seen(100), 100);
	cr_assert_eq(depth_seen(101), 100);
	cr_assert_eq(depth_seen(20000), 100);
}

static struct mime many_parts(int parts, const char *each)
{
	struct text in;

	text_init(&in, &arena);
	text_put_str(&in, MULTI("x"));
	for (int i = 0; i < parts; i++)
		text_put_str(&in, each);
	text_put_str(&in, "--x--\r\n");
	return parse(text_bytes(&in));
}

Test(mime, ten_thousand_parts_and_then_a_lump)
{
	struct mime mime = many_parts(9998, "--x\r\n\r\na\r\n");

	cr_assert_eq(mime.count, 9999);
	cr_assert_eq(mime.part[9998].lines, 0);

	mime = many_parts(9999, "--x\r\n\r\na\r\n");
	cr_assert_eq(mime.count, 10000);
	cr_assert(bytes_eq(mime.part[9999].fields->type, BYTES_LIT("application")));
	cr_assert_eq(mime.part[9999].end, mime.bytes);

	mime = many_parts(10000, "--x\r\n\r\na\r\n");
	cr_assert_eq(mime.count, 10000);
	cr_assert_eq(mime.part[9999].lines, 2 + 3 + 1);
	cr_assert_eq(mime.part[9999].end, mime.bytes);
}

/* CVE-2020-25275: the part at the bound is a message. */
Test(mime, a_message_at_the_bound_of_parts_is_a_lump)
{
	for (int parts = 4996; parts <= 5003; parts++) {
		many_parts(
		    parts, "--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\na\r\n");
		arena_reset(&arena);
		many_parts(parts, "--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n");
		arena_reset(&arena);
	}
}

Test(mime, a_header_block_is_cut_at_its_bound)
{
	for (int over = -1; over <= 1; over++) {
		size_t bytes = (size_t)(MIME_HEADER_BYTES_MAX + over);
		uint8_t *p = arena_alloc(&arena, bytes + 6);

		memset(p, 'a', bytes + 6);
		memcpy(p, "Subject: x\r\nX: ", 15);
		memcpy(p + bytes - 4, "\r\n\r\n", 4);
		memcpy(p + bytes, "body\r\n", 6);
		struct mime mime = parse(bytes_of(p, bytes + 6));
		size_t want = over <= 0 ? bytes : MIME_HEADER_BYTES_MAX;

		cr_assert_eq(mime.part[0].body_offset, want);
		cr_assert_eq(mime.header.n, MIME_HEADER_KEPT_MAX);
		cr_assert(bytes_eq(mime.part[0].envelope,
		    BYTES_LIT("(NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL)")));
	}
}

static size_t count_of(struct bytes text, const char *what)
{
	size_t count = 0;

	while ((text = bytes_from(text, bytes_find_bytes(text, bytes_of_str(what)))).n != 0) {
		text = bytes_from(text, 1);
		count++;
	}
	return count;
}

/* A message and those within it show ten thousand addresses together, and no field more than a thousand. */
Test(mime, ten_thousand_addresses_of_a_message)
{
	for (int over = -1; over <= 1; over++) {
		size_t shown = 0;
		struct text in;

		text_init(&in, &arena);
		text_put_str(&in, "Date: d\r\n" MULTI("x"));
		for (int i = 0; i < 10; i++) {
			text_put_str(&in, "--x\r\nContent-Type: message/rfc822\r\n\r\nDate: d\r\nTo: q@z");
			for (int k = 1; k < 1000 + (i == 9 ? over : 0); k++)
				text_put_str(&in, ",q@z");
			text_put_str(&in, i == 9 && over == 1 ? "\r\nCc: q@z\r\n\r\n\r\n" : "\r\n\r\n\r\n");
		}
		text_put_str(&in, "--x--\r\n");
		struct mime mime = parse(text_bytes(&in));

		for (int32_t i = 0; i < mime.count; i++)
			if (mime.part[i].is_message)
				shown += count_of(mime.part[i].envelope, "\"q\"");
		cr_assert_eq(shown, (size_t)(over < 0 ? 9999 : 10000));
		arena_reset(&arena);
	}
}

/* However small the arena, there is a tree, and it is consistent. */
Test(mime, short_of_memory_the_rest_is_a_lump)
{
	struct text in;

	text_init(&in, &arena);
	text_put_str(&in, MULTI("x"));
	for (int i = 0; i < 200; i++)
		text_put_str(&in,
		    "--x\r\nContent-Type: text/plain; charset=utf-8; name=n\r\n\r\na\r\n"
		    "--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\nb\r\n");
	for (size_t bytes = 64; bytes < 256 * 1024; bytes += bytes / 8 + 1) {
		struct arena small;
		struct mime_parser parser;

		arena_init(&small, bytes);
		enum rp_err err = mime_init(&parser, &small, MIME_FOR_INDEX);

		if (err == RP_OK) {
			mime_feed(&parser, text_bytes(&in));
			const char *wrong = mail_check_tree(mime_finish(&parser));

			cr_assert_null(wrong, "%zu: %s", bytes, wrong);
		}
		arena_fini(&small);
	}
}

/* ---- bombs: twice the bytes, about twice the time ---- */

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t time_of(const char *head, const char *each, size_t count)
{
	struct text in;
	struct arena tree;
	struct mime mime;

	text_init(&in, &arena);
	text_put_str(&in, head);
	for (size_t i = 0; i < count; i++)
		text_put_str(&in, each);
	arena_init(&tree, MIME_TREE_BYTES_MAX);
	uint64_t from = cpu_ns();

	cr_assert_eq(mime_parse(&tree, MIME_FOR_INDEX, text_bytes(&in), &mime), RP_OK);
	uint64_t took = cpu_ns() - from;

	cr_assert_null(mail_check_tree(&mime));
	arena_fini(&tree);
	return took;
}

Test(mime, bombs_take_linear_time, .timeout = 60)
{
	static const char *const bombs[][2] = {
	    {MULTI("x"), "--x\r\n" MULTI("x")},
	    {MULTI("x"), "--x\r\nContent-Type: message/rfc822\r\n\r\n"},
	    {MULTI("x"), "--x\r\n\r\n"},
	    {MULTI("x"), "--\r\n"},
	    {MULTI("x"), "--xx\r\n"},
	    {"", "To: a@b, c@d (((\r\n"},
	    {"", "X-Header: y\r\n"},
	    {"Content-Type: text/plain", "; a*1=b"},
	    {"Content-Type: text/plain; x=\"", "\\\""},
	    {"Content-Type: ", "("},
	    {"Content-Type: text/plain; x=y ", "("},
	    {"Content-Disposition: attachment; filename*0=\"", "(\\"},
	    {"Content-Language: ", "(,"},
	    {"Content-Transfer-Encoding: ", "("},
	    {"Subject: ", "Re: Fwd: ["},
	    {"References: ", "<a@b> "},
	    {"", "Content-Type: multipart/mixed; boundary=x\r\n"},
	    {"", "\r\n"},
	    {"", "\r"},
	    {"\r\n", "----------------------------------------"},
	};

	for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {
		uint64_t once = time_of(bombs[i][0], bombs[i][1], 20000);
		uint64_t eight = time_of(bombs[i][0], bombs[i][1], 160000);

		cr_expect_lt(eight, 24 * once + 30 * 1000 * 1000, "bomb %zu: %lu ns, then %lu ns",
		    i, (unsigned long)once, (unsigned long)eight);
		arena_reset(&arena);
	}
}
