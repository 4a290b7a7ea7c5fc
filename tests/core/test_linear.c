/* Eight times the bytes take about eight times the time, in every parser, for input that is made to make it slow. A parser that
 * goes back over what it has seen takes 64 times as long; 8 to 20 is what noise makes of a straight one. (Of MIME's trees:
 * test_mime.c.)
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "core/imap/fetch_att.h"
#include "core/imap/flag.h"
#include "core/imap/frame.h"
#include "core/imap/list_pattern.h"
#include "core/imap/mailbox_name.h"
#include "core/imap/search_key.h"
#include "core/lmtp/lmtp_data.h"
#include "core/mail/address.h"
#include "core/mail/encoded_word.h"
#include "core/mail/header.h"
#include "core/mail/mime_param.h"
#include "core/mail/mime_section.h"
#include "core/mail/normalise.h"
#include "core/mail/needle.h"
#include "core/mail/search_text.h"

enum {
	GROWTH = 8,
	GROWTH_MAX = 20,
	TRIES = 5,
	BYTES = 64 * 1024,         /* of the smaller input */
	ARENA_BYTES = 256 << 20,
};

static struct charset_set charsets;
static struct arena arena;

static void set_up(void)
{
	const char *reason;

	cr_assert_eq(charset_init(&charsets, &reason), RP_OK);
	arena_init(&arena, ARENA_BYTES);
}

static void tear_down(void)
{
	arena_fini(&arena);
	charset_fini(&charsets);
}

TestSuite(linear, .init = set_up, .fini = tear_down, .timeout = 200);

typedef void parse_fn(struct bytes in);

struct bomb {
	const char *head; /* once, then `each` to the length, then the tail */
	const char *each;
	const char *tail;
};

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint8_t *make(const struct bomb *bomb, size_t bytes, size_t *n)
{
	size_t head = strlen(bomb->head);
	size_t each = strlen(bomb->each);
	size_t tail = strlen(bomb->tail);
	uint8_t *p = malloc(head + bytes + each + tail);

	cr_assert_not_null(p);
	memcpy(p, bomb->head, head);
	for (*n = head; *n < head + bytes; *n += each)
		memcpy(p + *n, bomb->each, each);
	memcpy(p + *n, bomb->tail, tail);
	*n += tail;
	return p;
}

/* The least of some tries: what comes on top is the machine's. */
static uint64_t least_ns(parse_fn *parse, const struct bomb *bomb, size_t bytes)
{
	size_t n;
	uint8_t *p = make(bomb, bytes, &n);
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		uint64_t from = cpu_ns();

		parse(bytes_of(p, n));
		uint64_t took = cpu_ns() - from;

		least = took < least ? took : least;
		arena_reset(&arena);
	}
	free(p);
	return least;
}

static void check(const char *what, parse_fn *parse, const struct bomb *bomb, size_t bytes)
{
	uint64_t once = least_ns(parse, bomb, bytes);
	uint64_t more = least_ns(parse, bomb, bytes * GROWTH);

	/* Below 100 us nothing can be told from noise. */
	cr_expect_leq(more, GROWTH_MAX * once + 100 * 1000, "%s of \"%.40s\": %lu ns, then %lu ns for %d times the bytes",
	    what, bomb->each, (unsigned long)once, (unsigned long)more, GROWTH);
}

