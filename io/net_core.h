/* net_core.h -- a connection from the inside.
 */
#ifndef RP_IO_NET_CORE_H
#define RP_IO_NET_CORE_H

#include "io/net.h"
#include "io/op.h"
#include "io/shard_call.h"
#include "io/timer.h"

/* A move under way; the other shard reads it, and writes `arrived`. */
struct net_moving {
	struct shard_message message;
	net_moved_fn *fn;
	void *arg;
	unsigned to;
	int fd;      /* over there; below 0: no descriptor was free */
	bool copied; /* into the other shard's table: this one's is closed in any case */
	bool arrived;
};

struct net {
	struct loop *loop;
	int fd;
	bool fixed;      /* a direct descriptor; else a plain one */
	bool closing;    /* done functions are not called any more */
	bool shut;       /* a shutdown is in flight, or wanted as soon as the send is done */
	bool recv_waits; /* for a provided buffer to be free: the timer tries again */
	bool recv_canceled;
	struct net_address peer;
	struct op recv;
	struct op send;
	struct op control; /* shutdown, then close */
	struct timer retry;
	net_recv_fn *recv_fn;
	void *recv_arg;
	net_sent_fn *sent_fn;
	void *sent_arg;
	struct bytes unsent;
	union {
		struct {
			void (*closed_fn)(void *arg);
			void *closed_arg;
		};
		struct net_moving moving;
	};
};

/* ::ffff:a.b.c.d */
bool net_address_is_v4(const struct net_address *address);

/* A net on a descriptor that the loop owns from now on. NULL: over the bound, or no memory. */
struct net *net_make(struct loop *loop, int fd, bool fixed);

#endif
