/* flagmap.h -- one flag's bits in one group, and the algebra of bitmaps.
 *
 * Most flags are on for nobody or for all: then there are no bits, only the state. Loops here are
 * plain ones over words, which the compiler turns into as wide operations as the machine has.
 */
#ifndef RP_INDEX_FLAGMAP_H
#define RP_INDEX_FLAGMAP_H

#include "io/base/bytes.h"

enum flagmap_state {
	FLAGMAP_CLEAR, /* off for every row */
	FLAGMAP_SET,   /* on for every row */
	FLAGMAP_BITS,
};

struct flagmap {
	uint64_t *bits;     /* FLAGMAP_BITS only */
	uint32_t live_ones; /* live rows that have it on */
	uint32_t state;     /* enum flagmap_state */
};

/* 64 rows' bits. Of FLAGMAP_SET also those beyond the last row are 1: mask them. */
static inline uint64_t flagmap_word(const struct flagmap *map, uint32_t word)
{
	if (map->state == FLAGMAP_BITS)
		return map->bits[word];
	return map->state == FLAGMAP_SET ? UINT64_MAX : 0;
}

static inline bool flagmap_get(const struct flagmap *map, uint32_t row)
{
	return (flagmap_word(map, row / 64) >> (row % 64)) & 1;
}

/* a becomes a & b, a | b, b & ~a, over n words. */
void flagmap_and(uint64_t *a, const uint64_t *b, size_t n);
void flagmap_or(uint64_t *a, const uint64_t *b, size_t n);
void flagmap_not(uint64_t *a, const uint64_t *b, size_t n);

uint32_t flagmap_ones(const uint64_t *a, size_t n);
bool flagmap_is_zero(const uint64_t *a, size_t n);

#endif
