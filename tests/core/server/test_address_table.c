#include <criterion/criterion.h>

#include "core/server/address_table.h"
#include "io/base/clock.h"

static const struct net_address four = { .ip = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 } };
static const struct net_address five = { .ip = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 2 } };
static const struct net_address here = { .ip = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
static const struct net_address next_door = { .ip = { 0x20, 1, 0xd, 0xb8, [8] = 9, [15] = 2 } };

Test(address_table, an_address_has_so_many_strangers)
{
	struct address_table *table = address_table_open((struct hash_key){ 1, 2 }, 3, 100);

	for (int i = 0; i < 3; i++)
		cr_assert_eq(address_table_join(table, &four), RP_OK);
	cr_assert_eq(address_table_join(table, &four), RP_ERR_LIMIT);
	cr_assert_eq(address_table_join(table, &five), RP_OK);
	address_table_leave(table, &four);
	cr_assert_eq(address_table_join(table, &four), RP_OK);
	cr_assert_eq(address_table_join(table, &four), RP_ERR_LIMIT);
	address_table_close(table);
}

static struct net_address of_network(uint8_t c, uint8_t d)
{
	return (struct net_address){ .ip = { [10] = 0xff, [11] = 0xff, 192, 0, c, d } };
}

/* THREATS 18: one /24 does not take all there is; its books lie on one shard. */
Test(address_table, a_network_has_so_many_strangers)
{
	struct address_table *table = address_table_open((struct hash_key){ 1, 2 }, 2, 5);
	struct net_address address;

	for (uint8_t d = 1; d <= 5; d++) {
		address = of_network(2, d);
		cr_assert_eq(address_table_join(table, &address), RP_OK);
	}
	address = of_network(2, 6);
	cr_assert_eq(address_table_join(table, &address), RP_ERR_LIMIT);
	for (unsigned shards = 1; shards < 20; shards++)
		cr_assert_eq(address_table_shard(&four, shards), address_table_shard(&address, shards));
	address = of_network(3, 6);
	cr_assert_eq(address_table_join(table, &address), RP_OK);
	address_table_leave(table, &four);
	address = of_network(2, 6);
	cr_assert_eq(address_table_join(table, &address), RP_OK);
	cr_assert_eq(address_table_join(table, &address), RP_ERR_LIMIT);
	for (uint8_t d = 2; d <= 6; d++) {
		address = of_network(2, d);
		address_table_leave(table, &address);
	}
	address = of_network(3, 6);
	address_table_leave(table, &address);
	address_table_close(table);
}

Test(address_table, ipv6_counts_by_network)
{
	struct address_table *table = address_table_open((struct hash_key){ 1, 2 }, 1, 100);

	cr_assert_eq(address_table_join(table, &here), RP_OK);
	cr_assert_eq(address_table_join(table, &next_door), RP_ERR_LIMIT);
	for (unsigned shards = 1; shards < 20; shards++)
		cr_assert_eq(address_table_shard(&here, shards), address_table_shard(&next_door, shards));
	address_table_leave(table, &next_door);
	cr_assert_eq(address_table_join(table, &here), RP_OK);
	address_table_close(table);
}

Test(address_table, delays_rise_for_who_fails_and_for_nobody_else)
{
	struct address_table *table = address_table_open((struct hash_key){ 1, 2 }, 1, 100);
	uint64_t now_ns = CLOCK_NS_PER_S;
	uint64_t last_ns = 0;

	cr_assert_eq(address_table_delay_ns(table, &four, now_ns, false), 0);
	for (int i = 0; i < 4; i++) {
		uint64_t delay_ns = address_table_delay_ns(table, &four, now_ns, true);

		cr_assert_gt(delay_ns, last_ns);
		cr_assert_eq(address_table_delay_ns(table, &four, now_ns, false), delay_ns);
		last_ns = delay_ns;
	}
	cr_assert_eq(address_table_delay_ns(table, &five, now_ns, false), 0);
	address_table_close(table);
}
