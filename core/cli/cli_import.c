/* import: mail from files into a user's mailboxes, and deliver: one message from standard input. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/cli/cli.h"
#include "core/cli/cli_config.h"
#include "core/cli/cli_text.h"
#include "core/cli/exit_code.h"
#include "core/cli/mail_source.h"
#include "io/base/clock.h"

enum {
	IMPORT_MAILBOX_BYTES_MAX = 4096,
	IMPORT_NAME_BYTES_MAX = 4096 + 64, /* of a message: its file's path, its number */
};

/* A message that is under way, by name: for what there is to say of it. */
struct under_way {
	char *path; /* NULL: no memory for it */
	size_t number;
	size_t bytes;
};

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
	size_t first;      /* ring[first] is the oldest of ring_count */
	size_t ring_count;
	struct under_way ring[MAIL_SINK_UNDER_WAY_MAX + 1];
	struct under_way last; /* the last one that is imported */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* The first one ends the import in order, the second the program. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static void show(struct import *import, bool last)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (!import->progress || (!last && now_ns - import->shown_ns < 200 * CLOCK_NS_PER_MS))
		return;
	import->shown_ns = now_ns;
	fprintf(stderr, "\r%llu messages, %llu MiB, %llu failed%s", (unsigned long long)import->done_count,
		(unsigned long long)(import->bytes >> 20), (unsigned long long)import->failed_count, last ? "\n" : "");
}

/* "PATH" or "PATH, message N". */
static const char *name_of(const char *path, size_t number, char out[IMPORT_NAME_BYTES_MAX])
{
	if (number > 0)
		snprintf(out, IMPORT_NAME_BYTES_MAX, "%s, message %zu", path, number);
	else
		snprintf(out, IMPORT_NAME_BYTES_MAX, "%s", path);
	return out;
}

static void complain(struct import *import, const char *name, const char *why)
{
	fprintf(stderr, "%sringpost: %s: not imported: %s\n", import->progress ? "\r" : "", name, why);
	import->failed_count++;
}

/* The oldest one under way has got where it goes, or will not. */
static void on_done(void *arg, enum rp_err err)
{
	struct import *import = arg;
	struct under_way *oldest = &import->ring[import->first];
	char name[IMPORT_NAME_BYTES_MAX];

	RP_ASSERT(import->ring_count > 0);
	import->first = (import->first + 1) % (MAIL_SINK_UNDER_WAY_MAX + 1);
	import->ring_count--;
	if (err == RP_OK) {
		import->done_count++;
		import->bytes += oldest->bytes;
		free(import->last.path);
		import->last = *oldest;
		*oldest = (struct under_way){ .path = NULL };
		show(import, false);
		return;
	}
	if (import->fatal == RP_OK)
		complain(import, name_of(oldest->path != NULL ? oldest->path : "?", oldest->number, name), cli_text_of(err));
	else
		import->failed_count++; /* of the same: said once */
	free(oldest->path);
	oldest->path = NULL;
	if (err == RP_ERR_UNAVAILABLE || err == RP_ERR_NOTFOUND || err == RP_ERR_NOSPACE || err == RP_ERR_UNKNOWN)
		import->fatal = err;
}

/* One message that cannot be put does not end an import; a server that has gone does. */
static enum rp_err put_one(void *arg, const struct mail_item *found, const struct mail_place *place)
{
	struct import *import = arg;
	struct mail_item item = *found;
	char mailbox[IMPORT_MAILBOX_BYTES_MAX];
	bool both = found->mailbox[0] != '\0' && import->mailbox[0] != '\0';
	size_t at = (import->first + import->ring_count) % (MAIL_SINK_UNDER_WAY_MAX + 1);

	if (interrupted)
		return RP_ERR_CANCELED;
	snprintf(mailbox, sizeof(mailbox), "%s%s%s", import->mailbox, both ? "/" : "", found->mailbox);
	item.mailbox = mailbox;
	item.create = true;
	import->ring[at] = (struct under_way){ strdup(place->path), place->number, item.message.n };
	import->ring_count++;
	enum rp_err err = mail_sink_put(import->sink, &item);

	if (err != RP_OK)
		import->fatal = err;
	return import->fatal;
}

static enum rp_err on_unreadable(void *arg, const char *path, const char *why)
{
	complain(arg, path, why);
	return interrupted ? RP_ERR_CANCELED : RP_OK;
}

