/* compact_core.h -- what compact.c, compact_move.c and compact_scan.c share. */
#ifndef RP_INDEX_COMPACT_CORE_H
#define RP_INDEX_COMPACT_CORE_H

#include "index/compact.h"

/* So many files are emptied by one look at the indexes: their live bodies take half of a file at most, together, unless it is one. */
enum { COMPACT_FILES_MAX = 64 };

/* A message whose body lies in a file that is emptied. */
struct compact_row {
	uint64_t mailboxid;
	uint64_t emailid;
	uint32_t uid;
	uint32_t file;
	uint32_t offset;
};

struct compact_rows {
	struct compact_row *row;
	size_t count;
	size_t max;
};

struct compact {
	struct volume *volume;
	uint32_t number[COMPACT_FILES_MAX]; /* of the files, rising */
	size_t count;
	uint32_t file;               /* that is emptied just now; those before it are done. 0: none is yet */
	struct compact_rows rows;    /* found by the look */
	struct compact_rows news;    /* noted since */
	size_t news_here;            /* of these, in this file */
	struct compact_moved *moved; /* of this file, by offset: what has another place already */
	size_t moved_count;
	size_t moved_max;
	uint64_t copied_bytes; /* of the newest body; 0: it had its place already */
	bool failed; /* something could not be noted */
	bool lacks_room; /* a file that is worth it was left out: on this disk there is no room for what is live in it */
};

RP_MUST_USE enum rp_err compact_core_add(struct compact_rows *rows, const struct compact_row *row);

/* Is it a file that is emptied, now or after this one? */
bool compact_core_empties(const struct compact *compact, uint32_t file);

/* Is there a reason to end early? */
bool compact_core_must_end(const struct volume *volume);

/* One that was worth while did not begin, or was ended, as somebody holds. */
void compact_core_kept_off(struct volume *volume);

/* All messages with a body in one of the files, added to rows. */
RP_MUST_USE enum rp_err compact_core_scan(struct task *task, struct compact *compact);

enum { COMPACT_COPY_BYTES = 64 * 1024 }; /* of a body at a time */

/* To the file in use; all rows that share the body, which lies in compact->file, are told. p: COMPACT_COPY_BYTES to work with. */
RP_MUST_USE enum rp_err compact_core_move(
    struct task *task, struct compact *compact, const struct compact_row *row, size_t count, uint8_t *p);

/* Files that are left out: a body in them cannot be read. */
struct compact_passed {
	uint32_t *number;
	size_t count;
};

/* The sealed files of which the least share is live, if that is under a half and there is room for it; one without a live body needs
 * none. count 0: none. */
RP_MUST_USE enum rp_err compact_core_choose(struct task *task, struct compact *compact, const struct compact_passed *passed);

#endif
