#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdlib.h>

#include "tests/core/cmd/cmd_fixture.h"
#include "tests/core/cmd/fake.h"

static struct cmd_fixture f;

#define PLAIN                                                                                      \
	"From: Sam <sam@example.org>\r\nSubject: Hello\r\nX-Other: o\r\n"                          \
	"Date: Sat, 1 Feb 2020 10:00:00 +0100\r\n\r\nline one\r\nline two\r\n"
#define MULTI                                                                                      \
	"Subject: two\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"                        \
	"--b\r\n\r\nfirst\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--\r\n"

static void open_fixture(void)
{
	cmd_fixture_login(&f, NULL);
	cmd_fixture_append(&f, "INBOX", "(\\Flagged Work) \" 1-Feb-2020 10:00:00 +0100\" ", BYTES_LIT(PLAIN));
	cmd_fixture_append(&f, "INBOX", "", BYTES_LIT(MULTI));
	cmd_fixture_append(&f, "INBOX", "(\\Seen) ", BYTES_LIT("\r\nno header, \0 nul\r\n"));
	cmd_fixture_say(&f, "s SELECT INBOX");
}

static void close_fixture(void)
{
	cmd_fixture_close(&f);
}

TestSuite(cmd_fetch, .init = open_fixture, .fini = close_fixture);

Test(cmd_fetch, flags_of_all)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 1:* FLAGS"),
	    "* 1 FETCH (FLAGS (\\Flagged Work))\r\n"
	    "* 2 FETCH (FLAGS ())\r\n"
	    "* 3 FETCH (FLAGS (\\Seen))\r\n"
	    "a OK FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a UID FETCH 3 (FLAGS)"),
	    "* 3 FETCH (UID 3 FLAGS (\\Seen))\r\na OK UID FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 3 (FLAGS UID)"),
	    "* 3 FETCH (FLAGS (\\Seen) UID 3)\r\na OK FETCH completed\r\n");
}

Test(cmd_fetch, sets_of_uids_beyond_the_end)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a UID FETCH 500:* UID"),
	    "* 3 FETCH (UID 3)\r\na OK UID FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a UID FETCH 77 UID"), "a OK UID FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a UID FETCH 2:1 UID"),
	    "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\na OK UID FETCH completed\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "a FETCH 4 UID"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a FETCH 0 UID"), "a BAD ");
}

Test(cmd_fetch, star_in_an_empty_mailbox_is_nothing)
{
	cmd_fixture_say(&f, "c CREATE empty");
	cmd_fixture_say(&f, "s SELECT empty");
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 1:* FLAGS"), "a OK FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a UID FETCH 1:* FLAGS"), "a OK UID FETCH completed\r\n");
}

Test(cmd_fetch, items_come_in_the_order_asked)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 1 (RFC822.SIZE INTERNALDATE FLAGS UID)"),
	    "* 1 FETCH (RFC822.SIZE 117 INTERNALDATE \" 1-Feb-2020 10:00:00 +0100\" "
	    "FLAGS (\\Flagged Work) UID 1)\r\na OK FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 1 ENVELOPE"),
	    "* 1 FETCH (ENVELOPE (\"Sat, 1 Feb 2020 10:00:00 +0100\" \"Hello\" "
	    "((\"Sam\" NIL \"sam\" \"example.org\")) ((\"Sam\" NIL \"sam\" \"example.org\")) "
	    "((\"Sam\" NIL \"sam\" \"example.org\")) NIL NIL NIL NIL NIL))\r\n"
	    "a OK FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 1 BODY"),
	    "* 1 FETCH (BODY (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 20 2))\r\n"
	    "a OK FETCH completed\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "a FETCH 2 FAST"), "* 2 FETCH (FLAGS () INTERNALDATE \"");
	cmd_fixture_has(cmd_fixture_say(&f, "a FETCH 2 BODYSTRUCTURE"), "\"mixed\" (\"boundary\" \"b\")");
}

Test(cmd_fetch, reading_marks_as_seen_and_tells)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 1 BODY[TEXT]"),
	    "* 1 FETCH (BODY[TEXT] {20}\r\nline one\r\nline two\r\n FLAGS (\\Flagged \\Seen Work))\r\n"
	    "a OK FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 1 BODY[TEXT]"),
	    "* 1 FETCH (BODY[TEXT] {20}\r\nline one\r\nline two\r\n)\r\na OK FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 2 (FLAGS RFC822.TEXT)"),
	    "* 2 FETCH (FLAGS (\\Seen) RFC822.TEXT {58}\r\n--b\r\n\r\nfirst\r\n--b\r\nContent-Type: text/html"
	    "\r\n\r\n<p>\r\n--b--\r\n)\r\na OK FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "b NOOP"), "b OK NOOP completed\r\n");
}

