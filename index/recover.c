#include "index/recover.h"

#include <stdlib.h>
#include <string.h>

#include "index/claim.h"
#include "index/blame.h"
#include "index/place.h"
#include "index/purge.h"
#include "index/recover_core.h"
#include "io/base/num.h"

enum {
	BATCH_RECORDS = PLACE_RECORDS_MAX,
	BATCH_BYTES = 1024 * 1024,    /* of the log's records in memory meanwhile */
};

static bool same_userid(const struct hash_link *link, const void *key)
{
	return userid_eq(&RP_CONTAINER_OF(link, struct recover_user, hash)->userid, key);
}

struct recover_user *recover_core_find(
    const struct recover *recover, const struct userid *userid)
{
	uint64_t h = hash_bytes(recover->by_userid.key, bytes_of(userid->b, USERID_BYTES));
	struct hash_link *link = hash_find(&recover->by_userid, h, same_userid, userid);

	return link != NULL ? RP_CONTAINER_OF(link, struct recover_user, hash) : NULL;
}

static struct recover_user *add_user(struct recover *recover, const struct userid *userid)
{
	struct recover_user *user = calloc(1, sizeof(*user));
	uint64_t h = hash_bytes(recover->by_userid.key, bytes_of(userid->b, USERID_BYTES));

	if (user == NULL)
		return NULL;
	user->userid = *userid;
	if (!hash_add(&recover->by_userid, &user->hash, h)) {
		free(user);
		return NULL;
	}
	list_push_back(&recover->users, &user->link);
	return user;
}

static void free_user(struct recover_user *user)
{
	list_del(&user->link);
	free(user->items);
	free(user);
}

static void drop_user(struct recover *recover, struct recover_user *user)
{
	hash_del(&recover->by_userid, &user->hash);
	free_user(user);
}

enum rp_err recover_core_keep(struct recover *recover, const struct record *record, uint32_t file,
    uint64_t offset, uint64_t write)
{
	const struct record_header *header = &record->header;
	struct recover_user *user;

	if (userid_shard(&header->userid, recover->shards_count) != loop_shard(recover->loop))
		return RP_OK;
	user = recover_core_find(recover, &header->userid);
	if (user == NULL)
		user = add_user(recover, &header->userid);
	if (user == NULL)
		return RP_ERR_NOMEM;
	if (user->count == user->count_max) {
		size_t room = user->count_max == 0 ? 8 : 2 * user->count_max;
		struct recover_item *items = realloc(user->items, room * sizeof(*items));

		if (items == NULL)
			return RP_ERR_NOMEM;
		user->items = items;
		user->count_max = room;
	}
	user->items[user->count++] = (struct recover_item){
		.epoch = header->epoch,
		.lsn = header->lsn,
		.write = write,
		.offset = offset,
		.journal = header->place.journal,
		.dbox_offset = header->place.dbox_offset,
		.bytes = (uint32_t)record_bytes(header),
		.body_bytes = header->body_bytes,
		.file = file,
		.dbox = (uint32_t)header->place.dbox,
		.flags = header->flags,
	};
	return RP_OK;
}

void recover_core_end_group(struct recover *recover, uint64_t cut)
{
	LIST_FOR_EACH_SAFE(link, &recover->users) {
		struct recover_user *user = RP_CONTAINER_OF(link, struct recover_user, link);
		size_t kept = user->group;

		for (size_t i = user->group; i < user->count; i++)
			if (user->items[i].write < cut)
				user->items[kept++] = user->items[i];
		user->count = kept;
		user->group = kept;
		if (kept == 0)
			drop_user(recover, user);
	}
}

/* By LSN; of two with the same the later one first: the earlier one was cut before the later was given out. */
static int by_lsn(const void *a, const void *b)
{
	const struct recover_item *x = a;
	const struct recover_item *y = b;

	if (x->lsn != y->lsn)
		return x->lsn < y->lsn ? -1 : 1;
	if (x->epoch != y->epoch)
		return x->epoch > y->epoch ? -1 : 1;
	if (x->write != y->write)
		return x->write > y->write ? -1 : 1;
	return (x->offset < y->offset) - (x->offset > y->offset);
}

/* Was it written before the other? One user's records of one epoch are in one shard's log. */
static bool is_older(const struct recover_item *x, const struct recover_item *y)
{
	if (x->epoch != y->epoch)
		return x->epoch < y->epoch;
	return x->write != 0 &&
	       (x->write < y->write || (x->write == y->write && x->offset < y->offset));
}

/* Void is what was given out anew (with all behind it), by a later epoch or, when a journal had lost its end, in the same one; what
 * is there twice; and all before the user was destroyed. */
