#include "tls/tls_ctx.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/base/hash.h"
#include "tls/tls_ticket.h"

enum {
	NAME_BYTES_MAX = 255,  /* a DNS name */
	NAME_ROOM_BYTES = 256, /* one more: gcc -O3 folds 16 bytes at a time and would warn of the 256th */
	NAMES_PER_CERT_MAX =
	    10000, /* bounds a hostile certificate; public authorities stop at 100 */
};

/* Forward secret, authenticated; every client since about 2014 has one of them. TLS 1.3 brings its
 * own. */
static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

struct cert {
	CRYPTO_BUFFER *chain[TLS_CTX_CHAIN_MAX];
	size_t chain_count;
	EVP_PKEY *key;
	uint64_t from_s;
	uint64_t expires_s;
};

/* A name of a certificate in lower case; a wildcard begins with its dot: ".example.org". */
struct name {
	struct hash_link link;
	struct name *next; /* all names of the context, to free them */
	size_t cert;
	size_t n;
	uint8_t p[];
};

struct tls_ctx {
	SSL_CTX *ssl; /* holds us: its end is ours */
	const struct tls_ticket_keys *keys;
	struct hash names;
	struct name *all_names;
	size_t certs_count;
	struct cert certs[];
};

static void say(char text[TLS_CTX_TEXT_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(char text[TLS_CTX_TEXT_BYTES], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, TLS_CTX_TEXT_BYTES, format, args);
	va_end(args);
}

/* ---- the context as a thing that hangs on BoringSSL's ---- */

static void free_ctx(struct tls_ctx *ctx)
{
	for (struct name *name = ctx->all_names, *next; name != NULL; name = next) {
		next = name->next;
		free(name);
	}
	hash_fini(&ctx->names);
	for (size_t i = 0; i < ctx->certs_count; i++) {
		struct cert *cert = &ctx->certs[i];

		for (size_t k = 0; k < cert->chain_count; k++)
			CRYPTO_BUFFER_free(cert->chain[k]);
		EVP_PKEY_free(cert->key);
	}
	free(ctx);
}

static void on_ssl_ctx_free(
    void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	(void)parent, (void)ad, (void)index, (void)argl, (void)argp;
	if (ptr != NULL)
		free_ctx(ptr);
}

/* Where a tls_ctx hangs on its SSL_CTX: one index for the whole process, as BoringSSL wants it. */
static int slot_index = -1;

static void make_slot(void)
{
	slot_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_ctx_free);
}

static int slot(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_slot);
	return slot_index;
}

static struct tls_ctx *ctx_of(const SSL *ssl)
{
	return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), slot());
}

/* ---- names ---- */

static bool match_name(const struct hash_link *link, const void *key)
{
	const struct name *name = RP_CONTAINER_OF(link, struct name, link);

	return bytes_eq(bytes_of(name->p, name->n), *(const struct bytes *)key);
}

static const struct name *find_name(const struct tls_ctx *ctx, struct bytes lower)
{
	struct hash_link *link =
	    hash_find(&ctx->names, hash_bytes(ctx->names.key, lower), match_name, &lower);

	return link != NULL ? RP_CONTAINER_OF(link, struct name, link) : NULL;
}

/* Lower case, without a trailing dot. False: no DNS name. */
static bool fold_name(struct bytes in, uint8_t out[NAME_ROOM_BYTES], struct bytes *folded)
{
	if (in.n > 0 && in.p[in.n - 1] == '.')
		in.n--;
	if (in.n == 0 || in.n > NAME_BYTES_MAX || in.p[0] == '.')
		return false;
	for (size_t i = 0; i < in.n; i++)
		out[i] = bytes_lower(in.p[i]);
	*folded = bytes_of(out, in.n);
	return true;
}

static size_t find_folded(const struct tls_ctx *ctx, struct bytes folded)
{
	const struct name *name = find_name(ctx, folded);
	size_t dot = bytes_find(folded, 0, '.');

	if (name == NULL && dot > 0 && dot < folded.n)
		name = find_name(ctx, bytes_from(folded, dot));
	return name != NULL ? name->cert : 0;
}

size_t tls_ctx_find(const struct tls_ctx *ctx, struct bytes server_name)
{
	uint8_t room[NAME_ROOM_BYTES];
	struct bytes folded;

	return fold_name(server_name, room, &folded) ? find_folded(ctx, folded) : 0;
}

