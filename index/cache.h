/* cache.h -- what FETCH asks for most, ready to send: one mailbox's rendered entries, opaque here.
 *
 *   <mailboxid>.cache   format_header area | entry | entry | ...      each at a multiple of 8
 *   entry               u64 emailid | u32 bytes | u32 zero | u64 xxh3 | bytes | zeroes to 8
 *                       the sum is of the bytes, seeded with nonce ^ emailid (in version 1 of the file: with the nonce)
 *
 * Derived, unflushed, append-only: an entry that is lost, or is not this message's, is made again from the body. What was
 * added lately lies in memory until it is written.
 */
#ifndef RP_INDEX_CACHE_H
#define RP_INDEX_CACHE_H

#include "index/mailbox_state.h"

enum {
	CACHE_UNIT = 8,
	CACHE_ENTRY_BYTES_MAX = 1024 * 1024, /* a larger one is made anew each time */
	CACHE_PENDING_BYTES_MAX = 512 * 1024, /* of one mailbox in memory; beyond, entries are not kept */
	CACHE_WRITE_BYTES = 64 * 1024, /* written when so much has gathered, or nobody uses the mailbox */
	CACHE_WINDOW_BYTES = 64 * 1024, /* read at once: messages are fetched in order */
	CACHE_ENTRY_BYTES_USUAL = 1024,
	CACHE_SPARE_BYTES = 1024 * 1024, /* and twice what its messages need: of more it is begun anew */
};

struct cache;

/* Find the file's end; a file that is not ours, or not sound, is begun anew. */
RP_MUST_USE enum rp_err cache_open(struct task *task, struct mailbox *mailbox, struct cache **out);
void cache_close(struct cache *cache);

/* Add an entry: where it will lie (in units of 8 bytes), or 0: it is not kept. No suspension. */
uint32_t cache_add(struct cache *cache, uint64_t emailid, struct bytes entry);

/* The entry at a place. RP_ERR_NOTFOUND: none of this message is there. Borrowed from the cache or the arena, good until the
 * next suspension. */
RP_MUST_USE enum rp_err cache_get(struct task *task, struct cache *cache, uint32_t place,
    uint64_t emailid, struct arena *arena, struct bytes *entry);

/* An entry as it lies in a file with this nonce and version, and whose it is. RP_ERR_END: it goes on behind these bytes;
 * RP_ERR_CORRUPT: none is here. */
RP_MUST_USE enum rp_err cache_check(
    struct bytes in, uint64_t nonce, unsigned version, uint64_t *emailid, struct bytes *entry);
uint64_t cache_stored_bytes(struct bytes entry);

/* Write what is pending, if it is much or `all`; in a task of the store's own that holds the mailbox. While new mail is refused it stays
 * in memory, or is not kept, and the next call tries again. */
void cache_write(struct mailbox *mailbox, bool all);

/* What of it is in memory alone. */
size_t cache_pending_bytes(const struct cache *cache);

/* Is something pending that there is no room for? *end: then an index may name what lies before this place, and nothing else. */
bool cache_lacks_room(const struct mailbox *mailbox, uint32_t *end);

/* All that was added so far is in the file, so that an index may name it. An error: it could not be written. */
RP_MUST_USE enum rp_err cache_settle(struct task *task, struct mailbox *mailbox);

/* Entries of what is expunged stay in the file. When they are the most of it, or it could not be written, it is to go: what is
 * wanted of it is made again, once for as many messages as have gone. */
bool cache_is_wasteful(const struct mailbox *mailbox);

/* It goes, if nobody uses it just now. The mailbox's index does not name it any more. */
void cache_drop(struct task *task, struct mailbox *mailbox);

#endif
