#include "tests/index/others.h"

#include <criterion/criterion.h>

static void others_task(struct task *task, void *arg)
{
	struct others *others = arg;

	while (!others->over && task_yield(task) == RP_OK)
		others->turns++;
	others->gone = true;
}

void others_begin(struct task *task, struct others *others)
{
	*others = (struct others){ 0 };
	cr_assert_eq(task_start(task_loop(task), others_task, others, NULL), RP_OK);
}

void others_end(struct task *task, struct others *others)
{
	others->over = true;
	while (!others->gone)
		cr_assert_eq(task_yield(task), RP_OK);
}
