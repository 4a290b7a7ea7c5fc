/* A hierarchical wheel: a timer stands on the level of the highest group of six bits in which its
 * tick differs from the wheel's, so all slots of a level lie ahead, and the lowest level that holds
 * anything holds what comes next. A slot of an upper level is dealt out again when the wheel
 * reaches its start. */
#include "io/timer.h"

#include "io/base/num.h"
#include "io/loop_core.h"

enum {
	TIMER_GROUP_BITS = 6,
};

static const uint64_t TIMER_NS_MAX = UINT64_C(1) << 60; /* 36 years: keeps sums from overflowing */

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ns)
{
	wheel->tick = now_ns >> TIMER_TICK_SHIFT;
	for (unsigned level = 0; level < TIMER_LEVELS; level++) {
		wheel->occupied[level] = 0;
		for (unsigned slot = 0; slot < TIMER_SLOTS; slot++)
			list_init(&wheel->slot[level][slot]);
	}
}

void timer_init(struct timer *timer, timer_fn *fn)
{
	*timer = (struct timer){.fn = fn};
	list_init(&timer->link);
}

/* The first tick that begins at or after its time. */
static uint64_t tick_of(const struct timer *timer)
{
	return (timer->due_ns + (UINT64_C(1) << TIMER_TICK_SHIFT) - 1) >> TIMER_TICK_SHIFT;
}

static void place(struct timer_wheel *wheel, struct timer *timer)
{
	uint64_t tick = num_max(tick_of(timer), wheel->tick + 1);
	unsigned level = (63 - (unsigned)__builtin_clzll(tick ^ wheel->tick)) / TIMER_GROUP_BITS;
	unsigned slot = (tick >> (level * TIMER_GROUP_BITS)) % TIMER_SLOTS;

	RP_ASSERT(level < TIMER_LEVELS);
	wheel->occupied[level] |= UINT64_C(1) << slot;
	list_push_back(&wheel->slot[level][slot], &timer->link);
}

void timer_set(struct loop *loop, struct timer *timer, uint64_t ns)
{
	RP_ASSERT(timer->fn != NULL);
	list_del(&timer->link);
	timer->due_ns = loop->now_ns + num_min(ns, TIMER_NS_MAX);
	place(&loop->wheel, timer);
}

void timer_clear(struct timer *timer)
{
	list_del(&timer->link);
}

bool timer_is_set(const struct timer *timer)
{
	return list_linked(&timer->link);
}

/* The slot that the wheel reaches next, and the tick at which it does. NULL: all are empty. */
static struct list *next_slot(struct timer_wheel *wheel, uint64_t *tick)
{
	for (unsigned level = 0; level < TIMER_LEVELS; level++) {
		while (wheel->occupied[level] != 0) {
			unsigned slot = (unsigned)__builtin_ctzll(wheel->occupied[level]);
			struct list *list = &wheel->slot[level][slot];
			unsigned shift = level * TIMER_GROUP_BITS;

			if (!list_empty(list)) {
				uint64_t above = wheel->tick >> (shift + TIMER_GROUP_BITS);

				*tick = (above << TIMER_GROUP_BITS | slot) << shift;
				return list;
			}
			wheel->occupied[level] &= ~(UINT64_C(1) << slot);
		}
	}
	return NULL;
}

uint64_t timer_wheel_next_ns(struct timer_wheel *wheel)
{
	uint64_t tick;

	if (next_slot(wheel, &tick) == NULL)
		return UINT64_MAX;
	return tick << TIMER_TICK_SHIFT;
}

void loop_fire_timers(struct loop *loop)
{
	struct timer_wheel *wheel = &loop->wheel;
	uint64_t now = loop->now_ns >> TIMER_TICK_SHIFT;
	struct list *slot;
	uint64_t tick;

	while ((slot = next_slot(wheel, &tick)) != NULL && tick <= now) {
		struct list due;
		struct list *link;

		RP_ASSERT(tick > wheel->tick);
		wheel->tick = tick;
		list_init(&due);
		list_splice_back(&due, slot);
		while ((link = list_pop_front(&due)) != NULL) {
			struct timer *timer = RP_CONTAINER_OF(link, struct timer, link);

			if (tick_of(timer) <= tick)
				timer->fn(timer);
			else
				place(wheel, timer);
		}
	}
	wheel->tick = num_max(wheel->tick, now);
}
