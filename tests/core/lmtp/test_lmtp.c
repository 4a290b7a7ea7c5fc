/* The whole session, without a socket: however the network cuts it, the answers are the same, and what is stored is what was
 * acknowledged. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/lmtp/lmtp_path.h"
#include "tests/support/lmtp/lmtp_play.h"

/* Everything that a session can do, in one pipeline. */
static const char everything[] =
    "LHLO client\r\n"
    "MAIL FROM:<a@example.com> SIZE=100 BODY=8BITMIME\r\n"
    "RCPT TO:<sam@example.org>\r\n"
    "RCPT TO:<nobody@example.org>\r\n"
    "RCPT TO:<full>\r\n"
    "RCPT TO:<kim+Lists/dev@example.org>\r\n"
    "RCPT TO:<away>\r\n"
    "DATA\r\n"
    "Subject: x\r\n\r\n..dot\r\n.\n\r\n.\r.\r\n.\r\n"
    "RSET\r\n"
    "MAIL FROM:<>\r\n"
    "RCPT TO:<\"kim\">\r\n"
    "BDAT 5\r\nab\r\n."
    "BDAT 3\r\n\r\n."
    "NOOP x\r\n"
    "BDAT 0 LAST\r\n"
    "mail from:<b@c>\r\nrcpt to:<sam>\r\nBDAT 4 LAST\r\nX:y\n"
    "VRFY sam\r\nHELP\r\nHUH\r\nx\n"
    "QUIT\r\nNOOP\r\n";

static const char *const everything_said =
    "220 test.invalid LMTP ringpost ready\r\n"
    "250-test.invalid\r\n250-SIZE 1048576\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n"
    "250 ENHANCEDSTATUSCODES\r\n"
    "250 2.1.0 Sender accepted\r\n"
    "250 2.1.5 Recipient accepted\r\n"
    "550 5.1.1 No such user here\r\n"
    "250 2.1.5 Recipient accepted\r\n"
    "250 2.1.5 Recipient accepted\r\n"
    "451 4.3.0 Recipients cannot be looked up now\r\n"
    "354 Go on; end with a line that has only a dot\r\n"
    "250 2.0.0 Delivered\r\n"
    "452 4.2.2 Mailbox full (over quota)\r\n"
    "250 2.0.0 Delivered\r\n"
    "250 2.0.0 Forgotten\r\n"
    "250 2.1.0 Sender accepted\r\n"
    "250 2.1.5 Recipient accepted\r\n"
    "250 2.0.0 5 octets received\r\n"
    "250 2.0.0 3 octets received\r\n"
    "250 2.0.0 OK\r\n"
    "250 2.0.0 Delivered\r\n"
    "250 2.1.0 Sender accepted\r\n"
    "250 2.1.5 Recipient accepted\r\n"
    "250 2.0.0 Delivered\r\n"
    "252 2.5.0 Try RCPT\r\n"
    "214 2.0.0 LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT\r\n"
    "500 5.5.1 Unknown command\r\n"
    "500 5.5.2 LF without CR\r\n"
    "221 2.0.0 Bye\r\n";

static const char *const everything_stored =
    "sam/: Subject: x\r\n\r\n.dot\r\n\r\n\r\n\r\n.\r\n\n"
    "kim/Lists/dev: Subject: x\r\n\r\n.dot\r\n\r\n\r\n\r\n.\r\n\n"
    "kim/: ab\r\n.\r\n.\n"
    "sam/: X:y\r\n\n";

static void play_text(struct lmtp_play *play, const char *text)
{
	play->in = bytes_of_str(text);
	lmtp_play(play);
}

/* How many lines of the answers begin with this code. */
static size_t count(const char *out, const char *code)
{
	size_t n = strncmp(out, code, strlen(code)) == 0;

	for (const char *at = strchr(out, '\n'); at != NULL; at = strchr(at + 1, '\n'))
		n += strncmp(at + 1, code, strlen(code)) == 0;
	return n;
}

