/* conn_input.h -- the plain bytes that came for a connection and were not taken: for conn.c and its drivers.
 *
 * One buffer, so that a command lies in one piece; none while there is nothing in it. What the connection's task looks at
 * stays where it is until it takes or waits: an outgrown buffer lives on till then.
 */
#ifndef RP_CORE_SERVER_CONN_INPUT_H
#define RP_CORE_SERVER_CONN_INPUT_H

#include "core/server/conn.h"

/* Add bytes at the end. False: no memory. */
bool conn_input_put(struct conn *conn, struct bytes b);

/* Receive more, if there is room and a reason to (conn.c). */
void conn_input_arm(struct conn *conn);

/* The task looks at nothing any more. */
void conn_input_unlend(struct conn *conn);

/* Wipe and free. */
void conn_input_fini(struct conn *conn);

/* Bytes from the kernel: the PROXY header, if one is awaited, is taken off their front, then they are deciphered, and put. False:
 * drop the connection. */
RP_MUST_USE bool conn_input_came(struct conn *conn, struct bytes in);

#endif
