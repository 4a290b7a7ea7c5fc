/* ring_sys.h -- what the kernel's ring offers and liburing 2.3 does not name, or its library does
 * not export.
 */
#ifndef RP_IO_RING_SYS_H
#define RP_IO_RING_SYS_H

#include <errno.h>
#include <liburing.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	RING_OP_FTRUNCATE = 55, /* Linux 6.9: asked for before it is used */
};

/* IORING_REGISTER_RESTRICTIONS on a ring that is still disabled. 0 or -errno. */
static inline int ring_sys_restrict(int ring_fd, struct io_uring_restriction *rules, unsigned count)
{
	long result =
	    syscall(__NR_io_uring_register, ring_fd, IORING_REGISTER_RESTRICTIONS, rules, count);

	return result < 0 ? -errno : 0;
}

/* IORING_REGISTER_ENABLE_RINGS: from here on the calling thread is the one that submits. 0 or
 * -errno. */
static inline int ring_sys_enable(int ring_fd)
{
	long result =
	    syscall(__NR_io_uring_register, ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);

	return result < 0 ? -errno : 0;
}

#endif
