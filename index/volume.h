/* volume.h -- one user's mail: opening it, and the names of its mailboxes.
 *
 * A volume is open while somebody uses it (counted) and for a while after. All calls are on its home shard. What is
 * borrowed (struct bytes, struct catalog_entry *) is good until the next call that takes the task.
 *
 * Names are UTF-8 with '/' between levels, INBOX in capitals; the caller has checked them (core/imap/mailbox_name).
 */
#ifndef RP_INDEX_VOLUME_H
#define RP_INDEX_VOLUME_H

#include "index/store.h"
#include "io/base/userid.h"

struct volume;
struct delivery_key;

enum {
	VOLUME_MAILBOXES_MAX = 20000, /* and as many subscriptions to names that are none */
	/* All names. A subscription outlives its mailbox, so this is asked when a mailbox is made: CREATE, SUBSCRIBE, DELETE
	 * again and again would pile names up. */
	VOLUME_NAMES_MAX = 2 * VOLUME_MAILBOXES_MAX,
};

/* RFC 6154. At most one mailbox has each; a mailbox may have several. */
enum special_use {
	SPECIAL_USE_ALL = 1 << 0,
	SPECIAL_USE_ARCHIVE = 1 << 1,
	SPECIAL_USE_DRAFTS = 1 << 2,
	SPECIAL_USE_FLAGGED = 1 << 3,
	SPECIAL_USE_JUNK = 1 << 4,
	SPECIAL_USE_SENT = 1 << 5,
	SPECIAL_USE_TRASH = 1 << 6,
};

/* One name. A name that is subscribed but has no mailbox has mailboxid 0. */
struct catalog_entry {
	struct bytes name;
	uint64_t mailboxid; /* 0: there is no such mailbox, only a subscription */
	unsigned special_use;
	bool subscribed;
	bool has_children; /* mailboxes below it */
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t highestmodseq;
	uint32_t messages_count;
	uint32_t unseen_count;
	uint32_t deleted_count;
	uint64_t bytes;
};

/* Open (recover, replay) this user's volume; an empty one is given its first mailboxes in one record: INBOX, Drafts,
 * Sent, Trash, Junk, Archive, subscribed, with their special uses. RP_ERR_UNAVAILABLE, RP_ERR_CORRUPT, RP_ERR_NOSPACE. */
RP_MUST_USE enum rp_err volume_open(
    struct task *task, struct store *store, const struct userid *userid, struct volume **out);
void volume_close(struct volume *volume);

const struct userid *volume_userid(const struct volume *volume);
struct store *volume_store(const struct volume *volume);

/* The stamp of every answer about this volume: the position of its last change in the commit log. */
uint64_t volume_position(const struct volume *volume);

/* Was this delivered within the last day? (mailbox_append() asks too; this is before work is put into it.) */
bool volume_was_delivered(const struct volume *volume, const struct delivery_key *key);

/* Names in byte order. `at` starts at 0; NULL: no more. Changing the catalog while walking is safe: names may then be
 * met or not. */
const struct catalog_entry *volume_next(struct volume *volume, struct bytes after);
const struct catalog_entry *volume_find(struct volume *volume, struct bytes name);

/* Changes; each is one record. On an error nothing has changed. The names' rules (RFC 3501 section 6.3, CLIENTS C-30
 * to C-41):
 * create   makes missing parents too, not subscribed. RP_ERR_EXISTS; RP_ERR_LIMIT. special_use: RP_ERR_EXISTS if another has it.
 * delete   RP_ERR_NOTFOUND; RP_ERR_HASCHILDREN; INBOX: RP_ERR_CANNOT. The subscription stays. Sessions that have it selected
 *          see it marked gone.
 * rename   with all below it; subscriptions go along. INBOX: its messages move to the new mailbox, it stays.
 * subscribe  any name is accepted; unsubscribe likewise. */
RP_MUST_USE enum rp_err volume_create(struct task *task, struct volume *volume, struct bytes name,
    unsigned special_use, uint64_t *mailboxid);
RP_MUST_USE enum rp_err volume_delete(struct task *task, struct volume *volume, struct bytes name);
RP_MUST_USE enum rp_err volume_rename(
    struct task *task, struct volume *volume, struct bytes from, struct bytes to);
RP_MUST_USE enum rp_err volume_subscribe(
    struct task *task, struct volume *volume, struct bytes name, bool subscribed);

/* Delete all of this user's mail: a record too, so that no log brings it back. Open handles are marked gone. */
RP_MUST_USE enum rp_err volume_destroy(struct task *task, struct volume *volume);

#endif
