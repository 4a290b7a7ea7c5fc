#include <criterion/criterion.h>

#include "index/record.h"

enum { NONCE = 77 };

static size_t make(uint8_t *p, size_t payload_bytes, size_t body_bytes, struct record *record)
{
	static uint8_t bytes[RECORD_BYTES_MAX];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	*record = (struct record){
		.header = { .type = 3, .epoch = 5, .lsn = 12, .place = { .journal = 10, .journal_offset = 1024 } },
		.payload = bytes_of(bytes, payload_bytes),
		.body = bytes_of(bytes, body_bytes),
	};
	if (body_bytes != 0)
		record->header.place.dbox = 1;
	record_fill(&record->header, record->payload, record->body);

	size_t n = record_put(p, record, NONCE);

	memset(p + n, 0, record_bytes(&record->header) - n);
	memcpy(p + n, bytes, body_bytes);
	return record_bytes(&record->header);
}

Test(record, reads_back_with_and_without_its_body)
{
	static uint8_t p[2 * RECORD_BYTES_MAX];
	static const size_t payloads[] = { 0, 1, 7, 8, 9, 4096, RECORD_BYTES_MAX - 96 };
	static const size_t bodies[] = { 0, 1, 8, RECORD_BODY_BYTES_MAX };

	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
		for (size_t j = 0; j < sizeof(bodies) / sizeof(bodies[0]); j++) {
			struct record record;
			struct record out;
			uint64_t skip;
			size_t n = make(p, payloads[i], bodies[j], &record);

			cr_assert_eq(record_read(bytes_of(p, n), NONCE, true, &out, &skip), RP_OK);
			cr_assert(bytes_eq(out.payload, record.payload));
			cr_assert(bytes_eq(out.body, record.body));
			cr_assert_eq(out.header.lsn, 12);
			n = record_journal_bytes(&record.header);
			cr_assert_eq(record_read(bytes_of(p, n), NONCE, false, &out, &skip), RP_OK);
			cr_assert(bytes_eq(out.payload, record.payload));
			cr_assert_eq(out.body.n, 0);
			cr_assert_neq(record_read(bytes_of(p, n - 1), NONCE, false, &out, &skip), RP_OK);
		}
}

Test(record, any_flipped_bit_of_header_and_payload_is_seen)
{
	uint8_t p[512];
	struct record record;
	size_t n = make(p, 64, 0, &record);

	for (size_t bit = 0; bit < n * 8; bit++) {
		struct record out;
		uint64_t skip;

		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cr_assert_eq(record_read(bytes_of(p, n), NONCE, true, &out, &skip), RP_ERR_CORRUPT);
		cr_assert_eq(skip, bit / 8 < sizeof(struct record_header) ? 0 : n);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

Test(record, of_another_file_is_no_record_here)
{
	uint8_t p[512];
	struct record record;
	struct record out;
	uint64_t skip;
	size_t n = make(p, 64, 0, &record);

	cr_assert_eq(record_read(bytes_of(p, n), NONCE + 1, true, &out, &skip), RP_ERR_CORRUPT);
	cr_assert_eq(record_find(bytes_of(p, n), 0, NONCE + 1), n);
}

Test(record, zeroes_and_short_input_end)
{
	uint8_t p[256] = { 0 };
	struct record out;
	uint64_t skip;

	cr_assert_eq(record_read(bytes_of(p, sizeof(p)), NONCE, true, &out, &skip), RP_ERR_END);
	cr_assert_eq(record_read(bytes_of(p, 0), NONCE, true, &out, &skip), RP_ERR_END);
	p[0] = 1;
	cr_assert_eq(record_read(bytes_of(p, 95), NONCE, true, &out, &skip), RP_ERR_END);
	cr_assert_eq(record_read(bytes_of(p, 96), NONCE, true, &out, &skip), RP_ERR_CORRUPT);
}

Test(record, is_found_behind_damage)
{
	uint8_t p[1024] = { 0 };
	struct record record;
	size_t n = make(p + 200, 40, 0, &record);

	cr_assert_eq(record_find(bytes_of(p, sizeof(p)), 0, NONCE), 200);
	cr_assert_eq(record_find(bytes_of(p, sizeof(p)), 193, NONCE), 200);
	cr_assert_eq(record_find(bytes_of(p, sizeof(p)), 200, NONCE), 200);
	cr_assert_eq(record_find(bytes_of(p, sizeof(p)), 201, NONCE), sizeof(p));
	cr_assert_eq(record_find(bytes_of(p, 295), 0, NONCE), 295, "a header that is cut is none");
	cr_assert_eq(record_find(bytes_of(p, 200 + n), 2000, NONCE), 200 + n);
}

Test(record, a_signed_header_that_makes_no_sense_is_refused)
{
	struct record record;
	uint8_t p[512];
	static const struct record_header none;

	make(p, 8, 0, &record);
	cr_assert(record_header_is_sane(&record.header));
	cr_assert_not(record_header_is_sane(&none));

	struct record_header bad[12];

	for (size_t i = 0; i < 12; i++)
		bad[i] = record.header;
	bad[0].type = 0;
	bad[1].lsn = 0;
	bad[2].flags = RECORD_FLAGS_KNOWN + 1;
	bad[3].payload_bytes = RECORD_BYTES_MAX - 95;
	bad[4].body_bytes = RECORD_BODY_BYTES_MAX + 1;
	bad[4].place.dbox = 1;
	bad[5].body_bytes = 1;
	bad[6].place.journal = 13;
	bad[7].place.journal_offset = 4;
	bad[8].flags = RECORD_DROPS_DBOX;
	bad[8].place.dbox = 1;
	bad[8].body_bytes = 8;
	bad[9].place.journal_offset = RECORD_PLACE_OFFSET_MAX + 8;
	bad[10].place.dbox_offset = RECORD_PLACE_OFFSET_MAX + 1;
	bad[11].place.dbox = RECORD_PLACE_DBOX_MAX + 1;
	for (size_t i = 0; i < 12; i++) {
		struct record out;
		uint64_t skip;

		cr_assert_not(record_header_is_sane(&bad[i]), "case %zu", i);
		record_sign(&bad[i], NONCE);
		memcpy(p, &bad[i], sizeof(bad[i]));
		cr_assert_eq(record_read(bytes_of(p, sizeof(p)), NONCE, true, &out, &skip),
		    RP_ERR_CORRUPT, "case %zu", i);
	}
}
