#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "index/catalog.h"
#include "index/format.h"

static const struct hash_key key = { 1, 2 };
static const struct userid user = { { 1, 2, 3 } };

static enum rp_err add(struct catalog *catalog, uint64_t mailboxid, const char *name, unsigned use)
{
	struct change_item item = { .type = CHANGE_ITEM_MAILBOX,
		.mailboxid = mailboxid,
		.name = bytes_of_str(name),
		.uidvalidity = 1000 + (uint32_t)mailboxid,
		.special_use = use };

	return catalog_apply(catalog, &item, 10 + mailboxid);
}

static enum rp_err subscribe(struct catalog *catalog, const char *name, bool on)
{
	struct change_item item = {
		.type = CHANGE_ITEM_SUBSCRIPTION, .name = bytes_of_str(name), .on = on
	};

	return catalog_apply(catalog, &item, 50);
}

static enum rp_err rename_to(struct catalog *catalog, uint64_t mailboxid, const char *name)
{
	struct change_item item = {
		.type = CHANGE_ITEM_NAME, .mailboxid = mailboxid, .name = bytes_of_str(name)
	};

	return catalog_apply(catalog, &item, 60);
}

static enum rp_err gone(struct catalog *catalog, uint64_t mailboxid)
{
	struct change_item item = { .type = CHANGE_ITEM_GONE, .mailboxid = mailboxid };

	return catalog_apply(catalog, &item, 70);
}

/* All names in order, each as "name:id" with '+' if subscribed. */
static void assert_names(struct catalog *catalog, const char *expected)
{
	char text[4096] = "";
	size_t n = 0;
	struct bytes at = { 0 };
	struct catalog_node *node;

	catalog_sort(catalog);
	while ((node = catalog_after(catalog, at)) != NULL) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s:%d%s", n > 0 ? " " : "",
		    BYTES_FMT(node->entry.name), (int)node->entry.mailboxid,
		    node->entry.subscribed ? "+" : "");
		cr_assert_eq(catalog_find(catalog, node->entry.name), node);
		at = node->entry.name;
	}
	cr_assert_str_eq(text, expected);
}

Test(catalog, names_are_kept_in_byte_order)
{
	struct catalog catalog;

	catalog_init(&catalog, key);
	cr_assert_null(catalog_find(&catalog, BYTES_LIT("a")));
	cr_assert_null(catalog_after(&catalog, bytes_of("", 0)));
	cr_assert_eq(add(&catalog, 1, "b", 0), RP_OK);
	cr_assert_eq(add(&catalog, 2, "a/x", 0), RP_OK);
	cr_assert_eq(add(&catalog, 3, "a", 0), RP_OK);
	cr_assert_eq(add(&catalog, 4, "a-b", 0), RP_OK);
	assert_names(&catalog, "a:3 a-b:4 a/x:2 b:1");
	cr_assert_eq(catalog.sums.mailboxid_next, 5);
	cr_assert_eq(catalog.sums.uidvalidity_last, 1004);
	cr_assert_eq(catalog_by_id(&catalog, 2)->entry.highestmodseq, 12);
	catalog_fini(&catalog);
}

Test(catalog, children_are_found_behind_names_that_sort_between)
{
	struct catalog catalog;

	catalog_init(&catalog, key);
	cr_assert_eq(add(&catalog, 1, "a", 0), RP_OK);
	cr_assert_eq(add(&catalog, 2, "a!b", 0), RP_OK);
	cr_assert_eq(add(&catalog, 3, "a-b", 0), RP_OK);
	cr_assert(!catalog_has_children(&catalog, BYTES_LIT("a")));
	cr_assert_eq(subscribe(&catalog, "a/only", true), RP_OK);
	cr_assert(!catalog_has_children(&catalog, BYTES_LIT("a")));
	cr_assert_eq(add(&catalog, 4, "a/z", 0), RP_OK);
	cr_assert(catalog_has_children(&catalog, BYTES_LIT("a")));
	cr_assert(!catalog_has_children(&catalog, BYTES_LIT("a/z")));
	cr_assert(!catalog_has_children(&catalog, BYTES_LIT("a-b")));
	cr_assert_eq(add(&catalog, 5, "a0", 0), RP_OK);
	cr_assert(!catalog_has_children(&catalog, BYTES_LIT("a0")));
	catalog_fini(&catalog);
}

