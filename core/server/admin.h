/* admin.h -- the control socket: one JSON line per request, mail behind it as counted bytes; JSON lines back, the last of
 * them with `code` (0: done; else the exit code that the command line ends with) and, if not 0, `error` (a line) and
 * mostly `reason` (the error's name).
 *
 *   {"cmd":"stats"}                                  {"shards":[...]} ... {"code":0}
 *   {"cmd":"users_changed","user":U}                 the passwd-file has been written anew; answered when all know it, and
 *                                                    the sessions of U, if he is not there any more, have been told to end
 *   {"cmd":"purge","user":U,"userid":I}              the sessions of U (may be left out) end, and all mail of this id is removed;
 *                                                    not all of it, with an error: asked again it goes on
 *   {"cmd":"lookup","user":U}                        {"userid":...,"name":...,"code":0}
 *   {"cmd":"deliver","user":U,"mailbox":M,"create":B,"bytes":N,"internaldate":S,"zone":Z,"flags":F,"keywords":[...]}
 *       and N bytes of mail                          {"uid":...,"uidvalidity":...,"code":0}
 *   {"cmd":"check","user":U} {"cmd":"repair","user":U}      one line per finding, then the code
 *   {"cmd":"undelete","user":U,"mailbox":M,"to":M,"since":S,"list":B}
 *       one line for each that can be brought back (list), or that could not be ("lost": why); then {"found":N,"back":N,"lost":N,"untold":N,"reason":...,"code":...}
 *
 * The socket's mode is 0600 and its owner the server's user: only that user and root can connect. Many requests may follow
 * each other on one connection, without waiting for answers, which come in their order: deliveries for one user that are under
 * way together share a write of the log (admin_deliver.h). It is served by shard 0; work for a user is done on his home shard by shard_call.
 */
#ifndef RP_CORE_SERVER_ADMIN_H
#define RP_CORE_SERVER_ADMIN_H

#include "core/server/shard.h"

/* Accept on the control socket (borrowed). */
RP_MUST_USE enum rp_err admin_open(struct shard *shard, int fd);

/* Accept no more. NULL admin is fine. */
void admin_close(struct shard *shard);

#endif
