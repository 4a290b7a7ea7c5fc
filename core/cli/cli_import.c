/* import: mail from files into a user's mailboxes, and deliver: one message from standard input. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/cli/cli.h"
#include "core/cli/cli_config.h"
#include "core/cli/exit_code.h"
#include "core/cli/mail_source.h"
#include "io/base/clock.h"

enum { IMPORT_MAILBOX_BYTES_MAX = 4096 };

struct import {
	struct mail_sink *sink;
	const char *mailbox; /* asked for; "": INBOX */
	char *const *paths;
	int paths_count;
	bool progress;
	bool json;
	uint64_t done_count;
	uint64_t failed_count;
	uint64_t bytes;
	uint64_t shown_ns;
	enum rp_err fatal; /* nothing more can be put */
};

static void show(struct import *import, bool last)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (!import->progress || (!last && now_ns - import->shown_ns < 200 * CLOCK_NS_PER_MS))
		return;
	import->shown_ns = now_ns;
	fprintf(stderr, "\r%llu messages, %llu MiB, %llu failed%s", (unsigned long long)import->done_count,
		(unsigned long long)(import->bytes >> 20), (unsigned long long)import->failed_count, last ? "\n" : "");
}

/* One message that cannot be put does not end an import; a server that has gone does. */
static enum rp_err put_one(void *arg, const struct mail_item *found, const char *path)
{
	struct import *import = arg;
	struct mail_item item = *found;
	char mailbox[IMPORT_MAILBOX_BYTES_MAX];

	if (found->mailbox[0] != '\0' && import->mailbox[0] != '\0')
		snprintf(mailbox, sizeof(mailbox), "%s/%s", import->mailbox, found->mailbox);
	else
		snprintf(mailbox, sizeof(mailbox), "%s%s", import->mailbox, found->mailbox);
	item.mailbox = mailbox;
	item.create = true;
	enum rp_err err = mail_sink_put(import->sink, &item);

	if (err == RP_OK) {
		import->done_count++;
		import->bytes += item.message.n;
		show(import, false);
		return RP_OK;
	}
	fprintf(stderr, "%sringpost: %s: not imported: %s\n", import->progress ? "\r" : "", path, err_name(err));
	import->failed_count++;
	if (err == RP_ERR_UNAVAILABLE || err == RP_ERR_NOTFOUND || err == RP_ERR_NOSPACE || err == RP_ERR_UNKNOWN) {
		import->fatal = err;
		return err;
	}
	return RP_OK;
}

static int run_import(struct mail_sink *sink, void *arg)
{
	struct import *import = arg;
	char what[1024];
	enum rp_err err = RP_OK;

	import->sink = sink;
	for (int i = 0; i < import->paths_count && err == RP_OK; i++) {
		err = mail_source_walk(import->paths[i], put_one, import, what, sizeof(what));
		if (err != RP_OK && import->fatal == RP_OK)
			fprintf(stderr, "ringpost: %s\n", what[0] != '\0' ? what : err_name(err));
	}
	show(import, true);
	if (import->json)
		printf("{\"imported\":%llu,\"failed\":%llu,\"bytes\":%llu}\n", (unsigned long long)import->done_count,
			(unsigned long long)import->failed_count, (unsigned long long)import->bytes);
	else
		printf("%llu messages imported, %llu failed\n", (unsigned long long)import->done_count,
			(unsigned long long)import->failed_count);
	if (err != RP_OK)
		return exit_code_of(err) == EXIT_CODE_NO_USER && import->fatal == RP_OK ? EXIT_CODE_FAILED : exit_code_of(err);
	return import->failed_count > 0 ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

struct mail_options {
	const char *config;
	const char *user;
	const char *mailbox;
	bool json;
};

static bool parse_options(int argc, char **argv, struct mail_options *out)
{
	static const struct option options[] = {
		{ "user", required_argument, NULL, 'u' },
		{ "mailbox", required_argument, NULL, 'm' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	int option;

	*out = (struct mail_options){ .config = CLI_CONFIG_PATH, .mailbox = "" };
	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			out->config = optarg;
			break;
		case 'u':
			out->user = optarg;
			break;
		case 'm':
			out->mailbox = optarg;
			break;
		case 'j':
			out->json = true;
			break;
		default:
			return false;
		}
	}
	return out->user != NULL;
}

int cli_import(int argc, char **argv)
{
	struct mail_options options;

	if (!parse_options(argc, argv, &options) || optind == argc) {
		fprintf(stderr, "usage: ringpost import --user U [--mailbox M] [--json] [-c FILE] PATH...\n");
		return EXIT_CODE_USAGE;
	}
	struct config *config = cli_config_load(options.config);
	struct import import = {
		.mailbox = options.mailbox,
		.paths = argv + optind,
		.paths_count = argc - optind,
		.progress = isatty(STDERR_FILENO),
		.json = options.json,
	};

	if (config == NULL)
		return EXIT_CODE_CONFIG;
	int code = mail_sink_run(config, options.user, run_import, &import);

	config_free(config);
	return code;
}

/* ---- deliver ---- */

struct delivery {
	const char *mailbox;
	struct bytes message;
};

static int run_delivery(struct mail_sink *sink, void *arg)
{
	struct delivery *delivery = arg;
	struct mail_item item = {
		.mailbox = delivery->mailbox,
		.message = delivery->message,
		.internaldate = { (int64_t)time(NULL), 0 },
	};
	enum rp_err err = mail_sink_put(sink, &item);

	if (err != RP_OK)
		fprintf(stderr, "ringpost: not delivered: %s\n", err_name(err));
	return exit_code_of(err);
}

/* All of standard input, up to one byte more than the largest message. */
static enum rp_err read_all(size_t bytes_max, uint8_t **out, size_t *n)
{
	size_t room = 64 * 1024;
	uint8_t *p = malloc(room);

	*n = 0;
	while (p != NULL) {
		*n += fread(p + *n, 1, room - *n, stdin);
		if (*n < room) {
			*out = p;
			return *n <= bytes_max ? RP_OK : RP_ERR_TOOBIG;
		}
		if (room > bytes_max) {
			*out = p;
			return RP_ERR_TOOBIG;
		}
		uint8_t *grown = realloc(p, room * 2);

		if (grown == NULL)
			free(p);
		p = grown;
		room *= 2;
	}
	*out = NULL;
	return RP_ERR_NOMEM;
}

int cli_deliver(int argc, char **argv)
{
	struct mail_options options;
	uint8_t *p;
	size_t n;

	if (!parse_options(argc, argv, &options) || optind != argc) {
		fprintf(stderr, "usage: ringpost deliver --user U [--mailbox M] [-c FILE] < MESSAGE\n");
		return EXIT_CODE_USAGE;
	}
	struct config *config = cli_config_load(options.config);

	if (config == NULL)
		return EXIT_CODE_CONFIG;
	enum rp_err err = read_all(config->appendlimit_bytes, &p, &n);
	int code = exit_code_of(err);

	if (err == RP_OK) {
		struct delivery delivery = { .mailbox = options.mailbox, .message = bytes_of(p, n) };

		code = mail_sink_run(config, options.user, run_delivery, &delivery);
	} else {
		fprintf(stderr, "ringpost: the message: %s\n", err_name(err));
	}
	free(p);
	config_free(config);
	return code;
}
