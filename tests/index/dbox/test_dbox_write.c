#include "index/dbox/dbox_format.h"
#include "index/dbox/dbox_scan.h"
#include "tests/index/log_user.h"
#include "tests/io/io_fixture.h"

static const char dir[] = "users/0001/u";
static const struct dbox_message message = { .mailboxid = 3, .uid = 9, .emailid = 1234 };

static struct dbox *open_it(struct task *task)
{
	struct userid userid = log_user_id(1);
	struct dbox *dbox = NULL;

	cr_assert_eq(dbox_open(task, dir, &userid, 3, NULL, NULL, &dbox), RP_OK);
	return dbox;
}

static void fill(uint8_t *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(seed + i * 13 + i / 251);
}

static struct dbox_ref stream(struct task *task, struct dbox *dbox, size_t n, size_t step)
{
	static uint8_t body[512 * 1024];
	struct dbox_stream *out;
	struct dbox_ref ref = { 0 };

	RP_ASSERT(n <= sizeof(body));
	fill(body, n, (unsigned)n);
	cr_assert_eq(dbox_stream_begin(task, dbox, &out), RP_OK);
	for (size_t at = 0; at < n; at += step)
		cr_assert_eq(dbox_stream_write(task, out,
		                 bytes_of(body + at, n - at < step ? n - at : step)),
		    RP_OK);
	cr_assert_eq(dbox_stream_finish(task, out, &message, &ref), RP_OK);
	return ref;
}

static void assert_body(struct task *task, struct dbox *dbox, struct dbox_ref ref, size_t n)
{
	static uint8_t expected[512 * 1024];
	static uint8_t read[512 * 1024 + 1];
	struct dbox_body *body;
	size_t got;

	fill(expected, n, (unsigned)n);
	cr_assert_eq(dbox_body_open(task, dbox, NULL, ref, 1234, &body), RP_OK);
	cr_assert_eq(dbox_body_bytes(body), n);
	cr_assert_eq(dbox_body_read(task, body, 0, read, n + 1, &got), RP_OK);
	cr_assert(bytes_eq(bytes_of(read, got), bytes_of(expected, n)));
	dbox_body_close(body);
}

IO_TASK_TEST(dbox_write, streamed_bodies_read_back_at_every_size)
{
	static const size_t sizes[] = { 0, 1, DBOX_BLOCK_BYTES - 1, DBOX_BLOCK_BYTES,
		DBOX_BLOCK_BYTES + 1, 3 * DBOX_BLOCK_BYTES, 5 * DBOX_BLOCK_BYTES + 77 };
	enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
	struct dbox_ref refs[COUNT];
	struct dbox *dbox = open_it(task);

	(void)arg;
	for (size_t i = 0; i < COUNT; i++)
		refs[i] = stream(task, dbox, sizes[i], 4000);
	for (size_t i = 0; i < COUNT; i++) {
		cr_assert_eq(refs[i].file, 1, "one file is enough for one at a time");
		assert_body(task, dbox, refs[i], sizes[i]);
	}
	dbox_close(dbox);
	dbox = open_it(task);
	for (size_t i = 0; i < COUNT; i++)
		assert_body(task, dbox, refs[i], sizes[i]);
	dbox_close(dbox);
}

IO_TASK_TEST(dbox_write, each_stream_has_a_file_of_its_own_and_small_bodies_another)
{
	struct dbox *dbox = open_it(task);
	struct dbox_stream *streams[3];
	struct dbox_ref refs[4];
	struct arena arena;
	struct bytes record;

	(void)arg;
	arena_init(&arena, 65536);
	cr_assert_eq(dbox_place_inline(dbox, &message, BYTES_LIT("x"), &arena, &record, &refs[3]),
	    RP_ERR_BUSY, "no room was reserved");
	cr_assert_eq(dbox_reserve(task, dbox, 100), RP_OK);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(dbox_stream_begin(task, dbox, &streams[i]), RP_OK);
	cr_assert_eq(
	    dbox_place_inline(dbox, &message, BYTES_LIT("x"), &arena, &record, &refs[3]), RP_OK);
	cr_assert_eq(dbox_write_settled(
	                 task, dbox, refs[3].file, (uint64_t)refs[3].offset * 16, record),
	    RP_OK);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(dbox_stream_write(task, streams[i], BYTES_LIT("body")), RP_OK);
		cr_assert_eq(dbox_stream_finish(task, streams[i], &message, &refs[i]), RP_OK);
		for (int j = 0; j < i; j++)
			cr_assert_neq(refs[i].file, refs[j].file);
		cr_assert_neq(refs[i].file, refs[3].file);
	}
	cr_assert_eq(dbox_last_file(dbox), 4);
	arena_fini(&arena);
	dbox_close(dbox);
}

