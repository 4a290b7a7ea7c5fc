/* op_mail.h -- mail that must be there before a client begins.
 */
#ifndef RP_BENCH_LOAD_OP_MAIL_H
#define RP_BENCH_LOAD_OP_MAIL_H

#include "bench/load/client.h"

/* Log in, have as many messages in INBOX as the group says (APPEND, pipelined; so many as are missing), learn which each
 * is and its flags, log out. Nothing of it is measured. Also tells what the server can do. */
RP_MUST_USE enum rp_err op_mail_prepare(struct task *task, struct client *client);

/* op_fetch.c: UID, flags and content of all messages into the mirror. */
RP_MUST_USE enum rp_err op_fetch_ids(struct task *task, struct client *client);

#endif
