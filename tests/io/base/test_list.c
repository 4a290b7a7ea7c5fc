#include <criterion/criterion.h>

#include "io/base/list.h"

struct item {
	int number;
	struct list link;
};

static struct list queue;
static struct item items[6];

static void init(void)
{
	list_init(&queue);
	for (int i = 0; i < 6; i++) {
		items[i].number = i;
		list_init(&items[i].link);
	}
}

/* The items' numbers as decimal digits: 0, 1, 2 is 012. */
static int digits(const struct list *head)
{
	int all = 0;

	LIST_FOR_EACH (l, head)
		all = all * 10 + RP_CONTAINER_OF(l, struct item, link)->number;
	return all;
}

Test(list, keeps_the_order_from_both_ends)
{
	init();
	cr_assert(list_empty(&queue));
	cr_assert_null(list_pop_front(&queue));
	list_push_back(&queue, &items[2].link);
	list_push_back(&queue, &items[3].link);
	list_push_front(&queue, &items[1].link);
	list_insert_before(&items[3].link, &items[5].link);
	cr_assert_eq(digits(&queue), 1253);
	cr_assert_eq(list_pop_front(&queue), &items[1].link);
	cr_assert_not(list_linked(&items[1].link));
	cr_assert(list_linked(&items[2].link));
	cr_assert_eq(digits(&queue), 253);
}

Test(list, taking_out_twice_does_no_harm)
{
	init();
	list_push_back(&queue, &items[1].link);
	list_push_back(&queue, &items[2].link);
	list_del(&items[1].link);
	list_del(&items[1].link);
	cr_assert_eq(digits(&queue), 2);
	list_del(&items[2].link);
	cr_assert(list_empty(&queue));
}

Test(list, the_safe_walk_may_take_out_what_it_stands_on)
{
	init();
	for (int i = 1; i < 6; i++)
		list_push_back(&queue, &items[i].link);
	LIST_FOR_EACH_SAFE (l, &queue)
		if (RP_CONTAINER_OF(l, struct item, link)->number % 2 == 1)
			list_del(l);
	cr_assert_eq(digits(&queue), 24);
}

Test(list, one_is_put_behind_another)
{
	struct list other;

	init();
	list_init(&other);
	list_splice_back(&queue, &other);
	cr_assert(list_empty(&queue));
	list_push_back(&other, &items[3].link);
	list_push_back(&other, &items[4].link);
	list_splice_back(&queue, &other);
	cr_assert_eq(digits(&queue), 34);
	cr_assert(list_empty(&other));
	list_push_back(&other, &items[5].link);
	list_splice_back(&queue, &other);
	cr_assert_eq(digits(&queue), 345);
	list_splice_back(&queue, &other);
	cr_assert_eq(digits(&queue), 345);
}
