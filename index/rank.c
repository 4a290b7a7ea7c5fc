#include "index/rank.h"

#include <stdlib.h>

#include "io/base/num.h"

enum {
	WORDS_PER_BLOCK = RANK_BLOCK_BITS / RANK_WORD_BITS,
	BLOCKS_PER_GROUP = RANK_GROUP_BITS / RANK_BLOCK_BITS,
};

void rank_fini(struct rank *rank)
{
	free(rank->words);
	free(rank->block);
	free(rank->group);
	*rank = RANK_EMPTY;
}

static uint32_t groups_of(uint32_t bits)
{
	return (uint32_t)(((uint64_t)bits + RANK_GROUP_BITS - 1) / RANK_GROUP_BITS);
}

size_t rank_bytes(const struct rank *rank)
{
	return rank->bits_max / 8 + rank->bits_max / RANK_BLOCK_BITS * sizeof(uint16_t) +
	       groups_of(rank->bits_max) * sizeof(uint32_t);
}

/* Grow one array, the new part zeroed. */
static bool grow(void **p, size_t old_bytes, size_t new_bytes)
{
	uint8_t *q = realloc(*p, new_bytes);

	if (q == NULL)
		return false;
	memset(q + old_bytes, 0, new_bytes - old_bytes);
	*p = q;
	return true;
}

enum rp_err rank_reserve(struct rank *rank, uint32_t bits)
{
	if (bits <= rank->bits_max)
		return RP_OK;
	/* A quarter more than asked for, so that adding rows one by one copies seldom. */
	uint64_t wanted = num_round_up((uint64_t)bits + bits / 4, RANK_BLOCK_BITS);

	if (wanted > UINT32_MAX - RANK_BLOCK_BITS)
		return RP_ERR_NOMEM;
	uint32_t old = rank->bits_max;
	uint32_t new = (uint32_t)wanted;

	/* An array that has grown when the next one cannot is no harm: bits_max says what all have.
	 */
	if (!grow((void **)&rank->words, old / 8, new / 8) ||
	    !grow((void **)&rank->block, old / RANK_BLOCK_BITS * sizeof(uint16_t),
	        new / RANK_BLOCK_BITS * sizeof(uint16_t)) ||
	    !grow((void **)&rank->group, groups_of(old) * sizeof(uint32_t),
	        groups_of(new) * sizeof(uint32_t)))
		return RP_ERR_NOMEM;
	rank->bits_max = new;
	return RP_OK;
}

void rank_push(struct rank *rank, bool one)
{
	RP_ASSERT(rank->bits < rank->bits_max);
	uint32_t bit = rank->bits++;

	if (bit % RANK_GROUP_BITS == 0) {
		rank->group[bit / RANK_GROUP_BITS] = rank->ones;
		rank->block[bit / RANK_BLOCK_BITS] = 0;
	} else if (bit % RANK_BLOCK_BITS == 0) {
		rank->block[bit / RANK_BLOCK_BITS] =
		    (uint16_t)(rank->ones - rank->group[bit / RANK_GROUP_BITS]);
	}
	rank->words[bit / RANK_WORD_BITS] |= (uint64_t)one << (bit % RANK_WORD_BITS);
	rank->ones += one;
}

enum rp_err rank_fill(struct rank *rank, const uint64_t *words, uint32_t bits)
{
	enum rp_err err = rank_reserve(rank, bits);

	if (err != RP_OK)
		return err;
	uint32_t words_count = (uint32_t)(((uint64_t)bits + RANK_WORD_BITS - 1) / RANK_WORD_BITS);

	if (words_count > 0)
		memcpy(rank->words, words, words_count * sizeof(*words));
	if (bits % RANK_WORD_BITS != 0)
		rank->words[words_count - 1] &= rank_mask(0, bits % RANK_WORD_BITS);
	rank->bits = bits;
	rank->ones = 0;
	for (uint32_t w = 0; w < words_count; w++) {
		uint32_t bit = w * RANK_WORD_BITS;

		if (bit % RANK_GROUP_BITS == 0)
			rank->group[bit / RANK_GROUP_BITS] = rank->ones;
		if (bit % RANK_BLOCK_BITS == 0)
			rank->block[bit / RANK_BLOCK_BITS] =
			    (uint16_t)(rank->ones - rank->group[bit / RANK_GROUP_BITS]);
		rank->ones += (uint32_t)__builtin_popcountll(rank->words[w]);
	}
	return RP_OK;
}

