/* conn.h -- one client's connection: socket, TLS, and the two streams of plain bytes between them and a driver.
 *
 *   OPEN ----conn_end()----> ENDING ----all sent----> LINGERING ----peer's end, or a second--> (gone)
 *     |                         |                                                            ^
 *     +-------------------------+------------ reset, time over, conn_drop() -----------------+
 *
 * OPEN: bytes come in and go out. ENDING: nothing more is read for the driver; what is in the rope is sent, as far as the
 * gate lets it. LINGERING: close_notify is sent, and, unless the peer closes first, end of output; what still comes is
 * thrown away, so that the last answer is not lost by a reset.
 *
 * Any function here may end the connection: without memory, with a record that cannot be sealed, at a limit. Ended is not
 * freed: that happens when its task has ended and the kernel has let go, from the loop, never below a caller. So whoever
 * has a connection may go on with it after any call, till he suspends or returns to the loop; one that is CLOSING does
 * nothing any more, whatever it is asked, and stands in shard->conns until it is freed: a walk over these may end any.
 *
 * The driver (drive.h, lmtp_drive.h) has no socket: it looks at conn_input(), takes from its front, writes into conn->out.
 * It runs in the connection's one task, which exists only while there is something to do.
 */
#ifndef RP_CORE_SERVER_CONN_H
#define RP_CORE_SERVER_CONN_H

#include "core/server/shard.h"
#include "io/net.h"
#include "io/rope.h"
#include "io/task.h"
#include "io/timer.h"

struct admission;
struct conn;
struct tls_conn;

enum {
	CONN_OUT_BYTES_HIGH_GUEST = 4 * 1024, /* unsent output beyond which a driver waits (conn_flush): before login */
	CONN_OUT_BYTES_HIGH = 64 * 1024,      /* after */
	CONN_OUT_BYTES_MAX = 1024 * 1024, /* a client that has this much unsent is asked for no more input */
	CONN_WIRE_BYTES_MAX = 64 * 1024, /* sealed and not yet taken by the kernel */
	CONN_IN_BYTES_GUEST = 8 * 1024, /* unread input before login, beyond which a command must ask for more */
	CONN_IN_BYTES_USER = 68 * 1024, /* after */
};

enum conn_state {
	CONN_OPEN,
	CONN_ENDING,
	CONN_LINGERING,
	CONN_CLOSING, /* only waits for its task and the kernel */
};

/* What a protocol does with a connection; one static object each. */
struct conn_driver {
	const char *name;
	/* Work off the input that is there; in the connection's task. Returns when it needs more input to go on. */
	void (*run)(struct task *task, struct conn *conn);
	/* The greeting: outside any task, when the connection is ready to be written (after an implicit handshake). */
	void (*greet)(struct conn *conn);
	/* A deadline of the protocol's may have come. Returns how long until the next, in ns. */
	uint64_t (*tick)(struct conn *conn, uint64_t now_ns);
	/* The server ends, or the connection's shard cannot go on: say so and end, after the command that is under way. */
	void (*stop)(struct conn *conn);
	/* There are too many from its address: say so and end. Perhaps instead of a greeting, never after a login. NULL: it comes
	 * by unix sockets only, which are not counted. */
	void (*refuse)(struct conn *conn);
	/* There is no such user any more, or it is somebody else (userid != NULL): if it is his, say so and end, after the command
	 * that is under way. NULL: it is nobody's. */
	void (*user_gone)(struct conn *conn, struct bytes name, const struct userid *userid);
	/* Give back what conn->protocol_state holds. */
	void (*fini)(struct conn *conn);
};

struct conn {
	struct list link;    /* in shard->conns, till it is freed or moves on */
	struct list gated;   /* in shard->gated, or by itself */
	struct list waiting; /* in shard->waiting, or by itself */
	struct shard *shard;
	struct net *net; /* NULL: CLOSING, or on the way to another shard */
	const struct conn_driver *driver;
	void *protocol_state;   /* the driver's; freed with the connection */
	struct tls_conn *tls;   /* NULL: plain */
	struct net_address peer; /* the client: as accepted, or as a trusted proxy says */
	const struct config_listen *listen;

