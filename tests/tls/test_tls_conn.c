#include <criterion/criterion.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "io/rope.h"
#include "tests/tls/peer.h"
#include "tls/tls_ticket.h"

enum { YEAR_S = 365 * 86400 };

static struct peer_cert certs[3];
static struct tls_ticket_keys keys;
static uint8_t scratch[TLS_CONN_RECORD_BYTES];

static struct tls_ctx *open_ctx(void)
{
	if (certs[0].chain.n == 0) {
		peer_cert_make(&certs[0], "DNS:default.example", 0, INT32_MAX, false);
		peer_cert_make(&certs[1], "DNS:mail.example.org", 0, INT32_MAX, false);
		peer_cert_make(&certs[2], "DNS:*.wild.example", 0, INT32_MAX, true);
	}
	struct tls_ctx *ctx = peer_ctx(certs, 3);

	tls_ctx_set_ticket_keys(ctx, &keys);
	return ctx;
}

static void say(struct peer *peer, const char *text)
{
	cr_assert_eq(SSL_write(peer->client, text, (int)strlen(text)), (int)strlen(text));
	cr_assert(peer_pump(peer));
}

static void expect_heard(struct peer *peer, const char *text)
{
	cr_assert(bytes_eq(peer->plain, bytes_of_str(text)), "%.*s", BYTES_FMT(peer->plain));
}

/* The server's answer to a client that will talk no further. */
static void expect_alert(struct peer *peer, int alert)
{
	uint8_t byte;
	int n = SSL_is_init_finished(peer->client) ? SSL_read(peer->client, &byte, 1)
	                                           : SSL_do_handshake(peer->client);

	cr_assert_leq(n, 0);
	cr_assert_eq(ERR_GET_REASON(ERR_peek_error()), SSL_AD_REASON_OFFSET + alert, "%s",
	    ERR_reason_error_string(ERR_peek_error()));
	ERR_clear_error();
}

Test(tls_conn, however_the_bytes_are_cut_the_words_arrive)
{
	static const size_t cuts[] = {1, 2, 3, 4, 5, 6, 7, 11, 64, 255, 256, 511, 1000, 1400, 0};
	static const uint16_t versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct tls_ctx *ctx = open_ctx();

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]) * 2; i++) {
		struct peer *peer = peer_open(
		    ctx, (struct peer_options){.cut = cuts[i / 2], .version_max = versions[i % 2]});
		uint8_t got[64];

		cr_assert(peer_handshake(peer));
		struct tls_conn_facts facts = tls_conn_facts(peer->conn);

		cr_assert_str_eq(facts.protocol, i % 2 == 0 ? "TLSv1.2" : "TLSv1.3");
		cr_assert_str_eq(facts.cipher, i % 2 == 0
		                                   ? "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
		                                   : "TLS_AES_128_GCM_SHA256");
		cr_assert_eq(facts.server_name.n, 0);
		cr_assert_not(facts.resumed);
		cr_assert_eq(
		    tls_conn_write(peer->conn, BYTES_LIT("* OK ready\r\n"), &peer->to_client),
		    RP_OK);
		cr_assert_eq(peer_client_read(peer, got, sizeof(got)), 12);
		cr_assert_arr_eq(got, "* OK ready\r\n", 12);
		say(peer, "a NOOP\r\n");
		say(peer, "b LOGOUT\r\n");
		expect_heard(peer, "a NOOP\r\nb LOGOUT\r\n");
		peer_close(peer);
	}
	tls_ctx_close(ctx);
}

Test(tls_conn, the_certificate_is_chosen_by_server_name)
{
	static const struct {
		const char *asked, *shown;
	} cases[] = {
	    {NULL, "default.example"},
	    {"nobody.example", "default.example"},
	    {"MAIL.example.org", "mail.example.org"},
	    {"mail.example.org.", "mail.example.org"},
	    {"x.wild.example", "*.wild.example"},
	};
	struct tls_ctx *ctx = open_ctx();

	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const char *asked = cases[i / 2].asked;
		struct peer *peer = peer_open(ctx, (struct peer_options){.server_name = asked,
		                                       .version_max = i % 2 ? TLS1_2_VERSION : 0});

		cr_assert(peer_handshake(peer));
		cr_assert_str_eq(peer_shown_name(peer), cases[i / 2].shown);
		cr_assert(bytes_eq(tls_conn_facts(peer->conn).server_name,
		    asked != NULL ? bytes_of_str(asked) : (struct bytes){0}));
		peer_close(peer);
	}
	tls_ctx_close(ctx);
}