/* The directories behind a word whose number of ones has changed. Unsigned arithmetic wraps, so
 * `by` may be negative. */
static void shift(struct rank *rank, uint32_t word, uint32_t by)
{
	uint32_t block = word / WORDS_PER_BLOCK;
	uint32_t group = block / BLOCKS_PER_GROUP;
	uint32_t blocks =
	    (uint32_t)(((uint64_t)rank->bits + RANK_BLOCK_BITS - 1) / RANK_BLOCK_BITS);
	uint32_t end = (group + 1) * BLOCKS_PER_GROUP;

	if (end > blocks)
		end = blocks;
	for (uint32_t i = block + 1; i < end; i++)
		rank->block[i] = (uint16_t)(rank->block[i] + by);
	for (uint32_t i = group + 1; i < groups_of(rank->bits); i++)
		rank->group[i] += by;
	rank->ones += by;
}

void rank_clear(struct rank *rank, uint32_t word, uint64_t mask)
{
	RP_ASSERT((rank->words[word] & mask) == mask);
	rank->words[word] &= ~mask;
	shift(rank, word, -(uint32_t)__builtin_popcountll(mask));
}

void rank_set(struct rank *rank, uint32_t word, uint64_t mask)
{
	RP_ASSERT((rank->words[word] & mask) == 0);
	rank->words[word] |= mask;
	shift(rank, word, (uint32_t)__builtin_popcountll(mask));
}

uint32_t rank_before(const struct rank *rank, uint32_t bit)
{
	RP_ASSERT(bit <= rank->bits);
	if (bit == rank->bits)
		return rank->ones;
	uint32_t block = bit / RANK_BLOCK_BITS;
	uint32_t word = bit / RANK_WORD_BITS;
	uint32_t ones = rank->group[bit / RANK_GROUP_BITS] + rank->block[block];

	for (uint32_t w = block * WORDS_PER_BLOCK; w < word; w++)
		ones += (uint32_t)__builtin_popcountll(rank->words[w]);
	return ones + (uint32_t)__builtin_popcountll(
	                  rank->words[word] & rank_mask(0, bit % RANK_WORD_BITS));
}

unsigned rank_select_word(uint64_t word, unsigned k)
{
	unsigned at = 0;

	RP_ASSERT_SLOW((unsigned)__builtin_popcountll(word) > k);
	if (word == UINT64_MAX)
		return k;
	for (unsigned width = 32; width >= 8; width /= 2) {
		unsigned ones = (unsigned)__builtin_popcountll(word & rank_mask(0, width));

		if (k >= ones) {
			k -= ones;
			at += width;
			word >>= width;
		}
	}
	while (k-- > 0)
		word &= word - 1;
	return at + (unsigned)__builtin_ctzll(word);
}

/* The last of [from, to) in the directory whose count is <= k; the first one's is. */
static uint32_t last_group(const struct rank *rank, uint32_t k)
{
	uint32_t from = 0;
	uint32_t to = groups_of(rank->bits);

	while (to - from > 1) {
		uint32_t mid = from + (to - from) / 2;

		if (rank->group[mid] <= k)
			from = mid;
		else
			to = mid;
	}
	return from;
}

static uint32_t last_block(const struct rank *rank, uint32_t group, uint32_t k)
{
	uint32_t from = group * BLOCKS_PER_GROUP;
	uint32_t to = (uint32_t)(((uint64_t)rank->bits + RANK_BLOCK_BITS - 1) / RANK_BLOCK_BITS);

	if (to > from + BLOCKS_PER_GROUP)
		to = from + BLOCKS_PER_GROUP;
	while (to - from > 1) {
		uint32_t mid = from + (to - from) / 2;

		if (rank->block[mid] <= k)
			from = mid;
		else
			to = mid;
	}
	return from;
}

uint32_t rank_select(const struct rank *rank, uint32_t k)
{
	RP_ASSERT(k < rank->ones);
	uint32_t group = last_group(rank, k);

	k -= rank->group[group];
	uint32_t block = last_block(rank, group, k);

	k -= rank->block[block];
	for (uint32_t w = block * WORDS_PER_BLOCK;; w++) {
		uint32_t ones = (uint32_t)__builtin_popcountll(rank->words[w]);

		if (k < ones)
			return w * RANK_WORD_BITS + rank_select_word(rank->words[w], k);
		k -= ones;
	}
}
