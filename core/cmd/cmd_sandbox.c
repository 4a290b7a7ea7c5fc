/* XSANDBOX pid: what a shard that somebody has taken over could still ask of the kernel, a line each.
 *
 * Only in a build with -Dtest_hooks=true. pid: another process of the server's user. The answers say `refused` or `allowed`.
 */
#include "core/cmd/commands.h"

#ifdef RP_TEST_HOOKS

#include <errno.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void tell(struct cmd *cmd, const char *what, long result)
{
	char text[80];

	snprintf(text, sizeof(text), "%s %s", what, result < 0 && errno == EPERM ? "refused" : "allowed");
	resp_status(cmd_resp(cmd), bytes_of("", 0), RESP_OK, NULL, text);
}

/* A ring of its own would have no restrictions: sockets and connections by it. */
static long make_ring(void)
{
	struct io_uring_params params = { 0 };

	return syscall(SYS_io_uring_setup, 8, &params);
}

static long make_process(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		syscall(SYS_exit_group, 0);
	return pid;
}

static long map(int prot)
{
	return mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long protect(int prot)
{
	static _Alignas(4096) uint8_t page[4096];

	return mprotect(page, sizeof(page), prot);
}

enum cmd_result cmd_sandbox(struct task *task, struct cmd *cmd)
{
	uint64_t pid = 0;
	struct rlimit limit;

	(void)task;
	if (!bytes_to_u64(cmd->args, INT32_MAX, &pid))
		return cmd_bad(cmd, "XSANDBOX takes a process id");
	tell(cmd, "getpid", syscall(SYS_getpid));
	tell(cmd, "own-tgkill", syscall(SYS_tgkill, getpid(), gettid(), 0));
	tell(cmd, "own-prlimit", syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit));
	tell(cmd, "mmap", map(PROT_READ | PROT_WRITE));
	tell(cmd, "socket", syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
	tell(cmd, "io_uring_setup", make_ring());
	tell(cmd, "io_uring_register", syscall(SYS_io_uring_register, -1, IORING_REGISTER_PROBE, NULL, 0));
	tell(cmd, "seccomp", syscall(SYS_seccomp, 2 /* SECCOMP_GET_ACTION_AVAIL */, 0, &(uint32_t){ 0x7fff0000 }));
	tell(cmd, "mmap-exec", map(PROT_READ | PROT_WRITE | PROT_EXEC));
	tell(cmd, "mprotect-exec", protect(PROT_READ | PROT_WRITE | PROT_EXEC));
	tell(cmd, "tgkill", syscall(SYS_tgkill, (pid_t)pid, (pid_t)pid, 0));
	tell(cmd, "prlimit", syscall(SYS_prlimit64, (pid_t)pid, RLIMIT_NOFILE, NULL, &limit));
	tell(cmd, "fork", make_process(0));
	tell(cmd, "clone-user", make_process(CLONE_NEWUSER));
	tell(cmd, "execve", syscall(SYS_execve, "/nowhere", NULL, NULL));
	return cmd_ok(cmd);
}

#endif
