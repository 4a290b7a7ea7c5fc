/* dice.h -- seeded randomness: the same seed, the same numbers, on any machine.
 *
 * Not for secrets. One state a client, so that what one client does depends on no other's speed.
 */
#ifndef RP_BENCH_LOAD_DICE_H
#define RP_BENCH_LOAD_DICE_H

#include <stdint.h>

struct dice {
	uint64_t state;
};

/* A seed of several parts: run, group, client. */
struct dice dice_of(uint64_t seed, uint64_t a, uint64_t b);

uint64_t dice_next(struct dice *dice);

/* From 0 to n - 1; n at least 1. */
uint64_t dice_below(struct dice *dice, uint64_t n);

/* Above 0, at most 1. */
double dice_unit(struct dice *dice);

#endif
