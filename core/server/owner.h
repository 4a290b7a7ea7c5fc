/* owner.h -- whose the store is: who the children run as, and its folders, open for them. */
#ifndef RP_CORE_SERVER_OWNER_H
#define RP_CORE_SERVER_OWNER_H

#include <sys/types.h>

#include "core/server/config.h"

struct owner {
	uid_t uid; /* the config's user, else DATA's owner; ourselves when we are not root */
	gid_t gid;
	int data_fd;
	int commit_fd;
};

/* Are the user and the groups that the config names there? *reason: a line that says which is not. */
RP_MUST_USE enum rp_err owner_check(const struct config *config, char *reason, size_t reason_size);

/* The folder of the commit logs is made if it is not there. *reason: a line that says
 * what to do. On an error nothing is open. */
RP_MUST_USE enum rp_err owner_open(const struct config *config, struct owner *out, char *reason, size_t reason_size);

/* Does the folder (data, commit logs) lie on a file system that can keep a promise? RP_ERR_CANNOT: a FUSE one. */
RP_MUST_USE enum rp_err owner_check_mount(int fd, const char *what, char *reason, size_t reason_size);

#endif
