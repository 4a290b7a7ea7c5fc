/* volume_files.h -- which derived files a volume's directory has, by their names.
 *
 *   <lsn>.catalog   <mailboxid>.<lsn>.index   <mailboxid>.cache   <anything>.tmp: being written, or left by a crash
 *   <lsn>.checkpoint   empty: there was <lsn>.catalog
 */
#ifndef RP_INDEX_VOLUME_FILES_H
#define RP_INDEX_VOLUME_FILES_H

#include "index/volume_state.h"

enum volume_file_kind {
	VOLUME_FILE_OTHER, /* a journal, a dbox, or nothing of ours */
	VOLUME_FILE_CATALOG,
	VOLUME_FILE_INDEX,
	VOLUME_FILE_CACHE,
	VOLUME_FILE_GRAMS,
	VOLUME_FILE_CHECKPOINT,
	VOLUME_FILE_TMP,
};

struct volume_file {
	enum volume_file_kind kind;
	uint64_t mailboxid; /* index, cache, grams */
	uint64_t lsn;       /* catalog, index, checkpoint */
};

struct volume_files {
	const struct dir_entry *entries; /* in the caller's arena */
	size_t count;
};

enum { VOLUME_LIST_BYTES_MAX = 32 * 1024 * 1024 }; /* the names in a directory */

/* What a name says. */
struct volume_file volume_file_parse(struct bytes name);

/* A directory that is not there has no files; one in it is none, whatever its name. */
RP_MUST_USE enum rp_err volume_files_list(
    struct task *task, const char *dir, struct arena *arena, struct volume_files *out);

/* The greatest LSN of a catalog below the bound; 0: none. */
uint64_t volume_files_catalog_below(const struct volume_files *files, uint64_t bound);

/* The LSN of the newest catalog that there was; 0: nothing tells. */
uint64_t volume_files_checkpoint(const struct volume_files *files);

/* The greatest LSN, up to a bound, and the greatest mailboxid that the names of derived files tell of; 0: none. */
void volume_files_greatest(
    const struct volume_files *files, uint64_t lsn_max, uint64_t *lsn, uint64_t *mailboxid);

/* Tell the catalog which index files there are: the newest of each mailbox that is not ahead of the journal, nor older than the
 * mailbox (a repair has made it anew since). */
void volume_files_indexes(const struct volume_files *files, struct catalog *catalog);

#endif
