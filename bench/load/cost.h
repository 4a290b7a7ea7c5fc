/* cost.h -- what a server's processes have used: some roots, and all below them, those that ended included.
 *
 * A process that its parent has waited for lives on in the parent's sums, so a server with a process per connection is
 * accounted whole. (A root that ends takes its own away: then it is no server any more.)
 */
#ifndef RP_BENCH_LOAD_COST_H
#define RP_BENCH_LOAD_COST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cost {
	uint64_t cpu_ns;
	uint64_t written_bytes; /* pages dirtied and direct writes, as the kernel accounts them */
	uint64_t minor_faults;
	uint64_t major_faults;
	uint64_t pss_bytes;     /* cost_look_memory(): shared pages in parts */
	uint64_t kernel_bytes;  /* of the machine: slabs, page tables, kernel stacks, sockets */
	unsigned processes;
};

/* Some milliseconds: no memory. False: a root is not there, or /proc does not tell (run as root or as the server's user). */
bool cost_look(struct cost *cost, const pid_t *roots, size_t roots_count);

/* The memory too: a millisecond or more for each process. */
bool cost_look_memory(struct cost *cost, const pid_t *roots, size_t roots_count);

#endif