Test(cmd_fetch, peek_and_examine_do_not_mark)
{
	cmd_fixture_lacks(cmd_fixture_say(&f, "a FETCH 1 BODY.PEEK[]"), "FLAGS");
	cmd_fixture_lacks(cmd_fixture_say(&f, "a FETCH 1 RFC822.HEADER"), "FLAGS");
	cmd_fixture_say(&f, "s EXAMINE INBOX");
	cmd_fixture_lacks(cmd_fixture_say(&f, "a FETCH 1 BODY[]"), "FLAGS");
	cr_assert_eq(fake_find(fake_mailbox("INBOX"), 1)->message.flags, (uint32_t)MAIL_FLAGGED);
}

Test(cmd_fetch, sections)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 2 BODY.PEEK[1]"),
	    "* 2 FETCH (BODY[1] {5}\r\nfirst)\r\na OK FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 2 BODY.PEEK[2.MIME]"),
	    "* 2 FETCH (BODY[2.MIME] {27}\r\nContent-Type: text/html\r\n\r\n)\r\na OK FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 2 BODY.PEEK[3]"),
	    "* 2 FETCH (BODY[3] NIL)\r\na OK FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 1 BODY.PEEK[1]"),
	    "* 1 FETCH (BODY[1] {20}\r\nline one\r\nline two\r\n)\r\na OK FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 1 BODY.PEEK[HEADER.FIELDS (subject X-OTHER)]"),
	    "* 1 FETCH (BODY[HEADER.FIELDS (subject X-OTHER)] {30}\r\nSubject: Hello\r\nX-Other: o\r\n\r\n)\r\n"
	    "a OK FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]"),
	    "* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {18}\r\nSubject: Hello\r\n\r\n)\r\n"
	    "a OK FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (FROM DATE X-OTHER)]"),
	    "* 1 FETCH (BODY[HEADER.FIELDS.NOT (FROM DATE X-OTHER)] {18}\r\nSubject: Hello\r\n\r\n)\r\n"
	    "a OK FETCH completed\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "a FETCH 3 RFC822.HEADER"), "RFC822.HEADER {2}\r\n\r\n)");
}

Test(cmd_fetch, partials_join_to_the_whole)
{
	char joined[200] = "";
	size_t n = 0;

	for (size_t at = 0; at < 140; at += 9) {
		char line[100];
		unsigned bytes = 0;
		const char *answer;
		const char *literal;

		snprintf(line, sizeof(line), "a FETCH 1 BODY.PEEK[]<%zu.9>", at);
		answer = cmd_fixture_say(&f, line);
		literal = strchr(answer, '{');
		cr_assert_not_null(literal);
		cr_assert_eq(sscanf(literal, "{%u}", &bytes), 1);
		literal = strchr(literal, '\n') + 1;
		memcpy(joined + n, literal, bytes);
		n += bytes;
		cr_assert_eq(memcmp(literal + bytes, ")\r\na OK", 7), 0);
		snprintf(line, sizeof(line), "BODY[]<%zu> {", at);
		cmd_fixture_has(answer, line);
	}
	cr_assert(bytes_eq(bytes_of(joined, n), BYTES_LIT(PLAIN)));
}

Test(cmd_fetch, nul_is_masked)
{
	cmd_fixture_has(cmd_fixture_say(&f, "a FETCH 3 BODY[TEXT]"), "{18}\r\nno header, \x80 nul\r\n)");
	cmd_fixture_has(cmd_fixture_say(&f, "a FETCH 3 RFC822.SIZE"), "RFC822.SIZE 20)");
}

Test(cmd_fetch, a_damaged_body_is_no_and_the_rest_is_served)
{
	fake_find(fake_mailbox("INBOX"), 1)->corrupt = true;
	cmd_fixture_is(cmd_fixture_say(&f, "a UID FETCH 1:2 (BODY.PEEK[1] FLAGS)"),
	    "* 1 FETCH (UID 1 FLAGS (\\Flagged Work))\r\n"
	    "* 2 FETCH (UID 2 BODY[1] {5}\r\nfirst FLAGS ())\r\n"
	    "a NO [CORRUPTION] Stored data are damaged\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 1 BODY.PEEK[1]"),
	    "a NO [CORRUPTION] Stored data are damaged\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "a FETCH 1 (ENVELOPE BODY.PEEK[HEADER.FIELDS (SUBJECT)])"), "a OK ");
}

