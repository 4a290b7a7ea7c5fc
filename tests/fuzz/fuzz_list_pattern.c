/* Arguments of LIST, a NUL, and a name: the matcher agrees with a table of all places in both. */
#include <stdlib.h>

#include "core/imap/list_pattern.h"
#include "core/imap/mailbox_name.h"
#include "tests/fuzz/fuzz.h"

/* reached[i]: the first i bytes of the pattern match what of the name has been looked at. */
static bool model(struct bytes pattern, struct bytes name)
{
	bool *reached = calloc(pattern.n + 1, sizeof(*reached));
	bool result;

	RP_ASSERT(reached != NULL);
	for (size_t at = 0; at <= name.n; at++) {
		bool *old = calloc(pattern.n + 1, sizeof(*old));

		RP_ASSERT(old != NULL);
		memcpy(old, reached, (pattern.n + 1) * sizeof(*old));
		reached[0] = at == 0;
		for (size_t i = 1; i <= pattern.n; i++) {
			uint8_t want = pattern.p[i - 1];
			uint8_t c = at > 0 ? name.p[at - 1] : 0;
			bool fold = mailbox_name_under_inbox(name) && at <= 5 &&
			            bytes_lower(want) == bytes_lower(c);

			if (want == '*' || want == '%')
				reached[i] = reached[i - 1] ||
				             (at > 0 && old[i] && (want == '*' || c != '/'));
			else
				reached[i] = at > 0 && old[i - 1] && (want == c || fold);
		}
		free(old);
	}
	result = reached[pattern.n];
	free(reached);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = bytes_of(p, n);
	size_t nul = bytes_find(in, 0, '\0');
	struct lex lex = lex_of(bytes_slice(in, 0, nul));
	struct bytes name = bytes_from(in, nul < n ? nul + 1 : n);
	struct arena arena;
	struct list_args args;

	if (name.n > 200)
		return 0;
	arena_init(&arena, 1 << 20);
	for (int utf8 = 0; utf8 < 2; utf8++) {
		struct lex ahead = lex;

		if (list_args_parse(&ahead, &arena, utf8, &args) != RP_OK)
			continue;
		for (size_t i = 0; i < args.pattern_count; i++)
			RP_ASSERT(list_pattern_match(&args.pattern[i], name) ==
			          (!args.pattern[i].nothing && model(args.pattern[i].text, name)));
	}
	arena_fini(&arena);
	return 0;
}