static enum rp_err add_name(struct tls_ctx *ctx, size_t cert, struct bytes dns)
{
	uint8_t room[NAME_ROOM_BYTES];
	struct bytes folded;

	if (!fold_name(dns, room, &folded))
		return RP_OK; /* no client can ask for it */
	if (bytes_starts_with(folded, BYTES_LIT("*.")))
		folded = bytes_from(folded, 1);
	if (find_name(ctx, folded) != NULL)
		return RP_OK;

	struct name *name = malloc(sizeof(*name) + folded.n);

	if (name == NULL)
		return RP_ERR_NOMEM;
	name->cert = cert;
	name->n = folded.n;
	memcpy(name->p, folded.p, folded.n);
	if (!hash_add(&ctx->names, &name->link, hash_bytes(ctx->names.key, folded))) {
		free(name);
		return RP_ERR_NOMEM;
	}
	name->next = ctx->all_names;
	ctx->all_names = name;
	return RP_OK;
}

static enum rp_err add_names(struct tls_ctx *ctx, size_t cert, X509 *leaf)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	enum rp_err err = RP_OK;

	if (names == NULL)
		return RP_OK;
	if (sk_GENERAL_NAME_num(names) > NAMES_PER_CERT_MAX)
		err = RP_ERR_LIMIT;
	for (size_t i = 0; err == RP_OK && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			err = add_name(ctx, cert,
			    bytes_of(ASN1_STRING_get0_data(name->d.dNSName),
			        (size_t)ASN1_STRING_length(name->d.dNSName)));
	}
	GENERAL_NAMES_free(names);
	return err;
}

/* ---- PEM ---- */

static int no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf, (void)size, (void)rwflag, (void)arg;
	return 0;
}

/* Seconds since 1970; what lies before is 0. */
static uint64_t seconds_of(const ASN1_TIME *when)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	uint64_t seconds = 0;
	int days, rest;

	if (epoch != NULL && ASN1_TIME_diff(&days, &rest, epoch, when) == 1 && days >= 0 &&
	    rest >= 0)
		seconds = (uint64_t)days * 86400 + (uint64_t)rest;
	ASN1_TIME_free(epoch);
	return seconds;
}

static enum rp_err read_chain(
    const struct tls_ctx_cert *source, struct cert *cert, X509 **leaf, char *text)
{
	BIO *bio = BIO_new_mem_buf(source->chain_pem.p, (int)source->chain_pem.n);
	enum rp_err err = bio != NULL ? RP_OK : RP_ERR_NOMEM;

	while (err == RP_OK) {
		X509 *x509 = PEM_read_bio_X509(bio, NULL, no_password, NULL);
		uint8_t *der = NULL;

		if (x509 == NULL) {
			uint32_t code = ERR_peek_last_error();

			if (ERR_GET_LIB(code) == ERR_LIB_PEM &&
			    ERR_GET_REASON(code) == PEM_R_NO_START_LINE)
				break; /* the end of the file */
			say(text, "%s: certificate %zu cannot be read", source->name,
			    cert->chain_count + 1);
			err = RP_ERR_SYNTAX;
			break;
		}
		if (cert->chain_count == TLS_CTX_CHAIN_MAX) {
			say(text, "%s: more than %d certificates in one chain", source->name,
			    TLS_CTX_CHAIN_MAX);
			err = RP_ERR_LIMIT;
		} else {
			int der_n = i2d_X509(x509, &der);
			CRYPTO_BUFFER *buffer =
			    der_n > 0 ? CRYPTO_BUFFER_new(der, (size_t)der_n, NULL) : NULL;

			OPENSSL_free(der);
			if (buffer != NULL)
				cert->chain[cert->chain_count++] = buffer;
			else
				err = RP_ERR_NOMEM;
		}
		if (err == RP_OK && *leaf == NULL)
			*leaf = x509;
		else
			X509_free(x509);
	}
	BIO_free(bio);
	ERR_clear_error();
	if (err == RP_OK && cert->chain_count == 0) {
		say(text, "%s: no certificate in it (PEM is expected)", source->name);
		err = RP_ERR_SYNTAX;
	}
	return err;
}

static enum rp_err read_key(const struct tls_ctx_cert *source, struct cert *cert, char *text)
{
	BIO *bio = BIO_new_mem_buf(source->key_pem.p, (int)source->key_pem.n);

