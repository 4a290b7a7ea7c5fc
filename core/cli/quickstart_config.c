#include "core/cli/quickstart_config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cli/cli_config.h"
#include "core/cli/exit_code.h"

enum { QUICKSTART_CONFIG_PATH_MAX = 4096 + 16 };

static const struct quickstart_config defaults = { .imap = 10143, .imaps = 10993, .lmtp = 10024 };

/* For free(). NULL: no memory. */
static char *make_text(const char *dir, const struct quickstart_config *settings)
{
	char *text = NULL;
	int n = asprintf(&text,
		"# Made by ringpost quickstart. `ringpost config explain` tells of every setting.\n"
		"data = \"%s/data\"\n"
		"shards = %u\n"
		"auth {\n"
		"    passwd = \"%s/passwd\"\n"
		"    plaintext_login = %s\n"
		"    trusted_networks = { \"127.0.0.0/8\", \"::1\" }\n"
		"}\n"
		"storage {\n"
		"    commit_file = 4MiB\n"
		"}\n"
		"tls localhost {\n"
		"    cert = \"%s/tls/cert.pem\"\n"
		"    key = \"%s/tls/key.pem\"\n"
		"}\n"
		"listen imap {\n    protocol = imap\n    address = 127.0.0.1\n    port = %u\n}\n"
		"listen imaps {\n    protocol = imaps\n    address = 127.0.0.1\n    port = %u\n}\n"
		"listen lmtp {\n    protocol = lmtp\n    address = 127.0.0.1\n    port = %u\n}\n",
		dir, settings->shards, dir, settings->plaintext_login != 0 ? "true" : "false", dir, dir,
		settings->imap, settings->imaps, settings->lmtp);

	return n >= 0 ? text : NULL;
}

static void path_of(const char *dir, char path[QUICKSTART_CONFIG_PATH_MAX])
{
	snprintf(path, QUICKSTART_CONFIG_PATH_MAX, "%s/ringpost.conf", dir);
}

static unsigned port_of(const struct config *config, enum config_protocol protocol)
{
	for (size_t i = 0; i < config->listen_count; i++)
		if (config->listen[i].protocol == protocol && config->listen[i].path == NULL)
			return config->listen[i].port;
	return 0;
}

static int read_settings(const char *dir, struct quickstart_config *settings)
{
	char path[QUICKSTART_CONFIG_PATH_MAX];
	struct config *config;

	path_of(dir, path);
	config = cli_config_load(path);
	if (config == NULL)
		return EXIT_CODE_CONFIG;
	*settings = (struct quickstart_config){ .imap = port_of(config, CONFIG_IMAP),
		.imaps = port_of(config, CONFIG_IMAPS),
		.lmtp = port_of(config, CONFIG_LMTP),
		.shards = (unsigned)config->shards,
		.plaintext_login = config->plaintext_login };
	config_free(config);
	return EXIT_CODE_OK;
}

/* Is the file, byte for byte, what was made of its settings? */
static bool is_as_made(const char *dir, const struct quickstart_config *settings)
{
	char *made = make_text(dir, settings);
	size_t n = made != NULL ? strlen(made) : 0;
	char *found = malloc(n + 1);
	char path[QUICKSTART_CONFIG_PATH_MAX];
	bool same = false;

	path_of(dir, path);
	FILE *file = fopen(path, "re");

	if (made != NULL && found != NULL && file != NULL)
		same = fread(found, 1, n + 1, file) == n && memcmp(found, made, n) == 0;
	if (file != NULL)
		fclose(file);
	free(found);
	free(made);
	return same;
}

static unsigned chosen(unsigned asked, unsigned had)
{
	return asked != QUICKSTART_CONFIG_UNASKED ? asked : had;
}

int quickstart_config_decide(
    const char *dir, bool there, struct quickstart_config *asked, char **text)
{
	struct quickstart_config had = defaults;
	int code = there ? read_settings(dir, &had) : EXIT_CODE_OK;

	*text = NULL;
	if (code != EXIT_CODE_OK)
		return code;
	*asked = (struct quickstart_config){ .imap = chosen(asked->imap, had.imap),
		.imaps = chosen(asked->imaps, had.imaps),
		.lmtp = chosen(asked->lmtp, had.lmtp),
		.shards = chosen(asked->shards, had.shards),
		.plaintext_login = chosen(asked->plaintext_login, had.plaintext_login) };
	if (there && memcmp(asked, &had, sizeof(had)) == 0)
		return EXIT_CODE_OK;
	if (there && !is_as_made(dir, &had)) {
		fprintf(stderr,
		    "ringpost: %s/ringpost.conf was changed by hand and stays as it is: change it there, or remove it\n", dir);
		return EXIT_CODE_CONFIG;
	}
	*text = make_text(dir, asked);
	return *text != NULL ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}
