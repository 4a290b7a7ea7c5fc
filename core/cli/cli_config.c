/* config: explain every setting, or check a file. */
#include "core/cli/cli_config.h"

#include <getopt.h>
#include <stdio.h>

#include "core/cli/cli.h"
#include "core/cli/exit_code.h"
#include "core/server/config.h"
#include "core/server/owner.h"

struct config *cli_config_load(const char *path)
{
	char reason[1024] = "";
	struct config *config;

	if (config_read(path, &config, reason, sizeof(reason)) == RP_OK)
		return config;
	fprintf(stderr, "ringpost: %s\n", reason);
	return NULL;
}

static int check(const char *path)
{
	char reason[1024] = "";
	struct config *config = cli_config_load(path);

	if (config == NULL)
		return EXIT_CODE_CONFIG;
	enum rp_err err = owner_check(config, reason, sizeof(reason));

	if (err == RP_OK)
		err = config_read_tls(config, reason, sizeof(reason));
	config_free(config);
	if (err != RP_OK) {
		fprintf(stderr, "ringpost: %s\n", reason);
		return EXIT_CODE_CONFIG;
	}
	printf("%s: fine\n", path);
	return EXIT_CODE_OK;
}

int cli_config(int argc, char **argv)
{
	const char *path = CLI_CONFIG_PATH;
	int option;

	while ((option = getopt(argc, argv, "c:")) != -1) {
		if (option != 'c')
			return cli_usage("config");
		path = optarg;
	}
	if (optind + 1 == argc && strcmp(argv[optind], "explain") == 0) {
		config_explain(stdout);
		return EXIT_CODE_OK;
	}
	if (optind + 1 == argc && strcmp(argv[optind], "check") == 0)
		return check(path);
	return cli_usage("config");
}
