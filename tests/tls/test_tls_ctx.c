#include <criterion/criterion.h>
#include <dlfcn.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "tests/tls/peer.h"

enum { YEAR_S = 365 * 86400 };

static struct peer_cert certs[4];
static char text[TLS_CTX_TEXT_BYTES];

static enum rp_err open_one(struct bytes chain, struct bytes key, uint64_t now_s)
{
	struct tls_ctx_cert source = {"mail.pem", chain, key};
	struct tls_ctx *ctx = NULL;
	enum rp_err err = tls_ctx_open(&source, 1, now_s, &ctx, text);

	tls_ctx_close(ctx);
	return err;
}

/* The test framework brings OpenSSL along, with the same names of functions. */
Test(tls_ctx, the_library_is_boringssl)
{
	Dl_info where;

	cr_assert(dladdr((void *)(uintptr_t)SSL_CTX_new, &where));
	cr_assert_not_null(strstr(where.dli_fname, "android"), "%s", where.dli_fname);
	cr_assert(dladdr((void *)(uintptr_t)OpenSSL_version, &where));
	cr_assert_not_null(strstr(where.dli_fname, "android"), "%s", where.dli_fname);
	cr_assert_str_eq(OpenSSL_version(OPENSSL_VERSION), "BoringSSL");
}

Test(tls_ctx, a_name_finds_its_certificate)
{
	static const struct {
		const char *name;
		size_t cert;
	} cases[] = {
	    {"mail.example.org", 1},
	    {"MAIL.Example.ORG", 1},
	    {"mail.example.org.", 1},
	    {"mail.example.org..", 0},
	    {"a.wild.example", 2},
	    {"B.Wild.Example.", 2},
	    {"a.b.wild.example", 0},
	    {"wild.example", 0},
	    {".wild.example", 0},
	    {"exact.wild.example", 3},
	    {"other.example", 0},
	    {"default.example", 0},
	    {"", 0},
	    {".", 0},
	};

	peer_cert_make(&certs[0], "DNS:default.example", 0, YEAR_S, false);
	peer_cert_make(&certs[1], "DNS:imap.example.org,DNS:Mail.Example.org", 0, YEAR_S, false);
	peer_cert_make(&certs[2], "DNS:*.wild.example", 0, YEAR_S, false);
	peer_cert_make(&certs[3], "DNS:exact.wild.example,DNS:mail.example.org", 0, YEAR_S, true);
	struct tls_ctx *ctx = peer_ctx(certs, 4);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_eq(tls_ctx_find(ctx, bytes_of_str(cases[i].name)), cases[i].cert, "%s",
		    cases[i].name);

	char longest[300];

	memset(longest, 'a', sizeof(longest));
	for (size_t n = 254; n <= 257; n++)
		cr_assert_eq(tls_ctx_find(ctx, bytes_of(longest, n)), 0);
	cr_assert_eq(tls_ctx_certs_count(ctx), 4);
	cr_assert_eq(tls_ctx_expires_s(ctx, 3), YEAR_S);
	tls_ctx_close(ctx);
}

Test(tls_ctx, what_does_not_fit_is_refused_with_one_line)
{
	peer_cert_make(&certs[0], "DNS:a.example", 0, YEAR_S, false);
	peer_cert_make(&certs[1], "DNS:b.example", 0, YEAR_S, true);

	cr_assert_eq(open_one(certs[0].chain, certs[0].key, 1000), RP_OK);
	cr_assert_str_eq(text, "");
	cr_assert_eq(open_one(certs[1].chain, certs[1].key, 1000), RP_OK);
	cr_assert_eq(open_one(certs[0].chain, certs[1].key, 1000), RP_ERR_CANNOT);
	cr_assert_str_eq(text, "mail.pem: the private key is not that of the first certificate");
	cr_assert_eq(open_one(BYTES_LIT(""), certs[0].key, 1000), RP_ERR_SYNTAX);
	cr_assert_str_eq(text, "mail.pem: no certificate in it (PEM is expected)");
	cr_assert_eq(open_one(certs[0].key, certs[0].key, 1000), RP_ERR_SYNTAX);
	cr_assert_eq(open_one(certs[0].chain, BYTES_LIT("junk"), 1000), RP_ERR_SYNTAX);
	cr_assert_str_eq(
	    text, "mail.pem: no private key to go with it (PEM without a password is expected)");
	cr_assert_eq(open_one(BYTES_LIT("-----BEGIN CERTIFICATE-----\nMIIB\n"
	                                "-----END CERTIFICATE-----\n"),
	                 certs[0].key, 1000),
	    RP_ERR_SYNTAX);
	cr_assert_str_eq(text, "mail.pem: certificate 1 cannot be read");
	cr_assert_eq(
	    open_one(bytes_slice(certs[0].chain, 0, certs[0].chain.n - 40), certs[0].key, 1000),
	    RP_ERR_SYNTAX);
}

