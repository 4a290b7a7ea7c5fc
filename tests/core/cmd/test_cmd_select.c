#include <criterion/criterion.h>

#include "tests/core/cmd/cmd_fixture.h"

static struct cmd_fixture f;

static void open_fixture(void)
{
	cmd_fixture_login(&f, NULL);
}

static void close_fixture(void)
{
	cmd_fixture_close(&f);
}

TestSuite(cmd_select, .init = open_fixture, .fini = close_fixture);

Test(cmd_select, an_empty_mailbox_says_all_it_must)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a SELECT inbox"),
	    "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
	    "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags permitted.\r\n"
	    "* 0 EXISTS\r\n"
	    "* 0 RECENT\r\n"
	    "* OK [UIDVALIDITY 1001] UIDs valid\r\n"
	    "* OK [UIDNEXT 1] Predicted next UID\r\n"
	    "* OK [HIGHESTMODSEQ 1] Highest\r\n"
	    "a OK [READ-WRITE] SELECT completed\r\n");
}

Test(cmd_select, unseen_and_keywords_are_told)
{
	cmd_fixture_append(&f, "INBOX", "(\\Seen) ", BYTES_LIT("1\r\n"));
	cmd_fixture_append(&f, "INBOX", "(Work) ", BYTES_LIT("2\r\n"));
	const char *answer = cmd_fixture_say(&f, "a EXAMINE INBOX");

	cmd_fixture_has(answer, "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft Work)\r\n");
	cmd_fixture_has(answer, "* OK [PERMANENTFLAGS ()] ");
	cmd_fixture_has(answer, "* 2 EXISTS\r\n");
	cmd_fixture_has(answer, "* OK [UNSEEN 2] ");
	cmd_fixture_has(answer, "* OK [UIDNEXT 3] ");
	cmd_fixture_has(answer, "a OK [READ-ONLY] EXAMINE completed\r\n");
}

Test(cmd_select, another_select_closes_the_first_before_it_speaks)
{
	cmd_fixture_say(&f, "a SELECT INBOX");
	const char *answer = cmd_fixture_say(&f, "b SELECT INBOX");

	cr_assert_eq(strncmp(answer, "* OK [CLOSED] ", 14), 0, "%s", answer);
	cmd_fixture_has(answer, "b OK [READ-WRITE]");
}

Test(cmd_select, a_failed_select_leaves_none_selected)
{
	cmd_fixture_say(&f, "a SELECT INBOX");
	cmd_fixture_is(cmd_fixture_say(&f, "b SELECT nowhere"),
	    "* OK [CLOSED] Previous mailbox is closed\r\nb NO [NONEXISTENT] No such mailbox\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "c FETCH 1 FLAGS"), "c BAD ");
	cmd_fixture_say(&f, "a SELECT INBOX");
	cmd_fixture_has(cmd_fixture_say(&f, "d SELECT a//b"), "d NO [CANNOT] ");
	cr_assert_null(f.session.selected);
}

Test(cmd_select, bad_grammar_changes_nothing)
{
	cmd_fixture_say(&f, "a SELECT INBOX");
	cmd_fixture_is(cmd_fixture_say(&f, "b SELECT"),
	    "b BAD Expected a mailbox name, and perhaps (CONDSTORE)\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "b SELECT INBOX ()"), "b BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "b SELECT INBOX (FOO)"), "b BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "b SELECT INBOX INBOX"), "b BAD ");
	cr_assert_not_null(f.session.selected);
}

Test(cmd_select, condstore_is_a_parameter)
{
	cr_assert_eq(f.session.enabled & SESSION_CONDSTORE, 0);
	cmd_fixture_has(cmd_fixture_say(&f, "a SELECT INBOX (CONDSTORE)"), "[HIGHESTMODSEQ ");
	cr_assert_neq(f.session.enabled & SESSION_CONDSTORE, 0);
}
