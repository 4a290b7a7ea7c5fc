/* cli_user.h -- changing a user; for `user` and for `quickstart`. */
#ifndef RP_CORE_CLI_CLI_USER_H
#define RP_CORE_CLI_CLI_USER_H

#include "core/auth/userfile.h"
#include "core/server/config.h"

/* Make the change, tell a running server. Returns the exit code; what is wrong goes to standard error. */
int cli_user_change(const struct config *config, enum userfile_change change, const char *name, struct bytes password);

#endif
