/* disk.h -- what the files below DATA take, by their kind. */
#ifndef RP_BENCH_BLOCKING_DISK_H
#define RP_BENCH_BLOCKING_DISK_H

#include <stdint.h>

struct disk_use {
	uint64_t log_bytes;     /* commit logs, and the reserve */
	uint64_t journal_bytes; /* journals */
	uint64_t body_bytes;    /* dbox files */
	uint64_t derived_bytes; /* catalogs, indexes, caches, and what of them is being written */
	uint64_t files;         /* of users */
};

/* Blocks that are allocated, not lengths. Files may come and go meanwhile. */
struct disk_use disk_look(const char *data);

#endif
