#include <criterion/criterion.h>

#include "tests/core/cmd/cmd_fixture.h"
#include "tests/core/cmd/fake.h"

static struct cmd_fixture f;

static void open_fixture(void)
{
	cmd_fixture_login(&f, NULL);
}

static void close_fixture(void)
{
	cmd_fixture_close(&f);
}

TestSuite(cmd_append, .init = open_fixture, .fini = close_fixture);

Test(cmd_append, a_message_gets_its_uid_flags_and_date)
{
	cmd_fixture_is(cmd_fixture_append(&f, "INBOX", "(\\Seen $Junk \\Unknown) \" 1-Feb-2020 10:00:00 +0100\" ",
			   BYTES_LIT("Subject: x\r\nDate: Sat, 1 Feb 2020 09:00:00 +0000\r\n\r\nhello\r\n")),
	    "ap OK [APPENDUID 1001 1] APPEND completed\r\n");
	struct fake_message *m = fake_find(fake_mailbox("INBOX"), 1);

	cr_assert_eq(m->message.flags, (uint32_t)MAIL_SEEN);
	cr_assert_eq(m->keywords, 1);
	cr_assert_eq(m->message.internaldate.seconds, 1580547600);
	cr_assert_eq(m->message.internaldate.zone_min, 60);
	cr_assert_eq(m->message.sent.seconds, 1580547600);
	cr_assert_eq(m->message.sent.zone_min, 0);
	cr_assert_gt(m->cache_bytes, 0);
}

Test(cmd_append, line_ends_become_crlf_however_the_stream_is_cut)
{
	for (size_t n = 1; n < 20; n++) {
		f.piece_bytes = n;
		cmd_fixture_has(cmd_fixture_append(&f, "INBOX", "", BYTES_LIT("A: b\n\nx\ry\r\nz\r")), "ap OK ");
		struct fake_message *m = fake_find(fake_mailbox("INBOX"), (uint32_t)n);

		cr_assert(bytes_eq(bytes_of(m->body, m->body_bytes), BYTES_LIT("A: b\r\n\r\nx\r\ny\r\nz\r\n")));
		cr_assert_eq(m->message.rfc822_size_bytes, m->body_bytes);
	}
}

Test(cmd_append, the_selected_mailbox_tells_exists_before_the_answer)
{
	cmd_fixture_say(&f, "s SELECT INBOX");
	cmd_fixture_is(cmd_fixture_append(&f, "inbox", "", BYTES_LIT("x\r\n")),
	    "* 1 EXISTS\r\n* 0 RECENT\r\nap OK [APPENDUID 1001 1] APPEND completed\r\n");
}

Test(cmd_append, a_missing_mailbox_asks_for_its_creation_and_the_message_is_read_away)
{
	cmd_fixture_is(cmd_fixture_append(&f, "nowhere", "", BYTES_LIT("x\r\ny NOOP\r\n")),
	    "ap NO [TRYCREATE] No such mailbox\r\n");
	cr_assert_eq(f.at, f.in_n);
	/* a client that waits is told at once */
	cmd_fixture_is(cmd_fixture_say(&f, "b APPEND nowhere {5}"), "b NO [TRYCREATE] No such mailbox\r\n");
}

Test(cmd_append, a_client_that_waits_is_asked)
{
	cmd_fixture_is(cmd_fixture_say(&f, "b APPEND INBOX {5}\r\nhello"),
	    "+ OK\r\nb OK [APPENDUID 1001 1] APPEND completed\r\n");
}

Test(cmd_append, size_at_below_and_over_the_limit)
{
	f.env.appendlimit_bytes = 10;
	cmd_fixture_has(cmd_fixture_append(&f, "INBOX", "", BYTES_LIT("12345678\n")), "ap OK ");
	cmd_fixture_has(cmd_fixture_append(&f, "INBOX", "", BYTES_LIT("123456789\n")), "ap NO [TOOBIG] ");
	cmd_fixture_has(cmd_fixture_append(&f, "INBOX", "", BYTES_LIT("12345678901")), "ap NO [TOOBIG] ");
	cr_assert_eq(f.at, f.in_n);
	cmd_fixture_is(cmd_fixture_say(&f, "b APPEND INBOX {11}"),
	    "b NO [TOOBIG] The message is too big for this server\r\n");
	cr_assert_eq(fake_mailbox("INBOX")->count, 1);
	cr_assert_eq(f.session.wish, SESSION_WISH_NONE);
}

Test(cmd_append, far_too_much_ends_the_connection)
{
	char text[41];

	memset(text, 'x', sizeof(text));
	f.env.appendlimit_bytes = 10;
	cmd_fixture_has(cmd_fixture_append(&f, "INBOX", "", bytes_of(text, 40)), "ap NO [TOOBIG] ");
	cr_assert_eq(f.session.wish, SESSION_WISH_NONE);
	cmd_fixture_has(cmd_fixture_append(&f, "INBOX", "", bytes_of(text, 41)), "ap NO [TOOBIG] ");
	cr_assert_eq(f.session.wish, SESSION_WISH_CLOSE);
}

Test(cmd_append, nothing_is_stored_of_what_is_cut_empty_or_followed_by_more)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a APPEND INBOX {100+}\r\nhello"), "");
	cr_assert_eq(f.result, CMD_GONE);
	cmd_fixture_has(cmd_fixture_say(&f, "a APPEND INBOX {0+}\r\n"), "a NO [CANNOT] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a APPEND INBOX {2+}\r\nhi more"), "a BAD ");
	cr_assert_eq(fake_mailbox("INBOX")->count, 0);
}

Test(cmd_append, grammar)
{
	cmd_fixture_has(cmd_fixture_say(&f, "a APPEND INBOX"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a APPEND INBOX (\\Seen) hello"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a APPEND INBOX \"1-Foo-2020 10:00:00 +0000\" {2+}\r\nhi"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a APPEND {5+}\r\nINBOX {2+}\r\nhi"), "a OK [APPENDUID ");
	cmd_fixture_has(cmd_fixture_say(&f, "a APPEND a//b {2+}\r\nhi"), "a NO [CANNOT] ");
	cmd_fixture_is(cmd_fixture_say(&f, "z NOOP"), "z OK NOOP completed\r\n");
}

Test(cmd_append, nul_and_eight_bit_are_stored)
{
	static const char text[] = "A: \xe9\r\n\r\n\0\xff\r\n";

	cmd_fixture_has(cmd_fixture_append(&f, "INBOX", "", bytes_of(text, sizeof(text) - 1)), "ap OK ");
	cr_assert_eq(memcmp(fake_find(fake_mailbox("INBOX"), 1)->body, text, sizeof(text) - 1), 0);
}