IO_TASK_TEST(dbox_write, an_aborted_stream_leaves_no_trace)
{
	static uint8_t junk[200000];
	struct dbox *dbox = open_it(task);
	struct dbox_ref first = stream(task, dbox, 1000, 1000);
	struct dbox_stream *out;
	struct dbox_scan_report report;
	struct arena arena;
	struct bytes names;

	(void)arg;
	fill(junk, sizeof(junk), 3);
	cr_assert_eq(dbox_stream_begin(task, dbox, &out), RP_OK);
	cr_assert_eq(dbox_stream_write(task, out, bytes_of(junk, sizeof(junk))), RP_OK);
	dbox_stream_abort(out);

	struct dbox_ref second = stream(task, dbox, 500, 500);

	cr_assert_eq(second.file, first.file);
	assert_body(task, dbox, first, 1000);
	assert_body(task, dbox, second, 500);
	arena_init(&arena, 65536);
	cr_assert_eq(
	    dbox_scan(task, dbox, first.file, &arena, &names, NULL, NULL, &report), RP_OK);
	cr_assert_eq(report.records, 2);
	cr_assert_eq(report.passed_bytes, 0);
	arena_fini(&arena);
	dbox_close(dbox);
}

IO_TASK_TEST(dbox_write, a_file_that_was_lost_is_made_again_from_a_record)
{
	struct dbox *dbox = open_it(task);
	struct arena arena;
	struct bytes record;
	struct dbox_ref ref;

	(void)arg;
	arena_init(&arena, 65536);
	cr_assert_eq(dbox_reserve(task, dbox, 1000), RP_OK);
	for (int i = 0; i < 3; i++) {
		uint8_t body[100];

		fill(body, sizeof(body), sizeof(body));
		cr_assert_eq(dbox_place_inline(dbox, &message, bytes_of(body, sizeof(body)), &arena,
		                 &record, &ref),
		    RP_OK);
	}
	dbox_close(dbox);
	cr_assert_eq(file_remove(task, FILE_ROOT_DATA, "users/0001/u/1.dbox"), RP_OK);
	for (int again = 0; again < 2; again++) { /* recovery may be cut short, too */
		dbox = open_it(task);
		cr_assert_eq(
		    dbox_write_settled(task, dbox, ref.file, (uint64_t)ref.offset * 16, record),
		    RP_OK);
		assert_body(task, dbox, ref, 100);
		dbox_close(dbox);
	}
	dbox = open_it(task);
	cr_assert_eq(dbox_reserve(task, dbox, 10), RP_OK);

	struct dbox_ref next;

	cr_assert_eq(
	    dbox_place_inline(dbox, &message, BYTES_LIT("next"), &arena, &record, &next), RP_OK);
	cr_assert_eq(next.file, ref.file);
	cr_assert_gt(next.offset, ref.offset);
	cr_assert_eq(dbox_write_settled(task, dbox, 9, 4096, BYTES_LIT("no record of ours")),
	    RP_ERR_CORRUPT);
	arena_fini(&arena);
	dbox_close(dbox);
}

IO_TASK_TEST(dbox_write, numbers_go_on_after_a_user_was_destroyed)
{
	struct dbox *dbox = open_it(task);
	struct dbox_ref old = stream(task, dbox, 10, 10);

	(void)arg;
	dbox_number_from(dbox, 5);
	cr_assert_eq(dbox_last_file(dbox), 4);

	struct dbox_ref fresh = stream(task, dbox, 20, 20);

	cr_assert_eq(fresh.file, 5);

	struct dbox_body *body;

	cr_assert_eq(dbox_body_open(task, dbox, NULL, old, 1234, &body), RP_OK);
	cr_assert_eq(dbox_remove(task, dbox, old.file), RP_OK);

	uint8_t read[16];
	size_t got;

	cr_assert_eq(dbox_body_read(task, body, 0, read, sizeof(read), &got), RP_OK);
	cr_assert_eq(got, 10, "an open body lives on");
	cr_assert_eq(dbox_body_open(task, dbox, NULL, old, 1234, &body), RP_ERR_EXPUNGED);
	dbox_close(dbox);
	dbox_body_close(body);
}
