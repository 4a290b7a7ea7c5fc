#include <criterion/criterion.h>

#include "core/server/user_table.h"

Test(user_table, a_user_has_so_many_connections_from_an_address)
{
	struct user_table *table = user_table_open((struct hash_key){ 1, 2 });
	struct userid sam = { .b = { 1 } };
	struct userid eve = { .b = { 2 } };
	struct net_address here = { .ip = { [7] = 1 }, .port = 1 };
	struct net_address there = { .ip = { [7] = 2 } };

	for (int i = 0; i < 3; i++) {
		here.port++; /* the port does not matter */
		cr_assert_eq(user_table_join(table, &sam, &here, 3), RP_OK);
	}
	cr_assert_eq(user_table_join(table, &sam, &here, 3), RP_ERR_LIMIT);
	cr_assert_eq(user_table_join(table, &sam, &there, 3), RP_OK);
	cr_assert_eq(user_table_join(table, &eve, &here, 3), RP_OK);
	user_table_leave(table, &sam, &here);
	cr_assert_eq(user_table_join(table, &sam, &here, 3), RP_OK);
	user_table_close(table);
}

/* DESIGN section 7: an IPv6 customer has a /64 and is one address. */
Test(user_table, ipv6_counts_by_network_and_ipv4_whole)
{
	struct user_table *table = user_table_open((struct hash_key){ 1, 2 });
	struct userid sam = { .b = { 1 } };
	struct net_address here = { .ip = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	struct net_address next_door = { .ip = { 0x20, 1, 0xd, 0xb8, [8] = 9, [15] = 2 } };
	struct net_address elsewhere = { .ip = { 0x20, 1, 0xd, 0xb8, [7] = 1, [15] = 1 } };
	struct net_address four = { .ip = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 } };
	struct net_address five = { .ip = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 2 } };

	cr_assert_eq(user_table_join(table, &sam, &here, 1), RP_OK);
	cr_assert_eq(user_table_join(table, &sam, &next_door, 1), RP_ERR_LIMIT);
	cr_assert_eq(user_table_join(table, &sam, &elsewhere, 1), RP_OK);
	user_table_leave(table, &sam, &next_door);
	cr_assert_eq(user_table_join(table, &sam, &here, 1), RP_OK);
	cr_assert_eq(user_table_join(table, &sam, &four, 1), RP_OK);
	cr_assert_eq(user_table_join(table, &sam, &five, 1), RP_OK);
	user_table_close(table);
}

Test(user_table, entries_go_with_their_last_connection)
{
	struct user_table *table = user_table_open((struct hash_key){ 1, 2 });
	struct userid sam = { .b = { 1 } };

	for (unsigned i = 0; i < 10000; i++) {
		struct net_address a = { .ip = { (uint8_t)i, (uint8_t)(i >> 8) } };

		cr_assert_eq(user_table_join(table, &sam, &a, 1), RP_OK);
		cr_assert_eq(user_table_join(table, &sam, &a, 1), RP_ERR_LIMIT);
		user_table_leave(table, &sam, &a);
		cr_assert_eq(user_table_join(table, &sam, &a, 1), RP_OK);
	}
	user_table_close(table);
}
