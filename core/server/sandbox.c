#include "core/server/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LANDLOCK_FILE_RIGHTS                                                                       \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | \
		LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR |                      \
		LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                    \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                        \
		LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                      \
		LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* What a store needs of its directories. Truncating and moving between folders came with later versions of Landlock. */
#define LANDLOCK_STORE_RIGHTS                                                                      \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | \
		LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                   \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG)

static enum rp_err allow_below(int ruleset, int folder_fd, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights, .parent_fd = folder_fd };

	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
		return err_of_errno(errno);
	return RP_OK;
}

#ifdef RP_SANITIZED
/* LeakSanitizer lists the process's threads when it ends. */
static enum rp_err allow_proc(int ruleset)
{
	int fd = open("/proc", O_PATH | O_CLOEXEC);
	enum rp_err err = fd < 0 ? err_of_errno(errno)
				 : allow_below(ruleset, fd, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);

	if (fd >= 0)
		close(fd);
	return err;
}
#endif

static enum rp_err enter_landlock(const struct sandbox_settings *settings, const char **reason)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr attr = { .handled_access_fs = LANDLOCK_FILE_RIGHTS };
	uint64_t store_rights = LANDLOCK_STORE_RIGHTS;

	if (version < 1) {
		*reason = "this kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, lsm=landlock): files outside data are only "
			  "protected by their owners";
		return RP_OK;
	}
#ifdef LANDLOCK_ACCESS_FS_REFER
	if (version >= 2) {
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
		store_rights |= LANDLOCK_ACCESS_FS_REFER;
	}
#endif
#ifdef LANDLOCK_ACCESS_FS_TRUNCATE
	if (version >= 3) {
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
		store_rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
	}
#endif
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	if (ruleset < 0)
		return err_of_errno(errno);
	enum rp_err err = allow_below(ruleset, settings->data_fd, store_rights);

	if (err == RP_OK)
		err = allow_below(ruleset, settings->commit_fd, store_rights);
#ifdef RP_SANITIZED
	if (err == RP_OK)
		err = allow_proc(ruleset);
#endif
	if (err == RP_OK && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		err = err_of_errno(errno);
	close(ruleset);
	return err;
}

/* All that the server, its libraries and its allocator use once they run. What touches names or makes sockets is not here:
 * it goes through the ring, or not at all; the helper thread's few calls are. */
static const int allowed_calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(pread64),
	SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(fstatfs),
	SCMP_SYS(statfs), SCMP_SYS(fcntl), SCMP_SYS(getdents64), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(syncfs),
	SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fdatasync), SCMP_SYS(fsync), SCMP_SYS(dup), SCMP_SYS(dup3),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlinkat), SCMP_SYS(mkdirat),
	SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(eventfd2), SCMP_SYS(memfd_create),
	SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
	SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(mincore),
	SCMP_SYS(mlock), SCMP_SYS(munlock), SCMP_SYS(brk), SCMP_SYS(membarrier),
	SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list),
	SCMP_SYS(rseq), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(tgkill),
	SCMP_SYS(sched_yield), SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday), SCMP_SYS(getrandom), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(prlimit64), SCMP_SYS(getrlimit),
	SCMP_SYS(prctl), SCMP_SYS(arch_prctl), SCMP_SYS(getrusage),
	SCMP_SYS(seccomp), /* for sandbox_tighten(), which takes it away */
#ifdef RP_SANITIZED
	/* The sanitizers look into /proc, and start a program to name a stack's functions. */
	SCMP_SYS(open), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(access), SCMP_SYS(stat), SCMP_SYS(lstat),
	SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(execve), SCMP_SYS(wait4), SCMP_SYS(pipe), SCMP_SYS(pipe2),
	SCMP_SYS(dup2), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(personality), SCMP_SYS(getppid),
	SCMP_SYS(kill), SCMP_SYS(set_tid_address), SCMP_SYS(prlimit64), SCMP_SYS(ioctl), SCMP_SYS(getcwd),
	SCMP_SYS(getdents),
#endif
};

/* Put the filter (freed) into force. */
static enum rp_err load_seccomp(scmp_filter_ctx filter, enum rp_err err, const char **reason)
{
	if (err == RP_OK && seccomp_load(filter) != 0)
		err = RP_ERR_UNAVAILABLE;
	if (filter != NULL)
		seccomp_release(filter);
	if (err != RP_ERR_UNAVAILABLE)
		return err;
	*reason = "this kernel has no seccomp filter (CONFIG_SECCOMP_FILTER)";
	return RP_OK;
}

static enum rp_err enter_seccomp(const char **reason)
{
	/* Refused, not killed: a library that tries something new gets an error that it can tell of. */
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	enum rp_err err = filter != NULL ? RP_OK : RP_ERR_NOMEM;

	for (size_t i = 0; i < sizeof(allowed_calls) / sizeof(allowed_calls[0]) && err == RP_OK; i++) {
		int failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0);

		/* -EEXIST: twice in the list; -EDOM: not on this architecture. */
		if (failed != 0 && failed != -EEXIST && failed != -EDOM)
			err = RP_ERR_UNAVAILABLE;
	}
	return load_seccomp(filter, err, reason);
}

/* Of what is allowed above, by then used no more. Sanitizers start programs and threads of their own. */
static const int used_calls[] = {
	SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_register), SCMP_SYS(seccomp),
#ifndef RP_SANITIZED
	SCMP_SYS(clone), SCMP_SYS(clone3),
#endif
};

enum rp_err sandbox_tighten(const char **reason)
{
	/* Beside the first filter: a call has to pass both. */
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	const uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
	bool failed = filter == NULL || seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) != 0;

	*reason = "";
	for (size_t i = 0; i < sizeof(used_calls) / sizeof(used_calls[0]) && !failed; i++)
		failed = seccomp_rule_add(filter, refuse, used_calls[i], 0) != 0;
	failed = failed ||
		 seccomp_rule_add(filter, refuse, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)) != 0 ||
		 seccomp_rule_add(filter, refuse, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)) != 0 ||
		 seccomp_rule_add(filter, refuse, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)getpid())) != 0 ||
		 seccomp_rule_add(filter, refuse, SCMP_SYS(prlimit64), 1, SCMP_A0(SCMP_CMP_NE, 0)) != 0; /* 0: itself */
	return load_seccomp(filter, failed ? RP_ERR_UNAVAILABLE : RP_OK, reason);
}

enum rp_err sandbox_enter(const struct sandbox_settings *settings, const char **reason)
{
	*reason = "";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		*reason = "no_new_privs cannot be set";
		return RP_ERR_UNAVAILABLE;
	}
	/* A core file, or a debugger of the same user, must not see keys and mail. */
	(void)!prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#ifdef RP_SANITIZED
	/* LeakSanitizer stops the process's threads by ptrace to look at them. */
	(void)!prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
#endif
	enum rp_err err = enter_landlock(settings, reason);

	if (err != RP_OK) {
		*reason = "Landlock refuses: data and its commit folder must be there";
		return err;
	}
	return enter_seccomp(reason);
}