Test(catalog, a_subscription_outlives_its_mailbox_and_meets_the_next_one)
{
	struct catalog catalog;

	catalog_init(&catalog, key);
	cr_assert_eq(add(&catalog, 1, "a", 0), RP_OK);
	cr_assert_eq(subscribe(&catalog, "a", true), RP_OK);
	cr_assert_eq(subscribe(&catalog, "never", true), RP_OK);
	assert_names(&catalog, "a:1+ never:0+");
	cr_assert_eq(gone(&catalog, 1), RP_OK);
	assert_names(&catalog, "a:0+ never:0+");
	cr_assert_eq(gone(&catalog, 1), RP_OK);
	cr_assert_eq(add(&catalog, 2, "a", 0), RP_OK);
	assert_names(&catalog, "a:2+ never:0+");
	cr_assert_eq(subscribe(&catalog, "a", false), RP_OK);
	cr_assert_eq(subscribe(&catalog, "never", false), RP_OK);
	cr_assert_eq(subscribe(&catalog, "never", false), RP_OK);
	assert_names(&catalog, "a:2");
	cr_assert_eq(gone(&catalog, 2), RP_OK);
	assert_names(&catalog, "");
	cr_assert_eq(catalog.sums.mailboxid_next, 3);
	catalog_fini(&catalog);
}

Test(catalog, a_rename_takes_the_subscription_along)
{
	struct catalog catalog;

	catalog_init(&catalog, key);
	cr_assert_eq(add(&catalog, 1, "m", SPECIAL_USE_SENT), RP_OK);
	cr_assert_eq(add(&catalog, 2, "m/x", 0), RP_OK);
	cr_assert_eq(add(&catalog, 3, "z", 0), RP_OK);
	cr_assert_eq(subscribe(&catalog, "m", true), RP_OK);
	cr_assert_eq(subscribe(&catalog, "a/x", true), RP_OK);
	catalog_by_id(&catalog, 1)->index_lsn = 7;
	cr_assert_eq(rename_to(&catalog, 1, "a"), RP_OK);
	cr_assert_eq(rename_to(&catalog, 2, "a/x"), RP_OK);
	assert_names(&catalog, "a:1+ a/x:2+ z:3");
	cr_assert_eq(catalog_by_id(&catalog, 1)->index_lsn, 7);
	cr_assert_eq(catalog_with_use(&catalog, SPECIAL_USE_SENT)->entry.mailboxid, 1);
	cr_assert_eq(rename_to(&catalog, 1, "a"), RP_OK);
	cr_assert_eq(rename_to(&catalog, 1, "z"), RP_ERR_CORRUPT);
	cr_assert_eq(rename_to(&catalog, 9, "q"), RP_ERR_CORRUPT);
	assert_names(&catalog, "a:1+ a/x:2+ z:3");
	catalog_fini(&catalog);
}

Test(catalog, many_renames_keep_the_order)
{
	struct catalog catalog;
	char name[32];
	struct bytes at = { 0 };
	struct bytes before = { 0 };
	size_t n = 0;

	catalog_init(&catalog, key);
	for (unsigned i = 1; i <= 3000; i++) {
		snprintf(name, sizeof(name), "from/%u", i * 7919 % 3001);
		cr_assert_eq(add(&catalog, i, name, 0), RP_OK);
	}
	for (unsigned i = 1; i <= 3000; i++) {
		snprintf(name, sizeof(name), "to/%u", i * 104729 % 3001);
		cr_assert_eq(rename_to(&catalog, i, name), RP_OK);
		if (i % 100 == 0)
			cr_assert_eq(gone(&catalog, i), RP_OK);
	}
	catalog_sort(&catalog);
	for (struct catalog_node *node; (node = catalog_after(&catalog, at)) != NULL; n++) {
		before = at;
		at = node->entry.name;
		cr_assert_lt(bytes_cmp(before, at), 0);
		cr_assert(bytes_starts_with(at, BYTES_LIT("to/")));
	}
	cr_assert_eq(n, 2970);
	catalog_fini(&catalog);
}

Test(catalog, a_name_that_is_there_is_not_given_to_another_id)
{
	struct catalog catalog;

	catalog_init(&catalog, key);
	cr_assert_eq(add(&catalog, 1, "a", 0), RP_OK);
	cr_assert_eq(add(&catalog, 2, "a", 0), RP_ERR_CORRUPT);
	cr_assert_eq(add(&catalog, 1, "a", 0), RP_OK);
	assert_names(&catalog, "a:1");
	catalog_fini(&catalog);
}

/* An opening over lost records has found a mailbox and given it a UIDVALIDITY; the catalog file that was ahead of what was left then is its base
 * the next time, and knows of an older one. */
