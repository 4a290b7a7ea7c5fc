/* file.h -- files, directories and mappings, through the ring (or the helper thread), from a task.
 *
 * Paths are relative to a root of the loop (loop.h), with '/' between parts; nothing leads out of a
 * root. "." is the root itself (dir_sync, dir_list). All calls suspend. errno ends here: ENOSPC is RP_ERR_NOSPACE, EIO RP_ERR_IO, and so on. EINTR,
 * EAGAIN and short transfers are carried on until all is done or failed.
 *
 * A cancelled task still waits until the kernel has let go of its memory: buffers may lie on its stack.
 */
#ifndef RP_IO_FILE_H
#define RP_IO_FILE_H

#include "io/base/arena.h"
#include "io/task.h"

struct file;

enum file_mode {
	FILE_READ = 1 << 0,
	FILE_WRITE = 1 << 1,
	FILE_CREATE = 1 << 2,    /* if it is not there */
	FILE_EXCLUSIVE = 1 << 3, /* with FILE_CREATE: RP_ERR_EXISTS if it is */
	FILE_TRUNCATE = 1 << 4,
	FILE_DIRECT = 1 << 5,   /* O_DIRECT; refused by the file system: RP_ERR_CANNOT, open it without */
	FILE_MAPPABLE = 1 << 6, /* for file_map() */
};

/* RP_ERR_NOTFOUND, RP_ERR_EXISTS, RP_ERR_LIMIT (no descriptor free), RP_ERR_NOSPACE... RP_ERR_DENIED: it may not be opened, or is a symbolic
 * link, or its path leads out of the root: nothing is known of what it holds. RP_ERR_CANNOT: it is no file, but a folder, a FIFO, a socket or a
 * device (which are not waited for), or has none above it. The log names it (file.denied), now and then. */
RP_MUST_USE enum rp_err file_open(
    struct task *task, enum file_root root, const char *path, unsigned mode, struct file **out);

/* Cannot fail and does not suspend: the descriptor is given back by the ring. What was written is not made
 * durable by it. NULL is fine. No operation on it may be in flight. */
void file_close(struct file *file);

/* How many are open on this loop; those whose file_close() was called are not. */
size_t file_open_count(const struct loop *loop);

/* Read up to n bytes at offset; *got < n only at the file's end. */
RP_MUST_USE enum rp_err file_read(
    struct task *task, struct file *file, void *p, size_t n, uint64_t offset, size_t *got);

/* file_read() of what is given up for good if it cannot be read (file_lost.c).
 *
 * RP_ERR_IO: it is lost. It failed again and again, for FILE_LOST_MS at least, and between any two tries
 *            the nearest bytes before and behind it were read well from the disk.
 * RP_ERR_UNAVAILABLE: it was waited for that long, and nothing around it could be read either: the disk, or
 *            the file, is away. It may be back; nothing may be given up.
 *
 * A part of a file that is found to be lost shortens the wait for the next one; a wait in vain those of all
 * files of this loop, for a while. */
RP_MUST_USE enum rp_err file_read_retry(
    struct task *task, struct file *file, void *p, size_t n, uint64_t offset, size_t *got);

enum {
	FILE_LOST_MS = 10 * 1000, /* longer than a path of a SAN or the reset of a controller takes, mostly */
	FILE_AWAY_MS = 30 * 1000, /* file_await_disk() */
};

/* An admin asks this task for what is left (repair), or it can be made anew from something else: a file of which nothing can be
 * read is lost too, if DATA's file "store" was read well between any two tries. Says what it was before. */
bool file_lose_whole(struct task *task, bool on);

/* Who cannot do without, as a server that starts: after RP_ERR_IO or RP_ERR_UNAVAILABLE the disk may be away, so wait a little and do
 * the same again. False: it is another error, the time is over, or the task, or the server, is to stop.
 *
 * away   zero before the first try */
struct file_away {
	bool begun;
	uint64_t begun_ns;
};
bool file_await_disk(struct task *task, struct file_away *away, enum rp_err err);

/* The server is to stop: from now on nobody on this loop waits for the disk. file_read_retry() gives up what it waits for as if the
 * disk were away, which loses nothing. */
void file_wait_no_more(struct loop *loop);

