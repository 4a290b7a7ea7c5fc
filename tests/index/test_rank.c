#include <criterion/criterion.h>
#include <stdlib.h>

#include "index/rank.h"

static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)(seed >> 4) * below) >> 28);
}

/* Rank at every bit, select of every one. */
static void compare(const struct rank *rank, const bool *model, uint32_t bits)
{
	uint32_t ones = 0;

	cr_assert_eq(rank->bits, bits);
	for (uint32_t i = 0; i < bits; i++) {
		cr_assert_eq(rank_get(rank, i), model[i], "bit %u", i);
		cr_assert_eq(rank_before(rank, i), ones, "before %u", i);
		if (model[i])
			cr_assert_eq(rank_select(rank, ones++), i);
	}
	cr_assert_eq(rank_before(rank, bits), ones);
	cr_assert_eq(rank->ones, ones);
}

Test(rank, agrees_with_a_plain_model_at_every_size_around_a_block_and_a_word)
{
	static const uint32_t sizes[] = {0, 1, 63, 64, 65, 511, 512, 513, 1023, 1024, 1025};

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct rank rank = RANK_EMPTY;
		bool model[1025];

		for (uint32_t i = 0; i < sizes[s]; i++) {
			model[i] = draw(3) != 0;
			cr_assert_eq(rank_reserve(&rank, i + 1), RP_OK);
			rank_push(&rank, model[i]);
		}
		compare(&rank, model, sizes[s]);
		rank_fini(&rank);
	}
}

Test(rank, stays_right_over_random_changes_across_groups)
{
	enum { BITS = 3 * RANK_GROUP_BITS + 777 };
	struct rank rank = RANK_EMPTY;
	bool *model = calloc(BITS, sizeof(*model));
	uint32_t bits = RANK_GROUP_BITS - 100;

	cr_assert_eq(rank_reserve(&rank, BITS), RP_OK);
	for (uint32_t i = 0; i < BITS; i++)
		model[i] = draw(4) != 0;
	for (uint32_t i = 0; i < bits; i++)
		rank_push(&rank, model[i]);
	for (int step = 0; step < 3000; step++) {
		uint32_t bit = draw(bits);
		uint64_t mask = UINT64_C(1) << (bit % 64);

		if (model[bit])
			rank_clear(&rank, bit / 64, mask);
		else
			rank_set(&rank, bit / 64, mask);
		model[bit] = !model[bit];
		for (int i = 0; i < 50 && bits < BITS; i++, bits++)
			rank_push(&rank, model[bits]);
	}
	for (uint32_t word = 5; word < BITS / 64; word += 7) { /* many bits of a word at once */
		rank_clear(&rank, word, rank.words[word]);
		memset(model + word * 64, 0, 64);
	}
	compare(&rank, model, bits);

	struct rank filled = RANK_EMPTY;

	cr_assert_eq(rank_fill(&filled, rank.words, bits), RP_OK);
	compare(&filled, model, bits);
	rank_fini(&filled);
	rank_fini(&rank);
	free(model);
}

Test(rank, filling_ignores_what_lies_beyond)
{
	uint64_t words[2] = {UINT64_MAX, UINT64_MAX};
	struct rank rank = RANK_EMPTY;

	cr_assert_eq(rank_fill(&rank, words, 65), RP_OK);
	cr_assert_eq(rank.ones, 65);
	cr_assert_eq(rank.words[1], 1);
	rank_push(&rank, false);
	cr_assert_eq(rank.ones, 65);
	cr_assert_eq(rank_select(&rank, 64), 64);
	rank_fini(&rank);
}

Test(rank, selects_in_any_word)
{
	for (int step = 0; step < 2000; step++) {
		uint64_t word = ((uint64_t)draw(1 << 28) << 40) ^ ((uint64_t)draw(1 << 28) << 20) ^
		                draw(1 << 28);
		unsigned k = 0;

		for (unsigned bit = 0; bit < 64; bit++) {
			if ((word >> bit) & 1)
				cr_assert_eq(rank_select_word(word, k++), bit);
		}
	}
	for (unsigned bit = 0; bit < 64; bit++)
		cr_assert_eq(rank_select_word(UINT64_MAX, bit), bit);
}
