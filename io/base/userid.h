/* userid.h -- a user's opaque, immutable 128-bit id, and the slot that it belongs to.
 *
 * The id is not the login name: a name deleted and added again gets a new id. It belongs to one of 65,536
 * slots for ever, and a slot to one shard, the user's home (DESIGN section 2).
 */
#ifndef RP_IO_BASE_USERID_H
#define RP_IO_BASE_USERID_H

#include "io/base/bytes.h"

enum { USERID_BYTES = 16, USERID_TEXT_BYTES = 32, USERID_SLOTS = 65536 };

struct userid {
	uint8_t b[USERID_BYTES];
};

static inline bool userid_eq(const struct userid *a, const struct userid *b)
{
	return memcmp(a->b, b->b, USERID_BYTES) == 0;
}

/* xxh3 of the id, low 16 bits. */
uint16_t userid_slot(const struct userid *id);

/* The home shard of a slot when there are shards_count shards. */
static inline unsigned userid_shard(const struct userid *id, unsigned shards_count)
{
	return userid_slot(id) % shards_count;
}

/* 32 lower-case hex digits and a NUL. */
void userid_format(const struct userid *id, char text[USERID_TEXT_BYTES + 1]);

/* Exactly 32 hex digits. False: anything else. */
RP_MUST_USE bool userid_parse(struct bytes text, struct userid *id);

/* "users/<slot, 4 hex digits>/<userid>", the volume's directory under DATA; returns its length. */
enum { USERID_PATH_BYTES = sizeof("users/") - 1 + 4 + 1 + USERID_TEXT_BYTES + 1 };
size_t userid_path(const struct userid *id, char path[USERID_PATH_BYTES]);

#endif
