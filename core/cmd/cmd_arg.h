/* cmd_arg.h -- arguments that many commands take. */
#ifndef RP_CORE_CMD_CMD_ARG_H
#define RP_CORE_CMD_CMD_ARG_H

#include "core/cmd/cmd.h"
#include "core/imap/lex.h"
#include "io/base/runs.h"

/* A mailbox name, as index has it. RP_ERR_SYNTAX, RP_ERR_CANNOT, RP_ERR_LIMIT. */
RP_MUST_USE enum rp_err cmd_arg_mailbox(struct cmd *cmd, struct lex *lex, struct bytes *name);

/* The answer to an argument that could not be read: what a name may not be is NO, bad grammar is BAD with `text`. */
enum cmd_result cmd_arg_refuse(struct cmd *cmd, enum rp_err err, const char *text);

/* The one argument of DELETE, SUBSCRIBE, ...: RP_OK, or *result is the answer. */
RP_MUST_USE enum rp_err cmd_arg_only_mailbox(
    struct cmd *cmd, struct bytes *name, enum cmd_result *result);

/* A sequence set, or for the UID form a UID set, as UIDs of messages that the session knows, cut to what its view can have. Into
 * an empty *uids, the caller's to runs_fini(), on errors too. RP_ERR_SYNTAX; RP_ERR_LIMIT; RP_ERR_NOTFOUND: a sequence number
 * beyond EXISTS. */
RP_MUST_USE enum rp_err cmd_arg_messages(struct cmd *cmd, struct lex *lex, struct runs *uids);

/* The answer to that: `text` for bad grammar. */
enum cmd_result cmd_arg_refuse_messages(struct cmd *cmd, enum rp_err err, const char *text);

/* Has one of these messages been expunged, though the session was not told yet? */
bool cmd_arg_some_expunged(const struct cmd *cmd, const struct runs *uids);

/* "1:3,5" in arena memory; .p == NULL: no room. */
struct bytes cmd_arg_runs_text(struct arena *arena, const struct runs *runs);

#endif
