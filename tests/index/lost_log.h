/* lost_log.h -- four users, and a life whose end in a crash leaves three writes of three of them in one commit log: parts of it are then
 * lost. For tests; there is one at a time.
 */
#ifndef RP_TESTS_INDEX_LOST_LOG_H
#define RP_TESTS_INDEX_LOST_LOG_H

#include "index/claim.h"
#include "index/logfile.h"
#include "index/store_state.h"
#include "tests/index/shown.h"
#include "tests/io/io_fixture.h"

enum {
	CAROL, /* the first write of the life that ends in a crash */
	ALICE, /* the second */
	BOB,   /* the third, which says that the second was durable */
	DAVE,  /* nothing in it */
	LOST_LOG_USERS,
};

enum { LOG_OF_ALICE = 2, LOST_LOG_FILE_BYTES = 1024 * 1024 };

extern const struct userid lost_log_user[LOST_LOG_USERS];

extern struct lost_log {
	struct io_fixture fixture;
	struct arena arena;
	struct claim *claim;
	struct store *store;
	uint64_t epoch;
	enum rp_err err; /* of a start */
	struct shown shown[LOST_LOG_USERS];
	char log[LOGFILE_PATH_BYTES]; /* where the three writes lie; and from where on */
	uint64_t log_at;
	void (*meanwhile)(void); /* between the reading of the logs and what follows */
	bool not_void;
} lost_log;

/* Two lives: all four get mail, and the end is in order; then three do, one after the other, and the power goes. */
void lost_log_two_lives(void);
void lost_log_end(void);

/* A start, its outcome in lost_log.err, and an end in order. */
void lost_log_start(struct task *task);
void lost_log_stop(struct task *task);

/* The power goes before anything that was settled is flushed. */
void lost_log_crash(void);

/* For sim_disk_walk(): notes where the three writes lie. */
void lost_log_find(void *arg, enum file_root root, const char *path, uint64_t bytes);

/* In the log, from the beginning of its n-th write on (from 1), so many bytes. */
void lost_log_spoil(unsigned write, uint64_t at, size_t n);
void lost_log_lose_alice(void);

struct volume *lost_log_open_user(struct task *task, unsigned u);
void lost_log_append(struct task *task, struct volume *volume); /* durable then */

/* His numbers are above what he was told; or what they were, but for nothing that is lost. One message more then. */
void lost_log_assert_numbers(struct task *task, unsigned u, bool raised);

/* A life in which only he comes, who has lost nothing: io_fixture_run(). */
void lost_log_only_bob(struct task *task, void *arg);

/* A start after which these are raised, all have had mail, and the end is in order. */
void lost_log_look(bool carol, bool alice, bool bob, bool dave);

#endif
