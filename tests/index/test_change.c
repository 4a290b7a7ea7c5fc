#include <criterion/criterion.h>

#include "index/change.h"

static uint8_t payload[CHANGE_PAYLOAD_BYTES_MAX];

static struct change_row row_of(uint32_t uid)
{
	return (struct change_row){
		.uid = uid,
		.flags = uid % 32,
		.internaldate = { 1700000000 - (int64_t)uid * 977, (int16_t)(uid % 2 ? 120 : -330) },
		.sent = { -5 + (int64_t)uid, -1 },
		.rfc822_size_bytes = uid * 37,
		.savedate_s = 1700000000 + uid % 3,
		.body = { 1 + uid / 100, (uid * 7919) % 100000 },
		.emailid = UINT64_C(0x9e3779b97f4a7c15) * uid,
		.threadid = uid % 5,
	};
}

static void assert_row(const struct change_row *a, const struct change_row *b)
{
	cr_assert_eq(a->uid, b->uid);
	cr_assert_eq(a->flags, b->flags);
	cr_assert_eq(a->internaldate.seconds, b->internaldate.seconds);
	cr_assert_eq(a->internaldate.zone_min, b->internaldate.zone_min);
	cr_assert_eq(a->sent.seconds, b->sent.seconds);
	cr_assert_eq(a->sent.zone_min, b->sent.zone_min);
	cr_assert_eq(a->rfc822_size_bytes, b->rfc822_size_bytes);
	cr_assert_eq(a->savedate_s, b->savedate_s);
	cr_assert_eq(a->body.file, b->body.file);
	cr_assert_eq(a->body.offset, b->body.offset);
	cr_assert_eq(a->emailid, b->emailid);
	cr_assert_eq(a->threadid, b->threadid);
}

/* A payload with one item of each kind. */
static struct bytes one_of_each(struct change_writer *writer)
{
	static const struct change_counters counters = { 9, 8, 7, 6, UINT64_MAX };
	static const struct change_sums sums = { 3, 1700000001, 10, 20 };
	struct runs uids = RUNS_EMPTY;
	static const struct delivery delivery = { { 0x1122334455667788, UINT64_MAX }, 1700000002 };
	struct change_row row = row_of(9);
	size_t at = 0;

	cr_assert_eq(runs_add(&uids, 1, 1), RP_OK);
	cr_assert_eq(runs_add(&uids, 5, 9), RP_OK);
	cr_assert_eq(runs_add(&uids, UINT32_MAX - 1, UINT32_MAX), RP_OK);
	change_begin(writer, payload, sizeof(payload), 0);
	cr_assert(change_put_mailbox(writer, 2, 1700000001, 0x41, BYTES_LIT("Sent/2026")));
	cr_assert(change_put_gone(writer, 300, 0));
	cr_assert(change_put_name(writer, 2, BYTES_LIT("Old")));
	cr_assert(change_put_subscription(writer, BYTES_LIT("Old"), true));
	cr_assert(change_put_counters(writer, 2, &counters));
	cr_assert(change_put_sums(writer, &sums));
	cr_assert(change_rows_begin(writer, 2, 9));
	cr_assert(change_rows_put(writer, &row));
	change_rows_end(writer);
	cr_assert(change_put_flag(writer, 2, 3, bytes_of("", 0), true, &uids, &at));
	at = 0;
	cr_assert(change_put_flag(
	    writer, 2, CHANGE_FLAG_KEYWORD, BYTES_LIT("$Junk"), false, &uids, &at));
	at = 1;
	cr_assert(change_put_expunged(writer, 2, 0, &uids, &at));
	cr_assert(change_put_destroyed(writer));
	cr_assert(change_put_delivery(writer, &delivery));
	cr_assert(change_put_gone(writer, 301, 1700000003));
	at = 1;
	cr_assert(change_put_expunged(writer, 3, 1700000004, &uids, &at));
	cr_assert(change_kept_begin(writer, 4, 1700000005, 9));
	cr_assert(change_rows_put(writer, &row));
	change_rows_end(writer);
	at = 2;
	cr_assert(change_put_kept_keyword(writer, 5, BYTES_LIT("$Junk"), &uids, &at));
	cr_assert(change_put_kept_name(writer, 6, BYTES_LIT("Old")));
	at = 2;
	cr_assert(change_put_brought_back(writer, 7, &uids, &at));
	runs_fini(&uids);
	return change_finish(writer, true);
}

