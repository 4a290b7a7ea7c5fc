#include <criterion/criterion.h>

#include "index/watch.h"

struct owner {
	unsigned woken;
	bool leaves;
	struct watch watch;
};

static void wake(struct watch *watch)
{
	struct owner *owner = RP_CONTAINER_OF(watch, struct owner, watch);

	owner->woken++;
	if (owner->leaves)
		list_del(&watch->link);
}

Test(watch, all_are_woken_and_one_may_leave_meanwhile)
{
	struct owner owners[3] = {{.leaves = false}, {.leaves = true}, {.leaves = false}};
	struct list watches;

	list_init(&watches);
	watch_wake_all(&watches);
	for (int i = 0; i < 3; i++) {
		watch_init(&owners[i].watch, wake);
		list_push_back(&watches, &owners[i].watch.link);
	}
	watch_wake_all(&watches);
	watch_wake_all(&watches);
	cr_assert_eq(owners[0].woken, 2);
	cr_assert_eq(owners[1].woken, 1);
	cr_assert_eq(owners[2].woken, 2);
}
