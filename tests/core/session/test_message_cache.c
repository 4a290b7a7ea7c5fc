#include "core/session/message_cache.h"

#include <criterion/criterion.h>

#include "core/mail/mime_section.h"

static struct arena arena;

static void open_arena(void)
{
	arena_init(&arena, 64 * 1024 * 1024);
}

static void close_arena(void)
{
	arena_fini(&arena);
}

TestSuite(message_cache, .init = open_arena, .fini = close_arena);

static struct bytes encode(struct bytes message)
{
	struct bytes entry;
	struct mime mime;

	cr_assert_eq(mime_parse(&arena, MIME_FOR_INDEX, message, &mime), RP_OK);
	cr_assert_eq(message_cache_encode(&arena, &mime, &entry), RP_OK);
	return entry;
}

static const char multi[] =
    "Date: Sat, 1 Feb 2020 10:00:00 +0100\r\nSubject: s\r\nX-Foo: 1\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody\r\n--b--\r\n";

static struct bytes message_bytes(void)
{
	return bytes_of(multi, sizeof(multi) - 1);
}

Test(message_cache, an_entry_says_what_the_message_said)
{
	struct message_cache cache;

	cr_assert_eq(message_cache_decode(encode(message_bytes()), &cache), RP_OK);
	cr_assert(cache.has_sent);
	cr_assert_eq(cache.sent_seconds, 1580547600);
	cr_assert_eq(cache.sent_zone_min, 60);
	cr_assert(bytes_starts_with(cache.envelope, BYTES_LIT("(\"Sat, 1 Feb 2020")));
	cr_assert_eq(cache.body.p[0], '(');
	cr_assert_gt(cache.bodystructure.n, cache.body.n);
	cr_assert(cache.has_fields);
	cr_assert(bytes_eq(cache.fields,
	    BYTES_LIT("Date: Sat, 1 Feb 2020 10:00:00 +0100\r\nSubject: s\r\n"
		      "Content-Type: multipart/mixed; boundary=b\r\n")));
	cr_assert_eq(cache.header_bytes,
	    bytes_find_bytes(message_bytes(), BYTES_LIT("\r\n\r\n")) + 4);
}

Test(message_cache, its_parts_give_the_same_sections_as_the_message)
{
	static const uint32_t numbers[][2] = { { 1, 0 }, { 2, 0 }, { 2, 1 }, { 3, 0 }, { 2, 2 } };
	struct message_cache cache;
	struct mime parsed;
	struct mime kept;

	cr_assert_eq(mime_parse(&arena, MIME_FOR_SECTIONS, message_bytes(), &parsed), RP_OK);
	cr_assert_eq(message_cache_decode(encode(message_bytes()), &cache), RP_OK);
	cr_assert_eq(message_cache_mime(&cache, &arena, sizeof(multi) - 1, &kept), RP_OK);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		for (int kind = MIME_SECTION_BODY; kind <= MIME_SECTION_MIME; kind++) {
			struct mime_section section = {
				.part = numbers[i],
				.part_count = numbers[i][1] != 0 ? 2 : 1,
				.kind = (enum mime_section_kind)kind,
			};
			struct mime_range a = { 0 };
			struct mime_range b = { 0 };
			enum rp_err err = mime_section_find(&parsed, &section, &a);

			cr_assert_eq(mime_section_find(&kept, &section, &b), err);
			cr_assert_eq(a.offset, b.offset);
			cr_assert_eq(a.bytes, b.bytes);
		}
	}
}

Test(message_cache, fields_are_kept_up_to_the_bound)
{
	char message[MESSAGE_CACHE_FIELDS_BYTES_MAX + 100];
	struct message_cache cache;

	for (int over = 0; over <= 1; over++) {
		size_t n = MESSAGE_CACHE_FIELDS_BYTES_MAX + (size_t)over;

		memset(message, 'x', sizeof(message));
		memcpy(message, "Subject: ", 9);
		memcpy(message + n - 2, "\r\n\r\n", 4);
		cr_assert_eq(message_cache_decode(encode(bytes_of(message, n + 2)), &cache), RP_OK);
		cr_assert_eq(cache.has_fields, over == 0);
		cr_assert_eq(cache.fields.n, over == 0 ? n : 0);
	}
}

Test(message_cache, parts_are_kept_up_to_the_bound)
{
	static const char start[] = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
	static const char part[] = "--b\r\n\r\nx\r\n";

	for (size_t count = MESSAGE_CACHE_PARTS_MAX - 1; count <= MESSAGE_CACHE_PARTS_MAX; count++) {
		uint8_t *p = arena_alloc(&arena, sizeof(start) + count * sizeof(part));
		struct message_cache cache;
		struct mime mime;
		size_t n = sizeof(start) - 1;

		memcpy(p, start, n);
		for (size_t i = 0; i < count; i++) {
			memcpy(p + n, part, sizeof(part) - 1);
			n += sizeof(part) - 1;
		}
		cr_assert_eq(message_cache_decode(encode(bytes_of(p, n)), &cache), RP_OK);
		cr_assert_eq(message_cache_mime(&cache, &arena, n, &mime),
		    count + 1 <= MESSAGE_CACHE_PARTS_MAX ? RP_OK : RP_ERR_NOTFOUND);
	}
}

Test(message_cache, no_byte_may_be_missing_or_added)
{
	struct bytes entry = encode(message_bytes());
	uint8_t *copy = arena_alloc(&arena, entry.n + 1);
	struct message_cache cache;

	memcpy(copy, entry.p, entry.n);
	copy[entry.n] = 0;
	for (size_t n = 0; n <= entry.n + 1; n++)
		cr_assert_eq(message_cache_decode(bytes_of(copy, n), &cache),
		    n == entry.n ? RP_OK : RP_ERR_CORRUPT);
}

/* Whatever stands there: an error, or a tree whose parts lie within the message. */
Test(message_cache, damaged_parts_do_no_harm)
{
	struct bytes entry = encode(message_bytes());
	uint8_t *copy = arena_alloc(&arena, entry.n);
	struct message_cache cache;
	struct mime mime;

	for (size_t at = 0; at < entry.n; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			struct mime_section section = { .kind = MIME_SECTION_HEADER };
			struct mime_range range;

			memcpy(copy, entry.p, entry.n);
			copy[at] ^= (uint8_t)(1u << bit);
			if (message_cache_decode(bytes_of(copy, entry.n), &cache) != RP_OK ||
			    message_cache_mime(&cache, &arena, sizeof(multi) - 1, &mime) != RP_OK)
				continue;
			if (mime_section_find(&mime, &section, &range) == RP_OK)
				cr_assert_leq(range.offset + range.bytes, sizeof(multi) - 1);
		}
	}
}

Test(message_cache, the_names_of_kept_fields)
{
	static const char *const names[] = { "date", "FROM", "Subject", "to", "X-Priority",
		"auto-submitted", "message-id", "references", "bcc", "list-unsubscribe" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_assert(message_cache_keeps(bytes_of_str(names[i])), "%s", names[i]);
	cr_assert(!message_cache_keeps(BYTES_LIT("")));
	cr_assert(!message_cache_keeps(BYTES_LIT("Received")));
	cr_assert(!message_cache_keeps(BYTES_LIT("Subjec")));
}