Test(lmtp, says_and_stores_the_same_however_it_is_cut)
{
	for (size_t cut = 0; cut <= 70; cut++) {
		struct lmtp_play play = { .cut = cut };

		play_text(&play, everything);
		cr_assert_str_eq(play.out, everything_said, "cut %zu", cut);
		cr_assert_str_eq(play.stored, everything_stored, "cut %zu", cut);
		cr_assert_eq(play.end, RP_ERR_END);
		lmtp_play_free(&play);
	}
	for (size_t first = 1; first < sizeof(everything) - 1; first++) {
		struct lmtp_play play = { .first = first };

		play_text(&play, everything);
		cr_assert_str_eq(play.out, everything_said, "two segments, the first of %zu", first);
		cr_assert_str_eq(play.stored, everything_stored, "two segments, the first of %zu", first);
		lmtp_play_free(&play);
	}
}

/* The client goes away at each byte: what was stored was whole, and what was answered is a beginning of all answers. */
Test(lmtp, a_cut_stores_nothing_half)
{
	static const size_t stored_at[] = { 0, 2, 3, 4 };
	size_t seen = 0;

	for (size_t n = 0; n < sizeof(everything); n++) {
		struct lmtp_play play = { .in = bytes_of(everything, n) };

		lmtp_play(&play);
		cr_assert_eq(strncmp(play.out, everything_said, play.out_n), 0, "%zu bytes", n);
		cr_assert_eq(strncmp(play.stored, everything_stored, play.stored_n), 0, "%zu bytes", n);
		cr_assert(play.stored_n == 0 || play.stored[play.stored_n - 1] == '\n');
		while (seen < 3 && play.deliveries > stored_at[seen])
			seen++;
		cr_assert_eq(play.deliveries, stored_at[seen], "%zu bytes", n);
		lmtp_play_free(&play);
	}
	cr_assert_eq(seen, 3);
}

Test(lmtp, a_line_of_the_greatest_length_may_be_cut_anywhere)
{
	char text[LMTP_LINE_BYTES_MAX + 16];

	for (int more = -1; more <= 1; more++) {
		size_t n = (size_t)(LMTP_LINE_BYTES_MAX + more);

		memset(text, 'x', n);
		memcpy(text, "NOOP ", 5);
		memcpy(text + n, "\r\n", 3);
		for (size_t first = 0; first < n + 2; first = first == 0 ? n - 3 : first + 1) {
			struct lmtp_play play = { .first = first, .cut = first == 0 ? 0 : 1 };

			play_text(&play, text);
			cr_assert_eq(count(play.out, more <= 0 ? "250 2.0.0 OK" : "500 5.5.2 Line too long"), 1,
				"%zu bytes, the first segment has %zu: %s", n, first, play.out);
			lmtp_play_free(&play);
		}
	}
}

Test(lmtp, a_line_without_end_is_given_up)
{
	size_t n = 1024 * 1024;
	char *text = malloc(n + 10);

	cr_assert_not_null(text);
	memset(text, 'x', n);
	for (int more = 0; more <= 1; more++) {
		struct lmtp_play play = { .cut = 60000 };

		memcpy(text + n - 1 + more - 1, "\r\nNOOP\r\n", 9);
		play_text(&play, text);
		cr_assert_eq(count(play.out, "250 2.0.0 OK"), more == 0, "%s", play.out);
		cr_assert_eq(count(play.out, "421 "), more != 0);
		lmtp_play_free(&play);
		memset(text, 'x', n);
	}
	free(text);
}

Test(lmtp, ten_bad_commands_end_it)
{
	struct lmtp_play play = { .in = { 0 } };

	play_text(&play, "1\r\n2\r\nRCPT TO:<sam>\r\nDATA\r\n5\r\n6\r\n7\n8\r\nBDAT 0 LAST\r\nNOOP\r\nLHLO\r\nNOOP\r\n");
	cr_assert_eq(count(play.out, "5"), 10, "%s", play.out);
	cr_assert_eq(count(play.out, "250 2.0.0 OK"), 1, "%s", play.out);
	cr_assert_eq(count(play.out, "421 4.7.0"), 1);
	cr_assert_eq(play.end, RP_ERR_END);
	lmtp_play_free(&play);
}

