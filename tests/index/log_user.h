/* log_user.h -- a user as the log sees him: a journal, a dbox and what waits to be settled. For tests. */
#ifndef RP_TESTS_INDEX_LOG_USER_H
#define RP_TESTS_INDEX_LOG_USER_H

#include "index/commit.h"
#include "index/dbox/dbox.h"
#include "index/journal.h"

struct log_user {
	struct settle settle; /* first: write functions find the user by it */
	struct userid userid;
	char dir[USERID_PATH_BYTES];
	struct commit *commit;
	struct journal *journal;
	struct dbox *dbox;
};

enum { LOG_USER_TYPE = 6 };

/* The userid of the n-th user. */
struct userid log_user_id(unsigned n);

enum rp_err log_user_open(
    struct task *task, struct log_user *user, struct commit *commit, unsigned n, uint64_t epoch);

/* Settles what is durable first. */
enum rp_err log_user_close(struct task *task, struct log_user *user);

/* One change with this payload, and a body when body.n != 0. Its LSN and position, and the body's place. */
enum rp_err log_user_append(struct task *task, struct log_user *user, struct bytes payload,
    struct bytes body, uint64_t *lsn, uint64_t *position, struct dbox_ref *ref);

#endif
