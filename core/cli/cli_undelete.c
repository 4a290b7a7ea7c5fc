/* undelete: what was expunged, listed or brought back. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/cli/cli.h"
#include "core/cli/cli_config.h"
#include "core/cli/cli_text.h"
#include "core/cli/control.h"
#include "core/cli/exit_code.h"
#include "core/cli/offline.h"
#include "core/imap/mailbox_name.h"
#include "core/server/admin_undelete.h"
#include "core/server/config_table.h"

struct undo {
	const struct config *config;
	const char *user;
	struct bring_back_in in;
	bool json;
};

/* ---- what is said ---- */

static void print_lost(const struct undo *undo, const json_t *line)
{
	fprintf(stderr, "ringpost: %s: %s UID %lld (%lld.dbox, offset %lld) stays gone: %s\n",
	    undo->user, json_string_value(json_object_get(line, "mailbox")),
	    (long long)json_integer_value(json_object_get(line, "uid")),
	    (long long)json_integer_value(json_object_get(line, "file")),
	    (long long)json_integer_value(json_object_get(line, "offset")),
	    json_string_value(json_object_get(line, "lost")));
}

static void print_offer(const struct undo *undo, const json_t *line)
{
	time_t expunged = (time_t)json_integer_value(json_object_get(line, "expunged"));
	char when[32] = "";
	struct tm tm;

	if (undo->json) {
		json_dumpf(line, stdout, JSON_COMPACT);
		printf("\n");
		return;
	}
	if (json_object_get(line, "lost") != NULL) {
		print_lost(undo, line);
		return;
	}
	if (gmtime_r(&expunged, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	printf("%s  %s%s  %lld bytes  %s  %s\n", when,
	    json_string_value(json_object_get(line, "mailbox")),
	    json_is_true(json_object_get(line, "deleted")) ? " (deleted)" : "",
	    (long long)json_integer_value(json_object_get(line, "size")),
	    json_string_value(json_object_get(line, "from")),
	    json_string_value(json_object_get(line, "subject")));
}

/* How it went. Returns the exit code. */
static int conclude(
    const struct undo *undo, const struct bring_back_out *out, uint64_t untold, enum rp_err err)
{
	int code = err == RP_OK && out->lost > 0 ? EXIT_CODE_FAILED : exit_code_of(err);

	if (undo->json && !undo->in.lists)
		printf("{\"found\":%llu,\"back\":%llu,\"lost\":%llu,\"code\":%d}\n",
		    (unsigned long long)out->found, (unsigned long long)out->back,
		    (unsigned long long)out->lost, code);
	else if (!undo->json)
		printf("%llu messages%s\n",
		    (unsigned long long)(undo->in.lists ? out->found : out->back),
		    undo->in.lists ? " can be brought back" : " brought back");
	if (err != RP_OK)
		fprintf(stderr, "ringpost: %s: %s%s\n", undo->user,
		    out->back > 0 ? "not all came back; the same command goes on: " : "",
		    cli_text_of(err));
	else if (untold > 0 && undo->in.lists)
		fprintf(stderr,
		    "ringpost: %llu more are not listed: --mailbox and --since choose\n",
		    (unsigned long long)untold);
	else if (out->lost > 0)
		fprintf(stderr,
		    "ringpost: %llu messages did not come back: their bodies cannot be had\n",
		    (unsigned long long)out->lost);
	return code;
}

/* ---- with a server, and without ---- */

static void say_control(void *arg, const json_t *line)
{
	print_offer(arg, line);
}

static json_t *request_of(const struct undo *undo)
{
	const struct bring_back_in *in = &undo->in;

	return json_pack("{s:s, s:s, s:s%, s:s%, s:I, s:b}", "cmd", "undelete", "user", undo->user,
	    "mailbox", in->mailbox.n > 0 ? (const char *)in->mailbox.p : "", in->mailbox.n, "to",
	    in->to.n > 0 ? (const char *)in->to.p : "", in->to.n, "since", (json_int_t)in->since_s,
	    "list", (int)in->lists);
}

static int by_control(struct undo *undo, struct control *control)
{
	json_t *request = request_of(undo);
	json_t *answer = NULL;
	enum rp_err err = request != NULL ? control_ask(control, request, bytes_of(NULL, 0),
	                                        say_control, undo, &answer)
	                                  : RP_ERR_SYNTAX;

	if (err != RP_OK) {
		fprintf(stderr, "ringpost: the server has gone: %s\n", cli_text_of(err));
		return EXIT_CODE_UNAVAILABLE;
	}
	int code = (int)json_integer_value(json_object_get(answer, "code"));

	if (json_object_get(answer, "found") != NULL) {
		const struct bring_back_out out = {
		    .found = (uint64_t)json_integer_value(json_object_get(answer, "found")),
		    .back = (uint64_t)json_integer_value(json_object_get(answer, "back")),
		    .lost = (uint64_t)json_integer_value(json_object_get(answer, "lost")),
		};

		code = conclude(undo, &out,
		    (uint64_t)json_integer_value(json_object_get(answer, "untold")),
		    code == EXIT_CODE_OK
		        ? RP_OK
		        : cli_text_err(json_string_value(json_object_get(answer, "reason"))));
	} else if (code == EXIT_CODE_NO_USER) {
		fprintf(stderr, "ringpost: there is no user %s\n", undo->user);
	} else {
		fprintf(stderr, "ringpost: %s: %s\n", undo->user,
		    cli_text_of(
		        cli_text_err(json_string_value(json_object_get(answer, "reason")))));
	}
	json_decref(answer);
	return code;
}

static void say_offline(void *arg, const struct bring_back_line *line)
{
	json_t *json = admin_undelete_json(line);

	if (json != NULL)
		print_offer(arg, json);
	json_decref(json);
}

static int offline(struct task *task, struct store *store, void *arg)
{
	struct undo *undo = arg;
	struct bring_back_out out;
	enum rp_err err = bring_back_run(task, store, &undo->in, say_offline, undo, &out);

	return conclude(undo, &out, 0, err);
}

static int run(struct undo *undo)
{
	struct control *control = NULL;
	enum rp_err err = control_open(undo->config, &control);
	int code;

	if (err == RP_OK) {
		code = by_control(undo, control);
		control_close(control);
		return code;
	}
	if (err != RP_ERR_NOTFOUND) {
		fprintf(stderr, "ringpost: the control socket of the running server: %s\n",
		    cli_text_of(err));
		return exit_code_of(err);
	}
	code = offline_user(undo->config, undo->user, &undo->in.userid);
	return code == EXIT_CODE_OK ? offline_run(undo->config, offline, undo) : code;
}

/* ---- the command line ---- */

/* "3d": so long ago; or a day, or a minute, in UTC. */
static bool parse_since(const char *text, uint64_t *seconds)
{
	static const char *const formats[] = {
	    "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"};
	time_t now = time(NULL);
	uint64_t ago_ms;

	if (config_number(CONFIG_TIME, bytes_of_str(text), &ago_ms)) {
		*seconds = ago_ms / 1000 < (uint64_t)now ? (uint64_t)now - ago_ms / 1000 : 1;
		return true;
	}
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm tm = {0};
		const char *end = strptime(text, formats[i], &tm);

		if (end == NULL || *end != '\0')
			continue;

		int day = tm.tm_mday;
		time_t t = timegm(&tm);

		if (tm.tm_mday != day)
			return false; /* no month has it: the 31st of February would be the 3rd of March */
		*seconds = t > 0 ? (uint64_t)t : 1;
		return true;
	}
	return false;
}

static int no_name(const char *option, const char *text)
{
	fprintf(stderr, "ringpost: %s: \"%s\" cannot be a mailbox's name\n", option, text);
	return EXIT_CODE_USAGE;
}

/* The texts of the options. Returns an exit code. */
static int understand(
    struct undo *undo, struct arena *arena, const char *mailbox, const char *since, const char *to)
{
	if (since != NULL && !parse_since(since, &undo->in.since_s)) {
		fprintf(stderr,
		    "ringpost: --since: \"%s\" is no time, such as 2026-11-28, 2026-11-28T14:30 "
		    "(UTC) or 3d (ago)\n",
		    since);
		return EXIT_CODE_USAGE;
	}
	if (mailbox != NULL &&
	    mailbox_name_decode(bytes_of_str(mailbox), arena, true, &undo->in.mailbox) != RP_OK)
		return no_name("--mailbox", mailbox);
	if (to != NULL && mailbox_name_decode(bytes_of_str(to), arena, true, &undo->in.to) != RP_OK)
		return no_name("--to", to);
	return EXIT_CODE_OK;
}

int cli_undelete(int argc, char **argv)
{
	static const struct option options[] = {
	    {"list", no_argument, NULL, 'l'},
	    {"mailbox", required_argument, NULL, 'm'},
	    {"since", required_argument, NULL, 's'},
	    {"to", required_argument, NULL, 't'},
	    {"json", no_argument, NULL, 'j'},
	    {0},
	};
	const char *path = CLI_CONFIG_PATH;
	const char *mailbox = NULL;
	const char *since = NULL;
	const char *to = NULL;
	struct undo undo = {.user = NULL};
	int option;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (option == '?')
			return cli_usage("undelete");
		path = option == 'c' ? optarg : path;
		mailbox = option == 'm' ? optarg : mailbox;
		since = option == 's' ? optarg : since;
		to = option == 't' ? optarg : to;
		undo.json |= option == 'j';
		undo.in.lists |= option == 'l';
	}
	if (optind + 1 != argc || (undo.in.lists && to != NULL))
		return cli_usage("undelete");
	struct arena arena;

	undo.user = argv[optind];
	arena_init(&arena, 64 * 1024);
	int code = understand(&undo, &arena, mailbox, since, to);
	struct config *config = code == EXIT_CODE_OK ? cli_config_load(path) : NULL;

	if (code == EXIT_CODE_OK && config == NULL)
		code = EXIT_CODE_CONFIG;
	undo.config = config;
	if (code == EXIT_CODE_OK)
		code = run(&undo);
	config_free(config);
	arena_fini(&arena);
	return code;
}
