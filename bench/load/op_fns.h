/* op_fns.h -- the functions behind the words; op.c has the table. Each file op_*.c has those of one kind.
 */
#ifndef RP_BENCH_LOAD_OP_FNS_H
#define RP_BENCH_LOAD_OP_FNS_H

#include "bench/load/op.h"

/* op_session.c */
op_fn op_connect, op_login, op_logout, op_noop, op_select, op_examine, op_status, op_list, op_idle, op_idle_push, op_pause;

/* op_fetch.c */
op_fn op_fetch_flags, op_fetch_envelope, op_fetch_structure, op_fetch_body, op_fetch_changes, op_fetch_new;

/* op_store.c */
op_fn op_store_seen, op_store_flag, op_store_all, op_expunge;

/* op_search.c */
op_fn op_search_unseen, op_search_count, op_search_from, op_search_subject, op_search_body, op_sort, op_thread;

/* op_mail.c */
op_fn op_append;

/* op_lmtp.c */
op_fn op_lmtp_connect, op_lmtp_deliver, op_lmtp_quit;

#endif
