/* conn_fixture.h -- a shard's connections on a simulated machine, and a client with a script.
 *
 * The shard has no store and no auth process: what happens before login can be played, to the byte and in any order of
 * events that a seed makes.
 */
#ifndef RP_TESTS_CONN_FIXTURE_H
#define RP_TESTS_CONN_FIXTURE_H

#include <openssl/ssl.h>

#include "core/server/conn.h"
#include "io/sim.h"
#include "tests/tls/peer.h"

enum {
	CONN_FIXTURE_STEPS_MAX = 200 * 1000, /* a dialogue that needs more turns in a circle */
	CONN_FIXTURE_TASKS_MAX = 16,
};

/* One step: when `await` has been read (behind what the step before awaited), send `send`. */
struct client_step {
	const char *await; /* NULL: at once */
	const char *send;  /* NULL: nothing */
	bool tls;          /* begin the handshake, in the same moment */
	bool close;        /* close, without a word */
};

struct client {
	struct loop *loop;
	struct net *net;    /* NULL: closed */
	uint64_t closed_ns; /* then */
	const struct client_step *step; /* the next one; a step with nothing in it is the last */
	SSL *ssl;                       /* NULL: plain */
	SSL_CTX *ssl_ctx;
	struct rope out;
	size_t sending_bytes;
	char text[512 * 1024]; /* all that was read, NUL-terminated */
	size_t text_n;
	size_t awaited; /* text[0, awaited) is behind us */
	bool mute;       /* sends nothing */
	bool deaf;       /* reads nothing */
	bool said_close; /* the server's close_notify came */
};

struct conn_fixture {
	struct sim_world *world;
	struct shard shard;
	struct config config;
	struct config_listen listen;
	struct client client;
	uint64_t accepted_ns;
};

/* A machine with this seed, and a connection from a client that is about to play its script. implicit: IMAPS. */
void conn_fixture_open(struct conn_fixture *f, uint64_t seed, enum config_protocol protocol, const struct client_step *script);

/* Let the server take the connection. */
void conn_fixture_accept(struct conn_fixture *f);

/* Run until nothing happens any more: all deadlines have come. */
void conn_fixture_run(struct conn_fixture *f);

/* Is it the client that allocates just now? For tests that count what the server does. */
extern bool conn_fixture_client_acts;

/* How long the server kept the connection, in whole seconds; it has ended (asserted). */
uint64_t conn_fixture_lived_s(const struct conn_fixture *f);

/* The server has let go of everything (asserted); free it all. */
void conn_fixture_close(struct conn_fixture *f);

#endif
