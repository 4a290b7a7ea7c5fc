/* repair_core.h -- what repair*.c share.
 *
 *   repair_look     is what an open volume's files say sound, and what the journal says?        (repair_check.c)
 *   repair_look_derived  is each catalog, index, cache sound?                                  (repair_derived.c)
 *   repair_look_owed     is each there that should be?                                         (repair_owed.c)
 *   repair_look_journal  are the journals whole, and do catalogs and indexes agree?             (repair_journal.c)
 *   repair_mend_journal  what is spoilt in them and costs nothing                               (repair_journal.c)
 *   repair_say_logs, repair_logs_*  an offline check: what is in the commit logs alone         (repair_logs.c)
 *   repair_look_boxes, _kept, repair_mend_boxes, repair_end_kept  the bodies                   (repair_boxes.c)
 *   known_*         where the journal is damaged: what anything else still knows                (repair_known.c)
 *   bodies_*        which messages only their bodies tell of, and names                         (repair_bodies.c)
 *   bodies_moved    where a body lies whose new place only a lost record told                  (repair_moved.c)
 *   repair_point_elsewhere  to another copy of a body that is damaged                          (repair_elsewhere.c)
 *   large_*         which large bodies are messages: they know no UID                          (repair_large.c)
 *   known_keep      what was expunged and can still be brought back                            (repair_kept.c)
 *   picture_write   all of it as a journal, in the place of the damaged one                     (repair_picture.c)
 */
#ifndef RP_INDEX_REPAIR_CORE_H
#define RP_INDEX_REPAIR_CORE_H

#include "index/dbox/dbox_scan.h"
#include "index/kept.h"
#include "index/repair/repair.h"
#include "index/table.h"
#include "index/volume_files.h"

enum { REPAIR_LIST_BYTES_MAX = 32 * 1024 * 1024 }; /* the names in a directory */

/* Messages by mailbox, in the order in which they were met. */
struct repair_lost {
	struct repair_message {
		uint64_t mailboxid;
		uint32_t uid;
		uint32_t rfc822_size_bytes;
		uint64_t emailid;
		struct dbox_ref ref; /* where its body should lie */
	} *message;
	size_t count;
	size_t max;
};

struct repair {
	struct volume *volume;
	repair_say_fn *say;
	void *arg;
	struct repair_report *report;
	struct repair_unsound { /* bodies that check has found damaged, unsound_count of them, by place */
		struct dbox_ref ref;
		bool named; /* with a message that has it */
	} *unsound;
	size_t unsound_count;
	size_t unsound_max;
	bool restored;              /* from the past: nothing tells of what was given out since */
	bool anew;                  /* what is known was written anew */
	struct dbox_oddity *spoilt; /* what can be mended in dbox files, spoilt_count of it */
	size_t spoilt_count;
	size_t spoilt_max;
	struct repair_lost lost;   /* messages whose bodies are no more */
	struct repair_lost unkept; /* likewise, of those that were expunged and kept */
};

