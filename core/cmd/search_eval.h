/* search_eval.h -- a search program against the messages of a view.
 *
 * Flags, dates, sizes and sets of numbers are bitmaps at once. Texts are not: the program is first evaluated with "none" and with
 * "all" for each of them, which leaves the messages that texts decide about; only these are looked into, one by one.
 */
#ifndef RP_CORE_CMD_SEARCH_EVAL_H
#define RP_CORE_CMD_SEARCH_EVAL_H

#include "core/cmd/search_budget.h"
#include "core/imap/search_key.h"
#include "index/msgset.h"

enum { SEARCH_SETS_BYTES_MAX = 32 * 1024 * 1024 }; /* of bitmaps that one command may hold */

/* *out: the caller's to msgset_free(). RP_ERR_LIMIT: too much for one command, in memory or by its budget, which has begun. */
RP_MUST_USE enum rp_err search_eval(struct task *task, struct cmd *cmd,
    const struct search_program *program, struct search_budget *budget, struct msgset **out);

#endif
