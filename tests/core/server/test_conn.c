#include <criterion/criterion.h>

#include "core/server/accept.h"
#include "io/base/clock.h"
#include "tests/core/server/conn_fixture.h"

enum { SEEDS = 400 };

/* Linked with --wrap=malloc: the n-th of the server's own allocations fails, once. 0: none. */
static size_t fail_at;
static size_t allocations;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

void *__wrap_malloc(size_t n)
{
	if (conn_fixture_client_acts)
		return __real_malloc(n);
	return ++allocations == fail_at ? NULL : __real_malloc(n);
}

static bool has(const struct conn_fixture *f, const char *text)
{
	return strstr(f->client.text, text) != NULL;
}

/* Play this script once, for the time it takes and what was said. */
static void play(struct conn_fixture *f, enum config_protocol protocol, const struct client_step *script)
{
	conn_fixture_open(f, 1, protocol, script);
	conn_fixture_accept(f);
	conn_fixture_run(f);
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
		cr_assert_eq(conn_fixture_lived_s(&f), 0, "the end of output follows close_notify at once");
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

/* THREATS 17: 30 s for the handshake, however it was begun. */
Test(conn, who_does_not_finish_tls_is_let_go)
{
	static const struct client_step silent[] = { { .await = "never" }, { 0 } };
	static const struct client_step after_starttls[] = {
		{ .await = "ready.\r\n", .send = "a STARTTLS\r\n" },
		{ .await = "never" },
		{ 0 },
	};
	struct conn_fixture f;

	conn_fixture_open(&f, 1, CONFIG_IMAPS, silent);
	f.client.mute = true;
	conn_fixture_accept(&f);
	conn_fixture_run(&f);
	cr_assert_eq(conn_fixture_lived_s(&f), 30);
	cr_assert_eq(f.client.text_n, 0);
	conn_fixture_close(&f);

	play(&f, CONFIG_IMAP, after_starttls);
	cr_assert_eq(conn_fixture_lived_s(&f), 30);
	cr_assert(!has(&f, "BYE"), "it reads nothing but TLS now");
	conn_fixture_close(&f);
}

/* THREATS 18: 60 s for a login, whatever is under way, with a BYE. */
Test(conn, who_does_not_log_in_is_let_go)
{
	static const struct client_step silent[] = { { .await = "never" }, { 0 } };
	static const struct client_step half_a_line[] = {
		{ .await = "ready.\r\n", .send = "a LOG" },
		{ .await = "never" },
		{ 0 },
	};
	static const struct client_step no_response[] = {
		{ .await = "ready.\r\n", .send = "a AUTHENTICATE PLAIN\r\n" },
		{ .await = "+ " },
		{ .await = "never" },
		{ 0 },
	};
	static const struct client_step no_literal[] = {
		{ .await = "ready.\r\n", .send = "a LOGIN {4}\r\n" },
		{ .await = "+ ", .send = "us" },
		{ .await = "never" },
		{ 0 },
	};
	static const struct client_step *const scripts[] = { silent, half_a_line, no_response, no_literal };
	struct conn_fixture f;

	for (size_t i = 0; i < 2 * sizeof(scripts) / sizeof(scripts[0]); i++) {
		conn_fixture_open(&f, 1, i % 2 == 0 ? CONFIG_IMAP : CONFIG_IMAPS, scripts[i / 2]);
		f.shard.env.plaintext_login = true;
		conn_fixture_accept(&f);
		conn_fixture_run(&f);
		cr_assert_eq(conn_fixture_lived_s(&f), 60, "script %zu: %llu s", i, (unsigned long long)conn_fixture_lived_s(&f));
		cr_assert(has(&f, "* BYE Too long without a login.\r\n"), "%s", f.client.text);
		conn_fixture_close(&f);
	}
}

/* The password is right, but known as such when the time is over. */
static enum rp_err authenticate_late(struct task *task, struct session *session, struct bytes authzid, struct bytes name,
    struct bytes password, struct userid *userid, struct bytes *canonical)
{
	(void)authzid, (void)password;
	*userid = (struct userid){ { 1 } };
	*canonical = arena_copy(&session->arena, name);
	return task_sleep(task, 61 * CLOCK_NS_PER_S);
}

/* BYE is the last word: no login comes behind it, and the connection does not wait for anything more. */
Test(conn, who_logs_in_too_late_is_not_let_in_behind_his_bye)
{
	static const struct client_step script[] = {
		{ .await = "ready.\r\n", .send = "a LOGIN sam secret\r\n" },
		{ .await = "never" },
		{ 0 },
	};
	static const char bye[] = "* BYE Too long without a login.\r\n";
	struct conn_fixture f;

	for (unsigned i = 0; i < 2; i++) {
		conn_fixture_open(&f, 1, i == 0 ? CONFIG_IMAP : CONFIG_IMAPS, script);
		f.shard.env.plaintext_login = true;
		f.shard.env.authenticate = authenticate_late;
		conn_fixture_accept(&f);
		conn_fixture_run(&f);
		cr_assert(has(&f, bye), "%s", f.client.text);
		cr_assert_str_eq(strstr(f.client.text, bye), bye);
		cr_assert_leq(conn_fixture_lived_s(&f), 62);
		conn_fixture_close(&f);
	}
}

/* ---- tasks are few ---- */

static void hold_a_task(struct task *task, void *arg)
{
	struct conn_fixture *f = arg;

	cr_assert_eq(task_sleep(task, 40 * CLOCK_NS_PER_S), RP_OK);
	shard_task_ended(&f->shard);
}

static void hold_tasks(struct conn_fixture *f, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		cr_assert_eq(task_start(f->shard.loop, hold_a_task, f, NULL), RP_OK);
}

static void hold_the_last_for_two_s(struct task *task, void *arg)
{
	struct conn_fixture *f = arg;

	cr_assert_eq(task_sleep(task, 2 * CLOCK_NS_PER_S), RP_OK);
	cr_assert(!list_empty(&f->shard.waiting));
	shard_task_ended(&f->shard);
}

static const struct client_step noop[] = {
	{ .await = "ready.\r\n", .send = "a LOGOUT\r\n" },
	{ .await = "a OK" },
	{ 0 },
};

/* All tasks are busy: it starts when one of them has ended, not when two have. */
Test(conn, who_waits_for_a_task_gets_the_first_that_is_free)
{
	struct conn_fixture f;

	conn_fixture_open(&f, 1, CONFIG_IMAP, noop);
	hold_tasks(&f, CONN_FIXTURE_TASKS_MAX - 1);
	cr_assert_eq(task_start(f.shard.loop, hold_the_last_for_two_s, &f, NULL), RP_OK);
	conn_fixture_accept(&f);
	conn_fixture_run(&f);
	cr_assert(has(&f, "a OK"), "%s", f.client.text);
	cr_assert_eq(conn_fixture_lived_s(&f), 2);
	conn_fixture_close(&f);
}

static void on_other_sent(void *arg, enum rp_err err)
{
	(void)arg;
	cr_assert_eq(err, RP_OK);
}

/* Another one stands before the client in the line, and is ended before his turn comes. */
static void end_the_first_in_line(struct task *task, void *arg)
{
	struct conn_fixture *f = arg;
	struct shard *shard = &f->shard;
	struct net *net;
	struct net *other;

	cr_assert_eq(sim_net_pair(shard->loop, shard->loop, &net, &other), RP_OK);
	net_send(other, BYTES_LIT("a NOOP\r\n"), on_other_sent, NULL);
	accept_connection(shard, &f->listen, net);
	cr_assert_eq(task_sleep(task, CLOCK_NS_PER_S), RP_OK);
	struct conn *first = RP_CONTAINER_OF(shard->waiting.next, struct conn, waiting);

	conn_fixture_accept(f);
	cr_assert_eq(task_sleep(task, CLOCK_NS_PER_S), RP_OK);
	cr_assert(shard->waiting.next == &first->waiting && shard->waiting.prev != &first->waiting, "two wait");
	conn_end(first);
	cr_assert_eq(task_sleep(task, 5 * CLOCK_NS_PER_MS), RP_OK);
	net_close(other, NULL, NULL);
	shard_task_ended(shard);
}

Test(conn, who_cannot_use_a_task_any_more_does_not_hold_up_the_line)
{
	struct conn_fixture f;

	conn_fixture_open(&f, 1, CONFIG_IMAP, noop);
	hold_tasks(&f, CONN_FIXTURE_TASKS_MAX - 1);
	cr_assert_eq(task_start(f.shard.loop, end_the_first_in_line, &f, NULL), RP_OK);
	conn_fixture_run(&f);
	cr_assert(has(&f, "a OK"), "%s", f.client.text);
	cr_assert_eq(conn_fixture_lived_s(&f), 1);
	conn_fixture_close(&f);
}

/* Nor does it help to take none of the answers. */
Test(conn, a_stranger_who_does_not_read_is_let_go_all_the_same)
{
	static const struct client_step script[] = { { .send = "a CAPABILITY\r\n" }, { 0 } };
	struct conn_fixture f;

	conn_fixture_open(&f, 1, CONFIG_IMAP, script);
	f.client.deaf = true;
	for (int i = 0; i < 2000; i++)
		rope_put_str(&f.client.out, "a CAPABILITY\r\n");
	conn_fixture_accept(&f);
	conn_fixture_run(&f);
	cr_assert(list_empty(&f.shard.conns));
	cr_assert_leq(sim_now_ns(f.world) - f.accepted_ns, 63 * CLOCK_NS_PER_S);
	conn_fixture_close(&f);
}
