#include "core/server/child_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/server/child.h"

enum {
	SPAWN_PATH_MAX = 4096,
	SPAWN_PINNED_BYTES_MAX = 1 << 30, /* by all shards; each takes a few MiB */
};

/* The file beside our own executable; else as it is. */
static void path_of(enum child_kind kind, char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);

	path[n > 0 ? n : 0] = '\0';
	if (kind == CHILD_SERVER)
		return;
	char *slash = strrchr(path, '/');
	size_t at = slash != NULL ? (size_t)(slash - path) + 1 : 0;

	snprintf(path + at, size - at, "ringpost-auth");
}

/* In the child: nothing but exec. */
static _Noreturn void exec_child(enum child_kind kind, uid_t uid, gid_t gid, int sock)
{
	char path[SPAWN_PATH_MAX];
	sigset_t none;
	char fd_text[] = { '0' + CHILD_FD, '\0' };
	const struct rlimit pinned = { SPAWN_PINNED_BYTES_MAX, SPAWN_PINNED_BYTES_MAX };

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, 0);
	path_of(kind, path, sizeof(path));
	if (sock == CHILD_FD)
		(void)!fcntl(sock, F_SETFD, 0);
	else if (dup2(sock, CHILD_FD) < 0)
		_exit(127);
	/* What the shards pin for their logs counts against one limit of the user. Where it cannot be raised they pin less. */
	if (kind == CHILD_SERVER)
		(void)!setrlimit(RLIMIT_MEMLOCK, &pinned);
	/* Its file may lie where only root comes to. */
	int exe = open(path, O_RDONLY | O_CLOEXEC);

	/* The auth process gives root up by itself, after it has its settings; the server never has it. */
	if (kind == CHILD_SERVER && geteuid() == 0 && uid != 0)
		if (setgroups(0, NULL) != 0 || setgid(gid) != 0 || setuid(uid) != 0)
			_exit(126);
	if (kind == CHILD_SERVER) {
		char *args[] = { "ringpost: server", "serve-child", NULL };

		execv(path, args);
		fexecve(exe, args, environ);
	} else {
		execl(path, "ringpost-auth", "--fd", fd_text, (char *)NULL);
	}
	fprintf(stderr, "ringpost: %s cannot be started: %s\n", path, strerror(errno));
	_exit(127);
}

enum rp_err child_spawn(enum child_kind kind, uid_t uid, gid_t gid, pid_t *pid, int *sock)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_of_errno(errno);
	pid_t child = fork();

	if (child < 0) {
		enum rp_err err = err_of_errno(errno);

		close(pair[0]);
		close(pair[1]);
		return err;
	}
	if (child == 0)
		exec_child(kind, uid, gid, pair[1]);
	close(pair[1]);
	*pid = child;
	*sock = pair[0];
	return RP_OK;
}
