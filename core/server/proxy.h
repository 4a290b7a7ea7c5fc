/* proxy.h -- the PROXY protocol, version 2: who the client behind a proxy is. */
#ifndef RP_CORE_SERVER_PROXY_H
#define RP_CORE_SERVER_PROXY_H

#include "io/base/bytes.h"
#include "io/base/err.h"
#include "io/net.h"

enum { PROXY_BYTES_MAX = 16 + 2048 }; /* header and TLVs; more is nobody's honest proxy */

/* Read the header at the front of in. RP_OK: *used bytes of it; *address is the client's, or unchanged for a LOCAL
 * command (the proxy's own health check). RP_ERR_END: more bytes are needed. RP_ERR_SYNTAX: no such header. */
RP_MUST_USE enum rp_err proxy_parse(struct bytes in, struct net_address *address, size_t *used);

/* "192.0.2.0/24", "2001:db8::/32", "192.0.2.1": is the address in it? False also for what cannot be read. */
bool proxy_network_has(const char *network, const struct net_address *address);

/* Can it be read as a network? */
bool proxy_network_valid(const char *network);

#endif
