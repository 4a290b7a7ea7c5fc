#include <criterion/criterion.h>

#include "core/server/user_table.h"

Test(user_table, a_user_has_so_many_connections_from_an_address)
{
	struct user_table *table = user_table_open((struct hash_key){ 1, 2 });
	struct userid sam = { .b = { 1 } };
	struct userid eve = { .b = { 2 } };
	struct net_address here = { .ip = { [15] = 1 }, .port = 1 };
	struct net_address there = { .ip = { [15] = 2 } };

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