/* Connect, resuming if there is a session, and hand back the ticket that came with it. */
static SSL_SESSION *visit(struct tls_ctx *ctx, struct peer_options options, bool *resumed)
{
	struct peer *peer = peer_open(ctx, options);
	uint8_t got[64];

	cr_assert(peer_handshake(peer));
	cr_assert_eq(tls_conn_write(peer->conn, BYTES_LIT("* OK\r\n"), &peer->to_client), RP_OK);
	cr_assert_eq(peer_client_read(peer, got, sizeof(got)), 6);
	*resumed = tls_conn_facts(peer->conn).resumed;
	cr_assert_eq(SSL_session_reused(peer->client), *resumed);
	SSL_SESSION *session = peer_take_session(peer);

	peer_close(peer);
	SSL_SESSION_free(options.session);
	return session;
}

Test(tls_conn, a_ticket_resumes_at_another_context_and_under_an_older_key)
{
	static const uint16_t versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	for (size_t i = 0; i < 2; i++) {
		struct peer_options options = {
		    .version_max = versions[i], .server_name = "a.example"};
		struct tls_ctx *first = open_ctx(), *second = open_ctx();
		bool resumed;

		cr_assert_eq(tls_ticket_rotate(&keys, 1), RP_OK);
		options.session = visit(first, options, &resumed);
		cr_assert_not(resumed);
		cr_assert_not_null(options.session);
		SSL_SESSION_up_ref(options.session);
		SSL_SESSION *oldest = options.session;

		SSL_SESSION_free(visit(second, options, &resumed));
		cr_assert(resumed);
		for (int rotations = 1; rotations <= TLS_TICKET_KEYS; rotations++) {
			cr_assert_eq(tls_ticket_rotate(&keys, 1), RP_OK);
			SSL_SESSION_up_ref(oldest);
			options.session = oldest;
			SSL_SESSION_free(visit(second, options, &resumed));
			cr_assert_eq(resumed, rotations < TLS_TICKET_KEYS);
		}
		SSL_SESSION_free(oldest);
		tls_ctx_close(first);
		tls_ctx_close(second);
	}
}

Test(tls_conn, a_ticket_is_good_under_its_own_server_name_alone)
{
	struct tls_ctx *ctx = open_ctx();
	struct peer_options options = {.server_name = "mail.example.org"};
	bool resumed;

	cr_assert_eq(tls_ticket_rotate(&keys, 1), RP_OK);
	options.session = visit(ctx, options, &resumed);
	cr_assert_not_null(options.session);
	options.server_name = "MAIL.example.org.";
	options.session = visit(ctx, options, &resumed);
	cr_assert(resumed);
	options.server_name = "x.wild.example";
	SSL_SESSION_free(visit(ctx, options, &resumed));
	cr_assert_not(resumed);
	tls_ctx_close(ctx);
}

Test(tls_conn, without_ticket_keys_a_client_is_served_all_the_same)
{
	struct tls_ctx *ctx = open_ctx();
	bool resumed;

	/* A ring without a key: the ticket that is sent is no use to anybody. */
	struct peer_options options = {0};

	options.session = visit(ctx, options, &resumed);
	SSL_SESSION_free(visit(ctx, options, &resumed));
	cr_assert_not(resumed);
	tls_ctx_close(ctx);
	ctx = peer_ctx(certs, 1);
	cr_assert_null(visit(ctx, (struct peer_options){0}, &resumed));
	tls_ctx_close(ctx);
}

Test(tls_conn, old_protocols_are_refused_with_an_alert)
{
	static const uint16_t versions[] = {TLS1_VERSION, TLS1_1_VERSION};
	struct tls_ctx *ctx = open_ctx();

	for (size_t i = 0; i < 2; i++) {
		struct peer *peer =
		    peer_open(ctx, (struct peer_options){.version_max = versions[i]});

		cr_assert_not(peer_handshake(peer));
		cr_assert_eq(peer->verdict, TLS_CONN_FAILED);
		cr_assert_str_eq(tls_conn_reason(peer->conn), "UNSUPPORTED_PROTOCOL");
		expect_alert(peer, SSL_AD_PROTOCOL_VERSION);
		peer_close(peer);
	}
	tls_ctx_close(ctx);
}

