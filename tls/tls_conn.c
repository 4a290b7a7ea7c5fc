#include "tls/tls_conn.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "io/base/num.h"
#include "io/rope.h"
#include "tls/tls_ctx.h"

enum {
	CONTIGUOUS_BYTES_MIN = 4096
}; /* from here on one span of its own is better than filling gaps */

enum state {
	HANDSHAKE,
	OPEN,
	CLOSED,
	FAILED,
};

struct tls_conn {
	SSL *ssl;
	const char *reason;
	struct bytes in;   /* only during a call: the caller's, what is left of it */
	struct rope *send; /* only during a call: the caller's */
	uint32_t handshake_bytes;
	enum state state;
	bool shut; /* we have said close_notify */
};

/* ---- the two ends of the wire, as BoringSSL sees them ---- */

static int bio_read(BIO *bio, char *out, int n)
{
	struct tls_conn *conn = BIO_get_data(bio);
	size_t take = num_min(conn->in.n, (size_t)n);

	BIO_clear_retry_flags(bio);
	if (conn->state == HANDSHAKE)
		take = num_min(take, TLS_CONN_HANDSHAKE_BYTES_MAX - conn->handshake_bytes);
	if (take == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	if (conn->state == HANDSHAKE)
		conn->handshake_bytes += (uint32_t)take;
	memcpy(out, conn->in.p, take);
	conn->in = bytes_from(conn->in, take);
	return (int)take;
}

static int bio_write(BIO *bio, const char *p, int n)
{
	struct tls_conn *conn = BIO_get_data(bio);
	uint8_t *room = NULL;

	BIO_clear_retry_flags(bio);
	if (conn->send == NULL || n <= 0)
		return -1;
	if (n >= CONTIGUOUS_BYTES_MIN && n <= TLS_CONN_RECORD_BYTES + 1024)
		room = rope_reserve(conn->send, (size_t)n);
	if (room != NULL) {
		memcpy(room, p, (size_t)n);
		rope_advance(conn->send, (size_t)n);
	} else {
		rope_put(conn->send, bytes_of(p, (size_t)n));
	}
	return conn->send->failed ? -1 : n;
}

static long bio_ctrl(BIO *bio, int command, long arg, void *ptr)
{
	(void)bio, (void)arg, (void)ptr;
	return command == BIO_CTRL_FLUSH;
}

static const BIO_METHOD bio_method = {
    .type = BIO_TYPE_SOURCE_SINK,
    .name = "rope",
    .bwrite = bio_write,
    .bread = bio_read,
    .ctrl = bio_ctrl,
};

/* ---- open and close ---- */

struct tls_conn *tls_conn_of(SSL *ssl)
{
	struct tls_conn *conn = calloc(1, sizeof(*conn));
	BIO *bio = ssl != NULL && conn != NULL ? BIO_new(&bio_method) : NULL;

	if (bio == NULL) {
		ERR_clear_error();
		SSL_free(ssl);
		free(conn);
		return NULL;
	}
	conn->reason = "";
	conn->ssl = ssl;
	BIO_set_data(bio, conn);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	/* What only the handshake needs goes with it. */
	SSL_set_shed_handshake_config(ssl, 1);
	return conn;
}

struct tls_conn *tls_conn_open(struct tls_ctx *ctx)
{
	struct tls_conn *conn = tls_conn_of(SSL_new(tls_ctx_ssl(ctx)));

	if (conn != NULL)
		SSL_set_accept_state(conn->ssl);
	return conn;
}

void tls_conn_close(struct tls_conn *conn)
{
	if (conn == NULL)
		return;
	SSL_free(conn->ssl);
	free(conn);
}

/* ---- reading ---- */

static enum tls_conn_verdict fail(struct tls_conn *conn, const char *reason)
{
	const char *told = ERR_reason_error_string(ERR_peek_error());

	if (reason == NULL)
		reason = conn->send->failed ? "out of memory"
		         : told != NULL     ? told
		                            : "protocol error";
	conn->reason = reason;
	conn->state = FAILED;
	conn->in.n = 0;
	ERR_clear_error();
	return TLS_CONN_FAILED;
}

static enum tls_conn_verdict handshake(struct tls_conn *conn)
{
	int result = SSL_do_handshake(conn->ssl);

	if (result == 1) {
		conn->state = OPEN;
		return TLS_CONN_MORE;
	}
	if (SSL_get_error(conn->ssl, result) != SSL_ERROR_WANT_READ)
		return fail(conn, NULL);
	if (conn->handshake_bytes == TLS_CONN_HANDSHAKE_BYTES_MAX) {
		SSL_send_fatal_alert(conn->ssl, SSL_AD_HANDSHAKE_FAILURE);
		return fail(conn, "handshake too long");
	}
	return TLS_CONN_MORE;
}

static enum tls_conn_verdict read_records(
    struct tls_conn *conn, uint8_t *out, size_t room, size_t *out_n)
{
	while (*out_n < room) {
		int result =
		    SSL_read(conn->ssl, out + *out_n, (int)num_min(room - *out_n, INT32_MAX));

		if (result > 0) {
			*out_n += (size_t)result;
			continue;
		}
		switch (SSL_get_error(conn->ssl, result)) {
		case SSL_ERROR_WANT_READ:
			return TLS_CONN_MORE;
		case SSL_ERROR_ZERO_RETURN:
			conn->state = CLOSED;
			conn->in.n = 0;
			return TLS_CONN_CLOSED;
		default:
			return fail(conn, NULL);
		}
	}
	return SSL_pending(conn->ssl) > 0 || conn->in.n > 0 ? TLS_CONN_FULL : TLS_CONN_MORE;
}

enum tls_conn_verdict tls_conn_read(struct tls_conn *conn, struct bytes *in, uint8_t *out,
    size_t out_room, size_t *out_n, struct rope *send)
{
	RP_ASSERT(out_room > 0);
	enum tls_conn_verdict verdict = TLS_CONN_MORE;

	*out_n = 0;
	if (conn->state == CLOSED || conn->state == FAILED) {
		in->n = 0;
		return conn->state == CLOSED ? TLS_CONN_CLOSED : TLS_CONN_FAILED;
	}
	ERR_clear_error();
	conn->in = *in;
	conn->send = send;
	if (conn->state == HANDSHAKE)
		verdict = handshake(conn);
	if (conn->state == OPEN)
		verdict = read_records(conn, out, out_room, out_n);
	if (send->failed && conn->state != FAILED)
		verdict = fail(conn, "out of memory");
	*in = conn->in;
	conn->in = (struct bytes){0};
	conn->send = NULL;
	RP_ASSERT(verdict != TLS_CONN_MORE || in->n == 0);
	return verdict;
}

/* ---- writing ---- */

enum rp_err tls_conn_write(struct tls_conn *conn, struct bytes plain, struct rope *send)
{
	RP_ASSERT(conn->state != HANDSHAKE && !conn->shut);
	enum rp_err err = RP_OK;

	if (conn->state == FAILED)
		return RP_ERR_END;
	ERR_clear_error();
	conn->send = send;
	while (plain.n > 0) {
		int result =
		    SSL_write(conn->ssl, plain.p, (int)num_min(plain.n, TLS_CONN_RECORD_BYTES));

		if (result <= 0) {
			err = send->failed ? RP_ERR_NOMEM : RP_ERR_END;
			fail(conn, NULL);
			break;
		}
		plain = bytes_from(plain, (size_t)result);
	}
	conn->send = NULL;
	return err;
}

enum rp_err tls_conn_seal(struct tls_conn *conn, struct rope *plain, uint64_t durable,
    uint8_t *scratch, struct rope *send, size_t *n)
{
	struct bytes first = rope_peek(plain, durable);
	size_t gathered = 0;
	enum rp_err err;

	*n = 0;
	if (first.n == 0)
		return RP_OK;
	if (first.n >= TLS_CONN_RECORD_BYTES) {
		err = tls_conn_write(conn, bytes_slice(first, 0, TLS_CONN_RECORD_BYTES), send);
		if (err != RP_OK)
			return err;
		rope_consume(plain, TLS_CONN_RECORD_BYTES);
		*n = TLS_CONN_RECORD_BYTES;
		return RP_OK;
	}
	while (first.n > 0 && gathered < TLS_CONN_RECORD_BYTES) {
		size_t take = num_min(first.n, TLS_CONN_RECORD_BYTES - gathered);

		memcpy(scratch + gathered, first.p, take);
		gathered += take;
		rope_consume(plain, take);
		first = rope_peek(plain, durable);
	}
	err = tls_conn_write(conn, bytes_of(scratch, gathered), send);
	if (err == RP_OK)
		*n = gathered;
	return err;
}

void tls_conn_shutdown(struct tls_conn *conn, struct rope *send)
{
	if (conn->state == HANDSHAKE || conn->state == FAILED || conn->shut)
		return;
	ERR_clear_error();
	conn->shut = true;
	conn->send = send;
	if (SSL_shutdown(conn->ssl) < 0)
		fail(conn, NULL);
	conn->send = NULL;
}

/* ---- facts ---- */

bool tls_conn_is_open(const struct tls_conn *conn)
{
	return conn->state == OPEN || conn->state == CLOSED;
}

bool tls_conn_peer_closed(const struct tls_conn *conn)
{
	return conn->state == CLOSED;
}

const char *tls_conn_reason(const struct tls_conn *conn)
{
	return conn->reason;
}

struct tls_conn_facts tls_conn_facts(const struct tls_conn *conn)
{
	RP_ASSERT(tls_conn_is_open(conn));
	const char *name = SSL_get_servername(conn->ssl, TLSEXT_NAMETYPE_host_name);

	return (struct tls_conn_facts){
	    .protocol = SSL_get_version(conn->ssl),
	    .cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(conn->ssl)),
	    .server_name = name != NULL ? bytes_of_str(name) : (struct bytes){0},
	    .resumed = SSL_session_reused(conn->ssl) == 1,
	};
}
