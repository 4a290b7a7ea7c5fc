/* claim.h -- who owns DATA: the lock, the epoch, and the room that is given up when the disk is full.
 *
 * DATA/store has two checksummed copies of one block; the lock on it goes with the process.
 */
#ifndef RP_INDEX_CLAIM_H
#define RP_INDEX_CLAIM_H

#include "index/format.h"
#include "index/store.h"

enum {
	CLAIM_VERSION = 1,
};

/* extra[] of DATA/store's format_header. */
enum claim_extra {
	CLAIM_EXTRA_SHARDS, /* the greatest number of shards there ever was */
	CLAIM_EXTRA_ID,     /* random; the commit logs' owner file has it too (claim_logs.h) */
	CLAIM_EXTRA_LOGS,   /* that file has this epoch at least; 0: there may be none yet */
	CLAIM_EXTRA_LOST,   /* as LOGFILE_EXTRA_LOST of a log */
};

/* Is this file system (statfs f_type) on another machine? Then its name; NULL: no. Its locks and its order of writes cannot be
 * relied on, so neither DATA nor the commit log may lie there: store_claim() refuses. A FUSE file system may be either:
 * this number does not tell; io/mount.h does, before there is a loop. */
const char *claim_network_fs(uint64_t type);

/* DATA/careful: a flush has failed, and nobody knows of which file. While it is there recovery flushes each file that it writes
 * to by itself, and gives up the one that fails; then it goes. */
void claim_careful_mark(struct task *task);
RP_MUST_USE enum rp_err claim_careful_asked(struct task *task, bool *careful);
RP_MUST_USE enum rp_err claim_careful_over(struct task *task);

/* Logs of epochs up to this one had lost what was durable, DATA/store says; 0: none ever had. And let it say so, where somebody has claimed it:
 * durable when it returns. */
RP_MUST_USE enum rp_err claim_lost(struct task *task, uint64_t *epoch);
RP_MUST_USE enum rp_err claim_lost_mark(struct task *task, uint64_t epoch);

/* DATA/reserve, of this size; nothing to do when it is there; while another shard makes it, it is waited for. Best done in the
 * background. RP_ERR_NOSPACE: not made. */
RP_MUST_USE enum rp_err claim_reserve_make(struct task *task, uint64_t bytes);
/* Of this size: while it is made, it is not there. True also where that cannot be told. */
bool claim_reserve_is_there(struct task *task, uint64_t bytes);
/* Give its room to what was promised. RP_ERR_NOTFOUND: it has been given already. */
RP_MUST_USE enum rp_err claim_reserve_give_up(struct task *task);

#endif