Test(tls_conn, a_client_of_another_protocol_is_refused)
{
	static const uint8_t web[] = {2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
	static const uint8_t mail[] = {2, 'h', '2', 4, 'i', 'm', 'a', 'p'};
	struct tls_ctx *ctx = open_ctx();
	struct peer *peer = peer_open(ctx, (struct peer_options){0});
	const uint8_t *chosen;
	unsigned chosen_n;

	SSL_set_alpn_protos(peer->client, web, sizeof(web));
	cr_assert_not(peer_handshake(peer));
	expect_alert(peer, SSL_AD_NO_APPLICATION_PROTOCOL);
	peer_close(peer);
	peer = peer_open(ctx, (struct peer_options){0});
	SSL_set_alpn_protos(peer->client, mail, sizeof(mail));
	cr_assert(peer_handshake(peer));
	SSL_get0_alpn_selected(peer->client, &chosen, &chosen_n);
	cr_assert(bytes_eq(bytes_of(chosen, chosen_n), BYTES_LIT("imap")));
	peer_close(peer);
	tls_ctx_close(ctx);
}

Test(tls_conn, junk_ends_the_handshake)
{
	static const uint8_t junk[][64] = {
	    "GET / HTTP/1.1\r\n\r\n", "a001 CAPABILITY\r\n",
	    {0x80, 0x2e, 0x01, 0x00, 0x02, 0x00, 0x15, 0x00, 0x00, 0x00, 0x10}, /* SSL 2 */
	    {0x16, 0x03, 0x01, 0xff, 0xff, 0x01, 0x00, 0x01, 0x00}, /* too long a record */
	    {0x17, 0x03, 0x03, 0x00, 0x04, 'd', 'a', 't', 'a'},     /* too early */
	};
	struct tls_ctx *ctx = open_ctx();

	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		struct peer *peer = peer_open(ctx, (struct peer_options){.cut = 3});

		cr_assert_not(peer_feed(peer, bytes_of(junk[i], sizeof(junk[i]))));
		cr_assert_str_neq(tls_conn_reason(peer->conn), "");
		cr_assert_not(tls_conn_is_open(peer->conn));
		cr_assert_not(tls_conn_peer_closed(peer->conn));
		/* It stays so. */
		cr_assert_not(peer_feed(peer, BYTES_LIT("more")));
		cr_assert_eq(
		    tls_conn_write(peer->conn, BYTES_LIT("x"), &peer->to_client), RP_ERR_END);
		tls_conn_shutdown(peer->conn, &peer->to_client);
		peer_close(peer);
	}
	tls_ctx_close(ctx);
}

/* A ClientHello may come in many records, but not for ever. */
Test(tls_conn, the_handshake_takes_no_more_than_its_bound)
{
	static const uint8_t head[] = {0x16, 0x03, 0x01, 0x00, 0x04, 0x01, 0x00, 0x3f, 0xff};
	static const uint8_t piece[] = {0x16, 0x03, 0x01, 0x00, 0x01, 0x00};
	struct tls_ctx *ctx = open_ctx();
	struct peer *peer = peer_open(ctx, (struct peer_options){0});
	size_t fed = sizeof(head);

	cr_assert(peer_feed(peer, bytes_of(head, sizeof(head))));
	while (peer_feed(peer, bytes_of(piece, sizeof(piece))) &&
	       fed < 2 * TLS_CONN_HANDSHAKE_BYTES_MAX)
		fed += sizeof(piece);
	cr_assert_eq(peer->verdict, TLS_CONN_FAILED);
	cr_assert_str_eq(tls_conn_reason(peer->conn), "handshake too long");
	cr_assert_leq(fed, TLS_CONN_HANDSHAKE_BYTES_MAX);
	cr_assert_gt(fed, TLS_CONN_HANDSHAKE_BYTES_MAX - 2 * sizeof(piece));
	cr_assert_gt(peer->to_client.bytes, 0);
	peer_close(peer);
	tls_ctx_close(ctx);
}

Test(tls_conn, close_notify_is_told_from_a_cut)
{
	struct tls_ctx *ctx = open_ctx();
	struct peer *peer = peer_open(ctx, (struct peer_options){0});

	cr_assert(peer_handshake(peer));
	say(peer, "a NOOP\r\n");
	cr_assert_not(tls_conn_peer_closed(peer->conn));
	cr_assert_eq(SSL_write(peer->client, "b", 1), 1);
	cr_assert_eq(SSL_shutdown(peer->client), 0);
	cr_assert(peer_pump(peer));
	cr_assert_eq(peer->verdict, TLS_CONN_CLOSED);
	cr_assert(tls_conn_peer_closed(peer->conn));
	expect_heard(peer, "a NOOP\r\nb");
	/* What comes behind it is ignored; we may still speak. */
	cr_assert(peer_feed(peer, BYTES_LIT("junk")));
	cr_assert_eq(peer->verdict, TLS_CONN_CLOSED);
	cr_assert_eq(tls_conn_write(peer->conn, BYTES_LIT("* BYE\r\n"), &peer->to_client), RP_OK);
	tls_conn_shutdown(peer->conn, &peer->to_client);
	cr_assert_gt(peer->to_client.bytes, 0);
	peer_close(peer);
	tls_ctx_close(ctx);
}

