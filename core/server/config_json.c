/* The settings on their way from the supervisor to its children: the same table, as JSON. */
#include <jansson.h>
#include <stdlib.h>

#include "core/server/config.h"
#include "core/server/config_table.h"

/* The library says so by NULL, here as below, where a text is no UTF-8 or there is no memory. */
static json_t *list_to_json(const struct config_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++) {
		if (json_array_append_new(array, json_string(list->word[i])) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *key_to_json(const struct config *config, const struct config_key *key)
{
	const void *field = (const char *)config + key->offset;

	switch (key->kind) {
	case CONFIG_TEXT:
		return json_string(*(char *const *)field);
	case CONFIG_BOOL:
		return json_boolean(*(const bool *)field);
	case CONFIG_LIST:
		return list_to_json(field);
	default:
		return json_integer((json_int_t) * (const uint64_t *)field);
	}
}

enum rp_err config_to_json(const struct config *config, char **text)
{
	json_t *root = json_object();
	json_t *listen = json_array();
	json_t *tls = json_array();
	bool failed = false;

	for (size_t i = 0; i < config_keys_count; i++) {
		char name[128];

		snprintf(name, sizeof(name), "%s.%s",
			config_keys[i].section != NULL ? config_keys[i].section : "", config_keys[i].name);
		failed |= json_object_set_new(root, name, key_to_json(config, &config_keys[i])) != 0;
	}
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct config_listen *l = &config->listen[i];

		failed |= json_array_append_new(listen,
			      json_pack("{s:s, s:i, s:s?, s:i, s:s?, s:b}", "name", l->name, "protocol", (int)l->protocol,
				  "address", l->address, "port", (int)l->port, "path", l->path, "proxy",
				  (int)l->proxy_protocol)) != 0;
	}
	for (size_t i = 0; i < config->tls_count; i++)
		failed |= json_array_append_new(tls,
			      json_pack("{s:s, s:s, s:s, s:s?, s:s?}", "name", config->tls[i].name, "cert_path",
				  config->tls[i].cert_path, "key_path", config->tls[i].key_path, "cert",
				  config->tls[i].cert_pem, "key", config->tls[i].key_pem)) != 0;
	json_object_set_new(root, "listen", listen);
	json_object_set_new(root, "tls", tls);
	*text = failed ? NULL : json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (failed)
		return RP_ERR_SYNTAX;
	return *text != NULL ? RP_OK : RP_ERR_NOMEM;
}

/* A copy of a JSON string; NULL for null. */
static char *text_of(const json_t *value)
{
	return json_is_string(value) ? strdup(json_string_value(value)) : NULL;
}

static enum rp_err list_of_json(const json_t *array, struct config_list *list)
{
	size_t count = json_array_size(array);

	list->word = calloc(count + 1, sizeof(char *));
	if (list->word == NULL)
		return RP_ERR_NOMEM;
	for (; list->count < count; list->count++) {
		list->word[list->count] = text_of(json_array_get(array, list->count));
		if (list->word[list->count] == NULL)
			return RP_ERR_SYNTAX;
	}
	return RP_OK;
}

static enum rp_err key_of_json(const json_t *value, void *field, enum config_kind kind)
{
	switch (kind) {
	case CONFIG_TEXT:
		*(char **)field = text_of(value);
		return *(char **)field != NULL ? RP_OK : RP_ERR_SYNTAX;
	case CONFIG_BOOL:
		*(bool *)field = json_is_true(value);
		return json_is_boolean(value) ? RP_OK : RP_ERR_SYNTAX;
	case CONFIG_LIST:
		return list_of_json(value, field);
	default:
		*(uint64_t *)field = (uint64_t)json_integer_value(value);
		return json_is_integer(value) ? RP_OK : RP_ERR_SYNTAX;
	}
}

static enum rp_err listen_of_json(const json_t *value, struct config_listen *listen)
{
	listen->name = text_of(json_object_get(value, "name"));
	listen->protocol = (enum config_protocol)json_integer_value(json_object_get(value, "protocol"));
	listen->address = text_of(json_object_get(value, "address"));
	listen->port = (uint16_t)json_integer_value(json_object_get(value, "port"));
	listen->path = text_of(json_object_get(value, "path"));
	listen->proxy_protocol = json_is_true(json_object_get(value, "proxy"));
	return listen->name != NULL && listen->protocol < CONFIG_PROTOCOL_COUNT ? RP_OK : RP_ERR_SYNTAX;
}

static enum rp_err tls_of_json(const json_t *value, struct config_tls *tls)
{
	tls->name = text_of(json_object_get(value, "name"));
	tls->cert_path = text_of(json_object_get(value, "cert_path"));
	tls->key_path = text_of(json_object_get(value, "key_path"));
	tls->cert_pem = text_of(json_object_get(value, "cert"));
	tls->key_pem = text_of(json_object_get(value, "key"));
	return tls->name != NULL ? RP_OK : RP_ERR_SYNTAX;
}

static enum rp_err fill_of_json(const json_t *root, struct config *config)
{
	const json_t *listen = json_object_get(root, "listen");
	const json_t *tls = json_object_get(root, "tls");

	for (size_t i = 0; i < config_keys_count; i++) {
		const struct config_key *key = &config_keys[i];
		char name[128];

		snprintf(name, sizeof(name), "%s.%s", key->section != NULL ? key->section : "", key->name);
		enum rp_err err =
			key_of_json(json_object_get(root, name), (char *)config + key->offset, key->kind);

		if (err != RP_OK)
			return err;
	}
	if (json_array_size(listen) > CONFIG_LISTEN_MAX || json_array_size(tls) > CONFIG_TLS_MAX)
		return RP_ERR_LIMIT;
	for (size_t i = 0; i < json_array_size(listen); i++)
		if (listen_of_json(json_array_get(listen, i), &config->listen[config->listen_count++]) != RP_OK)
			return RP_ERR_SYNTAX;
	for (size_t i = 0; i < json_array_size(tls); i++)
		if (tls_of_json(json_array_get(tls, i), &config->tls[config->tls_count++]) != RP_OK)
			return RP_ERR_SYNTAX;
	return RP_OK;
}

enum rp_err config_of_json(struct bytes text, struct config **out)
{
	json_t *root = json_loadb((const char *)text.p, text.n, 0, NULL);
	struct config *config = calloc(1, sizeof(*config));
	enum rp_err err = root == NULL ? RP_ERR_SYNTAX : config == NULL ? RP_ERR_NOMEM : RP_OK;

	if (err == RP_OK)
		err = fill_of_json(root, config);
	json_decref(root);
	if (err != RP_OK) {
		config_free(config);
		return err;
	}
	*out = config;
	return RP_OK;
}
