/* A PROXY header of any bytes, whole and byte by byte; and what a config says of a network. */
#include "core/server/proxy.h"
#include "tests/fuzz/fuzz.h"

static void try_network(struct bytes in, const struct net_address *address)
{
	char text[128];
	size_t n = in.n < sizeof(text) - 1 ? in.n : sizeof(text) - 1;

	if (n > 0)
		memcpy(text, in.p, n);
	text[n] = '\0';
	RP_ASSERT(!proxy_network_has(text, address) || proxy_network_valid(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct net_address address = { .port = 5, .is_unix = true };
	struct net_address same = address;
	struct bytes in = bytes_of(p, n);
	size_t used = 0;
	enum rp_err err = proxy_parse(in, &address, &used);

	RP_ASSERT(err == RP_OK || err == RP_ERR_END || err == RP_ERR_SYNTAX);
	RP_ASSERT(err == RP_OK || memcmp(&address, &same, sizeof(same)) == 0);
	RP_ASSERT(err != RP_OK || (used >= 16 && used <= n && used <= PROXY_BYTES_MAX));
	for (size_t cut = 0; err == RP_OK && cut < used; cut++) {
		size_t early = 0;

		RP_ASSERT(proxy_parse(bytes_slice(in, 0, cut), &same, &early) == RP_ERR_END);
	}
	address.is_unix = false;
	try_network(in, &address);
	return 0;
}
