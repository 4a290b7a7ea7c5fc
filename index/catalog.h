/* catalog.h -- one user's mailboxes, in memory: names, attributes, subscriptions, counters, sums.
 *
 * What STATUS and LIST of a whole account need, and nothing else: no index is opened for it. A name that is only
 * subscribed is an entry too, with mailboxid 0. The same functions serve a change as it is made and its replay; each
 * may be called twice with the same facts.
 *
 * <lsn>.catalog is this, written by a checkpoint. It is derived: replay from LSN 0 makes the same.
 */
#ifndef RP_INDEX_CATALOG_H
#define RP_INDEX_CATALOG_H

#include "index/change.h"
#include "index/volume.h"
#include "io/base/hash.h"
#include "io/base/list.h"

struct mailbox;

/* A node is replaced by another when its name changes: nobody keeps a pointer over a change. */
struct catalog_node {
	struct catalog_entry entry; /* what the door shows; name borrows `name` */
	struct hash_link by_name;
	struct list spare;      /* while it is not in use */
	uint64_t created_lsn;   /* nothing before it is about this mailbox */
	uint64_t changed_lsn;   /* of the last change to its messages */
	uint64_t index_lsn;     /* of its index file; 0: none. Current when not below changed_lsn */
	struct mailbox *loaded; /* while its messages are in memory */
	bool found;             /* the record that made it is lost, and none has told what it is yet */
	size_t order;           /* its index in by_name while that is unsorted */
	size_t name_bytes_max;
	uint8_t name[];
};

struct catalog {
	struct catalog_node **by_name; /* count of them, by bytes of the name unless unsorted */
	struct catalog_node **by_id;   /* ids_count of them, ascending: those with a mailbox */
	size_t count;
	size_t ids_count;
	size_t count_max; /* room in both */
	bool unsorted;    /* renames came: catalog_sort() before the next look by order */
	struct hash names;
	struct list spares;
	size_t spares_count;
	struct change_sums sums;
	uint64_t
	    sums_lsn; /* of the newest record that was met and told them; 0: none since the file */
	struct delivered delivered; /* by LMTP, in the last day */
	uint64_t lsn; /* all changes up to this one are in */
	bool destroyed;
	uint64_t heard_mailboxid; /* records are lost before what it has: ids from this one on may have been given by them. 0: none are */
	bool has_gap; /* set by who replays: records are lost, so what they made may be told of all the same */
};

/* The name of a mailbox of which none is known. The first one is INBOX, unless another has become that. */
enum { CATALOG_INBOX_ID = 1, CATALOG_RECOVERED_BYTES = 40 };
struct bytes catalog_recovered_name(
    const struct catalog *catalog, uint64_t mailboxid, char name[CATALOG_RECOVERED_BYTES]);

void catalog_init(struct catalog *catalog, struct hash_key key);
void catalog_fini(struct catalog *catalog);

/* So that a name can be made or changed in a breath: memory for one more, which waits until it is used, or dropped
 * when the change is over. Names are used in the order in which they were prepared. */
RP_MUST_USE enum rp_err catalog_prepare(struct catalog *catalog, size_t name_bytes);
void catalog_drop_spares(struct catalog *catalog);

/* Looks. NULL: none. catalog_after: the first name behind this one; .n == 0: the first of all. */
struct catalog_node *catalog_find(const struct catalog *catalog, struct bytes name);
struct catalog_node *catalog_by_id(const struct catalog *catalog, uint64_t mailboxid);
struct catalog_node *catalog_after(const struct catalog *catalog, struct bytes name);
size_t catalog_id_lower(const struct catalog *catalog,
    uint64_t mailboxid); /* the first of by_id that is not before it */
struct catalog_node *catalog_with_use(const struct catalog *catalog, unsigned special_use);
struct catalog_node *catalog_first_below(const struct catalog *catalog, struct bytes parent);
bool catalog_is_below(const struct catalog_node *node, struct bytes parent);
bool catalog_has_children(const struct catalog *catalog, struct bytes name);

/* Records are lost, behind what it has and before what comes: of mailboxes with ids that none has yet they may have told. It stays so, in
 * its files too, till a repair. */
void catalog_note_loss(struct catalog *catalog);

/* One item of a record. Items about messages (rows, flags, expunged) change nothing here but changed_lsn. Behind a gap the first that
 * tells of an unknown mailbox makes it: its name is Recovered-<id>, its UIDVALIDITY 0 (not known) till an item says what they are; so
 * is one called that has a name which a record gives to another.
 * RP_ERR_CORRUPT: it cannot be so (a name twice, an unknown id): nothing was changed. RP_ERR_NOMEM: not when prepared. */
RP_MUST_USE enum rp_err catalog_apply(
    struct catalog *catalog, const struct change_item *item, uint64_t lsn);

/* At the end of a change: in order again. */
void catalog_sort(struct catalog *catalog);

/* Before which LSN every index is current: changes up to it are needed by no mailbox. */
uint64_t catalog_least_lsn(const struct catalog *catalog);

/* The file (catalog_file.c). catalog_encode: all of it, malloc'ed, the caller's to free. catalog_decode: into an empty
 * catalog; RP_ERR_CORRUPT, RP_ERR_CANNOT (a newer version): left empty. nonce: random, not 0. */
RP_MUST_USE enum rp_err catalog_encode(const struct catalog *catalog, const struct userid *userid,
    uint64_t epoch, uint64_t nonce, uint8_t **out, size_t *out_bytes);
RP_MUST_USE enum rp_err catalog_decode(
    struct catalog *catalog, struct bytes file, const struct userid *userid);

#endif
