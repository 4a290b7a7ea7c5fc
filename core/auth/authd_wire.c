#include "core/auth/authd_wire.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* Settings as read: they and the JSON that their texts lie in live and end together. */
struct held {
	struct authd_wire_settings settings;
	json_t *root;
};

/* ---- writing ---- */

static json_t *list_to_json(const struct authd_wire_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(
		    array, json_stringn((const char *)list->items[i].p, list->items[i].n));
	return array;
}

static struct bytes dump(json_t *root)
{
	char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
	struct bytes message = {(const uint8_t *)text, text != NULL ? strlen(text) : 0};

	json_decref(root);
	if (message.n > AUTHD_WIRE_BYTES_MAX) {
		free(text);
		return (struct bytes){NULL, 0};
	}
	return message;
}

struct bytes authd_wire_put_settings(const struct authd_wire_settings *s)
{
	return dump(json_pack("{s:i, s:s, s:i, s:i, s:o, s:o, s:I, s:I, s:i, s:i}", "version", 1,
	    "passwd", s->passwd, "threads", (int)s->threads, "queue", (int)s->queue, "domains",
	    list_to_json(&s->domains), "masters", list_to_json(&s->masters), "uid",
	    (json_int_t)s->uid, "gid", (json_int_t)s->gid, "log_level", (int)s->log_level,
	    "log_format", (int)s->log_format));
}

struct bytes authd_wire_put_status(const struct authd_wire_status *status)
{
	return dump(json_pack("{s:i, s:b, s:I, s:s}", "version", 1, "ready", (int)status->ready,
	    "users", (json_int_t)status->users, "text", status->text));
}

void authd_wire_free(struct bytes message)
{
	free((void *)(uintptr_t)message.p);
}

/* ---- reading ---- */

static enum rp_err bad(char text[AUTHD_WIRE_TEXT_BYTES_MAX], const char *key, const char *what)
{
	snprintf(text, AUTHD_WIRE_TEXT_BYTES_MAX, "settings: %s %s", key, what);
	return RP_ERR_SYNTAX;
}

static enum rp_err get_uint(
    const json_t *root, const char *key, uint64_t max, uint64_t *out, char *text)
{
	const json_t *value = json_object_get(root, key);
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 0 || (uint64_t)n > max)
		return bad(text, key, "is missing or out of range");
	*out = (uint64_t)n;
	return RP_OK;
}

static int compare_items(const void *a, const void *b)
{
	return bytes_cmp_fold(*(const struct bytes *)a, *(const struct bytes *)b);
}

static enum rp_err get_list(
    const json_t *root, const char *key, struct authd_wire_list *out, char *text)
{
	const json_t *array = json_object_get(root, key);
	size_t count = json_array_size(array);

	if (!json_is_array(array) || count > AUTHD_WIRE_LIST_MAX)
		return bad(text, key, "is no list, or too long");
	out->items = calloc(count + 1, sizeof(struct bytes));
	if (out->items == NULL)
		return RP_ERR_NOMEM;
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_array_get(array, i);

		if (json_string_length(item) == 0)
			return bad(text, key, "has an item that is no text");
		out->items[out->count++] =
		    bytes_of(json_string_value(item), json_string_length(item));
	}
	qsort(out->items, count, sizeof(struct bytes), compare_items);
	return RP_OK;
}

static enum rp_err get_all(struct held *held, char *text)
{
	struct authd_wire_settings *s = &held->settings;
	const json_t *root = held->root;
	uint64_t version = 0, threads = 0, queue = 0, uid = 0, gid = 0, level = 0, format = 0;
	enum rp_err err = get_uint(root, "version", 1, &version, text);

	if (err == RP_OK && version != 1)
		err = bad(text, "version", "is not 1");
	if (err == RP_OK)
		err = get_uint(root, "threads", AUTHD_WIRE_THREADS_MAX, &threads, text);
	if (err == RP_OK)
		err = get_uint(root, "queue", AUTHD_WIRE_QUEUE_MAX, &queue, text);
	if (err == RP_OK)
		err = get_uint(root, "uid", UINT32_MAX - 1, &uid, text);
	if (err == RP_OK)
		err = get_uint(root, "gid", UINT32_MAX - 1, &gid, text);
	if (err == RP_OK)
		err = get_uint(root, "log_level", LOG_ERROR, &level, text);
	if (err == RP_OK)
		err = get_uint(root, "log_format", LOG_JSON, &format, text);
	if (err == RP_OK)
		err = get_list(root, "domains", &s->domains, text);
	if (err == RP_OK)
		err = get_list(root, "masters", &s->masters, text);
	s->passwd = json_string_value(json_object_get(root, "passwd"));
	if (err == RP_OK && (s->passwd == NULL || s->passwd[0] == '\0' ||
	                        strlen(s->passwd) > AUTHD_WIRE_PATH_BYTES_MAX))
		err = bad(text, "passwd", "is missing or too long");
	s->threads = (unsigned)threads;
	s->queue = (unsigned)queue;
	s->uid = (uint32_t)uid;
	s->gid = (uint32_t)gid;
	s->log_level = (enum log_level)level;
	s->log_format = (enum log_format)format;
	return err;
}

enum rp_err authd_wire_get_settings(
    struct bytes message, struct authd_wire_settings **out, char text[AUTHD_WIRE_TEXT_BYTES_MAX])
{
	json_error_t error;
	struct held *held = calloc(1, sizeof(*held));

	text[0] = '\0';
	if (held == NULL)
		return RP_ERR_NOMEM;
	if (message.n <= AUTHD_WIRE_BYTES_MAX)
		held->root =
		    json_loadb((const char *)message.p, message.n, JSON_REJECT_DUPLICATES, &error);
	enum rp_err err =
	    held->root != NULL ? get_all(held, text) : bad(text, "message", "is not JSON");

	if (err != RP_OK) {
		authd_wire_free_settings(&held->settings);
		return err;
	}
	*out = &held->settings;
	return RP_OK;
}

void authd_wire_free_settings(struct authd_wire_settings *settings)
{
	if (settings == NULL)
		return;
	struct held *held = RP_CONTAINER_OF(settings, struct held, settings);

	free(settings->domains.items);
	free(settings->masters.items);
	json_decref(held->root);
	free(held);
}

enum rp_err authd_wire_get_status(struct bytes message, struct authd_wire_status *out)
{
	json_t *root = NULL;
	const char *text = NULL;
	json_int_t users = 0;
	int version = 0, ready = 0;
	enum rp_err err = RP_ERR_SYNTAX;

	if (message.n <= AUTHD_WIRE_BYTES_MAX)
		root = json_loadb((const char *)message.p, message.n, JSON_REJECT_DUPLICATES, NULL);
	if (root != NULL &&
	    json_unpack(root, "{s:i, s:b, s:I, s:s}", "version", &version, "ready", &ready, "users",
	        &users, "text", &text) == 0 &&
	    version == 1 && users >= 0) {
		*out = (struct authd_wire_status){.ready = ready != 0, .users = (uint64_t)users};
		snprintf(out->text, sizeof(out->text), "%s", text);
		err = RP_OK;
	}
	json_decref(root);
	return err;
}

bool authd_wire_list_has(const struct authd_wire_list *list, struct bytes item)
{
	return list->count > 0 && bsearch(&item, list->items, list->count, sizeof(struct bytes),
	                              compare_items) != NULL;
}