Test(catalog, a_mailbox_that_is_told_again_has_the_greater_uidvalidity)
{
	struct change_item item = {.type = CHANGE_ITEM_MAILBOX, .mailboxid = 1, .name = BYTES_LIT("Recovered-1")};
	struct catalog catalog;

	catalog_init(&catalog, key);
	cr_assert_eq(add(&catalog, 1, "a", 0), RP_OK);
	item.uidvalidity = catalog_by_id(&catalog, 1)->entry.uidvalidity + 7;
	cr_assert_eq(catalog_apply(&catalog, &item, 80), RP_OK);
	cr_assert_eq(catalog_by_id(&catalog, 1)->entry.uidvalidity, item.uidvalidity);
	cr_assert_eq(catalog.sums.uidvalidity_last, item.uidvalidity);
	cr_assert_eq(add(&catalog, 1, "a", 0), RP_OK);
	cr_assert_eq(catalog_by_id(&catalog, 1)->entry.uidvalidity, item.uidvalidity);
	assert_names(&catalog, "a:1");
	catalog_fini(&catalog);
}

Test(catalog, what_was_prepared_is_used_and_the_rest_dropped)
{
	struct catalog catalog;

	catalog_init(&catalog, key);
	for (unsigned i = 0; i < 40; i++)
		cr_assert_eq(catalog_prepare(&catalog, 1 + i), RP_OK);
	cr_assert_eq(add(&catalog, 1, "abc", 0), RP_OK);
	cr_assert_eq(catalog.spares_count, 39);
	cr_assert_eq(add(&catalog, 2, "a", 0), RP_OK);
	cr_assert_eq(rename_to(&catalog, 1, "abcd"), RP_OK);
	cr_assert_eq(catalog.spares_count, 37);
	catalog_drop_spares(&catalog);
	assert_names(&catalog, "a:2 abcd:1");
	catalog_fini(&catalog);
}

Test(catalog, counters_and_the_lsn_that_is_needed)
{
	struct catalog catalog;
	struct change_item item = { .type = CHANGE_ITEM_COUNTERS,
		.mailboxid = 1,
		.counters = { 5, 4, 3, 2, 100 } };
	struct catalog_node *node;

	catalog_init(&catalog, key);
	cr_assert_eq(catalog_apply(&catalog, &item, 20), RP_ERR_CORRUPT);
	cr_assert_eq(add(&catalog, 1, "a", 0), RP_OK);
	cr_assert_eq(add(&catalog, 2, "b", 0), RP_OK);
	catalog.lsn = 30;
	cr_assert_eq(catalog_least_lsn(&catalog), 30);
	cr_assert_eq(catalog_apply(&catalog, &item, 20), RP_OK);
	node = catalog_by_id(&catalog, 1);
	cr_assert_eq(node->entry.messages_count, 4);
	cr_assert_eq(node->entry.highestmodseq, 20);
	cr_assert_eq(catalog_least_lsn(&catalog), 0);
	node->index_lsn = 15;
	cr_assert_eq(catalog_least_lsn(&catalog), 15);
	node->index_lsn = 20;
	cr_assert_eq(catalog_least_lsn(&catalog), 30);
	item.type = CHANGE_ITEM_DESTROYED;
	cr_assert_eq(catalog_apply(&catalog, &item, 31), RP_OK);
	cr_assert_eq(catalog.count, 0);
	cr_assert(catalog.destroyed);
	cr_assert_eq(catalog.sums.mailboxid_next, 3);
	catalog_fini(&catalog);
}

/* A catalog with all that can be in one; its file, malloc'ed. */
static uint8_t *make_file(size_t *n)
{
	struct catalog catalog;
	struct change_item counters = { .type = CHANGE_ITEM_COUNTERS,
		.mailboxid = 2,
		.counters = { 5, 4, 3, 2, 100 } };
	uint8_t *file;

	catalog_init(&catalog, key);
	cr_assert_eq(add(&catalog, 1, "INBOX", 0), RP_OK);
	cr_assert_eq(add(&catalog, 2, "Sent", SPECIAL_USE_SENT | SPECIAL_USE_ALL), RP_OK);
	cr_assert_eq(subscribe(&catalog, "Sent", true), RP_OK);
	cr_assert_eq(subscribe(&catalog, "nowhere", true), RP_OK);
	cr_assert_eq(catalog_apply(&catalog, &counters, 40), RP_OK);
	catalog_by_id(&catalog, 2)->index_lsn = 39;
	catalog.lsn = 77;
	catalog.sums.bytes = 12345;
	for (uint64_t i = 0; i < 40; i++) {
		struct change_item came = { .type = CHANGE_ITEM_DELIVERY,
			.delivery = { { i * 16, ~i }, 1700000000 + i } };

		cr_assert_eq(catalog_apply(&catalog, &came, 41), RP_OK);
	}
	cr_assert_eq(catalog_encode(&catalog, &user, 3, 99, &file, n), RP_OK);
	catalog_fini(&catalog);
	return file;
}

