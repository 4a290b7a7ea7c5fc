#include "core/server/config.h"

#include <arpa/inet.h>
#include <confuse.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/server/config_quote.h"
#include "core/server/config_table.h"

enum { CONFIG_OPTIONS_MAX = 32 }; /* in one section */

/* The library's callbacks get no argument of ours; reading happens once, at start, on one thread. */
static char *error_text;
static size_t error_size;
static const char *file_path;
static cfg_t *root_cfg;          /* knows which file is being read; a section does not */
static unsigned *keys_checked;   /* how often each of config_keys was */
static unsigned sections_seen;   /* bits, in the order of section_names */

static const char *const section_names[] = { "auth", "storage", "limits", "lmtp", "log" };
enum { SECTIONS = sizeof(section_names) / sizeof(section_names[0]) };

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
	const char *file = cfg != NULL && cfg->filename != NULL		? cfg->filename
			   : root_cfg != NULL && root_cfg->filename != NULL ? root_cfg->filename
									    : file_path;
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

static const struct config_key *find_key(const char *section, const char *name)
{
	for (size_t i = 0; i < config_keys_count; i++) {
		const struct config_key *key = &config_keys[i];

		if (strcmp(key->name, name) == 0 && strcmp(key->section != NULL ? key->section : "root", section) == 0)
			return key;
	}
	return NULL;
}

/* The library calls this with each value that it has read: here the line is known. */
static int check_value(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct config_key *key = find_key(cfg_name(cfg), opt->name);
	unsigned count = cfg_opt_size(opt);
	char room[CONFIG_FAULT_BYTES];

	RP_ASSERT(key != NULL);

	const char *value = count > 0 ? cfg_opt_getnstr(opt, count - 1) : "{}";
	const char *fault = count > 0 ? config_fault(key, value, room) : NULL;

	/* A list is checked after each word, and once more at its end. */
	if (++keys_checked[key - config_keys] > (key->kind == CONFIG_LIST ? count + 1 : 1))
		fault = "it is set twice";
	if (fault == NULL && count > CONFIG_LIST_MAX)
		fault = "there are too many";
	if (fault == NULL)
		return 0;
	cfg_error(cfg, "%s = %s: %s; see `ringpost config explain`", key->name, value, fault);
	return -1;
}

/* A second one would begin with the defaults again. */
static int check_section(cfg_t *cfg, cfg_opt_t *opt)
{
	for (unsigned i = 0; i < SECTIONS; i++) {
		if (strcmp(opt->name, section_names[i]) != 0)
			continue;
		if ((sections_seen & 1u << i) != 0) {
			cfg_error(cfg, "there are two sections %s: put them together", opt->name);
			return -1;
		}
		sections_seen |= 1u << i;
	}
	return 0;
}