#define CHECK(parse, bombs)                                                                        \
	for (size_t i = 0; i < sizeof(bombs) / sizeof((bombs)[0]); i++)                            \
	check(#parse, parse, &(bombs)[i], BYTES)

/* ---- mail ---- */

static void addresses(struct bytes in)
{
	struct address_reader reader;
	struct address address;

	address_reader_init(&reader, &arena);
	address_read(&reader, in);
	while (address_next(&reader, &address))
		cr_assert_leq(address.mailbox.n, in.n);
}

Test(linear, address_lists)
{
	static const struct bomb bombs[] = {
		{ "", "a@b,", "" }, { "", "(", "" }, { "", "(((\\", "" }, { "\"", "\\\"", "" }, { "", "<", "" }, { "", "@", "" },
		{ "", "a@", "" }, { "", ":;", "" }, { "g:", ",", "" }, { "", ">", "" }, { "<", "@a,", "" }, { "", "\"\" ", "" },
		{ "", " ", "" }, { "", "a b <", "" }, { "a", "()", "@b" },
	};

	CHECK(addresses, bombs);
}

static void encoded_words(struct bytes in)
{
	struct encoded_word_reader reader;
	uint8_t out[ENCODED_WORD_OUT_BYTES];
	size_t n;

	encoded_word_begin(&reader, &charsets, in);
	while (encoded_word_next(&reader, out, &n))
		cr_assert_leq(n, sizeof(out));
	encoded_word_end(&reader);
}

Test(linear, encoded_words_of_a_header)
{
	static const struct bomb bombs[] = {
		{ "", "=?", "" }, { "", "=?a?q?", "" }, { "", "=?utf-8?q?=41?= ", "" }, { "=?utf-8?b?", "=?", "" },
		{ "", "=?utf-8?q?" "?=", "" }, { "=?utf-8?q?a?=", " ", "" }, { "=?utf-8?b?", "QUFB", "?=" }, { "", "=", "" },
		{ "=?utf-8?q?", "_", "" }, { "", "=?iso-8859-1?q?\xe9?= ", "" },
	};

	CHECK(encoded_words, bombs);
}

static void parameters(struct bytes in)
{
	struct mime_value value;

	(void)!mime_value_parse(&arena, in, &value);
}

Test(linear, parameters_and_their_continuations)
{
	static const struct bomb bombs[] = {
		{ "a/b", "; x*0=y", "" }, { "a/b", ";", "" }, { "a/b; x=\"", "\\\"", "" }, { "a/b; x=", "(", "" }, { "a/b; x=", " y", "" },
		{ "", "(", "" }, { "", ")", "" }, { "a/b; ", "x", "" }, { "a/b; x*1*=", "%41", "" }, { "a/b; x=", " (", "" },
	};

	CHECK(parameters, bombs);
}

static void fields(struct bytes in)
{
	static struct bytes names[] = { { (const uint8_t *)"x", 1 }, { (const uint8_t *)"subject", 7 } };
	struct mime_section section = { .kind = MIME_SECTION_FIELDS_NOT, .name = names, .name_count = 2 };
	struct header_field field;
	struct bytes rest = in;
	struct text out;

	text_init(&out, &arena);
	while (header_next(&rest, &field))
		header_unfold(&out, field.value);
	cr_assert(mime_section_fields(&out, in, &section));
}

Test(linear, header_fields)
{
	static const struct bomb bombs[] = {
		{ "", "X: y\r\n", "" }, { "X: ", "\r\n y", "" }, { "X: ", "y", "" }, { "", ":", "" }, { "X", " ", ": y" }, { "", "\n ", "" },
	};

	CHECK(fields, bombs);
}

static void line_ends(struct bytes in)
{
	struct normalise state = { 0 };

	for (size_t at = 0; at < in.n;) {
		size_t n = at % 7 == 0 ? in.n - at : 1; /* one byte, or all that is left */
		struct bytes piece = bytes_slice(in, at, at + (n > 4096 ? 4096 : n));
		size_t used = piece.n;

		while (normalise_next(&state, &piece).n > 0)
			;
		at += used;
	}
	(void)normalise_finish(&state);
}

Test(linear, line_ends_at_the_door)
{
	static const struct bomb bombs[] = { { "", "\r", "" }, { "", "\n", "" }, { "", "\r\r\n", "" }, { "", "x", "" }, { "", "\n\r", "" } };

	CHECK(line_ends, bombs);
}

static void dots(struct bytes in)
{
	struct lmtp_data data = { .state = LMTP_DATA_START };

	while (in.n > 0 && data.state != LMTP_DATA_END)
		(void)lmtp_data_next(&data, &in);
}

Test(linear, dots_of_a_message)
{
	static const struct bomb bombs[] = { { "", ".", "" }, { "", "\r\n.", "" }, { "", "\r\n..", "" }, { "", ".\r", "" }, { "", "\r\n.\rx", "" } };

	CHECK(dots, bombs);
}

static void search(struct bytes in)
{
	static struct search_text search_state;
	static char key[1000];
	struct needle_scan scan = { 0 };
	struct needle needle;
	struct bytes out;
	bool found = false;

	memset(key, 'a', sizeof(key));
	key[sizeof(key) - 1] = 'b';
	cr_assert_eq(needle_init(&needle, &arena, bytes_of(key, sizeof(key))), RP_OK);
	search_text_begin(&search_state, &charsets, DECODE_QP, CHARSET_UTF8);
	while (search_text_next(&search_state, &in, &out))
		found |= needle_find(&needle, &scan, out);
	out = search_text_finish(&search_state);
	cr_assert(!found && !needle_find(&needle, &scan, out));
}

Test(linear, texts_that_nearly_match)
{
	static const struct bomb bombs[] = { { "", "a", "" }, { "", "=61", "" }, { "", "=", "" }, { "", " ", "" }, { "", "=\r\n", "" },
		{ "", "\xef\xb7\xba", "" } /* folds to 18 characters */ };

	CHECK(search, bombs);
}

/* ---- commands ---- */

/* As it comes from a slow network: one byte at a time. */
static void frames(struct bytes in)
{
	struct frame frame = { .line_bytes_max = SIZE_MAX };

	for (size_t n = 1; n <= in.n; n++) {
		enum frame_verdict verdict = frame_find(&frame, bytes_slice(in, 0, n));

		if (verdict == FRAME_LITERAL)
			frame_skip_literal(&frame);
		cr_assert_neq(verdict, FRAME_BAD);
	}
}

Test(linear, frames_in_segments_of_one_byte)
{
	static const struct bomb bombs[] = { { "a ", "{", "" }, { "a ", "}", "" }, { "a ", "{1+}\r\nx", "" }, { "a ", "(", "" },
		{ "a {9", "9", "}" } };

	CHECK(frames, bombs);
}

static void dropped(struct bytes in)
{
	struct frame frame = { .line_bytes_max = 1 };

	cr_assert_eq(frame_find(&frame, in), FRAME_BAD);
	in = bytes_from(in, frame.end);
	frame_drop_start(&frame, UINT64_MAX);
	for (size_t at = 0; at < in.n && frame_drop(&frame, bytes_slice(in, at, at + 1)) == FRAME_MORE; at++)
		;
}

Test(linear, commands_that_are_dropped)
{
	static const struct bomb bombs[] = { { "aaaa", "x", "" }, { "aaaa", "{1+}\r\nx", "" }, { "aaaa", "{", "" } };

	CHECK(dropped, bombs);
}

static void sets(struct bytes in)
{
	struct lex lex = lex_of(in);
	struct seqset set;

	(void)!seqset_parse(&lex, &arena, false, &set);
}

Test(linear, sequence_sets)
{
	static const struct bomb bombs[] = { { "1", ",1", "" }, { "1", ",9,1", "" }, { "9", ",4294967295,1:2,7:5", "" }, { "", "1", "" },
		{ "*", ",*:3", "" } };

	CHECK(sets, bombs);
}

static void arguments(struct bytes in)
{
	struct lex lex = lex_of(in);
	struct search_args search_args;
	struct fetch_atts atts;
	struct flag_list flags;
	struct bytes b;

	(void)!lex_astring(&lex, &arena, &b);
	lex = lex_of(in);
	(void)!search_args_parse(&lex, &arena, &search_args);
	lex = lex_of(in);
	(void)!fetch_atts_parse(&lex, &arena, &atts);
	lex = lex_of(in);
	(void)!flag_store_parse(&lex, &arena, &flags);
	(void)!mailbox_name_decode(in, &arena, false, &b);
	(void)!mailbox_name_to_utf8(in, &arena, false, &b);
}

Test(linear, arguments_of_commands)
{
	static const struct bomb bombs[] = { { "\"", "\\\\", "\"" }, { "", "(", "" }, { "(", "FLAGS ", "" }, { "(", "\\Seen ", "" },
		{ "(", "a ", "" }, { "", "NOT ", "" }, { "", "&AOk-", "" }, { "", "&", "" }, { "", "&AOk", "" }, { "", "a/", "" },
		{ "BODY[HEADER.FIELDS (", "a ", "" }, { "BODY[", "1.", "" } };

	CHECK(arguments, bombs);
}

/* Patterns of every length on the longest name. */
static void match(struct bytes in)
{
	static const struct bomb bomb = { "", "a", "" };
	size_t n;
	uint8_t *name = make(&bomb, 1000, &n);
	struct lex lex = lex_of(in);
	struct list_args args;

	cr_assert_eq(list_args_parse(&lex, &arena, true, &args), RP_OK);
	for (int i = 0; i < 100; i++)
		cr_assert(!list_args_match(&args, bytes_of(name, n)));
	free(name);
}

Test(linear, patterns_of_list)
{
	static const struct bomb bombs[] = { { "\"\" ", "*a", "b" }, { "\"\" ", "%a", "b" }, { "\"\" ", "*a%a", "b" } };

	for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++)
		check("match", match, &bombs[i], LIST_PATTERN_BYTES_MAX / GROWTH - 8);
}
