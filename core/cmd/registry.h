/* registry.h -- every command, one table. */
#ifndef RP_CORE_CMD_REGISTRY_H
#define RP_CORE_CMD_REGISTRY_H

#include "core/cmd/cmd.h"

/* The row of a command; name in upper case, without "UID ". uid: the UID form. NULL: there is none. */
const struct cmd_def *registry_find(struct bytes name, bool uid);

/* All rows in turn; NULL: no more. */
const struct cmd_def *registry_at(size_t index);

/* Run one command in the connection's task: check the state, call its function. The tagged line is in cmd afterwards. */
enum cmd_result registry_run(struct task *task, struct cmd *cmd);

/* Write the news that may be told with this command's answer, then the tagged line. Not for CMD_LATER and CMD_GONE. */
RP_MUST_USE enum rp_err registry_answer(struct task *task, struct cmd *cmd, enum cmd_result result);

/* IDLE: news since the last time, as untagged responses; and the answer to DONE. Called in a task of the connection. */
RP_MUST_USE enum rp_err registry_idle_news(struct task *task, struct session *session, struct resp *resp);
void registry_idle_done(struct session *session, struct resp *resp, bool done);

/* After session_enter() on the home shard: the tagged answer of LOGIN or AUTHENTICATE. */
void registry_entered(struct session *session, struct resp *resp, enum rp_err err);

/* The greeting of a new connection. */
void registry_greeting(struct session *session, struct resp *resp);

#endif
