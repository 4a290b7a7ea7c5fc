/* authd_wire.h -- what the supervisor and the auth process say to each other.
 *
 * One datagram (SOCK_SEQPACKET) is one JSON object. The supervisor starts `ringpost-auth --fd N`, N
 * being its end of the pair, and sends the settings, with one end of a socket pair per shard by
 * SCM_RIGHTS (in several messages, if there are more than the kernel takes in one). It may send
 * settings again at any time: they replace the old ones, whole; descriptors that come along are
 * added to those there are, and a pair whose other end has closed is dropped. Each message is
 * answered by a status.
 *
 * The auth process opens the passwd-file by its path. Started as root, it gives root up for the
 * settings' uid and gid at the first message and keeps one capability, to read any file, as the
 * passwd-file may be root's alone and is read again at each change.
 */
#ifndef RP_CORE_AUTH_AUTHD_WIRE_H
#define RP_CORE_AUTH_AUTHD_WIRE_H

#include "io/base/bytes.h"
#include "io/base/err.h"
#include "io/base/log.h"

enum {
	AUTHD_WIRE_BYTES_MAX =
	    128 * 1024, /* one message, with all domains: under a socket's default buffer */
	AUTHD_WIRE_FDS_MAX = 253,        /* the kernel's bound for one message */
	AUTHD_WIRE_TEXT_BYTES_MAX = 512, /* the status's text */
	AUTHD_WIRE_PATH_BYTES_MAX = 4095,
	AUTHD_WIRE_LIST_MAX = 8192,   /* domains; master users */
	AUTHD_WIRE_THREADS_MAX = 256, /* each may take an argon2id hash's memory */
	AUTHD_WIRE_QUEUE_MAX = 4096,
	AUTHD_WIRE_QUEUE_DEFAULT = 256,
};

/* Names or domains; sorted in settings that were read. */
struct authd_wire_list {
	struct bytes *items;
	size_t count;
};

struct authd_wire_settings {
	const char *passwd;             /* path of the passwd-file */
	unsigned threads;               /* 0: as many as there are cores */
	unsigned queue;                 /* requests that may wait; 0: AUTHD_WIRE_QUEUE_DEFAULT */
	struct authd_wire_list domains; /* count 0: unset, all domains are ours */
	struct authd_wire_list masters; /* who may open others' mail */
	uint32_t uid, gid;              /* to become, if started as root and not 0 */
	enum log_level log_level;
	enum log_format log_format;
};

struct authd_wire_status {
	bool ready; /* there are users to serve; else text says what is wrong */
	uint64_t users;
	char text[AUTHD_WIRE_TEXT_BYTES_MAX];
};

/* The message, for authd_wire_free(); .p NULL: no memory, or over the bound. */
struct bytes authd_wire_put_settings(const struct authd_wire_settings *settings);
struct bytes authd_wire_put_status(const struct authd_wire_status *status);
void authd_wire_free(struct bytes message);

/* Read settings; what they point to is freed with authd_wire_free_settings().
 * RP_ERR_SYNTAX: text says what is wrong. */
RP_MUST_USE enum rp_err authd_wire_get_settings(
    struct bytes message, struct authd_wire_settings **out, char text[AUTHD_WIRE_TEXT_BYTES_MAX]);
void authd_wire_free_settings(struct authd_wire_settings *settings);

RP_MUST_USE enum rp_err authd_wire_get_status(struct bytes message, struct authd_wire_status *out);

/* Is it in a list that was read? Case-blind. */
bool authd_wire_list_has(const struct authd_wire_list *list, struct bytes item);

#endif
