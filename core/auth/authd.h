/* authd.h -- the auth process: it alone reads the user database and sees password hashes.
 *
 * One thread has the sockets and the database: it reads requests, looks names up, answers. What
 * takes time, verifying a password, a bounded pool of threads does (authd_pool.h). When that has no
 * room, the answer is UNAVAILABLE at once, never "wrong password". A name that nobody has costs the
 * same time as a wrong password: some user's hash is computed and the result thrown away.
 */
#ifndef RP_CORE_AUTH_AUTHD_H
#define RP_CORE_AUTH_AUTHD_H

#include "io/base/err.h"

/* Serve the supervisor at the other end of this socket (authd_wire.h) until it closes. Events are
 * logged to standard error. Returns the process's exit status. */
int authd_run(int supervisor_fd);

#endif