/* Write all n bytes. dsync: they are durable on return (RWF_DSYNC). On an error any part of them may have
 * been written, or may be after a crash. */
RP_MUST_USE enum rp_err file_write(struct task *task, struct file *file, const void *p, size_t n,
    uint64_t offset, bool dsync);

/* Data and size durable (fdatasync). */
RP_MUST_USE enum rp_err file_sync(struct task *task, struct file *file);

/* Room for [offset, offset + n), the size grown to it (fallocate). */
RP_MUST_USE enum rp_err file_allocate(
    struct task *task, struct file *file, uint64_t offset, uint64_t n);

RP_MUST_USE enum rp_err file_truncate(struct task *task, struct file *file, uint64_t size_bytes);
RP_MUST_USE enum rp_err file_size(struct task *task, struct file *file, uint64_t *size_bytes);

/* The same of a file by its name. */
RP_MUST_USE enum rp_err file_size_at(
    struct task *task, enum file_root root, const char *path, uint64_t *bytes);

/* An exclusive lock that goes with the process (OFD lock). RP_ERR_BUSY: somebody else has it. */
RP_MUST_USE enum rp_err file_lock(struct task *task, struct file *file);

/* Everything that was written to the file system that the file lies on is durable (syncfs, on the helper
 * thread). An error since `file` was opened is reported once: it is final. */
RP_MUST_USE enum rp_err file_syncfs(struct task *task, struct file *file);

/* Names. file_rename takes the place of what is there. file_remove and dir_make succeed when there is nothing
 * left to do. dir_make makes the parents too. Durable only after file_syncfs or dir_sync. */
RP_MUST_USE enum rp_err file_rename(
    struct task *task, enum file_root root, const char *from, const char *to);
RP_MUST_USE enum rp_err file_remove(struct task *task, enum file_root root, const char *path);
RP_MUST_USE enum rp_err dir_make(struct task *task, enum file_root root, const char *path);
RP_MUST_USE enum rp_err dir_remove(struct task *task, enum file_root root, const char *path);
RP_MUST_USE enum rp_err dir_sync(struct task *task, enum file_root root, const char *path);

/* dir_sync() of a directory and of all above it, the root too: what is in it is found again, however new they all are. */
RP_MUST_USE enum rp_err dir_sync_path(struct task *task, enum file_root root, const char *path);

struct dir_entry {
	struct bytes name; /* NUL behind it */
	bool is_dir;
};

/* All names but "." and "..", sorted by bytes, in arena memory. RP_ERR_NOTFOUND: no such directory.
 * RP_ERR_LIMIT: more than the arena holds. */
RP_MUST_USE enum rp_err dir_list(struct task *task, enum file_root root, const char *path,
    struct arena *arena, struct dir_entry **out, size_t *out_count);

struct file_room {
	uint64_t free_bytes;
	uint64_t total_bytes;
	uint64_t free_files; /* UINT64_MAX where the file system has no number of them (statfs: f_files 0) */
};

/* What is free on the file system of a root. */
RP_MUST_USE enum rp_err file_room(struct task *task, enum file_root root, struct file_room *out);

/* What kind of file system a root lies on: the number that statfs(2) gives. */
RP_MUST_USE enum rp_err file_fs_type(struct task *task, enum file_root root, uint64_t *type);

/* Map the first n bytes of a FILE_MAPPABLE file, private and copy on write. Does not suspend and loads nothing.
 * The file may be closed; the mapping lives until file_unmap(). RP_ERR_LIMIT: the kernel's map limit. */
RP_MUST_USE enum rp_err file_map(struct file *file, size_t n, void **out);
void file_unmap(struct loop *loop, void *p, size_t n);

/* Load pages of a mapping off the shard's thread (MADV_POPULATE_READ). RP_ERR_CORRUPT: the file is shorter
 * now or unreadable there. Must have succeeded before cold pages are touched. */
RP_MUST_USE enum rp_err file_map_populate(struct task *task, void *p, size_t n);

/* Did a page of this mapping go missing under a reader (SIGBUS)? It then read as zeroes. Asked before anything
 * that was read from it is told or committed. */
bool file_map_is_bad(struct loop *loop, const void *p);

#endif
