/* mapping.h -- files in memory, and what happens when a page of one cannot be had (SIGBUS).
 *
 * The handler belongs to the process, so the registry of mappings does too: it is the one mutable
 * global of io. It is written under a lock, and read by the handler without one.
 */
#ifndef RP_IO_MAPPING_H
#define RP_IO_MAPPING_H

#include <stdbool.h>
#include <stddef.h>

#include "io/base/err.h"

/* Install the SIGBUS handler, once for the process; any thread. */
void mapping_watch(void);

/* Map fd's first n bytes, private, and enter it. RP_ERR_LIMIT: too many mappings. */
RP_MUST_USE enum rp_err mapping_open(int fd, size_t n, void **out);

/* p and n as mapping_open() had them. */
void mapping_close(void *p, size_t n);

/* How many there are, of the process. Any thread. */
size_t mapping_count(void);

/* Has a page been laid in for one that was missing? p: what mapping_open() gave. */
bool mapping_is_bad(const void *p);

#endif
