#include "tls/tls_client.h"

#include <criterion/criterion.h>

#include "tests/tls/peer.h"
#include "tls/tls_ticket.h"

/* Both halves of a connection, and what is on its way between them. */
struct pair {
	struct tls_conn *half[2]; /* the client, the server */
	struct rope out[2];
	uint8_t plain[2][65536];
	size_t plain_n[2];
};

static struct tls_ticket_keys keys;
static struct peer_cert cert;

static struct tls_ctx *open_ctx(bool tickets)
{
	peer_cert_make(&cert, "DNS:mail.example.org", 0, INT32_MAX, false);
	struct tls_ctx *ctx = peer_ctx(&cert, 1);

	if (tickets) {
		cr_assert_eq(tls_ticket_rotate(&keys, 1000), RP_OK);
		tls_ctx_set_ticket_keys(ctx, &keys);
	}
	return ctx;
}

static void feed(struct pair *pair, unsigned to, struct bytes in)
{
	enum tls_conn_verdict verdict;
	size_t n;

	do {
		verdict = tls_conn_read(pair->half[to], &in, pair->plain[to] + pair->plain_n[to],
		    sizeof(pair->plain[to]) - pair->plain_n[to], &n, &pair->out[to]);
		pair->plain_n[to] += n;
	} while (verdict == TLS_CONN_FULL);
	cr_assert_neq(verdict, TLS_CONN_FAILED, "%s", tls_conn_reason(pair->half[to]));
}

static void pump(struct pair *pair)
{
	size_t moved = 1;

	while (moved > 0) {
		moved = 0;
		for (unsigned from = 0; from < 2; from++) {
			for (struct bytes b; (b = rope_peek(&pair->out[from], 0)).n > 0;) {
				uint8_t room[4096];

				b.n = b.n < sizeof(room) ? b.n : sizeof(room);
				memcpy(room, b.p, b.n);
				rope_consume(&pair->out[from], b.n);
				moved += b.n;
				feed(pair, 1 - from, bytes_of(room, b.n));
			}
		}
	}
}

static struct pair *connect_pair(
    struct tls_client *client, struct tls_ctx *ctx, struct tls_client_session *session)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	cr_assert_not_null(pair);
	pair->half[0] = tls_client_connect(client, "mail.example.org", session);
	pair->half[1] = tls_conn_open(ctx);
	cr_assert_not_null(pair->half[0]);
	cr_assert_not_null(pair->half[1]);
	rope_init(&pair->out[0]);
	rope_init(&pair->out[1]);
	feed(pair, 0, (struct bytes){0});
	pump(pair);
	cr_assert(tls_conn_is_open(pair->half[0]));
	cr_assert(tls_conn_is_open(pair->half[1]));
	return pair;
}

static void close_pair(struct pair *pair)
{
	for (unsigned i = 0; i < 2; i++) {
		tls_conn_close(pair->half[i]);
		rope_fini(&pair->out[i]);
	}
	free(pair);
}

Test(tls_client, what_it_says_is_heard_and_what_it_is_told_is_read)
{
	struct tls_ctx *ctx = open_ctx(false);
	struct tls_client *client = tls_client_open();
	struct pair *pair = connect_pair(client, ctx, NULL);
	struct tls_conn_facts facts = tls_conn_facts(pair->half[1]);

	cr_assert_str_eq(facts.protocol, "TLSv1.3");
	cr_assert(bytes_eq(facts.server_name, BYTES_LIT("mail.example.org")));
	cr_assert_eq(tls_conn_write(pair->half[0], BYTES_LIT("a1 NOOP\r\n"), &pair->out[0]), RP_OK);
	cr_assert_eq(tls_conn_write(pair->half[1], BYTES_LIT("* OK\r\n"), &pair->out[1]), RP_OK);
	pump(pair);
	cr_assert(bytes_eq(bytes_of(pair->plain[1], pair->plain_n[1]), BYTES_LIT("a1 NOOP\r\n")));
	cr_assert(bytes_eq(bytes_of(pair->plain[0], pair->plain_n[0]), BYTES_LIT("* OK\r\n")));
	close_pair(pair);
	tls_client_close(client);
	tls_ctx_close(ctx);
}

Test(tls_client, a_ticket_that_was_kept_resumes_and_without_a_place_nothing_does)
{
	struct tls_ctx *ctx = open_ctx(true);
	struct tls_client *client = tls_client_open();
	struct tls_client_session session = {0};

	for (unsigned i = 0; i < 3; i++) {
		struct pair *pair = connect_pair(client, ctx, &session);

		cr_assert_eq(tls_conn_facts(pair->half[1]).resumed, i > 0, "connection %u", i);
		/* The server sends its ticket with the first that it says. */
		cr_assert_eq(
		    tls_conn_write(pair->half[1], BYTES_LIT("* OK\r\n"), &pair->out[1]), RP_OK);
		pump(pair);
		cr_assert_not_null(session.ssl);
		close_pair(pair);
	}
	struct pair *pair = connect_pair(client, ctx, NULL);

	cr_assert_not(tls_conn_facts(pair->half[1]).resumed);
	close_pair(pair);
	tls_client_session_fini(&session);
	tls_client_session_fini(&session);
	tls_client_close(client);
	tls_ctx_close(ctx);
}