void repair_say(struct repair *repair, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Look at all files of the volume; the report tells, and changes nothing. What is found stands in *repair till the next look. */
RP_MUST_USE enum rp_err repair_look(struct task *task, struct repair *repair);
void repair_fini(struct repair *repair);

/* The journal was replayed just now: how many records are in the commit logs alone. */
void repair_say_logs(struct repair *repair);

/* Will the next start write the body that is to lie there? Will it write this part of a dbox file anew? */
bool repair_logs_have_body(const struct repair *repair, struct dbox_ref ref);
bool repair_logs_mend_box(const struct repair *repair, const struct dbox_oddity *oddity);

/* Parts of it: journals, by the volume's catalog too; catalogs, indexes, caches. */
RP_MUST_USE enum rp_err repair_look_journal(struct task *task, struct repair *repair);
RP_MUST_USE enum rp_err repair_look_derived(struct task *task, struct repair *repair);

/* Catalog and indexes: by the mark of the last checkpoint, and by the catalog. files: all of them. */
RP_MUST_USE enum rp_err repair_look_owed(
    struct task *task, struct repair *repair, const struct volume_files *files);
/* The cache: by a mailbox's index, which names entries up to this one. */
RP_MUST_USE enum rp_err repair_look_owed_cache(
    struct task *task, struct repair *repair, const struct volume_file *index, uint32_t last);

/* Is this the cache of a mailbox that is in use? What is in it just now is not looked at. */
bool repair_cache_is_used(const struct volume *volume, uint64_t mailboxid);

/* Put in order what repair_look() has counted as places_spoilt. Nobody else uses the volume. */
RP_MUST_USE enum rp_err repair_mend_journal(struct task *task, struct repair *repair);
/* Dbox files, before any message is looked at; and behind all, what was expunged and is kept, then the damaged bodies that nobody
 * has. */
RP_MUST_USE enum rp_err repair_look_boxes(struct task *task, struct repair *repair);
RP_MUST_USE enum rp_err repair_look_kept(struct task *task, struct repair *repair);

/* What is the body of a message? The look at the files has been. */
enum repair_body {
	REPAIR_BODY_WHOLE,
	REPAIR_BODY_DAMAGED,
	REPAIR_BODY_GONE,    /* there is no sound record of it */
	REPAIR_BODY_NO_FILE, /* nor the file that it was in */
	REPAIR_BODY_UNREAD,  /* the disk does not give it now */
};
RP_MUST_USE enum rp_err repair_try_body(struct task *task, struct repair *repair,
    struct dbox_ref ref, uint64_t emailid, enum repair_body *state);

/* A message, and where its body lies. */
void repair_say_body(struct repair *repair, uint64_t mailboxid, struct bytes name, uint32_t uid,
    struct dbox_ref ref, const char *what);
RP_MUST_USE enum rp_err repair_keep_lost(
    struct repair_lost *lost, const struct repair_message *message);

/* What is spoilt in dbox files beside bodies is put in order. Nobody else uses the volume. */
RP_MUST_USE enum rp_err repair_mend_boxes(struct task *task, struct repair *repair);

/* Of those that the last look has found without a body, whoever has a sound copy of it elsewhere is pointed there, by a record: he is not lost
 * any more. */
RP_MUST_USE enum rp_err repair_point_elsewhere(struct task *task, struct repair *repair);

/* What is kept without a body is not offered any more, by a record. */
RP_MUST_USE enum rp_err repair_end_kept(struct task *task, struct repair *repair);

/* What tells whether a large body is a message. */
struct known_large {
	struct large_named { /* whose EMAILID is told; in order when ready. mailboxid 0: of all that have it */
		uint64_t emailid;
		uint64_t mailboxid;
	} *named;
	size_t named_count;
	size_t named_max;
	struct large_far { /* places that were named before any record is missing, the farthest of a file among them. mailboxid: to one whose
			    * index has heard of that mailbox's; 0: to all */
		uint64_t mailboxid;
		uint32_t file;
		uint32_t offset;
	} *far;
	size_t far_count;
	size_t far_max;
	struct large_box { /* by mailboxid */
		uint64_t mailboxid;
		uint64_t index_lsn;  /* known_table */
		uint32_t index_last; /* likewise */
		uint32_t uidnext;    /* by the last record that tells */
		uint32_t lost_uid;   /* the greatest that lost records gave out; 0: they gave none */
		unsigned gaps;       /* so many were there before that record */
	} *box;
	size_t box_count;
	size_t box_max;
	unsigned gaps; /* so many times records are missing before others */
	uint64_t lost_lsn;   /* the last of them */
	uint32_t first_file; /* older files had nothing new by then */
};

/* What is still known of a user whose journal is damaged. The catalog is the volume's own, which nobody else uses: the best there
 * is, and completed by what follows. */
struct known {
	struct repair *repair;
	bool no_records; /* not one record of a journal can be read */
	bool no_catalog; /* nor is there a catalog */
	bool tail_lost;  /* the newest records are, or may be, among those that cannot be read */
	bool has_gaps;
	uint64_t last_record;
	uint64_t lsn;    /* the greatest that anything names */
	uint64_t mailboxid_next; /* likewise */
	uint32_t uidvalidity_last; /* the greatest that records and catalogs tell of */
	uint32_t uidvalidity_found; /* that bodies tell of */
	uint64_t decided;        /* a mailbox with a lower id that is not there was deleted; 0: nobody knows */
	uint64_t *gone;          /* deleted mailboxes, gone_count of them */
	size_t gone_count;
	size_t gone_max;
	struct known_told { /* messages whose records never became changes, by the places of their bodies; told_count of them */
		uint64_t place;
		uint64_t mailboxid;
		uint32_t uid;
	} *told;
	size_t told_count;
	size_t told_max;
	struct known_moved { /* where a MOVE has put what, by one of its several records that is left, or by the table of a mailbox. moved_count of them */
		uint64_t emailid;
		uint64_t mailboxid;
	} *moved;
	size_t moved_count;
	size_t moved_max;
	struct known_index { /* index files, by mailbox and LSN; index_count of them */
		uint64_t mailboxid;
		uint64_t lsn;
	} *index;
	size_t index_count;
	size_t index_max;
	struct known_large large;
	struct dbox_found *found; /* all bodies, by mailbox and UID; those without a UID last */
	size_t found_count;
	size_t found_max;
	struct known_body { /* of the sound ones, by EMAILID; by_emailid_count of them */
		uint64_t emailid;
		size_t at; /* in found */
	} *by_emailid;
	size_t by_emailid_count;
	uint64_t recovered; /* messages that only their bodies told of */
	struct kept kept;   /* what was expunged and can be brought back */
};

/* A list that has room for one more than `count`, or itself: NULL: no memory, and it stays. */
void *known_grow(void *list, size_t count, size_t *max, size_t bytes);

RP_MUST_USE enum rp_err known_push_moved(struct known *known, struct known_moved moved);

void known_init(struct known *known, struct repair *repair);
void known_fini(struct task *task, struct known *known);

/* From the names of the files, the catalogs, the journal. */
RP_MUST_USE enum rp_err known_gather(struct task *task, struct known *known);

int known_told_order(const void *a, const void *b);

/* Was this mailbox, which the catalog has not, deleted? */
bool known_is_gone(const struct known *known, uint64_t mailboxid);

/* A mailbox that the catalog has not. name.n == 0: Recovered-<id>. */
RP_MUST_USE enum rp_err known_add_mailbox(struct known *known, uint64_t mailboxid,
    uint32_t uidvalidity, unsigned special_use, struct bytes name);

/* One mailbox's messages. index_last: up to this UID a sound index has heard of all that were given; uidnext: above all that any
 * index, sound or not, knows. */
struct known_table {
	struct table *table;
	uint64_t index_lsn; /* up to this LSN it has heard of all; 0: not known */
	uint32_t index_last;
	uint32_t uidnext;
};
RP_MUST_USE enum rp_err known_table(
    struct task *task, struct known *known, uint64_t mailboxid, struct known_table *out);

/* Of each mailbox there is, one after the other; it ends with the call. */
typedef enum rp_err known_table_fn(
    struct task *task, void *arg, uint64_t mailboxid, const struct known_table *of);
RP_MUST_USE enum rp_err known_each_table(
    struct task *task, struct known *known, known_table_fn *fn, void *arg);

/* A number that grows with the place. */
static inline uint64_t known_place(struct dbox_ref ref)
{
	return (uint64_t)ref.file << 32 | ref.offset;
}

/* Find all bodies; add the mailboxes that only they, or indexes, tell of. */
RP_MUST_USE enum rp_err bodies_gather(struct task *task, struct known *known);

/* Find them alone, for bodies_moved(). */
RP_MUST_USE enum rp_err bodies_find(struct task *task, struct known *known);

/* The bodies of one mailbox: found[from, to). */
void bodies_of(const struct known *known, uint64_t mailboxid, size_t *from, size_t *to);

/* The messages of one mailbox of which only bodies tell, as they are now by all records that there are; NULL: none. table_free().
 * Not those that have no UID yet. */
RP_MUST_USE enum rp_err bodies_table(struct task *task, struct known *known, uint64_t mailboxid,
    const struct known_table *of, struct table **out);

/* Before bodies_first() and bodies_moved(): all bodies are found, and in order. RP_ERR_NOMEM. */
RP_MUST_USE enum rp_err bodies_index(struct known *known);

/* Where in by_emailid the first one with this EMAILID stands, or would stand; by_emailid_count: behind all. */
size_t bodies_first(const struct known *known, uint64_t emailid);

/* A row's body does not lie, sound, at *ref, and another one with its EMAILID and size is there: *ref is its place then. */
bool bodies_moved(
    const struct known *known, uint64_t emailid, uint64_t size_bytes, struct dbox_ref *ref);

/* Record by record: some are missing, up to this LSN, in a merged journal or not; a row of a record about `change`; any item. Then, mailbox
 * by mailbox, what is known of each; and at last. RP_ERR_NOMEM. */
void large_note_gap(struct known_large *large, uint64_t last, bool merged);
RP_MUST_USE enum rp_err large_note_row(
    struct known_large *large, unsigned change, uint64_t mailboxid, const struct change_row *row);
RP_MUST_USE enum rp_err large_note_item(struct known_large *large, const struct change_item *item);
RP_MUST_USE enum rp_err large_note_table(struct task *task, struct known_large *large,
    uint64_t mailboxid, const struct known_table *of);
void large_ready(struct known_large *large, const struct dbox *dbox);
void large_fini(struct known_large *large);

/* May this body, which has no UID, be a message of which all records are lost? */
bool large_may_be(const struct known_large *large, const struct dbox_found *found, bool tail_lost);

/* Is this, which has none, a message? Of two copies of one the first is. */
bool bodies_is_new(const struct known *known, const struct dbox_found *found);

/* Name each message that a repair would bring back by its body. */
RP_MUST_USE enum rp_err bodies_say(struct task *task, struct known *known);

/* Its row as it was saved, with the UID that it is to have. */
RP_MUST_USE enum rp_err bodies_row(struct task *task, struct known *known,
    const struct dbox_found *found, uint32_t uid, struct change_row *row);

/* A record's row has its UID, also of one that is kept, or was never whole: no other message gets it, though what counted it is lost.
 * All mailboxes are there. */
void known_raise_uidnexts(struct known *known);

/* What records tell to be kept; all bodies are found. */
RP_MUST_USE enum rp_err known_keep(struct task *task, struct known *known);

/* Write all that is known into a journal that makes all others void once it has its name; till then nothing is changed. */
RP_MUST_USE enum rp_err picture_write(struct task *task, struct known *known);

#endif
