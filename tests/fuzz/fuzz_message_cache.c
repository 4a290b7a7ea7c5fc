/* A message's cache entry as any disk may have it: what is accepted points into the entry, and its parts into the message. */
#include "core/mail/mime_section.h"
#include "core/session/message_cache.h"
#include "tests/fuzz/fuzz.h"

enum { MESSAGE_BYTES = 1000, ARENA_BYTES = 8 << 20 };

static void check_within(struct bytes entry, struct bytes part)
{
	RP_ASSERT(part.n == 0 || (part.p >= entry.p && part.p + part.n <= entry.p + entry.n));
}

static void try_sections(const struct mime *mime)
{
	for (uint32_t a = 0; a < 4; a++) {
		for (uint32_t b = 0; b < 4; b++) {
			uint32_t part[] = { a, b, 1 };

			for (size_t count = 0; count <= 3; count++) {
				for (enum mime_section_kind kind = MIME_SECTION_BODY; kind <= MIME_SECTION_FIELDS_NOT; kind++) {
					struct mime_section section = { .part = part, .part_count = count, .kind = kind };
					struct mime_range range;

					if (mime_section_find(mime, &section, &range) == RP_OK)
						RP_ASSERT(range.offset <= MESSAGE_BYTES && range.bytes <= MESSAGE_BYTES - range.offset);
				}
			}
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct message_cache cache;
	struct bytes entry = bytes_of(p, n);
	struct arena arena;
	struct mime mime;

	if (message_cache_decode(entry, &cache) != RP_OK)
		return 0;
	check_within(entry, cache.envelope);
	check_within(entry, cache.body);
	check_within(entry, cache.bodystructure);
	check_within(entry, cache.fields);
	arena_init(&arena, ARENA_BYTES);
	if (message_cache_mime(&cache, &arena, MESSAGE_BYTES, &mime) == RP_OK) {
		for (int32_t i = 0, steps = 0; i != MIME_NONE; i = mime_next(&mime, i))
			RP_ASSERT(steps++ < mime.count);
		try_sections(&mime);
	}
	arena_fini(&arena);
	return 0;
}
