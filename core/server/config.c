#include "core/server/config.h"

#include <arpa/inet.h>
#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/server/config_table.h"

enum {
	CONFIG_OPTIONS_MAX = 32,               /* in one section */
	CONFIG_PEM_BYTES_MAX = 1024 * 1024,    /* a certificate chain or key */
};

/* The library's callbacks get no argument of ours; reading happens once, at start, on one thread. */
static char *error_text;
static size_t error_size;

static void *field_of(struct config *config, const struct config_key *key)
{
	return (char *)config + key->offset;
}

/* How many letters must change to make one word of the other. Short words only. */
static unsigned word_distance(const char *a, const char *b)
{
	enum { WORD_MAX = 48 };
	unsigned row[WORD_MAX + 1];
	size_t na = strlen(a);
	size_t nb = strlen(b);

	if (na > WORD_MAX || nb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= nb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[nb];
}

static const char *nearest_key(const char *word, const cfg_opt_t *opts)
{
	const char *nearest = "";
	unsigned least = UINT32_MAX;

	for (; opts->name != NULL; opts++) {
		unsigned distance = word_distance(word, opts->name);

		if (distance < least) {
			least = distance;
			nearest = opts->name;
		}
	}
	return nearest;
}

/* The library tells of an unknown key as "no such option 'x'". */
static void on_error(cfg_t *cfg, const char *format, va_list args)
{
	char text[512];
	const char *file = cfg != NULL && cfg->filename != NULL ? cfg->filename : "config";
	int line = cfg != NULL ? cfg->line : 0;

	if (error_text[0] != '\0')
		return; /* the first one is the cause */
	vsnprintf(text, sizeof(text), format, args);
	int n = snprintf(error_text, error_size, "%s:%d: %s", file, line, text);
	char *from = strstr(text, "no such option '");

	if (from == NULL || cfg == NULL || n < 0 || (size_t)n >= error_size)
		return;
	from += strlen("no such option '");
	char *end = strchr(from, '\'');

	if (end == NULL)
		return;
	*end = '\0';
	snprintf(error_text, error_size, "%s:%d: unknown key \"%s\"; the nearest is \"%s\"", file, line, from,
		nearest_key(from, cfg->opts));
}

static cfg_opt_t option_of(const struct config_key *key)
{
	cfg_opt_t list = CFG_STR_LIST(key->name, NULL, CFGF_NONE);
	cfg_opt_t text = CFG_STR(key->name, key->initial, CFGF_NONE);

	return key->kind == CONFIG_LIST ? list : text;
}

/* The options of a section, from the table; the caller has zeroed room for them all and the end mark. */
static size_t fill_options(const char *section, cfg_opt_t *opts)
{
	size_t n = 0;

	for (size_t i = 0; i < config_keys_count; i++) {
		const struct config_key *key = &config_keys[i];
		bool here = section == NULL ? key->section == NULL
					    : key->section != NULL && strcmp(section, key->section) == 0;

		if (!here)
			continue;
		RP_ASSERT(n < CONFIG_OPTIONS_MAX - 8);
		opts[n++] = option_of(key);
	}
	return n;
}

static enum rp_err set_bool(bool *field, const char *text)
{
	if (strcmp(text, "true") == 0 || strcmp(text, "yes") == 0 || strcmp(text, "on") == 0)
		*field = true;
	else if (strcmp(text, "false") == 0 || strcmp(text, "no") == 0 || strcmp(text, "off") == 0)
		*field = false;
	else
		return RP_ERR_SYNTAX;
	return RP_OK;
}

static enum rp_err set_list(struct config_list *list, cfg_t *section, const char *name)
{
	unsigned count = cfg_size(section, name);

	if (count > CONFIG_LIST_MAX)
		return RP_ERR_LIMIT;
	list->word = calloc(count + 1, sizeof(char *));
	if (list->word == NULL)
		return RP_ERR_NOMEM;
	for (unsigned i = 0; i < count; i++) {
		list->word[i] = strdup(cfg_getnstr(section, name, i));
		if (list->word[i] == NULL)
			return RP_ERR_NOMEM;
		list->count++;
	}
	return RP_OK;
}

static enum rp_err set_text(char **field, const char *text)
{
	if (text == NULL || strlen(text) > CONFIG_TEXT_BYTES_MAX)
		return RP_ERR_LIMIT;
	*field = strdup(text);
	return *field != NULL ? RP_OK : RP_ERR_NOMEM;
}

static enum rp_err set_number(uint64_t *field, const struct config_key *key, const char *text)
{
	uint64_t value;

	if (!config_number(key->kind, bytes_of_str(text), &value))
		return RP_ERR_SYNTAX;
	if (value < key->least || value > key->greatest)
		return RP_ERR_LIMIT;
	*field = value;
	return RP_OK;
}

static enum rp_err set_key(struct config *config, const struct config_key *key, cfg_t *section)
{
	const char *text = key->kind == CONFIG_LIST ? NULL : cfg_getstr(section, key->name);

	switch (key->kind) {
	case CONFIG_LIST:
		return set_list(field_of(config, key), section, key->name);
	case CONFIG_TEXT:
		return set_text(field_of(config, key), text);
	case CONFIG_BOOL:
		return set_bool(field_of(config, key), text);
	case CONFIG_COUNT:
	case CONFIG_SIZE:
	case CONFIG_TIME:
		break;
	}
	return set_number(field_of(config, key), key, text);
}

static enum rp_err set_keys(struct config *config, cfg_t *root)
{
	for (size_t i = 0; i < config_keys_count; i++) {
		const struct config_key *key = &config_keys[i];
		cfg_t *section = key->section == NULL ? root : cfg_getsec(root, key->section);
		enum rp_err err = set_key(config, key, section);

		if (err == RP_OK)
			continue;
		const char *value = key->kind == CONFIG_LIST ? "(list)" : cfg_getstr(section, key->name);

		if (err == RP_ERR_LIMIT && key->kind != CONFIG_TEXT && key->kind != CONFIG_LIST)
			snprintf(error_text, error_size,
				"%s = %s is out of its bounds (%llu to %llu%s): see `ringpost config explain`",
				key->name, value, (unsigned long long)key->least,
				(unsigned long long)key->greatest,
				key->kind == CONFIG_SIZE  ? " bytes"
				: key->kind == CONFIG_TIME ? " ms"
							   : "");
		else
			snprintf(error_text, error_size, "%s = %s cannot be read: see `ringpost config explain`",
				key->name, value);
		return err;
	}
	return RP_OK;
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

static enum rp_err set_listen(struct config *config, cfg_t *root)
{
	static const char *const protocols[] = { "imap", "imaps", "lmtp", NULL };
	static const uint16_t ports[] = { 143, 993, 24 };
	unsigned count = cfg_size(root, "listen");

	if (count > CONFIG_LISTEN_MAX) {
		snprintf(error_text, error_size, "more than %d listen sections", CONFIG_LISTEN_MAX);
		return RP_ERR_LIMIT;
	}
	for (unsigned i = 0; i < count; i++) {
		cfg_t *section = cfg_getnsec(root, "listen", i);
		struct config_listen *listen = &config->listen[config->listen_count];
		const char *protocol = cfg_getstr(section, "protocol");
		const char *path = cfg_getstr(section, "path");
		long port = cfg_getint(section, "port");
		uint8_t ip[16];

		if (protocol == NULL || !is_one_of(protocol, protocols)) {
			snprintf(error_text, error_size, "listen %s: protocol is imap, imaps or lmtp",
				cfg_title(section));
			return RP_ERR_SYNTAX;
		}
		listen->protocol = strcmp(protocol, "imap") == 0 ? CONFIG_IMAP
				 : strcmp(protocol, "imaps") == 0 ? CONFIG_IMAPS
								  : CONFIG_LMTP;
		if (port < 0 || port > 65535) {
			snprintf(error_text, error_size, "listen %s: port %ld is not a port",
				cfg_title(section), port);
			return RP_ERR_SYNTAX;
		}
		listen->port = port != 0 ? (uint16_t)port : ports[listen->protocol];
		listen->proxy_protocol = cfg_getbool(section, "proxy_protocol") == cfg_true;
		const char *address = cfg_getstr(section, "address");

		if (path == NULL && inet_pton(AF_INET, address, ip) != 1 && inet_pton(AF_INET6, address, ip) != 1) {
			snprintf(error_text, error_size, "listen %s: address \"%s\" is not an IP address",
				cfg_title(section), address);
			return RP_ERR_SYNTAX;
		}
		config->listen_count++;
		listen->name = strdup(cfg_title(section));
		listen->address = path == NULL ? strdup(address) : NULL;
		listen->path = path != NULL ? strdup(path) : NULL;
		if (listen->name == NULL || (listen->address == NULL && listen->path == NULL))
			return RP_ERR_NOMEM;
	}
	return RP_OK;
}

static enum rp_err set_tls(struct config *config, cfg_t *root)
{
	unsigned count = cfg_size(root, "tls");

	if (count > CONFIG_TLS_MAX) {
		snprintf(error_text, error_size, "more than %d tls sections", CONFIG_TLS_MAX);
		return RP_ERR_LIMIT;
	}
	for (unsigned i = 0; i < count; i++) {
		cfg_t *section = cfg_getnsec(root, "tls", i);
		struct config_tls *tls = &config->tls[config->tls_count++];

		tls->name = strdup(cfg_title(section));
		tls->cert_path = strdup(cfg_getstr(section, "cert"));
		tls->key_path = strdup(cfg_getstr(section, "key"));
		if (tls->name == NULL || tls->cert_path == NULL || tls->key_path == NULL)
			return RP_ERR_NOMEM;
	}
	return RP_OK;
}

/* What no single key can say. */
static enum rp_err check_whole(const struct config *config)
{
	static const char *const levels[] = { "debug", "info", "warn", "error", NULL };
	static const char *const formats[] = { "text", "json", NULL };

	if (!is_one_of(config->log_level, levels)) {
		snprintf(error_text, error_size, "log level \"%s\": debug, info, warn or error", config->log_level);
		return RP_ERR_SYNTAX;
	}
	if (!is_one_of(config->log_format, formats)) {
		snprintf(error_text, error_size, "log format \"%s\": text or json", config->log_format);
		return RP_ERR_SYNTAX;
	}
	if (config->listen_count == 0) {
		snprintf(error_text, error_size,
			"nothing listens: add a section such as  listen imaps { protocol = imaps }");
		return RP_ERR_SYNTAX;
	}
	for (size_t i = 0; i < config->listen_count; i++)
		if (config->listen[i].protocol == CONFIG_IMAPS && config->tls_count == 0) {
			snprintf(error_text, error_size, "listen %s speaks TLS, but there is no certificate: add  "
				"tls default { cert = \"/etc/ringpost/tls/cert.pem\" key = \"/etc/ringpost/tls/key.pem\" }",
				config->listen[i].name);
			return RP_ERR_SYNTAX;
		}
	return RP_OK;
}

/* libconfuse ends the process when it cannot read what it has opened, and reads a device for ever. NULL: it is a file. */
static const char *why_no_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return strerror(errno);
	return S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode) ? NULL : "not a file";
}

