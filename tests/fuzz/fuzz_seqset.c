/* A set, resolved and written, is read as the same set. */
#include "core/imap/seqset.h"
#include "tests/fuzz/fuzz.h"

static struct runs resolve(struct bytes text, struct arena *arena, uint32_t max, bool *good)
{
	struct lex lex = lex_of(text);
	struct seqset set;
	struct runs runs = RUNS_EMPTY;

	*good = seqset_parse(&lex, arena, false, &set) == RP_OK;
	if (!*good)
		return runs;
	RP_ASSERT(set.count <= SEQSET_RUNS_MAX && (set.count > 0 || set.star));
	for (size_t i = 0; i < set.count; i++) {
		RP_ASSERT(set.run[i].first > 0 && set.run[i].first <= set.run[i].last);
		RP_ASSERT(i == 0 || set.run[i].first > (uint64_t)set.run[i - 1].last + 1);
	}
	RP_ASSERT(seqset_resolve(&set, max, &runs) == RP_OK);
	return runs;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena arena;
	struct rope rope;
	struct resp resp;
	uint32_t max = 0;
	bool good;

	if (n < sizeof(max))
		return 0;
	memcpy(&max, p, sizeof(max));
	arena_init(&arena, 1 << 20);
	struct runs runs = resolve(bytes_of(p + sizeof(max), n - sizeof(max)), &arena, max, &good);

	rope_init(&rope);
	resp_init(&resp, &rope, false);
	seqset_write(&resp, &runs);
	resp_flush(&resp);
	struct bytes text = rope_peek(&rope, 0);

	if (good && runs.count > 0 && text.n == rope.bytes) {
		struct runs again = resolve(text, &arena, 1, &good);

		RP_ASSERT(good && again.count == runs.count);
		RP_ASSERT(memcmp(again.run, runs.run, runs.count * sizeof(*runs.run)) == 0);
		runs_fini(&again);
	}
	runs_fini(&runs);
	rope_fini(&rope);
	arena_fini(&arena);
	return 0;
}
