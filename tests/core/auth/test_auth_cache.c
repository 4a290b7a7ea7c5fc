#include <criterion/criterion.h>

#include "core/auth/auth_cache.h"
#include "io/base/clock.h"

static struct auth_cache cache;
static const struct hash_key keys[2] = {{1, 2}, {3, 4}};
static const uint64_t keep_ns = 60 * CLOCK_NS_PER_S;

static struct auth_wire_request sample(void)
{
	return (struct auth_wire_request){
	    .id = 5,
	    .kind = AUTH_WIRE_VERIFY,
	    .peer = {9},
	    .name = BYTES_LIT("demo"),
	    .authzid = BYTES_LIT("x"),
	    .password = BYTES_LIT("secret"),
	    .service = BYTES_LIT("imap"),
	};
}

static const struct auth_wire_answer success = {
    .result = AUTH_WIRE_OK,
    .flags = AUTH_WIRE_MASTER,
    .userid = {{7}},
    .name = {(const uint8_t *)"demo", 4},
};

static bool knows(struct auth_wire_request request, uint64_t now_ns)
{
	struct auth_wire_answer answer;

	if (!auth_cache_find(&cache, auth_cache_key_of(&cache, &request), now_ns, &answer))
		return false;
	cr_assert_eq(answer.result, AUTH_WIRE_OK);
	cr_assert_eq(answer.flags, AUTH_WIRE_MASTER);
	cr_assert_eq(answer.userid.p[0], 7);
	cr_assert(bytes_eq(answer.name, BYTES_LIT("demo")));
	return true;
}

Test(auth_cache, a_success_is_good_for_its_time_and_no_longer)
{
	struct auth_wire_request request = sample();

	auth_cache_init(&cache, keys, keep_ns);
	cr_assert_not(knows(request, 100));
	auth_cache_add(&cache, auth_cache_key_of(&cache, &request), &success, 100);
	request.id = 6;
	request.peer[0] = 8;
	cr_assert(knows(request, 100));
	cr_assert(knows(request, 99 + keep_ns));
	cr_assert_not(knows(request, 100 + keep_ns));
	cr_assert_not(knows(request, 100)); /* gone for good */
	auth_cache_fini(&cache);
}

/* Each text that the answer depends on, and where one ends and the next begins. */
Test(auth_cache, any_other_login_is_another_entry)
{
	struct auth_wire_request request = sample(), other;

	auth_cache_init(&cache, keys, keep_ns);
	auth_cache_add(&cache, auth_cache_key_of(&cache, &request), &success, 0);
	other = request, other.name = BYTES_LIT("demp");
	cr_assert_not(knows(other, 0));
	other = request, other.authzid = BYTES_LIT("");
	cr_assert_not(knows(other, 0));
	other = request, other.password = BYTES_LIT("secreT");
	cr_assert_not(knows(other, 0));
	other = request, other.service = BYTES_LIT("lmtp");
	cr_assert_not(knows(other, 0));
	other = request, other.name = BYTES_LIT("demox"), other.authzid = BYTES_LIT("");
	cr_assert_not(knows(other, 0));
	other = request, other.authzid = BYTES_LIT("xs"), other.password = BYTES_LIT("ecret");
	cr_assert_not(knows(other, 0));
	cr_assert(knows(request, 0));
	auth_cache_clear(&cache);
	cr_assert_not(knows(request, 0));
	auth_cache_fini(&cache);
}

Test(auth_cache, another_process_has_other_keys)
{
	static const struct hash_key others[2] = {{1, 2}, {3, 5}};
	struct auth_wire_request request = sample();
	struct auth_cache other;

	auth_cache_init(&cache, keys, keep_ns);
	auth_cache_init(&other, others, keep_ns);
	struct auth_cache_key a = auth_cache_key_of(&cache, &request);
	struct auth_cache_key b = auth_cache_key_of(&other, &request);

	cr_assert_eq(a.word[0], b.word[0]);
	cr_assert_neq(a.word[1], b.word[1]);
	/* Half of a key is not enough. */
	auth_cache_add(&cache, b, &success, 0);
	cr_assert_not(knows(request, 0));
	auth_cache_fini(&cache);
	auth_cache_fini(&other);
}

Test(auth_cache, is_bounded_and_drops_the_oldest)
{
	auth_cache_init(&cache, keys, keep_ns);
	for (uint64_t i = 0; i <= AUTH_CACHE_ENTRIES_MAX; i++)
		auth_cache_add(&cache, (struct auth_cache_key){{i, i}}, &success, i);
	struct auth_wire_answer answer;

	cr_assert_not(auth_cache_find(&cache, (struct auth_cache_key){{0, 0}}, 1, &answer));
	cr_assert(auth_cache_find(&cache, (struct auth_cache_key){{1, 1}}, 1, &answer));
	cr_assert_eq(cache.pool.live_count, AUTH_CACHE_ENTRIES_MAX);
	auth_cache_fini(&cache);
}

Test(auth_cache, with_no_time_to_keep_nothing_is_kept)
{
	struct auth_wire_request request = sample();

	auth_cache_init(&cache, keys, 0);
	auth_cache_add(&cache, auth_cache_key_of(&cache, &request), &success, 0);
	cr_assert_not(knows(request, 0));
	auth_cache_fini(&cache);
}
