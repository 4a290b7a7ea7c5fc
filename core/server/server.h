/* server.h -- the server process: its main thread. It starts the shards, carries the supervisor's orders to them, and
 * writes the logs. */
#ifndef RP_CORE_SERVER_SERVER_H
#define RP_CORE_SERVER_SERVER_H

enum { SERVER_EXIT_REFUSED = 78 }; /* it cannot start, and starting it again will not help */

/* The whole life of the server process, whose end of the pair to the supervisor is CHILD_FD. Returns the exit code. */
int server_run(void);

#endif
