/* kept.h -- the messages of a user that were expunged a short time ago, and can be brought back.
 *
 *   kept_note each change, from the first one on -> kept_ready: is there any? -> kept_take each again: their rows
 *     -> kept_end: joined -> kept.mailbox[].rows
 *     -> kept_write: into the records of a merged journal
 *
 * The log says all of it: when a message was expunged or its mailbox deleted stands in that record, its row, flags and place in those
 * before. A merge drops these, so it writes the rows as they were in the end (CHANGE_ITEM_KEPT), and they are read as such.
 * What left a mailbox by MOVE lives on elsewhere; its record tells no time, and it is not kept.
 *
 * Of more than rows_max messages those that were expunged first are let go, whole seconds of them: as if their time were over.
 * What was brought back counts as well: what is let go once is so for good.
 *
 * No disk. What goes through all of it lets others in on the way; task NULL: nobody waits.
 */
#ifndef RP_INDEX_KEPT_H
#define RP_INDEX_KEPT_H

#include "index/change.h"
#include "io/task.h"

enum {
	KEPT_ROWS_MAX = 4 * 1024 * 1024, /* of one user at a time: protects memory, 120 bytes each */
	KEPT_PIECE_ROWS = 16,            /* taken, and given back, together */
};

struct kept_row {
	struct change_row row; /* as it was in the end */
	uint64_t seconds;      /* when it was expunged */
	uint16_t *keyword;     /* keywords_count of them: indexes of the mailbox's */
	uint16_t keywords_count;
};

/* In pieces: a million in one would be copied each time that it grows, and given back in one slice. */
struct kept_rows {
	struct kept_row **piece; /* pieces_count of them, by UID; KEPT_PIECE_ROWS each */
	size_t count;            /* of rows */
	size_t pieces_count;
	size_t pieces_max;
};

static inline struct kept_row *kept_row_at(const struct kept_rows *rows, size_t at)
{
	return &rows->piece[at / KEPT_PIECE_ROWS][at % KEPT_PIECE_ROWS];
}

struct kept_run {
	uint64_t seconds;
	uint32_t first;
	uint32_t last;
};

struct kept_runs {
	struct kept_run *run; /* kept_ready(): by UID, disjoint */
	size_t count;
	size_t max;
};

struct kept_keyword {
	uint8_t n;
	uint8_t text[MAILBOX_KEYWORD_BYTES_MAX];
};

struct kept_mailbox {
	uint64_t mailboxid;
	struct bytes name; /* the last one; malloc'ed */
	bool gone;
	uint64_t gone_seconds;   /* when, with all that was in it; 0: not told */
	struct kept_runs timed;  /* expunged */
	struct kept_runs out;    /* left it without a time */
	struct kept_runs back;   /* were brought back */
	uint32_t messages_count; /* that were in it at last */
	struct kept_rows rows;
	struct kept_rows told; /* that a merge has written; until kept_end() */
	struct kept_keyword *keyword;
	size_t keywords_count;
};

struct kept {
	uint64_t since;               /* what was expunged then or before is over */
	struct kept_mailbox *mailbox; /* mailboxes_count of them, by id */
	size_t mailboxes_count;
	size_t mailboxes_max;
	size_t rows_count;
	size_t rows_max;   /* KEPT_ROWS_MAX; who reads may ask for less before kept_ready() */
	uint64_t let_go;   /* so many more there were */
	size_t at_mailbox; /* how far kept_write() has come */
	size_t at_row;
	size_t at_keyword;
	size_t at_run;
	bool at_named;
};

void kept_init(struct kept *kept, uint64_t since);
void kept_fini(struct task *task, struct kept *kept); /* to its end, though the task is cancelled */

/* A change that has been checked, or not: RP_ERR_CORRUPT. kept_note_lost: what it expunges without a time was then. */
RP_MUST_USE enum rp_err kept_note(struct kept *kept, struct bytes payload);
RP_MUST_USE enum rp_err kept_note_lost(
    struct kept *kept, struct bytes payload, uint64_t seconds);

/* All are noted. May there be anything that is kept? `since` is later now where there would be too many. */
RP_MUST_USE enum rp_err kept_ready(struct task *task, struct kept *kept, bool *any);

/* The same again; payload is to be good till it returns. */
RP_MUST_USE enum rp_err kept_take(struct task *task, struct kept *kept, struct bytes payload);
RP_MUST_USE enum rp_err kept_end(struct task *task, struct kept *kept);

/* Where a journal is damaged: is this one kept, and no record tells how it was? Such rows, by UID; then kept_end() once more, and
 * all changes again, for the flags that they had in the end. */
bool kept_lacks(const struct kept *kept, uint64_t mailboxid, uint32_t uid);
RP_MUST_USE enum rp_err kept_add(
    struct kept *kept, uint64_t mailboxid, const struct change_row *row);
RP_MUST_USE enum rp_err kept_take_flags(
    struct task *task, struct kept *kept, struct bytes payload);

/* Of the rows of this mailbox those stay that fn wants. */
typedef bool kept_wants_fn(void *arg, const struct kept_row *row);
RP_MUST_USE enum rp_err kept_thin(struct task *task, struct kept *kept,
    struct kept_mailbox *mailbox, kept_wants_fn *fn, void *arg);

/* Put what has room. RP_ERR_LIMIT: not all has; go on in the next record. */
RP_MUST_USE enum rp_err kept_write(
    struct task *task, struct kept *kept, struct change_writer *writer);

#endif
