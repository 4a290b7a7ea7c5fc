#include "io/fiber.h"

#include <stdint.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define FIBER_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define FIBER_TSAN 1
#endif

#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

enum {
	FIBER_GUARD_BYTES = 4096,
#ifdef RP_SANITIZED
	FIBER_STACK_BYTES = 256 * 1024,
#else
	FIBER_STACK_BYTES = 64 * 1024,
#endif
	/* Free stacks that keep their touched pages: a burst's are given back to the kernel. */
	FIBER_FREE_COUNT_MAX = 256,
};

/* Boost.Context's C ABI; its own headers are C++. */
struct fiber_transfer {
	void *context;
	void *data;
};

extern struct fiber_transfer jump_fcontext(void *to, void *data);
extern void *make_fcontext(void *stack_top, size_t size, void (*fn)(struct fiber_transfer));

/* A free stack's link lies at its upper end, which is warm. */
struct free_stack {
	struct list link;
};

static struct free_stack *free_stack_of(uint8_t *stack)
{
	return (void *)(stack + FIBER_STACK_BYTES - sizeof(struct free_stack));
}

static uint8_t *stack_of(struct list *link)
{
	return (uint8_t *)link + sizeof(struct free_stack) - FIBER_STACK_BYTES;
}

static void unpoison(uint8_t *stack)
{
#ifdef FIBER_ASAN
	ASAN_UNPOISON_MEMORY_REGION(stack, FIBER_STACK_BYTES);
#else
	(void)stack;
#endif
}

static uint8_t *stack_map(void)
{
	uint8_t *p = mmap(NULL, FIBER_GUARD_BYTES + FIBER_STACK_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (mprotect(p, FIBER_GUARD_BYTES, PROT_NONE) != 0) {
		munmap(p, FIBER_GUARD_BYTES + FIBER_STACK_BYTES);
		return NULL;
	}
	return p + FIBER_GUARD_BYTES;
}

static void stack_unmap(uint8_t *stack)
{
	munmap(stack - FIBER_GUARD_BYTES, FIBER_GUARD_BYTES + FIBER_STACK_BYTES);
}

void fiber_stacks_init(struct fiber_stacks *stacks)
{
	list_init(&stacks->free);
	stacks->free_count = 0;
}

void fiber_stacks_fini(struct fiber_stacks *stacks)
{
	struct list *link;

	while ((link = list_pop_front(&stacks->free)) != NULL)
		stack_unmap(stack_of(link));
	stacks->free_count = 0;
}

static uint8_t *stack_take(struct fiber_stacks *stacks)
{
	struct list *link = list_pop_front(&stacks->free);

	if (link == NULL)
		return stack_map();
	stacks->free_count--;
	return stack_of(link);
}

static void stack_give(struct fiber_stacks *stacks, uint8_t *stack)
{
	unpoison(stack);
	if (stacks->free_count >= FIBER_FREE_COUNT_MAX) {
		stack_unmap(stack);
		return;
	}
	list_push_front(&stacks->free, &free_stack_of(stack)->link);
	stacks->free_count++;
}

/* The first thing on the new stack. Its function's end is a switch that never comes back. */
static void first(struct fiber_transfer transfer)
{
	struct fiber *fiber = transfer.data;

	fiber->context = transfer.context;
#ifdef FIBER_ASAN
	__sanitizer_finish_switch_fiber(
	    NULL, &fiber->home->stack_bottom, &fiber->home->stack_bytes);
#endif
	fiber->fn(fiber->arg);
#ifdef FIBER_ASAN
	__sanitizer_start_switch_fiber(NULL, fiber->home->stack_bottom, fiber->home->stack_bytes);
#endif
#ifdef FIBER_TSAN
	__tsan_switch_to_fiber(fiber->home->tsan, 0);
#endif
	jump_fcontext(fiber->context, NULL);
	assert_panic("a fiber that had ended was entered");
}

bool fiber_open(struct fiber *fiber, struct fiber_stacks *stacks, struct fiber_home *home,
    fiber_fn *fn, void *arg)
{
	uint8_t *stack = stack_take(stacks);

	if (stack == NULL)
		return false;
	*fiber = (struct fiber){.home = home, .stack = stack, .fn = fn, .arg = arg};
	fiber->context = make_fcontext(stack + FIBER_STACK_BYTES, FIBER_STACK_BYTES, first);
#ifdef FIBER_TSAN
	fiber->tsan = __tsan_create_fiber(0);
#endif
	return true;
}

void fiber_close(struct fiber *fiber, struct fiber_stacks *stacks)
{
#ifdef FIBER_TSAN
	__tsan_destroy_fiber(fiber->tsan);
#endif
	stack_give(stacks, fiber->stack);
	fiber->stack = NULL;
}

void fiber_enter(struct fiber *fiber)
{
	struct fiber_home *home = fiber->home;

#ifdef FIBER_ASAN
	__sanitizer_start_switch_fiber(&home->sanitizer_fake, fiber->stack, FIBER_STACK_BYTES);
#endif
#ifdef FIBER_TSAN
	home->tsan = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(fiber->tsan, 0);
#endif
	struct fiber_transfer transfer = jump_fcontext(fiber->context, fiber);

#ifdef FIBER_ASAN
	__sanitizer_finish_switch_fiber(home->sanitizer_fake, NULL, NULL);
#endif
	(void)home;
	fiber->context = transfer.context;
}

void fiber_leave(struct fiber *fiber)
{
	struct fiber_home *home = fiber->home;

#ifdef FIBER_ASAN
	__sanitizer_start_switch_fiber(
	    &fiber->sanitizer_fake, home->stack_bottom, home->stack_bytes);
#endif
#ifdef FIBER_TSAN
	__tsan_switch_to_fiber(home->tsan, 0);
#endif
	struct fiber_transfer transfer = jump_fcontext(fiber->context, NULL);

	fiber->context = transfer.context;
#ifdef FIBER_ASAN
	__sanitizer_finish_switch_fiber(
	    fiber->sanitizer_fake, &home->stack_bottom, &home->stack_bytes);
#endif
	(void)home;
}

const uint8_t *fiber_used(const struct fiber *fiber, size_t *n)
{
	/* A suspended fcontext is the address of what it saved, on its own stack. */
	const uint8_t *from = fiber->context;

	RP_ASSERT(from >= fiber->stack && from <= fiber->stack + FIBER_STACK_BYTES);
	*n = (size_t)(fiber->stack + FIBER_STACK_BYTES - from);
	return from;
}
