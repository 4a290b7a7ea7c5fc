/* What is decoded is a valid name, and has one form only on the wire. */
#include "core/imap/mailbox_name.h"
#include "tests/fuzz/fuzz.h"

static void try_utf7(struct bytes in, struct arena *arena)
{
	struct bytes utf8;
	struct bytes back;

	if (mailbox_name_to_utf8(in, arena, false, &utf8) != RP_OK)
		return;
	RP_ASSERT(mailbox_name_to_utf7(utf8, arena, &back) == RP_OK);
	RP_ASSERT(bytes_eq(in, back));
}

static void try_name(struct bytes in, struct arena *arena, bool utf8)
{
	struct bytes name;
	struct bytes wire;
	struct bytes again;
	struct rope rope;
	struct resp resp;

	if (mailbox_name_decode(in, arena, utf8, &name) != RP_OK)
		return;
	RP_ASSERT(mailbox_name_check(name) == RP_OK);
	rope_init(&rope);
	resp_init(&resp, &rope, utf8);
	mailbox_name_write(&resp, name);
	resp_flush(&resp);
	struct bytes text = rope_peek(&rope, 0);

	if (text.n == rope.bytes) {
		struct lex lex = lex_of(text);

		RP_ASSERT(mailbox_name_parse(&lex, arena, utf8, &again) == RP_OK && lex_end(&lex));
		RP_ASSERT(bytes_eq(name, again));
	}
	RP_ASSERT(mailbox_name_to_utf7(name, arena, &wire) == RP_OK);
	rope_fini(&rope);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena arena;

	arena_init(&arena, 1 << 20);
	try_utf7(bytes_of(p, n), &arena);
	try_name(bytes_of(p, n), &arena, false);
	try_name(bytes_of(p, n), &arena, true);
	arena_fini(&arena);
	return 0;
}
