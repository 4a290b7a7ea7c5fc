/* auth_link.h -- a shard's socket to the auth process: sending, receiving, and tasks that wait (core/auth/auth.h). */
#ifndef RP_CORE_SERVER_AUTH_LINK_H
#define RP_CORE_SERVER_AUTH_LINK_H

#include "core/auth/auth_wire.h"
#include "core/server/shard.h"

struct auth_link;

/* fd: this shard's end of a pair; owned. keep_ms: of the cache. */
RP_MUST_USE enum rp_err auth_link_open(struct shard *shard, int fd, uint64_t keep_ms, struct auth_link **out);
void auth_link_close(struct auth_link *link);

/* The auth process was started anew: a new pair. What waits is answered with UNAVAILABLE. Owns fd. */
void auth_link_renew(struct auth_link *link, int fd);

/* Ask, and wait for the answer; name: gets the answer's name. While the auth process is away the question waits for it, AUTH_TIMEOUT_S at
 * most. RP_ERR_UNAVAILABLE: no answer, or too many questions. */
RP_MUST_USE enum rp_err auth_link_ask(struct task *task, struct auth_link *link,
    const struct auth_wire_request *request, struct auth_wire_answer *answer, uint8_t name[AUTH_WIRE_NAME_BYTES_MAX]);

/* Is this name still this user's? RP_ERR_NOTFOUND: no. RP_ERR_UNAVAILABLE: nobody can say. */
RP_MUST_USE enum rp_err auth_link_still(
    struct task *task, struct shard *shard, struct bytes name, const struct userid *userid);

/* Forget all successes. */
void auth_link_changed(struct auth_link *link);

/* session_env.authenticate */
enum rp_err auth_link_authenticate(struct task *task, struct session *session, struct bytes authzid,
    struct bytes name, struct bytes password, struct userid *userid, struct bytes *canonical);

#endif
