/* What the logs have lost, and whom it may concern. */
#include "index/claim.h"
#include "index/recover_core.h"
#include "io/base/num.h"

/* What was found before; and tell what was found now. */
enum rp_err recover_core_know_losses(struct task *task, struct recover *recover)
{
	uint64_t epoch;
	enum rp_err err = claim_lost(task, &epoch);

	if (err != RP_OK)
		return err;
	log_losses_know(&recover->losses, num_min(epoch, recover->epoch - 1));
	for (size_t i = 0; i < recover->losses.count; i++) {
		const struct log_loss *loss = &recover->losses.losses[i];

		LOG(loop_log(recover->loop), LOG_ERROR, "recover.changes_lost",
		    LOG_U64("shard", loss->shard), LOG_U64("epoch", loss->epoch));
	}
	return RP_OK;
}

enum rp_err recover_core_lose(
    struct recover *recover, const struct recover_file *file, uint64_t write)
{
	return log_losses_add(&recover->losses, file->shard, file->epoch, write);
}

uint64_t recover_lost_epoch(const struct recover *recover)
{
	return log_losses_epoch(&recover->losses);
}

bool recover_spares(const struct recover *recover, const struct userid *userid)
{
	const struct recover_user *user = recover_core_find(recover, userid);
	const struct recover_item *newest;

	if (user == NULL || user->count == 0)
		return false;
	newest = &user->items[user->count - 1];
	if (newest->epoch > log_losses_epoch(&recover->losses)) /* he need not be */
		return false;
	return log_losses_spare(&recover->losses, recover->files[newest->file].shard, newest->epoch,
	    newest->write);
}

bool recover_lost_tail_of(const struct recover *recover, size_t i, struct userid *userid)
{
	LIST_FOR_EACH (link, &recover->tails) {
		if (i-- > 0)
			continue;
		*userid = RP_CONTAINER_OF(link, struct recover_user, link)->userid;
		return true;
	}
	return false;
}

bool recover_lost_tail(const struct recover *recover, const struct userid *userid)
{
	struct userid one;

	for (size_t i = 0; recover_lost_tail_of(recover, i, &one); i++)
		if (userid_eq(&one, userid))
			return true;
	return false;
}
