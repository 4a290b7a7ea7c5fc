/* serve: the server in the foreground. */
#include <getopt.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "core/cli/cli.h"
#include "core/cli/cli_config.h"
#include "core/cli/exit_code.h"
#include "core/server/server.h"
#include "core/server/supervisor.h"

static void say_ready(void *arg)
{
	(void)arg;
	puts("ready");
	fflush(stdout);
}

int cli_serve(int argc, char **argv)
{
	const char *path = CLI_CONFIG_PATH;
	int option;

	while ((option = getopt(argc, argv, "c:")) != -1) {
		if (option != 'c')
			return cli_usage("serve");
		path = optarg;
	}
	if (optind != argc)
		return cli_usage("serve");
	return supervisor_run(path, say_ready, NULL);
}

/* What the supervisor starts; not for people. */
int cli_serve_child(int argc, char **argv)
{
	(void)argv;
	prctl(PR_SET_NAME, "ringpost"); /* started by descriptor its name is a number */
	return argc == 1 ? server_run() : EXIT_CODE_USAGE;
}
