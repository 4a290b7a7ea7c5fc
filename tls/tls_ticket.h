/* tls_ticket.h -- the keys that seal session tickets, shared by all shards.
 *
 * A client that comes back shows a ticket and is spared the costly half of the handshake. The keys
 * lie in memory that the supervisor made and every shard of every server process maps, so a ticket
 * of one is good at all, and after a restart too. They are never written to a disk.
 *
 * Three keys stand in a ring: the current one seals and opens, the two older ones open only.
 * Rotating overwrites the oldest, then makes it the current one. Whoever reads just then finds no
 * key, or one that does not fit: the ticket is ignored and the handshake is a whole one. So there
 * is no lock.
 */
#ifndef RP_TLS_TLS_TICKET_H
#define RP_TLS_TLS_TICKET_H

#include "io/base/bytes.h"
#include "io/base/err.h"

enum {
	TLS_TICKET_KEYS = 3,
	TLS_TICKET_ROTATE_S =
	    12 * 3600, /* a key seals for so long, and opens twice as long after */
	TLS_TICKET_LIFETIME_S = 24 * 3600, /* what clients are told; the keys outlive it */
};

struct tls_ticket_key {
	uint8_t id[16]; /* all zero: no key here */
	uint8_t secret[32];
};

/* Lies in shared memory; zeroed memory is a valid ring without keys, under which no ticket is made.
 */
struct tls_ticket_keys {
	uint32_t current; /* index of the key that seals; read and written as one word */
	uint32_t reserved;
	uint64_t rotated_s; /* wall time of the last rotation; the writer's note to itself */
	struct tls_ticket_key key[TLS_TICKET_KEYS];
};

/* Draw a new key and make it the current one. One writer at a time; any number of readers
 * meanwhile. RP_ERR_IO: the machine gave no random bytes; nothing has changed. */
RP_MUST_USE enum rp_err tls_ticket_rotate(struct tls_ticket_keys *keys, uint64_t now_s);

/* Is it time to rotate? Also true for a ring without keys, and when the clock was set back. */
bool tls_ticket_due(const struct tls_ticket_keys *keys, uint64_t now_s);

/* Room that a sealed ticket needs beyond its plaintext. */
size_t tls_ticket_overhead(void);

/* Seal under the current key: id, nonce, ciphertext with tag. False: no key, or no room. */
RP_MUST_USE bool tls_ticket_seal(const struct tls_ticket_keys *keys, struct bytes plain,
    uint8_t *out, size_t out_room, size_t *out_n);

/* Open what one of the keys has sealed. False: none has, or the bytes are not whole. */
RP_MUST_USE bool tls_ticket_unseal(const struct tls_ticket_keys *keys, struct bytes sealed,
    uint8_t *out, size_t out_room, size_t *out_n);

#endif
