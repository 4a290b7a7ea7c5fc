/* stats: the counters of a running server. */
#include <getopt.h>
#include <stdio.h>

#include "core/cli/cli.h"
#include "core/cli/cli_config.h"
#include "core/cli/cli_text.h"
#include "core/cli/control.h"
#include "core/cli/exit_code.h"

static void print_table(const json_t *shards)
{
	const char *name;
	json_t *value;

	json_object_foreach(json_array_get(shards, 0), name, value)
	{
		printf("%-24s", name);
		for (size_t i = 0; i < json_array_size(shards); i++)
			printf(" %14lld", (long long)json_integer_value(json_object_get(json_array_get(shards, i), name)));
		printf("\n");
	}
}

int cli_stats(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { 0 } };
	const char *path = CLI_CONFIG_PATH;
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (option == '?')
			return cli_usage("stats");
		if (option == 'c')
			path = optarg;
		json |= option == 'j';
	}
	if (optind != argc)
		return cli_usage("stats");
	struct config *config = cli_config_load(path);
	struct control *control = NULL;
	json_t *answer;

	if (config == NULL)
		return EXIT_CODE_CONFIG;
	enum rp_err err = control_open(config, &control);

	if (err == RP_OK)
		err = control_ask(control, json_pack("{s:s}", "cmd", "stats"), bytes_of(NULL, 0), NULL, NULL, &answer);
	control_close(control);
	config_free(config);
	if (err != RP_OK) {
		fprintf(stderr, "ringpost: no server answers: %s\n",
			err == RP_ERR_NOTFOUND ? "none runs" : cli_text_of(err));
		return EXIT_CODE_UNAVAILABLE;
	}
	int code = control_code(answer);

	if (code == EXIT_CODE_OK && json) {
		json_dumpf(json_object_get(answer, "shards"), stdout, JSON_COMPACT);
		printf("\n");
	} else if (code == EXIT_CODE_OK) {
		print_table(json_object_get(answer, "shards"));
	}
	json_decref(answer);
	return code;
}
