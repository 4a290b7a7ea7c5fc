#include "index/claim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/claim_logs.h"
#include "index/recover.h"
#include "io/base/clock.h"
#include "io/base/num.h"
#include "io/file.h"

static const char store_path[] = "store";
static const char reserve_path[] = "reserve";
static const char careful_path[] = "careful";

enum {
	RESERVE_TRIES = 2000, /* while another shard makes it: two seconds */
	RESERVE_WAIT_NS = 1000 * 1000,
};

struct claim {
	struct file *file; /* holds the lock */
	struct claim_logs logs;
};

const char *claim_network_fs(uint64_t type)
{
	static const struct {
		uint32_t type;
		const char *name;
	} known[] = {
		{ 0x6969, "NFS" },
		{ 0x517b, "SMB" },
		{ 0xff534d42, "CIFS" },
		{ 0xfe534d42, "SMB2" },
		{ 0x564c, "NCP" },
		{ 0x5346414f, "AFS" },
		{ 0x6b414653, "AFS" },
		{ 0x73757245, "Coda" },
		{ 0x00c36400, "Ceph" },
		{ 0x01021997, "9P" },
		{ 0x0bd00bd0, "Lustre" },
		{ 0x47504653, "GPFS" },
		{ 0x01161970, "GFS2" },
		{ 0x7461636f, "OCFS2" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].type == type)
			return known[i].name;
	return NULL;
}

static enum rp_err read_store(
    struct task *task, struct file *file, struct format_header *header, unsigned *newer)
{
	return copies_read(task, file, FORMAT_STORE, CLAIM_VERSION, header, newer);
}

static enum rp_err raise_epoch(struct task *task, struct file *file, unsigned shards_count,
    struct format_header *header, unsigned newer)
{
	if (header->epoch == UINT64_MAX)
		return RP_ERR_CORRUPT; /* nobody has started so often; the next would be 0, which is older than all */
	header->epoch++;
	while (header->extra[CLAIM_EXTRA_ID] == 0)
		loop_random(task_loop(task), &header->extra[CLAIM_EXTRA_ID], sizeof(uint64_t));
	if (header->extra[CLAIM_EXTRA_SHARDS] < shards_count)
		header->extra[CLAIM_EXTRA_SHARDS] = shards_count;
	return copies_write(task, file, FORMAT_STORE, CLAIM_VERSION, header, newer);
}

/* Both files, each epoch in the logs' first, so that DATA/store never knows of more than is there. But a store's id, when it is drawn, is
 * in its own file first. */
static enum rp_err raise_both(struct task *task, struct claim *claim, unsigned shards_count,
    struct format_header *header, unsigned newer)
{
	uint64_t next = header->epoch + 1;
	bool first = header->extra[CLAIM_EXTRA_LOGS] == 0;
	enum rp_err err = RP_OK;

	if (first)
		err = raise_epoch(task, claim->file, shards_count, header, newer);
	if (err == RP_OK)
		err = dir_sync(task, FILE_ROOT_DATA, ".");
	if (err == RP_OK)
		err = claim_logs_take(task, &claim->logs, header->extra[CLAIM_EXTRA_ID], next);
	if (err != RP_OK)
		return err;
	header->extra[CLAIM_EXTRA_LOGS] = next;
	return first ? copies_write(task, claim->file, FORMAT_STORE, CLAIM_VERSION, header, newer)
	             : raise_epoch(task, claim->file, shards_count, header, newer);
}

/* A new store is one without logs and users: otherwise DATA/store was lost, and with it the epoch. */
static enum rp_err is_new(struct task *task, struct arena *arena)
{
	static const struct {
		enum file_root root;
		const char *path;
	} places[] = { { FILE_ROOT_DATA, "users" }, { FILE_ROOT_COMMIT, "0" } };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct dir_entry *entries;
		size_t count;
		enum rp_err err =
		    dir_list(task, places[i].root, places[i].path, arena, &entries, &count);

