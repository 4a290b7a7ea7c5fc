#include <criterion/criterion.h>

#include "core/server/proxy.h"

static const uint8_t v4[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0, 12,
	192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0x03, 0xe1 };

Test(proxy, a_header_names_the_client)
{
	struct net_address address = { .port = 1 };
	size_t used = 0;
	char text[48];

	cr_assert_eq(proxy_parse(bytes_of(v4, sizeof(v4)), &address, &used), RP_OK);
	cr_assert_eq(used, sizeof(v4));
	cr_assert_eq(address.port, 12345);
	net_address_format(&address, text, sizeof(text));
	cr_assert_str_eq(text, "192.0.2.7");
}

Test(proxy, any_cut_asks_for_more)
{
	struct net_address address = { .port = 1 };
	size_t used = 0;

	for (size_t n = 0; n < sizeof(v4); n++)
		cr_assert_eq(proxy_parse(bytes_of(v4, n), &address, &used), RP_ERR_END);
	cr_assert_eq(address.port, 1);
}

Test(proxy, what_is_no_header_is_refused)
{
	struct net_address address = { .port = 1 };
	size_t used = 0;
	uint8_t bad[sizeof(v4)];

	cr_assert_eq(proxy_parse(BYTES_LIT("a1 NOOP\r\n"), &address, &used), RP_ERR_SYNTAX);
	memcpy(bad, v4, sizeof(v4));
	bad[12] = 0x22; /* an unknown command */
	cr_assert_eq(proxy_parse(bytes_of(bad, sizeof(bad)), &address, &used), RP_ERR_SYNTAX);
	memcpy(bad, v4, sizeof(v4));
	bad[15] = 4; /* too short for its family */
	cr_assert_eq(proxy_parse(bytes_of(bad, sizeof(bad)), &address, &used), RP_ERR_SYNTAX);
	memcpy(bad, v4, sizeof(v4));
	bad[14] = 0xff; /* over our bound */
	cr_assert_eq(proxy_parse(bytes_of(bad, sizeof(bad)), &address, &used), RP_ERR_SYNTAX);
}

Test(proxy, the_proxys_own_check_changes_nothing)
{
	struct net_address address = { .port = 7 };
	size_t used = 0;
	uint8_t local[16];

	memcpy(local, v4, 16);
	local[12] = 0x20;
	local[15] = 0;
	cr_assert_eq(proxy_parse(bytes_of(local, 16), &address, &used), RP_OK);
	cr_assert_eq(used, 16);
	cr_assert_eq(address.port, 7);
}

Test(proxy, networks_have_the_addresses_that_they_have)
{
	struct net_address a = { .ip = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 7 } };
	struct net_address six = { .ip = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };

	cr_assert(proxy_network_has("192.0.2.0/24", &a));
	cr_assert(proxy_network_has("192.0.2.7", &a));
	cr_assert(proxy_network_has("0.0.0.0/0", &a));
	cr_assert_not(proxy_network_has("192.0.2.6", &a));
	cr_assert_not(proxy_network_has("192.0.2.8/29", &a));
	cr_assert(proxy_network_has("2001:db8::/32", &six));
	cr_assert_not(proxy_network_has("2001:db9::/32", &six));
	cr_assert_not(proxy_network_has("0.0.0.0/0", &six));
	cr_assert(proxy_network_valid("::1"));
	cr_assert_not(proxy_network_valid("192.0.2.0/33"));
	cr_assert_not(proxy_network_valid("::/129"));
	cr_assert_not(proxy_network_valid("x"));
	six.is_unix = true;
	cr_assert_not(proxy_network_has("::/0", &six));
}
