/* shared.h -- the memory that the supervisor makes and every server process maps.
 *
 * It outlives the server: each shard notes here whose mail it is working on, so that the supervisor knows who ended it,
 * and shuts that user out for a while when it has happened twice. The keys of TLS session tickets lie here too.
 */
#ifndef RP_CORE_SERVER_SHARED_H
#define RP_CORE_SERVER_SHARED_H

#include <stdatomic.h>

#include "io/base/err.h"
#include "io/base/userid.h"
#include "io/task.h"
#include "tls/tls_ticket.h"

enum {
	SHARED_SHARDS_MAX = 128,
	SHARED_POISON_MAX = 64, /* users who are shut out at once; the oldest is forgotten */
};

struct shared_shard {
	_Atomic uint64_t user[2]; /* whose mail this shard is working on, high and low half; both 0: nobody's */
	uint64_t reserved[6]; /* a cache line each */
};

/* Written by the supervisor while no server runs; read by shards. */
struct shared_poison {
	struct userid userid;
	uint64_t ends_count;  /* how often work for this user has ended the server */
	uint64_t until_s;     /* wall time; refused till then */
};

struct shared {
	struct tls_ticket_keys tickets;
	struct shared_shard shard[SHARED_SHARDS_MAX];
	struct shared_poison poison[SHARED_POISON_MAX];
	_Atomic uint64_t starts;  /* of the server, so far */
	_Atomic uint64_t crashed; /* the shard whose thread ended the server, + 1; 0: not known */
};

/* Make the memory: its descriptor (close-on-exec) for children to inherit. */
RP_MUST_USE enum rp_err shared_make(struct shared **out, int *fd);

/* Map what the supervisor made. */
RP_MUST_USE enum rp_err shared_map(int fd, struct shared **out);

/* The task, on a shard with the note above (loop_note_owner), works for this user from now on; NULL: for nobody. */
void shared_note_task(struct task *task, const struct userid *userid);

/* Before threads are started: when one of them crashes, the number that it gave is kept, so that nobody is blamed for what
 * another shard did. */
void shared_watch(struct shared *shared);
void shared_watch_thread(unsigned shard);

/* The shard works for this user from now on; NULL: for none. */
void shared_note(struct shared *shared, unsigned shard, const struct userid *userid);

/* Is this user shut out? Seconds that it will last; 0: no. */
uint64_t shared_poisoned_s(const struct shared *shared, const struct userid *userid, uint64_t now_s);

/* The supervisor, after a crash: count against the user whose mail the crashed shard, or if that is not
 * known each, was working on; the notes are cleared. now_s: wall time.
 * blamed gets up to SHARED_SHARDS_MAX ids; returns how many. */
size_t shared_blame(struct shared *shared, uint64_t now_s, struct userid *blamed);

/* The supervisor, after an end that is nobody's fault: the notes are cleared. */
void shared_forget(struct shared *shared);

#endif
