/* file_core.h -- an open file from the inside.
 */
#ifndef RP_IO_FILE_CORE_H
#define RP_IO_FILE_CORE_H

#include "io/file.h"
#include "io/op.h"

/* Files have plain descriptors: locks, sizes, syncfs and mappings need one, and connections, which
 * use up the direct descriptors, cannot take a file's. */
struct file {
	struct op close;
	struct loop *loop;
	int fd;
	bool mappable;
	uint64_t lost_ns; /* when a part of it was found to be lost last; 0: never */
};

/* What the result of an operation on a name is to its caller; a cancel goes before anything else. What stands there and is no
 * file, or no folder: RP_ERR_CANNOT; what may not be opened, or is not followed: RP_ERR_DENIED. The log names the path of either
 * (file.denied): of one user once in ten minutes, and of all once in a second where there are many. */
RP_MUST_USE enum rp_err file_err_of(struct task *task, const char *path, int result);

#endif
