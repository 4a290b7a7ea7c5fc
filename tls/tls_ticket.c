#include "tls/tls_ticket.h"

#include <assert.h>
#include <openssl/aead.h>
#include <openssl/err.h>
#include <openssl/rand.h>

enum {
	TICKET_ID_BYTES = sizeof(((struct tls_ticket_key *)0)->id),
	TICKET_SECRET_BYTES = sizeof(((struct tls_ticket_key *)0)->secret),
	TICKET_NONCE_BYTES = 24, /* long enough to be drawn at random, without counting */
	TICKET_TAG_BYTES = 16,
	TICKET_HEAD_BYTES = TICKET_ID_BYTES + TICKET_NONCE_BYTES,
};

static_assert(sizeof(struct tls_ticket_key) == 48, "lies in memory that processes share");
static_assert(sizeof(struct tls_ticket_keys) == 16 + TLS_TICKET_KEYS * 48,
    "lies in memory that processes share");

static const uint8_t no_id[TICKET_ID_BYTES];

enum rp_err tls_ticket_rotate(struct tls_ticket_keys *keys, uint64_t now_s)
{
	struct tls_ticket_key key;
	uint32_t next = (keys->current + 1) % TLS_TICKET_KEYS;

	if (RAND_bytes((uint8_t *)&key, sizeof(key)) != 1)
		return RP_ERR_IO;
	/* Without its name the slot is out of use; it gets the name back when the secret is whole.
	 */
	memset(keys->key[next].id, 0, TICKET_ID_BYTES);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(keys->key[next].secret, key.secret, TICKET_SECRET_BYTES);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(keys->key[next].id, key.id, TICKET_ID_BYTES);
	__atomic_store_n(&keys->current, next, __ATOMIC_RELEASE);
	keys->rotated_s = now_s;
	bytes_wipe(&key, sizeof(key));
	return RP_OK;
}

/* A slot's key as it stands now, in memory of our own. False: the slot is empty. */
static bool copy_key(const struct tls_ticket_keys *keys, uint32_t slot, struct tls_ticket_key *key)
{
	memcpy(key, &keys->key[slot % TLS_TICKET_KEYS], sizeof(*key));
	return memcmp(key->id, no_id, TICKET_ID_BYTES) != 0;
}

bool tls_ticket_due(const struct tls_ticket_keys *keys, uint64_t now_s)
{
	struct tls_ticket_key key;
	bool have = copy_key(keys, keys->current, &key);

	bytes_wipe(&key, sizeof(key));
	return !have || now_s < keys->rotated_s || now_s - keys->rotated_s >= TLS_TICKET_ROTATE_S;
}

size_t tls_ticket_overhead(void)
{
	return TICKET_HEAD_BYTES + TICKET_TAG_BYTES;
}

bool tls_ticket_seal(const struct tls_ticket_keys *keys, struct bytes plain, uint8_t *out,
    size_t out_room, size_t *out_n)
{
	struct tls_ticket_key key;
	EVP_AEAD_CTX aead;
	size_t body_n = 0;
	bool sealed = false;

	if (out_room < TICKET_HEAD_BYTES)
		return false;
	EVP_AEAD_CTX_zero(&aead);
	if (copy_key(keys, __atomic_load_n(&keys->current, __ATOMIC_ACQUIRE), &key) &&
	    RAND_bytes(out + TICKET_ID_BYTES, TICKET_NONCE_BYTES) == 1 &&
	    EVP_AEAD_CTX_init(&aead, EVP_aead_xchacha20_poly1305(), key.secret, TICKET_SECRET_BYTES,
	        TICKET_TAG_BYTES, NULL) == 1) {
		memcpy(out, key.id, TICKET_ID_BYTES);
		sealed = EVP_AEAD_CTX_seal(&aead, out + TICKET_HEAD_BYTES, &body_n,
		             out_room - TICKET_HEAD_BYTES, out + TICKET_ID_BYTES,
		             TICKET_NONCE_BYTES, plain.p, plain.n, key.id, TICKET_ID_BYTES) == 1;
	}
	EVP_AEAD_CTX_cleanup(&aead);
	bytes_wipe(&key, sizeof(key));
	if (sealed)
		*out_n = TICKET_HEAD_BYTES + body_n;
	return sealed;
}

/* The key with this id. Ids are random and no secret. */
static bool find_key(
    const struct tls_ticket_keys *keys, const uint8_t *id, struct tls_ticket_key *key)
{
	for (uint32_t slot = 0; slot < TLS_TICKET_KEYS; slot++)
		if (copy_key(keys, slot, key) && memcmp(key->id, id, TICKET_ID_BYTES) == 0)
			return true;
	return false;
}

bool tls_ticket_unseal(const struct tls_ticket_keys *keys, struct bytes sealed, uint8_t *out,
    size_t out_room, size_t *out_n)
{
	struct tls_ticket_key key;
	EVP_AEAD_CTX aead;
	bool opened = false;

	if (sealed.n < TICKET_HEAD_BYTES + TICKET_TAG_BYTES)
		return false;
	EVP_AEAD_CTX_zero(&aead);
	if (find_key(keys, sealed.p, &key) &&
	    EVP_AEAD_CTX_init(&aead, EVP_aead_xchacha20_poly1305(), key.secret, TICKET_SECRET_BYTES,
	        TICKET_TAG_BYTES, NULL) == 1)
		opened = EVP_AEAD_CTX_open(&aead, out, out_n, out_room, sealed.p + TICKET_ID_BYTES,
		             TICKET_NONCE_BYTES, sealed.p + TICKET_HEAD_BYTES,
		             sealed.n - TICKET_HEAD_BYTES, key.id, TICKET_ID_BYTES) == 1;
	EVP_AEAD_CTX_cleanup(&aead);
	bytes_wipe(&key, sizeof(key));
	ERR_clear_error();
	return opened;
}
