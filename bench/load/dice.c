#include "bench/load/dice.h"

#include "io/base/assert.h"

/* splitmix64 (Steele, Lea, Flood 2014): its output function makes any counter look random. */
static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static const uint64_t STEP = UINT64_C(0x9e3779b97f4a7c15);

struct dice dice_of(uint64_t seed, uint64_t a, uint64_t b)
{
	return (struct dice){mix(mix(mix(seed + STEP) ^ (a + 2 * STEP)) ^ (b + 3 * STEP))};
}

uint64_t dice_next(struct dice *dice)
{
	dice->state += STEP;
	return mix(dice->state);
}

uint64_t dice_below(struct dice *dice, uint64_t n)
{
	__extension__ typedef unsigned __int128 wide;

	RP_ASSERT(n > 0);
	return (uint64_t)(((wide)dice_next(dice) * n) >> 64);
}

double dice_unit(struct dice *dice)
{
	return (double)((dice_next(dice) >> 11) + 1) * 0x1p-53;
}