		if (err == RP_OK && count > 0)
			return RP_ERR_CORRUPT;
		if (err != RP_OK && err != RP_ERR_NOTFOUND)
			return err;
	}
	return RP_OK;
}

static const char *reason_of(enum rp_err err)
{
	switch (err) {
	case RP_ERR_BUSY:
		return "another server is using this data directory";
	case RP_ERR_CANNOT:
		return "the file \"store\" of the data directory is no file, or was written by a newer version of ringpost";
	case RP_ERR_CORRUPT:
		return "damaged or missing: store at 0, with both copies of its header: run ringpost repair";
	case RP_ERR_NOSPACE:
		return "no room is left for the file \"store\" of the data directory";
	case RP_ERR_DENIED:
		return "the data directory may not be written by this user";
	default:
		return "the file \"store\" of the data directory cannot be read or written";
	}
}

/* Locks and the order of writes hold on this machine's own file systems only. */
static enum rp_err refuse_network(
    struct task *task, struct arena *arena, enum file_root root, const char **reason)
{
	enum { REASON_BYTES = 256 };
	const char *what = root == FILE_ROOT_DATA ? "data" : "commit log";
	const char *name;
	uint64_t type;
	enum rp_err err = file_fs_type(task, root, &type);
	char *text;

	if (err != RP_OK)
		return err;
	name = claim_network_fs(type);
	if (name == NULL)
		return RP_OK;
	text = arena_alloc(arena, REASON_BYTES);
	if (text == NULL)
		return RP_ERR_NOMEM;
	snprintf(text, REASON_BYTES,
	    "the %s directory lies on a network file system (%s), whose locks and order of writes cannot be relied on: "
	    "move it to a disk of this machine",
	    what, name);
	*reason = text;
	return RP_ERR_CANNOT;
}

static enum rp_err look_at_logs(struct task *task, struct claim *claim,
    const struct format_header *header, const char **reason)
{
	return claim_logs_look(task, header->extra[CLAIM_EXTRA_ID], header->extra[CLAIM_EXTRA_LOGS],
	    &claim->logs, reason);
}

static enum rp_err claim_files(struct task *task, struct arena *arena, struct claim *claim,
    unsigned shards_count, uint64_t *epoch, const char **reason)
{
	struct format_header header;
	unsigned newer = 0;
	enum rp_err err = copies_lock(task, claim->file);

	if (err != RP_OK)
		return err;
	err = read_store(task, claim->file, &header, &newer);
	if (err == RP_ERR_NOTFOUND) {
		err = is_new(task, arena);
		header = (struct format_header){ 0 };
		newer = 1; /* the first copy is written first */
	}
	if (err == RP_OK)
		err = look_at_logs(task, claim, &header, reason);
	if (err == RP_OK)
		err = raise_both(task, claim, shards_count, &header, newer);
	if (err == RP_OK)
		*epoch = header.epoch;
	return err;
}

/* DATA/store is lost: what the logs and their owner file tell. Where that is not sure to be of the last run (no owner file, or logs that are
 * older), logs have lost what was durable. And without an owner file the clock gives the epoch: a server does not start once each second,
 * so no record in a journal has a later one. */
static enum rp_err make_header(struct task *task, struct format_header *header, unsigned *shards_count)
{
	struct recover_told told;
	uint64_t owner_epoch = 0;
	bool sure;
	enum rp_err err = recover_newest(task, &told);

	*header = (struct format_header){0};
	if (err == RP_OK || err == RP_ERR_CORRUPT)
		err = claim_logs_id(task, &header->extra[CLAIM_EXTRA_ID], &owner_epoch);
	if (err != RP_OK)
		return err;
	sure = owner_epoch != 0 && told.epoch >= owner_epoch;
	header->epoch = num_max(told.epoch, owner_epoch);
	if (owner_epoch == 0)
		header->epoch = num_max(header->epoch, loop_wall_ns(task_loop(task)) / CLOCK_NS_PER_S);
	header->extra[CLAIM_EXTRA_LOST] = sure ? told.lost_epoch : header->epoch;
	*shards_count = told.shards_count;
	return RP_OK;
}

