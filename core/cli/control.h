/* control.h -- the command line's end of a running server's control socket (core/server/admin.h). */
#ifndef RP_CORE_CLI_CONTROL_H
#define RP_CORE_CLI_CONTROL_H

#include <jansson.h>

#include "core/server/config.h"

struct control;

/* RP_ERR_NOTFOUND: no server runs. RP_ERR_DENIED: not for us. Others: *reason tells. */
RP_MUST_USE enum rp_err control_open(const struct config *config, struct control **out);
void control_close(struct control *control);

/* Send one request (its reference is taken) with mail behind it, and read the last line of the answer. Lines before it go
 * to each (may be NULL). *answer is a new reference. RP_ERR_END: the server has gone. */
RP_MUST_USE enum rp_err control_ask(struct control *control, json_t *request, struct bytes mail,
    void (*each)(void *arg, const json_t *line), void *arg, json_t **answer);

/* The same in two halves, so that many requests can be under way: answers come in their order. Sending reads what has come
 * meanwhile, but no more than fits: who sends without end reads too. A line without `code` belongs to the answer whose last
 * line follows. */
RP_MUST_USE enum rp_err control_send(struct control *control, json_t *request, struct bytes mail);
RP_MUST_USE enum rp_err control_next(struct control *control, json_t **line);
bool control_has_line(const struct control *control); /* control_next() will not wait */

/* The exit code of an answer; its error, if any, goes to standard error. */
int control_code(const json_t *answer);

#endif