Test(cmd_fetch, a_message_expunged_elsewhere_can_still_be_read)
{
	struct cmd_fixture other;

	cmd_fixture_login(&other, &f);
	cmd_fixture_say(&other, "s SELECT INBOX");
	cmd_fixture_say(&other, "a STORE 1 +FLAGS.SILENT \\Deleted");
	cmd_fixture_has(cmd_fixture_say(&other, "b EXPUNGE"), "* 1 EXPUNGE\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 1 BODY.PEEK[1]"),
	    "* 1 FETCH (BODY[1] {20}\r\nline one\r\nline two\r\n)\r\na OK FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a NOOP"), "* 1 EXPUNGE\r\na OK NOOP completed\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "a FETCH 1 UID"), "* 1 FETCH (UID 2)\r\n");
	cmd_fixture_close(&other);
}

Test(cmd_fetch, modseq_and_changedsince)
{
	const char *answer = cmd_fixture_say(&f, "a FETCH 1:* (UID) (CHANGEDSINCE 0)");

	cmd_fixture_has(answer, "* 1 FETCH (UID 1 MODSEQ (2))\r\n");
	cmd_fixture_has(answer, "* 3 FETCH (UID 3 MODSEQ (4))\r\n");
	cr_assert_neq(f.session.enabled & SESSION_CONDSTORE, 0);
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 1:* (FLAGS) (CHANGEDSINCE 3)"),
	    "* 3 FETCH (FLAGS (\\Seen) MODSEQ (4))\r\na OK FETCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 2 MODSEQ"),
	    "* 2 FETCH (MODSEQ (3))\r\na OK FETCH completed\r\n");
	answer = cmd_fixture_say(&f, "a FETCH 2 BODY[1]");
	cmd_fixture_has(answer, "* 2 FETCH (UID 2 BODY[1] ");
	cmd_fixture_has(answer, " FLAGS (\\Seen) MODSEQ (5))\r\n");
	cmd_fixture_lacks(cmd_fixture_say(&f, "a FETCH 2 BODY[1]"), "MODSEQ");
	cmd_fixture_has(
	    cmd_fixture_say(&f, "a UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)"), "a BAD ");
}

Test(cmd_fetch, a_large_body_leaves_in_pieces)
{
	size_t n = 300000;
	char *text = malloc(n);
	const char *answer;

	cr_assert_not_null(text);
	memset(text, 'x', n);
	memcpy(text, "\r\n", 2);
	text[150000] = '\0';
	cmd_fixture_append(&f, "INBOX", "", bytes_of(text, n));
	f.flushes = 0;
	answer = cmd_fixture_say(&f, "a FETCH 4 BODY.PEEK[]");
	cr_assert_gt(f.flushes, 3);
	text[150000] = (char)0x80;
	cmd_fixture_has(answer, "* 4 FETCH (BODY[] {300000}\r\n");
	answer = strchr(answer, '}') + 3;
	cr_assert_eq(memcmp(answer, text, n), 0);
	cmd_fixture_is(answer + n, ")\r\na OK FETCH completed\r\n");
	fake_find(fake_mailbox("INBOX"), 4)->corrupt = true;
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 4 BODY.PEEK[]"),
	    "a NO [CORRUPTION] Stored data are damaged\r\n");
	free(text);
}

Test(cmd_fetch, grammar)
{
	cmd_fixture_has(cmd_fixture_say(&f, "a FETCH"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a FETCH 1"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a FETCH 1 ()"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a FETCH 1 NONSENSE"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a FETCH 1 FLAGS UID"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a FETCH 1 (BODY[MIME])"), "a BAD ");
}

/* However many pieces of one message are asked for, the output is looked at between them: it is bounded. */
Test(cmd_fetch, many_items_of_one_message_are_flushed_between)
{
	enum { BYTES = 500 * 1000, ITEMS = 90 };
	char *message = malloc(BYTES + 1);
	char command[10000] = "a FETCH 4 (";

	cr_assert_not_null(message);
	memset(message, 'x', BYTES);
	message[BYTES] = '\0';
	memcpy(message, "Subject: x\r\n\r\n", 14);
	f.piece_bytes = 64 * 1024;
	cmd_fixture_has(cmd_fixture_append(&f, "INBOX", "", bytes_of_str(message)), "ap OK");
	free(message);
	cmd_fixture_say(&f, "n NOOP");
	for (unsigned i = 0; i < ITEMS; i++)
		sprintf(command + strlen(command), "BODY.PEEK[TEXT]<%u.60000> ", i);
	strcat(command, "UID)");
	f.flushes = 0;
	cmd_fixture_has(cmd_fixture_say(&f, command), " UID 4)\r\na OK FETCH completed\r\n");
	cr_assert_gt(f.flushes, ITEMS / 3);
}
