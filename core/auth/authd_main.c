/* authd_main.c -- `ringpost-auth --fd N`: started by the supervisor, never by hand. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "core/auth/authd.h"
#include "core/auth/authd_privilege.h"
#include "io/base/bytes.h"

enum { EXIT_USAGE = 64, FD_MAX = 65535 };

/* The descriptor in the arguments, if it is a socket of the right kind; negative: it is not. */
static int find_fd(int argc, char **argv)
{
	uint64_t fd;
	int type = 0;
	socklen_t n = sizeof(type);

	if (argc != 3 || !bytes_eq(bytes_of_str(argv[1]), BYTES_LIT("--fd")) ||
	    !bytes_to_u64(bytes_of_str(argv[2]), FD_MAX, &fd))
		return -1;
	if (getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &n) != 0 || type != SOCK_SEQPACKET)
		return -1;
	return fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0 ? (int)fd : -1;
}

int main(int argc, char **argv)
{
	int fd = find_fd(argc, argv);

	if (fd < 0) {
		fputs("ringpost-auth is started by `ringpost serve`: ringpost-auth --fd N, with N "
		      "a socket\n",
		    stderr);
		return EXIT_USAGE;
	}
	authd_privilege_shut();
	/* Ctrl-C and a closed terminal are the supervisor's to answer: we end when it does. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	return authd_run(fd);
}