	enum conn_state state;
	bool proxy_awaited; /* a PROXY header comes first, from a trusted network */
	bool greeted;
	bool in_ended; /* the peer's end of input */
	bool out_done;  /* LINGERING: all is sent */
	bool out_ended; /* LINGERING: end of output has been said */
	bool out_dead; /* TLS has failed: nothing of `out` can be sealed any more */
	bool dropped;  /* reset or over a limit: what is in the rope goes nowhere */
	bool counted;  /* in the address's books as not logged in */
	bool news;     /* something has changed that the client may hear of (IDLE) */
	bool curt;     /* it gets its last line, and no second to take it: many of these must cost little */
	bool moving;   /* being handed over: nothing is armed again */

	uint8_t *in; /* plain bytes that came and were not taken: in[in_from, in_to) */
	size_t in_from;
	size_t in_to;
	size_t in_room;
	size_t in_bytes_max;   /* with so much unread nothing more is received; what was under way, a TLS record, comes on top */
	size_t out_bytes_high; /* with more than this unsent nothing more is worked off */
	bool in_lent;          /* the task looks at it */
	struct conn_old_input *in_old; /* what `in` was while the task looked at it */

	struct rope out;  /* plain bytes to send, with their gates */
	struct rope wire; /* ciphertext, and what was said in the clear before STARTTLS: may leave at once */
	size_t sending_bytes; /* of the first span, in flight */
	bool sending_wire;

	struct task *task;
	struct task_queue input_queue;   /* the task waits for input */
	struct task_queue drained_queue; /* the task waits for output to be sent */

	struct admission *admission; /* asked whether it may stay; NULL: not, or answered */

	struct timer timer;
	uint64_t accepted_ns;
	uint64_t hello_from_ns; /* the handshake's time began: with the connection, or with STARTTLS */
	uint64_t heard_ns;    /* when the client last said something */
	uint64_t progress_ns; /* when it last took some output */
};

/* A new connection. Owns net and protocol_state (whose first member is a struct conn *, set here) from here on. On
 * RP_ERR_LIMIT net is closed, protocol_state still the caller's. */
RP_MUST_USE enum rp_err conn_open(struct shard *shard, struct net *net, const struct config_listen *listen,
    const struct conn_driver *driver, void *protocol_state, struct conn **out);

/* Begin (after conn_open and what else the acceptor does): receive, shake hands, greet. */
void conn_begin(struct conn *conn);

/* The input that is there; for the connection's task good until its next conn_take() or conn_wait_input(), whatever comes
 * meanwhile. */
struct bytes conn_input(struct conn *conn);
void conn_take(struct conn *conn, size_t n);

/* Wait until there is more input than `had`, beyond in_bytes_max if need be. RP_ERR_END: no more comes. RP_ERR_CANCELED. */
RP_MUST_USE enum rp_err conn_wait_input(struct task *task, struct conn *conn, size_t had);

/* Wait until unsent output is at most bytes_max. RP_ERR_CANCELED: the client has gone. */
RP_MUST_USE enum rp_err conn_flush(struct task *task, struct conn *conn, size_t bytes_max);

/* Send what may be sent. Called after writing into conn->out outside of conn_flush(). */
void conn_pump(struct conn *conn);

/* Start the driver's task if there is none; later, when the shard has one free. */
void conn_run(struct conn *conn);

/* Send what is in the rope, then end. */
void conn_end(struct conn *conn);

/* End now; its task, if any, is cancelled. */
void conn_drop(struct conn *conn, const char *reason);

/* STARTTLS: what was received is dropped, what was said leaves in the clear, all that comes from here on is the handshake's.
 * In the connection's task, which must not have suspended since it said OK: the client's hello may follow that at once.
 * False: no certificate, or no memory; the connection is to end without a word, as the client reads none but TLS now. */
RP_MUST_USE bool conn_start_tls(struct conn *conn);

/* The log has failed: what it was to make durable is never said; BYE. */
void conn_log_failed(struct conn *conn);

/* handoff: let go of the shard (nothing armed, no task, output drained), and be taken in by another. */
RP_MUST_USE enum rp_err conn_quiesce(struct task *task, struct conn *conn);
void conn_detach(struct conn *conn);
void conn_attach(struct conn *conn, struct shard *shard, struct net *net);

/* Set the timer anew after deadlines have changed. */
void conn_tick_soon(struct conn *conn, uint64_t ns);

/* It has logged in, or is going: it no longer counts as a stranger of its address. */
void conn_uncount(struct conn *conn);

/* Its socket was lost on the way to this shard: forget it. */
void conn_lost(struct conn *conn);

/* The peer's address as text, for logs; static buffer of the caller, 48 bytes. */
struct bytes conn_peer_text(const struct conn *conn, char text[48]);

#endif
