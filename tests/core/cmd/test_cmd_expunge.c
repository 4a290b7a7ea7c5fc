#include <criterion/criterion.h>

#include "tests/core/cmd/cmd_fixture.h"
#include "tests/core/cmd/fake.h"

static struct cmd_fixture f;
static struct cmd_fixture other;

static void open_fixture(void)
{
	cmd_fixture_login(&f, NULL);
	for (int i = 1; i <= 5; i++)
		cmd_fixture_append(&f, "INBOX", i % 2 != 0 ? "(\\Deleted) " : "", BYTES_LIT("x\r\n"));
	cmd_fixture_say(&f, "s SELECT INBOX");
	cmd_fixture_login(&other, &f);
	cmd_fixture_say(&other, "s SELECT INBOX");
}

static void close_fixture(void)
{
	cmd_fixture_close(&other);
	cmd_fixture_close(&f);
}

TestSuite(cmd_expunge, .init = open_fixture, .fini = close_fixture);

Test(cmd_expunge, the_numbers_are_right_one_after_the_other)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a EXPUNGE"),
	    "* 5 EXPUNGE\r\n* 3 EXPUNGE\r\n* 1 EXPUNGE\r\na OK EXPUNGE completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a FETCH 1:2 UID"),
	    "* 1 FETCH (UID 2)\r\n* 2 FETCH (UID 4)\r\na OK FETCH completed\r\n");
}

Test(cmd_expunge, by_uid_only_its_set)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a UID EXPUNGE 2:3"), "* 3 EXPUNGE\r\na OK UID EXPUNGE completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a UID EXPUNGE 77"), "a OK UID EXPUNGE completed\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "a UID EXPUNGE"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a EXPUNGE 1"), "a BAD ");
}

Test(cmd_expunge, is_kept_back_during_commands_by_number)
{
	cmd_fixture_say(&f, "a EXPUNGE");
	cmd_fixture_lacks(cmd_fixture_say(&other, "a FETCH 5 FLAGS"), "EXPUNGE");
	cmd_fixture_lacks(cmd_fixture_say(&other, "a STORE 2 +FLAGS \\Seen"), "EXPUNGE");
	cmd_fixture_lacks(cmd_fixture_say(&other, "a SEARCH ALL"), "EXPUNGE");
	cmd_fixture_has(cmd_fixture_say(&other, "a UID FETCH 2 FLAGS"), "* 5 EXPUNGE\r\n* 3 EXPUNGE\r\n* 1 EXPUNGE\r\n");
}

Test(cmd_expunge, close_expunges_in_silence_and_unselect_does_not)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a UNSELECT"), "a OK UNSELECT completed\r\n");
	cr_assert_eq(fake_mailbox("INBOX")->entry.messages_count, 5);
	cr_assert_eq(f.session.state, SESSION_AUTHENTICATED);
	cmd_fixture_say(&f, "s EXAMINE INBOX");
	cmd_fixture_has(cmd_fixture_say(&f, "a EXPUNGE"), "a NO [READ-ONLY] ");
	cmd_fixture_is(cmd_fixture_say(&f, "a CLOSE"), "a OK CLOSE completed\r\n");
	cr_assert_eq(fake_mailbox("INBOX")->entry.messages_count, 5);
	cmd_fixture_say(&f, "s SELECT INBOX");
	cmd_fixture_is(cmd_fixture_say(&f, "a CLOSE"), "a OK CLOSE completed\r\n");
	cr_assert_eq(fake_mailbox("INBOX")->entry.messages_count, 2);
	cmd_fixture_has(cmd_fixture_say(&f, "a CLOSE"), "a BAD ");
}
