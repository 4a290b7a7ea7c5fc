/* main.c -- `ringpost`: one executable for all that a person starts. */
#include "core/cli/cli.h"

int main(int argc, char **argv)
{
	return cli_run(argc, argv);
}
