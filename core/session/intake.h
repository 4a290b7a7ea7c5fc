/* intake.h -- the way in for a message: APPEND, LMTP, import.
 *
 *   bytes as they come -> CRLF (core/mail/normalise) -> sink: where they are kept
 *                                                    \-> parts (core/mail/mime) -> cache entry
 *
 * Work and memory are bounded whatever the message: the parser's tables and one piece at a time; the body goes through.
 */
#ifndef RP_CORE_SESSION_INTAKE_H
#define RP_CORE_SESSION_INTAKE_H

#include "core/mail/mime.h"
#include "core/mail/normalise.h"
#include "index/mailbox.h"
#include "io/base/arena.h"
#include "io/task.h"

/* Takes the message's final bytes, in pieces. */
typedef enum rp_err intake_sink_fn(struct task *task, void *arg, struct bytes piece);

struct intake {
	struct arena arena; /* the tree's and the entry's */
	struct mime_parser *parser;
	struct normalise normalise;
	intake_sink_fn *sink;
	void *sink_arg;
	uint64_t bytes; /* of the message as it is kept, so far */
	uint64_t bytes_max;
};

/* bytes_max: of the message as it is kept; beyond, intake_write() says RP_ERR_TOOBIG. RP_ERR_NOMEM: nothing is held. */
RP_MUST_USE enum rp_err intake_begin(
    struct intake *intake, uint64_t bytes_max, intake_sink_fn *sink, void *sink_arg);

/* The next bytes. After an error only intake_end() is allowed. */
RP_MUST_USE enum rp_err intake_write(struct task *task, struct intake *intake, struct bytes b);

/* The message is complete: flushes the rest to the sink and fills cache_entry (good until intake_end) and sent of an append. What
 * can be made of a message is made: an entry that cannot be is left empty, and then made at first use, or never. */
RP_MUST_USE enum rp_err intake_finish(struct task *task, struct intake *intake, struct append *append);

/* Give back what is held; after any outcome, also of an intake that is all zero. */
void intake_end(struct intake *intake);

/* A sink for messages that go into one mailbox: arg is the struct body_put. */
enum rp_err intake_to_body(struct task *task, void *body_put, struct bytes piece);

#endif
