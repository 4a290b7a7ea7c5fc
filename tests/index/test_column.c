#include <criterion/criterion.h>

#include "index/column.h"

static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)(seed >> 4) * below) >> 28);
}

enum { MAX = 300 };

Test(column, dates_keep_their_moment_and_zone)
{
	static const struct mail_date dates[] = {{0, 0}, {-1, 720}, {1, -720}, {253402300799, 840},
	    {-62135596800, -1}, {1700000000, 2047}, {1700000000, -2048}};

	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		int64_t packed = column_pack_date(dates[i]);
		struct mail_date date = column_unpack_date(packed);

		cr_assert_eq(date.seconds, dates[i].seconds);
		cr_assert_eq(date.zone_min, dates[i].zone_min);
		cr_assert_eq(
		    column_local_seconds(packed), dates[i].seconds + dates[i].zone_min * 60);
	}
}

Test(column, a_date_beyond_all_reason_is_the_furthest_there_is)
{
	struct mail_date far =
	    column_unpack_date(column_pack_date((struct mail_date){INT64_MAX, 3000}));
	struct mail_date back =
	    column_unpack_date(column_pack_date((struct mail_date){INT64_MIN, -3000}));

	cr_assert_gt(far.seconds, INT64_C(1) << 50);
	cr_assert_lt(back.seconds, -(INT64_C(1) << 50));
	cr_assert_eq(far.zone_min, 2047);
	cr_assert_eq(back.zone_min, -2048);
}

static bool bit(const uint64_t *bits, size_t i)
{
	return (bits[i / 64] >> (i % 64)) & 1;
}

/* All lengths around words: each scan against the plain question; what lies beyond is not written.
 */
Test(column, scans_agree_with_asking_each_value)
{
	uint32_t small[MAX];
	uint64_t large[MAX];
	int64_t dates[MAX];

	for (size_t i = 0; i < MAX; i++) {
		small[i] = draw(10) == 0 ? UINT32_MAX : draw(1000);
		large[i] = draw(10) == 0 ? UINT64_MAX : draw(1000);
		dates[i] = column_pack_date((struct mail_date){
		    (int64_t)draw(200000) - 100000, (int16_t)((int)draw(1400) - 700)});
	}
	for (size_t n = 0; n <= MAX; n++) {
		uint64_t bits[4][MAX / 64 + 2];
		uint32_t least = draw(1000);
		uint32_t greatest = draw(4) == 0 ? UINT32_MAX : draw(1000);
		int64_t from = (int64_t)draw(200000) - 100000;
		int64_t to = from + draw(100000);

		memset(bits, 0x55, sizeof(bits));
		column_scan_u32(small, n, least, greatest, bits[0]);
		column_scan_u64(large, n, least, greatest, bits[1]);
		column_scan_local(dates, n, from, to, bits[2]);
		column_scan_moment(dates, n, from, to, bits[3]);
		for (size_t i = 0; i < n; i++) {
			int64_t local = column_local_seconds(dates[i]);
			int64_t moment = column_unpack_date(dates[i]).seconds;

			cr_assert_eq(bit(bits[0], i), small[i] >= least && small[i] <= greatest);
			cr_assert_eq(bit(bits[1], i), large[i] >= least && large[i] <= greatest);
			cr_assert_eq(bit(bits[2], i), local >= from && local <= to);
			cr_assert_eq(bit(bits[3], i), moment >= from && moment <= to);
		}
		for (int k = 0; k < 4; k++) {
			for (size_t i = n; i < (n + 63) / 64 * 64; i++)
				cr_assert_not(bit(bits[k], i));
			cr_assert_eq(bits[k][(n + 63) / 64], 0x5555555555555555);
		}
	}
}

Test(column, gathering_closes_up_what_is_kept)
{
	uint32_t values[MAX];
	uint32_t out[MAX];
	uint64_t keep[MAX / 64 + 1];

	for (size_t i = 0; i < MAX; i++)
		values[i] = (uint32_t)i;
	for (int step = 0; step < 500; step++) {
		size_t from = draw(MAX);
		size_t to = from + draw((uint32_t)(MAX - from) + 1);
		size_t n = 0;

		for (size_t w = 0; w <= MAX / 64; w++)
			keep[w] = draw(3) == 0 ? UINT64_MAX
			                       : (uint64_t)draw(1 << 27) << 37 ^ draw(1 << 27);
		size_t got =
		    column_gather(out, (const uint8_t *)values, sizeof(values[0]), keep, from, to);

		for (size_t i = from; i < to; i++) {
			if (bit(keep, i))
				cr_assert_eq(out[n++], i);
		}
		cr_assert_eq(got, n);
	}
}
