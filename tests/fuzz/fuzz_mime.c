/* Any message, in any cuts, has one consistent tree; its texts follow the strict grammar; each part
 * is found by its number; and its text can be searched. The first byte says how the message is cut.
 */
#include "core/mail/bodystructure.h"
#include "core/mail/header.h"
#include "core/mail/mime_section.h"
#include "core/mail/search_text.h"
#include "tests/support/mail/mail_check.h"

static void assert_same(const struct mime *a, const struct mime *b)
{
	RP_ASSERT(a->count == b->count && a->bytes == b->bytes);
	for (int32_t i = 0; i < a->count; i++) {
		RP_ASSERT(a->part[i].header_offset == b->part[i].header_offset);
		RP_ASSERT(a->part[i].body_offset == b->part[i].body_offset);
		RP_ASSERT(a->part[i].end == b->part[i].end);
		RP_ASSERT(a->part[i].lines == b->part[i].lines);
		RP_ASSERT(bytes_eq(a->part[i].fields->type, b->part[i].fields->type));
	}
}

static void parse_in_cuts(
    struct arena *arena, struct bytes message, size_t cut, const struct mime *whole)
{
	struct mime_parser *parser = arena_alloc(arena, sizeof(*parser));

	RP_ASSERT(mime_init(parser, arena, MIME_FOR_SECTIONS) == RP_OK);
	for (size_t at = 0; at < message.n; at += cut)
		mime_feed(
		    parser, bytes_slice(message, at, at + cut < message.n ? at + cut : message.n));
	assert_same(mime_finish(parser), whole);
}

static void check_texts(struct arena *arena, const struct mime *mime)
{
	struct text text;

	RP_ASSERT(mail_check_envelope(mime->part[0].envelope) == NULL);
	for (enum bodystructure_form form = BODYSTRUCTURE_BASIC; form <= BODYSTRUCTURE_EXTENDED;
	     form++) {
		text_init(&text, arena);
		RP_ASSERT(bodystructure_render(&text, mime, form));
		RP_ASSERT(
		    mail_check_body(text_bytes(&text), form == BODYSTRUCTURE_EXTENDED) == NULL);
	}
}

/* The number of each part that is not a message's own leads back to it. */
static void check_sections(const struct mime *mime)
{
	for (int32_t i = 0; i < mime->count; i++) {
		uint32_t numbers[MIME_DEPTH_MAX];
		size_t at = MIME_DEPTH_MAX;
		struct mime_range range;

		if (mime->part[i].is_message && mime->part[i].kind == MIME_MULTIPART)
			continue; /* has no number of its own */
		for (int32_t p = i; p != MIME_NONE; p = mime->part[p].parent) {
			int32_t parent = mime->part[p].parent;

			if (mime->part[p].is_message && mime->part[p].kind == MIME_MULTIPART)
				continue;
			numbers[--at] = 1;
			if (parent == MIME_NONE || mime->part[parent].kind != MIME_MULTIPART)
				continue;
			for (int32_t b = mime->part[parent].child; b != p; b = mime->part[b].next)
				numbers[at]++;
		}
		struct mime_section section = {.part = numbers + at,
		    .part_count = MIME_DEPTH_MAX - at,
		    .kind = MIME_SECTION_BODY};

		RP_ASSERT(mime_section_find(mime, &section, &range) == RP_OK);
		RP_ASSERT(range.part == i && range.offset == mime->part[i].body_offset);
		RP_ASSERT(range.offset + range.bytes == mime->part[i].end);
	}
}

static void look_into_block(const struct charset_set *set, struct bytes block,
    struct search_field *search, struct arena *scratch)
{
	struct header_field field;

	while (header_next(&block, &field)) {
		struct bytes out;

		arena_reset(scratch);
		RP_ASSERT(search_field_begin(search, set, &field, true, scratch) == RP_OK);
		while (search_field_next(search, &out))
			RP_ASSERT(out.n <= SEARCH_FOLDED_BYTES);
		search_field_end(search);
	}
}

static void search(struct arena *arena, const struct mime *mime, struct bytes message)
{
	static struct charset_set set;
	static bool ready;
	const char *name;
	struct search_range range;
	struct arena scratch;
	uint64_t cursor = 0;
	struct search_text *text = arena_alloc(arena, sizeof(*text));
	struct search_field *field = arena_alloc(arena, sizeof(*field));

	if (!ready)
		RP_ASSERT(charset_init(&set, &name) == RP_OK);
	ready = true;
	arena_init(&scratch, 64 << 20);
	while (search_range_next(mime, true, &cursor, &range)) {
		struct bytes in = bytes_slice(message, range.offset, range.offset + range.bytes);
		struct bytes out;

		if (range.header) {
			look_into_block(&set, in, field, &scratch);
			continue;
		}
		search_text_begin(text, &set, range.cte, range.charset);
		while (search_text_next(text, &in, &out))
			RP_ASSERT(out.n <= SEARCH_FOLDED_BYTES);
		search_text_finish(text);
	}
	arena_fini(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena arena;
	struct mime mime;

	if (n == 0)
		return 0;
	struct bytes message = bytes_of(p + 1, n - 1);

	arena_init(&arena, 64 << 20);
	RP_ASSERT(mime_parse(&arena, MIME_FOR_INDEX, message, &mime) == RP_OK);
	RP_ASSERT(mail_check_tree(&mime) == NULL);
	parse_in_cuts(&arena, message, 1 + p[0], &mime);
	check_texts(&arena, &mime);
	check_sections(&mime);
	search(&arena, &mime, message);
	arena_fini(&arena);
	return 0;
}
