#include "index/claim_logs.h"

#include "index/recover.h"
#include "io/base/num.h"

const char claim_logs_path[] = "owner";

static const char gone[] =
    "missing: owner at 0, in the folder of the commit logs, so the last run's are not there: if commit_dir is a disk of its own, mount it, or "
    "put the logs where they are looked for; if they are lost, ringpost repair goes on without what only they held";
static const char older[] =
    "the commit logs in their folder are older than the last run: put those of the last run there; if they are lost, ringpost repair goes on "
    "without what only they held";
static const char damaged[] =
    "damaged: owner at 0, in the folder of the commit logs, with both copies of its header: run ringpost repair";

static enum rp_err why(enum rp_err err, const char *what, const char **reason)
{
	*reason = what;
	return err;
}

static enum rp_err look_at_file(
    struct task *task, struct claim_logs *logs, uint64_t id, uint64_t epoch, const char **reason)
{
	enum rp_err err = copies_lock(task, logs->file);

	if (err == RP_ERR_BUSY)
		return why(err, "another server is using the folder of the commit logs", reason);
	if (err == RP_OK)
		err = copies_read(task, logs->file, FORMAT_OWNER, CLAIM_LOGS_VERSION, &logs->header,
		    &logs->newer);
	if (err == RP_ERR_CORRUPT)
		return why(err, damaged, reason);
	if (err == RP_ERR_NOTFOUND && epoch == 0) { /* a start was cut short before it could write it */
		logs->newer = 1;
		return RP_OK;
	}
	if (err == RP_ERR_NOTFOUND)
		return why(RP_ERR_CORRUPT, gone, reason);
	if (err == RP_ERR_CANNOT)
		return why(err, "the commit logs were written by a newer version of ringpost", reason);
	if (err != RP_OK)
		return err;
	if (logs->header.extra[CLAIM_LOGS_EXTRA_ID] != id)
		return why(RP_ERR_CANNOT,
		    "the commit logs belong to another data directory: commit_dir must be a folder of this one's own",
		    reason);
	logs->older = logs->header.epoch < epoch;
	return logs->older ? why(RP_ERR_CORRUPT, older, reason) : RP_OK;
}

enum rp_err claim_logs_look(
    struct task *task, uint64_t id, uint64_t epoch, struct claim_logs *out, const char **reason)
{
	enum rp_err err;

	*out = (struct claim_logs){.newer = 1};
	err = file_open(task, FILE_ROOT_COMMIT, claim_logs_path, FILE_READ | FILE_WRITE, &out->file);
	if (err == RP_ERR_NOTFOUND)
		return epoch == 0 ? RP_OK : why(RP_ERR_CORRUPT, gone, reason);
	if (err == RP_OK)
		err = look_at_file(task, out, id, epoch, reason);
	if (err != RP_OK)
		claim_logs_close(out);
	return err;
}

enum rp_err claim_logs_take(
    struct task *task, struct claim_logs *logs, uint64_t id, uint64_t epoch)
{
	enum rp_err err = RP_OK;

	if (logs->file == NULL) {
		err = file_open(task, FILE_ROOT_COMMIT, claim_logs_path,
		    FILE_READ | FILE_WRITE | FILE_CREATE, &logs->file);
		if (err == RP_OK)
			err = copies_lock(task, logs->file);
	}
	if (err != RP_OK)
		return err;
	logs->header.epoch = epoch;
	logs->header.extra[CLAIM_LOGS_EXTRA_ID] = id;
	err = copies_write(
	    task, logs->file, FORMAT_OWNER, CLAIM_LOGS_VERSION, &logs->header, logs->newer);
	return err == RP_OK ? dir_sync(task, FILE_ROOT_COMMIT, ".") : err;
}

enum rp_err claim_logs_renew(
    struct task *task, uint64_t id, uint64_t epoch, unsigned shards_count)
{
	const char *reason = NULL;
	struct claim_logs logs = {.newer = 1};
	enum rp_err err = file_open(
	    task, FILE_ROOT_COMMIT, claim_logs_path, FILE_READ | FILE_WRITE | FILE_CREATE, &logs.file);

	if (err == RP_OK)
		err = copies_lock(task, logs.file);
	if (err == RP_OK)
		err = look_at_file(task, &logs, id, epoch, &reason);
	if (err == RP_ERR_CORRUPT)
		err = logs.older ? recover_void(task, shards_count, epoch + 1) : RP_OK;
	if (err == RP_OK)
		err = claim_logs_take(task, &logs, id, epoch);
	claim_logs_close(&logs);
	return err;
}

/* All zero where there is no sound one. */
static enum rp_err read_owner(struct task *task, struct format_header *header)
{
	struct file *file;
	unsigned newer;
	enum rp_err err = file_open(task, FILE_ROOT_COMMIT, claim_logs_path, FILE_READ, &file);

	*header = (struct format_header){0};
	if (err != RP_OK)
		return err == RP_ERR_NOTFOUND ? RP_OK : err;
	err = copies_read(task, file, FORMAT_OWNER, CLAIM_LOGS_VERSION, header, &newer);
	file_close(file);
	if (err == RP_OK)
		return RP_OK;
	*header = (struct format_header){0};
	return err == RP_ERR_NOTFOUND || err == RP_ERR_CORRUPT ? RP_OK : err;
}

enum rp_err claim_logs_id(struct task *task, uint64_t *id, uint64_t *epoch)
{
	struct format_header header;
	enum rp_err err = read_owner(task, &header);

	*id = header.extra[CLAIM_LOGS_EXTRA_ID];
	*epoch = header.epoch;
	return err;
}

enum rp_err claim_logs_shards(struct task *task, unsigned *shards_count)
{
	struct format_header header;
	enum rp_err err = read_owner(task, &header);

	*shards_count = (unsigned)num_min(header.extra[CLAIM_LOGS_EXTRA_SHARDS], CLAIM_LOGS_SHARDS_MAX);
	return err;
}

enum rp_err claim_logs_shards_mark(struct task *task, unsigned shards_count)
{
	struct format_header header;
	struct file *file;
	unsigned newer;
	enum rp_err err =
	    file_open(task, FILE_ROOT_COMMIT, claim_logs_path, FILE_READ | FILE_WRITE, &file);

	if (err != RP_OK)
		return err == RP_ERR_NOTFOUND ? RP_OK : err;
	err = copies_read(task, file, FORMAT_OWNER, CLAIM_LOGS_VERSION, &header, &newer);
	if (err == RP_OK && header.extra[CLAIM_LOGS_EXTRA_SHARDS] != shards_count) {
		header.extra[CLAIM_LOGS_EXTRA_SHARDS] = shards_count;
		err = copies_write(
		    task, file, FORMAT_OWNER, CLAIM_LOGS_VERSION, &header, newer);
	}
	file_close(file);
	return err == RP_ERR_NOTFOUND ? RP_OK : err;
}

void claim_logs_close(struct claim_logs *logs)
{
	file_close(logs->file);
	logs->file = NULL;
}
