/* cmd_capability.h -- what this session may use, for CAPABILITY, the greeting, and the answer to a login. */
#ifndef RP_CORE_CMD_CMD_CAPABILITY_H
#define RP_CORE_CMD_CMD_CAPABILITY_H

#include "core/cmd/cmd.h"

/* "[CAPABILITY IMAP4rev1 ...] ", between status and text. */
void cmd_capability_code(const struct session *session, struct resp *resp);

#endif
