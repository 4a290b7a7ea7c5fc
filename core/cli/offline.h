/* offline.h -- work on DATA when no server runs: under the same lock, with one shard in this process. */
#ifndef RP_CORE_CLI_OFFLINE_H
#define RP_CORE_CLI_OFFLINE_H

#include "core/server/config.h"
#include "index/store.h"

typedef int offline_fn(struct task *task, struct store *store, void *arg);

/* Open DATA, run fn in a task, close DATA in order. Returns fn's exit code, or another with a line on standard error. */
int offline_run(const struct config *config, offline_fn *fn, void *arg);

/* The same for repair: DATA/store is made anew where it is lost, and a log, too, of which nothing can be read is given up when it is sure
 * to be lost (file_lose_whole()), and with it what anybody's records in it were. */
int offline_mend(const struct config *config, offline_fn *fn, void *arg);

/* The same for who only looks: no byte of DATA is changed. */
int offline_look(const struct config *config, offline_fn *fn, void *arg);

/* The user's id, from the passwd-file. Returns an exit code; other than EXIT_CODE_OK with a line on standard error. */
struct userid;
int offline_user(const struct config *config, const char *name, struct userid *userid);

#endif
