#include <criterion/criterion.h>

#include "tests/core/cmd/cmd_fixture.h"
#include "tests/core/cmd/fake.h"

static struct cmd_fixture f;
static struct cmd_fixture other;

static void open_fixture(void)
{
	cmd_fixture_login(&f, NULL);
	for (int i = 0; i < 4; i++)
		cmd_fixture_append(&f, "INBOX", "(\\Seen Work) ", BYTES_LIT("x\r\n"));
	cmd_fixture_say(&f, "c CREATE to");
	cmd_fixture_say(&f, "s SELECT INBOX");
	cmd_fixture_login(&other, &f);
	cmd_fixture_say(&other, "s SELECT INBOX");
}

static void close_fixture(void)
{
	cmd_fixture_close(&other);
	cmd_fixture_close(&f);
}

TestSuite(cmd_copy, .init = open_fixture, .fini = close_fixture);

Test(cmd_copy, copy_keeps_flags_and_names_the_uids)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a COPY 1,3:4 to"),
	    "a OK [COPYUID 1002 1,3:4 1:3] COPY completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a UID COPY 2 to"),
	    "a OK [COPYUID 1002 2 4] UID COPY completed\r\n");
	cr_assert_eq(fake_find(fake_mailbox("to"), 1)->message.flags, (uint32_t)MAIL_SEEN);
	cr_assert_eq(fake_find(fake_mailbox("to"), 1)->keywords, 1);
	cr_assert_eq(fake_mailbox("INBOX")->entry.messages_count, 4);
}

Test(cmd_copy, into_itself_makes_new_messages)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a COPY 1 INBOX"),
	    "* 5 EXISTS\r\n* 0 RECENT\r\na OK [COPYUID 1001 1 5] COPY completed\r\n");
}

Test(cmd_copy, move_tells_copyuid_before_the_expunges)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a MOVE 2:3 to"),
	    "* OK [COPYUID 1002 2:3 1:2] Moved\r\n* 3 EXPUNGE\r\n* 2 EXPUNGE\r\na OK MOVE completed\r\n");
	cmd_fixture_is(cmd_fixture_news(&other), "* 3 EXPUNGE\r\n* 2 EXPUNGE\r\n");
}

Test(cmd_copy, what_is_not_there_is_passed_over)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a UID COPY 77 to"), "a OK UID COPY completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a UID MOVE 77:99 to"), "a OK UID MOVE completed\r\n");
	cmd_fixture_say(&other, "a STORE 2 +FLAGS.SILENT \\Deleted");
	cmd_fixture_say(&other, "a EXPUNGE");
	cmd_fixture_has(cmd_fixture_say(&f, "a MOVE 1:2 to"), "* OK [COPYUID 1002 1 1] Moved\r\n");
}

Test(cmd_copy, copy_of_what_others_expunged_is_refused_whole)
{
	cmd_fixture_say(&other, "a STORE 2 +FLAGS.SILENT \\Deleted");
	cmd_fixture_say(&other, "a EXPUNGE");
	cmd_fixture_has(cmd_fixture_say(&f, "a COPY 1:2 to"), "a NO [EXPUNGEISSUED] ");
	cr_assert_eq(fake_mailbox("to")->count, 0);
}

Test(cmd_copy, refusals)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a COPY 1 nowhere"), "a NO [TRYCREATE] No such mailbox\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a MOVE 1 nowhere"), "a NO [TRYCREATE] No such mailbox\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "a COPY 1"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a COPY 9 to"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a COPY 1 to more"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a COPY 1 a//b"), "a NO [CANNOT] ");
	cmd_fixture_say(&f, "s EXAMINE INBOX");
	cmd_fixture_has(cmd_fixture_say(&f, "a MOVE 1 to"), "a NO [READ-ONLY] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a COPY 1 to"), "a OK ");
}