/* What is to be known of an import that did not come to its end. */
static void say_how_far(const struct import *import, enum rp_err err)
{
	const struct under_way *oldest = &import->ring[import->first];
	char name[IMPORT_NAME_BYTES_MAX];

	fprintf(stderr, "ringpost: %s; ", cli_text_of(err));
	if (import->last.path != NULL)
		fprintf(stderr, "the last that was imported is %s", name_of(import->last.path, import->last.number, name));
	else
		fprintf(stderr, "nothing was imported");
	if (import->ring_count > 0)
		fprintf(stderr, "; %zu more, from %s on, may have been", import->ring_count,
			name_of(oldest->path != NULL ? oldest->path : "?", oldest->number, name));
	fprintf(stderr, "\n");
}

static void print_result(const struct import *import)
{
	if (import->json)
		printf("{\"imported\":%llu,\"failed\":%llu,\"bytes\":%llu}\n", (unsigned long long)import->done_count,
			(unsigned long long)import->failed_count, (unsigned long long)import->bytes);
	else
		printf("%llu messages imported, %llu failed\n", (unsigned long long)import->done_count,
			(unsigned long long)import->failed_count);
}

static void forget_names(struct import *import)
{
	while (import->ring_count > 0) {
		free(import->ring[import->first].path);
		import->first = (import->first + 1) % (MAIL_SINK_UNDER_WAY_MAX + 1);
		import->ring_count--;
	}
	free(import->last.path);
}

static int run_import(struct mail_sink *sink, void *arg)
{
	static const struct mail_source_calls calls = { .found = put_one, .unreadable = on_unreadable };
	struct import *import = arg;
	enum rp_err err = RP_OK;

	import->sink = sink;
	catch_signals();
	for (int i = 0; i < import->paths_count && err == RP_OK; i++)
		err = mail_source_walk(import->paths[i], &calls, import);
	enum rp_err finished = mail_sink_finish(sink);

	err = finished != RP_OK ? finished : import->fatal != RP_OK ? import->fatal : err;
	show(import, true);
	if (err != RP_OK)
		say_how_far(import, err);
	print_result(import);
	forget_names(import);
	if (err == RP_ERR_CANCELED)
		return EXIT_CODE_INTERRUPTED;
	return err == RP_OK && import->failed_count > 0 ? EXIT_CODE_FAILED : exit_code_of(err);
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

	if (!parse_options(argc, argv, &options) || optind == argc)
		return cli_usage("import");
	struct config *config = cli_config_load(options.config);
	/* Large, and one a process. */
	static struct import import;

	import = (struct import){
		.mailbox = options.mailbox,
		.paths = argv + optind,
		.paths_count = argc - optind,
		.progress = isatty(STDERR_FILENO),
		.json = options.json,
	};

	if (config == NULL)
		return EXIT_CODE_CONFIG;
	int code = mail_sink_run(config, options.user, run_import, on_done, &import);

	config_free(config);
	return code;
}

/* ---- deliver ---- */

struct delivery {
	const char *mailbox;
	struct bytes message;
	enum rp_err err;
};

static void on_delivered(void *arg, enum rp_err err)
{
	struct delivery *delivery = arg;

	delivery->err = err;
}

static int run_delivery(struct mail_sink *sink, void *arg)
{
	struct delivery *delivery = arg;
	struct mail_item item = {
		.mailbox = delivery->mailbox,
		.message = delivery->message,
		.internaldate = { (int64_t)time(NULL), 0 },
	};
	enum rp_err err;

	if (delivery->message.n == 0) {
		fprintf(stderr, "ringpost: not delivered: there is no message on standard input\n");
		return EXIT_CODE_FAILED;
	}
	err = mail_sink_put(sink, &item);
	if (err == RP_OK)
		err = mail_sink_finish(sink);
	if (err == RP_OK)
		err = delivery->err;
	if (err != RP_OK)
		fprintf(stderr, "ringpost: not delivered: %s\n", cli_text_of(err));
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

	if (!parse_options(argc, argv, &options) || optind != argc || options.json)
		return cli_usage("deliver");
	struct config *config = cli_config_load(options.config);

	if (config == NULL)
		return EXIT_CODE_CONFIG;
	enum rp_err err = read_all(config->appendlimit_bytes, &p, &n);
	int code = exit_code_of(err);

	if (err == RP_OK) {
		struct delivery delivery = { .mailbox = options.mailbox, .message = bytes_of(p, n), .err = RP_OK };

		code = mail_sink_run(config, options.user, run_delivery, on_delivered, &delivery);
	} else {
		fprintf(stderr, "ringpost: not delivered: %s\n", cli_text_of(err));
	}
	free(p);
	config_free(config);
	return code;
}
