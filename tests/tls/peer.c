#include "tests/tls/peer.h"

#include <criterion/criterion.h>
#include <openssl/bio.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

static EVP_PKEY *make_key(bool rsa)
{
	EVP_PKEY *pkey = EVP_PKEY_new();

	if (rsa) {
		RSA *key = RSA_new();
		BIGNUM *e = BN_new();

		cr_assert(BN_set_word(e, RSA_F4));
		cr_assert(RSA_generate_key_ex(key, 2048, e, NULL));
		cr_assert(EVP_PKEY_assign_RSA(pkey, key));
		BN_free(e);
	} else {
		EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);

		cr_assert(EC_KEY_generate_key(key));
		cr_assert(EVP_PKEY_assign_EC_KEY(pkey, key));
	}
	return pkey;
}

static struct bytes take(BIO *bio, uint8_t room[PEER_PEM_BYTES])
{
	const uint8_t *p;
	size_t n;

	cr_assert(BIO_mem_contents(bio, &p, &n));
	cr_assert_leq(n, PEER_PEM_BYTES);
	memcpy(room, p, n);
	BIO_free(bio);
	return bytes_of(room, n);
}

void peer_cert_make(
    struct peer_cert *cert, const char *names, int64_t from_s, int64_t to_s, bool rsa)
{
	EVP_PKEY *pkey = make_key(rsa);
	X509 *x509 = X509_new();
	BIO *chain = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());

	X509_set_version(x509, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
	X509_NAME_add_entry_by_txt(
	    X509_get_subject_name(x509), "CN", MBSTRING_UTF8, (const uint8_t *)"test", -1, -1, 0);
	X509_set_issuer_name(x509, X509_get_subject_name(x509));
	ASN1_TIME_set(X509_getm_notBefore(x509), from_s);
	ASN1_TIME_set(X509_getm_notAfter(x509), to_s);
	X509_set_pubkey(x509, pkey);
	if (names != NULL) {
		X509_EXTENSION *e = X509V3_EXT_nconf_nid(NULL, NULL, NID_subject_alt_name, names);

		cr_assert_not_null(e);
		X509_add_ext(x509, e, -1);
		X509_EXTENSION_free(e);
	}
	cr_assert(X509_sign(x509, pkey, EVP_sha256()));
	cr_assert(PEM_write_bio_X509(chain, x509));
	cr_assert(PEM_write_bio_PKCS8PrivateKey(key, pkey, NULL, NULL, 0, NULL, NULL));
	cert->chain = take(chain, cert->chain_room);
	cert->key = take(key, cert->key_room);
	X509_free(x509);
	EVP_PKEY_free(pkey);
}

struct tls_ctx *peer_ctx(const struct peer_cert *certs, size_t count)
{
	struct tls_ctx_cert sources[16];
	char text[TLS_CTX_TEXT_BYTES];
	struct tls_ctx *ctx = NULL;

	cr_assert_leq(count, 16);
	for (size_t i = 0; i < count; i++)
		sources[i] = (struct tls_ctx_cert){"cert", certs[i].chain, certs[i].key};
	cr_assert_eq(tls_ctx_open(sources, count, 1000, &ctx, text), RP_OK, "%s", text);
	return ctx;
}

