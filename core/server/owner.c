#include "core/server/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/mount.h"

static enum rp_err say_no_user(const struct config *config, char *reason, size_t reason_size)
{
	snprintf(reason, reason_size, "user = %s: there is no such user on this machine", config->user);
	return RP_ERR_NOTFOUND;
}

enum rp_err owner_check(const struct config *config, char *reason, size_t reason_size)
{
	if (config->user[0] != '\0' && getpwnam(config->user) == NULL)
		return say_no_user(config, reason, reason_size);
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct config_listen *l = &config->listen[i];

		if (l->group == NULL || getgrnam(l->group) != NULL)
			continue;
		snprintf(reason, reason_size, "listen %s: group = %s: there is no such group on this machine", l->name,
			l->group);
		return RP_ERR_NOTFOUND;
	}
	return RP_OK;
}

static enum rp_err find_user(const struct config *config, struct owner *owner, char *reason, size_t reason_size)
{
	const struct passwd *user;
	struct stat st;

	owner->uid = geteuid();
	owner->gid = getegid();
	if (owner->uid != 0)
		return RP_OK;
	if (config->user[0] != '\0') {
		user = getpwnam(config->user);
		if (user == NULL)
			return say_no_user(config, reason, reason_size);
		owner->uid = user->pw_uid;
		owner->gid = user->pw_gid;
	} else if (fstat(owner->data_fd, &st) == 0) {
		owner->uid = st.st_uid;
		owner->gid = st.st_gid;
	}
	return RP_OK;
}

static int open_commit(const struct config *config, const struct owner *owner)
{
	const char *path = config->commit_dir[0] != '\0' ? config->commit_dir : "commit";
	bool made = mkdirat(owner->data_fd, path, 0700) == 0;
	/* What root has just made he gives away; a link that the owner of DATA put there meanwhile he does not follow. */
	int follow = made ? O_NOFOLLOW : 0;
	int fd = made || errno == EEXIST ? openat(owner->data_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | follow) : -1;

	if (fd >= 0 && made && geteuid() == 0 && fchown(fd, owner->uid, owner->gid) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

enum rp_err owner_check_mount(int fd, const char *what, char *reason, size_t reason_size)
{
	char type[MOUNT_TYPE_BYTES];

	mount_type(fd, type);
	if (!mount_is_fuse(type))
		return RP_OK;
	snprintf(reason, reason_size,
		"the %s directory lies on a FUSE file system (%s), where syncfs does not reach the program behind it, and what was "
		"answered could be lost: move it to a disk of this machine",
		what, type);
	return RP_ERR_CANNOT;
}

/* Its folders are open. */
static enum rp_err check_mounts(const struct owner *owner, char *reason, size_t reason_size)
{
	enum rp_err err = owner_check_mount(owner->data_fd, "data", reason, reason_size);

	return err == RP_OK ? owner_check_mount(owner->commit_fd, "commit log", reason, reason_size) : err;
}

enum rp_err owner_open(const struct config *config, struct owner *out, char *reason, size_t reason_size)
{
	struct owner owner = { .data_fd = open(config->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	enum rp_err err;

	if (owner.data_fd < 0) {
		err = err_of_errno(errno);
		snprintf(reason, reason_size, "data = %s: %s; make it, and give it to the user that ringpost is to run as",
			config->data, strerror(errno));
		return err;
	}
	err = find_user(config, &owner, reason, reason_size);
	if (err == RP_OK) {
		owner.commit_fd = open_commit(config, &owner);
		if (owner.commit_fd >= 0) {
			err = check_mounts(&owner, reason, reason_size);
			if (err == RP_OK) {
				*out = owner;
				return RP_OK;
			}
			close(owner.commit_fd);
			close(owner.data_fd);
			return err;
		}
		err = err_of_errno(errno);
		snprintf(reason, reason_size, "commit logs in %s: %s; it must be a folder of the user that ringpost runs as",
			config->commit_dir[0] != '\0' ? config->commit_dir : config->data, strerror(errno));
	}
	close(owner.data_fd);
	return err;
}
