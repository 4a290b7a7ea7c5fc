/* Any header block gives an ENVELOPE of the strict grammar; its fields are its bytes, all of them;
 * picked and left-over fields are together the whole; dates lie in the range of the calendar. */
#include "core/mail/envelope.h"
#include "core/mail/header.h"
#include "core/mail/mail_date.h"
#include "core/mail/mime_section.h"
#include "tests/support/mail/mail_check.h"

static void check_fields(struct arena *arena, struct bytes block)
{
	const struct bytes names[] = {BYTES_LIT("to"), BYTES_LIT("SUBJECT"), BYTES_LIT("x")};
	struct mime_section section = {.kind = MIME_SECTION_FIELDS, .name = names, .name_count = 3};
	struct text some, others;
	struct header_field field;
	struct bytes rest = block;
	size_t bytes = 0;
	bool whole = true;

	while (header_next(&rest, &field)) {
		struct mail_date date;

		bytes += field.whole.n;
		whole = field.whole.p[field.whole.n - 1] == '\n';
		if (mail_date_parse(field.value, &date) == RP_OK)
			RP_ASSERT(date.seconds > -62135683200 - 86400 &&
			          date.seconds < 253402300800 + 86400);
	}
	RP_ASSERT(bytes + rest.n == block.n);
	text_init(&some, arena);
	text_init(&others, arena);
	RP_ASSERT(mime_section_fields(&some, block, &section));
	section.kind = MIME_SECTION_FIELDS_NOT;
	RP_ASSERT(mime_section_fields(&others, block, &section));
	RP_ASSERT(some.n + others.n == bytes + 4 + (whole ? 0 : 2));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint32_t left = ENVELOPE_MESSAGE_ADDRESSES_MAX;
	struct arena arena;
	struct text text;

	arena_init(&arena, 64 << 20);
	text_init(&text, &arena);
	struct bytes block = n != 0 ? bytes_of(p, n) : BYTES_LIT("");

	RP_ASSERT(envelope_render(&text, block, &arena, &left));
	RP_ASSERT(mail_check_envelope(text_bytes(&text)) == NULL);
	check_fields(&arena, block);
	arena_fini(&arena);
	return 0;
}