	if (bio == NULL)
		return RP_ERR_NOMEM;
	cert->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (cert->key != NULL)
		return RP_OK;
	say(text, "%s: no private key to go with it (PEM without a password is expected)",
	    source->name);
	return RP_ERR_SYNTAX;
}

static enum rp_err check_sizes(const struct tls_ctx_cert *source, char *text)
{
	if (source->chain_pem.n <= TLS_CTX_PEM_BYTES_MAX &&
	    source->key_pem.n <= TLS_CTX_PEM_BYTES_MAX)
		return RP_OK;
	say(text, "%s: certificate or key file over %d KiB", source->name,
	    TLS_CTX_PEM_BYTES_MAX / 1024);
	return RP_ERR_LIMIT;
}

static enum rp_err read_cert(
    struct tls_ctx *ctx, const struct tls_ctx_cert *source, uint64_t now_s, char *text)
{
	struct cert *cert = &ctx->certs[ctx->certs_count++];
	X509 *leaf = NULL;
	enum rp_err err = check_sizes(source, text);

	if (err == RP_OK)
		err = read_chain(source, cert, &leaf, text);
	if (err == RP_OK)
		err = read_key(source, cert, text);
	if (err == RP_OK && X509_check_private_key(leaf, cert->key) != 1) {
		say(text, "%s: the private key is not that of the first certificate", source->name);
		err = RP_ERR_CANNOT;
	}
	if (err == RP_OK)
		err = add_names(ctx, ctx->certs_count - 1, leaf);
	if (err == RP_OK) {
		cert->from_s = seconds_of(X509_get0_notBefore(leaf));
		cert->expires_s = seconds_of(X509_get0_notAfter(leaf));
		if (text[0] == '\0' && cert->expires_s < now_s)
			say(text, "%s: the certificate has expired", source->name);
		else if (text[0] == '\0' && cert->from_s > now_s)
			say(text, "%s: the certificate is not valid yet", source->name);
	}
	X509_free(leaf);
	ERR_clear_error();
	return err;
}

/* ---- callbacks of the handshake ---- */

/* The client has named a server, or none: show the certificate for it. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_ctx *ctx = arg;
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	uint8_t room[NAME_ROOM_BYTES], scope[SHA256_DIGEST_LENGTH];
	struct bytes folded = {0};
	const struct cert *cert = &ctx->certs[0];

	if (asked != NULL && fold_name(bytes_of_str(asked), room, &folded))
		cert = &ctx->certs[find_folded(ctx, folded)];
	/* A ticket is good under the name that it was made for alone (RFC 6066, section 3). */
	SHA256(folded.p, folded.n, scope);
	if (SSL_set_session_id_context(ssl, scope, sizeof(scope)) == 1 &&
	    SSL_set_chain_and_key(ssl, cert->chain, cert->chain_count, cert->key, NULL) == 1)
		return SSL_TLSEXT_ERR_OK;
	*alert = SSL_AD_INTERNAL_ERROR;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A client that lists protocols and does not list ours takes us for something else, for example a
 * browser sent here by an attacker's page: RFC 7301 has it refused. */
