/* change.h -- what the payload of a record says: a change, as items that tell what is afterwards.
 *
 *   payload  u8 version | u32 part | u8 last | items
 *   item     u8 type | u32 bytes of what follows | fields as varints
 *
 * A change that does not fit one record is a group: records with adjacent LSNs, parts 0, 1, ..., of which only the
 * final one is marked last. A group whose last part is missing never happened (replay.h). Items name mailboxes by
 * id and messages by UID, never by how much something grows: applied twice they do no harm. Rows and flags bear
 * the LSN of their record as MODSEQ, so it is not told.
 *
 * Pure: bytes in, bytes out. What a disk says is checked in full before an item is handed out.
 */
#ifndef RP_INDEX_CHANGE_H
#define RP_INDEX_CHANGE_H

#include "index/dbox/dbox.h"
#include "index/delivered.h"
#include "index/mailbox.h"
#include "index/record.h"

/* What the record is about, for a person and for recovery; its effect is its items. Numbers are on disk. */
enum change_type {
	CHANGE_INIT = 1, /* the first mailboxes */
	CHANGE_CREATE = 2,
	CHANGE_DELETE = 3,
	CHANGE_RENAME = 4,
	CHANGE_SUBSCRIBE = 5,
	CHANGE_APPEND = 6,
	CHANGE_STORE = 7,
	CHANGE_EXPUNGE = 8,
	CHANGE_COPY = 9,
	CHANGE_MOVE = 10,
	CHANGE_DESTROY = 11, /* all of this user's mail; RECORD_DESTROYS is set in its header */
	CHANGE_COMPACT = 12, /* bodies lie elsewhere; at last their file is void, and RECORD_DROPS_DBOX set */
	CHANGE_UNDELETE = 13,
	CHANGE_TYPE_COUNT
};

/* "append"; static text. */
const char *change_type_name(unsigned type);

enum change_item_type {
	CHANGE_ITEM_MAILBOX = 1,      /* there is this mailbox, empty when made */
	CHANGE_ITEM_GONE = 2,         /* there is no such mailbox any more */
	CHANGE_ITEM_NAME = 3,         /* this mailbox has this name; its subscription goes along */
	CHANGE_ITEM_SUBSCRIPTION = 4, /* this name is (not) subscribed */
	CHANGE_ITEM_COUNTERS = 5,     /* a mailbox's counters */
	CHANGE_ITEM_SUMS = 6,         /* the volume's */
	CHANGE_ITEM_ROWS = 7,         /* messages with adjacent UIDs, without keywords */
	CHANGE_ITEM_FLAG = 8,         /* these UIDs have this flag or keyword, or have it not */
	CHANGE_ITEM_EXPUNGED = 9,     /* these UIDs are no more */
	CHANGE_ITEM_DESTROYED = 10,   /* the volume is no more */
	CHANGE_ITEM_DELIVERY = 11,    /* by LMTP came the message with this key, so it is known when it comes again */
	CHANGE_ITEM_BODY = 12,        /* this message's body lies here; its MODSEQ stays */
	CHANGE_ITEM_FILE_GONE = 13,   /* nothing refers to this dbox file any more: it is no more */
	/* On disk only: EXPUNGED and GONE with the time when it happened, and are read as those. */
	CHANGE_ITEM_EXPUNGED_AT = 14,
	CHANGE_ITEM_GONE_AT = 15,
	/* What a merge keeps of expunged messages while they can be brought back (kept.h). Catalogs and tables pass over these. */
	CHANGE_ITEM_KEPT = 16,         /* messages with adjacent UIDs, expunged at the same time, as they were then */
	CHANGE_ITEM_KEPT_KEYWORD = 17, /* these of them had this keyword */
	CHANGE_ITEM_KEPT_NAME = 18,    /* the name that a mailbox had which is no more */
	CHANGE_ITEM_BROUGHT_BACK = 19, /* these were: they are not kept any more */
};

enum {
	CHANGE_VERSION = 1,
	CHANGE_PAYLOAD_BYTES_MAX = RECORD_BYTES_MAX - 512,
	CHANGE_ROW_BYTES_MAX = 96, /* of one encoded row */
	CHANGE_ROW_BYTES_MIN = 18,
	CHANGE_RUN_BYTES_MAX = 10,
	CHANGE_ITEM_BYTES_MAX = 96, /* of an item without name, runs and rows */
	CHANGE_NAME_BYTES_MAX = 1000,
	/* One change, however many records: protects the commit log and its memory from one command. */
	CHANGE_GROUP_BYTES_MAX = 8 * 1024 * 1024,
	/* One that lets others in before it is over: what a reader keeps until it meets the last part. Some 2,000,000 messages. */
	CHANGE_LONG_BYTES_MAX = 64 * 1024 * 1024,
	CHANGE_FLAG_KEYWORD =
	    5, /* CHANGE_ITEM_FLAG: not a system flag (0..4) but the keyword named */
};

/* One message of CHANGE_ITEM_ROWS. */
struct change_row {
	uint32_t uid;
	uint32_t flags;
	struct mail_date internaldate;
	struct mail_date sent;
	uint32_t rfc822_size_bytes;
	uint32_t savedate_s;
	struct dbox_ref body;
	uint64_t emailid;
	uint64_t threadid;
};

struct change_counters {
	uint32_t uidnext;
	uint32_t messages_count;
	uint32_t unseen_count;
	uint32_t deleted_count;
	uint64_t bytes;
};

struct change_sums {
	uint64_t mailboxid_next;
	uint32_t uidvalidity_last;
	uint64_t messages_count;
	uint64_t bytes;
};

