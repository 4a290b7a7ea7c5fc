#include <criterion/criterion.h>

#include "index/flagmap.h"

enum { WORDS = 19 };

Test(flagmap, the_algebra_is_bit_by_bit)
{
	uint64_t a[WORDS];
	uint64_t b[WORDS];
	uint64_t got[3][WORDS];

	for (size_t i = 0; i < WORDS; i++) {
		a[i] = UINT64_C(0x9e3779b97f4a7c15) * (i + 1);
		b[i] = UINT64_C(0xc2b2ae3d27d4eb4f) * (i + 3);
	}
	for (size_t n = 0; n <= WORDS; n++) {
		for (int k = 0; k < 3; k++)
			memcpy(got[k], a, sizeof(a));
		flagmap_and(got[0], b, n);
		flagmap_or(got[1], b, n);
		flagmap_not(got[2], b, n);
		for (size_t i = 0; i < WORDS; i++) {
			cr_assert_eq(got[0][i], i < n ? a[i] & b[i] : a[i]);
			cr_assert_eq(got[1][i], i < n ? a[i] | b[i] : a[i]);
			cr_assert_eq(got[2][i], i < n ? b[i] & ~a[i] : a[i]);
		}
	}
}

Test(flagmap, ones_are_counted_and_none_is_seen)
{
	uint64_t a[WORDS] = {0};

	cr_assert(flagmap_is_zero(a, WORDS));
	cr_assert(flagmap_is_zero(a, 0));
	a[WORDS - 1] = 3;
	cr_assert_not(flagmap_is_zero(a, WORDS));
	cr_assert(flagmap_is_zero(a, WORDS - 1));
	cr_assert_eq(flagmap_ones(a, WORDS), 2);
	cr_assert_eq(flagmap_ones(a, WORDS - 1), 0);
}

Test(flagmap, a_state_stands_for_all_bits)
{
	uint64_t bits[2] = {5, 1};
	struct flagmap clear = {.state = FLAGMAP_CLEAR};
	struct flagmap set = {.state = FLAGMAP_SET};
	struct flagmap some = {.state = FLAGMAP_BITS, .bits = bits};

	cr_assert_eq(flagmap_word(&clear, 1000), 0);
	cr_assert_eq(flagmap_word(&set, 1000), UINT64_MAX);
	cr_assert_eq(flagmap_word(&some, 1), 1);
	cr_assert(flagmap_get(&some, 2) && !flagmap_get(&some, 1) && flagmap_get(&some, 64));
}
