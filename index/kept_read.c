#include "index/kept_read.h"

#include "index/keep.h"
#include "index/replay.h"
#include "io/base/log.h"

enum reading_pass {
	READING_NOTES,
	READING_TAKES,
	READING_TAKES_FLAGS,
};

struct kept_reading {
	struct volume *volume;
	struct kept *kept;
	struct pace *pace;
	struct replay replay;
	enum reading_pass pass;
	uint64_t lost_seconds; /* when those were expunged that a MOVE which has lost records has taken out; 0: they were not */
	uint64_t lsn;        /* of the last record of a change that was met */
	uint64_t lost_group; /* first LSN of the change of which one is lost before it; 0: none */
};

/* Is it of a MOVE of which a record before it is lost? */
static bool has_lost(struct kept_reading *reading, const struct record_header *header, struct bytes payload)
{
	struct change_reader reader;
	bool follows = header->lsn == reading->lsn + 1;

	reading->lsn = header->lsn;
	if (header->type != CHANGE_MOVE || change_open(payload, &reader) != RP_OK ||
	    header->lsn <= reader.part)
		return false;
	if (reader.part > 0 && !follows)
		reading->lost_group = header->lsn - reader.part;
	return reading->lost_group == header->lsn - reader.part;
}

static enum rp_err read_change(
    struct task *task, void *arg, const struct record_header *header, struct bytes payload)
{
	struct kept_reading *reading = arg;
	enum rp_err err;

	if (reading->pass == READING_NOTES)
		err = kept_note_lost(reading->kept, payload,
		    has_lost(reading, header, payload) ? reading->lost_seconds : 0);
	else
		err = (reading->pass == READING_TAKES ? kept_take : kept_take_flags)(
		    task, reading->kept, payload);
	return err == RP_ERR_CORRUPT ? RP_OK : err; /* it was told when the catalog was replayed */
}

static enum rp_err read_record(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct kept_reading *reading = arg;
	struct store *store = reading->volume->store;
	enum rp_err err = RP_OK;

	if (store->closing || reading->volume->catalog.destroyed ||
	    (reading->pace != NULL && reading->volume->compact_holds > 0))
		return RP_ERR_CANCELED;
	if (record != NULL && reading->pace != NULL)
		err = pace_spend(task, store, reading->pace, record_journal_bytes(&record->header));
	else
		err = task_pause(task);
	return err == RP_OK
	           ? replay_record(task, &reading->replay, record, missing_first, missing_last)
	           : err;
}

static enum rp_err read_all(struct task *task, struct kept_reading *reading)
{
	enum rp_err err;

	replay_init(&reading->replay, NULL, "", read_change, reading, 0);
	err = journal_replay(task, reading->volume->journal, 0, read_record, reading);
	replay_fini(&reading->replay);
	return err;
}

void kept_begin(const struct volume *volume, struct kept *kept)
{
	size_t rows_max = volume->store->settings.kept_rows_max;

	kept_init(kept, keep_since(volume->store));
	if (rows_max != 0)
		kept->rows_max = rows_max;
}

enum rp_err kept_any(struct task *task, struct volume *volume, struct kept *kept, bool *any)
{
	enum rp_err err = kept_ready(task, kept, any);
	bool over = kept->let_go > 0;

	if (err != RP_OK)
		return err;
	if (over && !volume->kept_over)
		LOG(loop_log(volume->store->loop), LOG_WARN, "volume.kept_let_go",
		    LOG_STR("volume", volume->dir), LOG_U64("messages", kept->let_go),
		    LOG_U64("expunged_before", kept->since + 1));
	if (over != volume->kept_over)
		volume->store->kept_over += over ? 1 : -1U;
	volume->kept_over = over;
	return RP_OK;
}

static enum rp_err read_kept(struct task *task, struct kept_reading with)
{
	struct kept_reading reading = with;
	struct volume *volume = with.volume;
	struct kept *kept = with.kept;
	bool any = false;
	enum rp_err err = RP_OK;

	kept_begin(volume, kept);
	if (kept->since == UINT64_MAX)
		return RP_OK;
	err = volume_settle(task, volume); /* what is on its way to the journal is in it */
	if (err != RP_OK)
		return err;
	journal_hold(volume->journal); /* both times the same */
	err = read_all(task, &reading);
	if (err == RP_OK)
		err = kept_any(task, volume, kept, &any);
	if (err == RP_OK && any) {
		reading.pass = READING_TAKES;
		err = read_all(task, &reading);
		if (err == RP_OK)
			err = kept_end(task, kept);
	}
	journal_let_go(volume->journal);
	if (err != RP_OK)
		kept_fini(task, kept);
	return err;
}

enum rp_err kept_read(
    struct task *task, struct volume *volume, struct pace *pace, struct kept *kept)
{
	return read_kept(
	    task, (struct kept_reading){.volume = volume, .kept = kept, .pace = pace});
}

enum rp_err kept_read_lost(
    struct task *task, struct volume *volume, uint64_t seconds, struct kept *kept)
{
	return read_kept(task,
	    (struct kept_reading){.volume = volume, .kept = kept, .lost_seconds = seconds});
}

enum rp_err kept_read_flags(struct task *task, struct volume *volume, struct kept *kept)
{
	struct kept_reading reading = {
	    .volume = volume, .kept = kept, .pass = READING_TAKES_FLAGS};
	enum rp_err err;

	journal_hold(volume->journal);
	err = read_all(task, &reading);
	journal_let_go(volume->journal);
	return err;
}
