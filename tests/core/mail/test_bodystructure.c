#include <criterion/criterion.h>

#include "core/mail/bodystructure.h"
#include "tests/support/mail/mail_check.h"

static struct bytes render(struct arena *arena, struct bytes message, enum bodystructure_form form)
{
	struct mime mime;
	struct text out;

	cr_assert_eq(mime_parse(arena, MIME_FOR_INDEX, message, &mime), RP_OK);
	text_init(&out, arena);
	cr_assert(bodystructure_render(&out, &mime, form));
	const char *wrong = mail_check_body(text_bytes(&out), form == BODYSTRUCTURE_EXTENDED);

	cr_assert_null(wrong, "%s: %.*s", wrong, BYTES_FMT(text_bytes(&out)));
	return text_bytes(&out);
}

static void check(const char *message, enum bodystructure_form form, const char *want)
{
	struct arena arena;

	arena_init(&arena, 4 << 20);
	struct bytes got = render(&arena, bytes_of_str(message), form);

	cr_expect(bytes_eq(got, bytes_of_str(want)), "got  %.*s\nwant %s", BYTES_FMT(got), want);
	arena_fini(&arena);
}

Test(bodystructure, a_message_that_says_nothing)
{
	check("\r\nhello\r\nyou\r\n", BODYSTRUCTURE_BASIC,
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 12 2)");
	check("\r\nhello\r\nyou\r\n", BODYSTRUCTURE_EXTENDED,
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 12 2 NIL NIL NIL "
	    "NIL)");
}

Test(bodystructure, all_fields_of_a_leaf)
{
	static const char message[] =
	    "Content-Type: image/png; name=\"a b.png\"; x\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "Content-ID: <1@x>\r\n"
	    "Content-Description: a\r\n picture\r\n"
	    "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\n"
	    "Content-Disposition: inline; filename*0*=utf-8''a; filename*1=b\r\n"
	    "Content-Language: de, en-GB\r\n"
	    "Content-Location: http://x/y\r\n"
	    "\r\nAAAA\r\n";

	check(message, BODYSTRUCTURE_EXTENDED,
	    "(\"image\" \"png\" (\"name\" \"a b.png\" \"x\" \"\") \"<1@x>\" \"a picture\" "
	    "\"base64\" 6 "
	    "\"Q2hlY2sgSW50ZWdyaXR5IQ==\" (\"inline\" (\"filename*\" \"utf-8''ab\")) "
	    "(\"de\" \"en-GB\") \"http://x/y\")");
	check(message, BODYSTRUCTURE_BASIC,
	    "(\"image\" \"png\" (\"name\" \"a b.png\" \"x\" \"\") \"<1@x>\" \"a picture\" "
	    "\"base64\" 6)");
}

/* MailKit#919 and modern-email/defects 41, 50. */
Test(bodystructure, nothing_is_nil_that_clients_choke_on)
{
	check("Content-Type: text/plain; charset=\r\nContent-Transfer-Encoding:\r\n"
	      "Content-Disposition: inline\r\n\r\n",
	    BODYSTRUCTURE_EXTENDED,
	    "(\"text\" \"plain\" (\"charset\" \"\") NIL NIL \"7BIT\" 0 0 NIL (\"inline\" NIL) NIL "
	    "NIL)");
}

Test(bodystructure, a_multipart)
{
	static const char message[] =
	    "Content-Type: multipart/alternative; boundary=x\r\n"
	    "Content-Disposition: inline\r\n\r\n"
	    "--x\r\nContent-Type: text/plain\r\n\r\nhi\r\n"
	    "--x\r\nContent-Type: text/html\r\n\r\n<p>hi\r\n\r\n--x--\r\n";

	check(message, BODYSTRUCTURE_BASIC,
	    "((\"text\" \"plain\" NIL NIL NIL \"7BIT\" 2 0)"
	    "(\"text\" \"html\" NIL NIL NIL \"7BIT\" 7 1) \"alternative\")");
	check(message, BODYSTRUCTURE_EXTENDED,
	    "((\"text\" \"plain\" NIL NIL NIL \"7BIT\" 2 0 NIL NIL NIL NIL)"
	    "(\"text\" \"html\" NIL NIL NIL \"7BIT\" 7 1 NIL NIL NIL NIL) \"alternative\" "
	    "(\"boundary\" \"x\") (\"inline\" NIL) NIL NIL)");
}

Test(bodystructure, an_empty_multipart_has_one_empty_text)
{
	check("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x--\r\n", BODYSTRUCTURE_BASIC,
	    "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 0 0) \"mixed\")");
}

Test(bodystructure, a_message_within)
{
	check("Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\na\r\nb\r\n",
	    BODYSTRUCTURE_BASIC,
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7BIT\" 21 "
	    "(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 6 2) 4)");
}

Test(bodystructure, a_name_in_eight_bit_is_a_literal)
{
	check("Content-Type: text/plain; name=\"\xc3\xa4\"\r\n\r\n", BODYSTRUCTURE_BASIC,
	    "(\"text\" \"plain\" (\"name\" {2}\r\n\xc3\xa4) NIL NIL \"7BIT\" 0 0)");
}
