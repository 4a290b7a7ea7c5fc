/* thin.h -- which part of a user's changes still counts, when all of them up to some LSN are known.
 *
 *   thin_note each change, from the first one on -> thin_ready -> thin_write each again: what is left of it
 *
 * Who replays what is left, from the first record on, has the same catalog and the same tables as who replays all of it:
 *   rows        those that are not expunged; a few that are stay where they lie between others
 *   flags       the last change of each flag of each message
 *   expunged    all, but adjacent UIDs as one run, under the LSN of the newest: whoever asks what was expunged since is
 *               told too much, never too little
 *   counters    the last of each mailbox
 *   the rest    as it is in the end: mailboxes under their last name, where they were made; subscriptions, sums and the last
 *               day's deliveries in the last records
 * A mailbox that was deleted is not in it at all. Whoever begins with a table that has the changes up to some LSN in between
 * comes to the same end too; who begins with such a catalog does not, so none is used (volume_read.c).
 *
 * No disk. A task lets others in while it goes through many messages; what is borrowed from a caller must be good till the call
 * returns. NULL: nobody waits. Such a call may end with RP_ERR_CANCELED.
 */
#ifndef RP_INDEX_THIN_H
#define RP_INDEX_THIN_H

#include "index/catalog.h"
#include "io/base/hash.h"
#include "io/task.h"

enum {
	/* Of memory for the last change of each flag of each message. What finds no room any more counts as the last. */
	THIN_FLAGS_BYTES_MAX = 64 * 1024 * 1024,
};

struct thin_mailbox;

struct thin {
	struct catalog catalog;       /* as it is after all that was noted */
	struct thin_mailbox *mailbox; /* mailboxes_count of them, by id */
	size_t mailboxes_count;
	size_t mailboxes_max;
	struct hash flags; /* struct flag_page */
	size_t flags_bytes;
	uint64_t last; /* LSN of the last change */
	uint64_t changes;
	uint64_t tail;    /* from this LSN on records take what stands at the end */
	size_t tail_name; /* where that goes on */
	size_t tail_delivery;
	bool sums_told;
};

void thin_init(struct thin *thin, struct hash_key key);
void thin_fini(struct task *task, struct thin *thin);

/* RP_ERR_CORRUPT: not sound; RP_ERR_CANNOT: all of it was destroyed, and there is nothing to make of it. */
RP_MUST_USE enum rp_err thin_note(
    struct task *task, struct thin *thin, uint64_t lsn, struct bytes payload);

/* All are noted. */
RP_MUST_USE enum rp_err thin_ready(struct task *task, struct thin *thin);

/* What is left of a change, put into a writer that was begun; in the same order. The last one has something always.
 * RP_ERR_LIMIT: it has no room for it (names that are longer now). */
RP_MUST_USE enum rp_err thin_write(struct task *task, struct thin *thin, uint64_t lsn,
    struct bytes payload, struct change_writer *writer);

#endif
