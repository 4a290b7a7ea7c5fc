/* mount.h -- what kind of file system a directory lies on, by the name that mount(8) shows.
 *
 * The number that statfs(2) gives is the same for all FUSE file systems; the name is not. For who starts a server or a tool:
 * it blocks, and a sandbox takes /proc away.
 */
#ifndef RP_IO_MOUNT_H
#define RP_IO_MOUNT_H

#include "io/base/bytes.h"

enum { MOUNT_TYPE_BYTES = 64 };

/* In the text of /proc/self/mountinfo (proc(5)): the type of the file system with this device number. False: it is not there
 * (btrfs has numbers of its own). */
RP_MUST_USE bool mount_find(
    struct bytes mountinfo, unsigned major, unsigned minor, struct bytes *type);

/* Of an open directory; "" where nobody can say. */
void mount_type(int fd, char type[MOUNT_TYPE_BYTES]);

/* Is it a program's (FUSE)? There syncfs(2) does not reach the program (Linux sends it to virtiofs and fuseblk alone), so what
 * is said to be durable need not be. */
bool mount_is_fuse(const char *type);

#endif
