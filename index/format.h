/* format.h -- what every file of ringpost's own begins with.
 *
 * Two copies of one fixed header, in sectors of their own, so that a sector lost costs nothing. The nonce is
 * random and seeds the checksums of what the file holds: bytes of a log that are hidden in a mail, or the
 * remains of an earlier use, never read as valid. FORMATS.md has each file byte by byte.
 */
#ifndef RP_INDEX_FORMAT_H
#define RP_INDEX_FORMAT_H

#include <assert.h>

#include "io/base/bytes.h"
#include "io/base/err.h"
#include "io/base/userid.h"

enum format_magic {
	FORMAT_STORE = 0x54535052,   /* "RPST" DATA/store */
	FORMAT_LOG = 0x474c5052,     /* "RPLG" a file of the commit log */
	FORMAT_OWNER = 0x574f5052,   /* "RPOW" whose the commit logs are */
	FORMAT_JOURNAL = 0x4c4a5052, /* "RPJL" */
	FORMAT_DBOX = 0x58445052,    /* "RPDX" */
	FORMAT_CATALOG = 0x54435052, /* "RPCT" */
	FORMAT_INDEX = 0x58495052,   /* "RPIX" */
	FORMAT_CACHE = 0x48435052,   /* "RPCH" */
	FORMAT_GRAMS = 0x52475052,   /* "RPGR" */
};

enum {
	FORMAT_HEADER_BYTES = 128,
	FORMAT_SECTOR_BYTES = 512, /* what a disk writes whole or not at all */
	FORMAT_AREA_BYTES = 1024,  /* two sectors, a copy in each */
	FORMAT_EXTRA_COUNT = 7,
};

/* On disk as it is in memory: little-endian. */
struct format_header {
	uint32_t magic;
	uint16_t version; /* of the file's layout; a newer one is refused */
	uint16_t header_bytes;
	uint32_t features;          /* who does not know a bit here may read the file all the same */
	uint32_t features_required; /* who does not know a bit here must not */
	struct userid userid;       /* whose mail; zero: nobody's alone */
	uint64_t epoch;             /* of the store when the file was made */
	uint64_t lsn;               /* a journal: its first; a derived file: what it has */
	uint64_t nonce;             /* never 0 */
	uint64_t number;            /* which one: of the log or dbox file, mailboxid, shard */
	uint64_t extra[FORMAT_EXTRA_COUNT]; /* the kind's own; 0 where unused */
	uint64_t xxh3;              /* of all before */
};

static_assert(sizeof(struct format_header) == FORMAT_HEADER_BYTES, "format");
static_assert(offsetof(struct format_header, userid) == 16, "format");
static_assert(offsetof(struct format_header, epoch) == 32, "format");
static_assert(offsetof(struct format_header, extra) == 64, "format");
static_assert(offsetof(struct format_header, xxh3) == 120, "format");

/* Set magic, version, sizes and the checksum; the rest is the caller's. */
void format_sign(struct format_header *header, enum format_magic magic, uint16_t version);

/* Read the header at in.p[0]. RP_ERR_END: nothing but zeroes, or too short; RP_ERR_CORRUPT: not a sound header of this
 * kind; RP_ERR_CANNOT: sound, but of a newer version, or with a required feature that this server does not know. */
RP_MUST_USE enum rp_err format_check(
    struct bytes in, enum format_magic magic, uint16_t version_max, struct format_header *out);

/* Both copies. The whole of area is written. */
void format_put_area(const struct format_header *header, uint8_t area[FORMAT_AREA_BYTES]);

/* The first sound copy of an area; errors as format_check, of the better copy. */
RP_MUST_USE enum rp_err format_check_area(
    struct bytes area, enum format_magic magic, uint16_t version_max, struct format_header *out);

/* Which of the two sectors are not as format_put_area() writes them: FORMAT_FIRST_BAD, FORMAT_SECOND_BAD, or both bits. Both, and
 * an error as of format_check_area(): there is no sound header; else *out is it. */
enum { FORMAT_FIRST_BAD = 1, FORMAT_SECOND_BAD = 2 };
RP_MUST_USE enum rp_err format_look_area(struct bytes area, enum format_magic magic,
    uint16_t version_max, struct format_header *out, unsigned *bad);

#endif
