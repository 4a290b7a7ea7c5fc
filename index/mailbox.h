/* mailbox.h -- THE DOOR of index: one mailbox's messages.
 *
 * A mailbox is open while somebody holds it (counted). One that is deleted lives on, marked gone, until its last user
 * lets go. Messages are named by UID outside; a row number never leaves index. Each change is one record and is applied
 * in one breath; it is durable when store_durable() has reached volume_position().
 */
#ifndef RP_INDEX_MAILBOX_H
#define RP_INDEX_MAILBOX_H

#include "index/volume.h"
#include "io/base/arena.h"
#include "io/base/runs.h"

struct mailbox;
struct body_put;
struct delivery_key;

enum {
	MAILBOX_KEYWORDS_MAX = 1000,    /* different ones, in a mailbox */
	MAILBOX_KEYWORD_BYTES_MAX = 64, /* each */
	MAILBOX_APPEND_MAX = 64,        /* messages in one append */
};

/* System flags as bits; the same values as in core/imap/flag.h (the two are compared where both are seen). */
enum mail_flag {
	MAIL_ANSWERED = 1 << 0,
	MAIL_FLAGGED = 1 << 1,
	MAIL_DELETED = 1 << 2,
	MAIL_SEEN = 1 << 3,
	MAIL_DRAFT = 1 << 4,
};

/* A moment with the zone it was told in. */
struct mail_date {
	int64_t seconds;  /* since 1970, UTC */
	int16_t zone_min; /* east of Greenwich */
};

/* `sent` of a message without a Date: that can be read, in UTC: a day before any that such a field or a SEARCH can name. */
enum { MAIL_DAY_NONE = -1000000 };
#define MAIL_SENT_NONE ((struct mail_date){ MAIL_DAY_NONE * INT64_C(86400), 0 })

/* One message as FETCH sees it. */
struct message {
	uint32_t uid;
	uint32_t flags; /* enum mail_flag */
	uint64_t modseq;
	struct mail_date internaldate;
	struct mail_date sent; /* the Date: field, or MAIL_SENT_NONE */
	uint32_t rfc822_size_bytes;
	uint32_t savedate_s;
	uint64_t emailid;
	uint64_t threadid; /* 0: NIL */
};

/* RP_ERR_NOTFOUND: no such name, or \NonExistent. */
RP_MUST_USE enum rp_err mailbox_open(
    struct task *task, struct volume *volume, struct bytes name, struct mailbox **out);
void mailbox_close(struct mailbox *mailbox);

/* Facts and counters as in the catalog; good until the next call that takes the task. */
const struct catalog_entry *mailbox_entry(const struct mailbox *mailbox);
struct volume *mailbox_volume(const struct mailbox *mailbox);
bool mailbox_is_gone(const struct mailbox *mailbox);

/* Keywords used here, by index: those that messages have, and others that messages had. Such a one gives its index to a new one where
 * there are MAILBOX_KEYWORDS_MAX. So an index is good until the next call that takes the task. */
unsigned mailbox_keywords_count(const struct mailbox *mailbox);
struct bytes mailbox_keyword(const struct mailbox *mailbox, unsigned index);

/* May there be a new one? */
bool mailbox_has_room_for_keyword(const struct mailbox *mailbox);

/* Taking in a body, at the pace of the disk: up to 64 KiB are kept in memory, more is streamed into a dbox file.
 * Bytes come already normalised (CRLF). A body_put that is not used in an append leaves no trace. */
RP_MUST_USE enum rp_err body_begin(struct task *task, struct volume *volume, struct body_put **out);
RP_MUST_USE enum rp_err body_write(struct task *task, struct body_put *put, struct bytes b);
void body_abort(struct body_put *put);

/* One message of an append; everything is borrowed for the call. */
struct append {
	struct body_put *body; /* consumed by a successful append; else still the caller's to abort */
	uint32_t flags;
	const struct bytes *keywords; /* keywords_count of them */
	size_t keywords_count;
	struct mail_date internaldate;
	struct mail_date sent;
	struct bytes cache_entry; /* what mail_reader.render would make of it; .n == 0: made at first use */
	const struct delivery_key *delivery; /* LMTP's, the append's only message: not a second time (delivered.h); NULL: as often as it is said */
};

