/* lossyfs.c -- a file system that forgets what was not made durable, for a server to lie on.
 *
 *     lossyfs BACKING MOUNTPOINT BLOCKDEVICE
 *
 * It is a "fuseblk" mount, as of the others Linux (up to 6.18) sends none of its syncfs: the device
 * only stands for it. The kernel's page cache is used as for any file system, so O_DIRECT and
 * mappings are its own business; a write comes here at once, and with O_DSYNC among its flags where
 * it was to be durable. Commands come on standard input, answers go to standard output:
 *
 *     arm N        the N-th change or flush from now on is not made durable, and nothing after it is
 *                  answered: "frozen" is said instead
 *     cut SEED     the power goes: "cut ..." with what was lost; all is EIO till it is unmounted, then
 *                  it is mounted anew: "mounted"
 *     fail GLOB    writes to and flushes of files of that path are EIO; "syncfs" is that
 *     lie WHAT     "dsync" (writes with O_DSYNC, fsyncs) or "syncfs" is answered, and makes nothing durable
 *     heal         no more of both
 *     count        how many writes, writes with O_DSYNC, fsyncs, fsyncs of directories, syncfs
 */
#define FUSE_USE_VERSION 314

#include "tests/crash/lossy/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <fuse3/fuse_lowlevel.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const char *backing, *mountpoint, *device;
static bool dead;          /* the power is off: nothing is served till the next mount */
static uint64_t armed;     /* 0: not */
static char failing[1024]; /* a glob of paths; "": none */
static char lying[16];     /* "": it is not */
static struct {
	uint64_t writes, dsync, fsync, fsyncdir, syncfs;
} count;

static int session_fd = -1;

static const double forever_s = 1e9; /* nobody else changes anything */

static void command_wait(void);

/* A change, or a flush: the last one when the power is to go here. It then stays under way. */
static bool power_goes(void)
{
	if (!dead && armed > 0 && --armed == 0) {
		printf("frozen\n");
		fflush(stdout);
		return true;
	}
	return false;
}

static void freeze(void)
{
	while (!dead)
		command_wait();
}

static bool fails(const struct node *node)
{
	char path[1024];

	if (failing[0] == '\0')
		return false;
	disk_path(node, path, sizeof(path));
	return fnmatch(failing, path, 0) == 0;
}

static bool lies(const char *what)
{
	return strcmp(lying, what) == 0;
}

static struct fuse_entry_param entry_of(const struct node *node)
{
	return (struct fuse_entry_param){.ino = node->number,
	    .attr = node->stat,
	    .attr_timeout = forever_s,
	    .entry_timeout = forever_s};
}

/* What changes names: the answer is the node, or an error. */
static void reply_named(fuse_req_t req, int err, const struct node *node)
{
	if (err == 0 && power_goes()) {
		freeze();
		err = -EIO;
	}
	if (err != 0 || node == NULL) {
		fuse_reply_err(req, -err);
		return;
	}
	struct fuse_entry_param entry = entry_of(node);

	fuse_reply_entry(req, &entry);
}

static struct node *alive(fuse_req_t req, fuse_ino_t ino)
{
	struct node *node = dead ? NULL : disk_node(ino);

	if (node == NULL)
		fuse_reply_err(req, EIO);
	return node;
}

static void on_init(void *data, struct fuse_conn_info *conn)
{
	(void)data;
	conn->want &=
	    ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
	                FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_READDIRPLUS);
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct node *dir = alive(req, parent);
	const struct node *node = dir != NULL ? disk_find(dir, name) : NULL;

	if (node != NULL) {
		struct fuse_entry_param entry = entry_of(node);

		fuse_reply_entry(req, &entry);
	} else if (dir != NULL) {
		fuse_reply_err(req, ENOENT);
	}
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	const struct node *node = alive(req, ino);

	(void)info;
	if (node != NULL)
		fuse_reply_attr(req, &node->stat, forever_s);
}

