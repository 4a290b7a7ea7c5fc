/* store.h -- one shard's mail: its commit log and the volumes of the users whose home it is.
 *
 * Part of the door of index, with volume.h, mailbox.h, view.h, msgset.h and watch.h; the rest of the folder is
 * behind it.
 */
#ifndef RP_INDEX_STORE_H
#define RP_INDEX_STORE_H

#include "io/base/arena.h"
#include "io/base/userid.h"
#include "io/task.h"

struct store;
struct claim;
struct dbox_body;

/* What index cannot know: what a message is. Handed down by who opens the store. */
struct mail_reader {
	/* Make the cache entry (opaque to index) of a message from its body; in arena memory. */
	enum rp_err (*render)(
	    struct task *task, struct dbox_body *body, struct arena *arena, struct bytes *entry);
	/* The Date: field, for the sent-date column, of a cache entry; false: none. */
	bool (*sent_date)(struct bytes entry, int64_t *seconds, int16_t *zone_min);
};

struct store_settings {
	unsigned shards_count;
	uint64_t commit_file_bytes;
	uint64_t unsettled_bytes_max;
	uint64_t background_bytes_per_s; /* read and written by merges and compaction; 0: as they can */
	unsigned background_share;       /* of the time, in percent, that each of them works; 0: likewise */
	uint64_t journal_file_bytes; /* a journal is sealed beyond; 0: JOURNAL_FILE_BYTES_MAX. Tests ask for less */
	uint64_t dbox_file_bytes;    /* likewise of a dbox file */
	uint64_t keep_expunged_s; /* bodies of expunged messages are kept so long; 0: they are not */
	uint64_t keep_trust_s; /* how long a clock must stand to be believed; 0: KEEP_TRUST_S. Tests ask for less */
	size_t kept_rows_max; /* of one user's expunged messages so many are kept; 0: KEPT_ROWS_MAX. Tests ask for less */
	uint64_t volumes_bytes_max; /* of memory for open volumes that nobody uses; LRU beyond */
	size_t
	    files_max; /* files that are open before such volumes, and theirs, are closed; 0: no bound */
	size_t mappings_max; /* of the process, before mailboxes that nobody uses are closed; 0: no bound */
	uint64_t transfer_messages_max; /* copied in one breath; 0: as many as take some milliseconds. Tests ask for less */
	const struct mail_reader *reader;
	/* May recovery work on this user's mail now? NULL: on everybody's. One who may not is left for later. */
	bool (*may_recover)(void *arg, const struct userid *userid);
	void (*changed)(void *arg); /* durable has moved, or the log has failed; no task */
	void *arg;
};

/* Shard 0 first takes the store's lock, reads DATA/store and raises the epoch (store_claim); then each shard opens its
 * part: recovery, commit log. RP_ERR_BUSY: another server has DATA; RP_ERR_CANNOT: DATA or the commit log lies on a network
 * file system, or is of a newer version. *reason: one line for a person (static or arena).
 * *claim holds the lock; store_unclaim() when all shards have closed their part. NULL is fine. */
RP_MUST_USE enum rp_err store_claim(struct task *task, struct arena *arena, unsigned shards_count,
    struct claim **claim, uint64_t *epoch, const char **reason);
void store_unclaim(struct claim *claim);
/* For repair, which makes no store where there was none. RP_ERR_NOTFOUND: there is no DATA/store, and no user and no log either. */
RP_MUST_USE enum rp_err store_claim_find(struct task *task, struct arena *arena);
/* For repair, where store_claim() has said RP_ERR_CORRUPT: DATA/store, or the commit logs' owner file, is made anew. Where what is there of both and
 * of the logs is not sure to be of the last run, everybody may have lost his newest changes (log_loss.h). */
RP_MUST_USE enum rp_err store_claim_renew(struct task *task);
RP_MUST_USE enum rp_err store_open(struct task *task, const struct store_settings *settings,
    uint64_t epoch, struct store **out, const char **reason);

/* The same for who only looks (repair_check()), on one shard: not a byte of DATA is changed. The lock is taken; the epoch stays; the
 * logs are read, and what lies in them stays there, and counts as if it were in its place. Epoch 0: there is
 * no store yet, and no mail. RP_ERR_CORRUPT with a *claim: what *reason names is lost, and what is there can be looked at all the same, with
 * this epoch. store_close() ends it. */
RP_MUST_USE enum rp_err store_claim_look(struct task *task, struct arena *arena,
    struct claim **claim, uint64_t *epoch, const char **reason);
RP_MUST_USE enum rp_err store_open_look(struct task *task, const struct store_settings *settings,
    uint64_t epoch, struct store **out, const char **reason);

/* What earlier runs left in the commit logs goes to its place; volumes may be opened meanwhile (each is recovered first).
 * After store_open every shard runs store_recover() in a task of the server's. RP_ERR_UNAVAILABLE: somebody is left, who has no
 * mail till then and holds the logs, but nobody else; try again after a while. When all have returned RP_OK, one shard
 * runs store_recover_void(), and when that has, every shard store_recovered(): until then log files are not used again. */
RP_MUST_USE enum rp_err store_recover(struct task *task, struct store *store);
RP_MUST_USE enum rp_err store_recover_void(struct task *task, struct store *store);
RP_MUST_USE enum rp_err store_recovered(struct task *task, struct store *store);

/* A new setting. What was expunged is over, or is not, by the new one. */
void store_set_keep(struct store *store, uint64_t keep_expunged_s);

/* For `ringpost stats`. */
struct store_stats {
	uint64_t files_sealed;      /* users' files that failed: what was to go there lies in others */
	uint64_t users_stuck;       /* whose files cannot be written: settle_is_stuck() */
	uint64_t log_files;         /* of the commit log */
	uint64_t log_files_bound;
	uint64_t log_files_reused;  /* how often one was used again, for all that was in it was in its place */
	uint64_t users_unrecovered; /* whose records of earlier runs are not in their places yet */
	uint64_t checkpoints;       /* of a user: new indexes and a catalog */
	uint64_t journal_merges;    /* sealed journals of a user became one; */
	uint64_t journal_merges_given_up; /* something was not as it must be: the log says what */
	uint64_t dbox_compactions;  /* files of bodies that were emptied, and removed */
	uint64_t compacting;        /* of both, under way now */
	uint64_t kept_over;         /* users who have more that could be brought back than is kept */
	/* Now, and the bounds beyond which what nobody uses is closed (store_settings); 0: none. */
	uint64_t files_open;
	uint64_t files_bound;
	uint64_t mappings; /* of the process, of all shards */
	uint64_t mappings_bound;
	uint64_t idle_bytes; /* memory of open mail that nobody uses */
	uint64_t idle_bytes_bound;
};
void store_stats(const struct store *store, struct store_stats *out);

/* All is settled and synced, volumes are closed; nothing may be in use. The store is gone, whatever is returned;
 * RP_ERR_UNKNOWN: recovery has work at the next start. */
RP_MUST_USE enum rp_err store_close(struct task *task, struct store *store);

/* The gate: what lies before this position of this shard's log is durable. */
uint64_t store_durable(const struct store *store);
uint64_t store_position(const struct store *store); /* of what was appended last, by any user of this shard */
bool store_failed(const struct store *store);
RP_MUST_USE enum rp_err store_wait_durable(struct task *task, struct store *store, uint64_t position);

#endif
