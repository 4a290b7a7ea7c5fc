#include "core/auth/userfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/base/num.h"

enum { NEW_FILE_MODE = 0600 };

static void note_identity(const struct stat *st, struct userfile *out)
{
	out->device = st->st_dev;
	out->inode = st->st_ino;
	out->bytes = (uint64_t)st->st_size;
	out->changed_ns =
	    (uint64_t)st->st_mtim.tv_sec * CLOCK_NS_PER_S + (uint64_t)st->st_mtim.tv_nsec;
}

static enum rp_err read_all(int fd, uint8_t *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = read(fd, p + done, n - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_of_errno(errno);
		if (got == 0)
			return RP_ERR_IO; /* cut short while we read */
		done += (size_t)got;
	}
	return RP_OK;
}

static enum rp_err read_fd(int fd, struct userfile *out)
{
	struct stat st;
	struct userfile file = {0};

	if (fstat(fd, &st) != 0)
		return err_of_errno(errno);
	if (!S_ISREG(st.st_mode))
		return RP_ERR_CANNOT;
	if (st.st_size > USERDB_FILE_BYTES_MAX)
		return RP_ERR_LIMIT;
	note_identity(&st, &file);
	file.n = (size_t)st.st_size;
	file.p = malloc(file.n + 1);
	if (file.p == NULL)
		return RP_ERR_NOMEM;
	enum rp_err err = read_all(fd, file.p, file.n);

	if (err != RP_OK) {
		userfile_free(&file);
		return err;
	}
	*out = file;
	return RP_OK;
}

enum rp_err userfile_read(const char *path, struct userfile *out)
{
	/* Without O_NONBLOCK a FIFO at this path would hold us up before we can refuse it. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_of_errno(errno);
	enum rp_err err = read_fd(fd, out);

	close(fd);
	return err;
}

void userfile_free(struct userfile *file)
{
	if (file->p != NULL)
		bytes_wipe(file->p, file->n);
	free(file->p);
	*file = (struct userfile){0};
}

bool userfile_is_current(const char *path, const struct userfile *file)
{
	struct userfile now = {0};
	struct stat st;

	if (stat(path, &st) != 0)
		return false;
	note_identity(&st, &now);
	return now.device == file->device && now.inode == file->inode && now.bytes == file->bytes &&
	       now.changed_ns == file->changed_ns;
}

/* ---- writing ---- */

/* A path beside this one. False: too long. */
static bool path_beside(const char *path, const char *suffix, char out[PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s%s", path, suffix);

	return n > 0 && n < PATH_MAX;
}

/* The lock, held until the descriptor is closed. Negative: -errno. */
static int take_lock(const char *path)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char name[PATH_MAX];

	if (!path_beside(path, ".lock", name))
		return -ENAMETOOLONG;
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, NEW_FILE_MODE);

	if (fd < 0)
		return -errno;
	while (fcntl(fd, F_OFD_SETLKW, &lock) != 0) {
		if (errno == EINTR)
			continue;
		int number = errno;

		close(fd);
		return -number;
	}
	return fd;
}

static enum rp_err write_all(int fd, struct bytes b)
{
	while (b.n > 0) {
		ssize_t n = write(fd, b.p, b.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_of_errno(errno);
		b = bytes_from(b, (size_t)n);
	}
	return RP_OK;
}

/* The folder that the file lies in, flushed: the new name is durable. */
static enum rp_err flush_folder(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);

	if (n >= sizeof(folder))
		return RP_ERR_LIMIT;
	memcpy(folder, n == 0 ? "." : path, n == 0 ? 1 : n);
	folder[n == 0 ? 1 : n] = '\0';
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_of_errno(errno);
	enum rp_err err = fsync(fd) == 0 ? RP_OK : err_of_errno(errno);

	close(fd);
	return err;
}

/* Owner and mode stay as they are; a stranger's old file is not made ours to read by others. */
static enum rp_err write_new(const char *path, const char *name, struct bytes text)
{
	struct stat st;
	bool there = stat(path, &st) == 0;
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, NEW_FILE_MODE);

	if (fd < 0)
		return err_of_errno(errno);
	enum rp_err err = RP_OK;

	if (there && (fchown(fd, st.st_uid, st.st_gid) != 0 || fchmod(fd, st.st_mode & 07777) != 0))
		err = err_of_errno(errno);
	if (err == RP_OK)
		err = write_all(fd, text);
	if (err == RP_OK && fsync(fd) != 0)
		err = err_of_errno(errno);
	if (close(fd) != 0 && err == RP_OK)
		err = err_of_errno(errno);
	return err;
}

