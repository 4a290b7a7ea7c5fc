#include "index/column.h"

#include <string.h>

#include "index/rank.h"

enum {
	ZONE_BITS = 12,
	ZONE_BIAS = 1 << (ZONE_BITS - 1),
};

static const int64_t seconds_max = (INT64_C(1) << (63 - ZONE_BITS)) - 1;

int64_t column_pack_date(struct mail_date date)
{
	int64_t seconds = date.seconds;
	int64_t zone = date.zone_min;

	if (seconds > seconds_max)
		seconds = seconds_max;
	if (seconds < -seconds_max)
		seconds = -seconds_max;
	if (zone >= ZONE_BIAS)
		zone = ZONE_BIAS - 1;
	if (zone < -ZONE_BIAS)
		zone = -ZONE_BIAS;
	return seconds * (1 << ZONE_BITS) + zone + ZONE_BIAS;
}

struct mail_date column_unpack_date(int64_t packed)
{
	return (struct mail_date){
	    .seconds = packed >> ZONE_BITS,
	    .zone_min = (int16_t)((packed & ((1 << ZONE_BITS) - 1)) - ZONE_BIAS),
	};
}

/* 64 bytes of 0 or 1 to 64 bits: a multiplication gathers the lowest bits of eight bytes in the
 * highest byte. */
static uint64_t pack(const uint8_t hit[64])
{
	uint64_t word = 0;

	for (int i = 0; i < 8; i++) {
		uint64_t eight;

		memcpy(&eight, hit + i * 8, sizeof(eight));
		word |= (eight * UINT64_C(0x0102040810204080) >> 56) << (i * 8);
	}
	return word;
}

/* The body of a scan: `value` is an expression of p[i], `low` and `high` its bounds. Whole words
 * first, in a loop that the compiler makes a vector of. */
#define SCAN(value, low, high)                                                                     \
	uint8_t hit[64];                                                                           \
	size_t at = 0;                                                                             \
	for (; at + 64 <= n; at += 64) {                                                           \
		for (size_t i = at; i < at + 64; i++)                                              \
			hit[i - at] = (uint8_t)((value) >= (low)) & (uint8_t)((value) <= (high));  \
		bits[at / 64] = pack(hit);                                                         \
	}                                                                                          \
	if (at < n) {                                                                              \
		uint64_t word = 0;                                                                 \
		for (size_t i = at; i < n; i++)                                                    \
			word |= (uint64_t)((value) >= (low) && (value) <= (high)) << (i - at);     \
		bits[at / 64] = word;                                                              \
	}

void column_scan_u32(const uint32_t *p, size_t n, uint32_t least, uint32_t greatest, uint64_t *bits)
{
	SCAN(p[i], least, greatest)
}

void column_scan_u64(const uint64_t *p, size_t n, uint64_t least, uint64_t greatest, uint64_t *bits)
{
	SCAN(p[i], least, greatest)
}

void column_scan_local(const int64_t *p, size_t n, int64_t least, int64_t greatest, uint64_t *bits)
{
	SCAN(column_local_seconds(p[i]), least, greatest)
}

void column_scan_moment(const int64_t *p, size_t n, int64_t least, int64_t greatest,
    uint64_t *bits){SCAN(p[i] >> ZONE_BITS, least, greatest)}

size_t column_gather(
    void *out, const uint8_t *p, size_t width, const uint64_t *keep, size_t from, size_t to)
{
	uint8_t *at = out;

	for (size_t word = from / 64; word * 64 < to; word++) {
		size_t base = word * 64;
		uint64_t bits = keep[word] & rank_mask(from > base ? (unsigned)(from - base) : 0,
		                                 to - base < 64 ? (unsigned)(to - base) : 64);

		if (bits == UINT64_MAX) {
			memcpy(at, p + base * width, 64 * width);
			at += 64 * width;
			continue;
		}
		for (; bits != 0; bits &= bits - 1) {
			memcpy(at, p + (base + (size_t)__builtin_ctzll(bits)) * width, width);
			at += width;
		}
	}
	return (size_t)(at - (uint8_t *)out) / width;
}
