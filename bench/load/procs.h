/* procs.h -- what the server's processes have used: the supervisor and all below it. */
#ifndef RP_BENCH_LOAD_PROCS_H
#define RP_BENCH_LOAD_PROCS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCS_MAX = 16 }; /* a supervisor, a server, an auth process; room for more */

struct procs {
	pid_t pid[PROCS_MAX];
	size_t count; /* 0: no process id was given, nothing can be told */
};

/* The process `root` and its children, and theirs. root 0: none. */
void procs_find(struct procs *procs, pid_t root);

/* CPU time of all of them since they started, of threads that ended too. */
uint64_t procs_cpu_ns(const struct procs *procs);

/* Their memory, shared pages counted in parts (PSS). */
uint64_t procs_pss_bytes(const struct procs *procs);

/* What they had written to files, as the kernel accounts it: pages dirtied and direct writes. */
uint64_t procs_written_bytes(const struct procs *procs);

/* Their open files. */
size_t procs_descriptors(const struct procs *procs);

/* Their mappings: lines of /proc/PID/maps. */
size_t procs_mappings(const struct procs *procs);

#endif
