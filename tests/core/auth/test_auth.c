#include <criterion/criterion.h>

#include "core/auth/auth.h"
#include "io/base/clock.h"

static struct auth auth;
static const struct hash_key keys[2] = {{1, 2}, {3, 4}};
static uint8_t message[AUTH_WIRE_REQUEST_BYTES_MAX];
static uint8_t answer_room[AUTH_WIRE_ANSWER_BYTES_MAX];
static int waiters[AUTH_REQUESTS_MAX + 1];

static void init(void)
{
	auth_init(&auth, keys, AUTH_KEEP_S * CLOCK_NS_PER_S);
}

static enum auth_ask_verdict ask(enum auth_wire_kind kind, int who, uint64_t now_ns, uint64_t *id)
{
	struct auth_wire_request request = {.kind = kind, .name = BYTES_LIT("demo")}, sent;
	struct auth_wire_answer known;
	size_t n;

	if (kind == AUTH_WIRE_VERIFY)
		request.password = BYTES_LIT("secret");
	enum auth_ask_verdict verdict =
	    auth_ask(&auth, &request, now_ns, &waiters[who], message, &n, id, &known);

	if (verdict == AUTH_ASK_SEND) {
		cr_assert_eq(auth_wire_get_request(bytes_of(message, n), &sent), RP_OK);
		cr_assert_eq(sent.id, *id);
		cr_assert_eq(sent.kind, kind);
		cr_assert(bytes_eq(sent.password, request.password));
	}
	if (verdict == AUTH_ASK_KNOWN)
		cr_assert(bytes_eq(known.name, BYTES_LIT("demo")));
	return verdict;
}

/* Who is woken by this answer; -1: nobody. */
static int answer(uint64_t id, enum auth_wire_result result, uint64_t now_ns)
{
	struct auth_wire_answer given = {.id = id, .result = result, .name = BYTES_LIT("demo")},
	                        got;
	size_t n = auth_wire_put_answer(&given, answer_room);
	void *waiter;

	if (auth_answer(&auth, bytes_of(answer_room, n), now_ns, &waiter, &got) != RP_OK)
		return -1;
	cr_assert_eq(got.result, result);
	return (int)((int *)waiter - waiters);
}

Test(auth, an_answer_wakes_the_one_who_asked)
{
	uint64_t a, b;

	init();
	cr_assert_eq(ask(AUTH_WIRE_VERIFY, 1, 0, &a), AUTH_ASK_SEND);
	cr_assert_eq(ask(AUTH_WIRE_LOOKUP, 2, 0, &b), AUTH_ASK_SEND);
	cr_assert_neq(a, b);
	cr_assert_eq(answer(b, AUTH_WIRE_NOBODY, 0), 2);
	cr_assert_eq(answer(b, AUTH_WIRE_NOBODY, 0), -1); /* only once */
	cr_assert_eq(answer(a, AUTH_WIRE_WRONG, 0), 1);
	cr_assert_eq(answer(0, AUTH_WIRE_OK, 0), -1);
	cr_assert_eq(answer(12345678, AUTH_WIRE_OK, 0), -1);
	auth_fini(&auth);
}

Test(auth, only_a_right_password_is_remembered)
{
	uint64_t id;

	init();
	cr_assert_eq(ask(AUTH_WIRE_VERIFY, 1, 0, &id), AUTH_ASK_SEND);
	cr_assert_eq(answer(id, AUTH_WIRE_WRONG, 0), 1);
	cr_assert_eq(ask(AUTH_WIRE_VERIFY, 1, 0, &id), AUTH_ASK_SEND);
	cr_assert_eq(answer(id, AUTH_WIRE_UNAVAILABLE, 0), 1);
	cr_assert_eq(ask(AUTH_WIRE_LOOKUP, 1, 0, &id), AUTH_ASK_SEND);
	cr_assert_eq(answer(id, AUTH_WIRE_OK, 0), 1);
	cr_assert_eq(ask(AUTH_WIRE_LOOKUP, 1, 0, &id), AUTH_ASK_SEND);
	cr_assert_eq(answer(id, AUTH_WIRE_OK, 0), 1);
	cr_assert_eq(ask(AUTH_WIRE_VERIFY, 1, 0, &id), AUTH_ASK_SEND);
	cr_assert_eq(answer(id, AUTH_WIRE_OK, 5), 1);
	cr_assert_eq(ask(AUTH_WIRE_VERIFY, 1, 6, &id), AUTH_ASK_KNOWN);
	cr_assert_eq(
	    ask(AUTH_WIRE_VERIFY, 1, 5 + AUTH_KEEP_S * CLOCK_NS_PER_S, &id), AUTH_ASK_SEND);
	auth_forget(&auth, id);
	auth_fini(&auth);
}

