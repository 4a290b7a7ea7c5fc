#include "io/helper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_beneath(int root, const char *path, uint64_t flags)
{
	struct open_how how = {
	    .flags = flags | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

static bool is_dir(DIR *dir, const struct dirent *entry)
{
	struct stat stat;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(dirfd(dir), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(stat.st_mode);
}

static int read_names(DIR *dir, struct op_names *names)
{
	struct dirent *entry;

	for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		enum rp_err err = op_names_add(names, entry->d_name, is_dir(dir, entry));

		if (err != RP_OK)
			return err == RP_ERR_LIMIT ? -EFBIG : -ENOMEM;
	}
	return -errno;
}

static int list_dir(struct op *op)
{
	int fd = open_beneath(op->fd, op->list.path, O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir == NULL) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return -error;
	}
	int result = read_names(dir, op->list.names);

	closedir(dir);
	return result;
}

static int room(struct op *op)
{
	struct statfs fs;

	if (fstatfs(op->fd, &fs) != 0)
		return -errno;
	op->room.free_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_frsize;
	op->room.total_bytes = (uint64_t)fs.f_blocks * (uint64_t)fs.f_frsize;
	op->room.free_files = (uint64_t)fs.f_ffree;
	op->room.total_files = (uint64_t)fs.f_files;
	/* Some numbers have their highest bit set. */
	op->room.fs_type = (uint64_t)fs.f_type & UINT32_MAX;
	return 0;
}

static int lock(struct op *op)
{
	struct flock flock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(op->fd, F_OFD_SETLK, &flock);
}

static int carry_out(struct op *op)
{
	int result;

	switch (op->kind) {
	case OP_LIST:
		return list_dir(op);
	case OP_ROOM:
		return room(op);
	case OP_LOCK:
		result = lock(op);
		break;
	case OP_SYNCFS:
		result = syncfs(op->fd);
		break;
	case OP_TRUNCATE:
		result = ftruncate(op->fd, (off_t)op->io.offset);
		break;
	default:
		assert_panic("the helper thread cannot do operation %d", op->kind);
	}
	return result < 0 ? -errno : 0;
}

/* Signals are the loop's threads' business. */
static void *serve(void *arg)
{
	struct helper *helper = arg;

	pthread_mutex_lock(&helper->lock);
	for (;;) {
		struct list *link = list_pop_front(&helper->todo);

		if (link == NULL) {
			if (helper->stop)
				break;
			pthread_cond_wait(&helper->work, &helper->lock);
			continue;
		}
		pthread_mutex_unlock(&helper->lock);
		struct op *op = RP_CONTAINER_OF(link, struct op, link);

		op->result = carry_out(op);
		pthread_mutex_lock(&helper->lock);
		if (list_empty(&helper->done))
			eventfd_write(helper->wake_fd, 1);
		list_push_back(&helper->done, link);
	}
	pthread_mutex_unlock(&helper->lock);
	return NULL;
}

enum rp_err helper_open(struct helper *helper, int wake_fd)
{
	sigset_t all, before;

	*helper = (struct helper){.wake_fd = wake_fd};
	pthread_mutex_init(&helper->lock, NULL);
	pthread_cond_init(&helper->work, NULL);
	list_init(&helper->todo);
	list_init(&helper->done);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&helper->thread, NULL, serve, helper);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	helper->started = error == 0;
	return err_of_errno(error);
}

void helper_close(struct helper *helper)
{
	if (!helper->started)
		return;
	pthread_mutex_lock(&helper->lock);
	RP_ASSERT(list_empty(&helper->todo));
	helper->stop = true;
	pthread_cond_signal(&helper->work);
	pthread_mutex_unlock(&helper->lock);
	pthread_join(helper->thread, NULL);
	RP_ASSERT(list_empty(&helper->done));
	pthread_cond_destroy(&helper->work);
	pthread_mutex_destroy(&helper->lock);
	helper->started = false;
}

void helper_submit(struct helper *helper, struct op *op)
{
	pthread_mutex_lock(&helper->lock);
	list_push_back(&helper->todo, &op->link);
	pthread_cond_signal(&helper->work);
	pthread_mutex_unlock(&helper->lock);
}

bool helper_withdraw(struct helper *helper, struct op *op)
{
	bool found = false;

	pthread_mutex_lock(&helper->lock);
	LIST_FOR_EACH (link, &helper->todo) {
		if (link != &op->link)
			continue;
		list_del(link);
		found = true;
		break;
	}
	pthread_mutex_unlock(&helper->lock);
	return found;
}

void helper_reap(struct helper *helper)
{
	struct list done;
	struct list *link;

	list_init(&done);
	pthread_mutex_lock(&helper->lock);
	list_splice_back(&done, &helper->done);
	pthread_mutex_unlock(&helper->lock);
	while ((link = list_pop_front(&done)) != NULL) {
		struct op *op = RP_CONTAINER_OF(link, struct op, link);

		op_complete(op, op->result);
	}
}
