#include "index/flagmap.h"

void flagmap_and(uint64_t *restrict a, const uint64_t *restrict b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		a[i] &= b[i];
}

void flagmap_or(uint64_t *restrict a, const uint64_t *restrict b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		a[i] |= b[i];
}

void flagmap_not(uint64_t *restrict a, const uint64_t *restrict b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		a[i] = b[i] & ~a[i];
}

uint32_t flagmap_ones(const uint64_t *a, size_t n)
{
	uint32_t ones = 0;

	for (size_t i = 0; i < n; i++)
		ones += (uint32_t)__builtin_popcountll(a[i]);
	return ones;
}

bool flagmap_is_zero(const uint64_t *a, size_t n)
{
	uint64_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= a[i];
	return any == 0;
}
