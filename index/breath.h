/* breath.h -- one change: prepare, then look, decide, number, apply and queue without a suspension.
 *
 *   breath_run:  prepare (suspends) -> write, measured -> enough reserved? -> write, done
 *                    ^                                        | no
 *                    +------------ reserve (suspends) <-------+
 *
 * `write` decides what the change is, from what is there now, and puts it into records. It is called at least twice: to
 * measure, when nothing happens, and for good. What it has to allocate it allocates before its first item; from then on
 * it cannot fail. Each full record is numbered, queued and applied at once; a change of several is a group (change.h).
 */
#ifndef RP_INDEX_BREATH_H
#define RP_INDEX_BREATH_H

#include "index/volume_state.h"

struct breath {
	struct volume *volume;
	enum change_type type;
	uint16_t record_flags;
	uint32_t drops_dbox;
	bool measuring;
	bool ended;
	uint32_t part;
	uint64_t used_bytes; /* of the log, so far */
	uint64_t lsn;        /* of the newest record; measuring: 0 */
	struct bytes body;   /* to travel with the record that is being written */
	struct dbox_ref body_ref;
	struct change_writer writer;
};

/* What it asks of a disk that is nearly full. */
enum breath_room {
	BREATH_ROOM_NONE, /* it makes room, or cannot be refused: goes on */
	BREATH_ROOM_SOME, /* refused when room is scarce: anybody may make as many as he likes */
	BREATH_ROOM_MORE, /* the mail grows: refused when the disk is full */
};

/* What a change is made of. */
struct breath_plan {
	enum change_type type;
	/* Load pages, reserve rows, names and room for bodies; may be called several times. NULL: nothing to do. */
	enum rp_err (*prepare)(struct task *task, void *arg);
	/* Write it. Without an item: there is nothing to change. RP_ERR_BUSY: what was prepared is used up, do it again.
	 * Other errors: nothing has changed. */
	enum rp_err (*write)(struct breath *breath, void *arg);
	void *arg;
	uint16_t record_flags;
	uint32_t drops_dbox; /* RECORD_DROPS_DBOX: this file */
	enum breath_room room;
};

/* RP_OK: done, or nothing to do. RP_ERR_NOSPACE, RP_ERR_LIMIT, RP_ERR_UNAVAILABLE, RP_ERR_BUSY, or the plan's: nothing has
 * changed. */
RP_MUST_USE enum rp_err breath_run(
    struct task *task, struct volume *volume, const struct breath_plan *plan);

/* For write: the record is full, go on in the next. */
void breath_next(struct breath *breath);

/* For write: a body record that travels inside; one a record. */
void breath_body(struct breath *breath, struct bytes body, struct dbox_ref ref);

/* For write: an item that must have room, in this record or the next. */
#define BREATH_PUT(breath, put)                                                                    \
	do {                                                                                       \
		while (!(put))                                                                     \
			breath_next(breath);                                                       \
	} while (0)

#endif
