/* The headers of a journal's files.
 *
 * Each has its header twice, in sectors of their own. Both may go while somebody has the journal open: of each file that he has made,
 * written to or read he knows the header, so he reads what lies in it all the same (journal_read.c), and writes the header again when
 * the file is sealed, with each checkpoint, and before he lets go of the journal. Who opens it next would know it no more.
 */
#include <string.h>

#include "index/journal_core.h"

void journal_core_note_header(struct journal_file *file, const struct format_header *header)
{
	file->nonce = header->nonce;
	file->epoch = header->epoch;
	file->marks = journal_core_marks(header);
	file->goes_on = header->extra[JOURNAL_EXTRA_GOES_ON] != 0;
}

bool journal_core_known_header(const struct journal *journal, const struct journal_file *file,
    struct format_header *header)
{
	uint16_t version = file->marks ? JOURNAL_VERSION : JOURNAL_VERSION_UNMARKED;

	*header = (struct format_header){
		.userid = journal->userid,
		.epoch = file->epoch,
		.lsn = file->first,
		.nonce = file->nonce,
	};
	header->extra[JOURNAL_EXTRA_MERGED_LAST] = file->merged ? file->last : 0;
	header->extra[JOURNAL_EXTRA_GOES_ON] = file->goes_on;
	format_sign(header, FORMAT_JOURNAL, file->merged ? JOURNAL_VERSION_MERGED : version);
	return file->nonce != 0;
}

enum rp_err journal_core_read_header(struct task *task, const struct journal *journal,
    struct file *file, uint64_t first, bool merged, struct format_header *header)
{
	uint8_t area[FORMAT_AREA_BYTES];
	size_t got;
	enum rp_err err = file_read_retry(task, file, area, sizeof(area), 0, &got);

	if (err != RP_OK)
		return err;
	err = format_check_area(bytes_of(area, got), FORMAT_JOURNAL, JOURNAL_VERSION_MAX, header);
	if (err == RP_ERR_END)
		return RP_ERR_CORRUPT;
	if (err != RP_OK)
		return err;
	if (header->lsn != first || (header->version == JOURNAL_VERSION_MERGED) != merged ||
	    !userid_eq(&header->userid, &journal->userid))
		return RP_ERR_CORRUPT;
	return RP_OK;
}

/* Is it the file of records that were to lie in one that failed? A recovery places the same records, and finds it out again. */
static bool goes_on(const struct journal *journal, uint64_t first)
{
	for (size_t i = 0; i < journal->moved_count; i++)
		if (journal->moved[i].lsn == first)
			return true;
	return false;
}

enum rp_err journal_core_write_header(struct task *task, const struct journal *journal,
    struct file *file, uint64_t first, uint64_t merged_last, struct format_header *out)
{
	uint8_t area[FORMAT_AREA_BYTES];
	struct format_header header = {
		.userid = journal->userid,
		.epoch = journal->epoch,
		.lsn = first,
	};

	while (header.nonce == 0)
		loop_random(journal->loop, &header.nonce, sizeof(header.nonce));
	header.extra[JOURNAL_EXTRA_MERGED_LAST] = merged_last;
	header.extra[JOURNAL_EXTRA_GOES_ON] = merged_last == 0 && goes_on(journal, first);
	format_sign(&header, FORMAT_JOURNAL,
	    merged_last != 0 ? JOURNAL_VERSION_MERGED : JOURNAL_VERSION);
	format_put_area(&header, area);

	enum rp_err err = file_write(task, file, area, sizeof(area), 0, false);

	if (err == RP_OK)
		*out = header;
	return err;
}

/* Both copies are gone: neither is there, nor the header of another file, which somebody has put in its place. */
static bool is_lost(struct bytes area)
{
	struct format_header header;
	enum rp_err err =
	    format_check_area(area, FORMAT_JOURNAL, JOURNAL_VERSION_MAX, &header);

	return err == RP_ERR_CORRUPT || err == RP_ERR_END;
}

/* Durable: the records may be older than any that the commit log has. */
static enum rp_err write_again(struct task *task, const struct journal *journal,
    struct file *file, const struct format_header *header)
{
	uint8_t area[FORMAT_AREA_BYTES];
	enum rp_err err;

	format_put_area(header, area);
	err = file_write(task, file, area, sizeof(area), 0, false);
	if (err == RP_OK)
		err = file_sync(task, file);
	if (err == RP_OK)
		LOG(loop_log(journal->loop), LOG_WARN, "journal.header_written",
		    LOG_STR("dir", journal->dir), LOG_U64("first", header->lsn));
	return err;
}

enum rp_err journal_core_keep_header(struct task *task, struct journal *journal, uint64_t first)
{
	const struct journal_file *at = journal_core_find(journal, first);
	char path[JOURNAL_CORE_PATH_BYTES];
	uint8_t area[FORMAT_AREA_BYTES];
	struct format_header header;
	struct file *file;
	size_t got = 0;

	if (at == NULL || at->lost || !journal_core_known_header(journal, at, &header))
		return RP_OK;
	journal_core_path_of(journal, at, path);

	enum rp_err err = file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file);

	if (err != RP_OK)
		return err;
	err = file_read(task, file, area, sizeof(area), 0, &got);
	/* A sector that cannot be read is often one that can be written. */
	if (err == RP_ERR_IO || (err == RP_OK && is_lost(bytes_of(area, got))))
		err = write_again(task, journal, file, &header);
	file_close(file);
	return err;
}

enum rp_err journal_keep_headers(struct task *task, struct journal *journal)
{
	uint64_t first = 0;
	enum rp_err err = RP_OK;
	size_t at;

	while ((at = journal_core_lower(journal, first + 1)) < journal->files_count) {
		enum rp_err other;

		first = journal->files[at].first;
		other = journal_core_keep_header(task, journal, first);
		if (other == RP_ERR_CANCELED || other == RP_ERR_IO)
			return other; /* the disk may be away: the others' would each be waited for */
		err = err == RP_OK ? other : err;
	}
	return err;
}
