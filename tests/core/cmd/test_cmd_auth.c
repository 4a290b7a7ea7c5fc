#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/core/cmd/cmd_fixture.h"

static struct cmd_fixture f;

static void open_fixture(void)
{
	cmd_fixture_open(&f, NULL);
}

static void close_fixture(void)
{
	cmd_fixture_close(&f);
}

TestSuite(cmd_auth, .init = open_fixture, .fini = close_fixture);

Test(cmd_auth, login_takes_atoms_quoted_and_literals)
{
	cmd_fixture_has(cmd_fixture_say(&f, "a LOGIN {3+}\r\nsam {9+}\r\nse\"cretxx"), "a NO [AUTHENTICATIONFAILED] ");
	cmd_fixture_has(cmd_fixture_say(&f, "c LOGIN SAM {7+}\r\nse\"cret"), "c OK [CAPABILITY IMAP4rev1");
	cr_assert(bytes_eq(f.session.name, BYTES_LIT("sam")));
}

Test(cmd_auth, wrong_name_and_wrong_password_look_alike)
{
	char first[200];

	snprintf(first, sizeof(first), "%s", cmd_fixture_say(&f, "a LOGIN sam wrong"));
	cmd_fixture_is(cmd_fixture_say(&f, "a LOGIN nobody wrong"), first);
	cmd_fixture_is(first, "a NO [AUTHENTICATIONFAILED] Wrong name or password\r\n");
	cr_assert_eq(f.session.state, SESSION_NOT_AUTHENTICATED);
}

Test(cmd_auth, an_auth_process_that_is_away_is_no_wrong_password)
{
	cmd_fixture_has(cmd_fixture_say(&f, "a LOGIN down x"), "a NO [UNAVAILABLE] ");
}

Test(cmd_auth, login_grammar)
{
	cmd_fixture_has(cmd_fixture_say(&f, "a LOGIN"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a LOGIN sam"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a LOGIN sam a b"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a LOGIN (sam) b"), "a BAD ");
}

Test(cmd_auth, no_password_without_tls_but_from_loopback_where_it_is_allowed)
{
	f.session.tls = false;
	cmd_fixture_has(cmd_fixture_say(&f, "a LOGIN sam \"se\\\"cret\""), "a NO [PRIVACYREQUIRED] ");
	cmd_fixture_has(cmd_fixture_say(&f, "b AUTHENTICATE PLAIN"), "b NO [PRIVACYREQUIRED] ");
	f.env.plaintext_login = true;
	cmd_fixture_has(cmd_fixture_say(&f, "c LOGIN sam \"se\\\"cret\""), "c NO [PRIVACYREQUIRED] ");
	f.session.loopback = true;
	cmd_fixture_has(cmd_fixture_say(&f, "d LOGIN sam \"se\\\"cret\""), "d OK ");
}

Test(cmd_auth, plain_with_initial_response)
{
	/* NUL sam NUL se"cret */
	cmd_fixture_has(cmd_fixture_say(&f, "a AUTHENTICATE PLAIN AHNhbQBzZSJjcmV0"), "a OK [CAPABILITY ");
	cr_assert_eq(f.session.state, SESSION_AUTHENTICATED);
}

/* RFC 5530: told only to who has shown his own password. */
Test(cmd_auth, acting_for_another_needs_the_right_to)
{
	/* eve NUL sam NUL se"cret; eve NUL sam NUL wrong */
	cmd_fixture_has(cmd_fixture_say(&f, "a AUTHENTICATE PLAIN ZXZlAHNhbQBzZSJjcmV0"), "a NO [AUTHORIZATIONFAILED] ");
	cmd_fixture_is(cmd_fixture_say(&f, "a AUTHENTICATE PLAIN ZXZlAHNhbQB3cm9uZw=="),
		"a NO [AUTHENTICATIONFAILED] Wrong name or password\r\n");
	cr_assert_eq(f.session.state, SESSION_NOT_AUTHENTICATED);
}

Test(cmd_auth, plain_asks_for_what_was_not_given)
{
	cmd_fixture_has(cmd_fixture_say(&f, "a AUTHENTICATE plain\r\nAHNhbQBzZSJjcmV0"), "+ \r\na OK [CAPABILITY ");
}

Test(cmd_auth, a_star_gives_up)
{
	cmd_fixture_has(cmd_fixture_say(&f, "a AUTHENTICATE PLAIN\r\n*"), "a BAD ");
	cr_assert_eq(f.session.state, SESSION_NOT_AUTHENTICATED);
}

Test(cmd_auth, bad_sasl_is_bad)
{
	cmd_fixture_has(cmd_fixture_say(&f, "a AUTHENTICATE PLAIN ???"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a AUTHENTICATE PLAIN ="), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a AUTHENTICATE PLAIN AHNhbQBzZSJjcmV0 x"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a AUTHENTICATE PLAIN\r\nc2Ft"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a AUTHENTICATE"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a AUTHENTICATE NTLM"), "a NO [CANNOT] ");
}
