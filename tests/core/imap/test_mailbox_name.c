#include <criterion/criterion.h>

#include "core/imap/mailbox_name.h"
#include "core/imap/utf8.h"

static struct arena arena;

static void set_up(void)
{
	arena_init(&arena, 1 << 20);
}

static void tear_down(void)
{
	arena_fini(&arena);
}

TestSuite(mailbox_name, .init = set_up, .fini = tear_down);

static enum rp_err decode(const char *wire, bool utf8, struct bytes *out)
{
	return mailbox_name_decode(bytes_of_str(wire), &arena, utf8, out);
}

static void becomes(const char *wire, const char *want)
{
	struct bytes got;

	cr_assert_eq(decode(wire, false, &got), RP_OK, "%s", wire);
	cr_assert(bytes_eq(got, bytes_of_str(want)), "%s: %.*s", wire, BYTES_FMT(got));
}

static void cannot(const char *wire, bool utf8)
{
	struct bytes got;

	cr_assert_eq(decode(wire, utf8, &got), RP_ERR_CANNOT, "%s", wire);
}

Test(mailbox_name, inbox_in_any_case_as_first_level)
{
	becomes("inbox", "INBOX");
	becomes("InBoX/x", "INBOX/x");
	becomes("inbox/", "INBOX");
	becomes("inboxes", "inboxes");
	becomes("x/inbox", "x/inbox");
	becomes("INBOX/inbox", "INBOX/inbox");
	cr_assert(mailbox_name_under_inbox(BYTES_LIT("iNBOX/x")));
	cr_assert(!mailbox_name_under_inbox(BYTES_LIT("INBOXX")));
	cr_assert(!mailbox_name_under_inbox(BYTES_LIT("INBO")));
}

Test(mailbox_name, the_delimiter_at_the_end_is_taken_off_once)
{
	becomes("a/b/", "a/b");
	cannot("a/b//", false);
	cannot("/", false);
	cannot("//", false);
}

Test(mailbox_name, modified_utf7_both_ways)
{
	static const char *const wire[] = { "~peter/mail/&U,BTFw-/&ZeVnLIqe-", "Entw&APw-rfe",
		"a&-b", "&-", "&2D3eAA-", "x&AOkA6Q-y", "&AOk-&-&AOk-", "&IKw-",
		"M&APw-ll&2D3eAA-." };
	static const char *const utf8[] = {
		"~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
		"Entw\xc3\xbcrfe", "a&b", "&", "\xf0\x9f\x98\x80", "x\xc3\xa9\xc3\xa9y",
		"\xc3\xa9&\xc3\xa9", "\xe2\x82\xac", "M\xc3\xbcll\xf0\x9f\x98\x80."
	};

	for (size_t i = 0; i < sizeof(wire) / sizeof(wire[0]); i++) {
		struct bytes back;

		becomes(wire[i], utf8[i]);
		cr_assert_eq(mailbox_name_to_utf7(bytes_of_str(utf8[i]), &arena, &back), RP_OK);
		cr_assert(bytes_eq(back, bytes_of_str(wire[i])), "%.*s", BYTES_FMT(back));
	}
}

/* Every character that can be in a name, alone and between others, comes back. */
Test(mailbox_name, every_character_survives_the_wire)
{
	for (uint32_t c = 0xa0; c <= 0x10ffff; c += c < 0x3000 ? 1 : 61) {
		uint8_t name[16] = "a";
		size_t n = 1;
		struct bytes wire;
		struct bytes back;

		if ((c >= 0xd800 && c <= 0xdfff) || c == 0x2028 || c == 0x2029)
			continue;
		n += utf8_put(name + n, c);
		n += utf8_put(name + n, c);
		n += utf8_put(name + n, c);
		name[n++] = 'z';
		cr_assert_eq(mailbox_name_to_utf7(bytes_of(name, n), &arena, &wire), RP_OK);
		cr_assert_eq(mailbox_name_decode(wire, &arena, false, &back), RP_OK, "%x", c);
		cr_assert(bytes_eq(back, bytes_of(name, n)));
		arena_reset(&arena);
	}
}

