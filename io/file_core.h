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

#endif
