#include "core/cmd/search_budget.h"

#include "io/base/clock.h"

void search_budget_begin(struct task *task, struct search_budget *budget, const struct cmd *cmd)
{
	*budget = (struct search_budget){
		.cpu_ns_max = cmd->session->env->search_cpu_ms * CLOCK_NS_PER_MS,
	};
	task_count_cpu(task);
}

enum rp_err search_budget_pause(struct task *task, struct search_budget *budget)
{
	enum rp_err err = task_pause(task);

	if (err != RP_OK)
		return err;
	budget->spent = task_cpu_ns(task) > budget->cpu_ns_max;
	return budget->spent ? RP_ERR_LIMIT : RP_OK;
}
