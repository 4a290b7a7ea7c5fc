#include <criterion/criterion.h>

#include "tests/core/server/conn_fixture.h"

enum { SEEDS = 400 };

/* Linked with --wrap=malloc: the n-th of the server's own allocations fails, once. 0: none. */
static size_t fail_at;
static size_t allocations;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

void *__wrap_malloc(size_t n)
{
	return ++allocations == fail_at ? NULL : __real_malloc(n);
}

static bool has(const struct conn_fixture *f, const char *text)
{
	return strstr(f->client.text, text) != NULL;
}

static const struct client_step starttls[] = {
	{ .await = "ready.\r\n", .send = "a STARTTLS\r\n" },
	{ .await = "a OK Begin TLS negotiation now\r\n", .tls = true },
	{ .send = "b NOOP\r\n" },
	{ .await = "b OK", .send = "c LOGOUT\r\n" },
	{ .await = "c OK" },
	{ 0 },
};

/* The client's hello may be there before the server is told that its OK has been sent. */
Test(conn, starttls_loses_no_hello)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct conn_fixture f;

		conn_fixture_open(&f, seed, CONFIG_IMAP, starttls);
		conn_fixture_accept(&f);
		conn_fixture_run(&f);
		cr_assert(has(&f, "c OK") && f.client.said_close, "seed %llu: %s", (unsigned long long)seed, f.client.text);
		conn_fixture_close(&f);
	}
}

/* THREATS 1, 2: wherever the network cuts them, plain bytes behind STARTTLS are dropped or end the connection. */
Test(conn, nothing_that_was_said_in_the_clear_crosses_the_handshake)
{
	static const struct client_step script[] = {
		{ .await = "ready.\r\n", .send = "a STARTTLS\r\nx NOOP\r\ny LOG" },
		{ .await = "a OK Begin TLS negotiation now\r\n", .tls = true },
		{ .send = "OUT\r\nb NOOP\r\n" },
		{ .await = "b OK", .send = "c LOGOUT\r\n" },
		{ .await = "c OK" },
		{ 0 },
	};
	unsigned dropped = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct conn_fixture f;

		conn_fixture_open(&f, seed, CONFIG_IMAP, script);
		conn_fixture_accept(&f);
		conn_fixture_run(&f);
		cr_assert(!has(&f, "x ") && !has(&f, "y "), "seed %llu: %s", (unsigned long long)seed, f.client.text);
		cr_assert_null(f.client.net, "it was ended, one way or the other");
		dropped += has(&f, "c OK");
		conn_fixture_close(&f);
	}
	cr_assert(dropped > 0 && dropped < SEEDS, "both ways were seen, one %u times", dropped);
}

/* Each allocation fails in turn, in the middle of whatever is going on: nobody touches what has been freed. */
Test(conn, without_memory_a_connection_ends_and_nothing_else)
{
	for (size_t n = 1, all = n; n <= all; n++) {
		struct conn_fixture f;

		conn_fixture_open(&f, n, CONFIG_IMAP, starttls);
		allocations = 0;
		fail_at = n;
		conn_fixture_accept(&f);
		conn_fixture_run(&f);
		all = allocations;
		fail_at = 0;
		conn_fixture_close(&f);
	}
}

/* The same when TLS comes first. */
Test(conn, without_memory_a_tls_connection_ends_and_nothing_else)
{
	static const struct client_step script[] = {
		{ .await = "ready.\r\n", .send = "a CAPABILITY\r\nb LOGIN {3+}\r\nsam x\r\n" },
		{ .await = "b NO" },
		{ 0 },
	};

	for (size_t n = 1, all = n; n <= all; n++) {
		struct conn_fixture f;

		conn_fixture_open(&f, n, CONFIG_IMAPS, script);
		allocations = 0;
		fail_at = n;
		conn_fixture_accept(&f);
		conn_fixture_run(&f);
		all = allocations;
		fail_at = 0;
		conn_fixture_close(&f);
	}
}
