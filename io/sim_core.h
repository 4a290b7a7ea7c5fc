/* sim_core.h -- a simulated machine from the inside.
 */
#ifndef RP_IO_SIM_CORE_H
#define RP_IO_SIM_CORE_H

#include "io/loop_core.h"
#include "io/sim.h"
#include "io/sim_disk.h"

enum {
	SIM_HANDLES_MAX = 65536, /* descriptors of the machine; beyond: EMFILE */
	SIM_LOOPS_MAX = 64,
};

struct sim_stream;

/* What a descriptor stands for: a node of the disk, or one end of a stream. Both NULL: free. */
struct sim_handle {
	struct sim_node *node;
	struct sim_stream *stream;
	bool writable;
	uint64_t failures_seen; /* of flushes: those before it was opened, or that it was told of */
	uint64_t
	    file_failures_seen; /* of its file alone; one that nobody was told of yet is told to who opens it later */
};

/* An operation under way. */
struct sim_pending {
	struct list link; /* in the world's list, the next one to complete first */
	struct op *op;
	uint64_t due_ns;
};

struct sim_mapping {
	struct list link;
	struct sim_node *node;
	void *p;
	size_t n;
};

struct sim_loop {
	struct loop loop;
	struct sim_world *world;
	uint64_t slices; /* that tasks were told to have used up */
};

struct sim_world {
	uint64_t dice;
	uint64_t digest;
	uint64_t now_ns;
	uint64_t wall_offset_ns;
	struct sim_faults faults;
	uint64_t away_until_ns;
	struct sim_disk disk;
	uint64_t fs_type[FILE_ROOT_COUNT];
	struct list pending;
	struct list mappings;
	struct sim_loop *loop[SIM_LOOPS_MAX];
	unsigned loops_count;
	struct sim_handle *handle;
	size_t handles_count;
	uint64_t
	    flush_failures; /* as the kernel counts them for a file system: syncfs tells each descriptor once */
	const struct task *ran;
	struct sim_met met;
};

struct sim_world *sim_world_of(const struct loop *loop);

/* Could it complete, once its time has come? A receive waits for bytes, a send for room. */
bool sim_net_able(struct sim_world *world, const struct op *op);
int32_t sim_net_carry_out(struct sim_world *world, struct op *op);
void sim_net_recv_give(struct op *op);
void sim_net_unref(struct sim_stream *stream);

/* Carry out what the operation asks of the disk; its result. */
int32_t sim_op_carry_out(struct sim_world *world, struct op *op);

/* The lowest free descriptor, or -EMFILE. */
int sim_handle_take(struct sim_world *world);
void sim_handle_give(struct sim_world *world, int fd);
struct sim_handle *sim_handle_of(struct sim_world *world, int fd);

enum rp_err sim_map(struct loop *loop, int fd, size_t n, void **out);
void sim_unmap(struct loop *loop, void *p, size_t n);
void sim_unmap_all(struct sim_world *world);

#endif
