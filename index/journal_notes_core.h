/* journal_notes_core.h -- the notes themselves. For journal_notes*.c alone. */
#ifndef RP_INDEX_JOURNAL_NOTES_CORE_H
#define RP_INDEX_JOURNAL_NOTES_CORE_H

#include "index/journal_notes.h"

#define NOTES_NONE UINT32_MAX

/* A record, or that some are missing; in the order in which a replay tells them. */
struct notes_spot {
	uint64_t lsn;   /* the first that is missing */
	uint64_t file;  /* as in struct journal_telling */
	uint64_t at;    /* the last that is missing */
	uint64_t bytes; /* 0: missing */
};

/* What is about the mailbox lies in [from, to) of the payload: a record may be about thousands. None of it: the part of a change is
 * about others. */
struct notes_mention {
	uint32_t spot;
	uint32_t next; /* of the same mailbox; NOTES_NONE */
	uint32_t from;
	uint32_t to;
};

struct notes_head {
	uint64_t mailboxid;
	uint32_t first;
	uint32_t last;
};

struct notes {
	struct notes_spot *spot;
	size_t spots;
	size_t spots_max;
	struct notes_mention *mention;
	size_t mentions;
	size_t mentions_max;
	struct notes_head *head; /* by mailboxid */
	size_t heads;
	size_t heads_max;
	uint32_t *gap; /* spots */
	size_t gaps;
	size_t gaps_max;
	uint64_t from; /* behind this LSN, up to the other one */
	uint64_t lsn;
	bool unfinished; /* there may be parts of a change behind it, without the last one */
};

/* The first head whose mailboxid is >= `mailboxid`; heads: none. */
size_t notes_head_lower(const struct notes *notes, uint64_t mailboxid);

/* Of all records behind this LSN. RP_ERR_LIMIT: they would take more bytes. On an error *out is as it was. */
RP_MUST_USE enum rp_err notes_make(struct task *task, struct journal *journal, uint64_t from,
    uint64_t bytes_max, struct notes *out);
void notes_fini(struct notes *notes);

#endif
