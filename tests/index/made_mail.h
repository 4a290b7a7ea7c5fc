/* made_mail.h -- one user's mail, made, closed in order, and harmed: for what looks at files afterwards. */
#ifndef RP_TESTS_INDEX_MADE_MAIL_H
#define RP_TESTS_INDEX_MADE_MAIL_H

#include "index/store.h"
#include "index/volume.h"
#include "io/sim.h"

extern const struct userid made_user;

enum made_file { MADE_JOURNAL, MADE_BODIES, MADE_INDEX, MADE_CATALOG };

/* One shard, recovered. */
struct store *made_open_store(struct task *task, uint64_t epoch);

struct volume *made_open_volume(struct task *task, struct store *store);

void made_append(
    struct task *task, struct volume *volume, const char *name, uint32_t flags, const char *text);

/* In epoch 1: 21 messages in INBOX, the last behind a checkpoint, and 20 in a/b. The digest is model_digest()'s. */
void made_mail(struct task *task, uint64_t *digest);

/* Change bytes in the middle of each file of a kind, or remove them. */
void made_harm(struct task *task, enum made_file what, bool removes);

/* The reserve is there, and half a MiB besides: new mail is refused. */
void made_full_disk(struct task *task, struct sim_world *world, struct store *store);

/* There is no sound record between these places of the first journal. */
void made_harm_between(struct task *task, uint64_t from, uint64_t to);

#endif
