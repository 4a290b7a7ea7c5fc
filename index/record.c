#include "index/record.h"

#include <string.h>
#include <xxhash.h>

#include "io/base/num.h"

static uint64_t header_checksum(const struct record_header *header, uint64_t nonce)
{
	return XXH3_64bits_withSeed(header, offsetof(struct record_header, header_xxh3), nonce);
}

bool record_header_is_sane(const struct record_header *header)
{
	if (header->magic != RECORD_MAGIC || header->type == 0 || header->lsn == 0)
		return false;
	if ((header->flags & ~RECORD_FLAGS_KNOWN) != 0)
		return false;
	if (header->payload_bytes > RECORD_BYTES_MAX - sizeof(*header))
		return false;
	if (header->body_bytes > RECORD_BODY_BYTES_MAX)
		return false;
	if (header->body_bytes != 0 && header->place.dbox == 0)
		return false;
	if ((header->flags & RECORD_DROPS_DBOX) != 0 && header->body_bytes != 0)
		return false;
	if (header->place.journal_offset > RECORD_PLACE_OFFSET_MAX ||
	    header->place.dbox_offset > RECORD_PLACE_OFFSET_MAX ||
	    header->place.dbox > RECORD_PLACE_DBOX_MAX)
		return false;
	return header->place.journal != 0 && header->place.journal <= header->lsn &&
	    header->place.journal_offset % RECORD_ALIGN == 0;
}

void record_fill(struct record_header *header, struct bytes payload, struct bytes body)
{
	RP_ASSERT(payload.n <= RECORD_BYTES_MAX && body.n <= RECORD_BODY_BYTES_MAX);
	header->magic = RECORD_MAGIC;
	header->payload_bytes = (uint32_t)payload.n;
	header->body_bytes = (uint32_t)body.n;
	header->payload_xxh3 = XXH3_64bits(payload.p, payload.n);
}

uint64_t record_journal_bytes(const struct record_header *header)
{
	return num_round_up(sizeof(*header) + header->payload_bytes, RECORD_ALIGN);
}

bool record_is_in_place(const struct record_header *header, uint64_t journal, uint64_t offset)
{
	return header->place.journal == journal && header->place.journal_offset == offset;
}

uint64_t record_bytes(const struct record_header *header)
{
	return record_journal_bytes(header) + num_round_up(header->body_bytes, RECORD_ALIGN);
}

void record_sign(struct record_header *header, uint64_t nonce)
{
	header->header_xxh3 = header_checksum(header, nonce);
}

size_t record_put(uint8_t *p, const struct record *record, uint64_t nonce)
{
	struct record_header header = record->header;
	size_t bytes = record_journal_bytes(&header);
	size_t used = sizeof(header) + record->payload.n;

	RP_ASSERT(record->payload.n == header.payload_bytes);
	RP_ASSERT(record_header_is_sane(&header));
	record_sign(&header, nonce);
	memcpy(p, &header, sizeof(header));
	if (record->payload.n != 0)
		memcpy(p + sizeof(header), record->payload.p, record->payload.n);
	memset(p + used, 0, bytes - used);
	return bytes;
}

/* A header of ours, whole and signed for this container. */
static bool header_is_sound(const uint8_t *p, uint64_t nonce, struct record_header *header)
{
	if (num_get_u32(p) != RECORD_MAGIC)
		return false;
	memcpy(header, p, sizeof(*header));
	return header->header_xxh3 == header_checksum(header, nonce) &&
	    record_header_is_sane(header);
}

size_t record_find(struct bytes in, size_t from, uint64_t nonce)
{
	struct record_header header;

	for (size_t at = num_round_up(from, RECORD_ALIGN);
	     at <= in.n && in.n - at >= sizeof(header); at += RECORD_ALIGN)
		if (header_is_sound(in.p + at, nonce, &header))
			return at;
	return in.n;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

enum rp_err record_read(
    struct bytes in, uint64_t nonce, bool with_body, struct record *out, uint64_t *skip)
{
	struct record_header header;

	*skip = 0;
	if (in.n < sizeof(header) || all_zero(in.p, sizeof(header)))
		return RP_ERR_END;
	if (!header_is_sound(in.p, nonce, &header))
		return RP_ERR_CORRUPT;

	uint64_t journal_bytes = record_journal_bytes(&header);
	uint64_t bytes = with_body ? record_bytes(&header) : journal_bytes;

	if (bytes > in.n)
		return RP_ERR_CORRUPT; /* cut short: its header is sound, but it does not end here */

	struct bytes payload =
	    bytes_slice(in, sizeof(header), sizeof(header) + header.payload_bytes);

	if (XXH3_64bits(payload.p, payload.n) != header.payload_xxh3) {
		*skip = bytes;
		return RP_ERR_CORRUPT;
	}
	out->header = header;
	out->payload = payload;
	out->body = with_body
	    ? bytes_slice(in, (size_t)journal_bytes, (size_t)journal_bytes + header.body_bytes)
	    : bytes_of(NULL, 0);
	return RP_OK;
}