Test(tls_conn, our_close_notify_reaches_the_client)
{
	struct tls_ctx *ctx = open_ctx();
	struct peer *peer = peer_open(ctx, (struct peer_options){0});
	uint8_t got[16];

	tls_conn_shutdown(peer->conn, &peer->to_client); /* too early: nothing is sent */
	cr_assert_eq(peer->to_client.bytes, 0);
	cr_assert(peer_handshake(peer));
	tls_conn_shutdown(peer->conn, &peer->to_client);
	size_t once = peer->to_client.bytes;

	tls_conn_shutdown(peer->conn, &peer->to_client);
	cr_assert_eq(peer->to_client.bytes, once);
	cr_assert_eq(peer_client_read(peer, got, sizeof(got)), 0);
	cr_assert_eq(SSL_get_shutdown(peer->client), SSL_RECEIVED_SHUTDOWN);
	peer_close(peer);
	tls_ctx_close(ctx);
}

Test(tls_conn, a_record_that_was_tampered_with_gets_an_alert)
{
	static const uint16_t versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct tls_ctx *ctx = open_ctx();

	for (size_t i = 0; i < 2; i++) {
		struct peer *peer =
		    peer_open(ctx, (struct peer_options){.version_max = versions[i]});
		uint8_t record[256];

		cr_assert(peer_handshake(peer));
		cr_assert_eq(SSL_write(peer->client, "good", 4), 4);
		cr_assert(peer_pump(peer));
		cr_assert_eq(SSL_write(peer->client, "evil", 4), 4);
		int n = BIO_read(SSL_get_wbio(peer->client), record, sizeof(record));

		record[n - 1] ^= 1;
		cr_assert_not(peer_feed(peer, bytes_of(record, (size_t)n)));
		expect_heard(peer, "good");
		cr_assert(peer_pump(peer));
		expect_alert(peer, SSL_AD_BAD_RECORD_MAC);
		peer_close(peer);
	}
	tls_ctx_close(ctx);
}

Test(tls_conn, big_transfers_arrive_whole)
{
	enum { TOTAL = 200 * 1000 };
	static uint8_t sent[TOTAL], got[TOTAL];
	static const uint16_t versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct tls_ctx *ctx = open_ctx();

	for (size_t i = 0; i < TOTAL; i++)
		sent[i] = (uint8_t)(i * 2654435761u >> 24);
	for (size_t v = 0; v < 2; v++) {
		struct peer *peer =
		    peer_open(ctx, (struct peer_options){.version_max = versions[v], .cut = 3000});

		cr_assert(peer_handshake(peer));
		cr_assert_eq(
		    tls_conn_write(peer->conn, bytes_of(sent, TOTAL), &peer->to_client), RP_OK);
		cr_assert_lt(peer->to_client.bytes, TOTAL + TOTAL / 100);
		cr_assert_eq(peer_client_read(peer, got, TOTAL), TOTAL);
		cr_assert_arr_eq(got, sent, TOTAL);
		cr_assert_eq(SSL_write(peer->client, sent, TOTAL), TOTAL);
		cr_assert(peer_pump(peer));
		cr_assert(bytes_eq(peer->plain, bytes_of(sent, TOTAL)));
		peer_close(peer);
	}
	tls_ctx_close(ctx);
}

Test(tls_conn, sealing_gathers_small_spans_and_stops_at_the_gate)
{
	static uint8_t large[40000], got[80000];
	struct tls_ctx *ctx = open_ctx();
	struct peer *peer = peer_open(ctx, (struct peer_options){0});
	struct rope plain;
	size_t n;

	cr_assert(peer_handshake(peer));
	cr_assert_eq(peer->to_client.bytes, 0);
	rope_init(&plain);
	rope_put_str(&plain, "* 1 EXISTS\r\n");
	rope_borrow(&plain, bytes_of(large, 600), NULL, NULL);
	rope_borrow(&plain, bytes_of(large, 700), NULL, NULL);
	rope_stamp(&plain, 7);
	rope_put_str(&plain, "a OK\r\n");
	rope_borrow(&plain, bytes_of(large, sizeof(large)), NULL, NULL);

	cr_assert_eq(tls_conn_seal(peer->conn, &plain, 6, scratch, &peer->to_client, &n), RP_OK);
	cr_assert_eq(n, 12 + 600 + 700);
	cr_assert_eq(tls_conn_seal(peer->conn, &plain, 6, scratch, &peer->to_client, &n), RP_OK);
	cr_assert_eq(n, 0);
	size_t total = 12 + 600 + 700;
	size_t records = 1;

	do {
		cr_assert_eq(
		    tls_conn_seal(peer->conn, &plain, 7, scratch, &peer->to_client, &n), RP_OK);
		cr_assert(n == TLS_CONN_RECORD_BYTES || plain.bytes == 0);
		records += n > 0;
		total += n;
	} while (n > 0);
	cr_assert_eq(records, 4);
	cr_assert_eq(plain.bytes, 0);
	cr_assert_eq(peer_client_read(peer, got, sizeof(got)), total);
	cr_assert_eq(total, 12 + 600 + 700 + 6 + sizeof(large));
	rope_fini(&plain);
	peer_close(peer);
	tls_ctx_close(ctx);
}

