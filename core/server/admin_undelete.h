/* admin_undelete.h -- `undelete` over the control socket. */
#ifndef RP_CORE_SERVER_ADMIN_UNDELETE_H
#define RP_CORE_SERVER_ADMIN_UNDELETE_H

#include "core/server/admin_core.h"
#include "core/session/bring_back.h"

/* One that is offered, as a line of the answer. NULL: no memory. */
json_t *admin_undelete_json(const struct bring_back_line *line);

/* {"cmd":"undelete",...}: see admin.h. */
void admin_undelete(
    struct task *task, struct shard *shard, struct conn *conn, const json_t *request);

#endif