/* Tickets come after the handshake in TLS 1.3: keep the last one. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION_free(SSL_get_app_data(ssl));
	SSL_set_app_data(ssl, session);
	return 1;
}

struct peer *peer_open(struct tls_ctx *ctx, struct peer_options options)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	cr_assert_not_null(peer);
	rope_init(&peer->to_client);
	peer->cut = options.cut;
	peer->plain = bytes_of(peer->plain_room, 0);
	peer->conn = tls_conn_open(ctx);
	cr_assert_not_null(peer->conn);
	peer->client_ctx = SSL_CTX_new(TLS_method());
	cr_assert(SSL_CTX_set_min_proto_version(
	    peer->client_ctx, options.version_min != 0 ? options.version_min : TLS1_VERSION));
	cr_assert(SSL_CTX_set_max_proto_version(
	    peer->client_ctx, options.version_max != 0 ? options.version_max : TLS1_3_VERSION));
	SSL_CTX_set_session_cache_mode(peer->client_ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(peer->client_ctx, on_session);
	peer->client = SSL_new(peer->client_ctx);
	SSL_set_connect_state(peer->client);
	SSL_set_bio(peer->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	if (options.server_name != NULL)
		cr_assert(SSL_set_tlsext_host_name(peer->client, options.server_name));
	if (options.session != NULL)
		cr_assert(SSL_set_session(peer->client, options.session));
	return peer;
}

void peer_close(struct peer *peer)
{
	SSL_SESSION_free(SSL_get_app_data(peer->client));
	SSL_free(peer->client);
	SSL_CTX_free(peer->client_ctx);
	tls_conn_close(peer->conn);
	rope_fini(&peer->to_client);
	free(peer);
}

bool peer_feed(struct peer *peer, struct bytes in)
{
	while (in.n > 0) {
		struct bytes piece = in;

		if (peer->cut != 0 && piece.n > peer->cut)
			piece.n = peer->cut;
		in = bytes_from(in, piece.n);
		do {
			/* Memory of its own, so that a byte kept beyond the call is found. */
			uint8_t *own = malloc(piece.n + 1);
			struct bytes rest = bytes_of(own, piece.n);
			size_t room = sizeof(peer->plain_room) - peer->plain.n;
			size_t n;

			memcpy(own, piece.p, piece.n);
			if (room > 5000)
				room = 5000; /* smaller than a record: TLS_CONN_FULL must work */
			peer->verdict = tls_conn_read(peer->conn, &rest,
			    peer->plain_room + peer->plain.n, room, &n, &peer->to_client);
			peer->plain.n += n;
			piece = bytes_from(piece, piece.n - rest.n);
			free(own);
		} while (peer->verdict == TLS_CONN_FULL);
		if (peer->verdict == TLS_CONN_FAILED)
			return false;
	}
	return true;
}

static size_t deliver(struct peer *peer)
{
	size_t moved = 0;

	for (struct bytes b; (b = rope_peek(&peer->to_client, 0)).n > 0; moved += b.n) {
		cr_assert_eq(BIO_write(SSL_get_rbio(peer->client), b.p, (int)b.n), (int)b.n);
		rope_consume(&peer->to_client, b.n);
	}
	return moved;
}

bool peer_pump(struct peer *peer)
{
	for (;;) {
		uint8_t room[20000];
		size_t moved = 0;
		int n;

		while ((n = BIO_read(SSL_get_wbio(peer->client), room, sizeof(room))) > 0) {
			moved += (size_t)n;
			if (!peer_feed(peer, bytes_of(room, (size_t)n))) {
				deliver(peer);
				return false;
			}
		}
		moved += deliver(peer);
		if (moved == 0)
			return true;
		if (!SSL_is_init_finished(peer->client))
			SSL_do_handshake(peer->client);
		ERR_clear_error();
	}
}

bool peer_handshake(struct peer *peer)
{
	SSL_do_handshake(peer->client);
	ERR_clear_error();
	return peer_pump(peer) && SSL_is_init_finished(peer->client) &&
	       tls_conn_is_open(peer->conn);
}

size_t peer_client_read(struct peer *peer, uint8_t *out, size_t room)
{
	size_t total = 0;

	deliver(peer);
	while (total < room) {
		int n = SSL_read(peer->client, out + total, (int)(room - total));

		if (n <= 0)
			break;
		total += (size_t)n;
	}
	return total;
}

SSL_SESSION *peer_take_session(struct peer *peer)
{
	SSL_SESSION *session = SSL_get_app_data(peer->client);

	SSL_set_app_data(peer->client, NULL);
	return session;
}

const char *peer_shown_name(struct peer *peer)
{
	static char name[256];
	X509 *cert = SSL_get_peer_certificate(peer->client);
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	name[0] = '\0';
	if (names != NULL) {
		const GENERAL_NAME *first = sk_GENERAL_NAME_value(names, 0);

		snprintf(name, sizeof(name), "%.*s", ASN1_STRING_length(first->d.dNSName),
		    ASN1_STRING_get0_data(first->d.dNSName));
	}
	GENERAL_NAMES_free(names);
	X509_free(cert);
	return name;
}
