#include <criterion/criterion.h>

#include "index/format.h"

static struct format_header make(void)
{
	struct format_header header = { .epoch = 7, .lsn = 3, .nonce = 0x1234, .number = 9 };

	header.userid.b[0] = 0xab;
	format_sign(&header, FORMAT_DBOX, 2);
	return header;
}

Test(format, a_header_reads_back)
{
	struct format_header header = make();
	struct format_header out;

	cr_assert_eq(format_check(bytes_of(&header, sizeof(header)), FORMAT_DBOX, 2, &out), RP_OK);
	cr_assert_eq(memcmp(&header, &out, sizeof(out)), 0);
}

Test(format, any_flipped_bit_is_seen)
{
	for (size_t bit = 0; bit < FORMAT_HEADER_BYTES * 8; bit++) {
		struct format_header header = make();
		struct format_header out = { 0 };

		((uint8_t *)&header)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cr_assert_eq(format_check(bytes_of(&header, sizeof(header)), FORMAT_DBOX, 2, &out),
		    RP_ERR_CORRUPT, "bit %zu", bit);
		cr_assert_eq(out.epoch, 0, "outputs are untouched");
	}
}

Test(format, a_newer_version_is_refused_and_an_older_one_taken)
{
	struct format_header header = make();
	struct format_header out;
	struct bytes in = bytes_of(&header, sizeof(header));

	cr_assert_eq(format_check(in, FORMAT_DBOX, 1, &out), RP_ERR_CANNOT);
	cr_assert_eq(format_check(in, FORMAT_DBOX, 3, &out), RP_OK);
	header.features_required = 1;
	format_sign(&header, FORMAT_DBOX, 2);
	cr_assert_eq(format_check(in, FORMAT_DBOX, 2, &out), RP_ERR_CANNOT);
	header.features_required = 0;
	header.features = 1;
	format_sign(&header, FORMAT_DBOX, 2);
	cr_assert_eq(format_check(in, FORMAT_DBOX, 2, &out), RP_OK);
}

Test(format, another_kind_zeroes_and_short_input_are_no_header)
{
	struct format_header header = make();
	struct format_header zero = { 0 };
	struct format_header out;

	cr_assert_eq(format_check(bytes_of(&header, sizeof(header)), FORMAT_LOG, 2, &out),
	    RP_ERR_CORRUPT);
	cr_assert_eq(
	    format_check(bytes_of(&header, sizeof(header) - 1), FORMAT_DBOX, 2, &out), RP_ERR_END);
	cr_assert_eq(format_check(bytes_of(&zero, sizeof(zero)), FORMAT_DBOX, 2, &out), RP_ERR_END);
}

Test(format, one_copy_of_an_area_is_enough)
{
	struct format_header header = make();
	struct format_header out;
	uint8_t area[FORMAT_AREA_BYTES];

	for (int lost = 0; lost < 2; lost++) {
		format_put_area(&header, area);
		memset(area + lost * FORMAT_SECTOR_BYTES, 0x55, FORMAT_SECTOR_BYTES);
		cr_assert_eq(
		    format_check_area(bytes_of(area, sizeof(area)), FORMAT_DBOX, 2, &out), RP_OK);
		cr_assert_eq(out.nonce, header.nonce);
		area[(1 - lost) * FORMAT_SECTOR_BYTES] ^= 1;
		cr_assert_eq(format_check_area(bytes_of(area, sizeof(area)), FORMAT_DBOX, 2, &out),
		    RP_ERR_CORRUPT);
	}
	memset(area, 0, sizeof(area));
	cr_assert_eq(
	    format_check_area(bytes_of(area, sizeof(area)), FORMAT_DBOX, 2, &out), RP_ERR_END);
	cr_assert_eq(format_check_area(bytes_of(area, 5), FORMAT_DBOX, 2, &out), RP_ERR_END);
}
