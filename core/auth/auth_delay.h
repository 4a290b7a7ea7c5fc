/* auth_delay.h -- how long an address must wait after failed logins.
 *
 * Each failure doubles the wait, from 1 s to 15 s; each quiet minute halves it. IPv4 counts by
 * address, IPv6 by /64, which is what one customer has. A success changes nothing: an attacker may
 * own an account. Time is the caller's. One thread.
 */
#ifndef RP_CORE_AUTH_AUTH_DELAY_H
#define RP_CORE_AUTH_AUTH_DELAY_H

#include "io/base/hash.h"
#include "io/base/list.h"
#include "io/base/pool.h"

enum {
	AUTH_DELAY_ADDRESSES_MAX =
	    8192, /* bounds memory; beyond, who failed longest ago is forgotten */
	AUTH_DELAY_MAX_S = 15,
	AUTH_DELAY_QUIET_S = 60,
};

struct auth_delay {
	struct hash hash;
	struct list oldest_first; /* by the time of the last failure */
	struct pool pool;
};

void auth_delay_init(struct auth_delay *delay, struct hash_key key);
void auth_delay_fini(struct auth_delay *delay);

/* How long this address (IPv4 as ::ffff:a.b.c.d) must wait before its next answer; 0: not at all.
 */
uint64_t auth_delay_get_ns(const struct auth_delay *delay, const uint8_t peer[16], uint64_t now_ns);

/* It has failed (again); returns how long its answer is to be held back. */
uint64_t auth_delay_fail_ns(struct auth_delay *delay, const uint8_t peer[16], uint64_t now_ns);

#endif
