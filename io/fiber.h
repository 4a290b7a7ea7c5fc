/* fiber.h -- stacks, and switching between them: Boost.Context's fcontext, announced to the
 * sanitizers.
 */
#ifndef RP_IO_FIBER_H
#define RP_IO_FIBER_H

#include <stdint.h>

#include "io/base/list.h"

/* Stacks of one loop: taken from the kernel with a guard page below each, kept for reuse. */
struct fiber_stacks {
	struct list free;
	unsigned free_count;
};

/* The side that fibers are entered from and come back to: the loop's own stack. */
struct fiber_home {
	void *sanitizer_fake;
	const void *stack_bottom;
	size_t stack_bytes;
	void *tsan;
};

typedef void fiber_fn(void *arg);

struct fiber {
	void *context; /* of the fiber while it is outside; of home while it is inside */
	struct fiber_home *home;
	uint8_t *stack; /* lowest usable byte */
	fiber_fn *fn;
	void *arg;
	void *sanitizer_fake;
	void *tsan;
};

void fiber_stacks_init(struct fiber_stacks *stacks);
void fiber_stacks_fini(struct fiber_stacks *stacks);

/* False: no memory, or no more mappings. Does not run fn yet. */
RP_MUST_USE bool fiber_open(struct fiber *fiber, struct fiber_stacks *stacks,
    struct fiber_home *home, fiber_fn *fn, void *arg);

/* Its function has ended, or never will be run on. */
void fiber_close(struct fiber *fiber, struct fiber_stacks *stacks);

/* From home: run it until it leaves or its function returns. */
void fiber_enter(struct fiber *fiber);

/* From inside it: back home, until entered again. */
void fiber_leave(struct fiber *fiber);

/* The bytes of a suspended fiber's stack that are in use. */
const uint8_t *fiber_used(const struct fiber *fiber, size_t *n);

#endif
