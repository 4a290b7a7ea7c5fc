/* What is kept of a million messages: whoever sorts it lets others in. */
#include "index/kept.h"

#include <stdlib.h>

#include "tests/index/others.h"
#include "tests/io/io_fixture.h"

enum {
	MANY = 1000 * 1000, /* messages, of every second UID */
	PARTS = 4, /* changes that expunge them, one after the other all over the mailbox */
	SECONDS = 1700000000,
	SLICES_MIN = 20, /* of half a millisecond: to sort all of it takes some hundred */
	JOINED_MIN = 3,  /* likewise; that takes a tenth of the time */
};

static void expunge(struct kept *kept, uint8_t *p, unsigned part)
{
	struct runs uids = RUNS_EMPTY;
	size_t at = 0;
	bool whole = false;

	for (uint32_t i = part; i < MANY; i += PARTS)
		cr_assert_eq(runs_add(&uids, 2 * i + 1, 2 * i + 1), RP_OK);
	while (!whole) {
		struct change_writer writer;

		change_begin(&writer, p, CHANGE_PAYLOAD_BYTES_MAX, 0);
		whole = change_put_expunged(&writer, 1, SECONDS + part, &uids, &at);
		cr_assert_eq(kept_note(kept, change_finish(&writer, true)), RP_OK);
	}
	runs_fini(&uids);
}

/* Rows of so many UIDs, of which every second is expunged; as a merge has written them, or as they were appended. */
static void tell(struct kept *kept, uint8_t *p, uint32_t uid, uint32_t last, bool merged)
{
	while (uid <= last) {
		struct change_row row = {.uid = uid, .emailid = uid, .body = {1, uid}};
		struct change_writer writer;

		change_begin(&writer, p, CHANGE_PAYLOAD_BYTES_MAX, 0);
		cr_assert(merged ? change_kept_begin(&writer, 1, SECONDS, uid)
		                 : change_rows_begin(&writer, 1, uid));
		while (row.uid <= last && change_rows_put(&writer, &row)) {
			row.emailid = row.body.offset = ++row.uid;
			row.flags = merged ? 1 : 0;
		}
		change_rows_end(&writer);
		uid = row.uid;
		cr_assert_eq(kept_take(NULL, kept, change_finish(&writer, true)), RP_OK);
	}
}

/* All of them have it, in one record of one run. */
static void tell_keyword(struct task *task, struct kept *kept, uint8_t *p)
{
	struct run each = {1, 2 * MANY};
	struct runs all = {&each, 1, 1};
	struct change_writer writer;
	size_t at = 0;

	change_begin(&writer, p, CHANGE_PAYLOAD_BYTES_MAX, 0);
	cr_assert(change_put_flag(
	    &writer, 1, CHANGE_FLAG_KEYWORD, BYTES_LIT("every"), true, &all, &at));
	cr_assert_eq(kept_take(task, kept, change_finish(&writer, true)), RP_OK);
}

/* The first record of what a merge writes: all runs of a keyword are gathered for it. */
static void write_some(struct task *task, struct kept *kept, uint8_t *p)
{
	struct change_writer writer;

	kept->at_named = true;
	kept->at_row = kept->mailbox[0].rows.count;
	change_begin(&writer, p, CHANGE_PAYLOAD_BYTES_MAX, 0);
	cr_assert_eq(kept_write(task, kept, &writer), RP_ERR_LIMIT);
}

IO_TASK_TEST(kept, lets_others_in)
{
	uint8_t *p = malloc(CHANGE_PAYLOAD_BYTES_MAX);
	struct others others;
	uint64_t before;
	struct kept kept;
	bool any;

	(void)arg;
	others_begin(task, &others);
	kept_init(&kept, 0);
	for (unsigned part = 0; part < PARTS; part++)
		expunge(&kept, p, part);
	before = others.turns;
	cr_assert_eq(kept_ready(task, &kept, &any), RP_OK);
	cr_assert(any);
	cr_assert_gt(others.turns, before + SLICES_MIN);
	tell(&kept, p, 1, 2 * MANY, false);
	tell(&kept, p, MANY + 1, 2 * MANY, true);
	before = others.turns;
	cr_assert_eq(kept_end(task, &kept), RP_OK);
	cr_assert_gt(others.turns, before + JOINED_MIN);
	cr_assert_eq(kept.rows_count, MANY);
	cr_assert_eq(kept.mailbox[0].rows.count, MANY);
	for (size_t i = 0; i < MANY; i++)
		cr_assert_eq(kept_row_at(&kept.mailbox[0].rows, i)->row.uid, 2 * i + 1);
	before = others.turns;
	tell_keyword(task, &kept, p);
	cr_assert_gt(others.turns, before + JOINED_MIN);
	cr_assert_eq(kept_row_at(&kept.mailbox[0].rows, MANY - 1)->keywords_count, 1);
	before = others.turns;
	write_some(task, &kept, p);
	cr_assert_gt(others.turns, before + JOINED_MIN);
	before = others.turns;
	kept_fini(task, &kept);
	cr_assert_gt(others.turns, before + JOINED_MIN);
	free(p);
	others_end(task, &others);
}

IO_TASK_TEST(kept, ends_when_it_is_cancelled)
{
	uint8_t *p = malloc(CHANGE_PAYLOAD_BYTES_MAX);
	struct kept kept;
	bool any;

	(void)arg;
	kept_init(&kept, 0);
	for (unsigned part = 0; part < PARTS; part++)
		expunge(&kept, p, part);
	cr_assert_eq(kept_ready(NULL, &kept, &any), RP_OK);
	tell(&kept, p, 1, MANY, false);
	tell(&kept, p, MANY / 2 + 1, MANY, true);
	task_cancel(task);
	cr_assert_eq(kept_ready(task, &kept, &any), RP_ERR_CANCELED);
	cr_assert(!any);
	cr_assert_eq(kept_end(task, &kept), RP_ERR_CANCELED);
	kept_fini(task, &kept);
	free(p);
}
