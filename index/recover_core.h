/* recover_core.h -- the inside of recovery: what is in the logs. For recover*.c alone. */
#ifndef RP_INDEX_RECOVER_CORE_H
#define RP_INDEX_RECOVER_CORE_H

#include "index/log_loss.h"
#include "index/logfile.h"
#include "index/recover.h"
#include "io/base/hash.h"
#include "io/base/list.h"

/* One log file that holds something. */
struct recover_file {
	unsigned shard;
	uint64_t number;
	uint64_t epoch;
	uint64_t use;
	uint64_t nonce;
	uint64_t durable; /* as its header says */
	uint64_t bytes;
	uint64_t bytes_told; /* that it had, its header says */
	uint64_t unreadable; /* the greatest offset at which a write may be lost, as nothing can be read there; 0: none */
};

/* Where a record lies. */
struct recover_item {
	uint64_t epoch;
	uint64_t lsn;
	uint64_t write;  /* number of the write it came in; 0: saved from a damaged one */
	uint64_t offset; /* in the log file */
	uint64_t journal;     /* where it goes */
	uint64_t dbox_offset;
	uint32_t bytes;
	uint32_t body_bytes;
	uint32_t file;   /* index in recover->files */
	uint32_t dbox;   /* of its body, or the one that it drops */
	uint16_t flags;
	bool no_body;    /* the body's file was dropped later */
};

struct recover_user {
	struct hash_link hash;
	struct list link; /* in recover->users */
	struct userid userid;
	struct recover_item *items;
	size_t count;
	size_t count_max;
	size_t group; /* from here on: of the log that is being read */
	bool placing;
	bool failed; /* tried, and can be tried again */
	bool tail_lost; /* his newest record was sound when the log was read, and is not any more */
};

struct recover {
	struct loop *loop;
	unsigned shards_count;
	uint64_t epoch;
	struct file *sync;
	bool careful; /* flush file by file, to find out which one fails */
	struct recover_file *files;
	size_t files_count;
	size_t files_max;
	struct hash by_userid;
	struct list users;
	struct task_queue placed;
	struct log_losses losses;
	struct list tails; /* of struct recover_user: all is placed but their newest records, which were lost since the logs were read */
	struct recover_place *places; /* places_count of them, for who looks */
	size_t places_count;
	struct recover_report report;
};

/* All log files below FILE_ROOT_COMMIT of epochs before `epoch` that are in use, by shard, epoch and use. Without `losses` also those
 * whose header is lost (nonce 0); else they, and files that are gone, are noted there. shards_max: one more than the greatest folder's
 * number. */
RP_MUST_USE enum rp_err recover_core_list(struct task *task, uint64_t epoch,
    struct log_losses *losses, struct recover_file **files, size_t *count, unsigned *shards_max);

/* Read files [from, to) of recover->files, which are one shard's of one epoch. */
RP_MUST_USE enum rp_err recover_core_read(
    struct task *task, struct recover *recover, size_t from, size_t to);

/* A sound record was met: keep it if it is ours. */
RP_MUST_USE enum rp_err recover_core_keep(struct recover *recover, const struct record *record,
    uint32_t file, uint64_t offset, uint64_t write);

/* NULL: none of his records is kept, or all are in their places. */
struct recover_user *recover_core_find(
    const struct recover *recover, const struct userid *userid);

/* recover_loss.c: all logs are read. What earlier starts have found of losses; and tell what this one has. */
RP_MUST_USE enum rp_err recover_core_know_losses(struct task *task, struct recover *recover);

/* This shard's log of this epoch has lost writes, or a part of them, up to this one. */
RP_MUST_USE enum rp_err recover_core_lose(
    struct recover *recover, const struct recover_file *file, uint64_t write);

/* Of what was kept since the group began, forget what came in writes from `cut` on; the next group begins. */
void recover_core_end_group(struct recover *recover, uint64_t cut);

#endif
