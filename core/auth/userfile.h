/* userfile.h -- the passwd-file on disk: read it, and write it anew with one user changed.
 *
 * Writing goes by a new file that is flushed and renamed over the old one, under a lock on
 * NAME.lock (an open-file lock, gone with the process), so that readers see the old file or the new
 * one, whole, and two writers do not lose each other's work. Comments and other lines are kept as
 * they are. For the auth process and the command line, which may block; no shard comes here.
 */
#ifndef RP_CORE_AUTH_USERFILE_H
#define RP_CORE_AUTH_USERFILE_H

#include "core/auth/userdb.h"

/* The file's bytes, for userfile_free(), and what tells whether it has changed since.
 * RP_ERR_NOTFOUND, RP_ERR_DENIED, RP_ERR_LIMIT (too large), RP_ERR_CANNOT (no regular file),
 * RP_ERR_NOMEM, RP_ERR_IO. */
struct userfile {
	uint8_t *p;
	size_t n;
	uint64_t device, inode, bytes, changed_ns;
};

RP_MUST_USE enum rp_err userfile_read(const char *path, struct userfile *out);

/* Wipes and frees the bytes. */
void userfile_free(struct userfile *file);

/* Is the file at this path still the one that was read? */
bool userfile_is_current(const char *path, const struct userfile *file);

enum userfile_change {
	USERFILE_ADD, /* RP_ERR_EXISTS: the name is there */
	USERFILE_SET, /* its hash; RP_ERR_NOTFOUND: it is not there */
	USERFILE_DEL, /* RP_ERR_NOTFOUND: it is not there */
};

/* Make the change durable. name is folded; hash with ADD and SET, userid with ADD. A file that does
 * not exist is made, mode 0600, by ADD. A file that is not valid is not touched: RP_ERR_CORRUPT,
 * *fault says where. Other errors as above and RP_ERR_NOSPACE; then the file is as it was. */
RP_MUST_USE enum rp_err userfile_change(const char *path, enum userfile_change change,
    struct bytes name, struct bytes hash, const struct auth_wire_userid *userid,
    struct userdb_fault *fault);

#endif
