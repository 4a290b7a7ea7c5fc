#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/core/cmd/cmd_fixture.h"
#include "tests/core/cmd/fake.h"

static struct cmd_fixture f;

static void open_fixture(void)
{
	cmd_fixture_login(&f, NULL);
	cmd_fixture_append(&f, "INBOX", "(\\Seen) \" 1-Feb-2020 23:30:00 -0500\" ",
	    BYTES_LIT("From: Sam <sam@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
		      "Date: Fri, 31 Jan 2020 10:00:00 +0000\r\nX-Test: yes\r\n\r\nThe quick brown fox\r\n"));
	cmd_fixture_append(&f, "INBOX", "(\\Flagged Work) \" 2-Feb-2020 10:00:00 +0000\" ",
	    BYTES_LIT("From: Eve\r\nTo: sam@example.org\r\nContent-Transfer-Encoding: base64\r\n\r\n"
		      "VGhlIGxhenkgZG9n\r\n"));
	cmd_fixture_append(&f, "INBOX", "(\\Seen) \" 3-Feb-2020 10:00:00 +0000\" ",
	    BYTES_LIT("Subject: nothing\r\n\r\nquick\r\n"));
	cmd_fixture_append(&f, "INBOX", "(\\Deleted) ", BYTES_LIT("Subject: x\r\n\r\ny\r\n"));
	cmd_fixture_say(&f, "s SELECT INBOX");
	cmd_fixture_say(&f, "s EXPUNGE");
}

static void close_fixture(void)
{
	cmd_fixture_close(&f);
}

TestSuite(cmd_search, .init = open_fixture, .fini = close_fixture);

static void finds(const char *keys, const char *numbers)
{
	char command[500];
	char wanted[500];

	snprintf(command, sizeof(command), "a SEARCH %s", keys);
	snprintf(wanted, sizeof(wanted), "* SEARCH%s\r\na OK SEARCH completed\r\n", numbers);
	cmd_fixture_is(cmd_fixture_say(&f, command), wanted);
}

Test(cmd_search, flags_and_sets)
{
	finds("ALL", " 1 2 3");
	finds("SEEN", " 1 3");
	finds("UNSEEN", " 2");
	finds("NOT SEEN", " 2");
	finds("KEYWORD work", " 2");
	finds("UNKEYWORD Work", " 1 3");
	finds("2:*", " 2 3");
	finds("UID 3,1", " 1 3");
	finds("7:9", "");
	finds("RECENT", "");
	finds("OLD", " 1 2 3");
	finds("OR 1 FLAGGED", " 1 2");
	finds("SEEN NOT 1", " 3");
	finds("(OR SEEN FLAGGED) (2:3)", " 2 3");
}

Test(cmd_search, dates_in_their_own_zone_and_sizes)
{
	finds("ON 1-Feb-2020", " 1");
	finds("SINCE 2-Feb-2020", " 2 3");
	finds("BEFORE 2-Feb-2020", " 1");
	finds("SENTON 31-Jan-2020", " 1");
	finds("SENTSINCE 31-Jan-2020", " 1");
	finds("SENTBEFORE 1-Feb-2020", " 1");
	finds("SMALLER 28", " 3");
	finds("SMALLER 27", "");
	finds("LARGER 27", " 1 2");
	finds("LARGER 26", " 1 2 3");
}

Test(cmd_search, without_a_date_that_can_be_read_it_was_sent_on_no_day)
{
	cmd_fixture_has(cmd_fixture_append(&f, "INBOX", "\" 3-Feb-2020 10:00:00 +0000\" ",
			    BYTES_LIT("Date: the day after tomorrow\r\n\r\nx\r\n")),
	    "ap OK");
	finds("SENTSINCE 1-Jan-0001", " 1");
	finds("SENTBEFORE 31-Dec-9999", " 1");
	finds("NOT SENTON 31-Jan-2020", " 2 3 4");
	finds("SENTON 3-Feb-2020", "");
	finds("ON 3-Feb-2020", " 3 4");
}

Test(cmd_search, header_texts_are_decoded)
{
	finds("FROM sam", " 1");
	finds("TO SAM@EXAMPLE", " 2");
	finds("SUBJECT {5+}\r\ngr\xc3\xbc\xc3", "");
	finds("CHARSET UTF-8 SUBJECT {7+}\r\nGR\xc3\x9c\xc3\x9f" "E", " 1");
	finds("HEADER X-Test \"\"", " 1");
	finds("HEADER X-Test no", "");
	finds("HEADER Subject not", " 3");
	finds("NOT FROM sam", " 2 3");
}

Test(cmd_search, bodies_are_decoded)
{
	finds("BODY \"lazy DOG\"", " 2");
	finds("BODY quick", " 1 3");
	finds("TEXT nothing", " 3");
	finds("BODY nothing", "");
	finds("TEXT example.org", " 1 2");
	finds("OR BODY lazy FROM Sam", " 1 2");
	finds("BODY quick NOT TEXT fox", " 3");
	finds("FLAGGED BODY quick", "");
	finds("OR SEEN BODY lazy", " 1 2 3");
	finds("BODY \"\"", " 1 2 3");
}

Test(cmd_search, bodies_are_read_only_where_they_decide)
{
	for (uint32_t uid = 1; uid <= 3; uid++)
		fake_find(fake_mailbox("INBOX"), uid)->corrupt = true;
	finds("OR SEEN BODY lazy", " 1 3"); /* 2 cannot be read, and is found to have nothing */
	finds("SEEN OR FROM sam BODY x", " 1");
	finds("FROM sam SUBJECT gr", " 1");
}

