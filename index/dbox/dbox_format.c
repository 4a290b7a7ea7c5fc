#include "index/dbox/dbox_format.h"

#include <string.h>
#include <xxhash.h>

#include "io/base/num.h"

uint64_t dbox_format_blocks(uint64_t stored_bytes)
{
	return stored_bytes == 0 ? 1 : (stored_bytes + DBOX_BLOCK_BYTES - 1) / DBOX_BLOCK_BYTES;
}

uint64_t dbox_format_sums_offset(uint64_t stored_bytes)
{
	return DBOX_HEADER_BYTES + num_round_up(stored_bytes, sizeof(uint64_t));
}

uint64_t dbox_format_content_bytes(uint64_t stored_bytes)
{
	uint64_t blocks = dbox_format_blocks(stored_bytes);

	return blocks == 1 ? DBOX_HEADER_BYTES + stored_bytes
	                   : dbox_format_sums_offset(stored_bytes) + blocks * sizeof(uint64_t);
}

uint64_t dbox_format_record_bytes(uint64_t stored_bytes)
{
	uint64_t blocks = dbox_format_blocks(stored_bytes);
	uint64_t sums_bytes = blocks == 1 ? 0 : blocks * sizeof(uint64_t);

	return num_round_up(dbox_format_sums_offset(stored_bytes) + sums_bytes, DBOX_RECORD_ALIGN);
}

uint64_t dbox_format_xxh3(struct bytes b, uint64_t nonce)
{
	return XXH3_64bits_withSeed(b.p, b.n, nonce);
}

void dbox_format_fill(struct dbox_record_header *header, const struct userid *userid,
    const struct dbox_message *message, uint64_t body_bytes, uint64_t nonce, uint64_t offset)
{
	RP_ASSERT(body_bytes <= DBOX_BODY_BYTES_MAX);
	RP_ASSERT(nonce != 0 && offset % DBOX_RECORD_ALIGN == 0);
	*header = (struct dbox_record_header){
		.magic = DBOX_RECORD_MAGIC,
		.encoding = DBOX_ENCODING_RAW,
		.internaldate_zone_min = message->internaldate_zone_min,
		.stored_bytes = body_bytes,
		.body_bytes = body_bytes,
		.userid = *userid,
		.mailboxid = message->mailboxid,
		.uid = message->uid,
		.flags = message->flags,
		.internaldate_s = message->internaldate_s,
		.emailid = message->emailid,
		.uidvalidity_last = message->uidvalidity_last,
		.nonce = nonce,
		.offset = offset,
	};
}

static uint64_t header_checksum(const struct dbox_record_header *header)
{
	return XXH3_64bits_withSeed(
	    header, offsetof(struct dbox_record_header, header_xxh3), header->nonce);
}

void dbox_format_sign(struct dbox_record_header *header)
{
	header->header_xxh3 = header_checksum(header);
}

static bool all_zero(const struct dbox_record_header *header)
{
	static const struct dbox_record_header zero;

	return memcmp(header, &zero, sizeof(zero)) == 0;
}

enum rp_err dbox_format_check(struct bytes in, const struct userid *userid, uint64_t nonce,
    uint64_t offset, struct dbox_record_header *out)
{
	struct dbox_record_header header;

	if (in.n < sizeof(header))
		return RP_ERR_END;
	memcpy(&header, in.p, sizeof(header));
	if (all_zero(&header))
		return RP_ERR_END;
	if (header.magic != DBOX_RECORD_MAGIC || header.nonce != nonce || header.offset != offset)
		return RP_ERR_CORRUPT;
	if (header.header_xxh3 != header_checksum(&header))
		return RP_ERR_CORRUPT;
	if (header.encoding != DBOX_ENCODING_RAW || header.stored_bytes != header.body_bytes)
		return RP_ERR_CORRUPT;
	if (header.stored_bytes > DBOX_BODY_BYTES_MAX || !userid_eq(&header.userid, userid))
		return RP_ERR_CORRUPT;
	*out = header;
	return RP_OK;
}

enum rp_err dbox_format_check_whole(struct bytes in, const struct userid *userid, uint64_t offset,
    struct dbox_record_header *out)
{
	struct dbox_record_header header;

	if (in.n < sizeof(header))
		return RP_ERR_CORRUPT;
	memcpy(&header, in.p, sizeof(header));

	enum rp_err err = dbox_format_check(in, userid, header.nonce, offset, &header);

	if (err != RP_OK || header.nonce == 0 || header.stored_bytes > in.n - sizeof(header) ||
	    dbox_format_blocks(header.stored_bytes) != 1)
		return RP_ERR_CORRUPT;

	struct bytes body = bytes_of(in.p + sizeof(header), header.stored_bytes);

	if (dbox_format_xxh3(body, header.nonce) != header.sums_xxh3)
		return RP_ERR_CORRUPT;
	*out = header;
	return RP_OK;
}

void dbox_format_put(uint8_t *p, struct dbox_record_header *header, struct bytes body)
{
	uint64_t record_bytes = dbox_format_record_bytes(body.n);

	RP_ASSERT(body.n == header->stored_bytes && dbox_format_blocks(body.n) == 1);
	header->sums_xxh3 = dbox_format_xxh3(body, header->nonce);
	dbox_format_sign(header);
	memcpy(p, header, sizeof(*header));
	if (body.n != 0)
		memcpy(p + sizeof(*header), body.p, body.n);
	memset(p + sizeof(*header) + body.n, 0, (size_t)record_bytes - sizeof(*header) - body.n);
}

void dbox_format_message(const struct dbox_record_header *header, struct dbox_message *out)
{
	*out = (struct dbox_message){
		.mailboxid = header->mailboxid,
		.uid = header->uid,
		.flags = header->flags,
		.internaldate_s = header->internaldate_s,
		.internaldate_zone_min = header->internaldate_zone_min,
		.emailid = header->emailid,
		.uidvalidity_last = header->uidvalidity_last,
	};
}