static void drop_void(struct recover *recover, struct recover_user *user)
{
	struct recover_item newest = { 0 };
	size_t kept = 0;

	qsort(user->items, user->count, sizeof(struct recover_item), by_lsn);
	for (size_t i = 0; i < user->count; i++) {
		const struct recover_item item = user->items[i];
		bool twice = kept > 0 && user->items[kept - 1].lsn == item.lsn;

		if (twice || is_older(&item, &newest))
			continue;
		if (item.write != 0 || item.epoch != newest.epoch)
			newest = item;
		if ((item.flags & RECORD_DESTROYS) != 0)
			kept = 0;
		user->items[kept++] = item;
	}
	recover->report.records_void += user->count - kept;
	user->count = kept;
}

/* Bodies that a later record's dropped file would have held. */
static void drop_bodies(struct recover_user *user)
{
	for (size_t i = 0; i < user->count; i++) {
		if ((user->items[i].flags & RECORD_DROPS_DBOX) == 0)
			continue;
		for (size_t j = 0; j < i; j++)
			if (user->items[j].dbox == user->items[i].dbox)
				user->items[j].no_body = true;
	}
}

static enum rp_err read_all(struct task *task, struct recover *recover)
{
	unsigned shards_max;
	enum rp_err err = recover_core_list(task, recover->epoch, &recover->losses, &recover->files,
	    &recover->files_count, &shards_max);
	size_t to;

	for (size_t from = 0; err == RP_OK && from < recover->files_count; from = to) {
		const struct recover_file *first = &recover->files[from];

		for (to = from + 1; to < recover->files_count; to++)
			if (recover->files[to].shard != first->shard ||
			    recover->files[to].epoch != first->epoch)
				break;
		err = recover_core_read(task, recover, from, to);
	}
	return err;
}

static enum rp_err open_logs(struct task *task, unsigned shards_count, uint64_t epoch, bool looks,
    struct recover **out)
{
	struct recover *recover = calloc(1, sizeof(*recover));
	struct hash_key key;

	if (recover == NULL)
		return RP_ERR_NOMEM;
	recover->loop = task_loop(task);
	recover->shards_count = shards_count;
	recover->epoch = epoch;
	loop_random(recover->loop, &key, sizeof(key));
	hash_init(&recover->by_userid, key);
	list_init(&recover->users);
	list_init(&recover->tails);
	log_losses_init(&recover->losses);
	task_queue_init(&recover->placed);

	enum rp_err err = RP_OK;

	if (!looks) /* who looks has nothing to sync, and makes no file */
		err = file_open(task, FILE_ROOT_DATA, "store",
		    FILE_READ | FILE_WRITE | FILE_CREATE, &recover->sync);
	if (err == RP_OK)
		err = claim_careful_asked(task, &recover->careful);
	if (err == RP_OK)
		err = read_all(task, recover);
	if (err == RP_OK)
		err = recover_core_know_losses(task, recover);
	if (err != RP_OK) {
		recover_close(recover);
		return err;
	}
	LIST_FOR_EACH(link, &recover->users) {
		struct recover_user *user = RP_CONTAINER_OF(link, struct recover_user, link);

		drop_void(recover, user);
		drop_bodies(user);
		recover->report.users++;
		recover->report.records += user->count;
	}
	*out = recover;
	return RP_OK;
}

enum rp_err recover_open(
    struct task *task, unsigned shards_count, uint64_t epoch, struct recover **out)
{
	return open_logs(task, shards_count, epoch, false, out);
}

enum rp_err recover_open_look(
    struct task *task, unsigned shards_count, uint64_t epoch, struct recover **out)
{
	return open_logs(task, shards_count, epoch, true, out);
}

void recover_close(struct recover *recover)
{
	if (recover == NULL)
		return;
	LIST_FOR_EACH_SAFE(link, &recover->users)
		drop_user(recover, RP_CONTAINER_OF(link, struct recover_user, link));
	LIST_FOR_EACH_SAFE(link, &recover->tails)
		free_user(RP_CONTAINER_OF(link, struct recover_user, link));
	log_losses_fini(&recover->losses);
	hash_fini(&recover->by_userid);
	file_close(recover->sync);
	free(recover->files);
	free(recover->places);
	free(recover);
}

bool recover_has(const struct recover *recover, const struct userid *userid)
{
	return recover_core_find(recover, userid) != NULL;
}

bool recover_record(const struct recover *recover, const struct userid *userid, size_t i,
    struct recover_known *out)
{
	const struct recover_user *user = recover_core_find(recover, userid);

	if (user == NULL || i >= user->count)
		return false;

	const struct recover_item *item = &user->items[i];
	bool drops = (item->flags & RECORD_DROPS_DBOX) != 0;

	*out = (struct recover_known){.lsn = item->lsn,
	    .epoch = item->epoch,
	    .journal = item->journal,
	    .journal_bytes =
	        item->bytes - (uint32_t)num_round_up(item->body_bytes, RECORD_ALIGN),
	    .body_bytes = item->no_body || drops ? 0 : item->body_bytes,
	    .dbox = item->no_body || drops ? 0 : item->dbox,
	    .drops = drops ? item->dbox : 0,
	    .dbox_offset = item->dbox_offset};
	return true;
}

