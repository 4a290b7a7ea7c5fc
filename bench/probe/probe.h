/* probe.h -- what the kernel, the crypto and the memory of a machine cost at least, without any server.
 *
 * Each probe works for about `seconds` and tells its figures by probe_tell(). It dies of what it cannot do.
 */
#ifndef RP_BENCH_PROBE_PROBE_H
#define RP_BENCH_PROBE_PROBE_H

#include <stdint.h>

/* One figure of the object on standard output. Its name ends with its unit. */
void probe_tell(const char *name, double value);

/* CPU time of the calling thread. */
uint64_t probe_cpu_ns(void);

/* The server's half, on a ring: echo_ns, connect_ns, send_ns_per_kib, receive_ns_per_kib. */
void probe_net(double seconds);

/* The server's half: handshake_ns, resumed_ns, seal_ns_per_kib. */
void probe_tls(double seconds);

/* A preallocated file in the folder dir, removed at the end: log_write_ns (p50 by the clock), log_write_cpu_ns. */
void probe_disk(double seconds, const char *dir);

/* copy_ns_per_kib, scan_ns_per_kib. */
void probe_memory(double seconds);

#endif