static int include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
	const char *why = argc == 1 ? why_no_file(argv[0]) : NULL;

	if (why == NULL)
		return cfg_include(cfg, opt, argc, argv);
	cfg_error(cfg, "%s: cannot be read: %s", argv[0], why);
	return -1;
}

static enum rp_err read_sections(struct config *config, const char *path)
{
	static const char *const names[] = { "auth", "storage", "limits", "lmtp", "log" };
	cfg_opt_t listen[] = { CFG_STR("protocol", NULL, CFGF_NONE), CFG_STR("address", "0.0.0.0", CFGF_NONE),
		CFG_INT("port", 0, CFGF_NONE), CFG_STR("path", NULL, CFGF_NONE),
		CFG_BOOL("proxy_protocol", cfg_false, CFGF_NONE), CFG_END() };
	cfg_opt_t tls[] = { CFG_STR("cert", "/etc/ringpost/tls/cert.pem", CFGF_NONE),
		CFG_STR("key", "/etc/ringpost/tls/key.pem", CFGF_NONE), CFG_END() };
	cfg_opt_t sections[5][CONFIG_OPTIONS_MAX] = { { { 0 } } };
	cfg_opt_t root[CONFIG_OPTIONS_MAX] = { { 0 } };
	size_t n = fill_options(NULL, root);
	const char *why = why_no_file(path);

