#include "bench/blocking/wire.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load/die.h"

static SSL_CTX *client_ctx(void)
{
	static SSL_CTX *ctx;

	if (ctx == NULL) {
		ctx = SSL_CTX_new(TLS_client_method());
		if (ctx == NULL)
			die("no memory for TLS");
		SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	}
	return ctx;
}

int wire_connect(const char *address)
{
	char host[WIRE_TEXT_BYTES_MAX];
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	const char *colon = strrchr(address, ':');
	int one = 1;

	if (colon == NULL || (size_t)(colon - address) >= sizeof(host))
		die("%s is not HOST:PORT", address);
	bool bracket = address[0] == '[' && colon[-1] == ']';

	snprintf(host, sizeof(host), "%.*s", (int)(colon - address) - (bracket ? 2 : 0),
	    address + (bracket ? 1 : 0));
	int failed = getaddrinfo(host, colon + 1, &hints, &found);

	if (failed != 0)
		die("%s: %s", address, gai_strerror(failed));
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0)
		die("%s: %s", address, strerror(errno));
	freeaddrinfo(found);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

void wire_open(struct wire *wire, const char *address, bool tls)
{
	*wire = (struct wire){.fd = wire_connect(address), .buffer = malloc(WIRE_BUFFER_BYTES)};
	if (wire->buffer == NULL)
		die("no memory");
	if (!tls)
		return;
	wire->ssl = SSL_new(client_ctx());
	if (wire->ssl == NULL || SSL_set_fd(wire->ssl, wire->fd) != 1)
		die("no memory for TLS");
	if (SSL_connect(wire->ssl) != 1)
		die("%s: the TLS handshake failed", address);
}

void wire_close(struct wire *wire)
{
	SSL_free(wire->ssl);
	close(wire->fd);
	free(wire->buffer);
	*wire = (struct wire){.fd = -1};
}

void wire_send(struct wire *wire, struct bytes text)
{
	while (text.n > 0) {
		ssize_t n = wire->ssl != NULL ? SSL_write(wire->ssl, text.p, (int)text.n)
		                              : send(wire->fd, text.p, text.n, MSG_NOSIGNAL);

		if (n <= 0)
			die("the server closed a connection while a command was sent");
		text = bytes_from(text, (size_t)n);
	}
}

/* Room is made by moving what is left to the front. */
static void receive(struct wire *wire)
{
	if (wire->start > 0) {
		memmove(wire->buffer, wire->buffer + wire->start, wire->end - wire->start);
		wire->end -= wire->start;
		wire->start = 0;
	}
	size_t room = WIRE_BUFFER_BYTES - wire->end;

	ssize_t n = wire->ssl != NULL ? SSL_read(wire->ssl, wire->buffer + wire->end, (int)room)
	                              : recv(wire->fd, wire->buffer + wire->end, room, 0);

	if (n <= 0)
		die("the server closed a connection while an answer was awaited");
	wire->end += (size_t)n;
	wire->received_bytes += (uint64_t)n;
}

struct bytes wire_line(struct wire *wire)
{
	size_t searched = 0;

	for (;;) {
		struct bytes in = bytes_of(wire->buffer + wire->start, wire->end - wire->start);
		size_t lf = bytes_find(in, searched, '\n');

		if (lf < in.n) {
			wire->start += lf + 1;
			return bytes_slice(in, 0, lf > 0 && in.p[lf - 1] == '\r' ? lf - 1 : lf);
		}
		searched = in.n;
		if (in.n == WIRE_BUFFER_BYTES) {
			wire->end = WIRE_LINE_BYTES;
			searched = WIRE_LINE_BYTES;
		}
		receive(wire);
	}
}

void wire_start(struct wire *wire, const char *command)
{
	char text[WIRE_TEXT_BYTES_MAX];
	int n = snprintf(text, sizeof(text), "b%u %s\r\n", ++wire->tag, command);

	if (n < 0 || (size_t)n >= sizeof(text))
		die("a command is too long");
	wire_send(wire, bytes_of(text, (size_t)n));
}

size_t wire_finish(struct wire *wire)
{
	char tag[16];
	int n = snprintf(tag, sizeof(tag), "b%u ", wire->tag);
	size_t untagged_count = 0;

	for (;;) {
		struct bytes line = wire_line(wire);

		if (!bytes_starts_with(line, bytes_of(tag, (size_t)n))) {
			untagged_count++;
			continue;
		}
		if (!bytes_starts_with(bytes_from(line, (size_t)n), BYTES_LIT("OK")))
			die("the server answered: %.*s", BYTES_FMT(line));
		return untagged_count;
	}
}

size_t wire_command(struct wire *wire, const char *command)
{
	wire_start(wire, command);
	return wire_finish(wire);
}

void wire_login(
    struct wire *wire, const char *address, bool tls, const char *user, const char *password)
{
	char command[WIRE_TEXT_BYTES_MAX];

	wire_open(wire, address, tls);
	(void)wire_line(wire);
	snprintf(command, sizeof(command) - 32, "LOGIN \"%s\" \"%s\"", user, password);
	wire_command(wire, command);
}

void wire_logout(struct wire *wire)
{
	wire_command(wire, "LOGOUT");
	wire_close(wire);
}
