#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/core/cmd/cmd_fixture.h"
#include "tests/core/cmd/fake.h"

static struct cmd_fixture f;

static void open_fixture(void)
{
	cmd_fixture_login(&f, NULL);
	cmd_fixture_say(&f, "c CREATE Sent (USE (\\Sent))");
	cmd_fixture_say(&f, "c CREATE a/b/c");
	cmd_fixture_say(&f, "c SUBSCRIBE a/b/c");
	cmd_fixture_say(&f, "c SUBSCRIBE gone/deep");
}

static void close_fixture(void)
{
	cmd_fixture_close(&f);
}

TestSuite(cmd_list, .init = open_fixture, .fini = close_fixture);

Test(cmd_list, the_delimiter_alone)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a LIST \"\" \"\""),
	    "* LIST (\\Noselect) \"/\" \"\"\r\na OK LIST completed\r\n");
}

Test(cmd_list, all_with_children_and_special_use)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a LIST \"\" *"),
	    "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
	    "* LIST (\\HasNoChildren \\Sent) \"/\" Sent\r\n"
	    "* LIST (\\HasChildren) \"/\" a\r\n"
	    "* LIST (\\HasChildren) \"/\" a/b\r\n"
	    "* LIST (\\HasNoChildren) \"/\" a/b/c\r\n"
	    "a OK LIST completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a LIST \"\" a/%"),
	    "* LIST (\\HasChildren) \"/\" a/b\r\na OK LIST completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a LIST a/ %/c"),
	    "* LIST (\\HasNoChildren) \"/\" a/b/c\r\na OK LIST completed\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "a LIST \"\" inbox"), "\"/\" INBOX\r\n");
}

Test(cmd_list, special_use_selects)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a LIST (SPECIAL-USE) \"\" \"*\" RETURN (SUBSCRIBED CHILDREN)"),
	    "* LIST (\\HasNoChildren \\Sent) \"/\" Sent\r\na OK LIST completed\r\n");
}

Test(cmd_list, subscribed_names_need_not_exist)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a LIST (SUBSCRIBED) \"\" *"),
	    "* LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX\r\n"
	    "* LIST (\\HasNoChildren \\Subscribed) \"/\" a/b/c\r\n"
	    "* LIST (\\NonExistent \\Noselect \\Subscribed) \"/\" gone/deep\r\n"
	    "a OK LIST completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a LIST \"\" INBOX RETURN (SUBSCRIBED CHILDREN)"),
	    "* LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX\r\na OK LIST completed\r\n");
}

Test(cmd_list, recursivematch_tells_of_parents)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %"),
	    "* LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX\r\n"
	    "* LIST (\\HasChildren) \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
	    "* LIST (\\NonExistent \\Noselect) \"/\" gone (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
	    "a OK LIST completed\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "a LIST (RECURSIVEMATCH) \"\" %"), "a BAD ");
}

Test(cmd_list, a_parent_that_nobody_knows_is_told_of_once)
{
	cmd_fixture_say(&f, "c SUBSCRIBE lost/deep/a");
	cmd_fixture_say(&f, "c SUBSCRIBE lost/deep/b");
	cmd_fixture_say(&f, "c SUBSCRIBE lost/far/a/b");
	cmd_fixture_say(&f, "c SUBSCRIBE lost/far/b");
	/* lost/deep/a is shown itself, so it is by lost/deep/b that its parents are known. */
	cmd_fixture_is(
	    cmd_fixture_say(
	        &f, "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (lost lost/% lost/deep/a lost/far/a)"),
	    "* LIST (\\NonExistent \\Noselect \\Subscribed) \"/\" lost/deep/a\r\n"
	    "* LIST (\\NonExistent \\Noselect) \"/\" lost (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
	    "* LIST (\\NonExistent \\Noselect) \"/\" lost/deep (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
	    "* LIST (\\NonExistent \\Noselect) \"/\" lost/far (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
	    "* LIST (\\NonExistent \\Noselect) \"/\" lost/far/a (\"CHILDINFO\" "
	    "(\"SUBSCRIBED\"))\r\n"
	    "a OK LIST completed\r\n");
}

/* With 12,000 subscriptions to names that are no mailbox it took nine seconds. */
Test(cmd_list, a_parent_is_not_looked_for_again_at_each_of_its_children)
{
	enum { CHILDREN = 24 };
	struct volume *volume = f.session.volume;
	char line[64];

	for (int i = 0; i < CHILDREN; i++) {
		snprintf(line, sizeof(line), "c SUBSCRIBE ghost/a%d", i);
		cmd_fixture_say(&f, line);
		snprintf(line, sizeof(line), "c SUBSCRIBE ghost/b%d", i);
		cmd_fixture_say(&f, line);
	}
	volume->steps = 0;
	cmd_fixture_has(cmd_fixture_say(&f, "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (% ghost/a*)"),
	    "\"/\" ghost (\"CHILDINFO\"");
	cr_assert_leq(volume->steps, 3 * volume->count);
}

Test(cmd_list, lsub_shows_unsubscribed_parents_as_noselect)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a LSUB \"\" %"),
	    "* LSUB (\\HasNoChildren) \"/\" INBOX\r\n"
	    "* LSUB (\\Noselect \\HasChildren) \"/\" a\r\n"
	    "* LSUB (\\Noselect) \"/\" gone\r\n"
	    "a OK LSUB completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a LSUB \"\" *"),
	    "* LSUB (\\HasNoChildren) \"/\" INBOX\r\n"
	    "* LSUB (\\HasNoChildren) \"/\" a/b/c\r\n"
	    "* LSUB (\\Noselect) \"/\" gone/deep\r\n"
	    "a OK LSUB completed\r\n");
}

Test(cmd_list, status_follows_its_own_line)
{
	cmd_fixture_append(&f, "Sent", "", BYTES_LIT("x\r\n"));
	cmd_fixture_is(cmd_fixture_say(&f, "a LIST \"\" (Sent INBOX) RETURN (STATUS (MESSAGES UNSEEN))"),
	    "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
	    "* STATUS INBOX (MESSAGES 0 UNSEEN 0)\r\n"
	    "* LIST (\\HasNoChildren \\Sent) \"/\" Sent\r\n"
	    "* STATUS Sent (MESSAGES 1 UNSEEN 1)\r\n"
	    "a OK LIST completed\r\n");
}

Test(cmd_list, names_beyond_ascii_are_modified_utf7)
{
	cmd_fixture_say(&f, "c CREATE &APw-ber");
	cmd_fixture_has(cmd_fixture_say(&f, "a LIST \"\" &APw-*"), "\"/\" &APw-ber\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a LIST \"\" &bad"), "a OK LIST completed\r\n");
}

Test(cmd_list, grammar)
{
	cmd_fixture_has(cmd_fixture_say(&f, "a LIST"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a LIST \"\""), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a LIST \"\" * more"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a LIST (FOO) \"\" *"), "a BAD ");
	cmd_fixture_is(cmd_fixture_say(&f, "a NAMESPACE"),
	    "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\na OK NAMESPACE completed\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "a NAMESPACE x"), "a BAD ");
}
