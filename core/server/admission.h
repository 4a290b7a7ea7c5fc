/* admission.h -- may this address have one more connection that is not logged in?
 *
 * Asked when the client's address is known (behind a PROXY header if one comes), of the shard that keeps its books; the
 * connection goes on meanwhile, and is ended when the answer is no. Trusted networks and unix sockets are not counted.
 */
#ifndef RP_CORE_SERVER_ADMISSION_H
#define RP_CORE_SERVER_ADMISSION_H

#include "core/server/conn.h"

void admission_begin(struct conn *conn);

/* The connection goes, or moves on: an answer that is still to come is nobody's. */
void admission_forget(struct conn *conn);

/* It does not count any more. */
void admission_leave(struct shard *shard, const struct net_address *address);

/* Is the address one of those that are not counted? */
bool admission_trusted(const struct shard *shard, const struct net_address *address);

/* How long to hold back the answer to a login from this address; failed: it was wrong. Asks the shard that knows. */
RP_MUST_USE enum rp_err admission_delay(struct task *task, struct shard *shard, const struct net_address *address,
    bool failed, uint64_t *delay_ns);

#endif
