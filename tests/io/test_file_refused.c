/* What stands in the place of a file and is none, and files that may not be opened. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/base/log.h"
#include "io/loop_core.h"
#include "tests/io/io_fixture.h"

static const unsigned modes[] = {FILE_READ, FILE_WRITE, FILE_READ | FILE_WRITE,
    FILE_READ | FILE_WRITE | FILE_CREATE, FILE_READ | FILE_MAPPABLE};

static void assert_refused(struct task *task, const char *path, enum rp_err err)
{
	struct file *file = NULL;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, modes[i], &file), err,
		    "%s with mode %u", path, modes[i]);
	cr_assert_null(file);
	cr_assert_eq(file_open_count(task_loop(task)), 0);
}

static void make_socket(int root_fd)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	cr_assert_geq(fd, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/socket", root_fd);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static void refuse_on_the_ring(struct task *task, void *arg)
{
	const struct io_fixture *fixture = arg;
	int root_fd = fixture->root_fd;

	cr_assert_eq(mkfifoat(root_fd, "fifo", 0600), 0);
	make_socket(root_fd);
	cr_assert_eq(mkdirat(root_fd, "folder", 0700), 0);
	cr_assert_eq(symlinkat("none", root_fd, "link"), 0);
	cr_assert_eq(symlinkat("/tmp", root_fd, "away"), 0);
	assert_refused(task, "fifo", RP_ERR_CANNOT);
	assert_refused(task, "socket", RP_ERR_CANNOT);
	assert_refused(task, "folder", RP_ERR_CANNOT);
	assert_refused(task, "link", RP_ERR_DENIED);
	assert_refused(task, "away/x", RP_ERR_DENIED);
	if (mknodat(root_fd, "device", S_IFCHR | 0600, makedev(1, 3)) == 0)
		assert_refused(task, "device", RP_ERR_CANNOT);
	cr_assert_eq(dir_sync(task, FILE_ROOT_DATA, "folder"), RP_OK);
	cr_assert_eq(dir_sync(task, FILE_ROOT_DATA, "."), RP_OK);
}

static void refuse_body(struct io_fixture *fixture)
{
	io_fixture_run(fixture, refuse_on_the_ring, fixture);
	io_fixture_settle(fixture);
}

/* A FIFO would let whoever opens it wait for somebody at its other end. */
Test(file_refused, what_is_no_file_is_not_waited_for, .timeout = 20)
{
	io_fixture_with(IO_FIXTURE_URING, 0, refuse_body);
}

SIM_TASK_TEST(file_refused, as_the_simulator_says_it)
{
	static const struct {
		int error;
		enum rp_err err;
	} says[] = {{ENXIO, RP_ERR_CANNOT}, {EACCES, RP_ERR_DENIED}, {EPERM, RP_ERR_DENIED},
	    {ELOOP, RP_ERR_DENIED}, {EIO, RP_ERR_IO}};
	struct io_fixture *fixture = arg;
	struct file *file;

	cr_assert_eq(dir_make(task, FILE_ROOT_DATA, "folder"), RP_OK);
	assert_refused(task, "folder", RP_ERR_CANNOT);
	cr_assert_eq(
	    file_open(task, FILE_ROOT_DATA, "x", FILE_WRITE | FILE_CREATE, &file), RP_OK);
	file_close(file);
	for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
		cr_assert_eq(sim_break_file(fixture->world, FILE_ROOT_DATA, "x",
				 &(struct sim_broken){.open = says[i].error}),
		    RP_OK);
		assert_refused(task, "x", says[i].err);
	}
	cr_assert_eq(
	    sim_break_file(fixture->world, FILE_ROOT_DATA, "x", &(struct sim_broken){0}), RP_OK);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "x", FILE_READ, &file), RP_OK);
	file_close(file);
}

/* The lines since the last call, of one file or of all. */
static unsigned lines_of(struct log *log, const char *path)
{
	unsigned count = 0;

	for (struct bytes b; (b = log_take(log)).n > 0; log_taken(log, b.n))
		for (size_t at = 0; at < b.n; at += bytes_find(b, at, '\n') - at + 1) {
			struct bytes line = bytes_slice(b, at, bytes_find(b, at, '\n'));

			cr_assert_not_null(memmem(line.p, line.n, " error file.denied ", 19));
			count += memmem(line.p, line.n, path, strlen(path)) != NULL;
		}
	return count;
}

static void try_users(struct task *task, unsigned from, unsigned to)
{
	char path[64];
	struct file *file;

	for (unsigned i = from; i < to; i++)
		for (unsigned j = 0; j < 3; j++) {
			snprintf(path, sizeof(path), "users/7/%04u/%u.dbox", i, j);
			cr_assert_eq(
			    file_open(task, FILE_ROOT_DATA, path, FILE_READ, &file), RP_ERR_DENIED);
		}
}

/* Each user is named once in ten minutes; of more than are remembered one a second, so that a folder with wrong modes does not fill the
 * log's disk. */
SIM_TASK_TEST(file_refused, the_log_names_each_user_now_and_then)
{
	struct io_fixture *fixture = arg;
	struct log *log = log_open(NULL, 0, 65536);
	char path[64];
	struct file *file;

	for (unsigned i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "users/7/%04u", i);
		cr_assert_eq(dir_make(task, FILE_ROOT_DATA, path), RP_OK);
		for (unsigned j = 0; j < 3; j++) {
			snprintf(path, sizeof(path), "users/7/%04u/%u.dbox", i, j);
			cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_WRITE | FILE_CREATE,
					 &file),
			    RP_OK);
			file_close(file);
			cr_assert_eq(sim_break_file(fixture->world, FILE_ROOT_DATA, path,
					 &(struct sim_broken){.open = EACCES}),
			    RP_OK);
		}
	}
	fixture->loop->log = log;
	try_users(task, 0, 40);
	cr_assert_eq(lines_of(log, "users/7/0"), 40);
	try_users(task, 0, 40);
	cr_assert_eq(lines_of(log, "users/7/0"), 0);
	cr_assert_eq(task_sleep(task, 11 * 60 * CLOCK_NS_PER_S), RP_OK);
	try_users(task, 0, 40);
	cr_assert_eq(lines_of(log, "users/7/0"), 40);
	try_users(task, 40, 100);
	cr_assert_eq(lines_of(log, "users/7/0"), SELDOM_COUNT - 40);
	for (unsigned s = 0; s < 10; s++) {
		cr_assert_eq(task_sleep(task, 2 * CLOCK_NS_PER_S), RP_OK);
		try_users(task, 0, 100);
		cr_assert_eq(lines_of(log, "users/7/0"), 1);
	}
	fixture->loop->log = NULL;
	log_close(log);
}
