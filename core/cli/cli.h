/* cli.h -- the subcommands of `ringpost`, one table. */
#ifndef RP_CORE_CLI_CLI_H
#define RP_CORE_CLI_CLI_H

/* argv[0] is the subcommand's name. Returns the exit code (exit_code.h). */
typedef int cli_fn(int argc, char **argv);

struct cli_command {
	const char *name;
	cli_fn *fn;
	const char *usage; /* what follows the name */
	const char *help;  /* one line; NULL: not listed */
};

/* Find and run argv[1]. */
int cli_run(int argc, char **argv);

/* The command line is wrong: say how it is right. Returns EXIT_CODE_USAGE. */
int cli_usage(const char *name);

/* The subcommands. */
cli_fn cli_check;
cli_fn cli_config;
cli_fn cli_deliver;
cli_fn cli_dump;
cli_fn cli_import;
cli_fn cli_quickstart;
cli_fn cli_repair;
cli_fn cli_serve;
cli_fn cli_serve_child;
cli_fn cli_stats;
cli_fn cli_undelete;
cli_fn cli_user;

#endif
