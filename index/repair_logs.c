/* An offline check changes nothing, so what a crash has left in the commit logs alone stays there. It is not damage: it is sound, and
 * the next start puts it in its place. What the files lack may be just that. */
#include "index/journal_look.h"
#include "index/repair_core.h"
#include "index/volume_state.h"

struct logs_look {
	struct repair *repair;
	const struct recover *recover;
	size_t met;     /* of his records in the logs */
	uint64_t alone; /* of these, not in the journal */
	uint64_t first; /* of those */
	uint64_t last;  /* LSN up to which all are in the journal, or in the logs */
	bool within;    /* the journal, as it is there, should have some of them */
};

static bool next_record(const struct logs_look *look, struct recover_known *out)
{
	return recover_record(look->recover, &look->repair->volume->userid, look->met, out);
}

static void is_alone(struct logs_look *look, uint64_t lsn)
{
	const struct journal *journal = look->repair->volume->journal;

	if (journal_is_merged_over(journal, lsn)) /* it needs no place any more */
		return;
	if (look->alone++ == 0)
		look->first = lsn;
	if (lsn <= journal_last_lsn(journal)) {
		look->within = true;
		return;
	}
	if (lsn > look->last + 1) {
		look->repair->report->records_missing += lsn - 1 - look->last;
		repair_say(look->repair, "the commit logs: records %llu to %llu are lost",
		    (unsigned long long)look->last + 1, (unsigned long long)lsn - 1);
	}
	look->last = lsn;
}

static enum rp_err meet(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct logs_look *look = arg;
	struct recover_known known;

	(void)missing_first;
	(void)missing_last;
	if (record == NULL)
		return RP_OK;
	for (; next_record(look, &known) && known.lsn <= record->header.lsn; look->met++)
		if (known.lsn < record->header.lsn || known.epoch != record->header.epoch)
			is_alone(look, known.lsn);
	return task_pause(task);
}

enum rp_err repair_look_logs(struct task *task, struct repair *repair, bool *owed)
{
	struct volume *volume = repair->volume;
	struct logs_look look = {.repair = repair, .recover = volume->store->recover};
	struct recover_known known;
	uint64_t newest;

	*owed = false;
	if (volume->store->commit != NULL || look.recover == NULL || !next_record(&look, &known))
		return RP_OK;
	look.last = journal_last_lsn(volume->journal);

	enum rp_err err = journal_replay(task, volume->journal, known.lsn - 1, meet, &look);

	if (err != RP_OK)
		return err;
	for (; next_record(&look, &known); look.met++)
		is_alone(&look, known.lsn);
	if (look.alone == 0)
		return RP_OK;
	*owed = look.within || journal_end_is_lost(volume->journal) ||
	        journal_look_newest_is_gone(volume->journal, &newest);
	repair_say(repair,
	    "%llu records, from %llu on, are sound, and in the commit logs alone: the next start "
	    "puts them in their places",
	    (unsigned long long)look.alone, (unsigned long long)look.first);
	return RP_OK;
}

bool repair_logs_begin(const struct repair *repair)
{
	const struct store *store = repair->volume->store;
	struct recover_known known;

	return store->commit == NULL && store->recover != NULL &&
	       recover_record(store->recover, &repair->volume->userid, 0, &known) && known.lsn == 1;
}

bool repair_owes_body(const struct repair *repair, struct dbox_ref ref)
{
	const struct store *store = repair->volume->store;
	struct recover_known known;

	if (store->commit != NULL || store->recover == NULL)
		return false;
	for (size_t i = 0; recover_record(store->recover, &repair->volume->userid, i, &known); i++)
		if (known.dbox != 0 && known.dbox == ref.file)
			return true;
	return false;
}
