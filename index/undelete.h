/* undelete.h -- expunged messages, and those of deleted mailboxes, brought back while their bodies are kept.
 *
 *   undelete_begin: read from the journals (kept.h) -> look at them -> undelete_back, a batch at a time -> undelete_end
 *
 * A message that comes back is a new one in its mailbox: a new UID, its flags but for \Deleted, its keywords, INTERNALDATE and EMAILID;
 * the body is shared, nothing is copied. The same record says that it was brought back: it is not offered a second time, so doing it
 * twice makes no second copy. Expunged once more, it is offered once more.
 *
 * Between begin and end no dbox file goes. One at a time for a user.
 */
#ifndef RP_INDEX_UNDELETE_H
#define RP_INDEX_UNDELETE_H

#include "index/mailbox.h"

enum { UNDELETE_BATCH_MAX = 1000 }; /* messages in one record group */

struct undelete;

/* Only these. */
struct undelete_filter {
	struct bytes
	    mailbox;      /* its name, or what it was called when it was deleted; .n == 0: all */
	uint64_t since_s; /* expunged then or later, seconds since 1970 */
};

struct undelete_message {
	struct bytes mailbox; /* where it was: good until undelete_end() */
	uint64_t mailboxid;
	bool mailbox_gone; /* deleted */
	uint64_t expunged_s;
	uint32_t uid; /* that it had */
	uint32_t flags;
	struct mail_date internaldate;
	uint32_t rfc822_size_bytes;
	uint32_t file;   /* <file>.dbox has its body, */
	uint64_t offset; /* there, in bytes */
};

/* One that stays gone for now: why says RP_ERR_EXPUNGED, its body is not there any more; RP_ERR_CORRUPT, it is damaged; RP_ERR_IO, the
 * disk does not give it: it is offered again. */
typedef void undelete_lost_fn(void *arg, const struct undelete_message *message, enum rp_err why);

/* RP_ERR_BUSY: somebody does it for this user just now. */
RP_MUST_USE enum rp_err undelete_begin(struct task *task, struct volume *volume,
    const struct undelete_filter *filter, struct undelete **out);
void undelete_end(struct task *task, struct undelete *undelete); /* NULL is fine */

/* By mailbox, then by UID. */
size_t undelete_count(const struct undelete *undelete);
void undelete_at(const struct undelete *undelete, size_t i, struct undelete_message *out);
RP_MUST_USE enum rp_err undelete_body_open(
    struct task *task, const struct undelete *undelete, size_t i, struct dbox_body **out);

/* Who wants to hear of each that is passed over; it is told in the log too. No task. */
void undelete_tell_lost(struct undelete *undelete, undelete_lost_fn *fn, void *arg);

/* Bring back the next max (UNDELETE_BATCH_MAX) from *at on into an open mailbox, all or none; *at is where to go on. Only those of
 * one mailbox at a time. A message whose body cannot be read, whatever the reason, is passed over, and counted in *lost (added to).
 * RP_ERR_LIMIT: the mailbox has no room, or too many keywords. */
RP_MUST_USE enum rp_err undelete_back(struct task *task, struct undelete *undelete,
    struct mailbox *to, size_t max, size_t *at, size_t *back, size_t *lost);

/* All of them: each into its own mailbox, or into `to` (.n != 0), which is made if it is not there. On an error what was brought
 * back until then is. */
RP_MUST_USE enum rp_err undelete_all(
    struct task *task, struct undelete *undelete, struct bytes to, size_t *back, size_t *lost);

#endif
