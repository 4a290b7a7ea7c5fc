#include <criterion/criterion.h>

#include "tests/core/cmd/cmd_fixture.h"

static struct cmd_fixture f;

static void open_fixture(void)
{
	cmd_fixture_login(&f, NULL);
	cmd_fixture_append(&f, "INBOX", "(\\Seen) ", BYTES_LIT("x\r\n"));
	cmd_fixture_append(&f, "INBOX", "(\\Deleted) ", BYTES_LIT("xyz\r\n"));
}

static void close_fixture(void)
{
	cmd_fixture_close(&f);
}

TestSuite(cmd_status, .init = open_fixture, .fini = close_fixture);

Test(cmd_status, all_items)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a STATUS inbox (UIDNEXT MESSAGES UNSEEN RECENT UIDVALIDITY)"),
	    "* STATUS INBOX (MESSAGES 2 RECENT 0 UIDNEXT 3 UIDVALIDITY 1001 UNSEEN 1)\r\n"
	    "a OK STATUS completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a STATUS INBOX (SIZE DELETED)"),
	    "* STATUS INBOX (SIZE 8 DELETED 1)\r\na OK STATUS completed\r\n");
	cr_assert_eq(f.session.enabled & SESSION_CONDSTORE, 0);
	cmd_fixture_is(cmd_fixture_say(&f, "a STATUS INBOX (HIGHESTMODSEQ)"),
	    "* STATUS INBOX (HIGHESTMODSEQ 3)\r\na OK STATUS completed\r\n");
	cr_assert_neq(f.session.enabled & SESSION_CONDSTORE, 0);
}

Test(cmd_status, the_selected_mailbox_is_answered_and_noop_never_is)
{
	cmd_fixture_say(&f, "a SELECT INBOX");
	cmd_fixture_has(cmd_fixture_say(&f, "a STATUS INBOX (MESSAGES)"), "* STATUS INBOX (MESSAGES 2)\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a NOOP"), "a OK NOOP completed\r\n");
}

Test(cmd_status, refusals)
{
	cmd_fixture_has(cmd_fixture_say(&f, "a STATUS nowhere (MESSAGES)"), "a NO [NONEXISTENT] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a STATUS INBOX ()"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a STATUS INBOX MESSAGES"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a STATUS INBOX"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a STATUS INBOX (FOO)"), "a BAD ");
}
