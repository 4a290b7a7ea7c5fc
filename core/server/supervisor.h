/* supervisor.h -- the process that keeps root and does little: sockets, certificates, children.
 *
 *   supervisor ---- "start", settings, sockets ----> server (the work, without root)
 *        \--------- settings ----------------------> ringpost-auth (sees passwords)
 *                                                     ^ one socket pair a shard v
 *                                                    server
 *
 * A child that ends is started again at once (later and later if it goes on ending). A server that says that it cannot start
 * ends the supervisor with its reason.
 */
#ifndef RP_CORE_SERVER_SUPERVISOR_H
#define RP_CORE_SERVER_SUPERVISOR_H

/* `ringpost serve -c config_path`: the whole life. ready (may be NULL) is called once, when the listeners are open and
 * connections are accepted. Returns the exit code: 0 after SIGTERM or SIGINT, 1 when it could not start. */
int supervisor_run(const char *config_path, void (*ready)(void *arg), void *arg);

#endif
