/* lmtp_load.h -- 64 LMTP sessions at once, each with one message under way.
 *
 * A session:  GREETING -> LHLO -> ENVELOPE (MAIL, RCPT and DATA pipelined: three answers) -> BODY (one answer) -> ENVELOPE
 *
 * Message after message goes to user after user. Where no more are wanted a session that could send its next one rests.
 */
#ifndef RP_BENCH_BLOCKING_LMTP_LOAD_H
#define RP_BENCH_BLOCKING_LMTP_LOAD_H

#include <stdint.h>

#include "bench/blocking/work.h"

struct lmtp_load;

struct lmtp_load *lmtp_load_open(const struct work *work);
void lmtp_load_close(struct lmtp_load *load);

/* Deliver `count` messages more: all are answered when it returns. */
void lmtp_load_deliver(struct lmtp_load *load, uint64_t count);

/* Deliver for so long; how many were answered. Some are still under way then. */
uint64_t lmtp_load_run(struct lmtp_load *load, double seconds);

#endif