enum rp_err recover_read(struct task *task, const struct recover *recover,
    const struct userid *userid, size_t i, uint8_t p[RECOVER_RECORD_BYTES_MAX], struct record *out)
{
	const struct recover_item item = recover_core_find(recover, userid)->items[i];
	const struct recover_file *log = &recover->files[item.file];
	char path[LOGFILE_PATH_BYTES];
	struct file *file;
	uint64_t skip;
	size_t got = 0;
	enum rp_err err;

	RP_ASSERT(item.bytes <= RECOVER_RECORD_BYTES_MAX);
	logfile_path(log->shard, log->number, path);
	err = file_open(task, FILE_ROOT_COMMIT, path, FILE_READ, &file);
	if (err != RP_OK)
		return err;
	err = file_read_retry(task, file, p, item.bytes, item.offset, &got);
	file_close(file);
	if (err == RP_OK)
		err = record_read(bytes_of(p, got), log->nonce, true, out, &skip);
	return err == RP_ERR_END || err == RP_ERR_IO ? RP_ERR_CORRUPT : err;
}

bool recover_next(const struct recover *recover, struct userid *userid)
{
	LIST_FOR_EACH (link, &recover->users) {
		const struct recover_user *user = RP_CONTAINER_OF(link, struct recover_user, link);

		if (user->failed)
			continue;
		*userid = user->userid;
		return true;
	}
	return false;
}

void recover_report(const struct recover *recover, struct recover_report *out)
{
	*out = recover->report;
}

const struct recover_place *recover_places(const struct recover *recover, size_t *count)
{
	*count = recover->places_count;
	return recover->places;
}

enum rp_err recover_sync(struct task *task, struct recover *recover)
{
	enum rp_err err;

	if (!list_empty(&recover->users))
		return RP_ERR_UNAVAILABLE;
	err = file_syncfs(task, recover->sync);
	/* What was placed was flushed file by file, and what failed then sealed: of that the first one tells once more. */
	if (err == RP_ERR_IO && recover->careful)
		err = file_syncfs(task, recover->sync);
	if (err == RP_ERR_IO)
		claim_careful_mark(task);
	return err;
}

size_t recover_left(const struct recover *recover)
{
	size_t count = 0;

	LIST_FOR_EACH(link, &recover->users)
		count++;
	return count;
}

void recover_leave(struct recover *recover, const struct userid *userid)
{
	struct recover_user *user = recover_core_find(recover, userid);

	if (user != NULL)
		user->failed = true;
}

void recover_again(struct recover *recover)
{
	LIST_FOR_EACH(link, &recover->users)
		RP_CONTAINER_OF(link, struct recover_user, link)->failed = false;
}

/* ---- placing one user's records ---- */

struct placer {
	struct recover *recover;
	struct place place;
	struct file *file; /* the log file that is open */
	uint32_t index;
	uint8_t *buffer; /* BATCH_BYTES */
	size_t used;
	struct record records[BATCH_RECORDS];
	bool no_body[BATCH_RECORDS];
	size_t count;
};

static enum rp_err open_log(struct task *task, struct placer *placer, uint32_t index)
{
	const struct recover_file *log = &placer->recover->files[index];
	char path[LOGFILE_PATH_BYTES];

	if (placer->file != NULL && placer->index == index)
		return RP_OK;
	file_close(placer->file);
	placer->file = NULL;
	placer->index = index;
	logfile_path(log->shard, log->number, path);
	return file_open(task, FILE_ROOT_COMMIT, path, FILE_READ, &placer->file);
}

/* It was sound when the log was read. It costs this record. */
static void lose(struct placer *placer, const struct userid *userid, const struct recover_item *item)
{
	const struct recover_file *log = &placer->recover->files[item->file];
	char text[USERID_TEXT_BYTES + 1];

	userid_format(userid, text);
	LOG(loop_log(placer->recover->loop), LOG_ERROR, "recover.record_lost", LOG_STR("userid", text),
	    LOG_U64("lsn", item->lsn), LOG_U64("shard", log->shard), LOG_U64("log", log->number),
	    LOG_U64("offset", item->offset));
	placer->recover->report.records_damaged++;
}

static enum rp_err read_item(
    struct task *task, struct placer *placer, struct recover_user *user, size_t i)
{
	const struct recover_item *item = &user->items[i];
	uint8_t *p = placer->buffer + placer->used;
	struct record *record = &placer->records[placer->count];
	uint64_t skip;
	size_t got;
	enum rp_err err = open_log(task, placer, item->file);

