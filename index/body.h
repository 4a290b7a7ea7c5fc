/* body.h -- a message on its way in: what body_put of mailbox.h is to mailbox_append.c. */
#ifndef RP_INDEX_BODY_H
#define RP_INDEX_BODY_H

#include "index/dbox/dbox.h"
#include "index/mailbox.h"

struct body_put {
	struct volume *volume; /* held */
	uint8_t *p;            /* the first n bytes, while it is small */
	size_t n;
	size_t bytes_max;
	struct dbox_stream *stream; /* once it is large */
	bool asks;           /* for room, as it grows */
	uint64_t total_bytes;
	struct dbox_ref ref; /* file != 0: streamed, and durable there */
	bool refused;        /* no change refers to it, nor will one */
	enum rp_err failed;  /* a write went wrong: it cannot be appended */
};

/* Have it in a dbox file, durable, though it is small. */
RP_MUST_USE enum rp_err body_spill(struct task *task, struct body_put *put);

/* Whether it travels in the record. */
bool body_is_inline(const struct body_put *put);

/* A streamed one: durable in its file when it returns RP_OK. Once is enough. */
RP_MUST_USE enum rp_err body_finish(
    struct task *task, struct body_put *put, const struct dbox_message *message);

#endif
