/* log_loss.h -- what was durable in the commit logs and is lost: whose newest changes may have been in it?
 *
 * A record that is missing before another of its user's is seen in his journal (volume_floor.h). Of the newest ones nothing is left that
 * tells, and the log does not tell either whose they were. So the logs and DATA/store bear the epoch of the newest log that has lost
 * something (LOGFILE_EXTRA_LOST, CLAIM_EXTRA_LOST), and whoever has no record of a later epoch when his mail is opened may have lost some:
 * his numbers rise, by a record of this epoch. So a loss is paid for once, by whomever it may concern.
 *
 *   logs are read --> the headers of this run's logs say it --> mail is opened --> DATA/store says it --> the old logs are made void
 */
#ifndef RP_INDEX_LOG_LOSS_H
#define RP_INDEX_LOG_LOSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/base/err.h"

/* Of one shard's log of one epoch. */
struct log_loss {
	unsigned shard;
	uint64_t epoch;
	uint64_t write; /* the last one that may be lost: what came in later ones is there */
};

#define LOG_LOSS_ALL UINT64_MAX /* the last ones may be lost */

struct log_losses {
	struct log_loss *losses;
	size_t count;
	size_t count_max;
	uint64_t known_epoch; /* as earlier starts have found; 0: nothing */
};

void log_losses_init(struct log_losses *losses);
void log_losses_fini(struct log_losses *losses);

/* RP_ERR_NOMEM. */
RP_MUST_USE enum rp_err log_losses_add(
    struct log_losses *losses, unsigned shard, uint64_t epoch, uint64_t write);

/* An earlier start has found it. */
void log_losses_know(struct log_losses *losses, uint64_t epoch);

/* Up to this epoch something was lost, now or earlier; 0: nothing ever was. */
uint64_t log_losses_epoch(const struct log_losses *losses);

/* Is a record of this log and write behind all that is lost? Then nothing of its user's is lost that does not show in his journal. */
bool log_losses_spare(
    const struct log_losses *losses, unsigned shard, uint64_t epoch, uint64_t write);

#endif