static enum rp_err replace(const char *path, struct bytes text)
{
	char name[PATH_MAX];

	if (!path_beside(path, ".new", name))
		return RP_ERR_LIMIT;
	unlink(name); /* left by a writer that died; we have the lock */
	enum rp_err err = write_new(path, name, text);

	if (err == RP_OK && rename(name, path) != 0)
		err = err_of_errno(errno);
	if (err != RP_OK) {
		unlink(name);
		return err;
	}
	return flush_folder(path);
}

/* ---- the new text ---- */

struct text {
	uint8_t *p;
	size_t n;
};

static void put(struct text *text, struct bytes b)
{
	if (b.n > 0)
		memcpy(text->p + text->n, b.p, b.n);
	text->n += b.n;
}

static void put_user(
    struct text *text, struct bytes name, struct bytes hash, const struct auth_wire_userid *id)
{
	char id_text[USERDB_ID_DIGITS + 1];

	userdb_id_text(id, id_text);
	put(text, name);
	put(text, BYTES_LIT(":"));
	put(text, hash);
	put(text, BYTES_LIT(":"));
	put(text, bytes_of_str(id_text));
	put(text, BYTES_LIT("\n"));
}

/* All lines of old but this name's, which becomes *user, or nothing. */
static void edit(
    struct text *text, struct bytes old, struct bytes name, const struct userdb_user *user)
{
	for (size_t at = 0; at < old.n;) {
		size_t end = bytes_find(old, at, '\n');
		struct bytes line = bytes_slice(old, at, end);
		bool is_his =
		    line.n > name.n && line.p[name.n] == ':' && bytes_starts_with(line, name);

		if (!is_his) {
			put(text, line);
			put(text, BYTES_LIT("\n"));
		} else if (user != NULL) {
			put_user(text, user->name, user->hash, &user->userid);
		}
		at = end + 1;
	}
}

static enum rp_err change_locked(const char *path, enum userfile_change change,
    struct userdb_user *user, struct userdb_fault *fault)
{
	struct userfile file = {0};
	struct userdb *db = NULL;
	struct text text = {0};
	enum rp_err err = userfile_read(path, &file);

	if (err == RP_ERR_NOTFOUND && change == USERFILE_ADD)
		err = RP_OK;
	if (err == RP_OK)
		err = userdb_open(bytes_of(file.p, file.n), (struct hash_key){0}, &db, fault);
	if (err == RP_ERR_SYNTAX || (err == RP_ERR_LIMIT && fault->line != 0))
		err = RP_ERR_CORRUPT;
	if (err != RP_OK)
		goto out;
	const struct userdb_user *there = userdb_find(db, user->name);

	err = change == USERFILE_ADD ? (there != NULL ? RP_ERR_EXISTS : RP_OK)
	                             : (there == NULL ? RP_ERR_NOTFOUND : RP_OK);
	if (err != RP_OK)
		goto out;
	text.p = malloc(file.n + 2 * USERDB_LINE_BYTES_MAX);
	err = text.p != NULL ? RP_OK : RP_ERR_NOMEM;
	if (err != RP_OK)
		goto out;
	if (change == USERFILE_SET)
		user->userid = there->userid;
	edit(&text, bytes_of(file.p, file.n), user->name, change == USERFILE_SET ? user : NULL);
	if (change == USERFILE_ADD)
		put_user(&text, user->name, user->hash, &user->userid);
	err = replace(path, bytes_of(text.p, text.n));
	bytes_wipe(text.p, text.n);
out:
	free(text.p);
	userdb_close(db);
	userfile_free(&file);
	return err;
}

enum rp_err userfile_change(const char *path, enum userfile_change change, struct bytes name,
    struct bytes hash, const struct auth_wire_userid *userid, struct userdb_fault *fault)
{
	struct userdb_user user = {.name = name, .hash = hash};

	RP_ASSERT(name.n > 0 && name.n <= AUTH_NAME_BYTES_MAX);
	RP_ASSERT(hash.n + name.n + USERDB_ID_DIGITS + 3 <= USERDB_LINE_BYTES_MAX);
	if (change == USERFILE_ADD)
		user.userid = *userid;
	*fault = (struct userdb_fault){0, ""};
	int lock = take_lock(path);

	if (lock < 0)
		return err_of_errno(-lock);
	enum rp_err err = change_locked(path, change, &user, fault);

	close(lock);
	return err;
}
