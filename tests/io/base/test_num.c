#include <criterion/criterion.h>
#include <stdio.h>

#include "io/base/num.h"

Test(num, sums_and_products_that_overflow_are_told)
{
	uint64_t v = 1;

	cr_assert(num_add(UINT64_MAX, 0, &v));
	cr_assert_eq(v, UINT64_MAX);
	cr_assert_not(num_add(UINT64_MAX, 1, &v));
	cr_assert(num_mul(UINT64_C(1) << 32, (UINT64_C(1) << 32) - 1, &v));
	cr_assert_eq(v, UINT64_MAX - UINT32_MAX);
	cr_assert_not(num_mul(UINT64_C(1) << 32, UINT64_C(1) << 32, &v));
	cr_assert(num_mul(0, UINT64_MAX, &v));
	cr_assert_eq(v, 0);
}

Test(num, rounds_up_to_powers_of_two)
{
	cr_assert_eq(num_round_up(0, 16), 0);
	cr_assert_eq(num_round_up(1, 16), 16);
	cr_assert_eq(num_round_up(16, 16), 16);
	cr_assert_eq(num_round_up(17, 16), 32);
	cr_assert_eq(num_round_up(4097, 4096), 8192);
	cr_assert_eq(num_min(2, 3), 2);
	cr_assert_eq(num_max(2, 3), 3);
}

Test(num, bytes_on_disk_are_little_endian_at_any_place)
{
	uint8_t p[16] = {0};

	num_put_u16(p + 1, 0x0102);
	num_put_u32(p + 3, 0x03040506);
	num_put_u64(p + 7, 0x0708090a0b0c0d0e);
	cr_assert_arr_eq(p, "\0\x02\x01\x06\x05\x04\x03\x0e\x0d\x0c\x0b\x0a\x09\x08\x07\0", 16);
	cr_assert_eq(num_get_u16(p + 1), 0x0102);
	cr_assert_eq(num_get_u32(p + 3), 0x03040506);
	cr_assert_eq(num_get_u64(p + 7), 0x0708090a0b0c0d0e);
}

Test(num, decimals_are_what_printf_says)
{
	uint64_t v = 0;

	for (int i = 0; i < 200; i++, v = v * 3 + 1) {
		char expected[32];
		uint8_t got[20];
		int n = snprintf(expected, sizeof(expected), "%llu", (unsigned long long)v);

		cr_assert_eq(num_to_dec(v, got), (size_t)n);
		cr_assert_arr_eq(got, expected, (size_t)n);
	}
	uint8_t got[20];

	cr_assert_eq(num_to_dec(UINT64_MAX, got), 20);
	cr_assert_arr_eq(got, "18446744073709551615", 20);
}
