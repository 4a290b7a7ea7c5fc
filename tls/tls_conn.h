/* tls_conn.h -- one TLS connection as a machine of bytes: ciphertext on one side, plaintext on the
 * other.
 *
 *                 tls_conn_read                     the peer's bytes, as they come from the socket
 *      socket ----------------------> plaintext     -> what it says; our handshake goes into `send`
 *             <----------------------
 *                 tls_conn_seal, _write             what we say -> records in `send`
 *
 * No socket, no timer, no thread: each call works on the bytes it is given and returns. The states,
 * and what is true in each:
 *
 *      HANDSHAKE --> OPEN --> (peer's close_notify) --> CLOSED     nothing more comes in; we may
 * still write |          |                                   |
 *          +----------+------------------> FAILED <-------+        an alert is in `send`; nothing
 * goes on
 *
 * Between calls an idle connection has neither input nor output buffers. A connection may be handed
 * to another thread between calls.
 */
#ifndef RP_TLS_TLS_CONN_H
#define RP_TLS_TLS_CONN_H

#include "io/base/bytes.h"
#include "io/base/err.h"

struct rope;
struct tls_conn;
struct tls_ctx;

enum {
	TLS_CONN_RECORD_BYTES = 16 * 1024, /* the most plaintext that one record has */
	TLS_CONN_HANDSHAKE_BYTES_MAX =
	    64 * 1024, /* input until the handshake is done: ours need 2 KiB */
};

enum tls_conn_verdict {
	TLS_CONN_MORE,   /* all input is used up, all plaintext is out: come back with more */
	TLS_CONN_FULL,   /* `out` is full: call again with what is left of `in`, even if that is
	                    nothing */
	TLS_CONN_CLOSED, /* the peer has said close_notify: nothing more comes, the rest is ignored
	                  */
	TLS_CONN_FAILED, /* broken; send what is in `send` (the alert), then close.
	                    tls_conn_reason() tells */
};

struct tls_conn_facts {
	const char *protocol; /* "TLSv1.3"; static text */
	const char *cipher;   /* "TLS_AES_128_GCM_SHA256"; static text */
	struct bytes
	    server_name; /* as the client sent it, .n == 0: not at all; good until tls_conn_close */
	bool resumed;    /* by a ticket */
};

/* The server's side of a new connection. Holds a count on ctx. NULL: no memory. */
RP_MUST_USE struct tls_conn *tls_conn_open(struct tls_ctx *ctx);

/* For tls_client: the machine around `ssl`, which is its own from now on, also where it fails (NULL: no memory). */
struct ssl_st;
RP_MUST_USE struct tls_conn *tls_conn_of(struct ssl_st *ssl);

/* Gives all memory back; says nothing to the peer. NULL is fine. */
void tls_conn_close(struct tls_conn *conn);

/* Take in ciphertext.
 *
 * in        the bytes from the socket; what was used is cut off its front. Borrowed for the call
 * out       gets plaintext, at most out_room (at least 1), *out_n says how much; bytes that came
 * before the connection closed or failed are there with that verdict send      what must go to the
 * peer (handshake, tickets, alerts) is put at its end
 *
 * Also carries the handshake on; bytes of the peer's first command may come out with its last step.
 */
RP_MUST_USE enum tls_conn_verdict tls_conn_read(struct tls_conn *conn, struct bytes *in,
    uint8_t *out, size_t out_room, size_t *out_n, struct rope *send);

/* Is the handshake done? Writing is allowed from then on. */
bool tls_conn_is_open(const struct tls_conn *conn);

/* Put plain into records at the end of `send`. RP_ERR_END: the connection has failed.
 * RP_ERR_NOMEM: `send` has; the connection has then failed too. */
RP_MUST_USE enum rp_err tls_conn_write(
    struct tls_conn *conn, struct bytes plain, struct rope *send);

/* Make one record of the oldest bytes of `plain` that may leave when the log is durable up to
 * `durable`, and consume them. Small spans are gathered, so a record is full when there is enough.
 *
 * scratch   TLS_CONN_RECORD_BYTES to gather in: the shard's, so that no connection has its own
 * *n        bytes of plaintext that are now in `send`; 0: nothing may leave
 *
 * Errors as tls_conn_write(). */
RP_MUST_USE enum rp_err tls_conn_seal(struct tls_conn *conn, struct rope *plain, uint64_t durable,
    uint8_t *scratch, struct rope *send, size_t *n);

/* Say close_notify; nothing can be written afterwards. Does nothing before the handshake is done,
 * after a failure, or the second time. */
void tls_conn_shutdown(struct tls_conn *conn, struct rope *send);

/* Has the peer said close_notify? The end of input without it is a cut connection, perhaps by an
 * attacker. */
bool tls_conn_peer_closed(const struct tls_conn *conn);

/* Why it failed; static text, never NULL; "" while it has not. */
const char *tls_conn_reason(const struct tls_conn *conn);

/* Only when the handshake is done. */
struct tls_conn_facts tls_conn_facts(const struct tls_conn *conn);

#endif