static int on_alpn(
    SSL *ssl, const uint8_t **out, uint8_t *out_n, const uint8_t *in, unsigned in_n, void *arg)
{
	static const uint8_t imap[] = {4, 'i', 'm', 'a', 'p'};

	(void)ssl, (void)arg;
	for (unsigned at = 0; at < in_n; at += 1u + in[at]) {
		if (in_n - at >= sizeof(imap) && memcmp(in + at, imap, sizeof(imap)) == 0) {
			*out = in + at + 1;
			*out_n = in[at];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static size_t on_ticket_overhead(SSL *ssl)
{
	(void)ssl;
	return tls_ticket_overhead();
}

static int on_ticket_seal(
    SSL *ssl, uint8_t *out, size_t *out_n, size_t out_room, const uint8_t *in, size_t in_n)
{
	if (tls_ticket_seal(ctx_of(ssl)->keys, bytes_of(in, in_n), out, out_room, out_n))
		return 1;
	/* No key: a ticket that nobody can open does no harm, an error here would end the
	 * connection. */
	out[0] = 0;
	*out_n = 1;
	return 1;
}

static enum ssl_ticket_aead_result_t on_ticket_open(
    SSL *ssl, uint8_t *out, size_t *out_n, size_t out_room, const uint8_t *in, size_t in_n)
{
	if (tls_ticket_unseal(ctx_of(ssl)->keys, bytes_of(in, in_n), out, out_room, out_n))
		return ssl_ticket_aead_success;
	return ssl_ticket_aead_ignore_ticket;
}

static const SSL_TICKET_AEAD_METHOD ticket_method = {
    .max_overhead = on_ticket_overhead,
    .seal = on_ticket_seal,
    .open = on_ticket_open,
};

/* ---- open and close ---- */

static bool configure(struct tls_ctx *ctx)
{
	const struct cert *first = &ctx->certs[0];

	SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx->ssl, TLS_TICKET_LIFETIME_S);
	SSL_CTX_set_session_psk_dhe_timeout(ctx->ssl, TLS_TICKET_LIFETIME_S);
	SSL_CTX_set_early_data_enabled(ctx->ssl, 0);
	SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_ticket_aead_method(ctx->ssl, &ticket_method);
	SSL_CTX_set_tlsext_servername_callback(ctx->ssl, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(ctx->ssl, ctx);
	SSL_CTX_set_alpn_select_cb(ctx->ssl, on_alpn, NULL);
	return SSL_CTX_set_min_proto_version(ctx->ssl, TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ctx->ssl, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_strict_cipher_list(ctx->ssl, ciphers) == 1 &&
	       SSL_CTX_set1_curves_list(ctx->ssl, "X25519:P-256:P-384") == 1 &&
	       SSL_CTX_set_num_tickets(ctx->ssl, 1) == 1 &&
	       SSL_CTX_set_chain_and_key(
	           ctx->ssl, first->chain, first->chain_count, first->key, NULL) == 1;
}

enum rp_err tls_ctx_open(const struct tls_ctx_cert *certs, size_t certs_count, uint64_t now_s,
    struct tls_ctx **out, char text[TLS_CTX_TEXT_BYTES])
{
	struct hash_key key;
	enum rp_err err = RP_OK;

	text[0] = '\0';
	if (certs_count == 0 || certs_count > TLS_CTX_CERTS_MAX) {
		say(text, "%zu certificates, at least 1 and at most %d are needed", certs_count,
		    TLS_CTX_CERTS_MAX);
		return certs_count == 0 ? RP_ERR_CANNOT : RP_ERR_LIMIT;
	}
	struct tls_ctx *ctx = calloc(1, sizeof(*ctx) + certs_count * sizeof(struct cert));

	if (ctx == NULL)
		return RP_ERR_NOMEM;
	arc4random_buf(&key, sizeof(key));
	hash_init(&ctx->names, key);
	for (size_t i = 0; err == RP_OK && i < certs_count; i++)
		err = read_cert(ctx, &certs[i], now_s, text);
	if (err != RP_OK)
		goto free_ctx;
	err = RP_ERR_NOMEM;
	ctx->ssl = SSL_CTX_new(TLS_with_buffers_method());
	if (ctx->ssl == NULL)
		goto free_ctx;
	if (!configure(ctx)) {
		say(text, "%s: BoringSSL does not take this certificate or key: %s", certs[0].name,
		    ERR_reason_error_string(ERR_peek_error()));
		err = RP_ERR_CANNOT;
		goto free_ssl;
	}
	if (SSL_CTX_set_ex_data(ctx->ssl, slot(), ctx) != 1)
		goto free_ssl;
	*out = ctx;
	return RP_OK;

free_ssl:
	SSL_CTX_free(ctx->ssl);
free_ctx:
	ERR_clear_error();
	free_ctx(ctx);
	if (err == RP_ERR_NOMEM)
		say(text, "not enough memory for %zu certificates", certs_count);
	return err;
}

void tls_ctx_close(struct tls_ctx *ctx)
{
	if (ctx != NULL)
		SSL_CTX_free(ctx->ssl);
}

void tls_ctx_set_ticket_keys(struct tls_ctx *ctx, const struct tls_ticket_keys *keys)
{
	RP_ASSERT(keys != NULL);
	ctx->keys = keys;
	SSL_CTX_clear_options(ctx->ssl, SSL_OP_NO_TICKET);
}

size_t tls_ctx_certs_count(const struct tls_ctx *ctx)
{
	return ctx->certs_count;
}

uint64_t tls_ctx_expires_s(const struct tls_ctx *ctx, size_t cert)
{
	RP_ASSERT(cert < ctx->certs_count);
	return ctx->certs[cert].expires_s;
}

struct ssl_ctx_st *tls_ctx_ssl(const struct tls_ctx *ctx)
{
	return ctx->ssl;
}
