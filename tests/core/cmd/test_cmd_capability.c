#include <criterion/criterion.h>

#include "core/cmd/registry.h"
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

TestSuite(cmd_capability, .init = open_fixture, .fini = close_fixture);

Test(cmd_capability, differs_by_state)
{
	const char *answer = cmd_fixture_say(&f, "a CAPABILITY");

	cmd_fixture_has(answer, "* CAPABILITY IMAP4rev1 ");
	cmd_fixture_has(answer, "AUTH=PLAIN");
	cmd_fixture_lacks(answer, "STARTTLS");
	f.session.tls = false;
	answer = cmd_fixture_say(&f, "a CAPABILITY");
	cmd_fixture_has(answer, "STARTTLS");
	cmd_fixture_has(answer, "LOGINDISABLED");
	cmd_fixture_lacks(answer, "AUTH=PLAIN");
	f.session.tls = true;
	cmd_fixture_has(cmd_fixture_say(&f, "l LOGIN sam \"se\\\"cret\""), " UIDPLUS");
	answer = cmd_fixture_say(&f, "a CAPABILITY");
	cmd_fixture_has(answer, " MOVE");
	cmd_fixture_lacks(answer, "AUTH=PLAIN");
	cmd_fixture_has(cmd_fixture_say(&f, "a CAPABILITY x"), "a BAD ");
}

Test(cmd_capability, greeting)
{
	registry_greeting(&f.session, &f.resp);
	const char *said = cmd_fixture_news(&f);

	cr_assert_eq(strncmp(said, "* OK [CAPABILITY IMAP4rev1 ", 27), 0);
	cmd_fixture_has(said, "] ringpost ready.\r\n");
}

Test(cmd_capability, enable_names_what_took_effect_once)
{
	cmd_fixture_has(cmd_fixture_say(&f, "a ENABLE CONDSTORE"), "a BAD ");
	cmd_fixture_say(&f, "l LOGIN sam \"se\\\"cret\"");
	cmd_fixture_is(cmd_fixture_say(&f, "a ENABLE X-FOO condstore IMAP4rev2"),
	    "* ENABLED CONDSTORE\r\na OK ENABLE completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a ENABLE CONDSTORE"), "* ENABLED\r\na OK ENABLE completed\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "a ENABLE"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a ENABLE (x)"), "a BAD ");
}

Test(cmd_capability, id_in_both_states)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a ID NIL"),
	    "* ID (\"name\" \"ringpost\" \"version\" \"0\")\r\na OK ID completed\r\n");
	cmd_fixture_say(&f, "l LOGIN sam \"se\\\"cret\"");
	cmd_fixture_has(cmd_fixture_say(&f, "a ID (\"name\" \"x\" \"os\" NIL)"), "a OK ");
	cmd_fixture_has(cmd_fixture_say(&f, "a ID"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a ID (\"name\")"), "a BAD ");
}
