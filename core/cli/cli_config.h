/* cli_config.h -- the options that every subcommand has, and the config that they name. */
#ifndef RP_CORE_CLI_CLI_CONFIG_H
#define RP_CORE_CLI_CLI_CONFIG_H

#include "core/server/config.h"

#define CLI_CONFIG_PATH "/etc/ringpost/ringpost.conf"

/* Read it; NULL: one line was written to standard error. */
struct config *cli_config_load(const char *path);

#endif