static void on_setattr(
    fuse_req_t req, fuse_ino_t ino, struct stat *attr, int what, struct fuse_file_info *info)
{
	struct node *node = alive(req, ino);
	int err = 0;

	(void)info;
	if (node == NULL)
		return;
	if (what & FUSE_SET_ATTR_MODE)
		node->stat.st_mode = (node->stat.st_mode & S_IFMT) | (attr->st_mode & 07777);
	if (what & FUSE_SET_ATTR_UID)
		node->stat.st_uid = attr->st_uid;
	if (what & FUSE_SET_ATTR_GID)
		node->stat.st_gid = attr->st_gid;
	if (what & FUSE_SET_ATTR_SIZE) {
		err = fails(node) ? -EIO : disk_resize(node, (uint64_t)attr->st_size);
		if (err == 0 && power_goes()) {
			freeze();
			err = -EIO;
		}
	}
	if (err != 0)
		fuse_reply_err(req, -err);
	else
		fuse_reply_attr(req, &node->stat, forever_s);
}

static int make(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct node **out)
{
	struct node *dir = dead ? NULL : disk_node(parent);
	int err = dir == NULL ? -EIO : disk_make(dir, name, mode, out);

	if (err == 0) {
		(*out)->stat.st_uid = fuse_req_ctx(req)->uid;
		(*out)->stat.st_gid = fuse_req_ctx(req)->gid;
	}
	return err;
}

static void on_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct node *node = NULL;
	int err = make(req, parent, name, S_IFDIR | (mode & 07777), &node);

	reply_named(req, err, node);
}

static void on_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct node *node = NULL;
	int err = make(req, parent, name, mode, &node);

	(void)rdev;
	reply_named(req, err, node);
}

static void on_create(
    fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info)
{
	struct node *node = NULL;
	int err = make(req, parent, name, S_IFREG | (mode & 07777), &node);

	if (err == 0 && power_goes()) {
		freeze();
		err = -EIO;
	}
	if (err != 0) {
		fuse_reply_err(req, -err);
		return;
	}
	struct fuse_entry_param entry = entry_of(node);

	info->keep_cache = 1;
	fuse_reply_create(req, &entry, info);
}

static void on_remove(fuse_req_t req, fuse_ino_t parent, const char *name, bool is_dir)
{
	struct node *dir = dead ? NULL : disk_node(parent);

	reply_named(req, dir == NULL ? -EIO : disk_remove(dir, name, is_dir), NULL);
}

static void on_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	on_remove(req, parent, name, false);
}

static void on_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	on_remove(req, parent, name, true);
}

static void on_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
    const char *newname, unsigned flags)
{
	struct node *from = dead ? NULL : disk_node(parent),
	            *to = dead ? NULL : disk_node(newparent);
	int err = -EIO;

	if (flags > 1) /* RENAME_NOREPLACE is 1 */
		err = -EINVAL;
	else if (from != NULL && to != NULL)
		err = disk_rename(from, name, to, newname, flags == 0);
	reply_named(req, err, NULL);
}

static void on_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	struct node *node = dead ? NULL : disk_node(ino), *dir = dead ? NULL : disk_node(newparent);

	reply_named(req, node == NULL || dir == NULL ? -EIO : disk_link(node, dir, newname), node);
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	if (alive(req, ino) == NULL)
		return;
	info->keep_cache = 1;
	fuse_reply_open(req, info);
}

static void on_read(
    fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *info)
{
	const struct node *node = alive(req, ino);
	char *bytes;

	(void)info;
	if (node == NULL)
		return;
	bytes = malloc(size);
	ssize_t n = bytes == NULL ? -1 : pread(node->now_fd, bytes, size, off);

	if (n < 0)
		fuse_reply_err(req, EIO);
	else
		fuse_reply_buf(req, bytes, (size_t)n);
	free(bytes);
}