/* RFC 2920: what was sent along with a command that was refused is answered, and is no fault of the client's. */
Test(lmtp, a_refused_pipeline_is_no_fault)
{
	struct lmtp_play play = { .size_max = 1000 };
	char text[4000] = "LHLO x\r\n";

	for (int i = 0; i < 15; i++)
		strcat(text, "MAIL FROM:<a@b> SIZE=1001\r\nRCPT TO:<sam>\r\nRCPT TO:<kim>\r\nDATA\r\nRSET\r\n");
	for (int i = 0; i < 15; i++)
		strcat(text, "MAIL FROM:<a@b>\r\nRCPT TO:<nobody>\r\nBDAT 3 LAST\r\na\r\nRSET\r\n");
	play_text(&play, text);
	cr_assert_eq(count(play.out, "552 5.3.4"), 15, "%s", play.out);
	cr_assert_eq(count(play.out, "503 5.5.1"), 60, "%s", play.out);
	cr_assert_eq(count(play.out, "250 2.0.0 Forgotten"), 30);
	cr_assert_eq(count(play.out, "421 "), 0);
	lmtp_play_free(&play);
}

Test(lmtp, addresses_beyond_ascii_need_smtputf8)
{
	struct lmtp_play play = { .return_path = true };

	play_text(&play, "LHLO x\r\nMAIL FROM:<\xc3\xa9@b>\r\nMAIL FROM:<a@b>\r\nRCPT TO:<sam+\xc3\xa9>\r\nRSET\r\n"
			 "MAIL FROM:<\xc3\xa9@b> SMTPUTF8\r\nRCPT TO:<sam+\xc3\xa9>\r\nRCPT TO:<sam+\xe9>\r\n"
			 "BDAT 2 LAST\r\n\r\nMAIL FROM:<\xe9@b> SMTPUTF8\r\nMAIL FROM:<a@b> SMTPUTF8=1\r\n");
	cr_assert_eq(count(play.out, "550 5.6.7"), 1, "%s", play.out);
	cr_assert_eq(count(play.out, "553 5.6.7"), 1, "%s", play.out);
	cr_assert_eq(count(play.out, "501 5.1.3"), 1, "%s", play.out);
	cr_assert_eq(count(play.out, "501 5.1.7"), 1, "%s", play.out);
	cr_assert_eq(count(play.out, "501 5.5.4"), 1, "%s", play.out);
	cr_assert_str_eq(play.stored, "sam/\xc3\xa9: Return-Path: <\xc3\xa9@b>\r\n\r\n\n");
	lmtp_play_free(&play);
}

/* The sender stands in Return-Path as he wrote himself, or a '>' within quotes would end it. */
Test(lmtp, return_path_keeps_the_quotes)
{
	struct lmtp_play play = { .return_path = true };

	play_text(&play, "LHLO x\r\nMAIL FROM:<@r.example:\"a>b \\\" c\"@d>\r\nRCPT TO:<sam>\r\nBDAT 0 LAST\r\n"
			 "MAIL FROM:<>\r\nRCPT TO:<kim>\r\nBDAT 0 LAST\r\n");
	cr_assert_str_eq(play.stored, "sam/: Return-Path: <\"a>b \\\" c\"@d>\r\n\nkim/: Return-Path: <>\r\n\n");
	lmtp_play_free(&play);
}

Test(lmtp, detail_that_is_part_of_a_name_is_no_folder)
{
	struct lmtp_play play = { .in = { 0 } };

	play_text(&play, "LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<sam+whole>\r\nRCPT TO:<sam+a+b@example.org>\r\n"
			 "RCPT TO:<\"sam+c d\"@example.org>\r\nRCPT TO:<sam+>\r\nRCPT TO:<+x>\r\nBDAT 0 LAST\r\n");
	cr_assert_str_eq(play.stored, "sam+whole/: \nsam/a+b: \nsam/c d: \n", "%s", play.out);
	lmtp_play_free(&play);
}