Test(cmd_search, by_uid)
{
	cmd_fixture_say(&f, "b STORE 1 +FLAGS.SILENT \\Deleted");
	cmd_fixture_say(&f, "b EXPUNGE");
	cmd_fixture_is(cmd_fixture_say(&f, "a UID SEARCH ALL"),
	    "* SEARCH 2 3\r\na OK UID SEARCH completed\r\n");
	finds("ALL", " 1 2");
}

Test(cmd_search, esearch)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a SEARCH RETURN () ALL"),
	    "* ESEARCH (TAG \"a\") ALL 1:3\r\na OK SEARCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a UID SEARCH RETURN (MIN MAX COUNT) SEEN"),
	    "* ESEARCH (TAG \"a\") UID MIN 1 MAX 3 COUNT 2\r\na OK UID SEARCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a SEARCH RETURN (ALL) SEEN"),
	    "* ESEARCH (TAG \"a\") ALL 1,3\r\na OK SEARCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a SEARCH RETURN (MIN COUNT) DRAFT"),
	    "* ESEARCH (TAG \"a\") COUNT 0\r\na OK SEARCH completed\r\n");
}

Test(cmd_search, modseq)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a SEARCH MODSEQ 3"),
	    "* OK [HIGHESTMODSEQ 6] Highest\r\n* SEARCH 2 3 (MODSEQ 4)\r\na OK SEARCH completed\r\n");
	cr_assert_neq(f.session.enabled & SESSION_CONDSTORE, 0);
	cmd_fixture_is(cmd_fixture_say(&f, "a SEARCH MODSEQ 30"),
	    "* SEARCH\r\na OK SEARCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a SEARCH RETURN (MIN) MODSEQ 2"),
	    "* ESEARCH (TAG \"a\") MIN 1 MODSEQ 2\r\na OK SEARCH completed\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a SEARCH RETURN (ALL) MODSEQ 2"),
	    "* ESEARCH (TAG \"a\") ALL 1:3 MODSEQ 4\r\na OK SEARCH completed\r\n");
}

Test(cmd_search, refusals)
{
	cmd_fixture_is(cmd_fixture_say(&f, "a SEARCH CHARSET KOI8-R ALL"),
	    "a NO [BADCHARSET (UTF-8 US-ASCII)] This charset is not known here\r\n");
	cmd_fixture_has(cmd_fixture_say(&f, "a SEARCH"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a SEARCH FOO"), "a BAD ");
	cmd_fixture_has(cmd_fixture_say(&f, "a SEARCH (ALL"), "a BAD ");
}

/* Header blocks that fold to many times their size, or are more than all memory of a search together, end no search. */
Test(cmd_search, no_message_can_spoil_the_search_of_others)
{
	enum { PARTS = 30, BLOCK = 900 * 1000 };
	uint8_t *message = malloc(PARTS * (BLOCK + 100) + 1000);
	size_t n = 0;

	cr_assert_not_null(message);
	f.env.appendlimit_bytes = 64 << 20;
	f.piece_bytes = 64 * 1024;
	n += (size_t)sprintf((char *)message, "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n");
	for (unsigned i = 0; i < PARTS; i++) {
		n += (size_t)sprintf((char *)message + n, "\r\n--b\r\nX-Long: ");
		for (size_t at = 0; at < BLOCK; at += 3)
			n += (size_t)sprintf((char *)message + n, "\xef\xb7\xba");
		n += (size_t)sprintf((char *)message + n, "\r\n");
	}
	n += (size_t)sprintf((char *)message + n, "X-Last: needle\r\n\r\nbody\r\n");
	cmd_fixture_has(cmd_fixture_append(&f, "INBOX", "", bytes_of(message, n)), "ap OK");
	free(message);
	cmd_fixture_say(&f, "n NOOP");
	finds("TEXT needle", " 4");
	finds("BODY \"last: needle\"", " 4");
	finds("TEXT quick", " 1 3");
}

/* Enough work for a small budget, which counts CPU: the rest of the session is none the wiser. */
Test(cmd_search, a_search_that_takes_too_long_is_refused)
{
	enum { BYTES = 900 * 1000 };
	char *message = malloc(BYTES + 1);

	cr_assert_not_null(message);
	f.piece_bytes = 64 * 1024;
	memset(message, 'a', BYTES);
	message[BYTES] = '\0';
	memcpy(message, "Subject: x\r\n\r\n", 14);
	for (unsigned i = 0; i < 10; i++)
		cmd_fixture_append(&f, "INBOX", "", bytes_of_str(message));
	free(message);
	cmd_fixture_say(&f, "n NOOP");
	f.env.search_cpu_ms = 1;
	cmd_fixture_is(cmd_fixture_say(&f, "a SEARCH BODY aaaaaaaaaaaaaaaaaaaaab"),
	    "a NO [LIMIT] This search takes too long, ask for less at a time\r\n");
	cmd_fixture_is(cmd_fixture_say(&f, "a UID SEARCH RETURN (COUNT) BODY aaaaaaaaaab"),
	    "a NO [LIMIT] This search takes too long, ask for less at a time\r\n");
	f.env.search_cpu_ms = 60 * 1000;
	finds("SUBJECT nothing", " 3");
}
