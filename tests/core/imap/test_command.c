#include <criterion/criterion.h>

#include "core/imap/command.h"

static enum command_verdict parse(const char *text, struct command *out)
{
	return command_parse(bytes_of_str(text), out);
}

Test(command, tag_name_and_arguments)
{
	struct command c;

	cr_assert_eq(parse("a1 Select \"x y\"\r\n", &c), COMMAND_OK);
	cr_assert(bytes_eq(c.tag, BYTES_LIT("a1")));
	cr_assert_str_eq(c.name, "SELECT");
	cr_assert(!c.uid);
	cr_assert(bytes_eq(c.args, BYTES_LIT("\"x y\"")));
	cr_assert_eq(parse("A.1]x noop\r\n", &c), COMMAND_OK);
	cr_assert_str_eq(c.name, "NOOP");
	cr_assert_eq(c.args.n, 0);
}

Test(command, uid_is_a_prefix)
{
	struct command c;

	cr_assert_eq(parse("a uid fetch 1 FLAGS\r\n", &c), COMMAND_OK);
	cr_assert(c.uid);
	cr_assert_str_eq(c.name, "FETCH");
	cr_assert(bytes_eq(c.args, BYTES_LIT("1 FLAGS")));
	cr_assert_eq(parse("a UID\r\n", &c), COMMAND_OK);
	cr_assert(!c.uid);
	cr_assert_str_eq(c.name, "UID");
	cr_assert_eq(parse("a UID (x)\r\n", &c), COMMAND_OK);
	cr_assert(!c.uid);
	cr_assert(bytes_eq(c.args, BYTES_LIT("(x)")));
}

Test(command, an_empty_line_is_skipped)
{
	struct command c;

	cr_assert_eq(parse("\r\n", &c), COMMAND_EMPTY);
	cr_assert_eq(parse("", &c), COMMAND_EMPTY);
}

Test(command, garbage_has_no_tag)
{
	static const char *const lines[] = { " a NOOP\r\n", "+ NOOP\r\n", "a+b NOOP\r\n", "(\r\n",
		"* OK\r\n", "\xff\xfe NOOP\r\n", "\"a\" NOOP\r\n", "{3}\r\n" };
	struct command c;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		cr_assert_eq(parse(lines[i], &c), COMMAND_NOTAG, "%s", lines[i]);
}

Test(command, a_tag_without_a_name_is_bad)
{
	static const char *const lines[] = { "a\r\n", "a \r\n", "a  NOOP\r\n", "a (NOOP)\r\n",
		"a NOOP(\r\n", "a ABCDEFGHIJKLMNOPQRSTUVWXY\r\n" };
	struct command c;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		cr_assert_eq(parse(lines[i], &c), COMMAND_BAD, "%s", lines[i]);
		cr_assert(bytes_eq(c.tag, BYTES_LIT("a")));
	}
	cr_assert_eq(parse("a ABCDEFGHIJKLMNOPQRSTUVWX\r\n", &c), COMMAND_OK);
}

Test(command, spaces_at_the_end_are_no_argument)
{
	struct command c;

	cr_assert_eq(parse("a CLOSE   \r\n", &c), COMMAND_OK);
	cr_assert_eq(c.args.n, 0);
}

/* What ends in a literal keeps each of its bytes. */
Test(command, a_literal_at_the_end_is_whole)
{
	struct command c;

	cr_assert_eq(parse("a LOGIN u {3}\r\nx \r\r\n", &c), COMMAND_OK);
	cr_assert(bytes_eq(c.args, BYTES_LIT("u {3}\r\nx \r")));
	cr_assert_eq(parse("a APPEND x {310}\r\n", &c), COMMAND_OK);
	cr_assert(bytes_eq(c.args, BYTES_LIT("x {310}")));
}

Test(command, tags_are_bounded)
{
	char line[COMMAND_TAG_BYTES_MAX + 16];
	struct command c;

	memset(line, 't', sizeof(line));
	memcpy(line + COMMAND_TAG_BYTES_MAX, " NOOP\r\n", 8);
	cr_assert_eq(parse(line, &c), COMMAND_OK);
	cr_assert_eq(command_tag(bytes_of_str(line)).n, COMMAND_TAG_BYTES_MAX);
	memcpy(line + COMMAND_TAG_BYTES_MAX, "t NOOP\r\n", 9);
	cr_assert_eq(parse(line, &c), COMMAND_NOTAG);
	cr_assert_eq(command_tag(bytes_of_str(line)).n, 0);
}

Test(command, the_tag_of_half_a_command)
{
	cr_assert(bytes_eq(command_tag(BYTES_LIT("a1 FETCH 1,2,3")), BYTES_LIT("a1")));
	cr_assert(bytes_eq(command_tag(BYTES_LIT("a1\r\n")), BYTES_LIT("a1")));
	cr_assert_eq(command_tag(BYTES_LIT("a1")).n, 0); /* may be cut short */
	cr_assert_eq(command_tag(BYTES_LIT("+ x")).n, 0);
	cr_assert_eq(command_tag(BYTES_LIT("")).n, 0);
}
