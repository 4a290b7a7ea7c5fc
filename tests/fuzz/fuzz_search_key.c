/* A program never takes more from its stack than is there, needs no more than it says, and leaves
 * one set. */
#include "core/imap/search_key.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena arena;
	struct lex lex = lex_of(bytes_of(p, n));
	struct search_args args;
	unsigned stack = 0;

	arena_init(&arena, 4 << 20);
	if (search_args_parse(&lex, &arena, &args) == RP_OK) {
		RP_ASSERT(lex_end(&lex));
		RP_ASSERT(args.program.stack_max <= SEARCH_DEPTH_MAX + 1);
		for (size_t i = 0; i < args.program.op_count; i++) {
			enum search_op_kind kind = args.program.op[i].kind;

			if (kind == SEARCH_AND || kind == SEARCH_OR) {
				RP_ASSERT(stack >= 2);
				stack--;
			} else if (kind == SEARCH_NOT) {
				RP_ASSERT(stack >= 1);
			} else {
				stack++;
			}
			RP_ASSERT(stack <= args.program.stack_max);
		}
		RP_ASSERT(stack == 1);
	}
	arena_fini(&arena);
	return 0;
}
