#include "core/server/proxy.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* The layout is in the protocol's specification, section 2.2: signature, version and command, family, length. */
enum {
	PROXY_HEADER_BYTES = 16,
	PROXY_IPV4_BYTES = 12, /* two addresses, two ports */
	PROXY_IPV6_BYTES = 36,
	PROXY_COMMAND_LOCAL = 0x20,
	PROXY_COMMAND_PROXY = 0x21,
	PROXY_TCP4 = 0x11,
	PROXY_TCP6 = 0x21,
};

static const uint8_t signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

static void set_ipv4(struct net_address *address, const uint8_t *ip)
{
	memset(address->ip, 0, 10);
	address->ip[10] = address->ip[11] = 0xff;
	memcpy(address->ip + 12, ip, 4);
}

static uint16_t big_endian_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

enum rp_err proxy_parse(struct bytes in, struct net_address *address, size_t *used)
{
	size_t known = in.n < sizeof(signature) ? in.n : sizeof(signature);

	if (known > 0 && memcmp(in.p, signature, known) != 0)
		return RP_ERR_SYNTAX;
	if (in.n < PROXY_HEADER_BYTES)
		return RP_ERR_END;
	uint8_t command = in.p[12];
	uint8_t family = in.p[13];
	size_t n = big_endian_u16(in.p + 14);

	if (PROXY_HEADER_BYTES + n > PROXY_BYTES_MAX)
		return RP_ERR_SYNTAX;
	if (command != PROXY_COMMAND_LOCAL && command != PROXY_COMMAND_PROXY)
		return RP_ERR_SYNTAX;
	if (in.n < PROXY_HEADER_BYTES + n)
		return RP_ERR_END;
	const uint8_t *p = in.p + PROXY_HEADER_BYTES;

	*used = PROXY_HEADER_BYTES + n;
	if (command == PROXY_COMMAND_LOCAL)
		return RP_OK;
	if (family == PROXY_TCP4 && n >= PROXY_IPV4_BYTES) {
		set_ipv4(address, p);
		address->port = big_endian_u16(p + 8);
		address->is_unix = false;
	} else if (family == PROXY_TCP6 && n >= PROXY_IPV6_BYTES) {
		memcpy(address->ip, p, 16);
		address->port = big_endian_u16(p + 32);
		address->is_unix = false;
	} else {
		return RP_ERR_SYNTAX;
	}
	return RP_OK;
}

/* The network's address in 16 bytes and how many of its bits count. */
static bool parse_network(const char *network, uint8_t ip[16], unsigned *bits)
{
	char text[64];
	const char *slash = strchr(network, '/');
	size_t n = slash != NULL ? (size_t)(slash - network) : strlen(network);
	struct net_address v4;
	uint64_t given = 128;

	if (n >= sizeof(text))
		return false;
	memcpy(text, network, n);
	text[n] = '\0';
	if (slash != NULL && !bytes_to_u64(bytes_of_str(slash + 1), 128, &given))
		return false;
	if (inet_pton(AF_INET6, text, ip) == 1) {
		*bits = (unsigned)given;
		return true;
	}
	if (inet_pton(AF_INET, text, ip) != 1 || (slash != NULL && given > 32))
		return false;
	set_ipv4(&v4, ip);
	memcpy(ip, v4.ip, 16);
	*bits = slash != NULL ? (unsigned)given + 96 : 128;
	return true;
}

bool proxy_network_valid(const char *network)
{
	uint8_t ip[16];
	unsigned bits;

	return parse_network(network, ip, &bits);
}

bool proxy_network_has(const char *network, const struct net_address *address)
{
	uint8_t ip[16];
	unsigned bits;

	if (address->is_unix || !parse_network(network, ip, &bits))
		return false;
	for (unsigned i = 0; i < 16 && bits > 0; i++) {
		unsigned here = bits < 8 ? bits : 8;
		uint8_t mask = (uint8_t)(0xff << (8 - here));

		if ((ip[i] & mask) != (address->ip[i] & mask))
			return false;
		bits -= here;
	}
	return true;
}
