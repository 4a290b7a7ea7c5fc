#include "index/place.h"

#include <stdlib.h>
#include <string.h>

#include "index/commit.h"
#include "index/journal_core.h"

enum {
	PLACE_BODIES_BYTES_MAX = 256 * 1024, /* adjacent bodies in one write */
	PLACE_TRIES_MAX = 3,                 /* files that fail for one write, before it is no file's fault */
};
/* So much is free, and yet none for a few KiB, or for one file more: a quota on the folder, or a file system that is out of order. */
#define PLACE_ROOM_BYTES (UINT64_C(64) * 1024 * 1024)

bool place_disk_has_room(struct task *task)
{
	struct file_room room;

	return file_room(task, FILE_ROOT_DATA, &room) == RP_OK && room.free_bytes >= PLACE_ROOM_BYTES &&
	    room.free_files >= COMMIT_SCARCE_FILES;
}

static bool is_files_own(struct task *task, enum rp_err err)
{
	return err == RP_ERR_IO || err == RP_ERR_UNAVAILABLE ||
	    (err == RP_ERR_NOSPACE && place_disk_has_room(task));
}

static void log_sealed(struct place *place, const char *kind, uint64_t number,
    const struct record *record, enum rp_err err)
{
	char userid[USERID_TEXT_BYTES + 1];

	userid_format(&record->header.userid, userid);
	LOG(loop_log(place->journal->loop), LOG_ERROR, "store.file_sealed",
	    LOG_STR("userid", userid), LOG_STR("kind", kind), LOG_U64("file", number),
	    LOG_U64("lsn", record->header.lsn), LOG_STR("error", err_name(err)));
	place->sealed++;
}

static void log_body_lost(const struct place *place, const struct record_header *header)
{
	char userid[USERID_TEXT_BYTES + 1];

	userid_format(&header->userid, userid);
	LOG(loop_log(place->journal->loop), LOG_ERROR, "recover.body_lost", LOG_STR("userid", userid),
	    LOG_U64("lsn", header->lsn), LOG_U64("file", header->place.dbox),
	    LOG_U64("offset", header->place.dbox_offset));
}

static bool has_body(const struct record *const *records, const bool *no_body, size_t i)
{
	return records[i]->body.n != 0 && (no_body == NULL || !no_body[i]);
}

/* What is damaged in a log stays out of the files: what lies in its place may be sound. */
static bool is_sound(const struct place *place, const struct record *record)
{
	const struct record_header *header = &record->header;

	return !place->recovering ||
	    dbox_record_is_sound(record->body, &header->userid, header->place.dbox_offset);
}

/* How many bodies from the first on lie side by side and fit into one write. */
static size_t adjacent(const struct place *place, const struct record *const *records,
    const bool *no_body, size_t count, uint64_t *bytes)
{
	const struct record_place *first = &records[0]->header.place;
	size_t n = 1;

	*bytes = records[0]->body.n;
	for (; n < count && has_body(records, no_body, n) && is_sound(place, records[n]); n++) {
		const struct record_place *next = &records[n]->header.place;
		uint64_t more = records[n]->body.n;

		if (next->dbox != first->dbox || next->dbox_offset != first->dbox_offset + *bytes ||
		    *bytes + more > PLACE_BODIES_BYTES_MAX)
			break;
		*bytes += more;
	}
	return n;
}

static enum rp_err write_bodies(struct task *task, struct place *place,
    const struct record *const *records, size_t count, uint64_t bytes)
{
	const struct record_place at = records[0]->header.place;
	uint8_t *p;
	size_t used = 0;

	if (count == 1)
		return dbox_write_settled(
		    task, place->dbox, at.dbox, at.dbox_offset, records[0]->body);
	p = malloc(bytes);
	if (p == NULL)
		return RP_ERR_NOMEM;
	for (size_t i = 0; i < count; i++) {
		memcpy(p + used, records[i]->body.p, records[i]->body.n);
		used += records[i]->body.n;
	}

	enum rp_err err =
	    dbox_write_settled(task, place->dbox, at.dbox, at.dbox_offset, bytes_of(p, used));

	free(p);
	return err;
}