Test(mailbox_name, ill_formed_utf7_cannot_be)
{
	static const char *const wrong[] = { "&", "a&", "&AOk", "&AO-", "&AOl-", "&A-", "&AA-",
		"&AOkA-", "&2D0-", "&3gA-", "&3gDYPQ-", "&2D0AQQ-", "&AGE-", "&AC8-", "&AAA-",
		"&AOk-&AOk-", "&AO/k-", "&AOk=-", "\xc3\xa9", "a\tb", "&AAo-", "&AH8-", "&AIU-",
		"&ICg-", "&==-" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cannot(wrong[i], false);
}

Test(mailbox_name, utf8_sessions_write_utf8)
{
	struct bytes got;

	cr_assert_eq(decode("Entw\xc3\xbcrfe & mehr", true, &got), RP_OK);
	cr_assert(bytes_eq(got, BYTES_LIT("Entw\xc3\xbcrfe & mehr")));
	cr_assert_eq(decode("&APw-", true, &got), RP_OK); /* & is a letter like others */
	cr_assert(bytes_eq(got, BYTES_LIT("&APw-")));
	cannot("\xff", true);
	cannot("\xed\xa0\x80", true);
	cannot("a\x7f", true);
	cannot("\xc2\x80", true);
	cannot("\xe2\x80\xa9", true);
}

Test(mailbox_name, levels_may_not_be_empty_or_controls)
{
	static const char *const wrong[] = { "", "/a", "a//b", "a/\r\n", "\x1b[0m", "/etc/x" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cannot(wrong[i], false);
		cannot(wrong[i], true);
	}
	becomes("../..", "../.."); /* no path: a name like others */
	becomes("~root", "~root");
	becomes("a b.c", "a b.c");
	cr_assert_eq(mailbox_name_check(BYTES_LIT("a\0b")), RP_ERR_CANNOT);
	cr_assert_eq(mailbox_name_check(BYTES_LIT("inbox")), RP_ERR_CANNOT);
	cr_assert_eq(mailbox_name_check(BYTES_LIT("a/")), RP_ERR_CANNOT);
}

Test(mailbox_name, length_and_depth_are_bounded)
{
	char name[MAILBOX_NAME_BYTES_MAX + 2];

	memset(name, 'x', sizeof(name));
	for (size_t n = MAILBOX_NAME_LEVEL_BYTES_MAX - 1; n <= MAILBOX_NAME_LEVEL_BYTES_MAX + 1;
	     n++)
		cr_assert_eq(mailbox_name_check(bytes_of(name, n)) == RP_OK,
		    n <= MAILBOX_NAME_LEVEL_BYTES_MAX);
	for (size_t i = 200; i < sizeof(name); i += 201)
		name[i] = '/';
	for (size_t n = MAILBOX_NAME_BYTES_MAX - 1; n <= MAILBOX_NAME_BYTES_MAX + 1; n++)
		cr_assert_eq(
		    mailbox_name_check(bytes_of(name, n)) == RP_OK, n <= MAILBOX_NAME_BYTES_MAX);
	for (size_t i = 0; i < 100; i++)
		name[i] = i % 2 == 0 ? 'x' : '/';
	for (size_t depth = MAILBOX_NAME_DEPTH_MAX - 1; depth <= MAILBOX_NAME_DEPTH_MAX + 1;
	     depth++)
		cr_assert_eq(mailbox_name_check(bytes_of(name, 2 * depth - 1)) == RP_OK,
		    depth <= MAILBOX_NAME_DEPTH_MAX);
}

Test(mailbox_name, an_argument_is_an_astring)
{
	struct lex lex = lex_of(BYTES_LIT("\"inbox\" {3}\r\na/b (x)"));
	struct bytes got;

	cr_assert_eq(mailbox_name_parse(&lex, &arena, false, &got), RP_OK);
	cr_assert(bytes_eq(got, BYTES_LIT("INBOX")));
	cr_assert_eq(lex_sp(&lex), RP_OK);
	cr_assert_eq(mailbox_name_parse(&lex, &arena, false, &got), RP_OK);
	cr_assert(bytes_eq(got, BYTES_LIT("a/b")));
	cr_assert_eq(lex_sp(&lex), RP_OK);
	cr_assert_eq(mailbox_name_parse(&lex, &arena, false, &got), RP_ERR_SYNTAX);
}

static void writes(const char *name, bool utf8, struct bytes want)
{
	struct rope rope;
	struct resp resp;

	rope_init(&rope);
	resp_init(&resp, &rope, utf8);
	mailbox_name_write(&resp, bytes_of_str(name));
	resp_flush(&resp);
	cr_assert(
	    bytes_eq(rope_peek(&rope, 0), want), "%s: %.*s", name, BYTES_FMT(rope_peek(&rope, 0)));
	rope_fini(&rope);
}

Test(mailbox_name, is_written_as_the_session_reads_it)
{
	writes("INBOX", false, BYTES_LIT("INBOX"));
	writes("Sent Mail", false, BYTES_LIT("\"Sent Mail\""));
	writes("a\"b\\", false, BYTES_LIT("\"a\\\"b\\\\\""));
	writes("Entw\xc3\xbcrfe", false, BYTES_LIT("Entw&APw-rfe"));
	writes("Entw\xc3\xbcrfe", true, BYTES_LIT("\"Entw\xc3\xbcrfe\""));
	writes("a & b", false, BYTES_LIT("\"a &- b\""));
	writes("a & b", true, BYTES_LIT("\"a & b\""));
	writes("\xff", false, BYTES_LIT("&,,0-")); /* damaged: still a line that can be read */
}

Test(mailbox_name, the_longest_name_has_room_on_the_wire)
{
	char name[MAILBOX_NAME_BYTES_MAX + 1];

	for (size_t i = 0; i + 1 < sizeof(name); i += 2)
		memcpy(name + i,
		    "\x01"
		    "a",
		    2); /* no form is longer */
	name[MAILBOX_NAME_BYTES_MAX] = '\0';
	struct bytes wire;

	cr_assert_eq(
	    mailbox_name_to_utf7(bytes_of(name, MAILBOX_NAME_BYTES_MAX), &arena, &wire), RP_OK);
	cr_assert_eq(wire.n, MAILBOX_NAME_BYTES_MAX / 2 * 6);
}