	if (why != NULL) {
		snprintf(error_text, error_size, "%s: cannot be read: %s", path, why);
		return RP_ERR_NOTFOUND;
	}
	for (size_t i = 0; i < 5; i++) {
		cfg_opt_t section = CFG_SEC(names[i], sections[i], CFGF_NONE);

		fill_options(names[i], sections[i]);
		root[n++] = section;
	}
	root[n++] = (cfg_opt_t)CFG_SEC("listen", listen, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
	root[n++] = (cfg_opt_t)CFG_SEC("tls", tls, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
	root[n++] = (cfg_opt_t)CFG_FUNC("include", &include);

	cfg_t *cfg = cfg_init(root, CFGF_NONE);

	if (cfg == NULL)
		return RP_ERR_NOMEM;
	cfg_set_error_function(cfg, on_error);
	int parsed = cfg_parse(cfg, path);
	enum rp_err err = RP_OK;

	if (parsed == CFG_FILE_ERROR) {
		snprintf(error_text, error_size, "%s: cannot be read: %s", path, strerror(errno));
		err = RP_ERR_NOTFOUND;
	} else if (parsed != CFG_SUCCESS) {
		err = RP_ERR_SYNTAX;
	}
	if (err == RP_OK)
		err = set_keys(config, cfg);
	if (err == RP_OK)
		err = set_listen(config, cfg);
	if (err == RP_OK)
		err = set_tls(config, cfg);
	cfg_free(cfg);
	return err;
}

static enum rp_err own_hostname(char **hostname)
{
	char name[256] = "localhost";

	(void)!gethostname(name, sizeof(name) - 1);
	free(*hostname);
	*hostname = strdup(name);
	return *hostname != NULL ? RP_OK : RP_ERR_NOMEM;
}

/* The library quotes what it found; a quoted line end or escape must not reach the terminal. */
static void make_one_line(char *text)
{
	for (; *text != '\0'; text++)
		if ((uint8_t)*text < ' ' || *text == 0x7f)
			*text = '?';
}

/* The settings go to the children as JSON. */
static enum rp_err check_texts(const struct config *config, const char *path)
{
	char *text = NULL;
	enum rp_err err = config_to_json(config, &text);

	if (err == RP_ERR_SYNTAX)
		snprintf(error_text, error_size, "%s: there is a text in it that is not UTF-8", path);
	free(text);
	return err;
}

enum rp_err config_read(const char *path, struct config **out, char *reason, size_t reason_size)
{
	struct config *config = calloc(1, sizeof(*config));
	enum rp_err err = config != NULL ? RP_OK : RP_ERR_NOMEM;

	RP_ASSERT(reason_size > 0);
	reason[0] = '\0';
	error_text = reason;
	error_size = reason_size;
	if (err == RP_OK)
		err = read_sections(config, path);
	if (err == RP_OK)
		err = check_whole(config);
	if (err == RP_OK && config->hostname[0] == '\0')
		err = own_hostname(&config->hostname);
	if (err == RP_OK)
		err = check_texts(config, path);
	if (err != RP_OK) {
		if (reason[0] == '\0')
			snprintf(reason, reason_size, "%s: %s", path, err_name(err));
		make_one_line(reason);
		config_free(config);
		return err;
	}
	*out = config;
	return RP_OK;
}

static void free_secret(char *text)
{
	if (text != NULL)
		bytes_wipe(text, strlen(text));
	free(text);
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	for (size_t i = 0; i < config_keys_count; i++) {
		void *field = field_of(config, &config_keys[i]);

		if (config_keys[i].kind == CONFIG_TEXT) {
			free(*(char **)field);
		} else if (config_keys[i].kind == CONFIG_LIST) {
			struct config_list *list = field;

			for (size_t w = 0; w < list->count; w++)
				free(list->word[w]);
			free(list->word);
		}
	}
	for (size_t i = 0; i < config->listen_count; i++) {
		free(config->listen[i].name);
		free(config->listen[i].address);
		free(config->listen[i].path);
	}
	for (size_t i = 0; i < config->tls_count; i++) {
		free(config->tls[i].name);
		free(config->tls[i].cert_path);
		free(config->tls[i].key_path);
		free(config->tls[i].cert_pem);
		free_secret(config->tls[i].key_pem);
	}
	free(config);
}

static enum rp_err read_pem(const char *path, char **out, char *reason, size_t reason_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > CONFIG_PEM_BYTES_MAX) {
		snprintf(reason, reason_size,
			"%s: cannot be read as a certificate or key (%s); see the tls section of the config", path,
			fd < 0 ? strerror(errno) : "its size");
		if (fd >= 0)
			close(fd);
		return RP_ERR_NOTFOUND;
	}
	char *text = calloc(1, (size_t)st.st_size + 1);
	ssize_t n = text != NULL ? pread(fd, text, (size_t)st.st_size, 0) : -1;

	close(fd);
	if (n != st.st_size) {
		free_secret(text);
		snprintf(reason, reason_size, "%s: changed while it was read", path);
		return RP_ERR_IO;
	}
	*out = text;
	return RP_OK;
}

enum rp_err config_read_tls(struct config *config, char *reason, size_t reason_size)
{
	for (size_t i = 0; i < config->tls_count; i++) {
		struct config_tls *tls = &config->tls[i];
		enum rp_err err = read_pem(tls->cert_path, &tls->cert_pem, reason, reason_size);

		if (err == RP_OK)
			err = read_pem(tls->key_path, &tls->key_pem, reason, reason_size);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

void config_explain(FILE *to)
{
	static const char *const kinds[] = { "text", "true or false", "number", "size (KiB MiB GiB)",
		"time (ms s m h d)", "list { \"a\", \"b\" }" };
	const char *section = NULL;

	for (size_t i = 0; i < config_keys_count; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->section != NULL && (section == NULL || strcmp(section, key->section) != 0))
			fprintf(to, "%s {}\n", key->section);
		section = key->section;
		fprintf(to, "%s%s = %s\n        %s; %s\n", section != NULL ? "    " : "", key->name,
			key->kind == CONFIG_LIST ? "{}" : key->initial[0] == '\0' ? "\"\"" : key->initial,
			key->meaning, kinds[key->kind]);
	}
	fprintf(to, "listen NAME {}      a listening socket; as many as you like\n"
		    "    protocol = imaps      imap (with STARTTLS), imaps or lmtp\n"
		    "    address = 0.0.0.0     an IPv4 or IPv6 address\n"
		    "    port = 993            default by protocol: 143, 993, 24\n"
		    "    path = \"\"             a unix socket in place of address and port\n"
		    "    proxy_protocol = false    a PROXY v2 header comes first, from trusted_networks\n"
		    "tls NAME {}         a certificate; the first serves who names no other\n"
		    "    cert = /etc/ringpost/tls/cert.pem     the whole chain\n"
		    "    key = /etc/ringpost/tls/key.pem\n"
		    "include(\"FILE\")\n");
}
