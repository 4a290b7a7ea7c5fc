/* admin_core.h -- what the files of the control socket share; behind admin.h. */
#ifndef RP_CORE_SERVER_ADMIN_CORE_H
#define RP_CORE_SERVER_ADMIN_CORE_H

#include <jansson.h>

#include "core/server/conn.h"

/* One line of an answer. Takes the reference. NULL (no memory, or a text that is no UTF-8) says nothing. */
void admin_say(struct conn *conn, json_t *answer);

/* The last line of an answer. error may be NULL. */
void admin_say_code(struct conn *conn, int code, const char *error);

/* The same for an error: "what: its name", its name as `reason`, and the exit code that belongs to it. */
void admin_say_err(struct conn *conn, enum rp_err err, const char *what);

/* A text of a request, borrowed; .n == 0: it is not there, or no text. */
struct bytes admin_text_of(const json_t *request, const char *name);

/* Who is this? RP_ERR_NOTFOUND, RP_ERR_UNAVAILABLE. */
RP_MUST_USE enum rp_err admin_lookup(
    struct task *task, struct shard *shard, struct bytes user, struct userid *userid);

#endif
