#include "core/cli/cli.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/cli/exit_code.h"
#include "core/server/version.h"

static const struct cli_command commands[] = {
	{ "check", cli_check, "[--user U] [--json] [-c FILE]", "look whether mail is sound; changes nothing" },
	{ "config", cli_config, "explain | check [-c FILE]", "every setting with its default; or check a config" },
	{ "deliver", cli_deliver, "--user U [--mailbox M] [-c FILE] < MESSAGE", "one message from standard input" },
	{ "dump", cli_dump, "FILE...", "any file of the store, for a person" },
	{ "import", cli_import, "--user U [--mailbox M] [--json] [-c FILE] PATH...",
	    "mail from mbox files, Maildirs, .eml files or folders of them" },
	{ "quickstart", cli_quickstart,
	    "[--dir DIR] [--imap PORT] [--imaps PORT] [--lmtp PORT] [--shards N] [--no-sample] [--plaintext-login]",
	    "everything to try it: config, certificate, demo user, sample mail; then serves" },
	{ "repair", cli_repair, "--user U [--restored] [--json] [-c FILE]",
	    "make a user's derived files anew; where the journals are gone, all of it from the bodies. --restored: his mail was put\n"
	    "        back from a backup, so mailboxes get new UIDVALIDITYs" },
	{ "serve", cli_serve, "[-c FILE]", "run the server" },
	{ "serve-child", cli_serve_child, "", NULL },
	{ "stats", cli_stats, "[--json] [-c FILE]", "counters of the running server" },
	{ "undelete", cli_undelete, "USER [--list] [--mailbox M] [--since TIME] [--to M] [--json] [-c FILE]",
	    "bring back what was expunged, and what was in deleted mailboxes; TIME: 2026-11-28, 2026-11-28T14:30 (UTC), 3d (ago)" },
	{ "user", cli_user,
	    "add [--id ID] NAME | passwd NAME | del [--mail] NAME | del --mail --id ID | info NAME [--json] | list [--json]  [-c FILE]",
	    "users; passwords come on standard input. del keeps the mail and says where, --mail removes it for good; add --id gives\n"
	    "        mail that was kept to a new user" },
};

static void help(FILE *to)
{
	fprintf(to, "ringpost %s, an IMAP server\n\nusage:\n", RP_VERSION);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].help != NULL)
			fprintf(to, "  ringpost %s %s\n        %s\n", commands[i].name, commands[i].usage,
				commands[i].help);
}

int cli_usage(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(name, commands[i].name) == 0)
			fprintf(stderr, "usage: ringpost %s %s\n", name, commands[i].usage);
	return EXIT_CODE_USAGE;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
	char name[32];

	if (argc == 2 && strcmp(argv[1], "--help") == 0 && command->help != NULL) {
		printf("usage: ringpost %s %s\n        %s\n", command->name, command->usage, command->help);
		return EXIT_CODE_OK;
	}
	/* How getopt() begins its lines. */
	snprintf(name, sizeof(name), "ringpost %s", command->name);
	argv[0] = name;
	return command->fn(argc, argv);
}

static int find_and_run(int argc, char **argv)
{
	if (argc < 2) {
		help(stderr);
		return EXIT_CODE_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		help(stdout);
		return EXIT_CODE_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("ringpost %s\n", RP_VERSION);
		return EXIT_CODE_OK;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return run(&commands[i], argc - 1, argv + 1);
	fprintf(stderr, "ringpost: there is no command \"%s\"; `ringpost help` lists them\n", argv[1]);
	return EXIT_CODE_USAGE;
}

/* What was to be said and could not be written, to a full disk, is no success. */
static int told(int code)
{
	int err = fflush(stdout) != 0 ? errno : ferror(stdout) ? EIO : 0;

	if (err == 0)
		return code;
	fprintf(stderr, "ringpost: standard output: %s\n", strerror(err));
	return code == EXIT_CODE_OK ? EXIT_CODE_FAILED : code;
}

int cli_run(int argc, char **argv)
{
	/* They say `ready` to who waits for it, perhaps to nobody; how they end is another matter. */
	bool serves = argc > 1 && (strncmp(argv[1], "serve", 5) == 0 || strcmp(argv[1], "quickstart") == 0);
	int code = find_and_run(argc, argv);

	return serves ? code : told(code);
}
