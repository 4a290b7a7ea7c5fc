/* dbox_core.h -- the files of one dbox: which there are, which are open, who writes at which end.
 *
 * A file that can no longer be written is sealed: what still belongs into it lies in a stand-in, at the offset that it would
 * have had there. So nothing that refers to a body has to change; who reads looks into the newest stand-in first.
 *
 * For index/dbox/ alone.
 */
#ifndef RP_INDEX_DBOX_DBOX_CORE_H
#define RP_INDEX_DBOX_DBOX_CORE_H

#include "index/dbox/dbox_format.h"
#include "io/base/list.h"
#include "io/file.h"
#include "io/task.h"

enum {
	DBOX_CORE_OPEN_MAX = 4,   /* descriptors that one dbox keeps without using them */
	DBOX_CORE_APPEND_MAX = 4, /* of the newest files: so far back is looked for room */
	DBOX_CORE_DIR_BYTES = 256,
	DBOX_CORE_PATH_BYTES = DBOX_CORE_DIR_BYTES + 32,
	DBOX_CORE_STANDINS_MAX = 8, /* of one file: when so many fail it is not the file's fault */
};

struct dbox_file {
	struct list lru;   /* in its dbox's list of open files that nobody uses */
	struct dbox *dbox; /* NULL: it is gone, the file lives on with its readers */
	struct file *file; /* NULL: not open */
	unsigned refs;     /* who uses `file` */
	uint32_t number;
	uint32_t standin;       /* 0: the file itself; k: its k-th stand-in, <number>-<k>.dbox */
	struct dbox_file *next; /* the stand-in after this one; not in its dbox's array */
	bool given_up;          /* it takes no more: the next write makes a stand-in */
	uint64_t nonce;    /* 0: its header has not been read */
	bool header_lost;  /* both copies: the nonce is what its records say */
	uint64_t end;      /* where the next record goes; 0: not known */
	bool streaming;    /* somebody has its end for himself */
	bool ending;       /* dbox_core_find_end() is at it */
	unsigned expected; /* bodies in it that a change is about to refer to */
	bool tail;         /* a stream has left bytes behind `end` */
	bool full;
	bool removed;
	bool name_durable;
};

struct dbox {
	char dir[DBOX_CORE_DIR_BYTES];
	struct userid userid;
	uint64_t epoch;
	struct loop *loop;
	dbox_names_fn *names;
	void *names_arg;
	struct dbox_file **files; /* by number */
	size_t files_count;
	size_t files_max;
	uint64_t file_bytes_max;
	uint32_t last_number;    /* the newest there ever was */
	struct dbox_file *open;  /* where small bodies go; NULL: to be chosen */
	struct list idle;        /* open files that nobody uses, longest first */
	unsigned idle_count;
	unsigned streams_count;
	struct task_queue ends;  /* who waits till a file's end is known */
	bool dirs_durable;
};

/* dbox_files.c. */
void dbox_core_path(const struct dbox *dbox, uint32_t number, uint32_t standin,
    char path[DBOX_CORE_PATH_BYTES]);
struct dbox_file *dbox_core_new(struct dbox *dbox, uint32_t number, uint32_t standin);
RP_MUST_USE enum rp_err dbox_core_add(
    struct dbox *dbox, uint32_t number, struct dbox_file **out);
/* Nobody uses it, and no dbox has it any more. */
void dbox_core_destroy(struct dbox_file *file);
/* Its one user, who has it no more, drops it from its dbox. */
void dbox_core_drop(struct dbox *dbox, struct dbox_file *file);

/* NULL: no such file. */
struct dbox_file *dbox_core_find(struct dbox *dbox, uint32_t number);

/* Itself, or its newest stand-in. */
struct dbox_file *dbox_core_newest(struct dbox_file *file);

/* Make the stand-in after `last`, which is the newest; used (as below) by the caller. */
RP_MUST_USE enum rp_err dbox_core_stand_in(struct task *task, struct dbox *dbox,
    struct dbox_file *last, uint64_t nonce, struct dbox_file **out);

/* Use its descriptor: open, its header read. Give it back with dbox_core_release(). RP_ERR_NOTFOUND: gone from the
 * disk; RP_ERR_CORRUPT: its header is lost, and there is no sound record that tells the nonce. */
RP_MUST_USE enum rp_err dbox_core_use(struct task *task, struct dbox_file *file);
void dbox_core_release(struct dbox_file *file);

/* dbox_scan.c: the nonce that the first sound record of a file names. RP_ERR_CORRUPT: there is none. */
RP_MUST_USE enum rp_err dbox_core_find_nonce(
    struct task *task, const struct dbox_file *file, struct file *open, uint64_t *nonce);

/* A new file, with header and names; used (as above) by the caller. number 0: the next one. nonce 0: a random one. */
RP_MUST_USE enum rp_err dbox_core_create(struct task *task, struct dbox *dbox, uint32_t number,
    uint64_t nonce, struct dbox_file **out);

/* Write a header without names over one that is lost (recovery, repair). */
RP_MUST_USE enum rp_err dbox_core_renew(
    struct task *task, struct dbox *dbox, struct dbox_file *file, uint64_t nonce);

/* dbox_end.c: find out where the next record goes in a file that was there before, or cut off what a stream has left. The caller counts
 * among its users, and has seen that nobody does the same or streams into it. A file that fails takes nothing more. */
RP_MUST_USE enum rp_err dbox_core_find_end(struct task *task, struct dbox_file *file);

/* The newest file that is on the disk: one that is being made may yet be taken back. NULL: none. */
struct dbox_file *dbox_core_last_made(const struct dbox *dbox);
/* dbox_mend.c: is the beginning of a used file as it was written, both copies of the header and the names? *first: where
 * records begin, as far as that is known. And to write it again as it must be, by the copy that is sound; names that are not are left out. */
RP_MUST_USE enum rp_err dbox_core_is_begun(
    struct task *task, const struct dbox_file *file, bool *whole, uint64_t *first);
RP_MUST_USE enum rp_err dbox_core_begin_again(struct task *task, struct dbox_file *file);

/* A file with room for `bytes` at its end that no stream has, but not `other`; made if need be. Not used (counted). */
RP_MUST_USE enum rp_err dbox_core_with_room(struct task *task, struct dbox *dbox, uint64_t bytes,
    const struct dbox_file *other, struct dbox_file **out);
bool dbox_core_has_room(const struct dbox_file *file, uint64_t bytes);

/* Make its name durable, and those of the folders above. */
RP_MUST_USE enum rp_err dbox_core_sync_name(
    struct task *task, struct dbox *dbox, struct dbox_file *file);

#endif