/* An answer under way may be from before the change. */
Test(auth, a_change_of_users_forgets_what_is_under_way_too)
{
	uint64_t id;

	init();
	cr_assert_eq(ask(AUTH_WIRE_VERIFY, 1, 0, &id), AUTH_ASK_SEND);
	auth_changed(&auth);
	cr_assert_eq(answer(id, AUTH_WIRE_OK, 0), 1);
	cr_assert_eq(ask(AUTH_WIRE_VERIFY, 1, 0, &id), AUTH_ASK_SEND);
	cr_assert_eq(answer(id, AUTH_WIRE_OK, 0), 1);
	cr_assert_eq(ask(AUTH_WIRE_VERIFY, 1, 0, &id), AUTH_ASK_KNOWN);
	auth_changed(&auth);
	cr_assert_eq(ask(AUTH_WIRE_VERIFY, 1, 0, &id), AUTH_ASK_SEND);
	auth_forget(&auth, id);
	auth_fini(&auth);
}

Test(auth, the_table_is_bounded_and_rows_are_used_again)
{
	static uint64_t ids[AUTH_REQUESTS_MAX];
	uint64_t id;

	init();
	for (int i = 0; i < AUTH_REQUESTS_MAX; i++)
		cr_assert_eq(ask(AUTH_WIRE_LOOKUP, i, 0, &ids[i]), AUTH_ASK_SEND);
	cr_assert_eq(ask(AUTH_WIRE_LOOKUP, AUTH_REQUESTS_MAX, 0, &id), AUTH_ASK_FULL);
	auth_forget(&auth, ids[100]);
	auth_forget(&auth, ids[100]);
	cr_assert_eq(ask(AUTH_WIRE_LOOKUP, AUTH_REQUESTS_MAX, 0, &id), AUTH_ASK_SEND);
	cr_assert_neq(id, ids[100]);
	cr_assert_eq(answer(ids[100], AUTH_WIRE_OK, 0), -1); /* late: the row has another owner */
	cr_assert_eq(answer(id, AUTH_WIRE_OK, 0), AUTH_REQUESTS_MAX);
	for (int i = 0; i < AUTH_REQUESTS_MAX - 1; i++)
		cr_assert_not_null(auth_next_lost(&auth));
	cr_assert_null(auth_next_lost(&auth));
	auth_fini(&auth);
}

Test(auth, who_waits_too_long_is_told_so_in_order)
{
	const uint64_t timeout_ns = AUTH_TIMEOUT_S * CLOCK_NS_PER_S;
	uint64_t id;

	init();
	cr_assert_eq(ask(AUTH_WIRE_LOOKUP, 1, 10, &id), AUTH_ASK_SEND);
	cr_assert_eq(ask(AUTH_WIRE_LOOKUP, 2, 20, &id), AUTH_ASK_SEND);
	cr_assert_null(auth_next_late(&auth, 9 + timeout_ns));
	cr_assert_eq(auth_next_late(&auth, 10 + timeout_ns), &waiters[1]);
	cr_assert_null(auth_next_late(&auth, 19 + timeout_ns));
	cr_assert_eq(auth_next_late(&auth, 20 + timeout_ns), &waiters[2]);
	cr_assert_null(auth_next_late(&auth, UINT64_MAX));
	cr_assert_eq(answer(id, AUTH_WIRE_OK, 0), -1);
	auth_fini(&auth);
}

Test(auth, while_others_are_answered_it_is_waited_longer)
{
	const uint64_t s = CLOCK_NS_PER_S;
	uint64_t first;
	uint64_t second;
	uint64_t third;

	init();
	cr_assert_eq(ask(AUTH_WIRE_LOOKUP, 1, 1 * s, &first), AUTH_ASK_SEND);
	cr_assert_eq(ask(AUTH_WIRE_LOOKUP, 2, 1 * s, &second), AUTH_ASK_SEND);
	cr_assert_eq(ask(AUTH_WIRE_LOOKUP, 3, 1 * s, &third), AUTH_ASK_SEND);
	cr_assert_eq(answer(first, AUTH_WIRE_OK, 5 * s), 1);
	cr_assert_null(auth_next_late(&auth, (5 + AUTH_TIMEOUT_S) * s - 1));
	cr_assert_eq(auth_next_late(&auth, (5 + AUTH_TIMEOUT_S) * s), &waiters[2]);
	cr_assert_eq(answer(second, AUTH_WIRE_OK, 30 * s), -1, "nobody waits for it: an answer all the same");
	cr_assert_null(auth_next_late(&auth, (1 + AUTH_WAIT_S) * s - 1));
	cr_assert_eq(auth_next_late(&auth, (1 + AUTH_WAIT_S) * s), &waiters[3]);
	auth_fini(&auth);
}

Test(auth, junk_is_no_answer)
{
	void *waiter;
	struct auth_wire_answer got;

	init();
	cr_assert_eq(auth_answer(&auth, BYTES_LIT("junk"), 0, &waiter, &got), RP_ERR_SYNTAX);
	auth_fini(&auth);
}
