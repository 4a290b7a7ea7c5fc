#include "core/server/reload.h"

#include <stdlib.h>

#include "core/server/config_table.h"
#include "io/base/clock.h"

static bool is(const struct config_key *key, const char *section, const char *name)
{
	return key->section != NULL && strcmp(key->section, section) == 0 && (name == NULL || strcmp(key->name, name) == 0);
}

/* Does a shard take it while it runs? */
static bool is_live(const struct config_key *key)
{
	return is(key, "limits", NULL) || is(key, "lmtp", NULL) || is(key, "auth", "plaintext_login") ||
	       is(key, "storage", "keep_expunged");
}

/* Does the auth process? */
static bool is_auths(const struct config_key *key)
{
	return is(key, "auth", "passwd") || is(key, "auth", "domains") || is(key, "auth", "master_users");
}

static size_t size_of(enum config_kind kind)
{
	switch (kind) {
	case CONFIG_TEXT:
		return sizeof(char *);
	case CONFIG_BOOL:
		return sizeof(bool);
	case CONFIG_LIST:
		return sizeof(struct config_list);
	default:
		return sizeof(uint64_t);
	}
}

static bool list_same(const struct config_list *a, const struct config_list *b)
{
	bool same = a->count == b->count;

	for (size_t i = 0; i < a->count && same; i++)
		same = strcmp(a->word[i], b->word[i]) == 0;
	return same;
}

static bool value_same(enum config_kind kind, const void *a, const void *b)
{
	if (kind == CONFIG_TEXT)
		return strcmp(*(char *const *)a, *(char *const *)b) == 0;
	if (kind == CONFIG_LIST)
		return list_same(a, b);
	return memcmp(a, b, size_of(kind)) == 0;
}

static void swap(void *a, void *b, size_t n)
{
	uint8_t room[sizeof(struct config_listen)];

	RP_ASSERT(n <= sizeof(room));
	memcpy(room, a, n);
	memcpy(a, b, n);
	memcpy(b, room, n);
}

static bool text_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool listen_same(const struct config *a, const struct config *b)
{
	bool same = a->listen_count == b->listen_count;

	for (size_t i = 0; i < a->listen_count && same; i++) {
		const struct config_listen *x = &a->listen[i];
		const struct config_listen *y = &b->listen[i];

		same = text_same(x->name, y->name) && x->protocol == y->protocol && text_same(x->address, y->address) &&
		       x->port == y->port && text_same(x->path, y->path) && x->mode == y->mode &&
		       text_same(x->group, y->group) && x->proxy_protocol == y->proxy_protocol;
	}
	return same;
}

static void add_name(char *names, size_t size, const char *section, const char *name)
{
	size_t n = strlen(names);

	snprintf(names + n, size - n, "%s%s%s%s", n > 0 ? " " : "", section != NULL ? section : "", section != NULL ? "." : "",
		name);
}

void reload_keep(struct config *config, struct config *old, char *names, size_t names_size)
{
	names[0] = '\0';
	for (size_t i = 0; i < config_keys_count; i++) {
		const struct config_key *key = &config_keys[i];
		void *a = (char *)config + key->offset;
		void *b = (char *)old + key->offset;

		if (is_live(key) || is_auths(key) || value_same(key->kind, a, b))
			continue;
		add_name(names, names_size, key->section, key->name);
		swap(a, b, size_of(key->kind));
	}
	if (listen_same(config, old))
		return;
	add_name(names, names_size, NULL, "listen");
	for (size_t i = 0; i < CONFIG_LISTEN_MAX; i++)
		swap(&config->listen[i], &old->listen[i], sizeof(struct config_listen));
	swap(&config->listen_count, &old->listen_count, sizeof(size_t));
}

void reload_take(struct config *config, const struct config *from)
{
	for (size_t i = 0; i < config_keys_count; i++) {
		const struct config_key *key = &config_keys[i];

		if (!is_live(key))
			continue;
		RP_ASSERT(key->kind != CONFIG_TEXT && key->kind != CONFIG_LIST); /* these are not owned by who has the copy */
		memcpy((char *)config + key->offset, (const char *)from + key->offset, size_of(key->kind));
	}
}

enum rp_err reload_tls(const struct config *config, struct tls_ctx **out, char text[TLS_CTX_TEXT_BYTES])
{
	struct tls_ctx_cert *certs = calloc(config->tls_count + 1, sizeof(*certs));

	text[0] = '\0';
	*out = NULL;
	if (certs == NULL) {
		snprintf(text, TLS_CTX_TEXT_BYTES, "out of memory");
		return RP_ERR_NOMEM;
	}
	for (size_t i = 0; i < config->tls_count; i++)
		certs[i] = (struct tls_ctx_cert){
			.name = config->tls[i].cert_path,
			.chain_pem = bytes_of_str(config->tls[i].cert_pem),
			.key_pem = bytes_of_str(config->tls[i].key_pem),
		};
	enum rp_err err = RP_OK;

	if (config->tls_count > 0)
		err = tls_ctx_open(certs, config->tls_count, clock_wall_ns() / CLOCK_NS_PER_S, out, text);
	free(certs);
	return err;
}