static enum rp_err look_at_files(
    struct task *task, struct claim *claim, uint64_t *epoch, const char **reason)
{
	struct format_header header;
	unsigned newer;
	enum rp_err err = copies_lock(task, claim->file);

	if (err == RP_OK)
		err = read_store(task, claim->file, &header, &newer);
	if (err != RP_OK)
		return err;
	*epoch = header.epoch;
	return look_at_logs(task, claim, &header, reason);
}

/* Something is lost, and who looks may see what is there all the same. *epoch 0: DATA/store does not tell. False: what is there means
 * nothing. */
static bool look_anyway(struct task *task, const struct claim *claim, uint64_t *epoch)
{
	struct format_header header;
	unsigned shards_count;

	if (claim->logs.older)
		return false;
	if (*epoch == 0 && make_header(task, &header, &shards_count) == RP_OK)
		*epoch = header.epoch;
	return *epoch != 0;
}

static enum rp_err look_once(struct task *task, struct arena *arena, struct claim **out,
    uint64_t *epoch, const char **reason)
{
	struct claim *claim = calloc(1, sizeof(*claim));
	enum rp_err err = claim != NULL ? RP_OK : RP_ERR_NOMEM;

	*reason = NULL;
	*epoch = 0;
	for (unsigned root = 0; err == RP_OK && root < FILE_ROOT_COUNT; root++)
		err = refuse_network(task, arena, (enum file_root)root, reason);
	if (err == RP_OK)
		err = file_open(
		    task, FILE_ROOT_DATA, store_path, FILE_READ | FILE_WRITE, &claim->file);
	if (err == RP_OK)
		err = look_at_files(task, claim, epoch, reason);
	if (err == RP_ERR_NOTFOUND)
		err = is_new(task, arena);
	if (err != RP_OK && *reason == NULL)
		*reason = reason_of(err);
	if (err == RP_OK || (err == RP_ERR_CORRUPT && look_anyway(task, claim, epoch)))
		*out = claim;
	else
		store_unclaim(claim);
	return err;
}

enum rp_err store_claim_look(struct task *task, struct arena *arena, struct claim **out,
    uint64_t *epoch, const char **reason)
{
	struct file_away away = { 0 };
	enum rp_err err;

	do
		err = look_once(task, arena, out, epoch, reason);
	while (file_await_disk(task, &away, err));
	return err;
}

static enum rp_err claim_once(struct task *task, struct arena *arena, unsigned shards_count,
    struct claim **out, uint64_t *epoch, const char **reason)
{
	struct claim *claim = NULL;
	enum rp_err err = RP_OK;

	*reason = NULL;
	for (unsigned root = 0; err == RP_OK && root < FILE_ROOT_COUNT; root++)
		err = refuse_network(task, arena, (enum file_root)root, reason);
	if (err != RP_OK)
		goto fail;
	err = RP_ERR_NOMEM;
	claim = calloc(1, sizeof(*claim));
	if (claim == NULL)
		goto fail;
	err = file_open(task, FILE_ROOT_DATA, store_path, FILE_READ | FILE_WRITE | FILE_CREATE,
	    &claim->file);
	if (err == RP_OK)
		err = claim_files(task, arena, claim, shards_count, epoch, reason);
	if (err == RP_OK) {
		*out = claim;
		return RP_OK;
	}
	store_unclaim(claim);
fail:
	if (*reason == NULL)
		*reason = reason_of(err);
	return err;
}

enum rp_err store_claim(struct task *task, struct arena *arena, unsigned shards_count,
    struct claim **out, uint64_t *epoch, const char **reason)
{
	struct file_away away = { 0 };
	enum rp_err err;

	do
		err = claim_once(task, arena, shards_count, out, epoch, reason);
	while (file_await_disk(task, &away, err));
	return err;
}

