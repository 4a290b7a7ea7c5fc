/* net.h -- stream sockets on the ring: accept, receive, send, and moving to another shard.
 *
 * Nothing here needs a task: an idle connection has none. Each net has at most one receive and one send
 * in flight; done functions run on the loop's thread, outside any task. Sockets are direct descriptors.
 */
#ifndef RP_IO_NET_H
#define RP_IO_NET_H

#include "io/loop.h"

struct net;
struct task;
struct net_listener;

/* An IP address (IPv4 as ::ffff:a.b.c.d), or none for a unix socket. */
struct net_address {
	uint8_t ip[16];
	uint16_t port;
	bool is_unix;
};

/* "192.0.2.1", "2001:db8::1", "unix"; NUL-terminated; size at least 48. */
void net_address_format(const struct net_address *address, char *text, size_t size);

/* What counts as one address: an IPv4 address whole, IPv6 by /64, which is what one customer has (the rest is zeroed). */
void net_address_scope(const struct net_address *address, uint8_t ip[16]);

/* A connection came in: net is the callee's, who closes it. */
typedef void net_accept_fn(void *arg, struct net *net);

/* Accept on a listening descriptor (a plain one, borrowed, as every shard has it) until net_listener_close().
 * When descriptors run out accepting pauses and is tried again; nothing spins.
 * RP_ERR_CANNOT: a simulated machine has no listeners (sim_net_pair() makes connections there). */
RP_MUST_USE enum rp_err net_listen(
    struct loop *loop, int fd, net_accept_fn *fn, void *arg, struct net_listener **out);
void net_listener_close(struct net_listener *listener);

/* Connect to an address over TCP, without delay of small segments. Only clients do: a restricted loop
 * (loop_settings) refuses it as RP_ERR_DENIED. Else errors as the machine has them; RP_ERR_CANNOT: a simulated
 * machine, or no IP address. */
RP_MUST_USE enum rp_err net_connect(
    struct task *task, const struct net_address *address, struct net **out);

/* The peer, as accepted. */
const struct net_address *net_peer(const struct net *net);

/* The bytes lie in a provided buffer that is lent to the callee until it returns; it copies what it must keep.
 * .n == 0 with RP_OK: end of input. */
typedef void net_recv_fn(void *arg, enum rp_err err, struct bytes in);

/* Take one buffer's worth when it comes. Once per call: arm again when those bytes are dealt with. */
void net_recv(struct net *net, net_recv_fn *fn, void *arg);

/* Ask an armed receive to stop; fn is called, with bytes that were already taken or RP_ERR_CANCELED. */
void net_recv_cancel(struct net *net);
bool net_recv_armed(const struct net *net);

/* All n bytes were taken by the kernel, or err says why not. */
typedef void net_sent_fn(void *arg, enum rp_err err);

/* Send all of these bytes, which stay put until fn is called. One send in flight. */
void net_send(struct net *net, struct bytes out, net_sent_fn *fn, void *arg);
bool net_send_armed(const struct net *net);

/* Nothing more will be sent: the peer sees end of input. */
void net_shutdown(struct net *net);

/* Close, now if nothing is in flight, else as soon as the kernel has let go (operations are cancelled; their done
 * functions are NOT called any more). `closed` (may be NULL) is called when no memory of the caller is in use any
 * more: from the loop, outside any task, never inside this call. So what is freed there is good for whoever is on the
 * stack when it is closed. */
void net_close(struct net *net, void (*closed)(void *arg), void *arg);

/* Move to another shard: nothing may be in flight. On that shard fn(world, net, arg) is called outside any task,
 * with the net as its own. On failure (no descriptor free there) fn gets net == NULL and the connection is closed.
 * The old net is gone with the call. */
typedef void net_moved_fn(void *world, struct net *net, void *arg);
void net_move(struct net *net, unsigned shard, net_moved_fn *fn, void *arg);

/* A plain descriptor taken in (a socket pair to the auth process, a control connection); the loop owns it now. */
RP_MUST_USE enum rp_err net_adopt(struct loop *loop, int fd, struct net **out);

#endif
