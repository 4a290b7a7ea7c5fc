/* shard_thread.h -- the thread of a shard: from its settings to its end. */
#ifndef RP_CORE_SERVER_SHARD_THREAD_H
#define RP_CORE_SERVER_SHARD_THREAD_H

#include "core/server/shard.h"

/* All borrowed for the thread's life, but the descriptors and the count of tls_ctx, which become the shard's. */
struct shard_thread_settings {
	unsigned number;
	unsigned count;
	const char *version;
	const struct config *config;
	struct shared *shared;
	struct shard_group *group;
	struct log *log;
	struct tls_ctx *tls_ctx; /* NULL: none */
	const struct charset_set *charsets; /* opened before the sandbox */
	size_t files_max;        /* open ones, before those of idle users are closed; 0: no bound */
	size_t mappings_max;     /* likewise, but of the process */
	int boss_fd;             /* orders come here */
	int auth_fd;
	int data_fd;
	int commit_fd;
	int control_fd;        /* listening; for shard 0 */
	const int *listen_fds; /* in the order of config->listen */
	/* The shard cannot even be set up: says why and ends the process. */
	void (*cannot_start)(const struct shard_thread_settings *settings, const char *reason);
};

/* A thread's function; arg: struct shard_thread_settings *. */
void *shard_thread_run(void *arg);

#endif
