#include "bench/load/response.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct response parsed(const char *text)
{
	struct response response;
	struct response_frame frame = {0};
	size_t end;

	cr_assert_eq(response_frame_find(&frame, bytes_of_str(text), &end), RP_OK, "%s", text);
	cr_assert_eq(end, strlen(text), "%s", text);
	cr_assert(response_parse(bytes_of_str(text), &response), "%s", text);
	return response;
}

static bool breaks(const char *text)
{
	struct response response;

	return !response_parse(bytes_of_str(text), &response);
}

static bool fetch_breaks(const char *text)
{
	struct response response = parsed(text);
	struct response_fetch fetch;

	return !response_fetch_parse(&response, &fetch);
}

Test(response, however_the_bytes_are_cut_the_end_is_found)
{
	static const char text[] = "* 1 FETCH (BODY[] {5}\r\nab\r\nc FLAGS () BODY[1] {0}\r\n)\r\nb1 OK x\r\n";
	static const size_t whole = sizeof(text) - 1 - 9;

	for (size_t step = 1; step < sizeof(text); step++) {
		struct response_frame frame = {0};
		size_t n = 0;
		size_t end = 0;
		enum rp_err err;

		do {
			n = n + step < sizeof(text) - 1 ? n + step : sizeof(text) - 1;
			err = response_frame_find(&frame, bytes_of(text, n), &end);
		} while (err == RP_ERR_END);
		cr_assert_eq(err, RP_OK);
		cr_assert_eq(end, whole);
		cr_assert_leq(end, n);
	}
}

Test(response, a_line_without_cr_or_a_literal_without_bound_is_refused)
{
	struct response_frame frame = {0};
	size_t end;

	cr_assert_eq(response_frame_find(&frame, BYTES_LIT("* OK\n"), &end), RP_ERR_SYNTAX);
	frame = (struct response_frame){0};
	cr_assert_eq(response_frame_find(&frame, BYTES_LIT("* 1 FETCH (BODY[] {99999999999999999999}\r\n"), &end),
	    RP_ERR_SYNTAX);
	frame = (struct response_frame){0};
	cr_assert_eq(response_frame_find(&frame, BYTES_LIT("* OK {x}\r\n"), &end), RP_OK);
	frame = (struct response_frame){0};
	cr_assert_eq(response_frame_find(&frame, BYTES_LIT("* OK 5}\r\n"), &end), RP_OK);
}

Test(response, kinds_and_codes_are_told_apart)
{
	struct response r = parsed("b12 OK [READ-WRITE] done\r\n");
	struct bytes argument;

	cr_assert_eq(r.kind, RESPONSE_TAGGED);
	cr_assert_eq(r.status, RESPONSE_OK);
	cr_assert(bytes_eq(r.tag, BYTES_LIT("b12")));
	cr_assert(response_code_is(&r, BYTES_LIT("READ-WRITE"), &argument));
	cr_assert_not(response_code_is(&r, BYTES_LIT("READ"), &argument));
	cr_assert(bytes_eq(r.text, BYTES_LIT("done")));

	r = parsed("* OK [UIDVALIDITY 17] x\r\n");
	cr_assert_eq(r.kind, RESPONSE_UNTAGGED);
	cr_assert_eq(r.status, RESPONSE_OK);
	cr_assert(response_code_is(&r, BYTES_LIT("UIDVALIDITY"), &argument));
	cr_assert(bytes_eq(argument, BYTES_LIT("17")));

	r = parsed("* 23 EXISTS\r\n");
	cr_assert(r.has_number);
	cr_assert_eq(r.number, 23);
	cr_assert(bytes_eq(r.name, BYTES_LIT("EXISTS")));

	cr_assert_eq(parsed("+ go on\r\n").kind, RESPONSE_CONTINUATION);
	cr_assert_eq(parsed("* BYE late\r\n").status, RESPONSE_BYE);
	cr_assert_eq(parsed("* SEARCH\r\n").status, RESPONSE_NONE);
	cr_assert(breaks("*\r\n"));
	cr_assert(breaks("b1\r\n"));
	cr_assert(breaks("b1 FINE done\r\n"));
	cr_assert(breaks("b1 BYE done\r\n"));
	cr_assert(breaks("* OK [UNCLOSED\r\n"));
	cr_assert(breaks("* OK [] x\r\n"));
	cr_assert(breaks("* 99999999999 EXISTS\r\n"));
	cr_assert(breaks("\r\n"));
}