/* What is told with a time reads as what is not, but for the time. */
static void check_kept(struct change_reader *reader)
{
	struct change_item item;
	struct change_row row = row_of(9);
	struct run run[4];

	cr_assert_eq(change_next(reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_GONE);
	cr_assert_eq(item.mailboxid, 301);
	cr_assert_eq(item.seconds, 1700000003);
	cr_assert_eq(change_next(reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_EXPUNGED);
	cr_assert_eq(item.mailboxid, 3);
	cr_assert_eq(item.seconds, 1700000004);
	cr_assert_eq(change_runs_next(&item.runs, run, 4), 2);
	cr_assert_eq(change_next(reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_KEPT);
	cr_assert_eq(item.mailboxid, 4);
	cr_assert_eq(item.seconds, 1700000005);
	cr_assert(change_rows_next(&item.rows));
	cr_assert_eq(item.rows.row.uid, 9);
	cr_assert_eq(item.rows.row.emailid, row.emailid);
	cr_assert_eq(change_next(reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_KEPT_KEYWORD);
	cr_assert_eq(item.mailboxid, 5);
	cr_assert(bytes_eq(item.name, BYTES_LIT("$Junk")));
	cr_assert_eq(change_runs_next(&item.runs, run, 4), 1);
	cr_assert_eq(run[0].last, UINT32_MAX);
	cr_assert_eq(change_next(reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_KEPT_NAME);
	cr_assert_eq(item.mailboxid, 6);
	cr_assert(bytes_eq(item.name, BYTES_LIT("Old")));
	cr_assert_eq(change_next(reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_BROUGHT_BACK);
	cr_assert_eq(item.mailboxid, 7);
	cr_assert_eq(change_runs_next(&item.runs, run, 4), 1);
}

Test(change, each_item_is_read_as_it_was_written)
{
	struct change_writer writer;
	struct bytes in = one_of_each(&writer);
	struct change_reader reader;
	struct change_item item;
	struct change_row row = row_of(9);
	struct run run[4];

	cr_assert_eq(change_open(in, &reader), RP_OK);
	cr_assert_eq(reader.part, 0);
	cr_assert(reader.last);
	cr_assert_eq(change_next(&reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_MAILBOX);
	cr_assert_eq(item.mailboxid, 2);
	cr_assert_eq(item.uidvalidity, 1700000001);
	cr_assert_eq(item.special_use, 0x41);
	cr_assert(bytes_eq(item.name, BYTES_LIT("Sent/2026")));
	cr_assert_eq(change_next(&reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_GONE);
	cr_assert_eq(item.mailboxid, 300);
	cr_assert_eq(change_next(&reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_NAME);
	cr_assert(bytes_eq(item.name, BYTES_LIT("Old")));
	cr_assert_eq(change_next(&reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_SUBSCRIPTION);
	cr_assert(item.on);
	cr_assert_eq(change_next(&reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_COUNTERS);
	cr_assert_eq(item.counters.uidnext, 9);
	cr_assert_eq(item.counters.messages_count, 8);
	cr_assert_eq(item.counters.unseen_count, 7);
	cr_assert_eq(item.counters.deleted_count, 6);
	cr_assert_eq(item.counters.bytes, UINT64_MAX);
	cr_assert_eq(change_next(&reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_SUMS);
	cr_assert_eq(item.sums.mailboxid_next, 3);
	cr_assert_eq(item.sums.uidvalidity_last, 1700000001);
	cr_assert_eq(change_next(&reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_ROWS);
	cr_assert(change_rows_next(&item.rows));
	assert_row(&item.rows.row, &row);
	cr_assert(!change_rows_next(&item.rows));
	cr_assert_eq(change_next(&reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_FLAG);
	cr_assert_eq(item.flag, 3);
	cr_assert(item.on);
	cr_assert_eq(change_runs_next(&item.runs, run, 2), 2);
	cr_assert_eq(run[1].first, 5);
	cr_assert_eq(run[1].last, 9);
	cr_assert_eq(change_runs_next(&item.runs, run, 4), 1);
	cr_assert_eq(run[0].last, UINT32_MAX);
	cr_assert_eq(change_runs_next(&item.runs, run, 4), 0);
	cr_assert_eq(change_next(&reader, &item), RP_OK);
	cr_assert_eq(item.flag, CHANGE_FLAG_KEYWORD);
	cr_assert(!item.on);
	cr_assert(bytes_eq(item.name, BYTES_LIT("$Junk")));
	cr_assert_eq(change_next(&reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_EXPUNGED);
	cr_assert_eq(change_runs_next(&item.runs, run, 4), 2);
	cr_assert_eq(run[0].first, 5);
	cr_assert_eq(change_next(&reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_DESTROYED);
	cr_assert_eq(change_next(&reader, &item), RP_OK);
	cr_assert_eq(item.type, CHANGE_ITEM_DELIVERY);
	cr_assert_eq(item.mailboxid, 0);
	cr_assert_eq(item.delivery.key.low, 0x1122334455667788);
	cr_assert_eq(item.delivery.key.high, UINT64_MAX);
	cr_assert_eq(item.delivery.seconds, 1700000002);
	check_kept(&reader);
	cr_assert_eq(change_next(&reader, &item), RP_ERR_END);
}

Test(change, one_cut_short_or_with_more_behind_is_corrupt)
{
	struct change_writer writer;
	struct bytes in = one_of_each(&writer);
	size_t sound = 0;

	cr_assert_eq(change_check(in), RP_OK);
	for (size_t n = 0; n < in.n; n++)
		sound += change_check(bytes_slice(in, 0, n)) == RP_OK;
	cr_assert_eq(sound, 18); /* the prelude, and behind each item but the last */
	payload[in.n] = CHANGE_ITEM_DESTROYED;
	cr_assert_eq(change_check(bytes_of(payload, in.n + 1)), RP_ERR_CORRUPT);
}

Test(change, no_changed_byte_makes_it_read_beyond_its_end)
{
	struct change_writer writer;
	struct bytes in = one_of_each(&writer);

	for (size_t i = 0; i < in.n; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			uint8_t *copy = malloc(in.n);

			memcpy(copy, in.p, in.n);
			copy[i] ^= (uint8_t)(1u << bit);
			(void)!change_check(bytes_of(copy, in.n));
			free(copy);
		}
	}
}

Test(change, rows_follow_each_other_until_the_record_is_full)
{
	struct change_writer writer;
	struct change_reader reader;
	struct change_item item;
	uint32_t uid = 1;
	struct change_row row = row_of(uid);

	change_begin(&writer, payload, 4096, 7);
	cr_assert(change_rows_begin(&writer, 5, 1));
	while (change_rows_put(&writer, &row))
		row = row_of(++uid);
	change_rows_end(&writer);
	cr_assert_gt(uid, 60);
	cr_assert_leq(writer.n, 4096);
	cr_assert_eq(change_open(change_finish(&writer, false), &reader), RP_OK);
	cr_assert_eq(reader.part, 7);
	cr_assert(!reader.last);
	cr_assert_eq(change_next(&reader, &item), RP_OK);
	for (uint32_t i = 1; i < uid; i++) {
		row = row_of(i);
		cr_assert(change_rows_next(&item.rows));
		assert_row(&item.rows.row, &row);
	}
	cr_assert(!change_rows_next(&item.rows));
	cr_assert_eq(change_next(&reader, &item), RP_ERR_END);
}

Test(change, runs_go_on_in_the_next_part)
{
	struct change_writer writer;
	struct runs uids = RUNS_EMPTY;
	struct runs back = RUNS_EMPTY;
	size_t at = 0;
	unsigned parts = 0;
	bool all = false;

	for (uint32_t i = 1; i < 4000; i++)
		cr_assert_eq(runs_add(&uids, i * 1000000, i * 1000000 + i % 3), RP_OK);
	while (!all) {
		struct change_reader reader;
		struct change_item item;
		struct run run[64];
		size_t n;

		change_begin(&writer, payload, 1000, parts++);
		all = change_put_flag(&writer, 1, 0, bytes_of("", 0), true, &uids, &at);
		cr_assert_leq(writer.n, 1000);
		cr_assert_eq(change_open(change_finish(&writer, all), &reader), RP_OK);
		cr_assert_eq(change_next(&reader, &item), RP_OK);
		while ((n = change_runs_next(&item.runs, run, 64)) > 0)
			for (size_t i = 0; i < n; i++)
				cr_assert_eq(runs_add(&back, run[i].first, run[i].last), RP_OK);
	}
	cr_assert_gt(parts, 10);
	cr_assert_eq(back.count, uids.count);
	cr_assert_arr_eq(back.run, uids.run, uids.count * sizeof(struct run));
	runs_fini(&uids);
	runs_fini(&back);
}

Test(change, an_item_without_room_leaves_the_writer_as_it_was)
{
	struct change_writer writer;
	static const struct change_counters counters = { .uidnext = 1 };
	size_t n;

	change_begin(&writer, payload, 6 + 5 + CHANGE_ITEM_BYTES_MAX - 1, 0);
	n = writer.n;
	cr_assert(!change_put_counters(&writer, 1, &counters));
	cr_assert_eq(writer.n, n);
	cr_assert(change_is_empty(&writer));
	change_begin(&writer, payload, 6 + 5 + CHANGE_ITEM_BYTES_MAX, 0);
	cr_assert(change_put_counters(&writer, 1, &counters));
	cr_assert(!change_is_empty(&writer));
}

Test(change, numbers_out_of_bounds_are_corrupt)
{
	/* version, part, last | type, bytes | fields */
	static const struct {
		uint8_t n;
		uint8_t b[24];
	} bad[] = {
		{ 6, { 2, 0, 0, 0, 0, 1 } },                              /* version */
		{ 6, { 1, 0, 0, 0, 0, 2 } },                              /* last */
		{ 12, { 1, 0, 0, 0, 0, 1, 2, 1, 0, 0, 0, 0 } },           /* mailboxid 0 */
		{ 11, { 1, 0, 0, 0, 0, 1, 99, 0, 0, 0, 0 } },             /* no such item */
		{ 14, { 1, 0, 0, 0, 0, 1, 4, 3, 0, 0, 0, 2, 1, 'a' } },   /* on is 2 */
		{ 13, { 1, 0, 0, 0, 0, 1, 4, 2, 0, 0, 0, 1, 0 } },        /* empty name */
		{ 15, { 1, 0, 0, 0, 0, 1, 9, 4, 0, 0, 0, 1, 1, 0, 0 } },  /* UID 0 */
		{ 15, { 1, 0, 0, 0, 0, 1, 9, 4, 0, 0, 0, 1, 2, 1, 0 } },  /* a run is missing */
		{ 22, { 1, 0, 0, 0, 0, 1, 2, 11, 0, 0, 0, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
			  0x80, 0x80, 0x80, 1 } },                        /* a varint of 11 bytes */
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(change_check(bytes_of(bad[i].b, bad[i].n)), RP_ERR_CORRUPT, "%zu", i);
}

/* Byte by byte, as FORMATS.md has it: what is on a disk today must read so for ever. */
Test(change, a_delivery_on_disk_is_as_it_always_was)
{
	static const uint8_t golden[] = { 1, 0, 0, 0, 0, 1, /* version, part, last */
		11, 21, 0, 0, 0,                            /* item, bytes */
		0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* low */
		1, 2, 3, 4, 5, 6, 7, 8,                     /* high */
		0x82, 0xe2, 0xcf, 0xaa, 0x06 };             /* seconds */
	static const struct delivery delivery = { { 0x1122334455667788, 0x0807060504030201 }, 1700000002 };
	struct change_writer writer;

	change_begin(&writer, payload, sizeof(payload), 0);
	cr_assert(change_put_delivery(&writer, &delivery));
	cr_assert(bytes_eq(change_finish(&writer, true), bytes_of(golden, sizeof(golden))));
}
