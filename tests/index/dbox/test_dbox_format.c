#include <criterion/criterion.h>

#include "index/dbox/dbox_format.h"
#include "tests/index/log_user.h"

enum { NONCE = 5 };

static size_t make(uint8_t *p, size_t body_bytes, uint64_t offset)
{
	static uint8_t body[DBOX_BLOCK_BYTES];
	const struct dbox_message message = { .mailboxid = 3, .uid = 9, .flags = 8,
		.internaldate_s = -77, .internaldate_zone_min = -90, .emailid = 1234 };
	struct dbox_record_header header;
	struct userid userid = log_user_id(4);

	memset(body, 'm', sizeof(body));
	dbox_format_fill(&header, &userid, &message, body_bytes, NONCE, offset);
	dbox_format_put(p, &header, bytes_of(body, body_bytes));
	return dbox_format_record_bytes(body_bytes);
}

Test(dbox_format, a_record_describes_its_message)
{
	static uint8_t p[2 * DBOX_BLOCK_BYTES];
	static const size_t sizes[] = { 0, 1, 15, 16, 17, DBOX_BLOCK_BYTES - 1, DBOX_BLOCK_BYTES };
	struct userid userid = log_user_id(4);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct dbox_record_header header;
		struct dbox_message message;
		size_t n = make(p, sizes[i], 4096);

		cr_assert_eq(n % DBOX_RECORD_ALIGN, 0);
		cr_assert_leq(n, sizes[i] + DBOX_RECORD_BYTES_MORE);
		cr_assert_eq(
		    dbox_format_check(bytes_of(p, n), &userid, NONCE, 4096, &header), RP_OK);
		cr_assert_eq(header.body_bytes, sizes[i]);
		cr_assert_eq(header.sums_xxh3,
		    dbox_format_xxh3(bytes_of(p + sizeof(header), sizes[i]), NONCE));
		dbox_format_message(&header, &message);
		cr_assert_eq(message.mailboxid, 3);
		cr_assert_eq(message.uid, 9);
		cr_assert_eq(message.flags, 8);
		cr_assert_eq(message.internaldate_s, -77);
		cr_assert_eq(message.internaldate_zone_min, -90);
		cr_assert_eq(message.emailid, 1234);
	}
}

Test(dbox_format, any_flipped_bit_of_the_header_is_seen)
{
	uint8_t p[512];
	struct userid userid = log_user_id(4);
	size_t n = make(p, 100, 4096);

	for (size_t bit = 0; bit < DBOX_HEADER_BYTES * 8; bit++) {
		struct dbox_record_header header;

		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cr_assert_eq(dbox_format_check(bytes_of(p, n), &userid, NONCE, 4096, &header),
		    RP_ERR_CORRUPT, "bit %zu", bit);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

Test(dbox_format, a_record_elsewhere_or_of_others_is_none)
{
	uint8_t p[512];
	struct dbox_record_header header;
	struct userid userid = log_user_id(4);
	struct userid other = log_user_id(5);
	size_t n = make(p, 100, 4096);

	cr_assert_eq(
	    dbox_format_check(bytes_of(p, n), &userid, NONCE, 4112, &header), RP_ERR_CORRUPT);
	cr_assert_eq(
	    dbox_format_check(bytes_of(p, n), &userid, NONCE + 1, 4096, &header), RP_ERR_CORRUPT);
	cr_assert_eq(
	    dbox_format_check(bytes_of(p, n), &other, NONCE, 4096, &header), RP_ERR_CORRUPT);
	cr_assert_eq(dbox_format_check(bytes_of(p, 127), &userid, NONCE, 4096, &header), RP_ERR_END);
	memset(p, 0, sizeof(p));
	cr_assert_eq(dbox_format_check(bytes_of(p, n), &userid, NONCE, 4096, &header), RP_ERR_END);
}

Test(dbox_format, sizes_are_right_at_the_steps)
{
	cr_assert_eq(dbox_format_blocks(0), 1);
	cr_assert_eq(dbox_format_blocks(DBOX_BLOCK_BYTES), 1);
	cr_assert_eq(dbox_format_blocks(DBOX_BLOCK_BYTES + 1), 2);
	cr_assert_eq(dbox_format_record_bytes(0), 128);
	cr_assert_eq(dbox_format_record_bytes(1), 144);
	cr_assert_eq(dbox_format_record_bytes(DBOX_BLOCK_BYTES + 1), 128 + DBOX_BLOCK_BYTES + 8 + 16 + 8);
}
