#include <criterion/criterion.h>

#include "tests/core/cmd/cmd_fixture.h"
#include "tests/core/cmd/fake.h"

static struct cmd_fixture f;
static struct cmd_fixture other;

static void open_fixture(void)
{
	cmd_fixture_login(&f, NULL);
	for (int i = 0; i < 3; i++)
		cmd_fixture_append(&f, "INBOX", "", BYTES_LIT("x\r\n"));
	cmd_fixture_say(&f, "s SELECT INBOX");
	cmd_fixture_login(&other, &f);
	cmd_fixture_say(&other, "s SELECT INBOX");
}

static void close_fixture(void)
{
	fake_store_part = 0;
	fake_store_fails_after = 0;
	fake_view_overrun = false;
	cmd_fixture_close(&other);
	cmd_fixture_close(&f);
}

TestSuite(cmd_store, .init = open_fixture, .fini = close_fixture);

Test(cmd_store, add_remove_replace)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a STORE 1:2 +FLAGS (\\Seen \\Flagged)"),
	    "* 1 FETCH (FLAGS (\\Flagged \\Seen))\r\n* 2 FETCH (FLAGS (\\Flagged \\Seen))\r\n"
	    "a OK STORE completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a STORE 1 -FLAGS \\Seen"),
	    "* 1 FETCH (FLAGS (\\Flagged))\r\na OK STORE completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a UID STORE 2 FLAGS (\\Draft)"),
	    "* 2 FETCH (UID 2 FLAGS (\\Draft))\r\na OK UID STORE completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a STORE 2 FLAGS ()"),
	    "* 2 FETCH (FLAGS ())\r\na OK STORE completed\r\n");
}

Test(cmd_store, the_other_session_is_told_and_both_changes_stay)
{
	cmd_fixture_say(&f, "a STORE 1 +FLAGS.SILENT \\Seen");
	cmd_fixture_is(cmd_fixture_say(&other, "a STORE 1 +FLAGS.SILENT \\Flagged"),
	    "* 1 FETCH (FLAGS (\\Flagged \\Seen))\r\na OK STORE completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "b NOOP"),
	    "* 1 FETCH (FLAGS (\\Flagged \\Seen))\r\nb OK NOOP completed\r\n");
	cr_assert_gt(f.wakes, 0);
	cmd_fixture_is(cmd_fixture_say(&other, "b NOOP"), "b OK NOOP completed\r\n");
}

Test(cmd_store, what_others_did_is_told_though_the_own_change_is_silent)
{
	cmd_fixture_say(&other, "a STORE 1:2 +FLAGS.SILENT \\Flagged");
	cmd_fixture_is(cmd_fixture_say(&f, "a STORE 2:3 +FLAGS.SILENT \\Seen"),
	    "* 1 FETCH (FLAGS (\\Flagged))\r\n* 2 FETCH (FLAGS (\\Flagged \\Seen))\r\n"
	    "a OK STORE completed\r\n");
}

static void other_flags_1(void)
{
	struct run run = {1, 1};
	const struct runs uids = {&run, 1, 1};
	const struct mail_store store = {.mode = MAIL_STORE_ADD, .flags = MAIL_FLAGGED};

	cr_assert_eq(mailbox_store(NULL, fake_mailbox("INBOX"), &uids, &store, NULL, NULL), RP_OK);
}

/* A change may wait for its turn, behind another's. */
Test(cmd_store, what_others_do_while_a_silent_one_waits_is_told)
{
	fake_store_meanwhile = other_flags_1;
	cmd_fixture_is(cmd_fixture_say(&f, "a STORE 1:2 +FLAGS.SILENT \\Seen"),
	    "* 1 FETCH (FLAGS (\\Flagged \\Seen))\r\na OK STORE completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "b NOOP"), "b OK NOOP completed\r\n");
}

Test(cmd_store, silent_is_silent_but_for_modseq)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a STORE 1 +FLAGS.SILENT \\Seen"), "a OK STORE completed\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "b ENABLE CONDSTORE"), "* ENABLED CONDSTORE\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a STORE 2 +FLAGS.SILENT \\Seen"),
	    "* 2 FETCH (UID 2 MODSEQ (6))\r\na OK STORE completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a STORE 3 +FLAGS \\Seen"),
	    "* 3 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (7))\r\na OK STORE completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "b NOOP"), "b OK NOOP completed\r\n");
}

Test(cmd_store, unchangedsince_names_what_was_changed_by_others)
{
	cmd_fixture_say(&other, "a STORE 2 +FLAGS.SILENT \\Flagged");
	const char *answer = cmd_fixture_say(&f, "a STORE 1:3 (UNCHANGEDSINCE 4) +FLAGS.SILENT \\Seen");

	cmd_fixture_has(answer, "* 1 FETCH (UID 1 MODSEQ (6))\r\n");
	cmd_fixture_has(answer, "* 3 FETCH (UID 3 MODSEQ (6))\r\n");
	cmd_fixture_has(answer, "a OK [MODIFIED 2] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a UID STORE 1:3 (UNCHANGEDSINCE 0) FLAGS ()"),
	    "a OK [MODIFIED 1:3] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a STORE 1 (UNCHANGEDSINCE) FLAGS ()"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a STORE 1 (UNCHANGEDSINCE x) FLAGS ()"), "a BAD ");
}

