#include "core/server/listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum {
	LISTENERS_BACKLOG = 4096,  /* a reconnect storm of a large site waits here, not in time-outs */
	LISTENERS_KEEPALIVE_S = 120, /* a dead peer is found in about four minutes */
	LISTENERS_USER_TIMEOUT_MS = 240000,
};

static void set_int(int fd, int level, int name, int value)
{
	(void)!setsockopt(fd, level, name, &value, sizeof(value));
}

/* What every accepted connection inherits. */
static void set_options(int fd)
{
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, LISTENERS_KEEPALIVE_S);
	set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, LISTENERS_KEEPALIVE_S / 4);
	set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, LISTENERS_USER_TIMEOUT_MS);
}

static socklen_t address_of(const struct config_listen *listen, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, listen->address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(listen->port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, listen->address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(listen->port);
		return sizeof(*v6);
	}
	return 0;
}

static enum rp_err open_tcp(const struct config_listen *l, int *out, char *reason, size_t reason_size)
{
	struct sockaddr_storage address;
	socklen_t n = address_of(l, &address);
	int fd = n == 0 ? -1 : socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		set_options(fd);
		if (address.ss_family == AF_INET6)
			set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		if (bind(fd, (struct sockaddr *)&address, n) == 0 && listen(fd, LISTENERS_BACKLOG) == 0) {
			*out = fd;
			return RP_OK;
		}
	}
	int number = errno;

	snprintf(reason, reason_size, "listen %s: %s port %u: %s; %s", l->name, l->address, l->port, strerror(number),
		number == EADDRINUSE ? "another server has it: stop that one, or choose another port"
		: number == EACCES   ? "ports below 1024 are root's: start as root, or choose a higher one"
				     : "choose an address of this machine");
	if (fd >= 0)
		close(fd);
	return err_of_errno(number);
}

/* Only a socket that refuses has nobody behind it: one whose queue is full, or that is not ours to ask, has. */
static bool is_alive(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive = fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		     (errno != ECONNREFUSED && errno != ENOENT);

	if (fd >= 0)
		close(fd);
	return alive;
}

/* What a server that was killed has left goes; anything else at this path is somebody's. */
static enum rp_err remove_stale(const struct sockaddr_un *address, char *reason, size_t reason_size)
{
	const char *path = address->sun_path;
	struct stat st;

	if (lstat(path, &st) != 0)
		return RP_OK; /* bind says what there is to say */
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(reason, reason_size, "%s: this is no socket: remove it, or choose another path", path);
		return RP_ERR_EXISTS;
	}
	if (is_alive(address)) {
		snprintf(reason, reason_size, "%s: another server listens there: stop that one first", path);
		return RP_ERR_BUSY;
	}
	(void)!unlink(path);
	return RP_OK;
}

enum rp_err listeners_open_unix(const char *path, unsigned mode, int *out, char *reason, size_t reason_size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path)) {
		snprintf(reason, reason_size, "%s: the path of a socket has at most %zu bytes", path,
			sizeof(address.sun_path) - 1);
		return RP_ERR_LIMIT;
	}
	strcpy(address.sun_path, path);

	enum rp_err err = remove_stale(&address, reason, reason_size);

	if (err != RP_OK)
		return err;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	mode_t umask_before = umask(0777 & ~mode);
	int bound = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof(address));
	int number = errno;

	umask(umask_before);
	if (bound != 0 || listen(fd, LISTENERS_BACKLOG) != 0) {
		snprintf(reason, reason_size, "%s: %s; its folder must be there and ours to write", path,
			strerror(bound != 0 ? number : errno));
		if (fd >= 0)
			close(fd);
		return err_of_errno(bound != 0 ? number : errno);
	}
	*out = fd;
	return RP_OK;
}

enum rp_err listeners_open_owned(const char *path, unsigned mode, uid_t uid, gid_t gid, int *out,
    char *reason, size_t reason_size)
{
	gid_t gid_before = getegid();
	enum rp_err err;

	if (geteuid() != 0)
		return listeners_open_unix(path, mode, out, reason, reason_size);
	setfsgid(gid);
	setfsuid(uid);
	err = listeners_open_unix(path, mode, out, reason, reason_size);
	setfsuid(0);
	setfsgid(gid_before);
	if (err != RP_ERR_DENIED)
		return err;
	/* A folder that is not his, so that he can put nothing else in its place: it is made for him. */
	err = listeners_open_unix(path, mode, out, reason, reason_size);
	if (err == RP_OK)
		(void)!lchown(path, uid, gid);
	return err;
}

/* By descriptor, as the folder may be another one's to write: what he put in its place meanwhile is not ours. */
static enum rp_err give_to_group(const struct config_listen *l, char *reason, size_t reason_size)
{
	const struct group *group = getgrnam(l->group);
	struct stat st;
	int number = 0;
	int fd;

	if (group == NULL) {
		snprintf(reason, reason_size, "listen %s: group = %s: there is no such group on this machine", l->name,
			l->group);
		return RP_ERR_NOTFOUND;
	}
	fd = open(l->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		number = errno;
	else if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		number = ESTALE;
	else if (st.st_gid != group->gr_gid && fchownat(fd, "", (uid_t)-1, group->gr_gid, AT_EMPTY_PATH) != 0)
		number = errno;
	if (fd >= 0)
		close(fd);
	if (number == 0)
		return RP_OK;
	snprintf(reason, reason_size, "listen %s: %s: the socket cannot be given to group %s: %s", l->name, l->path, l->group,
		number == ESTALE ? "something else was put in its place" : strerror(number));
	return err_of_errno(number);
}

/* A socket that systemd opened for us under this section's name; -1: none. */
static int passed_fd(const char *name, char **names, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return SD_LISTEN_FDS_START + i;
	return -1;
}

static void free_names(char **names, int count)
{
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

enum rp_err listeners_open(
    const struct config *config, int fds[CONFIG_LISTEN_MAX], char *reason, size_t reason_size)
{
	char **names = NULL;
	int passed = sd_listen_fds_with_names(0, &names);
	enum rp_err err = RP_OK;

	for (size_t i = 0; i < config->listen_count && err == RP_OK; i++) {
		const struct config_listen *l = &config->listen[i];

		fds[i] = passed_fd(l->name, names, passed > 0 ? passed : 0);
		if (fds[i] >= 0)
			set_options(fds[i]);
		else if (l->path != NULL)
			err = listeners_open_unix(l->path, l->mode, &fds[i], reason, reason_size);
		else
			err = open_tcp(l, &fds[i], reason, reason_size);
		if (err == RP_OK && l->group != NULL && passed_fd(l->name, names, passed > 0 ? passed : 0) < 0)
			err = give_to_group(l, reason, reason_size);
	}
	free_names(names, passed > 0 ? passed : 0);
	return err;
}
