/* op.h -- one operation in flight: what is asked, who is told, what came of it.
 *
 * An op lies in its owner's memory (a task's stack, a net, a file) and stays there from op_submit()
 * until `done` was called. It says what is wanted in terms that the kernel's ring, the helper
 * thread and the simulator can all carry out; which of them does is the loop's business.
 */
#ifndef RP_IO_OP_H
#define RP_IO_OP_H

#include <linux/openat2.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "io/base/list.h"
#include "io/task.h"

struct op;
struct shard_message;

/* Called once, on the loop's thread, outside any task. op->result is set; the op may be used again.
 */
typedef void op_done_fn(struct op *op);

enum op_kind {
	OP_NOP,
	OP_OPEN,     /* open: result is a descriptor */
	OP_CLOSE,    /* fd */
	OP_READ,     /* fd, io: result is bytes, 0 at the end */
	OP_FORGET,   /* fd: what the page cache has of it, so that a read asks the disk */
	OP_WRITE,    /* fd, io, dsync: result is bytes */
	OP_SYNC,     /* fd: data and size */
	OP_ALLOCATE, /* fd, io.offset, io.n */
	OP_TRUNCATE, /* fd, io.offset: the new size */
	OP_SIZE,     /* fd, size.out->stx_size */
	OP_LOCK,     /* fd */
	OP_SYNCFS,   /* fd */
	OP_RENAME,   /* root, path.from, path.to */
	OP_UNLINK,   /* root, path.from */
	OP_RMDIR,    /* root, path.from */
	OP_MKDIR,    /* root, path.from */
	OP_LIST,     /* root, list */
	OP_ROOM,     /* root, room */
	OP_POPULATE, /* io.p, io.n */
	OP_ACCEPT,   /* fd, accept: result is a direct descriptor */
	OP_CONNECT,  /* fd, connect */
	OP_RECV,     /* fd: result is bytes, received.p where they lie until op_recv_give() */
	OP_SEND,     /* fd, io.p, io.n: result is bytes */
	OP_SHUTDOWN, /* fd: no more output */
	OP_SEND_FD,  /* fd, message.to: result is the direct descriptor over there */
	OP_MESSAGE,  /* message: lay a chain before another loop */
	OP_KIND_COUNT
};

/* Names of a directory, packed: one byte is_dir, the name, NUL. malloc'ed, as another thread fills
 * it. */
struct op_names {
	uint8_t *p;
	size_t n;
	size_t room;
	size_t count;
};

/* RP_ERR_LIMIT: over OP_NAMES_BYTES_MAX; RP_ERR_NOMEM. */
RP_MUST_USE enum rp_err op_names_add(struct op_names *names, const char *name, bool is_dir);
void op_names_fini(struct op_names *names);

struct op {
	op_done_fn *done;
	void *owner;       /* whoever set `done` finds itself here */
	struct loop *loop; /* set by op_submit() */
	struct list link;  /* the loop's while in flight */
	int32_t result;    /* >= 0, or -errno */
	int32_t fd;
	uint8_t kind; /* enum op_kind */
	uint8_t root; /* enum file_root */
	bool fixed;   /* fd is a direct descriptor */
	bool pinned;  /* of OP_WRITE: from the loop's pinned memory */
	bool dsync;
	bool in_flight;
	bool cancel_asked;
	uint16_t buffer; /* of OP_RECV: which one it lies in */
	union {
		struct {
			void *p;
			size_t n;
			uint64_t offset;
		} io;
		struct {
			const char *path;
			struct open_how how;
		} open;
		struct {
			const char *from;
			const char *to;
		} path;
		struct {
			struct statx *out;
		} size;
		struct {
			const char *path;
			struct op_names *names;
		} list;
		struct {
			uint64_t free_bytes;
			uint64_t total_bytes;
			uint64_t free_files;
			uint64_t total_files; /* 0: not counted */
			uint64_t fs_type; /* statfs f_type */
		} room;
		struct {
			struct sockaddr_storage *address;
			socklen_t address_bytes;
		} accept;
		struct {
			const struct sockaddr *address;
			socklen_t address_bytes;
		} connect;
		struct {
			const uint8_t *p;
		} received;
		struct {
			struct loop *to;
			struct shard_message *first;
		} message;
	};
};

/* Start it. Its memory belongs to the loop until `done`, which is never called inside this. */
void op_submit(struct loop *loop, struct op *op);

/* Ask it to end soon; `done` comes in any case, with -ECANCELED or with what came of it. Fine when
 * it is not in flight, and when asked twice. */
void op_cancel(struct op *op);

/* The bytes of a finished OP_RECV are dealt with. Once after each with result > 0. */
void op_recv_give(struct op *op);

/* Submit and suspend until it is done; returns the result. -ECANCELED without submitting when the
 * task is cancelled already. Where a task was cancelled meanwhile the result may still be a
 * success: the caller asks task_interrupted() and gives back what it got. `done` and `owner` are
 * this function's. */
int op_await(struct task *task, struct op *op);

/* Cancelled and not shielded: waiting is over. */
bool task_interrupted(const struct task *task);

/* For loops: it is done with this result. */
void op_complete(struct op *op, int32_t result);

#endif