/* Several changes, one after the other: the answer is that of one. */
Test(cmd_store, a_long_one_is_cut)
{
	fake_store_part = 2;
	cmd_fixture_is(cmd_fixture_say(&f, "a STORE 1:3 +FLAGS \\Seen"),
	    "* 1 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (FLAGS (\\Seen))\r\n* 3 FETCH (FLAGS (\\Seen))\r\n"
	    "a OK STORE completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a STORE 1:3 -FLAGS.SILENT \\Seen"), "a OK STORE completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "b NOOP"), "b OK NOOP completed\r\n");
	cmd_fixture_say(&other, "a STORE 3 FLAGS.SILENT (\\Flagged)");
	cmd_fixture_has(cmd_fixture_say(&f, "a STORE 1:3 (UNCHANGEDSINCE 8) +FLAGS.SILENT \\Seen"),
	    "a OK [MODIFIED 3] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a STORE 1,3 FLAGS.SILENT ()"), "a OK ");
	cr_assert_eq(fake_find(fake_mailbox("INBOX"), 1)->message.flags, 0);
	cr_assert_eq(fake_find(fake_mailbox("INBOX"), 2)->message.flags, MAIL_SEEN);
	cr_assert_eq(fake_find(fake_mailbox("INBOX"), 3)->message.flags, 0);
}

/* What was done before an error is told, though it was to be silent. */
Test(cmd_store, a_long_one_that_fails_tells_what_it_did)
{
	const char *answer;

	fake_store_part = 2;
	fake_store_fails_after = 2;
	answer = cmd_fixture_say(&f, "a STORE 1:3 +FLAGS.SILENT \\Seen");
	cmd_fixture_has(answer, "* 1 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (FLAGS (\\Seen))\r\n");
	cmd_fixture_has(answer, "a NO ");
	cmd_fixture_is(cmd_fixture_say(&f, "b NOOP"), "b OK NOOP completed\r\n");
}

/* The session ends with this command. Till then a number, or "*", means another message, or none. */
Test(cmd_store, nothing_is_done_where_numbers_mean_nothing_any_more)
{
	static const char *const commands[] = {"a STORE 2 +FLAGS \\Deleted",
	    "a UID STORE 2 +FLAGS \\Deleted", "a STORE 2 +FLAGS.SILENT \\Deleted", "a COPY 2 INBOX",
	    "a UID COPY 2 INBOX", "a UID MOVE 2 INBOX", "a FETCH 2 FLAGS", "a UID FETCH 2 FLAGS"};

	fake_view_overrun = true;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		cmd_fixture_has(cmd_fixture_say(&f, commands[i]), "a NO [UNAVAILABLE] ");
	cr_assert_eq(fake_find(fake_mailbox("INBOX"), 2)->message.flags, 0);
	cr_assert_eq(fake_mailbox("INBOX")->count, 3);
}

Test(cmd_store, a_new_keyword_is_announced_first)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a STORE 1 +FLAGS (Work)"),
	    "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft Work)\r\n"
	    "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft Work \\*)] Flags permitted.\r\n"
	    "* 1 FETCH (FLAGS (Work))\r\na OK STORE completed\r\n");
	const char *news = cmd_fixture_news(&other);

	cmd_fixture_has(news, "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft Work)\r\n");
	cmd_fixture_has(news, "* 1 FETCH (FLAGS (Work))\r\n");
	cr_assert_lt(strstr(news, "* FLAGS"), strstr(news, "* 1 FETCH"));
}

Test(cmd_store, expunged_elsewhere)
{
	cmd_fixture_say(&other, "a STORE 2 +FLAGS.SILENT \\Deleted");
	cmd_fixture_say(&other, "a EXPUNGE");
	cmd_fixture_is(cmd_fixture_say(&f, "a STORE 1:2 +FLAGS \\Seen"),
	    "* 1 FETCH (FLAGS (\\Seen))\r\na NO [EXPUNGEISSUED] Some messages were expunged\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a UID STORE 2:3 +FLAGS \\Seen"),
	    "* 3 FETCH (UID 3 FLAGS (\\Seen))\r\n* 2 EXPUNGE\r\na OK UID STORE completed\r\n");
}

Test(cmd_store, read_only_and_grammar)
{
	cmd_fixture_has(cmd_fixture_say(&f, "a STORE 1 FLAGS"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a STORE 1 +FLAG \\Seen"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a STORE 9 +FLAGS \\Seen"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a STORE x +FLAGS \\Seen"), "a BAD ");
	cmd_fixture_is(cmd_fixture_say(&f, "a UID STORE 77 +FLAGS \\Seen"), "a OK UID STORE completed\r\n");
	cmd_fixture_say(&f, "s EXAMINE INBOX");
	cmd_fixture_has(cmd_fixture_say(&f, "a STORE 1 +FLAGS \\Seen"), "a NO [READ-ONLY] ");
}
