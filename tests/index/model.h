/* model.h -- one user's mail as plain arrays, and random changes made to it and to a volume alike.
 *
 * A change is drawn, made to a copy of the model, then to the volume; both must give the same result. What only the volume
 * knows (LSN, EMAILID, SAVEDATE, UIDVALIDITY) is learned from it when the change is met first, and must stay.
 */
#ifndef RP_TESTS_INDEX_MODEL_H
#define RP_TESTS_INDEX_MODEL_H

#include "index/view.h"
#include "index/volume.h"

enum {
	MODEL_NAMES = 10,
	MODEL_KEYWORDS = 4,
	MODEL_MESSAGES_MAX = 160,
	MODEL_MESSAGES_FEW = 100, /* with more, it is expunged first */
	MODEL_NEW = 0,            /* learned later */
	MODEL_EVIL_BYTES = 16 * 1024,
	MODEL_BACK_MAX = 8, /* messages brought back at once */
	/* Bits of a message's seed that say what its body is made of. */
	MODEL_SEED_TEXT = 1 << 29, /* lines, which no way in for mail changes */
	MODEL_SEED_EVIL = 1 << 30, /* model_evil */
};

/* What must hold: ends the process, in a test and in the simulator alike. */
#define MODEL_CHECK(cond) RP_ASSERT(cond)
#define MODEL_EQ(a, b)    model_same((uint64_t)(a), (uint64_t)(b), #a " == " #b, __FILE__, __LINE__)
void model_same(uint64_t a, uint64_t b, const char *what, const char *file, int line);

/* A MODSEQ that cannot be told from what a change was: it is learned when the message is met. */
#define MODEL_UNTOLD UINT64_MAX

/* Bytes of a log, which some mails are made of. Set before the first such mail, and never again. */
extern uint8_t model_evil[MODEL_EVIL_BYTES];

struct model_message {
	uint32_t uid;
	uint32_t flags;
	uint32_t keywords; /* bits */
	uint64_t modseq;
	uint64_t emailid;
	uint32_t savedate_s;
	uint32_t seed; /* of body and dates */
	uint32_t bytes;
};

struct model_mailbox {
	bool there;
	bool subscribed;
	unsigned special_use; /* enum special_use */
	uint64_t mailboxid;
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t highestmodseq;
	unsigned came; /* so many were copied or moved here by the newest change, till it is learned what that has given them */
	bool came_moved;
	size_t count;
	struct model_message message[MODEL_MESSAGES_MAX];
};

struct model {
	uint64_t lsn;                /* of the volume when it was so */
	uint32_t uidvalidity_last;   /* the greatest that was given */
	uint32_t uidvalidity_before; /* the same before the last change */
	struct model_mailbox mailbox[MODEL_NAMES];
};

enum model_op_kind {
	MODEL_APPEND,
	MODEL_STORE,
	MODEL_EXPUNGE,
	MODEL_COPY,
	MODEL_MOVE,
	MODEL_CREATE,
	MODEL_DELETE,
	MODEL_RENAME,
	MODEL_SUBSCRIBE,
	MODEL_OPS,
	MODEL_UNDELETE, /* never drawn */
};

struct model_op {
	enum model_op_kind kind;
	unsigned a; /* names */
	unsigned b;
	uint64_t a_id; /* what these names meant when the mailboxes were opened; 0: not opened */
	uint64_t b_id;
	uint32_t first; /* UIDs */
	uint32_t last;
	uint32_t flags;
	uint32_t keywords;
	enum mail_store_mode mode;
	unsigned count; /* messages to append, or bring back: */
	struct model_message back[MODEL_BACK_MAX]; /* as they were when they were expunged */
	uint64_t from_id; /* from there */
	uint32_t seed;
	uint32_t bytes;
	bool on;
};

/* The next number of a stream. */
uint32_t model_random(uint64_t *state);

/* What a new volume has. */
void model_init(struct model *model);

struct model_op model_draw(const struct model *model, uint64_t *state);

/* Make of it what stays within the model's bounds: its names, its numbers of messages. */
void model_tame(const struct model *model, struct model_op *op);

const char *model_name(unsigned name);
const char *model_keyword(unsigned keyword); /* bit 1 << keyword of struct model_message */
bool model_has_children(const struct model *model, unsigned name);

/* INTERNALDATE of a message with this seed; its Date: field; the keywords that bits stand for, and
 * the bits of those that a message has. */
struct mail_date model_date(uint32_t seed);
struct mail_date model_sent(uint32_t seed);
size_t model_keywords(uint32_t bits, struct bytes out[MODEL_KEYWORDS]);
uint32_t model_keywords_of(const struct view_cursor *cursor, const struct mailbox *mailbox);

/* Make it: to the model; to the volume. Both return what the change must answer. */
enum rp_err model_apply(struct model *model, const struct model_op *op);
enum rp_err model_run(struct task *task, struct volume *volume, struct model_op *op);

/* All of the volume is as the model says; what is MODEL_NEW in it is learned. Bodies of one message in `bodies` are read. */
void model_check(struct task *task, struct volume *volume, struct model *model, unsigned bodies);

/* The same without messages: names, counters, UIDVALIDITYs. No task: right after a change, or an opening. */
void model_check_names(struct volume *volume, struct model *model);

/* It is what a client was shown; or that is learned. */
void model_check_modseq(struct model_message *message, uint64_t modseq, uint64_t highestmodseq);

/* A number that stands for all that can be seen of a volume: names, counters, messages with flags, dates, ids, MODSEQs. And
 * each mailbox's counters are what its messages say. */
uint64_t model_digest(struct task *task, struct volume *volume);

/* A body of n bytes that a seed makes. */
void model_body(uint32_t seed, uint8_t *p, size_t n);

extern const struct mail_reader model_reader;

#endif
