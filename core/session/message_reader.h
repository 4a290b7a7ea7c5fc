/* message_reader.h -- reading a message's body: its parts, and the cache entry that index asks for. */
#ifndef RP_CORE_SESSION_MESSAGE_READER_H
#define RP_CORE_SESSION_MESSAGE_READER_H

#include "core/mail/mime.h"
#include "index/store.h"

/* For store_settings: how a message that lost its cache entry gets one. */
extern const struct mail_reader message_reader;

/* The tree of parts of a body, read from its beginning to its end; in arena memory (MIME_TREE_BYTES_MAX is a fitting bound). */
RP_MUST_USE enum rp_err message_reader_parse(struct task *task, struct dbox_body *body,
    struct arena *arena, enum mime_purpose purpose, struct mime *out);

#endif
