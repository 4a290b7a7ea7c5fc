/* search_budget.h -- the CPU that one SEARCH may use.
 *
 * A search is the one command whose work grows with all the mail in a mailbox, times the keys asked for. It pauses
 * for others all the time; the budget bounds what it takes from them in all.
 */
#ifndef RP_CORE_CMD_SEARCH_BUDGET_H
#define RP_CORE_CMD_SEARCH_BUDGET_H

#include "core/cmd/cmd.h"

struct search_budget {
	uint64_t cpu_ns_max;
	bool spent; /* it was why RP_ERR_LIMIT was returned */
};

/* From now on the task's work counts. */
void search_budget_begin(struct task *task, struct search_budget *budget, const struct cmd *cmd);

/* Let others run if it is time to. RP_ERR_LIMIT: the budget is spent. RP_ERR_CANCELED. */
RP_MUST_USE enum rp_err search_budget_pause(struct task *task, struct search_budget *budget);

#endif
