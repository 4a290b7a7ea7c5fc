/* dbox_core.h -- the files of one dbox: which there are, which are open, who writes at which end.
 *
 * For index/dbox/ alone.
 */
#ifndef RP_INDEX_DBOX_DBOX_CORE_H
#define RP_INDEX_DBOX_DBOX_CORE_H

#include "index/dbox/dbox_format.h"
#include "io/base/list.h"
#include "io/file.h"

enum {
	DBOX_CORE_OPEN_MAX = 4,   /* descriptors that one dbox keeps without using them */
	DBOX_CORE_APPEND_MAX = 4, /* of the newest files: so far back is looked for room */
	DBOX_CORE_DIR_BYTES = 256,
};

struct dbox_file {
	struct list lru;   /* in its dbox's list of open files that nobody uses */
	struct dbox *dbox; /* NULL: it is gone, the file lives on with its readers */
	struct file *file; /* NULL: not open */
	unsigned refs;     /* who uses `file` */
	uint32_t number;
	uint64_t nonce;    /* 0: its header has not been read */
	uint64_t end;      /* where the next record goes; 0: not known */
	bool streaming;    /* somebody has its end for himself */
	bool tail;         /* an aborted stream has left bytes behind `end` */
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
	uint32_t last_number;    /* the newest there ever was */
	struct dbox_file *open;  /* where small bodies go; NULL: to be chosen */
	struct list idle;        /* open files that nobody uses, longest first */
	unsigned idle_count;
	unsigned streams_count;
	bool dirs_durable;
};

/* NULL: no such file. */
struct dbox_file *dbox_core_find(struct dbox *dbox, uint32_t number);

/* Use its descriptor: open, its header read. Give it back with dbox_core_release(). RP_ERR_NOTFOUND: gone from the
 * disk; RP_ERR_CORRUPT: its header is lost. */
RP_MUST_USE enum rp_err dbox_core_use(struct task *task, struct dbox_file *file);
void dbox_core_release(struct dbox_file *file);

/* A new file, with header and names; used (as above) by the caller. number 0: the next one. nonce 0: a random one. */
RP_MUST_USE enum rp_err dbox_core_create(struct task *task, struct dbox *dbox, uint32_t number,
    uint64_t nonce, struct dbox_file **out);

/* Write a header over one that was lost in a crash (recovery alone). */
RP_MUST_USE enum rp_err dbox_core_renew(
    struct task *task, struct dbox *dbox, struct dbox_file *file, uint64_t nonce);

/* A file with room for `bytes` at its end that no stream has, but not `other`; made if need be. Not used (counted). */
RP_MUST_USE enum rp_err dbox_core_with_room(struct task *task, struct dbox *dbox, uint64_t bytes,
    const struct dbox_file *other, struct dbox_file **out);
bool dbox_core_has_room(const struct dbox_file *file, uint64_t bytes);

/* Make its name durable, and those of the folders above. */
RP_MUST_USE enum rp_err dbox_core_sync_name(
    struct task *task, struct dbox *dbox, struct dbox_file *file);

#endif
