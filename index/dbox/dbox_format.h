/* dbox_format.h -- what lies in a dbox file, byte by byte.
 *
 *   format_header area (1,024) | names text | record | record | ...          each record at a multiple of 16
 *
 *   record: header (128) | body | zeroes to a multiple of 8 | xxh3 of each 64 KiB block, if more than one | zeroes to 16
 *
 * The checksums are seeded with the file's nonce, which also stands in each record, so that a file lost in a crash can
 * be made again from the commit log's records.
 */
#ifndef RP_INDEX_DBOX_DBOX_FORMAT_H
#define RP_INDEX_DBOX_DBOX_FORMAT_H

#include <assert.h>

#include "index/dbox/dbox.h"
#include "index/format.h"

enum {
	DBOX_VERSION = 1,
	DBOX_RECORD_MAGIC = 0x42445052, /* "RPDB" */
	DBOX_RECORD_ALIGN = 16,
	DBOX_HEADER_BYTES = 128,
	DBOX_ENCODING_RAW = 0,
};
#define DBOX_BODY_BYTES_MAX (UINT64_C(4) << 30) /* no message is larger; keeps arithmetic far from its ends */

/* extra[] of a dbox file's format_header. */
enum dbox_extra {
	DBOX_EXTRA_NAMES_BYTES, /* text behind the area */
	DBOX_EXTRA_NAMES_XXH3,  /* of it, seeded with the nonce */
	DBOX_EXTRA_STANDIN,     /* k: the k-th stand-in of the file with this number */
};

/* On disk as it is in memory. */
struct dbox_record_header {
	uint32_t magic;
	uint16_t encoding; /* DBOX_ENCODING_RAW */
	int16_t internaldate_zone_min;
	uint64_t stored_bytes; /* of the body as it lies here */
	uint64_t body_bytes;   /* of the message; the same when raw */
	struct userid userid;
	uint64_t mailboxid;
	uint32_t uid;
	uint32_t flags;
	int64_t internaldate_s;
	uint64_t emailid;
	uint64_t nonce; /* the file's */
	uint64_t offset; /* where in the file this record begins */
	uint64_t sums_xxh3; /* one block: of the body; more: of the array of the blocks' checksums */
	uint32_t uidvalidity_last;
	uint32_t reserved[5];
	uint64_t header_xxh3; /* of all before, seeded with the nonce */
};

static_assert(sizeof(struct dbox_record_header) == DBOX_HEADER_BYTES, "format");
static_assert(offsetof(struct dbox_record_header, userid) == 24, "format");
static_assert(offsetof(struct dbox_record_header, emailid) == 64, "format");
static_assert(offsetof(struct dbox_record_header, header_xxh3) == 120, "format");

/* How many blocks (each with a checksum) a body has; at least 1. */
uint64_t dbox_format_blocks(uint64_t stored_bytes);

/* Where the array of checksums lies behind the record's begin; and what the whole record takes. */
uint64_t dbox_format_sums_offset(uint64_t stored_bytes);
uint64_t dbox_format_record_bytes(uint64_t stored_bytes);

/* The same without the zeroes that it ends with: a file that is cut off there lacks nothing. */
uint64_t dbox_format_content_bytes(uint64_t stored_bytes);

/* xxh3 of one block, or of the array. */
uint64_t dbox_format_xxh3(struct bytes b, uint64_t nonce);

/* All but sums_xxh3, and sign it. */
void dbox_format_fill(struct dbox_record_header *header, const struct userid *userid,
    const struct dbox_message *message, uint64_t body_bytes, uint64_t nonce, uint64_t offset);
void dbox_format_sign(struct dbox_record_header *header);

/* The record header at in.p[0], which lies at this offset of a file with this nonce. RP_ERR_END: zeroes or too short;
 * RP_ERR_CORRUPT. */
RP_MUST_USE enum rp_err dbox_format_check(struct bytes in, const struct userid *userid,
    uint64_t nonce, uint64_t offset, struct dbox_record_header *out);

/* Likewise a whole small record (one block) in memory, body included, by the nonce that it names. */
RP_MUST_USE enum rp_err dbox_format_check_whole(struct bytes in, const struct userid *userid,
    uint64_t offset, struct dbox_record_header *out);

/* A whole small record (one block) in memory; size: dbox_format_record_bytes(). */
void dbox_format_put(uint8_t *p, struct dbox_record_header *header, struct bytes body);

void dbox_format_message(const struct dbox_record_header *header, struct dbox_message *out);

#endif