Test(catalog, a_file_gives_the_same_catalog_back)
{
	struct catalog catalog;
	size_t n;
	uint8_t *file = make_file(&n);
	const struct catalog_node *node;

	catalog_init(&catalog, key);
	cr_assert_eq(catalog_decode(&catalog, bytes_of(file, n), &user), RP_OK);
	assert_names(&catalog, "INBOX:1 Sent:2+ nowhere:0+");
	node = catalog_find(&catalog, BYTES_LIT("Sent"));
	cr_assert_eq(node->entry.uidvalidity, 1002);
	cr_assert_eq(node->entry.special_use, SPECIAL_USE_SENT | SPECIAL_USE_ALL);
	cr_assert_eq(node->entry.uidnext, 5);
	cr_assert_eq(node->entry.highestmodseq, 40);
	cr_assert_eq(node->entry.bytes, 100);
	cr_assert_eq(node->changed_lsn, 40);
	cr_assert_eq(node->index_lsn, 39);
	cr_assert_eq(catalog.lsn, 77);
	cr_assert_eq(catalog.sums.bytes, 12345);
	cr_assert_eq(catalog.sums.mailboxid_next, 3);
	cr_assert_eq(catalog.sums.uidvalidity_last, 1002);
	cr_assert_eq(catalog.delivered.count, 40);
	cr_assert(delivered_has(&catalog.delivered, (struct delivery_key){ 39 * 16, ~UINT64_C(39) }, 1700000100));
	cr_assert_eq(delivered_at(&catalog.delivered, 7)->seconds, 1700000007);
	catalog_fini(&catalog);
	free(file);
}

/* Written before there were deliveries. */
Test(catalog, a_file_of_the_first_version_is_read)
{
	struct catalog catalog;
	struct format_header header;
	size_t n;
	uint8_t *file = make_file(&n);
	size_t without = n - 40 * 24;

	memcpy(&header, file, sizeof(header));
	header.extra[6] = XXH3_64bits_withSeed(
	    file + FORMAT_AREA_BYTES, without - FORMAT_AREA_BYTES, header.nonce);
	format_sign(&header, FORMAT_CATALOG, 1);
	format_put_area(&header, file);
	catalog_init(&catalog, key);
	cr_assert_eq(catalog_decode(&catalog, bytes_of(file, without), &user), RP_OK);
	assert_names(&catalog, "INBOX:1 Sent:2+ nowhere:0+");
	cr_assert_eq(catalog.delivered.count, 0);
	catalog_fini(&catalog);
	free(file);
}

Test(catalog, a_changed_bit_or_length_makes_the_file_corrupt)
{
	struct catalog catalog;
	struct userid other = { { 9 } };
	size_t n;
	uint8_t *file = make_file(&n);

	catalog_init(&catalog, key);
	cr_assert_eq(catalog_decode(&catalog, bytes_of(file, n), &other), RP_ERR_CORRUPT);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(catalog_decode(&catalog, bytes_of(file, i), &user), RP_ERR_CORRUPT);
	/* The header's two copies cover each other; what stands behind them has one checksum. */
	for (size_t i = 0; i < n * 8; i++) {
		bool header = i / 8 < FORMAT_AREA_BYTES;

		file[i / 8] ^= (uint8_t)(1u << i % 8);
		cr_assert_eq(catalog_decode(&catalog, bytes_of(file, n), &user),
		    header ? RP_OK : RP_ERR_CORRUPT);
		catalog_fini(&catalog);
		file[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	file[0] ^= 1;
	file[FORMAT_SECTOR_BYTES] ^= 1;
	cr_assert_eq(catalog_decode(&catalog, bytes_of(file, n), &user), RP_ERR_CORRUPT);
	file[0] ^= 1;
	cr_assert_eq(catalog_decode(&catalog, bytes_of(file, n), &user), RP_OK);
	catalog_fini(&catalog);
	free(file);
}
