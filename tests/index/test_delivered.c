#include "index/delivered.h"

#include <criterion/criterion.h>

enum { NOW = 1700000000 };

static struct delivery delivery_of(uint64_t i, uint64_t seconds)
{
	/* Low bits alike for some: chains. */
	return (struct delivery){ { i % 3 == 0 ? 64 : i * UINT64_C(0x9e3779b97f4a7c15), i }, seconds };
}

static void add(struct delivered *delivered, uint64_t i, uint64_t seconds)
{
	struct delivery delivery = delivery_of(i, seconds);

	cr_assert_eq(delivered_prepare(delivered), RP_OK);
	delivered_add(delivered, &delivery);
}

static bool has(const struct delivered *delivered, uint64_t i, uint64_t now_s)
{
	return delivered_has(delivered, delivery_of(i, 0).key, now_s);
}

Test(delivered, what_was_added_is_known_for_a_day)
{
	struct delivered delivered = { 0 };

	cr_assert_not(has(&delivered, 1, NOW));
	for (uint64_t i = 1; i <= 1000; i++)
		add(&delivered, i, NOW + i);
	for (uint64_t i = 1; i <= 1000; i++) {
		cr_assert(has(&delivered, i, NOW + i));
		cr_assert(has(&delivered, i, NOW + i + DELIVERED_S));
		cr_assert_not(has(&delivered, i, NOW + i + DELIVERED_S + 1));
	}
	cr_assert_not(has(&delivered, 1001, NOW));
	add(&delivered, 1001, NOW + 500 + DELIVERED_S);
	cr_assert_eq(delivered.count, 502, "those of the day before made room");
	cr_assert_not(has(&delivered, 499, NOW + 499));
	cr_assert(has(&delivered, 500, NOW + 500 + DELIVERED_S));
	delivered_fini(&delivered);
}

Test(delivered, twice_is_once_and_again_after_a_day)
{
	struct delivered delivered = { 0 };

	add(&delivered, 7, NOW);
	add(&delivered, 7, NOW);
	cr_assert_eq(delivered.count, 1);
	add(&delivered, 7, NOW + DELIVERED_S + 10);
	cr_assert_eq(delivered.count, 1);
	cr_assert(has(&delivered, 7, NOW + DELIVERED_S + 20));
	delivered_fini(&delivered);
}

Test(delivered, of_too_many_the_oldest_go)
{
	struct delivered delivered = { 0 };

	for (uint64_t i = 1; i <= 3 * DELIVERED_MAX; i++)
		add(&delivered, i, NOW + i / 100);
	cr_assert_eq(delivered.count, DELIVERED_MAX);
	cr_assert_eq(delivered.ring_max, DELIVERED_MAX);
	for (uint64_t i = 1; i <= 3 * DELIVERED_MAX; i++)
		cr_assert_eq(has(&delivered, i, NOW + 200), i > 2 * DELIVERED_MAX, "%lu", i);
	delivered_fini(&delivered);
}

Test(delivered, a_clock_that_is_set_back_takes_nothing_for_old)
{
	struct delivered delivered = { 0 };

	add(&delivered, 1, NOW);
	add(&delivered, 2, NOW - 3600);
	cr_assert(has(&delivered, 1, NOW - 3600));
	cr_assert(has(&delivered, 2, NOW - 3600));
	cr_assert_not(has(&delivered, 1, NOW - 2 * DELIVERED_S), "what is said to come from the future");
	delivered_fini(&delivered);
}

/* As a merged journal has it: what was left is told again, in its order, to somebody who knows nothing. */
static void expect_same_when_told_again(const struct delivered *delivered)
{
	struct delivered again = { 0 };

	for (size_t i = 0; i < delivered->count; i++) {
		cr_assert_eq(delivered_prepare(&again), RP_OK);
		delivered_add(&again, delivered_at(delivered, i));
	}
	cr_assert_eq(again.count, delivered->count);
	for (size_t i = 0; i < again.count; i++)
		cr_assert_eq(delivered_at(&again, i)->key.high, delivered_at(delivered, i)->key.high);
	delivered_fini(&again);
}

Test(delivered, what_is_left_makes_the_same_again_though_the_clock_was_set_back)
{
	struct delivered delivered = { 0 };

	add(&delivered, 1, NOW);
	add(&delivered, 2, NOW - DELIVERED_S + 10);
	add(&delivered, 3, NOW + 20);
	cr_assert(has(&delivered, 1, NOW + 20));
	cr_assert_not(has(&delivered, 2, NOW - DELIVERED_S + 10), "older by a day, though a newer one stands before it");
	expect_same_when_told_again(&delivered);
	delivered_fini(&delivered);
}

Test(delivered, what_is_left_makes_the_same_again_however_the_clock_jumps)
{
	struct delivered delivered = { 0 };
	uint64_t now_s = NOW;
	uint64_t random = 1;

	for (uint64_t i = 1; i <= 3000; i++) {
		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		now_s += (random >> 32) % 100;
		if (random >> 59 == 0) /* one in 32: up to two days, forth or back */
			now_s = now_s + (random >> 32) % (4 * DELIVERED_S) - 2 * DELIVERED_S;
		add(&delivered, i, now_s);
		cr_assert(has(&delivered, i, now_s));
		expect_same_when_told_again(&delivered);
	}
	delivered_fini(&delivered);
}

static struct delivery_key key_of(uint8_t user, const char *recipient, const char *a, const char *b)
{
	struct userid userid = { { user } };
	struct delivery_hash *hash;
	struct delivery_key key;

	cr_assert_eq(delivery_hash_open(&userid, bytes_of_str(recipient), &hash), RP_OK);
	delivery_hash_add(hash, bytes_of_str(a));
	delivery_hash_add(hash, bytes_of_str(b));
	key = delivery_hash_key(hash);
	delivery_hash_close(hash);
	return key;
}

static bool same(struct delivery_key a, struct delivery_key b)
{
	return a.low == b.low && a.high == b.high;
}

Test(delivered, a_key_is_of_user_recipient_and_every_byte)
{
	struct delivery_key key = key_of(1, "sam@example.org", "From: a\r\n", "\r\nx");

	cr_assert(same(key, key_of(1, "sam@example.org", "", "From: a\r\n\r\nx")));
	cr_assert_not(same(key, key_of(2, "sam@example.org", "From: a\r\n", "\r\nx")));
	cr_assert_not(same(key, key_of(1, "sam+b@example.org", "From: a\r\n", "\r\nx")));
	cr_assert_not(same(key, key_of(1, "sam@example.org", "From: a\r\n", "\r\ny")));
	cr_assert_not(same(key, key_of(1, "sam@example.orgF", "rom: a\r\n", "\r\nx")));
	delivery_hash_close(NULL);
}