/* Runs of an item, taken out a few at a time. */
struct change_runs {
	struct bytes rest;
	uint32_t left; /* runs in rest */
	uint32_t last; /* the last UID taken out */
};

/* Rows of an item. */
struct change_rows {
	struct bytes rest;
	uint32_t left;
	struct change_row row; /* taken out last: the next one is told by its difference */
};

/* An item, checked; spans borrow from the payload. */
struct change_item {
	enum change_item_type type;
	uint64_t mailboxid;              /* all but SUBSCRIPTION, SUMS, DESTROYED, DELIVERY, FILE_GONE */
	struct bytes name;               /* MAILBOX, NAME, SUBSCRIPTION, KEPT_NAME; FLAG, KEPT_KEYWORD: the keyword */
	bool on;                         /* SUBSCRIPTION, FLAG */
	unsigned special_use;            /* MAILBOX */
	uint32_t uidvalidity;            /* MAILBOX */
	unsigned flag;                   /* FLAG: 0..4, or CHANGE_FLAG_KEYWORD */
	struct change_counters counters; /* COUNTERS */
	struct change_sums sums;         /* SUMS */
	struct change_runs runs;         /* FLAG, EXPUNGED, KEPT_KEYWORD, BROUGHT_BACK */
	struct change_rows rows;         /* ROWS, KEPT */
	struct delivery delivery;        /* DELIVERY */
	uint64_t seconds;                /* EXPUNGED, GONE: when, since 1970; 0: not told. KEPT */
	uint32_t uid;                    /* BODY */
	struct dbox_ref body;            /* BODY; FILE_GONE: its file */
};

struct change_reader {
	struct bytes rest;
	uint32_t part;
	bool last;
};

/* RP_ERR_CORRUPT: not a payload of a version that we know. */
RP_MUST_USE enum rp_err change_open(struct bytes payload, struct change_reader *reader);

/* The next item; RP_ERR_END: there are no more; RP_ERR_CORRUPT. */
RP_MUST_USE enum rp_err change_next(struct change_reader *reader, struct change_item *item);

/* Every item is sound. */
RP_MUST_USE enum rp_err change_check(struct bytes payload);

/* Up to max runs of a checked item; 0: no more. */
size_t change_runs_next(struct change_runs *runs, struct run *out, size_t max);

/* The next row of a checked item, in rows->row; false: no more. */
bool change_rows_next(struct change_rows *rows);

/* Writing one record's payload. An item that has no room leaves the writer as it was and says so; the caller finishes
 * this record and goes on in the next part of the group. */
struct change_writer {
	uint8_t *p; /* the caller's, CHANGE_PAYLOAD_BYTES_MAX of it */
	size_t n;
	size_t bytes_max;
	size_t item;       /* offset of the item that is open; 0: none */
	size_t rows_at;    /* where its count stands */
	uint32_t rows;     /* in it */
	struct change_row row; /* the newest of it */
};

void change_begin(struct change_writer *writer, uint8_t *p, size_t bytes_max, uint32_t part);
bool change_is_empty(const struct change_writer *writer);
struct bytes change_finish(struct change_writer *writer, bool last);

RP_MUST_USE bool change_put_mailbox(struct change_writer *writer, uint64_t mailboxid,
    uint32_t uidvalidity, unsigned special_use, struct bytes name);
/* seconds: when, since 1970; 0: it is not told. */
RP_MUST_USE bool change_put_gone(
    struct change_writer *writer, uint64_t mailboxid, uint64_t seconds);
RP_MUST_USE bool change_put_kept_name(
    struct change_writer *writer, uint64_t mailboxid, struct bytes name);
RP_MUST_USE bool change_put_name(
    struct change_writer *writer, uint64_t mailboxid, struct bytes name);
RP_MUST_USE bool change_put_subscription(struct change_writer *writer, struct bytes name, bool on);
RP_MUST_USE bool change_put_counters(
    struct change_writer *writer, uint64_t mailboxid, const struct change_counters *counters);
RP_MUST_USE bool change_put_sums(struct change_writer *writer, const struct change_sums *sums);
RP_MUST_USE bool change_put_destroyed(struct change_writer *writer);
RP_MUST_USE bool change_put_delivery(
    struct change_writer *writer, const struct delivery *delivery);

RP_MUST_USE bool change_put_body(
    struct change_writer *writer, uint64_t mailboxid, uint32_t uid, struct dbox_ref body);
RP_MUST_USE bool change_put_file_gone(struct change_writer *writer, uint32_t file);

/* As many of the runs from *at on as there is room for; *at is where to go on. True: all are in. */
RP_MUST_USE bool change_put_flag(struct change_writer *writer, uint64_t mailboxid, unsigned flag,
    struct bytes keyword, bool on, const struct runs *uids, size_t *at);
RP_MUST_USE bool change_put_expunged(struct change_writer *writer, uint64_t mailboxid,
    uint64_t seconds, const struct runs *uids, size_t *at);
RP_MUST_USE bool change_put_kept_keyword(struct change_writer *writer, uint64_t mailboxid,
    struct bytes keyword, const struct runs *uids, size_t *at);
RP_MUST_USE bool change_put_brought_back(
    struct change_writer *writer, uint64_t mailboxid, const struct runs *uids, size_t *at);

/* Rows with adjacent UIDs: begin (one or the other), put each, end. */
RP_MUST_USE bool change_kept_begin(
    struct change_writer *writer, uint64_t mailboxid, uint64_t seconds, uint32_t first_uid);
RP_MUST_USE bool change_rows_begin(
    struct change_writer *writer, uint64_t mailboxid, uint32_t first_uid);
RP_MUST_USE bool change_rows_put(struct change_writer *writer, const struct change_row *row);
void change_rows_end(struct change_writer *writer);

#endif
