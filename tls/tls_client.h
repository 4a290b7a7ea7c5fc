/* tls_client.h -- the client's side of TLS connections: what a load tool needs, and no server.
 *
 * The connection itself is a tls_conn; its first tls_conn_read(), with nothing to read, makes the client's hello. Whom
 * it talks to is NOT verified: this is for a tool that measures a server of its own.
 */
#ifndef RP_TLS_TLS_CLIENT_H
#define RP_TLS_TLS_CLIENT_H

#include "tls/tls_conn.h"

struct tls_client;
struct ssl_session_st;

/* A place for the newest ticket of one server, for the next connection to it. Zero: none yet. It outlives the
 * connections that were given it, and is used on one thread at a time. */
struct tls_client_session {
	struct ssl_session_st *ssl;
};

/* What all connections have in common: TLS 1.2 and 1.3, any certificate. NULL: no memory. Any thread may open connections. */
RP_MUST_USE struct tls_client *tls_client_open(void);

/* NULL is fine; connections may outlive it. */
void tls_client_close(struct tls_client *client);

/* A new connection to a server of that name (NULL: none is told).
 *
 * session   NULL: a full handshake. Else the ticket there is offered, if there is one, and those that come are kept there
 *
 * NULL: no memory. */
RP_MUST_USE struct tls_conn *tls_client_connect(
    struct tls_client *client, const char *server_name, struct tls_client_session *session);

/* Forget the ticket. */
void tls_client_session_fini(struct tls_client_session *session);

#endif