enum rp_err store_claim_find(struct task *task, struct arena *arena)
{
	struct file *file;
	enum rp_err err = file_open(task, FILE_ROOT_DATA, store_path, FILE_READ, &file);

	if (err == RP_OK)
		file_close(file);
	if (err != RP_ERR_NOTFOUND)
		return err;
	err = is_new(task, arena);
	if (err == RP_ERR_CORRUPT)
		return RP_OK; /* it was lost */
	return err == RP_OK ? RP_ERR_NOTFOUND : err;
}

/* Their owner file is not there, or damaged, or older than the last run. Are they the last run's all the same? Else what only that had
 * is lost, whosever it was. */
static enum rp_err mark_lost_logs(
    struct task *task, struct file *file, struct format_header *header, unsigned newer)
{
	struct recover_told told;
	enum rp_err err = recover_newest(task, &told);

	if (err != RP_OK && err != RP_ERR_CORRUPT)
		return err;
	if (told.epoch >= header->epoch)
		return RP_OK;
	header->extra[CLAIM_EXTRA_LOST] = header->epoch;
	return copies_write(task, file, FORMAT_STORE, CLAIM_VERSION, header, newer);
}

/* Both copies, of an epoch that none of the logs has heard of. And an owner file, where none tells whose they are. */
static enum rp_err make_file(struct task *task, struct file *file)
{
	struct format_header header;
	unsigned shards_count;
	enum rp_err err = make_header(task, &header, &shards_count);
	bool owned = header.extra[CLAIM_EXTRA_ID] != 0;

	if (err == RP_OK)
		err = raise_epoch(task, file, shards_count, &header, 1);
	if (err == RP_OK && !owned)
		err = claim_logs_renew(task, header.extra[CLAIM_EXTRA_ID], header.epoch, shards_count);
	return err;
}

static enum rp_err renew_file(struct task *task, struct file *file)
{
	struct format_header header = {0};
	unsigned newer;
	enum rp_err err = copies_lock(task, file);

	if (err == RP_OK)
		err = read_store(task, file, &header, &newer);
	if (err == RP_OK) /* it is there, so it is the logs that are not */
		err = mark_lost_logs(task, file, &header, newer);
	if (err == RP_OK)
		return claim_logs_renew(task, header.extra[CLAIM_EXTRA_ID],
		    header.extra[CLAIM_EXTRA_LOGS], (unsigned)header.extra[CLAIM_EXTRA_SHARDS]);
	return err == RP_ERR_NOTFOUND || err == RP_ERR_CORRUPT ? make_file(task, file) : err;
}

enum rp_err store_claim_renew(struct task *task)
{
	struct file *file;
	enum rp_err err = file_open(task, FILE_ROOT_DATA, store_path,
	    FILE_READ | FILE_WRITE | FILE_CREATE, &file);

	if (err != RP_OK)
		return err;
	err = renew_file(task, file);
	if (err == RP_OK)
		err = dir_sync(task, FILE_ROOT_DATA, ".");
	file_close(file);
	return err;
}

void store_unclaim(struct claim *claim)
{
	if (claim == NULL)
		return;
	claim_logs_close(&claim->logs);
	file_close(claim->file);
	free(claim);
}

enum rp_err claim_lost(struct task *task, uint64_t *epoch)
{
	struct format_header header;
	struct file *file;
	unsigned newer;
	enum rp_err err = file_open(task, FILE_ROOT_DATA, store_path, FILE_READ, &file);

	*epoch = 0;
	if (err != RP_OK)
		return err == RP_ERR_NOTFOUND ? RP_OK : err;
	err = read_store(task, file, &header, &newer);
	file_close(file);
	if (err == RP_OK)
		*epoch = header.extra[CLAIM_EXTRA_LOST];
	return err == RP_ERR_NOTFOUND || err == RP_ERR_CORRUPT ? RP_OK : err;
}

enum rp_err claim_lost_mark(struct task *task, uint64_t epoch)
{
	struct format_header header;
	struct file *file;
	unsigned newer;
	enum rp_err err =
	    file_open(task, FILE_ROOT_DATA, store_path, FILE_READ | FILE_WRITE, &file);