Test(response, every_item_of_a_fetch_is_read)
{
	struct response r = parsed("* 7 FETCH (UID 12 FLAGS (\\Seen $Forwarded) MODSEQ (99) RFC822.SIZE 5 "
	                           "INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" ENVELOPE (NIL \"a \\\"b\" ((NIL NIL "
	                           "\"joe\" \"x\")) NIL NIL NIL NIL NIL NIL {3}\r\n<i>) BODYSTRUCTURE (\"text\" \"plain\" "
	                           "NIL NIL NIL \"7BIT\" 5 1) BODY[HEADER.FIELDS (SUBJECT FROM)] {2}\r\n\r\n "
	                           "BODY[1]<5> \"ab\" BODY[2] NIL)\r\n");
	struct response_fetch f;
	struct bytes subject, from;

	cr_assert(response_fetch_parse(&r, &f));
	cr_assert_eq(f.seqno, 7);
	cr_assert(f.has_uid && f.uid == 12);
	cr_assert(f.has_flags && f.flags == (RESPONSE_SEEN | RESPONSE_KEYWORD));
	cr_assert(f.has_modseq && f.modseq == 99);
	cr_assert(f.has_size && f.size_bytes == 5);
	cr_assert_eq(f.internaldate.n, 26);
	cr_assert(response_envelope(f.envelope, &subject, &from));
	cr_assert(bytes_eq(subject, BYTES_LIT("a \\\"b")));
	cr_assert(bytes_eq(from, BYTES_LIT("joe")));
	cr_assert_eq(f.bodystructure.p[0], '(');
	cr_assert_eq(f.sections_count, 3);
	cr_assert(bytes_eq(f.section[0].name, BYTES_LIT("HEADER.FIELDS (SUBJECT FROM)")));
	cr_assert(bytes_eq(f.section[0].data, BYTES_LIT("\r\n")));
	cr_assert(f.section[1].partial && f.section[1].origin == 5);
	cr_assert(bytes_eq(f.section[1].data, BYTES_LIT("ab")));
	cr_assert_null(f.section[2].data.p);
}

Test(response, a_broken_fetch_is_found)
{
	static const char *const broken[] = {"* 1 FETCH\r\n", "* 1 FETCH ()\r\n", "* 0 FETCH (UID 1)\r\n",
	    "* FETCH (UID 1)\r\n", "* 1 FETCH (UID 0)\r\n", "* 1 FETCH (UID 4294967296)\r\n", "* 1 FETCH (UID 1\r\n",
	    "* 1 FETCH (UID 1) x\r\n", "* 1 FETCH (UID 1 UID 1)\r\n", "* 1 FETCH (FLAGS)\r\n",
	    "* 1 FETCH (FLAGS (\\Seen\\Flagged \"x\"))\r\n", "* 1 FETCH (FLAGS (\\Seen)FLAGS (\\Seen))\r\n",
	    "* 1 FETCH (MODSEQ 5)\r\n", "* 1 FETCH (MODSEQ (0))\r\n", "* 1 FETCH (UID  1)\r\n",
	    "* 1 FETCH (NEVER 1)\r\n", "* 1 FETCH (ENVELOPE (NIL)\r\n", "* 1 FETCH (BODY[] \"abc)\r\n",
	    "* 1 FETCH (BODY[]<x> \"abc\")\r\n", "* 1 FETCH (BODY[ \"abc\")\r\n",
	    "* 1 FETCH (INTERNALDATE NIL)\r\n", "* 1 FETCH (UID 1 )\r\n"};

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		cr_assert(fetch_breaks(broken[i]), "%s", broken[i]);
}

Test(response, an_envelope_has_ten_fields_of_their_kinds)
{
	struct bytes subject, from;
	static const char *const broken[] = {"()", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
	    "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)", "(NIL (\"a\") NIL NIL NIL NIL NIL NIL NIL NIL)",
	    "(NIL NIL \"joe\" NIL NIL NIL NIL NIL NIL NIL)", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL"};

	cr_assert(response_envelope(BYTES_LIT("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"), &subject, &from));
	cr_assert_null(subject.p);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		cr_assert_not(response_envelope(bytes_of_str(broken[i]), &subject, &from), "%s", broken[i]);
}

Test(response, ranges_come_one_by_one)
{
	struct response_cursor cursor = {.in = BYTES_LIT("3,5:7,10:8")};
	uint32_t first, last;

	cr_assert(response_range(&cursor, &first, &last) && first == 3 && last == 3);
	cr_assert(response_range(&cursor, &first, &last) && first == 5 && last == 7);
	cr_assert(response_range(&cursor, &first, &last) && first == 8 && last == 10);
	cr_assert_not(response_range(&cursor, &first, &last));
	cr_assert(response_at_end(&cursor));
}

/* Cut anywhere, or with any byte changed, nothing is read beyond the end (a sanitizer watches). */
Test(response, damaged_responses_are_read_in_bounds)
{
	static const char text[] = "* 7 FETCH (UID 12 FLAGS (\\Seen) ENVELOPE (NIL \"a\" ((NIL NIL \"j\" \"x\")) NIL "
	                           "NIL NIL NIL NIL NIL {3}\r\n<i>) BODY[1]<5> {2}\r\nab)\r\n";
	static const char others[] = "()\"{}[]\\ 0\r\n~";

	for (size_t cut = 2; cut < sizeof(text); cut++) {
		for (size_t i = 0; i < cut; i++) {
			uint8_t *p = malloc(cut);
			struct response r;
			struct response_fetch f;
			struct bytes subject, from;

			memcpy(p, text, cut);
			p[i] = (uint8_t)others[(i + cut) % (sizeof(others) - 1)];
			if (response_parse(bytes_of(p, cut), &r) && response_fetch_parse(&r, &f) &&
			    f.envelope.p != NULL)
				(void)!response_envelope(f.envelope, &subject, &from);
			free(p);
		}
	}
}