Test(lmtp, a_hundred_recipients_and_any_number_of_strangers)
{
	struct lmtp_play play = { .cut = 5000 };
	size_t room = 6000 * (LMTP_PATH_BYTES_MAX + 20);
	char *text = malloc(room);
	size_t n = (size_t)snprintf(text, room, "LHLO x\r\nMAIL FROM:<a@b>\r\n");

	cr_assert_not_null(text);
	for (int i = 0; i < 5000; i++)
		n += (size_t)snprintf(text + n, room - n, "RCPT TO:<nobody%d+%0900d>\r\n", i, i);
	for (int i = 0; i < LMTP_RCPT_MAX + 1; i++)
		n += (size_t)snprintf(text + n, room - n, "RCPT TO:<sam+%0900d>\r\n", i);
	n += (size_t)snprintf(text + n, room - n, "BDAT 0 LAST\r\n");
	play_text(&play, text);
	cr_assert_eq(count(play.out, "550 5.1.1"), 5000);
	cr_assert_eq(count(play.out, "250 2.1.5"), LMTP_RCPT_MAX);
	cr_assert_eq(count(play.out, "452 4.5.3"), 1);
	cr_assert_eq(count(play.out, "250 2.0.0 Delivered"), LMTP_RCPT_MAX);
	cr_assert_eq(play.deliveries, LMTP_RCPT_MAX);
	lmtp_play_free(&play);
	free(text);
}

Test(lmtp, a_message_may_be_as_large_as_the_limit)
{
	for (int more = -1; more <= 1; more++) {
		size_t n = (size_t)(3 * 1024 * 1024 + more);
		struct lmtp_play play = { .size_max = 3 * 1024 * 1024, .cut = 50000 };
		char *text = malloc(n + 200);

		cr_assert_not_null(text);
		size_t at = (size_t)snprintf(text, 100, "LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<sam>\r\nRCPT TO:<kim>\r\nDATA\r\n");

		memset(text + at, 'x', n - 2);
		strcpy(text + at + n - 2, "\r\n.\r\nNOOP\r\n");
		play_text(&play, text);
		cr_assert_eq(play.deliveries, more <= 0 ? 2 : 0);
		cr_assert_eq(count(play.out, more <= 0 ? "250 2.0.0 Delivered" : "552 5.3.4"), 2);
		cr_assert_eq(count(play.out, "250 2.0.0 OK"), 1);
		lmtp_play_free(&play);
		free(text);
	}
}

/* It is refused as soon as there is no room, not when the disk has not a byte left; small ones stay in memory, and whoever delivers says no. */
Test(lmtp, a_message_too_large_for_the_room_that_there_is_is_refused)
{
	size_t n = 9 * 1024 * 1024;
	struct lmtp_play play = { .size_max = 10 * 1024 * 1024, .cut = 50000, .room_bytes = 3 * 1024 * 1024 };
	char *text = malloc(n + 300);

	cr_assert_not_null(text);
	size_t at = (size_t)snprintf(text, 100, "LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<sam>\r\nRCPT TO:<kim>\r\nDATA\r\n");

	memset(text + at, 'x', n);
	strcpy(text + at + n, "\r\n.\r\nMAIL FROM:<a@b>\r\nRCPT TO:<sam>\r\nDATA\r\nsmall\r\n.\r\n");
	play_text(&play, text);
	cr_assert_eq(count(play.out, "452 4.3.1"), 2);
	cr_assert_leq(play.asked_bytes, 5 * 1024 * 1024, "nor is there more of it to be asked for");
	cr_assert_eq(count(play.out, "250 2.0.0 Delivered"), 1);
	cr_assert_str_eq(play.stored, "sam/: small\r\n\n");
	lmtp_play_free(&play);
	free(text);
}

Test(lmtp, data_rset_and_quit_stand_alone)
{
	struct lmtp_play play = { .in = { 0 } };

	play_text(&play, "LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<sam>\r\nDATA now\r\nRSET all\r\nQUIT please\r\nDATA  \r\na\r\n.\r\n");
	cr_assert_eq(count(play.out, "501 5.5.4"), 3, "%s", play.out);
	cr_assert_str_eq(play.stored, "sam/: a\r\n\n");
	lmtp_play_free(&play);
}
