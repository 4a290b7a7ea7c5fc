/* record.h -- one change to one user's mail: the unit of the commit log and of the journal.
 *
 *   header (fixed) | payload (change.h's business) | body record (a whole dbox record), or nothing
 *
 * Header and payload go into the journal, the body record into the dbox file, each at the place that the
 * header names; the commit log holds all three. The payload's checksum stands in the header; the header's
 * own is seeded with the nonce of the file that the copy lies in, so it is computed again when the record
 * is settled, and bytes of a log that are hidden in a mail never read as a record.
 */
#ifndef RP_INDEX_RECORD_H
#define RP_INDEX_RECORD_H

#include <assert.h>

#include "io/base/bytes.h"
#include "io/base/err.h"
#include "io/base/userid.h"

enum {
	RECORD_MAGIC = 0x43525052, /* "RPRC" */
	RECORD_ALIGN = 8,
	RECORD_BYTES_MAX = 256 * 1024,      /* header and payload; a larger change is several records */
	RECORD_BODY_BYTES_MAX = 64 * 1024 + 4096, /* a body record that travels inside */
};

/* No file of a user's is larger, and none has a higher number: keeps arithmetic far from its ends. */
#define RECORD_PLACE_OFFSET_MAX (UINT64_C(1) << 36)
#define RECORD_PLACE_DBOX_MAX   (UINT32_MAX - 1)

/* What recovery must know about a record without knowing change.h. */
enum record_flag {
	RECORD_DESTROYS = 1 << 0, /* every record of this user before it is void */
	RECORD_DROPS_DBOX = 1 << 1, /* place.dbox is no body's place but a file that is void from here on */
	RECORD_FLAGS_KNOWN = RECORD_DESTROYS | RECORD_DROPS_DBOX,
};

/* Where a record and its body lie in the user's own files. */
struct record_place {
	uint64_t journal; /* first LSN of the journal file */
	uint64_t journal_offset;
	uint64_t dbox; /* number of the dbox file; 0: no body inside this record */
	uint64_t dbox_offset;
};

/* On disk as it is in memory: little-endian. */
struct record_header {
	uint32_t magic;
	uint16_t type;  /* enum change_type */
	uint16_t flags; /* enum record_flag */
	struct userid userid;
	uint64_t epoch; /* of the store at the server's start */
	uint64_t lsn;   /* counts this user's records from 1 without a gap */
	struct record_place place;
	uint32_t payload_bytes;
	uint32_t body_bytes; /* of the body record behind the payload (commit log only); 0: none */
	uint64_t payload_xxh3;
	uint64_t header_xxh3; /* of all before, seeded with the container's nonce */
};

static_assert(sizeof(struct record_header) == 96, "format");

/* A record in memory: what lies in a buffer, checked. */
struct record {
	struct record_header header;
	struct bytes payload;
	struct bytes body; /* the whole dbox record; .n == 0: none */
};

/* Is this a header that we write? Asked before writing (asserted) and after reading. */
bool record_header_is_sane(const struct record_header *header);

/* Set magic, payload_xxh3 and sizes from the payload and body. */
void record_fill(struct record_header *header, struct bytes payload, struct bytes body);

/* Bytes that header and payload take in a journal: padded to RECORD_ALIGN. */
uint64_t record_journal_bytes(const struct record_header *header);

/* Does this copy lie where its place says: in the journal file with this first LSN, at this offset? What a write that went
 * astray has left elsewhere is sound, and counts for nothing there. */
bool record_is_in_place(const struct record_header *header, uint64_t journal, uint64_t offset);

/* Bytes that all of it takes in a commit log: padded to RECORD_ALIGN. */
uint64_t record_bytes(const struct record_header *header);

/* Put header_xxh3 for a container with this nonce. */
void record_sign(struct record_header *header, uint64_t nonce);

/* Write header and payload (padded with zeroes to record_journal_bytes()) to p, signed for a container with this nonce.
 * Returns the bytes written. */
size_t record_put(uint8_t *p, const struct record *record, uint64_t nonce);

/* Offset, from `from` on and a multiple of RECORD_ALIGN, of the next sound record header; in.n: none. For going on behind
 * damage. */
size_t record_find(struct bytes in, size_t from, uint64_t nonce);

/* Read the record at in.p[0]: RP_OK and *out (spans borrow from in). RP_ERR_END: less than a header, or zeroes: no
 * record begins here. RP_ERR_CORRUPT: one begins, or should, and is not sound; if at least its header is sound
 * *skip is its length, else 0. with_body: the container is a commit log. */
RP_MUST_USE enum rp_err record_read(
    struct bytes in, uint64_t nonce, bool with_body, struct record *out, uint64_t *skip);

#endif
