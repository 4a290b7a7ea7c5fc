/* sim.h -- the same loop without a kernel: seeded, deterministic, with simulated time, files,
 * mappings and crashes; several shards in one thread.
 *
 * A sim_world is a machine: a disk (files with a durable and a volatile state), a clock, shards.
 * Operations complete in an order and with delays that follow from the seed. sim_crash() throws
 * away what is volatile, as a power cut does: each 512-byte sector of an unsynced write is kept,
 * lost or torn, names that were not synced may be there or not; then new loops can be opened on the
 * same disk.
 */
#ifndef RP_IO_SIM_H
#define RP_IO_SIM_H

#include "io/loop.h"

struct net;
struct sim_world;
struct task;

/* What the machine does wrong, in chances of 1 / 65,536 per operation; all 0: a machine that never
 * fails. */
struct sim_faults {
	uint16_t read_eio;
	uint16_t write_eio;
	uint16_t write_nospace;
	uint16_t write_short; /* the ring sees a short result and has to go on */
	uint16_t sync_eio;
	uint64_t disk_bytes_max; /* 0: endless; beyond: ENOSPC */
	bool no_more_files;      /* inodes are used up: to make a file or folder is ENOSPC, whatever room there is */
	uint64_t latency_ns_max; /* operations complete after 0..this, in any order; 0: 100 us */
};

/* What one file does wrong from now on, over crashes too: the errno of each open, read, write and
 * flush of it; 0: nothing. Of a folder `read` alone counts: no name in it can be looked up, made or listed. A flush that fails (alone, or within a syncfs) keeps any part of what was written. */
struct sim_broken {
	int open; /* of a file */
	int read;
	int write;
	int sync;
	uint64_t read_from; /* reads that touch these bytes fail; read_to 0: all do */
	uint64_t read_to;
	uint64_t read_until_ns; /* of the simulated time; 0: for ever */
};

RP_MUST_USE enum rp_err sim_open(uint64_t seed, struct sim_world **out);
void sim_close(struct sim_world *world);
void sim_set_faults(struct sim_world *world, const struct sim_faults *faults);

/* RP_ERR_NOTFOUND: there is no such file. */
RP_MUST_USE enum rp_err sim_break_file(struct sim_world *world, enum file_root root,
    const char *path, const struct sim_broken *broken);

/* The disk is away: until then (simulated time) each read of each file, each open and listing gives EIO. */
void sim_disk_away(struct sim_world *world, uint64_t until_ns);

/* A loop of this machine; settings' root_fd are not used: both roots are directories of the
 * simulated disk. */
RP_MUST_USE enum rp_err sim_loop_open(
    struct sim_world *world, const struct loop_settings *settings, struct loop **out);

/* A connection between two loops of the machine (or of one with itself), each end a net. */
RP_MUST_USE enum rp_err sim_net_pair(
    struct loop *a_loop, struct loop *b_loop, struct net **a, struct net **b);

/* Let the machine do its next thing: one completion, timer or slice of a task on one shard. False:
 * nothing is left to do and nothing is waited for but the outside. */
bool sim_step(struct sim_world *world);

/* sim_step() until it says false, or `steps` are done: then false is returned. */
RP_MUST_USE bool sim_run(struct sim_world *world, uint64_t steps);

/* The power goes: all loops and tasks of the machine vanish without running any further, and the
 * disk keeps what a disk keeps. Loops are gone with it and must not be closed. What tasks had
 * malloc'ed stays allocated until the process ends, as nobody unwinds; the leak sanitizer is shown
 * what their stacks held, so it complains of true leaks only. */
void sim_crash(struct sim_world *world);

/* The next number of the seed's stream, for tests that want to choose with it. */
uint64_t sim_random(struct sim_world *world);

/* A number that stands for all that has happened so far: equal in two runs of the same seed. */
uint64_t sim_digest(const struct sim_world *world);

/* Simulated nanoseconds since the machine was made; crashes do not set it back. */
uint64_t sim_now_ns(const struct sim_world *world);

/* Move the wall clock (not the monotonic one) by a number of seconds. */
void sim_jump_wall(struct sim_world *world, int64_t seconds);

/* What file_fs_type() says of a root; 0xef53 (ext4) at first. */
void sim_set_fs_type(struct sim_world *world, enum file_root root, uint64_t type);

/* The task that the last step ran; NULL: it ran none. Not to be looked into: it may have ended. */
const struct task *sim_ran(const struct sim_world *world);

/* What has gone wrong so far, all lives of the machine together. */
struct sim_met {
	uint64_t reads_failed;
	uint64_t reads_away; /* while the disk, or the file, was away */
	uint64_t writes_failed;
	uint64_t writes_refused; /* no space */
	uint64_t writes_short;
	uint64_t syncs_failed;
	uint64_t syncfs_failed;
	uint64_t crashes;
	uint64_t sectors_lost; /* in crashes; not durable, so rightly */
	uint64_t sectors_torn;
	uint64_t
	    writes_torn; /* under way when the power went, with good sectors before and behind bad ones */
};
const struct sim_met *sim_met(const struct sim_world *world);

/* What the last crash did to a file that is still there. */
enum sim_crash_did {
	SIM_CRASH_REORDERED =
	    1 << 0, /* of what was not durable, later sectors are there and earlier ones are not */
	SIM_CRASH_TORE = 1 << 1, /* a write that was under way is there but for its middle */
};
unsigned sim_disk_crash_did(struct sim_world *world, enum file_root root, const char *path);

/* The machine was shut down in order: what it has written is durable. */
void sim_disk_rest(struct sim_world *world);

/* Call fn for each file that is there, by path. It must not change names. */
typedef void sim_disk_file_fn(void *arg, enum file_root root, const char *path, uint64_t bytes);
void sim_disk_walk(struct sim_world *world, sim_disk_file_fn *fn, void *arg);
RP_MUST_USE enum rp_err sim_disk_remove(
    struct sim_world *world, enum file_root root, const char *path);

/* Look at and damage the disk: the durable content of a file. NOTFOUND: none. */
RP_MUST_USE enum rp_err sim_disk_read(
    struct sim_world *world, enum file_root root, const char *path, struct bytes *out);
RP_MUST_USE enum rp_err sim_disk_write(
    struct sim_world *world, enum file_root root, const char *path, struct bytes content);

#endif
