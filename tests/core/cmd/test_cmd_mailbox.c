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

TestSuite(cmd_mailbox, .init = open_fixture, .fini = close_fixture);

Test(cmd_mailbox, create)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a CREATE work/"), "a OK CREATE completed\r\n");
	cr_assert_not_null(fake_mailbox("work"));
	cmd_fixture_has(cmd_fixture_say(&f, "a CREATE work"), "a NO [ALREADYEXISTS] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a CREATE Inbox"), "a NO [ALREADYEXISTS] ");
	cmd_fixture_is(cmd_fixture_say(&f, "a CREATE inbox/x"), "a OK CREATE completed\r\n");
	cr_assert_not_null(fake_mailbox("INBOX/x"));
	cmd_fixture_has(cmd_fixture_say(&f, "a CREATE INBOX/INBOX"), "a NO [CANNOT] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a CREATE /x"), "a NO [CANNOT] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a CREATE x//y"), "a NO [CANNOT] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a CREATE &bad"), "a NO [CANNOT] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a CREATE"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a CREATE a b"), "a BAD ");
}

Test(cmd_mailbox, create_with_a_special_use)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a CREATE s (USE (\\sent \\Archive))"), "a OK CREATE completed\r\n");
	cr_assert_eq(fake_mailbox("s")->entry.special_use, (unsigned)(SPECIAL_USE_SENT | SPECIAL_USE_ARCHIVE));
	cmd_fixture_has(cmd_fixture_say(&f, "a CREATE t (USE (\\Sent))"), "a NO [USEATTR] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a CREATE s (USE (\\Sent))"), "a NO [ALREADYEXISTS] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a CREATE u (USE (\\Foo))"), "a NO [USEATTR] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a CREATE u (USE \\Sent)"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a CREATE u (FOO (\\Sent))"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a CREATE u (USE (\\Junk)"), "a BAD ");
	cr_assert_null(fake_mailbox("u"));
}

Test(cmd_mailbox, delete)
{
	cmd_fixture_say(&f, "a CREATE p/q");
	cmd_fixture_say(&f, "a SUBSCRIBE p/q");
	cmd_fixture_has(cmd_fixture_say(&f, "a DELETE p"), "a NO [HASCHILDREN] ");
	cmd_fixture_is(cmd_fixture_say(&f, "a DELETE p/q/"), "a OK DELETE completed\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "a DELETE p/q"), "a NO [NONEXISTENT] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a DELETE INBOX"), "a NO [CANNOT] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a LSUB \"\" *"), "p/q\r\n"); /* the subscription stays */
}

Test(cmd_mailbox, a_mailbox_deleted_while_selected_stays_readable)
{
	cmd_fixture_say(&f, "a CREATE p");
	cmd_fixture_append(&f, "p", "", BYTES_LIT("x\r\n"));
	cmd_fixture_say(&f, "a SELECT p");
	cmd_fixture_has(cmd_fixture_say(&f, "a DELETE p"), "a OK ");
	cmd_fixture_has(cmd_fixture_say(&f, "a FETCH 1 BODY.PEEK[]"), "{3}\r\nx\r\n");
	cmd_fixture_has(cmd_fixture_append(&f, "p", "", BYTES_LIT("x\r\n")), "ap NO [TRYCREATE] ");
	cmd_fixture_is(cmd_fixture_say(&f, "a CLOSE"), "a OK CLOSE completed\r\n");
}

Test(cmd_mailbox, rename)
{
	cmd_fixture_say(&f, "a CREATE p/q");
	cmd_fixture_is(cmd_fixture_say(&f, "a RENAME p r"), "a OK RENAME completed\r\n");
	cr_assert_not_null(fake_mailbox("r/q"));
	cmd_fixture_has(cmd_fixture_say(&f, "a RENAME p x"), "a NO [NONEXISTENT] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a RENAME r INBOX"), "a NO [ALREADYEXISTS] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a RENAME r r/s"), "a NO [CANNOT] ");
	cmd_fixture_has(cmd_fixture_say(&f, "a RENAME r"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a RENAME r s t"), "a BAD ");
	cmd_fixture_is(cmd_fixture_say(&f, "a RENAME INBOX old"), "a OK RENAME completed\r\n");
	cr_assert_not_null(fake_mailbox("INBOX"));
}

/* It takes all messages out of INBOX: who has that selected is told of them at the end, however scattered they are. */
Test(cmd_mailbox, what_a_rename_of_inbox_takes_out_is_the_session_s_own)
{
	cmd_fixture_say(&f, "a CREATE p");
	cmd_fixture_say(&f, "a SELECT p");
	cmd_fixture_is(cmd_fixture_say(&f, "a RENAME INBOX old"), "a OK RENAME completed\r\n");
	cr_assert_not(fake_renamed_own, "of another mailbox");
	cmd_fixture_say(&f, "a SELECT INBOX");
	cmd_fixture_is(cmd_fixture_say(&f, "a RENAME p q"), "a OK RENAME completed\r\n");
	cr_assert_not(fake_renamed_own, "nothing leaves");
	cmd_fixture_is(cmd_fixture_say(&f, "a RENAME inbox older"), "a OK RENAME completed\r\n");
	cr_assert(fake_renamed_own);
	cr_assert_not(fake_view_own, "afterwards it is as it was");
}

Test(cmd_mailbox, subscriptions_take_any_name)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a SUBSCRIBE nowhere"), "a OK SUBSCRIBE completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a UNSUBSCRIBE nowhere"), "a OK UNSUBSCRIBE completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a UNSUBSCRIBE never"), "a OK UNSUBSCRIBE completed\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "a SUBSCRIBE"), "a BAD ");
}
