/* handoff.h -- move a connection to its user's home shard (DESIGN section 2).
 *
 *   accepting shard                                             home shard
 *   LOGIN is right, its tag unanswered
 *   output drained, receive cancelled and reaped
 *   books closed ------------------ net_move ----------------> books opened, task started
 *                                                              limits, volume: tagged OK or NO
 *
 * File, TLS state, unread bytes and the unanswered tag go over. Where home is here already, only the last step is done.
 */
#ifndef RP_CORE_SERVER_HANDOFF_H
#define RP_CORE_SERVER_HANDOFF_H

#include "core/server/drive.h"

/* In the connection's task, for SESSION_WISH_ENTER. RP_OK: entered here, or it is on its way (conn->moving), and the task must
 * return at once without touching it. RP_ERR_CANCELED: the client has gone. */
RP_MUST_USE enum rp_err handoff_enter(struct task *task, struct drive *drive);

#endif