/* Recovery: the beginning of the file is to be flushed with what was written behind it, once. */
static enum rp_err touch(struct task *task, struct place *place, uint64_t file)
{
	if (!place->recovering || place->touched == file)
		return RP_OK;

	enum rp_err err = dbox_touch(task, place->dbox, file);

	if (err == RP_OK)
		place->touched = file;
	return err;
}

/* Bodies that lie side by side, the first of them records[0]'s; into a stand-in if their file fails. */
static enum rp_err place_bodies(struct task *task, struct place *place,
    const struct record *const *records, size_t count, uint64_t bytes)
{
	uint64_t file = records[0]->header.place.dbox;
	enum rp_err err;

	for (unsigned tries = 1;; tries++) {
		err = write_bodies(task, place, records, count, bytes);
		if (err == RP_OK)
			err = touch(task, place, file);
		if (err == RP_OK && place->careful)
			err = dbox_sync_settled(task, place->dbox, file);
		if (err == RP_OK || tries > PLACE_TRIES_MAX || !is_files_own(task, err) ||
		    dbox_give_up(place->dbox, file) != RP_OK)
			return err;
		place->touched = 0; /* a stand-in has a beginning of its own */
		log_sealed(place, "dbox", file, records[0], err);
	}
}

static enum rp_err place_all_bodies(struct task *task, struct place *place,
    const struct record *const *records, const bool *no_body, size_t count)
{
	for (size_t at = 0, n; at < count; at += n) {
		uint64_t bytes;

		n = 1;
		if (!has_body(records, no_body, at))
			continue;
		if (!is_sound(place, records[at])) {
			/* The record is kept; its message reads as damaged if nothing sound is there. */
			log_body_lost(place, &records[at]->header);
			continue;
		}
		n = adjacent(place, records + at, no_body != NULL ? no_body + at : NULL, count - at,
		    &bytes);

		enum rp_err err = place_bodies(task, place, records + at, n, bytes);

		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

/* As journal_write(); careful: what lies in one file, and that flushed. */
static enum rp_err write_journal(struct task *task, struct place *place,
    const struct record *const *records, size_t count, size_t *done)
{
	uint64_t file = records[0]->header.place.journal;
	size_t n = 1;

	if (!place->careful)
		return journal_write(task, place->journal, records, count, done);
	while (n < count && records[n]->header.place.journal == file)
		n++;

	enum rp_err err = journal_write(task, place->journal, records, n, done);

	if (err == RP_OK)
		err = journal_sync(task, place->journal);
	if (err != RP_OK)
		*done = 0;
	return err;
}

/* Files that these records make void. A record that is in its place says that they are gone: once it is, nobody asks again. */
static enum rp_err drop_files(
    struct task *task, struct place *place, const struct record *const *records, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct record_header *header = &records[i]->header;
		enum rp_err err = RP_OK;

		if ((header->flags & RECORD_DROPS_DBOX) != 0 && header->place.dbox != 0)
			err = dbox_remove(task, place->dbox, (uint32_t)header->place.dbox);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

/* Bodies first: a record that is in its place says that its body is. */
enum rp_err place_records(struct task *task, struct place *place,
    const struct record *const *records, const bool *no_body, size_t count)
{
	enum rp_err err = place_all_bodies(task, place, records, no_body, count);
	unsigned tries = 0;

	if (err == RP_OK)
		err = drop_files(task, place, records, count);

	for (size_t at = 0; err == RP_OK && at < count;) {
		size_t done;

		err = write_journal(task, place, records + at, count - at, &done);
		at += done;
		tries = done > 0 ? 0 : tries;
		if (err == RP_OK || ++tries > PLACE_TRIES_MAX || !is_files_own(task, err))
			continue;
		log_sealed(place, "journal", records[at]->header.place.journal, records[at], err);
		err = journal_give_up(task, place->journal, records[at]);
	}
	return err;
}