Test(tls_conn, a_connection_outlives_its_context)
{
	struct tls_ctx *ctx = open_ctx();
	struct peer *peer =
	    peer_open(ctx, (struct peer_options){.server_name = "mail.example.org"});

	tls_ctx_close(ctx);
	cr_assert_eq(tls_ticket_rotate(&keys, 1), RP_OK);
	cr_assert(peer_handshake(peer));
	say(peer, "a NOOP\r\n");
	expect_heard(peer, "a NOOP\r\n");
	peer_close(peer);
}

Test(tls_conn, running_out_of_memory_for_output_is_a_failure)
{
	struct tls_ctx *ctx = open_ctx();
	struct peer *peer = peer_open(ctx, (struct peer_options){0});

	cr_assert(peer_handshake(peer));
	peer->to_client.failed = true;
	cr_assert_eq(tls_conn_write(peer->conn, BYTES_LIT("x"), &peer->to_client), RP_ERR_NOMEM);
	cr_assert_str_eq(tls_conn_reason(peer->conn), "out of memory");
	cr_assert_eq(tls_conn_write(peer->conn, BYTES_LIT("x"), &peer->to_client), RP_ERR_END);
	peer_close(peer);
	peer = peer_open(ctx, (struct peer_options){0});
	peer->to_client.failed = true;
	cr_assert_not(peer_handshake(peer));
	peer_close(peer);
	tls_ctx_close(ctx);
}

/* Each allocator that may be at work has its own way to tell; whichever is linked is asked. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));
extern int mallctl(const char *, void *, size_t *, void *, size_t) __attribute__((weak));

static size_t heap_bytes(void)
{
	uint64_t epoch = 1;
	size_t allocated = 0, n = sizeof(allocated);

	if (__sanitizer_get_current_allocated_bytes != NULL)
		return __sanitizer_get_current_allocated_bytes();
	if (mallctl != NULL && mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)) == 0 &&
	    mallctl("stats.allocated", &allocated, &n, NULL, 0) == 0)
		return allocated;
	return 0;
}

Test(tls_conn, an_idle_connection_costs_less_than_four_kib)
{
	enum { COUNT = 64, BYTES_MAX = 4096 };
	static const uint16_t versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	static struct peer *peers[COUNT];
	struct tls_ctx *ctx = open_ctx();

	cr_assert_eq(tls_ticket_rotate(&keys, 1), RP_OK);
	if (heap_bytes() == 0)
		cr_skip_test("no allocator here tells what it holds");
	for (size_t v = 0; v < 2; v++) {
		uint8_t got[16];

		for (size_t i = 0; i < COUNT; i++) {
			struct peer_options options = {
			    .version_max = versions[v], .server_name = "mail.example.org"};

			peers[i] = peer_open(ctx, options);
			cr_assert(peer_handshake(peers[i]));
			cr_assert_eq(tls_conn_write(peers[i]->conn, BYTES_LIT("* OK\r\n"),
			                 &peers[i]->to_client),
			    RP_OK);
			cr_assert_eq(peer_client_read(peers[i], got, sizeof(got)), 6);
			say(peers[i], "a NOOP\r\n");
		}
		size_t before = heap_bytes();

		for (size_t i = 0; i < COUNT; i++) {
			tls_conn_close(peers[i]->conn);
			peers[i]->conn = NULL;
		}
		size_t each = (before - heap_bytes()) / COUNT;

		cr_log_info("%s: %zu bytes of heap", v == 0 ? "TLSv1.2" : "TLSv1.3", each);
		cr_assert_lt(each, BYTES_MAX);
		cr_assert_gt(each, 500);
		for (size_t i = 0; i < COUNT; i++)
			peer_close(peers[i]);
	}
	tls_ctx_close(ctx);
}
