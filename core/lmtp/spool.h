/* spool.h -- a message on its way in, before it is known whether and where it will stay: up to 1 MiB in memory, more in a file.
 *
 * The file lies in DATA/spool under a name drawn at random, so that the recipients' home shards can open it too; it is removed
 * when the spool ends, and what a crash left there is removed at start. Nothing in it is promised to anybody.
 */
#ifndef RP_CORE_LMTP_SPOOL_H
#define RP_CORE_LMTP_SPOOL_H

#include "io/file.h"

/* May so many bytes more be written to DATA? */
typedef bool spool_room_fn(struct task *task, void *arg, uint64_t bytes);

enum {
	SPOOL_MEMORY_BYTES_MAX = 1024 * 1024,
	SPOOL_PATH_BYTES = 48,
};

struct spool {
	uint8_t *p; /* in memory: n bytes; else the file's unwritten end */
	size_t n;
	size_t room;
	struct file *file; /* NULL: all in memory */
	uint64_t bytes;    /* of the whole message */
	uint64_t written;  /* of it, in the file */
	spool_room_fn *has_room; /* NULL: it does not ask */
	void *room_arg;
	char path[SPOOL_PATH_BYTES];
};

void spool_init(struct spool *spool);

/* It asks before it writes to its file: RP_ERR_NOSPACE while new mail is refused. spool_has_room: of a struct store (which may be NULL),
 * as index/room.h does. */
void spool_asks(struct spool *spool, spool_room_fn *has_room, void *arg);
spool_room_fn spool_has_room;

/* RP_ERR_NOMEM, RP_ERR_NOSPACE, RP_ERR_IO: the spool is only good for spool_fini. */
RP_MUST_USE enum rp_err spool_write(struct task *task, struct spool *spool, struct bytes b);

/* The same as an intake's sink (core/session/intake.h); spool: the struct spool. */
RP_MUST_USE enum rp_err spool_sink(struct task *task, void *spool, struct bytes piece);

/* All of it can be read by others from now on. */
RP_MUST_USE enum rp_err spool_finish(struct task *task, struct spool *spool);

/* Give everything back; the file goes. May suspend; twice is fine. */
void spool_fini(struct task *task, struct spool *spool);

/* At start: remove what a crash left, and make the folder. */
RP_MUST_USE enum rp_err spool_clean(struct task *task);

#endif
