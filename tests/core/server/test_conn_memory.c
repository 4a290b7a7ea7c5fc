/* THREATS P8: what a stranger can make the server hold, besides TLS state and the task's pooled stack (DESIGN section 7). */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "io/base/clock.h"
#include "io/base/num.h"
#include "io/loop_core.h"
#include "tests/core/server/conn_fixture.h"

enum {
	PIECES_MAX = 1 << 16,
	SEEDS = 30,
	STRANGER_BYTES_MAX = 24 * 1024,
	RECORD_BYTES_MAX = 16 * 1024, /* TLS: one comes whole */
};

/* Linked with --wrap: what is allocated by anybody but the client. */
static struct piece {
	void *p;
	size_t n;
} pieces[PIECES_MAX];
static size_t live_bytes;
static const char *secret; /* NULL: none */
static unsigned told;      /* so many pieces were given back with it */

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void __wrap_free(void *p);

static struct piece *slot_of(const void *p)
{
	size_t at = (size_t)((uintptr_t)p / 16 * 0x9e3779b97f4a7c15 >> 48) % PIECES_MAX;

	while (pieces[at].p != p && pieces[at].n != 0)
		at = (at + 1) % PIECES_MAX;
	return &pieces[at];
}

static void *note(void *p, size_t n)
{
	if (p == NULL || n == 0 || conn_fixture_client_acts)
		return p;
	*slot_of(p) = (struct piece){ p, n };
	live_bytes += n;
	return p;
}

/* What it has from whoever had this memory before, a client perhaps, it did not put there. */
void *__wrap_malloc(size_t n)
{
	void *p = note(__real_malloc(n), n);

	return p != NULL ? memset(p, 0xa5, n) : NULL;
}

void *__wrap_calloc(size_t count, size_t n)
{
	return note(__real_calloc(count, n), count * n);
}

void __wrap_free(void *p)
{
	struct piece *piece = slot_of(p);

	if (piece->p == p && p != NULL) {
		live_bytes -= piece->n;
		told += secret != NULL && memmem(p, piece->n, secret, strlen(secret)) != NULL;
		piece->p = NULL; /* n stays, so that what was put behind it is still found */
	}
	__real_free(p);
}

/* What the connection of a client who has said this holds when nothing happens any more. */
static size_t held(enum config_protocol protocol, const char *say, bool deaf, uint64_t seed)
{
	const struct client_step script[] = {
		{ .await = deaf ? NULL : "ready.\r\n", .send = say },
		{ .await = "never" },
		{ 0 },
	};
	static struct conn_fixture f;

	conn_fixture_open(&f, seed, protocol, script);
	f.shard.env.plaintext_login = true;
	f.client.deaf = deaf;
	memset(pieces, 0, sizeof(pieces));
	/* Slabs of tasks are the shard's, and stay. */
	pool_give(&f.shard.loop->task_pool, pool_take(&f.shard.loop->task_pool));
	live_bytes = 0;
	conn_fixture_accept(&f);
	while (sim_now_ns(f.world) - f.accepted_ns < CLOCK_NS_PER_S && sim_step(f.world))
		;
	size_t bytes = live_bytes;

	cr_assert(!list_empty(&f.shard.conns), "it is still there");
	conn_fixture_close(&f);
	return bytes;
}

/* say: the beginning, then `n` times `more`. */
static void check(const char *name, const char *say, const char *more, size_t n)
{
	size_t say_n = strlen(say), more_n = strlen(more);
	char *text = malloc(say_n + n * more_n + 1);
	size_t plain = 0, deaf = 0, tls = 0;

	memcpy(text, say, say_n + 1);
	for (size_t i = 0; i < n; i++)
		memcpy(text + say_n + i * more_n, more, more_n + 1);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		plain = num_max(plain, held(CONFIG_IMAP, text, false, seed));
		deaf = num_max(deaf, held(CONFIG_IMAP, text, true, seed));
		tls = num_max(tls, held(CONFIG_IMAPS, text, false, seed));
	}
	free(text);
	cr_assert_gt(plain, sizeof(struct conn), "it counts");
	cr_assert_leq(plain, STRANGER_BYTES_MAX, "%s: %zu", name, plain);
	cr_assert_leq(deaf, STRANGER_BYTES_MAX, "%s, answers unread: %zu", name, deaf);
	cr_assert_leq(tls, STRANGER_BYTES_MAX + RECORD_BYTES_MAX, "%s, TLS: %zu", name, tls);
}

Test(conn_memory, a_stranger_costs_little)
{
	static char line_and_literal[9000] = "a LOGIN ";

	check("nothing", "", "", 0);
	check("half a line", "a LOGIN ", "x", 8100);
	memset(line_and_literal + 8, 'x', 8000);
	strcat(line_and_literal, " {8192+}\r\n");
	check("a line and half a literal", line_and_literal, "x", 8191);
	check("half a SASL response", "a AUTHENTICATE PLAIN\r\n", "A", 12200);
	check("many commands", "", "a CAPABILITY\r\n", 2000);
	check("many literals", "a LOGIN", " {30+}\r\n123456789012345678901234567890", 200);
}

/* However it was said, well or badly: no memory is given back with it, and none that all connections use keeps it. */
Test(conn_memory, a_password_is_wiped)
{
	static const char *const said[] = {
		"a LOGIN sam hush7hush\r\n",
		"a LOGIN sam \"hu\\\"sh7hush\"\r\n",
		"a LOGIN sam {9+}\r\nhush7hush\r\n",
		"a LOGIN sam \"hu\\\"sh7hush\" more\r\n",
		"a LOGIN sam hush7hush more\r\n",
		"a LOGIN hush7hush\r\n",
		"a AUTHENTICATE PLAIN AHNhbQBodXNoN2h1c2g=\r\n",
		"a AUTHENTICATE PLAIN\r\nAHNhbQBodXNoN2h1c2g=\r\n",
	};

	for (size_t i = 0; i < 2 * sizeof(said) / sizeof(said[0]); i++) {
		const struct client_step script[] = {
			{ .await = "ready.\r\n", .send = said[i / 2] },
			{ .await = "a ", .send = "z LOGOUT\r\n" },
			{ .await = "z OK" },
			{ 0 },
		};
		static struct conn_fixture f;

		secret = "sh7hush";
		told = 0;
		conn_fixture_open(&f, 1, i % 2 == 0 ? CONFIG_IMAP : CONFIG_IMAPS, script);
		f.shard.env.plaintext_login = true;
		memset(f.shard.read_scratch, 0, 1024);
		conn_fixture_accept(&f);
		conn_fixture_run(&f);
		cr_assert_not_null(strstr(f.client.text, "z OK"), "%s", f.client.text);
		cr_assert_null(memmem(f.shard.read_scratch, 1024, secret, strlen(secret)), "%s", said[i / 2]);
		cr_assert_eq(told, 0, "%s", said[i / 2]);
		secret = NULL;
		conn_fixture_close(&f);
	}
}
