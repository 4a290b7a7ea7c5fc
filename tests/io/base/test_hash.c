#include <criterion/criterion.h>
#include <stdio.h>

#include "io/base/hash.h"

struct object {
	struct hash_link link;
	uint32_t number;
};

static bool match(const struct hash_link *link, const void *key)
{
	return RP_CONTAINER_OF(link, struct object, link)->number == *(const uint32_t *)key;
}

/* From the appendix of the paper that describes SipHash: key 00..0f, input 00..0e. */
Test(hash, is_siphash_2_4)
{
	static const struct hash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	uint8_t in[15];

	for (uint8_t i = 0; i < sizeof(in); i++)
		in[i] = i;
	cr_assert_eq(hash_bytes(key, bytes_of(in, 15)), 0xa129ca6149be45e5);
	cr_assert_eq(hash_bytes(key, bytes_of(in, 0)), 0x726fdb47dd0e0e31);
	cr_assert_eq(hash_bytes(key, bytes_of(in, 8)), 0x93f5f5799a932462);
}

Test(hash, finds_what_was_added_and_not_what_was_taken_out)
{
	enum { COUNT = 5000 };
	static struct object objects[COUNT];
	struct hash hash;

	hash_init(&hash, (struct hash_key){1, 2});
	for (uint32_t i = 0; i < COUNT; i++) {
		uint64_t h = hash_bytes(hash.key, bytes_of(&i, sizeof(i)));

		cr_assert_null(hash_find(&hash, h, match, &i));
		objects[i].number = i;
		cr_assert(hash_add(&hash, &objects[i].link, h));
	}
	for (uint32_t i = 0; i < COUNT; i += 2)
		hash_del(&hash, &objects[i].link);
	cr_assert_eq(hash.count, COUNT / 2);
	for (uint32_t i = 0; i < COUNT; i++) {
		struct hash_link *link =
		    hash_find(&hash, hash_bytes(hash.key, bytes_of(&i, sizeof(i))), match, &i);

		cr_assert_eq(link, i % 2 == 0 ? NULL : &objects[i].link);
	}
	hash_fini(&hash);
	hash_fini(NULL);
}

Test(hash, objects_with_the_same_hash_are_told_apart)
{
	struct object objects[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
	struct hash hash;

	hash_init(&hash, (struct hash_key){1, 2});
	for (int i = 0; i < 3; i++)
		cr_assert(hash_add(&hash, &objects[i].link, 77));
	hash_del(&hash, &objects[1].link);
	for (uint32_t n = 1; n <= 3; n++)
		cr_assert_eq(hash_find(&hash, 77, match, &n), n == 2 ? NULL : &objects[n - 1].link);
	hash_fini(&hash);
}
