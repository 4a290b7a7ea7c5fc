/* message_cache.h -- what is remembered of a message so that its body need not be read: the cache entry.
 *
 * Made once, when the message arrives (intake.h), or again from its body (message_reader.h); opaque to index, which keeps it and
 * checks that it is this message's and whole. All numbers little-endian:
 *
 *   header (fixed) | part, part, ... | ENVELOPE text | BODY text | BODYSTRUCTURE text | header fields
 *
 * The texts are ready to send. The header fields are those that clients ask for again and again, whole lines in their order.
 * The parts say where each part's header block and body lie, so that BODY[2]<0.65536> of a large message reads just that.
 */
#ifndef RP_CORE_SESSION_MESSAGE_CACHE_H
#define RP_CORE_SESSION_MESSAGE_CACHE_H

#include "core/mail/mime.h"

enum {
	MESSAGE_CACHE_PARTS_MAX = 200,         /* a message of more parts is parsed again at need */
	MESSAGE_CACHE_FIELDS_BYTES_MAX = 4096, /* of header fields kept; beyond none are */
	MESSAGE_CACHE_BYTES_MAX = 4 * 1024 * 1024, /* of an entry: bounds what one hostile mail costs at each look */
};

/* A decoded entry; borrows from it. */
struct message_cache {
	struct bytes envelope;
	struct bytes body;
	struct bytes bodystructure;
	bool has_fields;
	struct bytes fields;   /* the lines of those that message_cache_keeps() */
	uint64_t header_bytes; /* of the message's header block with its empty line */
	bool has_sent;
	int64_t sent_seconds;
	int16_t sent_zone_min;
	struct bytes parts; /* empty: not kept */
};

/* Make the entry of a tree that was parsed with MIME_FOR_INDEX; in arena memory. RP_ERR_LIMIT: no room, or too large. */
RP_MUST_USE enum rp_err message_cache_encode(
    struct arena *arena, const struct mime *mime, struct bytes *entry);

/* RP_ERR_CORRUPT: no entry that we wrote. */
RP_MUST_USE enum rp_err message_cache_decode(struct bytes entry, struct message_cache *out);

/* The tree of parts, for mime_section_find(); without fields or envelopes. RP_ERR_NOTFOUND: not kept. RP_ERR_CORRUPT. */
RP_MUST_USE enum rp_err message_cache_mime(const struct message_cache *cache, struct arena *arena,
    uint64_t message_bytes, struct mime *out);

/* Is this one of the header fields that an entry has all lines of? */
bool message_cache_keeps(struct bytes field_name);

#endif