/* Append count messages, all or none, one record. uids: gets count UIDs, ascending and adjacent. RP_ERR_LIMIT: too many
 * keywords; RP_ERR_EXISTS: one of them was delivered within the last day; RP_ERR_NOTFOUND: the mailbox is gone; RP_ERR_QUOTA; RP_ERR_NOSPACE. */
RP_MUST_USE enum rp_err mailbox_append(struct task *task, struct mailbox *mailbox,
    const struct append *messages, size_t count, uint32_t *first_uid);

enum mail_store_mode {
	MAIL_STORE_REPLACE,
	MAIL_STORE_ADD,
	MAIL_STORE_REMOVE,
};

struct mail_store {
	enum mail_store_mode mode;
	uint32_t flags;
	const struct bytes *keywords;
	size_t keywords_count;
	bool has_unchangedsince;
	uint64_t unchangedsince;
	uint64_t known_modseq; /* who asks knows of the changes up to this one; 0: it does not matter */
};

/* Change flags of the messages in uids that are there; those that already are so keep their MODSEQ. changed and modified
 * (UIDs that failed UNCHANGEDSINCE) are added to; either may be NULL. One change however many messages. It may have to wait: what
 * others have changed meanwhile, beyond known_modseq, is not put into changed. */
RP_MUST_USE enum rp_err mailbox_store(struct task *task, struct mailbox *mailbox, const struct runs *uids,
    const struct mail_store *store, struct runs *changed, struct runs *modified);

/* Would that hold others up, for what changes stands so scattered? Then `there` (empty before) gets those of uids that are there, for
 * several stores, one after the other, each of *part messages at most. It stays empty where one is enough. */
RP_MUST_USE enum rp_err mailbox_store_cut(struct task *task, struct mailbox *mailbox,
    const struct runs *uids, const struct mail_store *store, struct runs *there, uint32_t *part);

/* Expunge the messages that are \Deleted, of `uids` or (NULL) of all. expunged (may be NULL) is added to. Where they stand so
 * scattered that it would take long it is several changes, and others are let in between: an error then leaves done what was
 * done before it. */
RP_MUST_USE enum rp_err mailbox_expunge(
    struct task *task, struct mailbox *mailbox, const struct runs *uids, struct runs *expunged);

/* Copy the messages in uids that are there to a mailbox of the same volume; the bodies are shared, flags, dates, EMAILID
 * kept. All of them or, on an error, none. copied: the source UIDs in order; they became *first_uid and the following. Nothing
 * there: RP_OK, copied empty. */
RP_MUST_USE enum rp_err mailbox_copy(struct task *task, struct mailbox *from, const struct runs *uids,
    struct mailbox *to, struct runs *copied, uint32_t *first_uid);

/* The same, and expunge them from the source in the same change (RFC 6851). from == to is fine. */
RP_MUST_USE enum rp_err mailbox_move(struct task *task, struct mailbox *from, const struct runs *uids,
    struct mailbox *to, struct runs *moved, uint32_t *first_uid);

/* The body of a message, also of one that was expunged but is still listed in some view. RP_ERR_EXPUNGED, RP_ERR_CORRUPT.
 * Read with dbox_body_*. */
RP_MUST_USE enum rp_err mailbox_body_open(
    struct task *task, struct mailbox *mailbox, uint32_t uid, struct dbox_body **out);

/* A read of it has said that it is damaged: the log names the message, once an hour. */
void mailbox_body_damaged(
    const struct mailbox *mailbox, uint32_t uid, const struct dbox_body *body);

/* The cache entry of a message: as appended, or made by mail_reader now. Good until the next call with the task. */
RP_MUST_USE enum rp_err mailbox_cache(struct task *task, struct mailbox *mailbox, uint32_t uid,
    struct arena *arena, struct bytes *entry);

#endif
