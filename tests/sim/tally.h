/* tally.h -- what the seeds have met: counted over a whole run, in memory that all its processes share.
 *
 * TALLY_MUST are the states that DESIGN's promises are about: a run of many seeds that never met one of them would prove nothing
 * about it, and fails.
 */
#ifndef RP_TESTS_SIM_TALLY_H
#define RP_TESTS_SIM_TALLY_H

#include <stdint.h>

#define TALLY_MUST(X)                                                                              \
	X(torn_log_writes, "log writes torn in their middle, good blocks behind")                  \
	X(journals_reordered, "journals with later pages on disk and earlier ones not")            \
	X(checkpoints_in_flight, "checkpoints against a commit in flight")                         \
	X(evil_mails, "mails with records of a log hidden in them")                                \
	X(syncfs_failed, "failed syncfs")                                                          \
	X(disk_away, "times that the disk was away for some seconds")                              \
	X(files_away, "times that a file, or a part of one, was")                                  \
	X(journals_failed, "journals that took nothing more from some moment on")                  \
	X(rests_slept, "commands in mailboxes that had given their memory up")                     \
	X(room_again, "times that a small disk got room again")                                    \
	X(reserves_back, "times that a reserve which was given up was there again")                \
	X(destroyed_in_log, "crashes with a deleted user's records still in the log")              \
	X(crashes_in_recovery, "crashes during recovery")                                          \
	X(shards_changed, "starts with another number of shards")                                  \
	X(second_servers, "second servers refused")                                                \
	X(clock_jumps, "jumps of the clock")                                                       \
	X(merges_cut, "crashes between a merge of journals and the removal of the old ones")       \
	X(compacts_noted, "messages copied or moved while the file of their bodies was emptied")   \
	X(transfers_cut, "crashes in the midst of a copy or move that lets others in")             \
	X(groups_cut, "starts that found parts of a change whose last one was never made") \
	X(groups_void, "changes without their last part in journals that were read")               \
	X(kept_moved, "bodies of expunged messages moved when their file was emptied")             \
	X(damage_middle, "damage to records with sound ones behind them")                          \
	X(damage_several, "files of one user that were damaged, several at once")                  \
	X(damage_went_on, "damage behind which more mail came, with a checkpoint, before the repair")  \
	X(damage_by_body, "messages whose record was lost, brought back by their bodies")          \
	X(damage_kept, "expunged messages offered after damage, as what was not hit says")         \
	X(damage_kept_by_body, "of these by their bodies alone")                                   \
	X(undeleted, "expunged messages brought back, byte for byte")                              \
	X(log_failed, "failed log writes: the server stopped and came back")                       \
	X(logs_gone, "times that the whole folder of the commit logs was gone")                    \
	X(logs_gone_of_shard, "times that one shard's was")                                        \
	X(logs_gone_cut, "of both after a power cut")                                              \
	X(logs_gone_lost, "looks at users who lost changes by that")                               \
	X(deliveries, "messages delivered by LMTP")                                                \
	X(changes_dropped, "changes that nobody was told of, gone after a crash")                  \
	X(changes_kept, "changes that nobody was told of, there after a crash")

#define TALLY_MORE(X)                                                                              \
	X(seeds, "seeds")                                                                          \
	X(lives, "runs of a server")                                                               \
	X(steps, "steps of the machine")                                                           \
	X(crashes, "power cuts")                                                                   \
	X(ends, "ends in order")                                                                   \
	X(changes, "changes made")                                                                 \
	X(acknowledged, "changes acknowledged")                                                    \
	X(revealed, "answers that passed their gate")                                              \
	X(refused, "operations refused for a fault")                                               \
	X(rejected, "operations rejected as the model says")                                       \
	X(clients_canceled, "clients that went away in the midst of a command")                    \
	X(found, "users found again after a start")                                                \
	X(compared, "users compared whole, bodies and all")                                        \
	X(views_compared, "views compared with the model")                                         \
	X(histories_compared, "expunge histories compared with the model")                         \
	X(users_destroyed, "users deleted")                                                        \
	X(users_purged, "deleted users of whom no file was left")                                  \
	X(checkpoints, "checkpoints asked for")                                                    \
	X(merges, "merges of journals")                                                            \
	X(compacts, "files of bodies emptied")                                                     \
	X(undelete_offers, "expunged messages offered, as they must be")                           \
	X(reads_failed, "reads failed")                                                            \
	X(reads_away, "reads, openings and listings refused by a disk that was away")              \
	X(writes_failed, "writes failed")                                                          \
	X(writes_refused, "writes refused: no space")                                              \
	X(writes_short, "writes cut short")                                                        \
	X(syncs_failed, "fsyncs failed")                                                           \
	X(sectors_lost, "sectors lost in crashes")                                                 \
	X(sectors_torn, "sectors torn in crashes")                                                 \
	X(looked, "users looked at by check before the next start")                                \
	X(damage_derived, "derived files damaged at rest")                                         \
	X(damage_derived_found, "of these found by check")                                         \
	X(damage_derived_rest,                                                                     \
	    "of these not: superseded, or a cache cut behind all that its index names")    \
	X(damage_truth, "journals and bodies damaged at rest, up to three at once")                                     \
	X(damage_truth_found, "times that check found it")                                           \
	X(damage_truth_rest, "times that it had no effect: bytes that nothing lies in")            \
	X(damage_log, "commit logs and DATA/store damaged at rest")                                \
	X(damage_log_rest, "of these without any effect")                                          \
	X(damage_log_refused, "of these: the server says why it does not start")                   \
	X(damage_records, "records hit")                                                           \
	X(damage_stays, "messages there after a repair, as what was not hit says")                 \
	X(damage_moved, "of these with bodies found by EMAILID: a lost record told the new place, or another copy was hit")  \
	X(damage_gone, "messages gone after a repair: record, index and body, or body, were hit")  \
	X(messages_lost, "messages lost to damage, told by check: bodies by name, records by LSN") \
	X(messages_served, "messages served around damage")                                        \
	X(repairs, "repairs")

struct tally {
#define FIELD(name, text) uint64_t name;
	TALLY_MUST(FIELD)
	TALLY_MORE(FIELD)
#undef FIELD
};

#endif
