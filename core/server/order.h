/* order.h -- what the server's main thread and its shards say to each other, over a socket pair each. */
#ifndef RP_CORE_SERVER_ORDER_H
#define RP_CORE_SERVER_ORDER_H

#include <stdint.h>

#include "core/server/config.h"

struct tls_ctx;

enum order_kind {
	/* to a shard */
	ORDER_CLAIM = 1, /* the store's lock and epoch (one shard, before all others); answered by CLAIMED or FAILED */
	ORDER_OPEN,      /* its part of the store, of epoch `number`: READY or FAILED */
	ORDER_LISTEN,    /* accept connections, from now on: LISTENING or FAILED */
	ORDER_RECOVER,   /* put what earlier runs left in the logs to its place: RECOVERED, when done */
	ORDER_VOID,      /* all have: what is left belongs to nobody (one shard): VOIDED */
	ORDER_REUSE,     /* log files may be used again */
	ORDER_AUTH,      /* `number` is a new descriptor to the auth process */
	ORDER_RELOAD,    /* `pointer`: a struct order_reload, malloc'ed, the shard's */
	ORDER_STOP,      /* end in order: STOPPED */
	/* from a shard */
	ORDER_CLAIMED,   /* number: the epoch */
	ORDER_READY,
	ORDER_LISTENING,
	ORDER_RECOVERED,
	ORDER_VOIDED,
	ORDER_FAILED, /* pointer: why, static text or text that lives on */
	ORDER_STOPPED,
};

/* New settings. */
struct order_reload {
	struct tls_ctx *tls;  /* a count of it is the shard's; NULL: no certificate */
	struct config config; /* for reload_take(): what it points to is gone */
};

struct order {
	uint64_t kind;
	uint64_t number;
	const void *pointer;
};

#endif
