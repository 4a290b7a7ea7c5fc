#include <criterion/criterion.h>

#include "tests/core/cmd/cmd_fixture.h"

static struct cmd_fixture f;

static void close_fixture(void)
{
	cmd_fixture_close(&f);
}

TestSuite(cmd_session, .fini = close_fixture);

Test(cmd_session, noop_is_allowed_before_and_after_login)
{
	cmd_fixture_open(&f, NULL);
	cmd_fixture_is(cmd_fixture_say(&f, "a NOOP"), "a OK NOOP completed\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "b LOGIN sam \"se\\\"cret\""), "b OK [CAPABILITY ");
	cmd_fixture_is(cmd_fixture_say(&f, "c NOOP"), "c OK NOOP completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "d NOOP x"), "d BAD NOOP takes no arguments\r\n");
}

Test(cmd_session, logout_says_bye_once_then_ok)
{
	cmd_fixture_login(&f, NULL);
	cmd_fixture_is(cmd_fixture_say(&f, "a LOGOUT"),
	    "* BYE Logging out\r\na OK LOGOUT completed\r\n");
	cr_assert_eq(f.session.state, SESSION_LOGOUT);
	cr_assert_eq(f.session.wish, SESSION_WISH_CLOSE);
	cr_assert_null(f.session.bye);
}

Test(cmd_session, starttls_is_a_wish_of_a_plain_connection_with_a_certificate)
{
	cmd_fixture_open(&f, NULL);
	cmd_fixture_has(cmd_fixture_say(&f, "a STARTTLS"), "a BAD ");
	f.session.tls = false;
	f.env.tls_available = false;
	cmd_fixture_has(cmd_fixture_say(&f, "b STARTTLS"), "b NO [UNAVAILABLE] ");
	f.env.tls_available = true;
	cmd_fixture_is(cmd_fixture_say(&f, "c STARTTLS"), "c OK Begin TLS negotiation now\r\n");
	cr_assert_eq(f.session.wish, SESSION_WISH_STARTTLS);
}

Test(cmd_session, a_command_in_the_wrong_state_is_bad_and_changes_nothing)
{
	cmd_fixture_open(&f, NULL);
	cmd_fixture_is(cmd_fixture_say(&f, "a SELECT INBOX"), "a BAD Please log in first\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "b NONSENSE x y"), "b BAD Unknown command\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "c LOGIN sam \"se\\\"cret\""), "c OK ");
	cmd_fixture_is(cmd_fixture_say(&f, "d FETCH 1 FLAGS"), "d BAD No mailbox is selected\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "e LOGIN sam x"), "e BAD Already logged in\r\n");
	cr_assert_eq(f.session.state, SESSION_AUTHENTICATED);
}

Test(cmd_session, ten_bad_commands_in_a_row_end_a_guest)
{
	cmd_fixture_open(&f, NULL);
	for (int i = 0; i < 9; i++)
		cmd_fixture_has(cmd_fixture_say(&f, "a NONSENSE"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a NOOP"), "a OK ");
	for (int i = 0; i < 9; i++)
		cmd_fixture_has(cmd_fixture_say(&f, "a NONSENSE"), "a BAD ");
	cr_assert_eq(f.session.wish, SESSION_WISH_NONE);
	cmd_fixture_has(cmd_fixture_say(&f, "a NONSENSE"), "a BAD ");
	cr_assert_eq(f.session.wish, SESSION_WISH_CLOSE);
	cr_assert_not_null(f.session.bye);
}
