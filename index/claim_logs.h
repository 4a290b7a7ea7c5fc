/* claim_logs.h -- whose the commit logs are.
 *
 * Their folder may lie on a disk of its own (`commit_dir`). One that is not mounted would be an empty folder, in which nothing of what
 * was acknowledged last is found; and another store's logs would be put into this one's mail. So a file `owner` lies there, with the
 * store's id and the epoch of the last start that used the folder, and DATA/store knows of it.
 */
#ifndef RP_INDEX_CLAIM_LOGS_H
#define RP_INDEX_CLAIM_LOGS_H

#include "index/copies.h"

enum {
	CLAIM_LOGS_VERSION = 1,
	CLAIM_LOGS_SHARDS_MAX = 4096, /* more cores than this nobody has */
};

/* extra[] of its format_header. */
enum claim_logs_extra {
	CLAIM_LOGS_EXTRA_ID,     /* the store's */
	CLAIM_LOGS_EXTRA_SHARDS, /* as claim_logs_shards() says */
};

extern const char claim_logs_path[]; /* below FILE_ROOT_COMMIT */

struct claim_logs {
	struct file *file; /* holds a lock; NULL: there is none yet */
	struct format_header header;
	unsigned newer;
	bool older; /* than the last run: what they hold is void */
};

/* Are these the logs of the store with this id, of its start `epoch` or a later one? Changes nothing. id 0: it has none yet; epoch 0: there
 * may be no file yet. On an error *reason says why: RP_ERR_BUSY, another server has them; RP_ERR_CANNOT, they are another store's, or of a newer
 * version; RP_ERR_CORRUPT, they are not there, or older: a repair goes on without (claim_logs_renew()). */
RP_MUST_USE enum rp_err claim_logs_look(
    struct task *task, uint64_t id, uint64_t epoch, struct claim_logs *out, const char **reason);

/* They are used by this epoch of this store: durable when it returns. */
RP_MUST_USE enum rp_err claim_logs_take(
    struct task *task, struct claim_logs *logs, uint64_t id, uint64_t epoch);

/* A repair: what is in the folder is all that there is. Logs that are older than that epoch by their owner file are made void first: what they
 * hold would be put over what came later. RP_ERR_CANNOT: they are another store's. */
RP_MUST_USE enum rp_err claim_logs_renew(
    struct task *task, uint64_t id, uint64_t epoch, unsigned shards_count);

/* The store's id, and the last start's epoch, that a sound owner file names; 0: there is none. */
RP_MUST_USE enum rp_err claim_logs_id(struct task *task, uint64_t *id, uint64_t *epoch);

/* The shards that have logs, from 0 on, since a start was over: who finds the folder of one empty, or none, has lost what was in it. 0: a sound
 * owner file does not say. And let it say so, where there is one: durable when it returns. */
RP_MUST_USE enum rp_err claim_logs_shards(struct task *task, unsigned *shards_count);
RP_MUST_USE enum rp_err claim_logs_shards_mark(struct task *task, unsigned shards_count);

void claim_logs_close(struct claim_logs *logs);

#endif
