#include "io/ring_op.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "io/bufring.h"
#include "io/ring_sys.h"

const uint8_t ring_op_codes[] = {
    IORING_OP_NOP,
    IORING_OP_OPENAT2,
    IORING_OP_CLOSE,
    IORING_OP_READ,
    IORING_OP_WRITE,
    IORING_OP_WRITE_FIXED,
    IORING_OP_FSYNC,
    IORING_OP_FALLOCATE,
    IORING_OP_STATX,
    IORING_OP_RENAMEAT,
    IORING_OP_UNLINKAT,
    IORING_OP_MKDIRAT,
    IORING_OP_MADVISE,
    IORING_OP_FADVISE,
    IORING_OP_ACCEPT,
    IORING_OP_RECV,
    IORING_OP_SEND,
    IORING_OP_SHUTDOWN,
    IORING_OP_MSG_RING,
    IORING_OP_ASYNC_CANCEL,
    RING_OP_FTRUNCATE,
};
const size_t ring_op_codes_count = sizeof(ring_op_codes);

bool ring_op_can(enum op_kind kind, bool has_ftruncate)
{
	switch (kind) {
	case OP_LOCK:
	case OP_SYNCFS:
	case OP_LIST:
	case OP_ROOM:
		return false;
	case OP_TRUNCATE:
		return has_ftruncate;
	default:
		return true;
	}
}

static void fill_message(struct io_uring_sqe *sqe, const struct op *op, int to_ring)
{
	io_uring_prep_rw(IORING_OP_MSG_RING, sqe, to_ring, NULL, 0, 0);
	if (op->kind == OP_MESSAGE) {
		sqe->addr = IORING_MSG_DATA;
		sqe->off = (uintptr_t)op->message.first | RING_OP_MESSAGE_BIT;
		return;
	}
	/* The other loop is told by a message of its own, once the descriptor is there. */
	sqe->addr = IORING_MSG_SEND_FD;
	sqe->addr3 = (uint64_t)op->fd;
	sqe->file_index = IORING_FILE_INDEX_ALLOC;
	sqe->msg_ring_flags = IORING_MSG_RING_CQE_SKIP;
}

static void fill_name(struct io_uring_sqe *sqe, const struct op *op, int root_fd)
{
	switch (op->kind) {
	case OP_RENAME:
		io_uring_prep_renameat(sqe, root_fd, op->path.from, root_fd, op->path.to, 0);
		break;
	case OP_UNLINK:
		io_uring_prep_unlinkat(sqe, root_fd, op->path.from, 0);
		break;
	case OP_RMDIR:
		io_uring_prep_unlinkat(sqe, root_fd, op->path.from, AT_REMOVEDIR);
		break;
	default:
		io_uring_prep_mkdirat(sqe, root_fd, op->path.from, 0700);
		break;
	}
}

static void fill_net(struct io_uring_sqe *sqe, const struct op *op)
{
	switch (op->kind) {
	case OP_ACCEPT:
		io_uring_prep_accept(sqe, op->fd, (struct sockaddr *)op->accept.address,
		    (socklen_t *)(uintptr_t)&op->accept.address_bytes, 0);
		sqe->file_index = IORING_FILE_INDEX_ALLOC;
		break;
	case OP_CONNECT:
		io_uring_prep_connect(sqe, op->fd, op->connect.address, op->connect.address_bytes);
		break;
	case OP_RECV:
		io_uring_prep_recv(sqe, op->fd, NULL, 0, 0);
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = BUFRING_GROUP;
		break;
	case OP_SEND:
		io_uring_prep_send(sqe, op->fd, op->io.p, op->io.n, MSG_NOSIGNAL | MSG_WAITALL);
		break;
	default:
		io_uring_prep_shutdown(sqe, op->fd, SHUT_WR);
		break;
	}
}

