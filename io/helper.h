/* helper.h -- a plain thread for what the ring cannot do: listing a directory, statfs, locks,
 * syncfs.
 *
 * A loop has two, since a syncfs may take seconds and nobody's listing should wait behind it. The
 * queue is bounded by the tasks: each has one operation at most.
 */
#ifndef RP_IO_HELPER_H
#define RP_IO_HELPER_H

#include <pthread.h>

#include "io/op.h"

struct helper {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct list todo; /* ops, under the lock */
	struct list done;
	int wake_fd; /* an eventfd, the loop's: written when done gets its first */
	bool stop;
	bool started;
};

RP_MUST_USE enum rp_err helper_open(struct helper *helper, int wake_fd);

/* Nothing is queued any more. */
void helper_close(struct helper *helper);

/* op->fd is a plain descriptor: the file's, or for OP_LIST and OP_ROOM the root's. */
void helper_submit(struct helper *helper, struct op *op);

/* Take it back if it has not begun. */
bool helper_withdraw(struct helper *helper, struct op *op);

/* Complete what is done; the loop's thread. */
void helper_reap(struct helper *helper);

#endif
