#include <openssl/bio.h>
#include <openssl/ec_key.h>
#include <openssl/nid.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <string.h>

#include "bench/load/die.h"
#include "bench/probe/probe.h"
#include "io/base/clock.h"

enum { RECORD_BYTES = 16 * 1024, PIPE_BYTES = 64 * 1024 };

static SSL_SESSION *newest; /* the client's ticket */

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(newest);
	newest = session;
	return 1;
}

/* As quickstart makes one: ECDSA P-256, self-signed. */
static SSL_CTX *server_ctx(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	EVP_PKEY *key = EVP_PKEY_new();
	X509 *cert = X509_new();

	if (ctx == NULL || ec == NULL || key == NULL || cert == NULL || EC_KEY_generate_key(ec) != 1 ||
	    EVP_PKEY_assign_EC_KEY(key, ec) != 1)
		die("the probe has no key");
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_NAME_add_entry_by_txt(
	    X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	if (X509_sign(cert, key, EVP_sha256()) == 0 || SSL_CTX_use_certificate(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, key) != 1)
		die("the probe has no certificate");
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

static SSL_CTX *client_ctx(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());

	if (ctx == NULL)
		die("the probe has no memory");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	return ctx;
}

struct pair {
	SSL *server, *client;
};

static void pair_open(struct pair *pair, SSL_CTX *server, SSL_CTX *client, SSL_SESSION *session)
{
	BIO *one, *other;

	pair->server = SSL_new(server);
	pair->client = SSL_new(client);
	if (pair->server == NULL || pair->client == NULL || BIO_new_bio_pair(&one, PIPE_BYTES, &other, PIPE_BYTES) != 1)
		die("the probe has no memory");
	SSL_set_bio(pair->server, one, one);
	SSL_set_bio(pair->client, other, other);
	SSL_set_accept_state(pair->server);
	SSL_set_connect_state(pair->client);
	if (session != NULL)
		SSL_set_session(pair->client, session);
}

static void pair_close(struct pair *pair)
{
	SSL_free(pair->client);
	SSL_free(pair->server);
}

/* The CPU time of the server's half. */
static uint64_t handshake(struct pair *pair)
{
	uint64_t cpu_ns = 0;
	int client = 0;
	int server = 0;
	char byte;

	for (int i = 0; i < 8 && (client != 1 || server != 1); i++) {
		if (client != 1)
			client = SSL_do_handshake(pair->client);
		uint64_t from_ns = probe_cpu_ns();

		if (server != 1)
			server = SSL_do_handshake(pair->server);
		cpu_ns += probe_cpu_ns() - from_ns;
	}
	if (client != 1 || server != 1)
		die("the probe's handshake failed");
	/* Tickets go with the first that is written. */
	if (SSL_write(pair->server, "x", 1) != 1 || SSL_read(pair->client, &byte, 1) != 1)
		die("the probe's connection failed");
	return cpu_ns;
}

static void probe_handshake(double seconds, SSL_CTX *server, SSL_CTX *client, bool resumed)
{
	uint64_t until_ns = clock_monotonic_ns() + (uint64_t)(seconds * 1e9);
	uint64_t cpu_ns = 0;
	uint64_t count = 0;
	struct pair pair;

	for (; count == 0 || clock_monotonic_ns() < until_ns; count++) {
		pair_open(&pair, server, client, resumed ? newest : NULL);
		cpu_ns += handshake(&pair);
		if (SSL_session_reused(pair.client) != resumed)
			die("the probe's handshake was not as it should be");
		pair_close(&pair);
	}
	probe_tell(resumed ? "resumed_ns" : "handshake_ns", (double)cpu_ns / (double)count);
}

static void probe_seal(double seconds, SSL_CTX *server, SSL_CTX *client)
{
	static char plain[RECORD_BYTES];
	uint64_t until_ns = clock_monotonic_ns() + (uint64_t)(seconds * 1e9);
	uint64_t cpu_ns = 0;
	uint64_t count = 0;
	struct pair pair;

	pair_open(&pair, server, client, NULL);
	handshake(&pair);
	for (; count == 0 || clock_monotonic_ns() < until_ns; count++) {
		uint64_t from_ns = probe_cpu_ns();

		if (SSL_write(pair.server, plain, RECORD_BYTES) != RECORD_BYTES)
			die("the probe's record failed");
		cpu_ns += probe_cpu_ns() - from_ns;
		for (int n = 0; n < RECORD_BYTES;) {
			int got = SSL_read(pair.client, plain, RECORD_BYTES);

			if (got <= 0)
				die("the probe's record was lost");
			n += got;
		}
	}
	pair_close(&pair);
	probe_tell("seal_ns_per_kib", (double)cpu_ns * 1024 / (double)(count * RECORD_BYTES));
}

void probe_tls(double seconds)
{
	SSL_CTX *server = server_ctx();
	SSL_CTX *client = client_ctx();

	probe_handshake(seconds, server, client, false);
	probe_handshake(seconds, server, client, true);
	probe_seal(seconds, server, client);
	SSL_SESSION_free(newest);
	SSL_CTX_free(client);
	SSL_CTX_free(server);
}
