/* child.h -- what the supervisor and the server say to each other: one SOCK_SEQPACKET pair, short words, descriptors along.
 *
 *   supervisor -> server   "start" [enum child_start, listeners..., auth pairs...]
 *                          "reload" [settings memfd]     new certificates and limits (reload.h)
 *                          "auth" [auth pairs...]        the auth process was started anew
 *                          "stop"
 *   server -> supervisor   "ready", "failed REASON" (then it ends), "stopped"
 *
 * The end of the pair is an order to stop: a server never outlives its supervisor.
 */
#ifndef RP_CORE_SERVER_CHILD_H
#define RP_CORE_SERVER_CHILD_H

#include "io/base/bytes.h"
#include "io/base/err.h"

enum {
	CHILD_FD = 3,              /* a child finds its end of the pair here */
	CHILD_FDS_MAX = 200,       /* in one message; the kernel takes 253 */
	CHILD_TEXT_BYTES_MAX = 1024,
};

/* Descriptors of "start". Folders come open: no folder above DATA need be the server's user's to pass through. */
enum child_start {
	CHILD_START_SETTINGS, /* memfd */
	CHILD_START_SHARED,   /* memfd */
	CHILD_START_CONTROL,  /* the control socket's listener */
	CHILD_START_DATA,
	CHILD_START_COMMIT,
	CHILD_START_LISTENERS, /* the first of them */
};

struct child_message {
	char text[CHILD_TEXT_BYTES_MAX]; /* NUL-terminated */
	size_t text_bytes;
	int fd[CHILD_FDS_MAX];
	size_t fds_count;
};

/* Blocking; descriptors stay the sender's. */
RP_MUST_USE enum rp_err child_send(int sock, struct bytes text, const int *fds, size_t fds_count);

/* The same for other processes' messages, whose text may be as long as a socket's buffer takes. */
RP_MUST_USE enum rp_err child_send_long(int sock, struct bytes text, const int *fds, size_t fds_count);

/* Blocking. The descriptors are the receiver's, close-on-exec. RP_ERR_END: the other end has gone. */
RP_MUST_USE enum rp_err child_recv(int sock, struct child_message *out);

/* A memfd with this content, at offset 0, sealed. -1: none can be had. */
int child_memfd(const char *name, struct bytes content);

/* All of a memfd; malloc'ed, NUL behind it. */
RP_MUST_USE enum rp_err child_read_memfd(int fd, char **text, size_t *n);

#endif
