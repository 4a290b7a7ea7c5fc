/* dbox_scan.h -- walk all messages of one dbox file, for check and repair; goes on behind damage. */
#ifndef RP_INDEX_DBOX_DBOX_SCAN_H
#define RP_INDEX_DBOX_DBOX_SCAN_H

#include "index/dbox/dbox.h"

/* One record; ref and message are good during the call. sound: every block's checksum is right. */
struct dbox_found {
	struct dbox_ref ref;
	struct dbox_message message;
	uint64_t body_bytes;
	uint64_t record_bytes;
	bool sound;
};

typedef enum rp_err dbox_scan_fn(struct task *task, void *arg, const struct dbox_found *found);

struct dbox_scan_report {
	uint64_t records;
	uint64_t damaged;       /* records with a bad block */
	uint64_t passed_bytes;  /* that are no record: damage, or what an aborted write left */
	bool header_lost; /* of the file, or of one that stands in for it: the records alone tell */
};

/* What is not as it was written, beside bodies. */
enum dbox_odd {
	DBOX_ODD_HEADER, /* one copy of the file's header, or both: what is in the file is there all the same */
	DBOX_ODD_NAMES,  /* the text that it begins with */
	DBOX_ODD_BEGIN_ZEROES, /* that stand behind the text, and are none */
	DBOX_ODD_ZEROES, /* likewise behind a body */
	DBOX_ODD_GAP,    /* bytes that are no record: lost, or what an upload that was broken off has left */
};

struct dbox_oddity {
	enum dbox_odd what;
	uint32_t file;
	uint32_t standin; /* 0: the file itself */
	uint64_t offset;
	uint64_t bytes;
};

typedef enum rp_err dbox_odd_fn(struct task *task, void *arg, const struct dbox_oddity *oddity);

/* The text that it begins with alone, in arena memory; none if it is lost. RP_ERR_NOTFOUND, RP_ERR_CORRUPT, RP_ERR_IO: it cannot be read. */
RP_MUST_USE enum rp_err dbox_read_names(
    struct task *task, struct dbox *dbox, uint32_t number, struct arena *arena, struct bytes *names);

/* Call fn (may be NULL) for each record whose header is sound, in the order of the file; fn's error ends it. names: the text
 * that the file begins with, in arena memory; .n == 0: none, or not sound. RP_ERR_NOTFOUND; RP_ERR_CORRUPT: the file's
 * header is lost, and no record tells the nonce. */
RP_MUST_USE enum rp_err dbox_scan(struct task *task, struct dbox *dbox, uint32_t file,
    struct arena *arena, struct bytes *names, dbox_scan_fn *fn, void *arg,
    struct dbox_scan_report *report);

/* Likewise, and odd for each oddity, in the order of the file too. What is being written just now is none. */
RP_MUST_USE enum rp_err dbox_scan_all(struct task *task, struct dbox *dbox, uint32_t file,
    struct arena *arena, struct bytes *names, dbox_scan_fn *fn, dbox_odd_fn *odd, void *arg,
    struct dbox_scan_report *report);

/* Put one in order, durable on RP_OK; a gap stays as it is. Nobody else uses the file. RP_ERR_NOTFOUND: it is gone. */
RP_MUST_USE enum rp_err dbox_mend(
    struct task *task, struct dbox *dbox, const struct dbox_oddity *oddity);

#endif
