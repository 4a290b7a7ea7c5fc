#include <criterion/criterion.h>

#include "core/cmd/registry.h"
#include "tests/core/cmd/cmd_fixture.h"

static struct cmd_fixture f;
static struct cmd_fixture other;

static void open_fixture(void)
{
	cmd_fixture_login(&f, NULL);
	cmd_fixture_login(&other, &f);
}

static void close_fixture(void)
{
	cmd_fixture_close(&other);
	cmd_fixture_close(&f);
}

TestSuite(cmd_idle, .init = open_fixture, .fini = close_fixture);

static const char *done(bool with_done)
{
	registry_idle_done(&f.session, &f.resp, with_done);
	return cmd_fixture_news(&f);
}

Test(cmd_idle, news_is_told_while_it_lasts)
{
	cmd_fixture_say(&f, "s SELECT INBOX");
	cmd_fixture_append(&other, "INBOX", "", BYTES_LIT("x\r\n"));
	cmd_fixture_is(cmd_fixture_say(&f, "i IDLE"), "+ idling\r\n* 1 EXISTS\r\n* 0 RECENT\r\n");
	cr_assert_eq(f.result, CMD_LATER);
	cr_assert(bytes_eq(f.session.idle_tag, BYTES_LIT("i")));
	f.wakes = 0;
	cmd_fixture_append(&other, "INBOX", "", BYTES_LIT("x\r\n"));
	cr_assert_gt(f.wakes, 0);
	cmd_fixture_is(cmd_fixture_news(&f), "* 2 EXISTS\r\n* 0 RECENT\r\n");
	cmd_fixture_is(cmd_fixture_news(&f), "");
	cmd_fixture_say(&other, "s SELECT INBOX");
	cmd_fixture_say(&other, "s STORE 1 +FLAGS \\Deleted");
	cmd_fixture_is(cmd_fixture_news(&f), "* 1 FETCH (FLAGS (\\Deleted))\r\n");
	cmd_fixture_say(&other, "s EXPUNGE");
	cmd_fixture_is(cmd_fixture_news(&f), "* 1 EXPUNGE\r\n");
	cmd_fixture_is(done(true), "i OK IDLE completed\r\n");
	cr_assert_eq(f.session.idle_tag.n, 0);
}

Test(cmd_idle, works_without_a_mailbox)
{
	cmd_fixture_is(cmd_fixture_say(&f, "i IDLE"), "+ idling\r\n");
	cmd_fixture_is(cmd_fixture_news(&f), "");
	cmd_fixture_is(done(false), "i BAD Expected DONE\r\n");
	cr_assert_eq(f.session.bad_commands, 1);
	cmd_fixture_has(cmd_fixture_say(&f, "i IDLE now"), "i BAD ");
}
