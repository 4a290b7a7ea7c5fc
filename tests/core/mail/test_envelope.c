#include <criterion/criterion.h>

#include "core/mail/envelope.h"
#include "tests/support/mail/mail_check.h"

#include <stdio.h>

static struct bytes render(struct arena *arena, struct bytes block)
{
	uint32_t left = ENVELOPE_MESSAGE_ADDRESSES_MAX;
	struct text out;

	text_init(&out, arena);
	cr_assert(envelope_render(&out, block, arena, &left));
	const char *wrong = mail_check_envelope(text_bytes(&out));

	cr_assert_null(wrong, "%s: %.*s", wrong, BYTES_FMT(text_bytes(&out)));
	return text_bytes(&out);
}

static void check(const char *block, const char *want)
{
	struct arena arena;

	arena_init(&arena, 1 << 20);
	struct bytes got = render(&arena, bytes_of_str(block));

	cr_expect(bytes_eq(got, bytes_of_str(want)), "got  %.*s\nwant %s", BYTES_FMT(got), want);
	arena_fini(&arena);
}

Test(envelope, an_ordinary_message)
{
	check("Date: Mon, 1 Jan 2024 10:00:00 +0100\r\n"
	      "From: Anna <anna@example.com>\r\n"
	      "To: b@example.com, \"C, D\" <c@example.com>\r\n"
	      "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n aus Bern\r\n"
	      "Message-ID: <1@example.com>\r\n"
	      "In-Reply-To: <0@example.com>\r\n\r\n",
	    "(\"Mon, 1 Jan 2024 10:00:00 +0100\" \"=?utf-8?q?Gr=C3=BC=C3=9Fe?= aus Bern\" "
	    "((\"Anna\" NIL \"anna\" \"example.com\")) "
	    "((\"Anna\" NIL \"anna\" \"example.com\")) "
	    "((\"Anna\" NIL \"anna\" \"example.com\")) "
	    "((NIL NIL \"b\" \"example.com\")(\"C, D\" NIL \"c\" \"example.com\")) NIL NIL "
	    "\"<0@example.com>\" \"<1@example.com>\")");
}

Test(envelope, nothing_at_all_is_nil_everywhere)
{
	check("", ENVELOPE_EMPTY);
	check("X: y\r\n\r\nSubject: in the body\r\n", ENVELOPE_EMPTY);
}

Test(envelope, an_empty_list_is_nil_and_an_empty_subject_is_empty)
{
	check("Subject:\r\nTo:\r\nCc: ,\r\nMessage-ID: \r\n",
	    "(NIL \"\" NIL NIL NIL NIL NIL NIL NIL \"\")");
}

Test(envelope, empty_sender_and_reply_to_stand_for_from)
{
	check("From: a@b\r\nSender: \r\nReply-To: c@d\r\n",
	    "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) "
	    "NIL NIL NIL NIL NIL)");
}

Test(envelope, groups_as_the_standard_has_them)
{
	check("To: undisclosed-recipients:;\r\nCc: T: a@b;\r\n",
	    "(NIL NIL NIL NIL NIL "
	    "((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL)) "
	    "((NIL NIL \"T\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)) NIL NIL NIL)");
}

/* A mailbox without a host is no group: its host is empty, not NIL. */
Test(envelope, a_missing_host_is_empty)
{
	check("From: root\r\n", "(NIL NIL ((NIL NIL \"root\" \"\")) ((NIL NIL \"root\" \"\")) "
	                        "((NIL NIL \"root\" \"\")) NIL NIL NIL NIL NIL)");
}

Test(envelope, quotes_and_backslashes_are_escaped)
{
	check("Message-ID: <\"a\\b\"@c>\r\nSubject: say \"hi\"\r\n",
	    "(NIL \"say \\\"hi\\\"\" NIL NIL NIL NIL NIL NIL NIL \"<\\\"a\\\\b\\\"@c>\")");
}

Test(envelope, eight_bit_is_a_literal)
{
	check("Subject: caf\xe9\r\nFrom: \xc3\xa4 <a@b>\r\nSender: x@y\r\nReply-To: x@y\r\n",
	    "(NIL {4}\r\ncaf\xe9 (({2}\r\n\xc3\xa4 NIL \"a\" \"b\")) ((NIL NIL \"x\" \"y\")) "
	    "((NIL NIL \"x\" \"y\")) NIL NIL NIL NIL NIL)");
}

/* Encoded CR LF, NUL and quotes are sent as the mail has them; a real NUL goes as 0x80. */
Test(envelope, nothing_is_decoded_into_the_protocol)
{
	struct arena arena;

	check("Subject: =?utf-8?q?a=0D=0A*_BYE=22=00?=\r\n",
	    "(NIL \"=?utf-8?q?a=0D=0A*_BYE=22=00?=\" NIL NIL NIL NIL NIL NIL NIL NIL)");
	arena_init(&arena, 1 << 20);
	cr_assert(bytes_eq(render(&arena, BYTES_LIT("Subject: a\0b\r\n")),
	    BYTES_LIT("(NIL {3}\r\na\x80"
	              "b NIL NIL NIL NIL NIL NIL NIL NIL)")));
	arena_fini(&arena);
}

Test(envelope, the_first_of_repeated_lines_and_all_of_repeated_lists)
{
	check("Subject: one\r\nSubject: two\r\nTo: a@b\r\nTo: c@d\r\n",
	    "(NIL \"one\" NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL "
	    "NIL)");
}

static size_t count_addresses(struct bytes text)
{
	size_t count = 0;

	for (size_t at = 0; at < text.n; at++)
		count += text.n - at > 9 && memcmp(text.p + at, "(NIL NIL ", 9) == 0;
	return count;
}

Test(envelope, a_thousand_addresses_of_a_field)
{
	for (int count = 999; count <= 1001; count++) {
		struct arena arena;
		struct text in;

		arena_init(&arena, 4 << 20);
		text_init(&in, &arena);
		text_put_str(&in, "Date: d\r\nTo: a@b");
		for (int i = 1; i < count; i++)
			text_put_str(&in, ",a@b");
		cr_assert_eq(count_addresses(render(&arena, text_bytes(&in))),
		    (size_t)(count < 1000 ? count : 1000));
		arena_fini(&arena);
	}
}

/* The address that is over the bound may lie in a group; the group is closed all the same. */
Test(envelope, a_group_cut_by_the_bound_is_closed)
{
	struct arena arena;
	struct text in;

	arena_init(&arena, 4 << 20);
	text_init(&in, &arena);
	text_put_str(&in, "To: g: a@b");
	for (int i = 0; i < 2000; i++)
		text_put_str(&in, ",a@b");
	struct bytes got = render(&arena, text_bytes(&in));

	static const char tail[] = "(NIL NIL NIL NIL)) NIL NIL NIL NIL)";

	cr_assert(bytes_eq(bytes_from(got, got.n - strlen(tail)), bytes_of_str(tail)));
	arena_fini(&arena);
}

Test(envelope, the_bound_of_the_message_counts_down)
{
	struct arena arena;
	struct text out;
	uint32_t left = 3;

	arena_init(&arena, 1 << 20);
	text_init(&out, &arena);
	cr_assert(envelope_render(
	    &out, BYTES_LIT("Date: d\r\nTo: a@b, a@b\r\nCc: a@b, a@b"), &arena, &left));
	cr_assert_eq(left, 0);
	cr_assert_eq(count_addresses(text_bytes(&out)), 3);
	arena_fini(&arena);
}
