#include <criterion/criterion.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tests/tls/peer.h"
#include "tls/tls_selfsign.h"

Test(tls_selfsign, a_client_that_trusts_it_accepts_it_for_localhost)
{
	static struct tls_selfsign made;
	static struct peer_cert cert;
	uint64_t now_s = (uint64_t)time(NULL);

	cr_assert_eq(tls_selfsign_make(now_s, 365, &made), RP_OK);
	cert.chain = made.cert_pem;
	cert.key = made.key_pem;
	struct tls_ctx *ctx = peer_ctx(&cert, 1);

	cr_assert_eq(tls_ctx_expires_s(ctx, 0), now_s + 365 * 86400);
	struct peer *peer = peer_open(ctx, (struct peer_options){.server_name = "localhost"});
	BIO *bio = BIO_new_mem_buf(made.cert_pem.p, (int)made.cert_pem.n);
	X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	cr_assert(X509_STORE_add_cert(SSL_CTX_get_cert_store(peer->client_ctx), x509));
	SSL_set_verify(peer->client, SSL_VERIFY_PEER, NULL);
	X509_VERIFY_PARAM_set1_host(SSL_get0_param(peer->client), "localhost", 9);
	cr_assert(peer_handshake(peer));
	cr_assert_eq(SSL_get_verify_result(peer->client), X509_V_OK);
	cr_assert(X509_check_ip_asc(x509, "127.0.0.1", 0));
	cr_assert(X509_check_ip_asc(x509, "::1", 0));
	cr_assert_not(X509_check_ip_asc(x509, "127.0.0.2", 0));
	cr_assert_eq(X509_check_ca(x509), 1);
	X509_free(x509);
	BIO_free(bio);
	peer_close(peer);
	tls_ctx_close(ctx);
}

Test(tls_selfsign, two_are_never_alike)
{
	static struct tls_selfsign one, two;

	cr_assert_eq(tls_selfsign_make(1700000000, 1, &one), RP_OK);
	cr_assert_eq(tls_selfsign_make(1700000000, 1, &two), RP_OK);
	cr_assert_not(bytes_eq(one.cert_pem, two.cert_pem));
	cr_assert_not(bytes_eq(one.key_pem, two.key_pem));
}
