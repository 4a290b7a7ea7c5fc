#include "core/auth/auth_delay.h"

#include "io/base/clock.h"
#include "io/base/num.h"

enum { LEVEL_MAX = 5 }; /* 1, 2, 4, 8, 15 seconds */

struct address {
	struct hash_link link;
	struct list by_age;
	uint8_t scope[16]; /* the address, or its /64 with the rest zero */
	unsigned level;    /* at failed_ns */
	uint64_t failed_ns;
};

static void scope_of(const uint8_t peer[16], uint8_t scope[16])
{
	static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff};

	memcpy(scope, peer, 16);
	if (memcmp(peer, v4, sizeof(v4)) != 0)
		memset(scope + 8, 0, 8);
}

static bool match(const struct hash_link *link, const void *key)
{
	return memcmp(RP_CONTAINER_OF(link, struct address, link)->scope, key, 16) == 0;
}

static struct address *find(const struct auth_delay *delay, const uint8_t scope[16])
{
	struct hash_link *link =
	    hash_find(&delay->hash, hash_bytes(delay->hash.key, bytes_of(scope, 16)), match, scope);

	return link != NULL ? RP_CONTAINER_OF(link, struct address, link) : NULL;
}

static unsigned level_at(const struct address *address, uint64_t now_ns)
{
	uint64_t quiet_ns = now_ns > address->failed_ns ? now_ns - address->failed_ns : 0;
	uint64_t steps = quiet_ns / (AUTH_DELAY_QUIET_S * CLOCK_NS_PER_S);

	return steps >= address->level ? 0 : address->level - (unsigned)steps;
}

static uint64_t wait_ns(unsigned level)
{
	return level == 0 ? 0
	                  : num_min(UINT64_C(1) << (level - 1), AUTH_DELAY_MAX_S) * CLOCK_NS_PER_S;
}

void auth_delay_init(struct auth_delay *delay, struct hash_key key)
{
	hash_init(&delay->hash, key);
	list_init(&delay->oldest_first);
	pool_init(&delay->pool, "auth_delay", sizeof(struct address), AUTH_DELAY_ADDRESSES_MAX);
}

static void drop(struct auth_delay *delay, struct address *address)
{
	hash_del(&delay->hash, &address->link);
	list_del(&address->by_age);
	pool_give(&delay->pool, address);
}

static struct address *oldest(const struct auth_delay *delay)
{
	return RP_CONTAINER_OF(delay->oldest_first.next, struct address, by_age);
}

void auth_delay_fini(struct auth_delay *delay)
{
	while (!list_empty(&delay->oldest_first))
		drop(delay, oldest(delay));
	hash_fini(&delay->hash);
	pool_fini(&delay->pool);
}

uint64_t auth_delay_get_ns(const struct auth_delay *delay, const uint8_t peer[16], uint64_t now_ns)
{
	uint8_t scope[16];

	scope_of(peer, scope);
	const struct address *address = find(delay, scope);

	return address != NULL ? wait_ns(level_at(address, now_ns)) : 0;
}

/* A new entry; when there is no room, instead of the one that failed longest ago. NULL: no memory.
 */
static struct address *add(struct auth_delay *delay, const uint8_t scope[16])
{
	struct address *address;

	if (delay->pool.live_count == AUTH_DELAY_ADDRESSES_MAX)
		drop(delay, oldest(delay));
	address = pool_take(&delay->pool);
	if (address == NULL)
		return NULL;
	memcpy(address->scope, scope, 16);
	if (!hash_add(
	        &delay->hash, &address->link, hash_bytes(delay->hash.key, bytes_of(scope, 16)))) {
		pool_give(&delay->pool, address);
		return NULL;
	}
	list_push_back(&delay->oldest_first, &address->by_age);
	return address;
}

uint64_t auth_delay_fail_ns(struct auth_delay *delay, const uint8_t peer[16], uint64_t now_ns)
{
	uint8_t scope[16];

	scope_of(peer, scope);
	struct address *address = find(delay, scope);

	if (address == NULL)
		address = add(delay, scope);
	if (address == NULL)
		return wait_ns(LEVEL_MAX); /* without memory to count in, nobody guesses fast */
	unsigned level = level_at(address, now_ns);

	address->level = level < LEVEL_MAX ? level + 1 : LEVEL_MAX;
	address->failed_ns = now_ns;
	list_del(&address->by_age);
	list_push_back(&delay->oldest_first, &address->by_age);
	return wait_ns(address->level);
}
