/* wire.h -- one connection to a server, plain or TLS, blocking; lines and IMAP commands on it.
 *
 * Whatever goes wrong ends the tool: figures of a run with failures would be none.
 */
#ifndef RP_BENCH_BLOCKING_WIRE_H
#define RP_BENCH_BLOCKING_WIRE_H

#include <stdbool.h>

#include "io/base/bytes.h"

enum {
	WIRE_BUFFER_BYTES = 128 * 1024, /* what is read at once */
	WIRE_LINE_BYTES = 64 * 1024,    /* kept of a line that does not fit in there */
	WIRE_TEXT_BYTES_MAX = 1024,     /* one command, and HOST:PORT */
};

struct ssl_st;

struct wire {
	int fd;
	struct ssl_st *ssl; /* NULL: plain */
	uint8_t *buffer;
	size_t start; /* what was received and not yet read: buffer[start, end) */
	size_t end;
	unsigned tag;
	uint64_t received_bytes;
};

/* A TCP connection to HOST:PORT (or [HOST]:PORT). The certificate is not verified. The caller closes it. */
int wire_connect(const char *address);

/* Connect, and shake hands with tls. Sessions are never resumed. The greeting is still to be read. */
void wire_open(struct wire *wire, const char *address, bool tls);
void wire_close(struct wire *wire);

void wire_send(struct wire *wire, struct bytes text);

/* The next line, without CRLF. Borrowed until the next call on this wire. */
struct bytes wire_line(struct wire *wire);

/* Send one command, without waiting: a tag and CRLF are put around it. */
void wire_start(struct wire *wire, const char *command);
/* Read up to the tagged OK of the command sent last; how many untagged lines came before it. */
size_t wire_finish(struct wire *wire);
/* Both. */
size_t wire_command(struct wire *wire, const char *command);

/* Open, read the greeting, LOGIN. */
void wire_login(
    struct wire *wire, const char *address, bool tls, const char *user, const char *password);
/* LOGOUT, and close. */
void wire_logout(struct wire *wire);

#endif
