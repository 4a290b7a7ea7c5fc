#include "index/log_loss.h"

#include <stdlib.h>

#include "io/base/num.h"

void log_losses_init(struct log_losses *losses)
{
	*losses = (struct log_losses){0};
}

void log_losses_fini(struct log_losses *losses)
{
	free(losses->losses);
	*losses = (struct log_losses){0};
}

enum rp_err log_losses_add(
    struct log_losses *losses, unsigned shard, uint64_t epoch, uint64_t write)
{
	for (size_t i = 0; i < losses->count; i++) {
		struct log_loss *loss = &losses->losses[i];

		if (loss->shard == shard && loss->epoch == epoch) {
			loss->write = num_max(loss->write, write);
			return RP_OK;
		}
	}
	if (losses->count == losses->count_max) {
		size_t room = losses->count_max == 0 ? 4 : 2 * losses->count_max;
		struct log_loss *more = realloc(losses->losses, room * sizeof(*more));

		if (more == NULL)
			return RP_ERR_NOMEM;
		losses->losses = more;
		losses->count_max = room;
	}
	losses->losses[losses->count++] =
	    (struct log_loss){.shard = shard, .epoch = epoch, .write = write};
	return RP_OK;
}

void log_losses_know(struct log_losses *losses, uint64_t epoch)
{
	losses->known_epoch = num_max(losses->known_epoch, epoch);
}

/* What this start has found itself. */
static uint64_t found_epoch(const struct log_losses *losses)
{
	uint64_t epoch = 0;

	for (size_t i = 0; i < losses->count; i++)
		epoch = num_max(epoch, losses->losses[i].epoch);
	return epoch;
}

uint64_t log_losses_epoch(const struct log_losses *losses)
{
	return num_max(losses->known_epoch, found_epoch(losses));
}

/* One user's records of one epoch are in one shard's log, in the order of their writes. */
bool log_losses_spare(
    const struct log_losses *losses, unsigned shard, uint64_t epoch, uint64_t write)
{
	if (losses->known_epoch >= epoch && losses->known_epoch > found_epoch(losses))
		return false;
	for (size_t i = 0; i < losses->count; i++) {
		const struct log_loss *loss = &losses->losses[i];

		if (loss->epoch > epoch ||
		    (loss->epoch == epoch && loss->shard == shard && loss->write >= write))
			return false;
	}
	return true;
}
