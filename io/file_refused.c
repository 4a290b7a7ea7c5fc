/* What stands in the place of a file and is none, and what may not be opened: what it is to the caller, and a line in the log. */
#include <errno.h>

#include "io/base/clock.h"
#include "io/base/hash.h"
#include "io/base/log.h"
#include "io/file_core.h"
#include "io/loop_core.h"

enum {
	USER_DEPTH = 3, /* users/<slot>/<userid>: what is below it is one user's */
};
#define AGAIN_NS (10 * 60 * CLOCK_NS_PER_S) /* one user, or another folder, is named so often */

/* NULL: it is no refusal. */
static const char *reason_of(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return "permission denied";
	case EROFS:
		return "the file system is read-only";
	case ELOOP:
		return "a symbolic link";
	case EXDEV:
		return "leads out of the folder";
	case ENXIO:
	case ENODEV:
		return "a FIFO, a socket or a device";
	case EISDIR:
		return "a folder";
	case ENOTDIR:
		return "what should be a folder is none";
	default:
		return NULL;
	}
}

/* The part of a path that says whose it is. */
static size_t owner_bytes(const char *path)
{
	size_t n = 0;

	for (unsigned depth = 1; path[n] != '\0'; n++)
		if (path[n] == '/' && depth++ == USER_DEPTH)
			break;
	return n;
}

enum rp_err file_err_of(struct task *task, const char *path, int result)
{
	static const struct hash_key key; /* no path is a client's choice */
	struct loop *loop = task_loop(task);
	const char *reason = reason_of(-result);

	if (task_interrupted(task))
		return RP_ERR_CANCELED;
	if (result >= 0)
		return RP_OK;
	if (reason == NULL)
		return err_of_errno(-result);
	if (seldom_is_due(&loop->refused, hash_bytes(key, bytes_of(path, owner_bytes(path))),
		loop->now_ns, AGAIN_NS))
		LOG(loop_log(loop), LOG_ERROR, "file.denied", LOG_STR("file", path),
		    LOG_STR("reason", reason));
	if (result == -ELOOP || result == -EXDEV)
		return RP_ERR_DENIED;
	return err_of_errno(-result) == RP_ERR_DENIED ? RP_ERR_DENIED : RP_ERR_CANNOT;
}