static void on_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t n, off_t off,
    struct fuse_file_info *info)
{
	struct node *node = alive(req, ino);
	int err;

	if (node == NULL)
		return;
	count.writes++;
	err = fails(node) ? -EIO : disk_write(node, bytes, n, (uint64_t)off);
	if (err == 0 && power_goes()) {
		freeze();
		err = -EIO;
	}
	if (err == 0 && (info->flags & O_DSYNC) != 0) {
		count.dsync++;
		err = lies("dsync") ? 0 : disk_flush_range(node, (uint64_t)off, n);
	}
	if (err != 0)
		fuse_reply_err(req, -err);
	else
		fuse_reply_write(req, n);
}

static void on_fallocate(
    fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t n, struct fuse_file_info *info)
{
	struct node *node = alive(req, ino);
	int err = 0;

	(void)info;
	if (node == NULL)
		return;
	if (mode != 0)
		err = -EOPNOTSUPP;
	else if (fails(node))
		err = -EIO;
	else if (off + n > node->stat.st_size)
		err = disk_resize(node, (uint64_t)(off + n));
	fuse_reply_err(req, -err);
}

static void on_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *info)
{
	struct node *node = alive(req, ino);
	int err = 0;

	(void)datasync;
	(void)info;
	if (node == NULL)
		return;
	if (S_ISDIR(node->stat.st_mode))
		count.fsyncdir++;
	else
		count.fsync++;
	if (power_goes())
		freeze();
	if (dead || fails(node))
		err = EIO;
	else if (!lies("dsync"))
		err = -disk_flush(node);
	fuse_reply_err(req, err);
}

static void on_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs fs;

	(void)ino;
	if (statvfs(backing, &fs) != 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &fs);
}

static void on_readdir(
    fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *info)
{
	const struct node *dir = alive(req, ino);
	size_t used = 0;
	char *bytes;

	(void)info;
	if (dir == NULL)
		return;
	bytes = malloc(size);
	for (size_t i = (size_t)off; bytes != NULL && i < dir->now.count; i++) {
		const struct entry *entry = &dir->now.entry[i];
		size_t takes = fuse_add_direntry(req, bytes + used, size - used, entry->name,
		    &disk_node(entry->number)->stat, (off_t)i + 1);

		if (takes > size - used)
			break;
		used += takes;
	}
	fuse_reply_buf(req, bytes, used);
	free(bytes);
}

static const struct fuse_lowlevel_ops ops = {
    .init = on_init,
    .lookup = on_lookup,
    .getattr = on_getattr,
    .setattr = on_setattr,
    .mknod = on_mknod,
    .mkdir = on_mkdir,
    .unlink = on_unlink,
    .rmdir = on_rmdir,
    .rename = on_rename,
    .link = on_link,
    .open = on_open,
    .read = on_read,
    .write = on_write,
    .fsync = on_fsync,
    .fsyncdir = on_fsync,
    .readdir = on_readdir,
    .statfs = on_statfs,
    .create = on_create,
    .fallocate = on_fallocate,
};

/* libfuse 3.14 does not know this one. */
static void on_syncfs(int fd, uint64_t unique)
{
	struct fuse_out_header out = {.len = sizeof(out), .unique = unique};

	count.syncfs++;
	if (power_goes())
		freeze();
	if (dead || strcmp(failing, "syncfs") == 0)
		out.error = -EIO;
	else if (!lies("syncfs"))
		out.error = disk_flush_all();
	if (write(fd, &out, sizeof(out)) != sizeof(out))
		perror("lossyfs: syncfs");
}

static void command_cut(uint64_t seed)
{
	struct disk_cut cut = {0};
	int err = disk_crash(seed, &cut);

	dead = true;
	armed = 0;
	failing[0] = '\0';
	lying[0] = '\0';
	if (err != 0) {
		fprintf(stderr, "lossyfs: cut: %s\n", strerror(-err));
		exit(1);
	}
	printf("cut sectors=%llu lost=%llu torn=%llu names=%llu names_lost=%llu\n",
	    (unsigned long long)cut.sectors_dirty, (unsigned long long)cut.sectors_lost,
	    (unsigned long long)cut.files_torn, (unsigned long long)cut.changes,
	    (unsigned long long)cut.changes_lost);
}

