/* plain.h -- a user's journals and bodies read by index/FORMATS.md in the plainest way, all at once from the bytes of the disk: what is
 * sound there, and what it says. What damage costs is the difference between two of these, before and behind it.
 *
 * Records and bodies are found, checked and put in order here, and a change is carried out here, with nothing of the server's; only
 * the items of a payload are taken apart by index/change.h.
 */
#ifndef RP_TESTS_SIM_PLAIN_H
#define RP_TESTS_SIM_PLAIN_H

#include "index/change.h"
#include "tests/sim/machine.h"

struct plain_record {
	uint64_t lsn;
	uint64_t after; /* in a merged file: LSNs behind this one are missing because they count no more; else UINT64_MAX */
	unsigned part;
	bool last;
	uint8_t *payload;
	size_t bytes;
};

struct plain_body {
	struct dbox_ref ref;
	unsigned standin; /* it lies in the k-th one; 0: in the file itself */
	uint64_t mailboxid;
	uint32_t uid;
	uint32_t flags;
	struct mail_date internaldate;
	uint64_t emailid;
	uint64_t bytes;
	bool sound;
};

/* What became of one message of one mailbox. */
struct plain_message {
	struct change_row row; /* row.uid is always there */
	uint64_t mailboxid;
	uint64_t modseq;
	uint32_t keywords; /* of the model, as bits */
	bool told;         /* there was a row */
	struct plain_later { /* where there was none: what flags' records say all the same, as bits: those that they name, and are on */
		uint32_t named;
		uint32_t on;
	} flags_later, keywords_later;
	bool there;
	bool expunged;     /* a record says so */
	bool with_mailbox; /* it was in one that was deleted */
	bool back;         /* was brought back: it is not kept */
	uint64_t seconds;  /* when it was expunged, if it is kept; else 0 */
};

struct plain_mailbox {
	uint64_t mailboxid;
	bool gone;
};

#define PLAIN_LIST(type)                                                                           \
	struct {                                                                                   \
		type *p;                                                                           \
		size_t count;                                                                      \
		size_t max;                                                                        \
	}

#define PLAIN_ADD(list, what)                                                                       \
	do {                                                                                       \
		if ((list).count == (list).max) {                                                  \
			(list).max = 2 * (list).max + 64;                                          \
			(list).p = realloc((list).p, (list).max * sizeof(*(list).p));              \
			MODEL_CHECK((list).p != NULL);                                             \
		}                                                                                  \
		(list).p[(list).count++] = (what);                                                 \
	} while (false)

struct plain {
	PLAIN_LIST(struct plain_record) records; /* by LSN; those that count */
	PLAIN_LIST(struct plain_body) bodies;
	PLAIN_LIST(struct plain_message) messages;
	PLAIN_LIST(struct plain_mailbox) mailboxes;
	uint64_t last_lsn; /* of the newest record */
	uint64_t behind;   /* hash of what lies behind it in its file: the end mark, by which it is known to be the newest */
	unsigned gaps;     /* between records, and before the first */
	unsigned kept_moved; /* bodies of expunged messages that a compaction has moved */
	unsigned voids;    /* changes without their last part */
	size_t waiting;    /* records [waiting, count) are parts of a change whose last part is not there */
};

/* Read what is on the disk now. */
void plain_read(struct plain *plain, struct machine *machine, const struct userid *userid);
void plain_fini(struct plain *plain);

/* The newest records are lost, or may be: what waits for them counts. */
void plain_take_waiting(struct plain *plain);

/* NULL: nothing tells of it. */
struct plain_message *plain_find(const struct plain *plain, uint64_t mailboxid, uint32_t uid);
/* Where this row says; not another's: the number of a file that is gone may have been given out again. */
const struct plain_body *plain_body_in_place(const struct plain *plain, const struct change_row *row);
/* A sound one with this EMAILID and size. */
const struct plain_body *plain_body_with(const struct plain *plain, uint64_t emailid, uint64_t bytes);
const struct plain_body *plain_body_of(const struct plain *plain, uint64_t mailboxid, uint32_t uid);
bool plain_has_record(const struct plain *plain, uint64_t lsn);
bool plain_is_gone(const struct plain *plain, uint64_t mailboxid);

#endif
