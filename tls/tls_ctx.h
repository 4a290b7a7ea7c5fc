/* tls_ctx.h -- what all TLS connections of the server have in common: certificates, keys, rules.
 *
 * TLS 1.2 and 1.3, forward secret AEAD ciphers only, no renegotiation, no compression, no 0-RTT.
 * A context never changes once connections use it. To reload certificates, open a new one and let
 * go of the old: each connection holds a count on its own, and the last one to go takes it along.
 * The count is BoringSSL's, so a connection may end on another thread than it began on.
 */
#ifndef RP_TLS_TLS_CTX_H
#define RP_TLS_TLS_CTX_H

#include "io/base/bytes.h"
#include "io/base/err.h"

struct ssl_ctx_st;
struct tls_ctx;
struct tls_ticket_keys;

enum {
	TLS_CTX_TEXT_BYTES = 256, /* one line about what is wrong, NUL included */
	TLS_CTX_CERTS_MAX =
	    4096, /* one each for a provider's customers' domains; bounds a bad glob */
	TLS_CTX_CHAIN_MAX =
	    10, /* certificates in one chain; each is sent in every full handshake */
	TLS_CTX_PEM_BYTES_MAX = 256 * 1024, /* one file; a wrong path must not cost gigabytes */
};

struct tls_ctx_cert {
	const char *name;       /* what errors call it: the file's path */
	struct bytes chain_pem; /* the server's certificate first, then its issuers */
	struct bytes key_pem;   /* its private key, not encrypted */
};

/* A context that has all these certificates; the first is shown to clients that name no server, or
 * an unknown one. Which names a certificate is for says its subjectAltName; the first with a name
 * wins.
 *
 * certs    borrowed for the call
 * now_s    wall time, to warn of certificates that have expired or are not valid yet
 * text     on failure: what is wrong and where, one line for the log. On RP_OK: empty, or a warning
 *
 * RP_ERR_SYNTAX: not a certificate or key. RP_ERR_CANNOT: they do not belong together.
 * RP_ERR_LIMIT: too many, too long. RP_ERR_NOMEM. */
RP_MUST_USE enum rp_err tls_ctx_open(const struct tls_ctx_cert *certs, size_t certs_count,
    uint64_t now_s, struct tls_ctx **out, char text[TLS_CTX_TEXT_BYTES]);

/* Let go. NULL is fine. Any thread. */
void tls_ctx_close(struct tls_ctx *ctx);

/* Make and take session tickets under these keys, which must outlive the context and all that hold
 * it: they lie in shared memory, mapped for as long as the process lives. Call before the first
 * connection. Without, no ticket is ever made. */
void tls_ctx_set_ticket_keys(struct tls_ctx *ctx, const struct tls_ticket_keys *keys);

/* How many certificates there are, and until when the n-th is valid (seconds since 1970). */
size_t tls_ctx_certs_count(const struct tls_ctx *ctx);
uint64_t tls_ctx_expires_s(const struct tls_ctx *ctx, size_t cert);

/* Which certificate this server name gets: case-blind, one trailing dot ignored, `*.example.org`
 * for one level. Unknown: 0. */
size_t tls_ctx_find(const struct tls_ctx *ctx, struct bytes server_name);

/* For tls_conn. */
struct ssl_ctx_st *tls_ctx_ssl(const struct tls_ctx *ctx);

#endif
