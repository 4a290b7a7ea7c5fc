/* shard.h -- one core's world: its loop, its store, its connections.
 *
 * One thread. Only core/server sees a shard whole; everybody below gets the smallest thing that he needs.
 */
#ifndef RP_CORE_SERVER_SHARD_H
#define RP_CORE_SERVER_SHARD_H

#include "core/server/config.h"
#include "core/server/shared.h"
#include "core/session/session.h"
#include "io/base/hash.h"
#include "io/base/stat.h"
#include "io/loop.h"
#include "io/shard_call.h"
#include "io/timer.h"

struct auth_link;
struct user_table;
struct acceptor;
struct address_table;
struct admin;
struct net_listener;
struct tls_ctx;

/* What `ringpost stats` shows of a shard. */
struct shard_stats {
	struct stat_counter connections; /* now */
	struct stat_counter connections_total;
	struct stat_counter tls_handshakes;
	struct stat_counter tls_resumed;
	struct stat_counter tls_failed;
	struct stat_counter logins;
	struct stat_counter logins_failed;
	struct stat_counter handoffs;
	struct stat_counter commands;
	struct stat_counter deliveries;
	struct stat_counter files_sealed;      /* as store_stats() says, when asked */
	struct stat_counter users_unrecovered; /* likewise */
	struct stat_counter users_stuck;
	struct stat_counter log_files;
	struct stat_counter log_files_bound;
	struct stat_counter log_files_reused;
	struct stat_counter checkpoints;
	struct stat_counter journal_merges;
	struct stat_counter journal_merges_given_up;
	struct stat_counter dbox_compactions;
	struct stat_counter compacting; /* now */
	struct stat_counter kept_over;
	struct stat_counter files_open; /* now, and under which bound */
	struct stat_counter files_bound;
	struct stat_counter mappings; /* of the process */
	struct stat_counter mappings_bound;
	struct stat_counter idle_bytes;
	struct stat_counter idle_bytes_bound;
	struct stat_hist command_ns;
};

struct shard {
	unsigned number;
	unsigned count;
	const struct config *config; /* read-only */
	struct shared *shared;       /* the memory that the supervisor keeps */
	struct loop *loop;
	struct log *log;
	struct shard_group *group;
	struct tls_ctx *tls_ctx; /* NULL: no certificate; replaced at a reload */
	struct store *store;
	struct session_env env;
	struct auth_link *auth;
	struct address_table *addresses;
	struct user_table *users;

	struct list conns;   /* all connections */
	struct list gated;   /* those whose output waits for the log */
	struct list waiting; /* those whose command waits for a free task */
	struct timer look;   /* at those who wait for a task */
	size_t conns_count;
	uint64_t users_gone_ns; /* CLOCK_MONOTONIC: sessions of a user who is no more were ended last; 0: never */
	unsigned moving_count; /* connections on their way to another shard: this one waits till they are there */
	unsigned calls_count; /* of other shards, under way here, that need the store: it stays open for them */
	uint8_t *seal_scratch; /* TLS_CONN_RECORD_BYTES */
	uint8_t *read_scratch; /* likewise, for plaintext that comes in */

	struct net_listener *listeners[CONFIG_LISTEN_MAX];
	struct acceptor *acceptors; /* one for each */
	struct admin *admin;        /* the control socket; shard 0 only */
	bool stopping;
	bool log_failed;
	struct shard_stats stats;
};

/* Somebody stands in shard->waiting: they are looked at again after a while, or soon after shard_task_ended(). */
void shard_task_awaited(struct shard *shard);

/* A connection's task is about to end: somebody who waits may start when it has. */
void shard_task_ended(struct shard *shard);

/* The function of shard->look. */
void shard_look(struct timer *timer);

/* The log has moved (or failed): what waits at the gate may leave. The store's `changed`. */
void shard_log_changed(void *arg);

/* Tell the main thread (order.h). */
void shard_answer(struct shard *shard, unsigned kind, uint64_t number, const char *reason);

#endif
