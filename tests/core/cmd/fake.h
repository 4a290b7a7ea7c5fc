/* fake.h -- the door of index in memory, for tests of commands: plain arrays, nothing suspends.
 *
 * It does what the headers of index promise, in the most obvious way, so that a command's answers can be checked
 * without a disk, a ring or another thread.
 */
#ifndef RP_TESTS_CORE_CMD_FAKE_H
#define RP_TESTS_CORE_CMD_FAKE_H

#include "index/mailbox.h"
#include "index/msgset.h"
#include "index/view.h"
#include "io/base/assert.h"
#include "io/base/num.h"

enum { FAKE_KEYWORDS_MAX = 64, FAKE_MAILBOXES_MAX = 64 };

struct fake_message {
	struct message message;
	uint64_t keywords;
	uint8_t *body;
	size_t body_bytes;
	uint8_t *cache;
	size_t cache_bytes;
	bool expunged;
	bool corrupt; /* set by a test: its body cannot be read */
};

struct mailbox {
	struct volume *volume;
	unsigned refs;
	bool gone;
	struct catalog_entry entry;
	uint8_t *name;
	struct fake_message *messages;
	size_t count;
	char keywords[FAKE_KEYWORDS_MAX][MAILBOX_KEYWORD_BYTES_MAX];
	unsigned keywords_count;
	struct list watches;
};

struct volume {
	struct userid userid;
	uint64_t modseq;
	uint64_t next_mailboxid;
	uint32_t last_uidvalidity;
	struct mailbox *mailboxes[FAKE_MAILBOXES_MAX]; /* sorted by name; also mere subscriptions */
	size_t count;
	size_t steps; /* calls of volume_next() */
	const struct mail_reader *reader;
	unsigned refs;
};

/* The one volume that volume_open() finds; made at need, thrown away by fake_fini(). */
struct volume *fake_volume(const struct mail_reader *reader);
void fake_fini(void);

struct mailbox *fake_mailbox(const char *name);
/* A STORE is to be cut into parts of so many messages; 0: never. */
extern uint32_t fake_store_part;
/* The how manieth store from now on fails; 0: none. */
extern unsigned fake_store_fails_after;
/* Views are overrun. */
extern bool fake_view_overrun;
/* Some view was told that expunges are its own, and not yet that they are no more; what it was when a mailbox was renamed last. */
extern bool fake_view_own;
extern bool fake_renamed_own;
/* What others do while the next store waits for its turn; once. */
extern void (*fake_store_meanwhile)(void);

struct fake_message *fake_find(struct mailbox *mailbox, uint32_t uid);
void fake_changed(struct mailbox *mailbox);

/* Memory that a test is not to be without. */
static inline void *fake_need(void *p)
{
	RP_ASSERT(p != NULL);
	return p;
}

#endif
