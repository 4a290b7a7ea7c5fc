/* cmd_status.h -- the STATUS line, also for LIST ... RETURN (STATUS (...)). */
#ifndef RP_CORE_CMD_CMD_STATUS_H
#define RP_CORE_CMD_CMD_STATUS_H

#include "core/cmd/cmd.h"

/* statuses: bits of enum status_att. */
void cmd_status_line(struct resp *resp, const struct catalog_entry *entry, unsigned statuses);

#endif