	if (err != RP_OK) /* a log that cannot be opened now has lost nothing by that */
		return err;
	err = file_read_retry(task, placer->file, p, item->bytes, item->offset, &got);
	if (err == RP_OK)
		err = record_read(bytes_of(p, got), placer->recover->files[item->file].nonce, true,
		    record, &skip);
	if (err == RP_ERR_CORRUPT || err == RP_ERR_END || err == RP_ERR_IO) {
		lose(placer, &user->userid, item);
		user->tail_lost |= i + 1 == user->count;
		return RP_OK;
	}
	if (err != RP_OK)
		return err;
	placer->no_body[placer->count] = item->no_body;
	placer->used += item->bytes;
	placer->count++;
	return RP_OK;
}

static enum rp_err place_batch(struct task *task, struct placer *placer)
{
	const struct record *records[BATCH_RECORDS];

	for (size_t i = 0; i < placer->count; i++)
		records[i] = &placer->records[i];

	enum rp_err err =
	    place_records(task, &placer->place, records, placer->no_body, placer->count);

	placer->count = 0;
	placer->used = 0;
	return err;
}

static enum rp_err place_items(
    struct task *task, struct placer *placer, struct recover_user *user)
{
	for (size_t i = 0; i < user->count; i++) {
		const struct recover_item *item = &user->items[i];
		enum rp_err err = RP_OK;

		if (placer->count == BATCH_RECORDS || placer->used + item->bytes > BATCH_BYTES)
			err = place_batch(task, placer);
		if (err == RP_OK)
			err = read_item(task, placer, user, i);
		if (err == RP_OK)
			err = task_pause(task);
		if (err != RP_OK)
			return err;
	}
	return place_batch(task, placer);
}

static enum rp_err place_user(
    struct task *task, struct recover *recover, struct recover_user *user)
{
	struct placer *placer = calloc(1, sizeof(*placer));
	char dir[USERID_PATH_BYTES];
	enum rp_err err = RP_ERR_NOMEM;

	if (placer == NULL)
		return err;
	placer->recover = recover;
	placer->place.recovering = true;
	placer->place.careful = recover->careful;
	placer->buffer = malloc(BATCH_BYTES);
	userid_path(&user->userid, dir);
	if (placer->buffer != NULL)
		err = journal_open_for_recovery(
		    task, dir, &user->userid, recover->epoch, &placer->place.journal);
	if (err == RP_OK)
		err = dbox_open(
		    task, dir, &user->userid, recover->epoch, NULL, NULL, &placer->place.dbox);
	if (err == RP_OK)
		err = place_items(task, placer, user);
	/* He was deleted, and whoever was to remove his files may not have come to it. */
	if (err == RP_OK && user->count == 1 && (user->items[0].flags & RECORD_DESTROYS) != 0)
		err = purge_files(task, dir, placer->place.journal, placer->place.dbox,
		    user->items[0].lsn);
	recover->report.files_sealed += placer->place.sealed;
	dbox_close(placer->place.dbox);
	journal_close(placer->place.journal);
	file_close(placer->file);
	free(placer->buffer);
	free(placer);
	return err;
}

static void log_failure(
    const struct recover *recover, const struct userid *userid, enum rp_err err)
{
	char text[USERID_TEXT_BYTES + 1];

	userid_format(userid, text);
	LOG(loop_log(recover->loop), LOG_ERROR, "recover.not_placed", LOG_STR("userid", text),
	    LOG_STR("error", err_name(err)));
}

/* All is in its place. */
static void end_user(struct recover *recover, struct recover_user *user)
{
	if (!user->tail_lost) {
		drop_user(recover, user);
		return;
	}
	hash_del(&recover->by_userid, &user->hash);
	list_del(&user->link);
	list_push_back(&recover->tails, &user->link);
}

enum rp_err recover_user(
    struct task *task, struct recover *recover, const struct userid *userid)
{
	struct recover_user *user;

	while ((user = recover_core_find(recover, userid)) != NULL && user->placing) {
		enum rp_err err = task_queue_wait(task, &recover->placed);

		if (err != RP_OK)
			return err;
	}
	if (user == NULL)
		return RP_OK;
	user->placing = true;
	task_shield(task);

	struct blame before = blame_set(task, userid);

	enum rp_err err = place_user(task, recover, user);

	/* What was promised gets the room that was kept for it, also where another shard has just given it up. */
	if (err == RP_ERR_NOSPACE) {
		enum rp_err given = claim_reserve_give_up(task);

		if (given == RP_OK || given == RP_ERR_NOTFOUND)
			err = place_user(task, recover, user);
	}
	blame_restore(task, before);
	task_unshield(task);
	user->placing = false;
	user->failed = err != RP_OK;
	if (err == RP_OK)
		end_user(recover, user);
	else
		log_failure(recover, userid, err);
	task_queue_wake_all(&recover->placed);
	return err;
}
