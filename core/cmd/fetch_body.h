/* fetch_body.h -- BODY[section]<partial>, and what the cache says instead of the body where it can. */
#ifndef RP_CORE_CMD_FETCH_BODY_H
#define RP_CORE_CMD_FETCH_BODY_H

#include "core/cmd/fetch_message.h"

/* message->cache is this message's, good until the next call with the task. */
RP_MUST_USE enum rp_err fetch_body_cache(struct task *task, struct fetch_message *message);

/* Write BODY[...], RFC822, RFC822.HEADER or RFC822.TEXT. */
RP_MUST_USE enum rp_err fetch_body_item(
    struct task *task, struct fetch_message *message, const struct fetch_att *att);

#endif
