/* peer.h -- the other side of a tls_conn, for tests: certificates, and a client without a socket.
 */
#ifndef RP_TESTS_TLS_PEER_H
#define RP_TESTS_TLS_PEER_H

#include <openssl/ssl.h>

#include "io/rope.h"
#include "tls/tls_conn.h"
#include "tls/tls_ctx.h"

enum { PEER_PEM_BYTES = 4096 };

/* A certificate and its key as PEM. */
struct peer_cert {
	struct bytes chain;
	struct bytes key;
	uint8_t chain_room[PEER_PEM_BYTES];
	uint8_t key_room[PEER_PEM_BYTES];
};

/* names as in X509v3 text: "DNS:a.example,DNS:*.b.example"; NULL: no subjectAltName. Valid from
 * from_s to to_s. rsa: an RSA key instead of P-256. */
void peer_cert_make(
    struct peer_cert *cert, const char *names, int64_t from_s, int64_t to_s, bool rsa);

/* A context with these certificates; fails the test if it cannot be made. */
struct tls_ctx *peer_ctx(const struct peer_cert *certs, size_t count);

/* A client and the server's tls_conn, with what is on its way between them. */
struct peer {
	SSL_CTX *client_ctx;
	SSL *client;
	struct tls_conn *conn;
	struct rope to_client;
	struct bytes plain;            /* what the server has read so far; lies in plain_room */
	enum tls_conn_verdict verdict; /* of the last tls_conn_read */
	size_t cut; /* the server is fed at most so many bytes at a time; 0: all */
	uint8_t plain_room[256 * 1024];
};

struct peer_options {
	uint16_t version_max; /* 0: TLS 1.3 */
	uint16_t version_min;
	const char *server_name;
	SSL_SESSION *session;
	size_t cut;
};

struct peer *peer_open(struct tls_ctx *ctx, struct peer_options options);
void peer_close(struct peer *peer);

/* Move bytes both ways until nothing moves. False: the server's side has failed. */
bool peer_pump(struct peer *peer);

/* Feed raw bytes to the server, in pieces of peer->cut. */
bool peer_feed(struct peer *peer, struct bytes in);

/* Do the handshake; true if both sides say that it is done. */
bool peer_handshake(struct peer *peer);

/* The client reads all there is; returns how much. */
size_t peer_client_read(struct peer *peer, uint8_t *out, size_t room);

/* The session of the last ticket that a client got, for the caller to free; NULL: none. */
SSL_SESSION *peer_take_session(struct peer *peer);

/* The common first DNS name of the certificate that the client was shown, as text; static room. */
const char *peer_shown_name(struct peer *peer);

#endif