Test(tls_ctx, an_expired_certificate_is_a_warning)
{
	peer_cert_make(&certs[0], "DNS:a.example", 1000, 2000, false);
	cr_assert_eq(open_one(certs[0].chain, certs[0].key, 2000), RP_OK);
	cr_assert_str_eq(text, "");
	cr_assert_eq(open_one(certs[0].chain, certs[0].key, 2001), RP_OK);
	cr_assert_str_eq(text, "mail.pem: the certificate has expired");
	cr_assert_eq(open_one(certs[0].chain, certs[0].key, 999), RP_OK);
	cr_assert_str_eq(text, "mail.pem: the certificate is not valid yet");
}

/* One more than the limit, of certificates in a chain and of bytes in a file. */
Test(tls_ctx, limits_hold)
{
	static uint8_t many[(TLS_CTX_CHAIN_MAX + 1) * PEER_PEM_BYTES];
	static uint8_t large[TLS_CTX_PEM_BYTES_MAX + 1];
	struct tls_ctx *ctx;

	peer_cert_make(&certs[0], "DNS:a.example", 0, YEAR_S, false);
	for (size_t i = 0; i <= TLS_CTX_CHAIN_MAX; i++)
		memcpy(many + i * certs[0].chain.n, certs[0].chain.p, certs[0].chain.n);
	for (size_t n = TLS_CTX_CHAIN_MAX - 1; n <= TLS_CTX_CHAIN_MAX + 1; n++)
		cr_assert_eq(open_one(bytes_of(many, n * certs[0].chain.n), certs[0].key, 1000),
		    n <= TLS_CTX_CHAIN_MAX ? RP_OK : RP_ERR_LIMIT);
	memset(large, '\n', sizeof(large));
	memcpy(large, certs[0].chain.p, certs[0].chain.n);
	cr_assert_eq(open_one(bytes_of(large, sizeof(large) - 1), certs[0].key, 1000), RP_OK);
	cr_assert_eq(open_one(bytes_of(large, sizeof(large)), certs[0].key, 1000), RP_ERR_LIMIT);
	cr_assert_eq(tls_ctx_open(NULL, 0, 1000, &ctx, text), RP_ERR_CANNOT);
	cr_assert_eq(tls_ctx_open(NULL, TLS_CTX_CERTS_MAX + 1, 1000, &ctx, text), RP_ERR_LIMIT);
}

/* Nothing that a cut or damaged file holds may stop the server. */
Test(tls_ctx, any_cut_and_any_flipped_byte_is_an_answer)
{
	peer_cert_make(&certs[0], "DNS:a.example,DNS:*.b.example", 0, YEAR_S, false);
	for (size_t n = 0; n < certs[0].chain.n - 8; n++)
		cr_assert_neq(
		    open_one(bytes_slice(certs[0].chain, 0, n), certs[0].key, 1000), RP_OK);
	for (size_t n = 0; n < certs[0].chain.n; n++) {
		enum rp_err err;

		certs[0].chain_room[n] ^= 1;
		err = open_one(certs[0].chain, certs[0].key, 1000);
		cr_assert(err == RP_OK || err == RP_ERR_SYNTAX || err == RP_ERR_CANNOT, "%d", err);
		certs[0].chain_room[n] ^= 1;
	}
}
