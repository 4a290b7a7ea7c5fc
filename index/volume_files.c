#include "index/volume_files.h"

#include "io/base/num.h"

static bool take_number(struct bytes *name, uint64_t *out)
{
	size_t dot = bytes_find(*name, 0, '.');

	if (dot == name->n || !bytes_to_u64(bytes_slice(*name, 0, dot), UINT64_MAX - 1, out))
		return false;
	*name = bytes_from(*name, dot);
	return true;
}

static bool ends_in(struct bytes name, struct bytes end)
{
	return name.n >= end.n && bytes_eq(bytes_from(name, name.n - end.n), end);
}

struct volume_file volume_file_parse(struct bytes name)
{
	struct volume_file file = { .kind = VOLUME_FILE_OTHER };
	uint64_t first;
	uint64_t second;

	if (ends_in(name, BYTES_LIT(".tmp"))) {
		file.kind = VOLUME_FILE_TMP;
		return file;
	}
	if (!take_number(&name, &first) || first == 0)
		return file;
	if (bytes_eq(name, BYTES_LIT(".catalog")))
		return (struct volume_file){ .kind = VOLUME_FILE_CATALOG, .lsn = first };
	if (bytes_eq(name, BYTES_LIT(".checkpoint")))
		return (struct volume_file){ .kind = VOLUME_FILE_CHECKPOINT, .lsn = first };
	if (bytes_eq(name, BYTES_LIT(".cache")))
		return (struct volume_file){ .kind = VOLUME_FILE_CACHE, .mailboxid = first };
	if (bytes_eq(name, BYTES_LIT(".grams")))
		return (struct volume_file){ .kind = VOLUME_FILE_GRAMS, .mailboxid = first };
	name = bytes_from(name, 1);
	if (take_number(&name, &second) && bytes_eq(name, BYTES_LIT(".index")))
		return (struct volume_file){
			.kind = VOLUME_FILE_INDEX, .mailboxid = first, .lsn = second
		};
	return file;
}

enum rp_err volume_files_list(
    struct task *task, const char *dir, struct arena *arena, struct volume_files *out)
{
	struct dir_entry *entries = NULL;
	size_t count = 0;
	size_t kept = 0;
	enum rp_err err = dir_list(task, FILE_ROOT_DATA, dir, arena, &entries, &count);

	if (err != RP_OK && err != RP_ERR_NOTFOUND)
		return err;
	for (size_t i = 0; i < count; i++)
		if (!entries[i].is_dir)
			entries[kept++] = entries[i];
	*out = (struct volume_files){ entries, kept };
	return RP_OK;
}

uint64_t volume_files_catalog_below(const struct volume_files *files, uint64_t bound)
{
	uint64_t best = 0;

	for (size_t i = 0; i < files->count; i++) {
		struct volume_file file = volume_file_parse(files->entries[i].name);

		if (file.kind == VOLUME_FILE_CATALOG && file.lsn < bound && file.lsn > best)
			best = file.lsn;
	}
	return best;
}

uint64_t volume_files_checkpoint(const struct volume_files *files)
{
	uint64_t newest = 0;

	for (size_t i = 0; i < files->count; i++) {
		struct volume_file file = volume_file_parse(files->entries[i].name);

		if (file.kind == VOLUME_FILE_CHECKPOINT)
			newest = num_max(newest, file.lsn);
	}
	return newest;
}

void volume_files_greatest(
    const struct volume_files *files, uint64_t lsn_max, uint64_t *lsn, uint64_t *mailboxid)
{
	*lsn = 0;
	*mailboxid = 0;
	for (size_t i = 0; i < files->count; i++) {
		struct volume_file file = volume_file_parse(files->entries[i].name);

		if (file.lsn <= lsn_max)
			*lsn = num_max(*lsn, file.lsn);
		*mailboxid = num_max(*mailboxid, file.mailboxid);
	}
}

void volume_files_indexes(const struct volume_files *files, struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->ids_count; i++)
		catalog->by_id[i]->index_lsn = 0;
	for (size_t i = 0; i < files->count; i++) {
		struct volume_file file = volume_file_parse(files->entries[i].name);
		struct catalog_node *node = file.kind == VOLUME_FILE_INDEX ?
						catalog_by_id(catalog, file.mailboxid) :
						NULL;

		if (node != NULL && file.lsn <= catalog->lsn && file.lsn >= node->created_lsn &&
		    file.lsn > node->index_lsn)
			node->index_lsn = file.lsn;
	}
}
