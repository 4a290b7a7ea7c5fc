/* authd_pool.h -- the auth process's threads: passwords are verified here, and nothing else is
 *done.
 *
 *	free --take--> (filled by the owner) --put--> queue --> a thread --> done --next_done-->
 *--give--> free
 *
 * The owner is one thread; it alone takes and gives jobs. A job is touched by one side at a time:
 *the lock is held while it changes lists, never while it is worked on. There are as many jobs as
 *may wait and be worked on together: when they are all out, whoever asks is told at once that there
 *is no room.
 */
#ifndef RP_CORE_AUTH_AUTHD_POOL_H
#define RP_CORE_AUTH_AUTHD_POOL_H

#include "core/auth/auth_name.h"
#include "core/auth/auth_wire.h"
#include "core/auth/password.h"
#include "io/base/list.h"

struct authd_link;
struct authd_pool;

struct authd_job {
	struct list link;
	/* What a thread reads and writes. */
	size_t hash_n;
	size_t password_n;
	enum password_verdict verdict;
	/* The owner's own notes. */
	struct authd_link *from;
	struct auth_wire_answer answer; /* if the password is right; its name lies in user */
	const char *reason;             /* for the log, if the answer is not OK; static */
	uint8_t peer[16];
	size_t name_n;
	size_t service_n;
	uint8_t name[AUTH_WIRE_NAME_BYTES_MAX]; /* as the client sent it, for the log */
	uint8_t user[AUTH_NAME_BYTES_MAX];
	uint8_t service[AUTH_WIRE_SERVICE_BYTES_MAX];
	uint8_t hash[PASSWORD_HASH_BYTES_MAX];
	uint8_t password[AUTH_WIRE_PASSWORD_BYTES_MAX];
};

/* Start the threads. wake_fd: an eventfd that is written when a job is done. NULL: no memory or
 * threads. */
RP_MUST_USE struct authd_pool *authd_pool_open(unsigned threads, unsigned queue, int wake_fd);

/* Waits for the jobs under way, forgets the others. NULL is fine. */
void authd_pool_close(struct authd_pool *pool);

/* An empty job; NULL: as many as may are waiting. */
RP_MUST_USE struct authd_job *authd_pool_take(struct authd_pool *pool);

/* Let a thread verify job->password against job->hash. */
void authd_pool_put(struct authd_pool *pool, struct authd_job *job);

/* A job whose verdict is there; NULL: none. */
struct authd_job *authd_pool_next_done(struct authd_pool *pool);

/* The owner has done with it: its secrets are wiped. */
void authd_pool_give(struct authd_pool *pool, struct authd_job *job);

#endif
