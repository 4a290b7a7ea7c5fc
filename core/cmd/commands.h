/* commands.h -- the functions behind the registry's rows; each is explained at the head of its file. */
#ifndef RP_CORE_CMD_COMMANDS_H
#define RP_CORE_CMD_COMMANDS_H

#include "core/cmd/cmd.h"

cmd_fn cmd_append;
cmd_fn cmd_authenticate;
cmd_fn cmd_capability;
cmd_fn cmd_check;
cmd_fn cmd_close;
cmd_fn cmd_copy;
#ifdef RP_TEST_HOOKS
cmd_fn cmd_crash;
#endif
cmd_fn cmd_create;
cmd_fn cmd_delete;
cmd_fn cmd_enable;
cmd_fn cmd_examine;
cmd_fn cmd_expunge;
#ifdef RP_TEST_HOOKS
cmd_fn cmd_fail;
#endif
cmd_fn cmd_fetch;
cmd_fn cmd_id;
cmd_fn cmd_idle;
cmd_fn cmd_list;
cmd_fn cmd_login;
cmd_fn cmd_logout;
cmd_fn cmd_lsub;
cmd_fn cmd_move;
cmd_fn cmd_namespace;
cmd_fn cmd_noop;
cmd_fn cmd_rename;
#ifdef RP_TEST_HOOKS
cmd_fn cmd_sandbox;
#endif
cmd_fn cmd_search;
cmd_fn cmd_select;
cmd_fn cmd_starttls;
cmd_fn cmd_status;
cmd_fn cmd_store;
cmd_fn cmd_subscribe;
cmd_fn cmd_unselect;
cmd_fn cmd_unsubscribe;

/* cmd_append.c: is the literal that `so_far` ends before the message? */
bool cmd_append_stream_next(struct bytes so_far);

#endif
