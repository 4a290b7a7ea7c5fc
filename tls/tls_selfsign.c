#include "tls/tls_selfsign.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

enum { DAY_S = 86400 };

static bool make_key(EVP_PKEY *pkey)
{
	EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	bool made =
	    ec != NULL && EC_KEY_generate_key(ec) == 1 && EVP_PKEY_set1_EC_KEY(pkey, ec) == 1;

	EC_KEY_free(ec);
	return made;
}

/* A serial number that is positive and not likely to be met again. */
static bool set_serial(X509 *cert)
{
	uint8_t random[16];
	BIGNUM *number;
	bool set = false;

	if (RAND_bytes(random, sizeof(random)) != 1)
		return false;
	random[0] = (uint8_t)((random[0] & 0x7f) | 0x40);
	number = BN_bin2bn(random, sizeof(random), NULL);
	if (number != NULL)
		set = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
	BN_free(number);
	return set;
}

static bool set_name(X509 *cert)
{
	X509_NAME *name = X509_get_subject_name(cert);
	static const uint8_t common[] = "localhost";

	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, common, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(cert, name) == 1;
}

static bool add_extension(X509 *cert, X509V3_CTX *context, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, context, nid, value);
	bool added = extension != NULL && X509_add_ext(cert, extension, -1) == 1;

	X509_EXTENSION_free(extension);
	return added;
}

static bool add_extensions(X509 *cert)
{
	X509V3_CTX context;

	X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
	return add_extension(cert, &context, NID_basic_constraints, "critical,CA:TRUE") &&
	       add_extension(
	           cert, &context, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
	       add_extension(cert, &context, NID_ext_key_usage, "serverAuth") &&
	       add_extension(cert, &context, NID_subject_key_identifier, "hash") &&
	       add_extension(cert, &context, NID_subject_alt_name,
	           "DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1");
}

static bool make_cert(X509 *cert, EVP_PKEY *pkey, uint64_t now_s, unsigned days)
{
	time_t now = (time_t)now_s;

	return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) && set_name(cert) &&
	       X509_time_adj(X509_getm_notBefore(cert), -DAY_S, &now) != NULL &&
	       X509_time_adj_ex(X509_getm_notAfter(cert), (int)days, 0, &now) != NULL &&
	       X509_set_pubkey(cert, pkey) == 1 && add_extensions(cert) &&
	       X509_sign(cert, pkey, EVP_sha256()) > 0;
}

static bool copy_out(BIO *bio, uint8_t room[TLS_SELFSIGN_PEM_BYTES], struct bytes *out)
{
	const uint8_t *p;
	size_t n;

	if (BIO_mem_contents(bio, &p, &n) != 1 || n > TLS_SELFSIGN_PEM_BYTES)
		return false;
	memcpy(room, p, n);
	*out = bytes_of(room, n);
	return true;
}

static bool write_pem(X509 *cert, EVP_PKEY *pkey, struct tls_selfsign *out)
{
	BIO *cert_bio = BIO_new(BIO_s_mem());
	BIO *key_bio = BIO_new(BIO_s_mem());
	bool written =
	    cert_bio != NULL && key_bio != NULL && PEM_write_bio_X509(cert_bio, cert) == 1 &&
	    PEM_write_bio_PKCS8PrivateKey(key_bio, pkey, NULL, NULL, 0, NULL, NULL) == 1 &&
	    copy_out(cert_bio, out->cert_room, &out->cert_pem) &&
	    copy_out(key_bio, out->key_room, &out->key_pem);

	BIO_free(cert_bio);
	BIO_free(key_bio);
	return written;
}

enum rp_err tls_selfsign_make(uint64_t now_s, unsigned days, struct tls_selfsign *out)
{
	RP_ASSERT(days >= 1 && days <= TLS_SELFSIGN_DAYS_MAX);
	EVP_PKEY *pkey = EVP_PKEY_new();
	X509 *cert = X509_new();
	enum rp_err err = RP_ERR_NOMEM;

	if (pkey != NULL && cert != NULL)
		err = make_key(pkey) && make_cert(cert, pkey, now_s, days) &&
		              write_pem(cert, pkey, out)
		          ? RP_OK
		          : RP_ERR_IO;
	X509_free(cert);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return err;
}