static void fill_file(struct io_uring_sqe *sqe, const struct op *op)
{
	switch (op->kind) {
	case OP_READ:
		io_uring_prep_read(sqe, op->fd, op->io.p, (unsigned)op->io.n, op->io.offset);
		break;
	case OP_WRITE:
		if (op->pinned)
			io_uring_prep_write_fixed(
			    sqe, op->fd, op->io.p, (unsigned)op->io.n, op->io.offset, 0);
		else
			io_uring_prep_write(
			    sqe, op->fd, op->io.p, (unsigned)op->io.n, op->io.offset);
		sqe->rw_flags = op->dsync ? RWF_DSYNC : 0;
		break;
	case OP_SYNC:
		io_uring_prep_fsync(sqe, op->fd, IORING_FSYNC_DATASYNC);
		break;
	case OP_FORGET:
		io_uring_prep_fadvise(sqe, op->fd, 0, 0, POSIX_FADV_DONTNEED);
		break;
	case OP_ALLOCATE:
		io_uring_prep_fallocate(sqe, op->fd, 0, (off_t)op->io.offset, (off_t)op->io.n);
		break;
	case OP_TRUNCATE:
		io_uring_prep_rw(RING_OP_FTRUNCATE, sqe, op->fd, NULL, 0, op->io.offset);
		break;
	case OP_SIZE:
		io_uring_prep_statx(sqe, op->fd, "", AT_EMPTY_PATH, STATX_SIZE, op->size.out);
		break;
	default:
		io_uring_prep_madvise(
		    sqe, op->io.p, (off_t)op->io.n, 22 /* MADV_POPULATE_READ, Linux 5.14 */);
		break;
	}
}

void ring_op_fill(struct io_uring_sqe *sqe, const struct op *op, int root_fd, int to_ring)
{
	switch (op->kind) {
	case OP_NOP:
		io_uring_prep_nop(sqe);
		break;
	case OP_OPEN:
		io_uring_prep_openat2(
		    sqe, root_fd, op->open.path, (struct open_how *)(uintptr_t)&op->open.how);
		break;
	case OP_CLOSE:
		if (op->fixed)
			io_uring_prep_close_direct(sqe, (unsigned)op->fd);
		else
			io_uring_prep_close(sqe, op->fd);
		break;
	case OP_RENAME:
	case OP_UNLINK:
	case OP_RMDIR:
	case OP_MKDIR:
		fill_name(sqe, op, root_fd);
		break;
	case OP_ACCEPT:
	case OP_CONNECT:
	case OP_RECV:
	case OP_SEND:
	case OP_SHUTDOWN:
		fill_net(sqe, op);
		break;
	case OP_MESSAGE:
	case OP_SEND_FD:
		fill_message(sqe, op, to_ring);
		break;
	default:
		fill_file(sqe, op);
		break;
	}
	if (op->fixed && op->kind != OP_CLOSE && op->kind != OP_SEND_FD)
		sqe->flags |= IOSQE_FIXED_FILE;
}

/* To ask an open descriptor for its kind, and to set its flags, waits for no disk. Not by fstat(): ThreadSanitizer watches that, sees no
 * descriptor that a ring opens or closes, and takes one number, used again by the helper's thread, for a race. */
static int error_of_opened(const struct op *op, int fd)
{
	struct statx stat;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &stat) != 0)
		return errno;
	if (S_ISDIR(stat.stx_mode))
		return (op->open.how.flags & O_DIRECTORY) != 0 ? 0 : EISDIR;
	if (!S_ISREG(stat.stx_mode))
		return ENXIO;
	if ((op->open.how.flags & O_NONBLOCK) == 0)
		return 0;
	return fcntl(fd, F_SETFL, (int)op->open.how.flags & ~O_NONBLOCK) == 0 ? 0 : errno;
}

int32_t ring_op_opened(const struct op *op, int fd)
{
	int error = error_of_opened(op, fd);

	if (error == 0)
		return fd;
	close(fd);
	return -error;
}
