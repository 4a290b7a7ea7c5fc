/* compact_core.h -- what compact.c and compact_scan.c share. */
#ifndef RP_INDEX_COMPACT_CORE_H
#define RP_INDEX_COMPACT_CORE_H

#include "index/compact.h"

/* A message whose body lies in the file that is emptied. */
struct compact_row {
	uint64_t mailboxid;
	uint64_t emailid;
	uint32_t uid;
	uint32_t offset;
};

struct compact_rows {
	struct compact_row *row;
	size_t count;
	size_t max;
};

struct compact {
	struct volume *volume;
	uint32_t file;               /* that is emptied */
	struct compact_rows rows;    /* of the pass that is made */
	struct compact_rows news;    /* noted since */
	struct compact_moved *moved; /* by offset: what has another place already */
	size_t moved_count;
	size_t moved_max;
	uint64_t copied_bytes; /* of the newest body; 0: it had its place already */
	bool failed; /* something could not be noted */
};

RP_MUST_USE enum rp_err compact_core_add(struct compact_rows *rows, const struct compact_row *row);

/* Is there a reason to end early? */
bool compact_core_must_end(const struct volume *volume);

/* One that was worth while did not begin, or was ended, as somebody holds. */
void compact_core_kept_off(struct volume *volume);

/* All messages with a body in the file, added to rows. */
RP_MUST_USE enum rp_err compact_core_scan(struct task *task, struct compact *compact);

/* Files that are left out: a body in them cannot be read. */
struct compact_passed {
	uint32_t *number;
	size_t count;
};

/* The sealed file with the least share that is live, if that is under a half; 0: none. */
RP_MUST_USE enum rp_err compact_core_choose(
    struct task *task, struct volume *volume, const struct compact_passed *passed, uint32_t *file);

#endif
