/* mailbox_transfer.h -- messages that leave a mailbox or come into another: what expunge, copy, move and the renaming of
 * INBOX share. */
#ifndef RP_INDEX_MAILBOX_TRANSFER_H
#define RP_INDEX_MAILBOX_TRANSFER_H

#include "index/breath.h"
#include "index/mailbox_state.h"
#include "index/table_select.h"

enum { TRANSFER_FLAG_DELETED = 2 }; /* the number of MAIL_DELETED, as the table counts flags */
static_assert(1 << TRANSFER_FLAG_DELETED == MAIL_DELETED, "flag numbers");

/* These messages leave, or come into, a mailbox with these counters. */
void transfer_out(struct change_counters *counters, const struct table_counts *sum);
void transfer_in(struct change_counters *counters, const struct table_counts *sum);

/* More of them. */
void transfer_add(struct table_counts *sum, const struct table_counts *more);

/* A keyword, and the UIDs in the target that will have it. */
struct transfer_keyword {
	struct bytes name; /* in the store's arena */
	struct runs uids;
};

/* What makes the target, before its first message. prepare: memory for it, which holds till the task gives way. write: all of its items;
 * the errors of a plan, and then nothing was written. */
struct transfer_opening {
	enum rp_err (*prepare)(void *arg);
	enum rp_err (*write)(struct breath *breath, void *arg);
	void *arg;
};

/* Copy or move. */
struct transfer {
	struct mailbox *from;
	const struct runs *uids; /* NULL: all */
	struct mailbox *to;      /* NULL: a mailbox that is made by this change, without messages: */
	const struct transfer_opening *opening; /* how */
	uint64_t toid;
	bool moves;
	uint32_t savedate_s;
	struct runs taken;  /* results: source UIDs, */
	uint32_t first_uid; /* and what the first of them became */
	struct table_select select; /* the same ones, in the breath in which they were looked at */
	struct table_counts sum;
	struct transfer_keyword *keywords; /* keywords_count of them: those that any of them has */
	size_t keywords_count;
};

/* For a breath's plan. transfer_look: decide what is taken; the errors of a plan. transfer_write: all items; cannot fail after
 * transfer_look; nothing when nothing is taken. */
RP_MUST_USE enum rp_err transfer_prepare(struct task *task, struct transfer *transfer);
RP_MUST_USE enum rp_err transfer_look(struct transfer *transfer);
void transfer_write(struct breath *breath, struct transfer *transfer);
void transfer_fini(struct transfer *transfer);

/* What a message of the source is in the target. */
struct change_row transfer_row(
    const struct transfer *transfer, const struct table_row *row, uint32_t to_uid);

/* The counters of both, as they are afterwards. False: no room. */
RP_MUST_USE bool transfer_put_counters(
    struct change_writer *writer, const struct transfer *transfer);

/* Of these UIDs (NULL: of all) those that are there and, unless `any`, are \Deleted, added to out. transfer_gather() lets others in
 * meanwhile; RP_ERR_NOTFOUND: the mailbox is gone. */
RP_MUST_USE enum rp_err transfer_choose(
    struct mailbox *mailbox, const struct runs *uids, bool any, struct runs *out);
RP_MUST_USE enum rp_err transfer_gather(struct task *task, struct mailbox *mailbox,
    const struct runs *uids, bool any, struct runs *out);

/* transfer_long.c. Is it more than one breath should take? Then transfer_long() copies, or moves, transfer->uids from a mailbox to another, the
 * same, or a new one, of this volume: one change, which counts as a whole or not at all, though others are let in before it is over. Its
 * results are `taken` and first_uid. RP_ERR_LIMIT: more than CHANGE_LONG_BYTES_MAX. */
RP_MUST_USE enum rp_err transfer_measure(
    struct task *task, const struct transfer *transfer, bool *is_long);
RP_MUST_USE enum rp_err transfer_long(struct task *task, struct transfer *transfer);

/* Of all messages, as many as there are now: are they too many for a breath? */
bool transfer_is_many(const struct transfer *transfer);

#endif
