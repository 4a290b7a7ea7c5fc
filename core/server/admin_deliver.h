/* admin_deliver.h -- deliveries over the control socket: those that follow each other share a write of the log.
 *
 * Whoever sends many messages need not wait for each to be durable. They gather here while the batch before them is on its way
 * through the user's home shard; a batch is one call there, applied in order. Answers leave in the order of the requests.
 */
#ifndef RP_CORE_SERVER_ADMIN_DELIVER_H
#define RP_CORE_SERVER_ADMIN_DELIVER_H

#include <jansson.h>

#include "core/server/conn.h"

struct admin_deliver;

/* One connection's. NULL: no memory. */
struct admin_deliver *admin_deliver_open(struct conn *conn);
void admin_deliver_close(struct admin_deliver *deliver); /* NULL is fine; idle */

/* A request whose line has been taken; its mail comes next in the connection's input and is read to its end. Answered by a
 * later call, in order. RP_ERR_CANCELED: the connection has gone. */
RP_MUST_USE enum rp_err admin_deliver_take(struct task *task, struct admin_deliver *deliver, const json_t *request);

/* Nothing waits for an answer; NULL is fine. */
bool admin_deliver_idle(const struct admin_deliver *deliver);

/* No more requests are there just now: let what has gathered go, and answer what is durable. Not idle: call it again. */
RP_MUST_USE enum rp_err admin_deliver_push(struct task *task, struct admin_deliver *deliver);

/* The connection has ended: wait for what was lent to other shards, answer nothing. Idle afterwards. NULL is fine. */
void admin_deliver_abandon(struct task *task, struct admin_deliver *deliver);

#endif