	if (err != RP_OK)
		return err;
	err = read_store(task, file, &header, &newer);
	if (err == RP_OK && header.extra[CLAIM_EXTRA_LOST] < epoch) {
		header.extra[CLAIM_EXTRA_LOST] = epoch;
		err = copies_write(task, file, FORMAT_STORE, CLAIM_VERSION, &header, newer);
	}
	file_close(file);
	return err == RP_ERR_NOTFOUND ? RP_OK : err;
}

void claim_careful_mark(struct task *task)
{
	struct file *file;
	enum rp_err err =
	    file_open(task, FILE_ROOT_DATA, careful_path, FILE_WRITE | FILE_CREATE, &file);

	if (err == RP_OK) {
		file_close(file);
		err = dir_sync(task, FILE_ROOT_DATA, ".");
	}
	if (err != RP_OK) /* the next flush that fails tries again */
		LOG(loop_log(task_loop(task)), LOG_WARN, "store.not_careful",
		    LOG_STR("error", err_name(err)));
}

enum rp_err claim_careful_asked(struct task *task, bool *careful)
{
	struct file *file;
	enum rp_err err = file_open(task, FILE_ROOT_DATA, careful_path, FILE_READ, &file);

	if (err != RP_OK && err != RP_ERR_NOTFOUND)
		return err;
	*careful = err == RP_OK;
	if (*careful)
		file_close(file);
	return RP_OK;
}

enum rp_err claim_careful_over(struct task *task)
{
	return file_remove(task, FILE_ROOT_DATA, careful_path);
}

/* As large as this, with the lock on it. RP_ERR_BUSY: another shard makes it. */
static enum rp_err make_reserve(struct task *task, struct file *file, uint64_t bytes)
{
	uint64_t size_bytes;
	enum rp_err err = file_lock(task, file);

	if (err == RP_OK)
		err = file_size(task, file, &size_bytes);
	if (err != RP_OK || size_bytes >= bytes)
		return err;
	err = file_allocate(task, file, 0, bytes);
	if (err != RP_OK)
		(void)!file_remove(task, FILE_ROOT_DATA, reserve_path); /* half of it helps nobody */
	return err;
}

enum rp_err claim_reserve_make(struct task *task, uint64_t bytes)
{
	enum rp_err err = RP_ERR_BUSY;

	for (unsigned i = 0; i < RESERVE_TRIES && err == RP_ERR_BUSY; i++) {
		struct file *file;

		if (i > 0 && (err = task_sleep(task, RESERVE_WAIT_NS)) != RP_OK)
			return err;
		err = file_open(task, FILE_ROOT_DATA, reserve_path,
		    FILE_READ | FILE_WRITE | FILE_CREATE, &file);
		if (err != RP_OK)
			return err;
		err = make_reserve(task, file, bytes);
		file_close(file);
		/* It may have been removed between the opening and the lock. */
		if (err == RP_OK && !claim_reserve_is_there(task, bytes))
			err = RP_ERR_BUSY;
	}
	return err == RP_ERR_BUSY ? RP_ERR_NOSPACE : err;
}

bool claim_reserve_is_there(struct task *task, uint64_t bytes)
{
	struct file *file;
	uint64_t size_bytes;
	enum rp_err err = file_open(task, FILE_ROOT_DATA, reserve_path, FILE_READ, &file);

	if (err != RP_OK)
		return err != RP_ERR_NOTFOUND;
	err = file_size(task, file, &size_bytes);
	file_close(file);
	return err != RP_OK || size_bytes >= bytes;
}

enum rp_err claim_reserve_give_up(struct task *task)
{
	struct file *file;
	enum rp_err err = file_open(task, FILE_ROOT_DATA, reserve_path, FILE_WRITE, &file);

	if (err != RP_OK)
		return err;
	file_close(file);
	return file_remove(task, FILE_ROOT_DATA, reserve_path);
}