static void command_wait(void)
{
	char line[1200], *arg;

	if (fgets(line, sizeof(line), stdin) == NULL) {
		/* First: as the last one in its mount namespace it would unmount while it exits, and wait for itself. */
		close(session_fd);
		exit(0);
	}
	line[strcspn(line, "\n")] = '\0';
	arg = strchr(line, ' ');
	arg = arg != NULL ? arg + 1 : line + strlen(line);
	if (strncmp(line, "arm ", 4) == 0)
		armed = strtoull(arg, NULL, 10);
	else if (strncmp(line, "cut ", 4) == 0)
		command_cut(strtoull(arg, NULL, 10));
	else if (strncmp(line, "fail ", 5) == 0)
		snprintf(failing, sizeof(failing), "%s", arg);
	else if (strncmp(line, "lie ", 4) == 0)
		snprintf(lying, sizeof(lying), "%s", arg);
	else if (strcmp(line, "heal") == 0)
		failing[0] = lying[0] = '\0';
	if (strncmp(line, "cut ", 4) != 0)
		printf("ok writes=%llu dsync=%llu fsync=%llu fsyncdir=%llu syncfs=%llu\n",
		    (unsigned long long)count.writes, (unsigned long long)count.dsync,
		    (unsigned long long)count.fsync, (unsigned long long)count.fsyncdir,
		    (unsigned long long)count.syncfs);
	fflush(stdout);
}

/* Until it is unmounted. */
static void serve(struct fuse_session *session, int fd)
{
	struct fuse_buf buf = {0};

	while (!fuse_session_exited(session)) {
		struct pollfd polls[] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};

		if (poll(polls, 2, -1) < 0)
			continue;
		if (polls[1].revents != 0)
			command_wait();
		if (polls[0].revents == 0)
			continue;
		int n = fuse_session_receive_buf(session, &buf);

		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n <= 0)
			break;
		const struct fuse_in_header *in = buf.mem;

		if (in->opcode == FUSE_SYNCFS)
			on_syncfs(fd, in->unique);
		else
			fuse_session_process_buf(session, &buf);
	}
	free(buf.mem);
}

int main(int argc, char **argv)
{
	struct rlimit files = {1 << 20, 1 << 20};
	char options[512];
	int err;

	if (argc != 4) {
		fprintf(stderr, "usage: lossyfs BACKING MOUNTPOINT BLOCKDEVICE\n");
		return 64;
	}
	backing = argv[1];
	mountpoint = argv[2];
	device = argv[3];
	setrlimit(RLIMIT_NOFILE, &files);
	setvbuf(stdin, NULL, _IONBF, 0); /* poll() must see each command */
	err = disk_open(backing);
	if (err != 0) {
		fprintf(stderr, "lossyfs: %s: %s\n", backing, strerror(-err));
		return 1;
	}
	snprintf(
	    options, sizeof(options), "blkdev,fsname=%s,allow_other,default_permissions", device);
	for (;;) {
		char *args_of[] = {argv[0], (char *)"-o", options, NULL};
		struct fuse_args args = FUSE_ARGS_INIT(3, args_of);
		struct fuse_session *session = fuse_session_new(&args, &ops, sizeof(ops), NULL);

		if (session == NULL || fuse_session_mount(session, mountpoint) != 0)
			return 1;
		dead = false;
		printf("mounted\n");
		fflush(stdout);
		session_fd = fuse_session_fd(session);
		serve(session, session_fd);
		fuse_session_unmount(session);
		fuse_session_destroy(session);
		fuse_opt_free_args(&args);
	}
}
