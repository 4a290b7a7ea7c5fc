#include <criterion/criterion.h>

#include "core/auth/auth_delay.h"
#include "io/base/clock.h"
#include "io/base/num.h"

static struct auth_delay delay;
static const struct hash_key key = {1, 2};
static const uint64_t s = CLOCK_NS_PER_S;

static void v4(uint8_t out[16], uint32_t address)
{
	memset(out, 0, 16);
	out[10] = out[11] = 0xff;
	num_put_u32(out + 12, address);
}

Test(auth_delay, doubles_to_its_bound_and_decays)
{
	static const uint64_t seconds[] = {1, 2, 4, 8, 15, 15, 15};
	uint8_t peer[16];

	auth_delay_init(&delay, key);
	v4(peer, 1);
	cr_assert_eq(auth_delay_get_ns(&delay, peer, 0), 0);
	for (size_t i = 0; i < 7; i++) {
		cr_assert_eq(auth_delay_fail_ns(&delay, peer, 100 * s), seconds[i] * s);
		cr_assert_eq(auth_delay_get_ns(&delay, peer, 100 * s), seconds[i] * s);
	}
	cr_assert_eq(auth_delay_get_ns(&delay, peer, 159 * s), 15 * s);
	cr_assert_eq(auth_delay_get_ns(&delay, peer, 160 * s), 8 * s);
	cr_assert_eq(auth_delay_get_ns(&delay, peer, 220 * s), 4 * s);
	cr_assert_eq(auth_delay_fail_ns(&delay, peer, 220 * s), 8 * s);
	cr_assert_eq(auth_delay_get_ns(&delay, peer, 459 * s), 1 * s);
	cr_assert_eq(auth_delay_get_ns(&delay, peer, 460 * s), 0);
	cr_assert_eq(
	    auth_delay_get_ns(&delay, peer, 1), 8 * s); /* a clock that went back harms nobody */
	auth_delay_fini(&delay);
}

Test(auth_delay, counts_ipv4_by_address_and_ipv6_by_network)
{
	uint8_t a[16], b[16];

	auth_delay_init(&delay, key);
	v4(a, 1);
	v4(b, 2);
	auth_delay_fail_ns(&delay, a, 0);
	cr_assert_eq(auth_delay_get_ns(&delay, b, 0), 0);
	memset(a, 0x20, 16);
	memset(b, 0x20, 16);
	b[15] = b[8] = 0x99;
	auth_delay_fail_ns(&delay, a, 0);
	cr_assert_eq(auth_delay_get_ns(&delay, b, 0), s);
	b[7] = 0x21;
	cr_assert_eq(auth_delay_get_ns(&delay, b, 0), 0);
	auth_delay_fini(&delay);
}

Test(auth_delay, forgets_who_failed_longest_ago_when_full)
{
	uint8_t peer[16];

	auth_delay_init(&delay, key);
	for (uint32_t i = 0; i < AUTH_DELAY_ADDRESSES_MAX; i++) {
		v4(peer, i);
		auth_delay_fail_ns(&delay, peer, 0);
	}
	v4(peer, 0);
	auth_delay_fail_ns(&delay, peer, 0); /* the first is the newest now */
	v4(peer, AUTH_DELAY_ADDRESSES_MAX);
	auth_delay_fail_ns(&delay, peer, 0);
	cr_assert_eq(auth_delay_get_ns(&delay, peer, 0), s);
	v4(peer, 0);
	cr_assert_eq(auth_delay_get_ns(&delay, peer, 0), 2 * s);
	v4(peer, 1);
	cr_assert_eq(auth_delay_get_ns(&delay, peer, 0), 0);
	v4(peer, 2);
	cr_assert_eq(auth_delay_get_ns(&delay, peer, 0), s);
	auth_delay_fini(&delay);
}
