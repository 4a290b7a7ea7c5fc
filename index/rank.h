/* rank.h -- a bitmap that knows how many ones lie before any bit, and where the k-th one is: seqno
 * <-> row.
 *
 *     words   one bit per row, 64 to a word
 *     block   per 512 bits: ones before it in its group (16 bits)
 *     group   per 64 Ki bits: ones before it
 *
 * Rank and select are O(1) but for the number of groups (16 in a million rows), and so is a change:
 * taking bits out of a word lowers the directory entries behind it in its group, 128 at most, eight
 * at a time.
 */
#ifndef RP_INDEX_RANK_H
#define RP_INDEX_RANK_H

#include "io/base/bytes.h"
#include "io/base/err.h"

enum {
	RANK_WORD_BITS = 64,
	RANK_BLOCK_BITS = 512,
	RANK_GROUP_BITS = 65536,
};

struct rank {
	uint64_t *words;
	uint16_t *block;
	uint32_t *group;
	uint32_t bits;     /* in the bitmap; those of the last word beyond them are 0 */
	uint32_t bits_max; /* room; a multiple of RANK_BLOCK_BITS */
	uint32_t ones;
};

#define RANK_EMPTY ((struct rank){0})

void rank_fini(struct rank *rank);
size_t rank_bytes(const struct rank *rank);

/* Room for so many bits in all. RP_ERR_NOMEM: as it was. */
RP_MUST_USE enum rp_err rank_reserve(struct rank *rank, uint32_t bits);

/* Add a bit at the end; there is room. */
void rank_push(struct rank *rank, bool one);

/* All bits at once, from words (beyond `bits` they are ignored). RP_ERR_NOMEM: as it was. */
RP_MUST_USE enum rp_err rank_fill(struct rank *rank, const uint64_t *words, uint32_t bits);

/* Change bits of one word: those of mask, which all are ones (clear), or zeroes within the bitmap
 * (set). */
void rank_clear(struct rank *rank, uint32_t word, uint64_t mask);
void rank_set(struct rank *rank, uint32_t word, uint64_t mask);

static inline bool rank_get(const struct rank *rank, uint32_t bit)
{
	RP_ASSERT_SLOW(bit < rank->bits);
	return (rank->words[bit / RANK_WORD_BITS] >> (bit % RANK_WORD_BITS)) & 1;
}

/* Ones in [0, bit); bit may be rank->bits. */
uint32_t rank_before(const struct rank *rank, uint32_t bit);

/* The bit that has `k` ones before it and is one itself; k < rank->ones. */
uint32_t rank_select(const struct rank *rank, uint32_t k);

/* The position of the k-th one of a word, from 0; it has more than k. */
unsigned rank_select_word(uint64_t word, unsigned k);

/* Bits [from, to) of a word; to may be 64. */
static inline uint64_t rank_mask(unsigned from, unsigned to)
{
	uint64_t high = to >= RANK_WORD_BITS ? UINT64_MAX : (UINT64_C(1) << to) - 1;

	return high & (UINT64_MAX << from);
}

/* How many ones stand together from this bit on, which is one. */
static inline unsigned rank_ones_from(uint64_t word, unsigned bit)
{
	uint64_t rest = ~(word >> bit);

	return rest == 0 ? RANK_WORD_BITS : (unsigned)__builtin_ctzll(rest);
}

#endif
