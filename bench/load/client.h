/* client.h -- one simulated client: its connection, what it knows, and one command after the other.
 *
 * Every function that can fail says why in the run's verdict (client_fault) before it returns.
 */
#ifndef RP_BENCH_LOAD_CLIENT_H
#define RP_BENCH_LOAD_CLIENT_H

#include "bench/load/content.h"
#include "bench/load/dice.h"
#include "bench/load/mirror.h"
#include "bench/load/profile.h"
#include "bench/load/stream.h"

struct worker;

enum {
	CLIENT_COMMAND_BYTES = 1024,
	CLIENT_WAIT_S = 60, /* for one answer; then the run is void */
};

enum client_state {
	CLIENT_OUT,       /* no connection */
	CLIENT_CONNECTED, /* greeted */
	CLIENT_LOGGED_IN,
	CLIENT_SELECTED,
};

struct client {
	struct worker *worker;
	const struct profile_group *group;
	struct task *task;
	unsigned number; /* in its group */
	unsigned user;
	enum client_state state;
	unsigned can; /* enum op_capability, of this server */
	unsigned tag;
	unsigned word; /* that it is at, in profile->word; beyond: at none yet */
	unsigned made; /* messages that it made in this run */
	uint64_t from_ns; /* what the latency of its next command counts from */
	struct dice dice;
	struct stream stream;
	struct response_frame frame;
	size_t heard; /* bytes of the response that is being looked at */
	struct response_fetch fetch; /* of the FETCH response that is being looked at */
	struct mirror mirror;
	struct tls_client_session session;
};

/* What comes before the tagged response, after the mirror has taken it in; client->fetch is that of a FETCH. */
typedef enum rp_err client_untagged_fn(
    struct client *client, const struct response *response, void *arg);

/* The run is void: who, at what, and this. Returns RP_ERR_CORRUPT. */
enum rp_err client_fault(struct client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Send a command, tag and CRLF put around it; nothing is awaited. */
void client_say(struct client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Read up to the tagged OK of the command sent last, or of that with another tag. Anything else is a fault. */
RP_MUST_USE enum rp_err client_hear(
    struct task *task, struct client *client, client_untagged_fn *fn, void *arg);
RP_MUST_USE enum rp_err client_hear_tag(struct task *task, struct client *client, unsigned tag,
    client_untagged_fn *fn, void *arg);

/* The next response, whatever it is; what is untagged has been taken in. Good until the next call. */
RP_MUST_USE enum rp_err client_next(
    struct task *task, struct client *client, struct response *out, uint64_t wait_ns);

/* The next line of a server that does not speak IMAP, without CRLF; likewise. */
RP_MUST_USE enum rp_err client_line(struct task *task, struct client *client, struct bytes *out);

/* Its connection is gone, or to go: no mailbox is selected. Also fine without one. */
void client_close(struct task *task, struct client *client);

/* The user's name; the password. */
void client_user(const struct client *client, unsigned user, char *out, size_t size);

/* A message that nobody has made: of this run, for this user. malloc'ed by the worker, good until the next call. */
struct bytes client_message(struct client *client, struct content_id *id, unsigned user);

/* One that mailboxes are filled with. */
struct bytes client_filling(struct client *client, unsigned number);
struct content_id client_filling_id(const struct client *client, unsigned number);

#endif