static cfg_opt_t option_of(const struct config_key *key)
{
	cfg_opt_t list = CFG_STR_LIST(key->name, NULL, CFGF_NONE);
	cfg_opt_t text = CFG_STR(key->name, key->initial, CFGF_NONE);
	cfg_opt_t opt = key->kind == CONFIG_LIST ? list : text;

	opt.validcb = check_value;
	return opt;
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

static enum rp_err set_list(struct config_list *list, cfg_t *section, const char *name)
{
	unsigned count = cfg_size(section, name);

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
	*field = strdup(text);
	return *field != NULL ? RP_OK : RP_ERR_NOMEM;
}

/* check_value() has seen them all. */
static enum rp_err set_key(struct config *config, const struct config_key *key, cfg_t *section)
{
	const char *text = key->kind == CONFIG_LIST ? NULL : cfg_getstr(section, key->name);

	switch (key->kind) {
	case CONFIG_LIST:
		return set_list(field_of(config, key), section, key->name);
	case CONFIG_TEXT:
		return set_text(field_of(config, key), text);
	case CONFIG_BOOL:
		return config_bool(text, field_of(config, key));
	case CONFIG_COUNT:
	case CONFIG_SIZE:
	case CONFIG_TIME:
		break;
	}
	return config_number(key->kind, bytes_of_str(text), field_of(config, key)) ? RP_OK : RP_ERR_SYNTAX;
}

static enum rp_err set_keys(struct config *config, cfg_t *root)
{
	for (size_t i = 0; i < config_keys_count; i++) {
		const struct config_key *key = &config_keys[i];
		cfg_t *section = key->section == NULL ? root : cfg_getsec(root, key->section);
		enum rp_err err = set_key(config, key, section);

		if (err != RP_OK)
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

/* Where the clients find it. What was allocated when it fails config_free() takes. */
static enum rp_err set_place(struct config_listen *listen, cfg_t *section)
{
	const char *address = cfg_getstr(section, "address");
	const char *path = cfg_getstr(section, "path");
	const char *mode = cfg_getstr(section, "mode");
	const char *group = cfg_getstr(section, "group");
	const char *title = cfg_title(section);
	uint8_t ip[16];

	if (path != NULL && path[0] != '/') {
		snprintf(error_text, error_size, "listen %s: path \"%s\" does not begin with /", title, path);
		return RP_ERR_SYNTAX;
	}
	if (path == NULL && inet_pton(AF_INET, address, ip) != 1 && inet_pton(AF_INET6, address, ip) != 1) {
		snprintf(error_text, error_size, "listen %s: address \"%s\" is not an IP address", title, address);
		return RP_ERR_SYNTAX;
	}
	if (path == NULL && (mode != NULL || group != NULL)) {
		snprintf(error_text, error_size, "listen %s: mode and group are a unix socket's, and it has no path", title);
		return RP_ERR_SYNTAX;
	}
	listen->mode = mode != NULL ? (unsigned)strtoul(mode, NULL, 8) : CONFIG_LISTEN_MODE;
	if (mode != NULL && (strspn(mode, "01234567") != strlen(mode) || strlen(mode) < 3 || listen->mode > 0777)) {
		snprintf(error_text, error_size, "listen %s: mode %s is not one such as 0660", title, mode);
		return RP_ERR_SYNTAX;
	}
	listen->address = path == NULL ? strdup(address) : NULL;
	listen->path = path != NULL ? strdup(path) : NULL;
	listen->group = group != NULL && group[0] != '\0' ? strdup(group) : NULL;
	if (group != NULL && group[0] != '\0' && listen->group == NULL)
		return RP_ERR_NOMEM;
	return listen->address != NULL || listen->path != NULL ? RP_OK : RP_ERR_NOMEM;
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
		long port = cfg_getint(section, "port");

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
		config->listen_count++;
		listen->name = strdup(cfg_title(section));

		enum rp_err err = listen->name != NULL ? set_place(listen, section) : RP_ERR_NOMEM;

		if (err != RP_OK)
			return err;
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

/* The library takes a quote without an end for the end of the file. */
static const char *why_not_whole(const char *path)
{
	static char text[64];
	unsigned line = config_quote_unclosed(path);

	if (line == 0)
		return NULL;
	snprintf(text, sizeof(text), "what begins in line %u has no end", line);
	return text;
}

static int include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
	const char *why = argc == 1 ? why_no_file(argv[0]) : NULL;

	if (why == NULL && argc == 1)
		why = why_not_whole(argv[0]);

	if (why == NULL)
		return cfg_include(cfg, opt, argc, argv);
	cfg_error(cfg, "%s: cannot be read: %s", argv[0], why);
	return -1;
}

static enum rp_err read_sections(struct config *config, const char *path)
{
	cfg_opt_t listen[] = { CFG_STR("protocol", NULL, CFGF_NONE), CFG_STR("address", "0.0.0.0", CFGF_NONE),
		CFG_INT("port", 0, CFGF_NONE), CFG_STR("path", NULL, CFGF_NONE), CFG_STR("mode", NULL, CFGF_NONE),
		CFG_STR("group", NULL, CFGF_NONE),
		CFG_BOOL("proxy_protocol", cfg_false, CFGF_NONE), CFG_END() };
	cfg_opt_t tls[] = { CFG_STR("cert", "/etc/ringpost/tls/cert.pem", CFGF_NONE),
		CFG_STR("key", "/etc/ringpost/tls/key.pem", CFGF_NONE), CFG_END() };
	cfg_opt_t sections[SECTIONS][CONFIG_OPTIONS_MAX] = { { { 0 } } };
	cfg_opt_t root[CONFIG_OPTIONS_MAX] = { { 0 } };
	size_t n = fill_options(NULL, root);
	const char *why = why_no_file(path);

	if (why != NULL) {
		snprintf(error_text, error_size, "%s: cannot be read: %s", path, why);
		return RP_ERR_NOTFOUND;
	}
	why = why_not_whole(path);
	if (why != NULL) {
		snprintf(error_text, error_size, "%s: %s", path, why);
		return RP_ERR_SYNTAX;
	}
	for (size_t i = 0; i < SECTIONS; i++) {
		cfg_opt_t section = CFG_SEC(section_names[i], sections[i], CFGF_NONE);

		section.validcb = check_section;
		fill_options(section_names[i], sections[i]);
		root[n++] = section;
	}
	root[n++] = (cfg_opt_t)CFG_SEC("listen", listen, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
	root[n++] = (cfg_opt_t)CFG_SEC("tls", tls, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
	root[n++] = (cfg_opt_t)CFG_FUNC("include", &include);

	cfg_t *cfg = cfg_init(root, CFGF_NONE);

	if (cfg == NULL)
		return RP_ERR_NOMEM;
	cfg_set_error_function(cfg, on_error);
	root_cfg = cfg;
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
	root_cfg = NULL;
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
	file_path = path;
	sections_seen = 0;
	keys_checked = calloc(config_keys_count, sizeof(*keys_checked));
	if (keys_checked == NULL)
		err = RP_ERR_NOMEM;
	if (err == RP_OK)
		err = read_sections(config, path);
	free(keys_checked);
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
		free(config->listen[i].group);
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
