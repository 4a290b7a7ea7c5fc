/* recover.h -- at start: read the commit logs of all shards there ever were, and deal the records out.
 *
 * Each log is read up to its first bad write, unless a later header says that it was durable: then that is damage, is
 * reported, and costs that record only. A user's records are put in their places, by epoch and LSN, before his volume
 * opens; the rest in the background.
 *
 *   every shard:  recover_open -> commit_open(recovering) -> listeners open -> recover_user for all of recover_next
 *                 -> recover_sync
 *   when all shards have done so, one of them: recover_void; then every shard: commit_recovered, recover_close
 */
#ifndef RP_INDEX_RECOVER_H
#define RP_INDEX_RECOVER_H

#include "index/record.h"
#include "io/task.h"

struct recover;

/* Read the logs of epochs before `epoch`; know the records of users whose home is this loop's shard of shards_count.
 * RP_ERR_IO: a log cannot be read. */
RP_MUST_USE enum rp_err recover_open(
    struct task *task, unsigned shards_count, uint64_t epoch, struct recover **out);

/* The same for who only looks: nothing is made, and it is not to be synced. */
RP_MUST_USE enum rp_err recover_open_look(
    struct task *task, unsigned shards_count, uint64_t epoch, struct recover **out);

/* Has this user records that are not in their places yet? */
bool recover_has(const struct recover *recover, const struct userid *userid);

/* His i-th record that is not void, in the order of LSNs; for who only looks. False: there are no more. */
struct recover_known {
	uint64_t lsn;
	uint64_t epoch;
	uint64_t journal; /* the file that it was to lie in */
	uint32_t journal_bytes;
	uint32_t body_bytes;  /* that are to be written; 0: none, */
	uint32_t dbox;        /* the file that they go to */
	uint32_t drops;       /* the dbox file that this record makes void; 0: none */
	uint64_t dbox_offset;
};
bool recover_record(const struct recover *recover, const struct userid *userid, size_t i,
    struct recover_known *out);

/* The record itself, spans into p. RP_ERR_CORRUPT: it is not sound any more, and recovery would do without. */
enum { RECOVER_RECORD_BYTES_MAX = RECORD_BYTES_MAX + RECORD_BODY_BYTES_MAX + 2 * RECORD_ALIGN };
RP_MUST_USE enum rp_err recover_read(struct task *task, const struct recover *recover,
    const struct userid *userid, size_t i, uint8_t p[RECOVER_RECORD_BYTES_MAX], struct record *out);

/* Put this user's records in their places (files under his directory), unflushed; then forget them. Several tasks may ask
 * for the same user: all wait until it is done. */
RP_MUST_USE enum rp_err recover_user(
    struct task *task, struct recover *recover, const struct userid *userid);

/* The next user with records to place that was not tried in vain yet; false: none left. One whose files cannot be written
 * holds nobody up, but his records keep the logs from being made void: recover_sync() says so. */
bool recover_next(const struct recover *recover, struct userid *userid);

/* Pass this user over: recover_next() does not name him again. All, after a while: they can be tried again. How many are left. */
void recover_leave(struct recover *recover, const struct userid *userid);
void recover_again(struct recover *recover);
size_t recover_left(const struct recover *recover);

/* All of this shard is placed: make it durable (syncfs). RP_ERR_UNAVAILABLE: not all; nothing may be made void, new log files
 * are made while there is room, and it can be tried again. */
RP_MUST_USE enum rp_err recover_sync(struct task *task, struct recover *recover);

/* What the headers of all log files tell. RP_ERR_CORRUPT: none does. */
struct recover_told {
	uint64_t epoch;      /* the greatest */
	uint64_t lost_epoch; /* as recover_lost_epoch(), of all starts so far, and of all shards of this one */
	unsigned shards_count; /* so many there may have been */
};
RP_MUST_USE enum rp_err recover_newest(struct task *task, struct recover_told *out);

/* Once, when every shard has synced: all log files of epochs before `epoch` say that they hold nothing, and the folders
 * of shards that are no more are removed. */
RP_MUST_USE enum rp_err recover_void(struct task *task, unsigned shards_count, uint64_t epoch);

/* Logs of epochs up to this one have lost what was durable, now or at an earlier start: log_loss.h; 0: none has. */
uint64_t recover_lost_epoch(const struct recover *recover);

/* Asked before he is recovered: nothing that his journal will have tells that he has lost nothing, but the newest of his records here is
 * behind all that is lost. */
bool recover_spares(const struct recover *recover, const struct userid *userid);

/* Asked afterwards: his newest record was lost meanwhile. The i-th of these; false: there are no more. */
bool recover_lost_tail(const struct recover *recover, const struct userid *userid);
bool recover_lost_tail_of(const struct recover *recover, size_t i, struct userid *userid);

/* For `ready`'s log line and stats. */
struct recover_report {
	uint64_t files_read;
	uint64_t bytes_read;
	uint64_t writes_cut;      /* not durable when the server ended: never acknowledged */
	uint64_t writes_damaged;
	uint64_t records;         /* this shard's, to be placed */
	uint64_t records_void;    /* of destroyed users, and double ones */
	uint64_t records_damaged; /* of any shard, at least */
	uint64_t users;
	uint64_t files_sealed; /* users' files that failed meanwhile: the rest went to others */
};
void recover_report(const struct recover *recover, struct recover_report *out);

/* Where what was durable is not sound: the first RECOVER_PLACES_MAX. Good until it is closed. */
enum { RECOVER_PLACES_MAX = 256 };
struct recover_place {
	unsigned shard;
	uint64_t number; /* of the file */
	uint64_t offset;
};
const struct recover_place *recover_places(const struct recover *recover, size_t *count);
void recover_close(struct recover *recover);

#endif
