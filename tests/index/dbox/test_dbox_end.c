/* What uploads leave behind the end of a file that are not ended: it is cut off, and nothing else is. */
#include <string.h>

#include "index/dbox/dbox.h"
#include "index/dbox/dbox_format.h"
#include "tests/index/log_user.h"
#include "tests/io/io_fixture.h"

static const char dir[] = "users/0001/u";
static const char path[] = "users/0001/u/1.dbox";
static const struct dbox_message message = {.mailboxid = 3, .uid = 9, .emailid = 1234};

enum { UPLOAD_BYTES = 700 * 1000 };

static struct dbox *open_it(struct task *task)
{
	struct userid userid = log_user_id(1);
	struct dbox *dbox = NULL;

	cr_assert_eq(dbox_open(task, dir, &userid, 3, NULL, NULL, &dbox), RP_OK);
	return dbox;
}

static struct dbox_stream *begin(struct task *task, struct dbox *dbox, size_t n)
{
	static uint8_t body[UPLOAD_BYTES];
	struct dbox_stream *stream;

	RP_ASSERT(n <= sizeof(body));
	memset(body, 'b', n);
	cr_assert_eq(dbox_stream_begin(task, dbox, &stream), RP_OK);
	cr_assert_eq(dbox_stream_write(task, stream, bytes_of(body, n)), RP_OK);
	return stream;
}

static struct dbox_ref upload(struct task *task, struct dbox *dbox, size_t n)
{
	struct dbox_ref ref;

	cr_assert_eq(dbox_stream_finish(task, begin(task, dbox, n), &message, &ref), RP_OK);
	return ref;
}

/* As a small one that was settled. */
static struct dbox_ref put(struct task *task, struct dbox *dbox, size_t n)
{
	struct arena arena;
	struct bytes record;
	struct dbox_ref ref;
	static uint8_t body[DBOX_INLINE_BYTES_MAX];

	memset(body, 's', n);
	arena_init(&arena, 2 * DBOX_INLINE_BYTES_MAX);
	cr_assert_eq(dbox_reserve(task, dbox, n), RP_OK);
	cr_assert_eq(dbox_place_inline(dbox, &message, bytes_of(body, n), &arena, &record, &ref), RP_OK);
	cr_assert_eq(
	    dbox_write_settled(task, dbox, ref.file, (uint64_t)ref.offset * DBOX_RECORD_ALIGN, record), RP_OK);
	arena_fini(&arena);
	return ref;
}

static uint64_t size_of(struct task *task)
{
	uint64_t bytes;

	cr_assert_eq(file_size_at(task, FILE_ROOT_DATA, path, &bytes), RP_OK);
	return bytes;
}

static void assert_body(struct task *task, struct dbox *dbox, struct dbox_ref ref, size_t n, char c)
{
	static uint8_t read[UPLOAD_BYTES + 1];
	struct dbox_body *body;
	size_t got;

	cr_assert_eq(dbox_body_open(task, dbox, NULL, ref, 1234, &body), RP_OK);
	cr_assert_eq(dbox_body_read(task, body, 0, read, n + 1, &got), RP_OK);
	cr_assert_eq(got, n);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(read[i], (uint8_t)c);
	dbox_body_close(body);
}

static void damage(struct task *task, uint64_t offset, uint8_t to, size_t n)
{
	uint8_t p[DBOX_HEADER_BYTES];
	struct file *file;

	RP_ASSERT(n <= sizeof(p));
	memset(p, to, n);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_write(task, file, p, n, offset, false), RP_OK);
	file_close(file);
}

IO_TASK_TEST(dbox_end, an_aborted_upload_is_cut_off)
{
	struct dbox *dbox = open_it(task);
	struct dbox_ref first = upload(task, dbox, 1000);
	uint64_t before = size_of(task);

	(void)arg;
	cr_assert_not(dbox_may_trim(dbox, true));
	dbox_stream_abort(begin(task, dbox, UPLOAD_BYTES));
	cr_assert_gt(size_of(task), before + UPLOAD_BYTES / 2);
	cr_assert(dbox_may_trim(dbox, false));
	cr_assert_eq(dbox_trim(task, dbox, false), RP_OK);
	cr_assert_not(dbox_may_trim(dbox, true));
	cr_assert_eq(size_of(task), before);
	assert_body(task, dbox, first, 1000, 'b');
	dbox_close(dbox);
}

/* Another dbox sees what a server that was killed meanwhile would find. */
static void assert_remains_are_cut(struct task *task, struct dbox *dbox, uint64_t before)
{
	struct dbox_stream *stream = begin(task, dbox, UPLOAD_BYTES);
	struct dbox *next = open_it(task);

	cr_assert_gt(size_of(task), before + UPLOAD_BYTES / 2);
	cr_assert_not(dbox_may_trim(next, false));
	cr_assert(dbox_may_trim(next, true));
	cr_assert_eq(dbox_trim(task, next, true), RP_OK);
	cr_assert_eq(size_of(task), before);
	cr_assert_not(dbox_may_trim(next, true));
	dbox_close(next);
	dbox_stream_abort(stream);
	cr_assert_eq(dbox_trim(task, dbox, false), RP_OK);
}

IO_TASK_TEST(dbox_end, what_a_crash_has_left_of_an_upload_is_cut_off)
{
	struct dbox *dbox = open_it(task);
	struct dbox_ref refs[3];

	(void)arg;
	dbox_stream_abort(begin(task, dbox, 0)); /* the file is there, and empty */
	assert_remains_are_cut(task, dbox, size_of(task));
	refs[0] = upload(task, dbox, 300000);
	assert_remains_are_cut(task, dbox, size_of(task));
	refs[1] = put(task, dbox, 777);
	dbox_close(dbox);
	dbox = open_it(task);
	refs[2] = upload(task, dbox, 65537);
	assert_remains_are_cut(task, dbox, size_of(task));
	for (int i = 0; i < 3; i++)
		cr_assert_eq(refs[i].file, 1);
	dbox_close(dbox);
	dbox = open_it(task);
	assert_body(task, dbox, refs[0], 300000, 'b');
	assert_body(task, dbox, refs[1], 777, 's');
	assert_body(task, dbox, refs[2], 65537, 'b');
	dbox_close(dbox);
}

/* Nobody asks for room: who writes next takes the place. */
IO_TASK_TEST(dbox_end, who_writes_next_takes_the_place_of_what_a_crash_has_left)
{
	struct dbox *dbox = open_it(task);
	struct dbox_ref first = upload(task, dbox, 1000);
	uint64_t before = size_of(task);
	struct dbox_stream *stream = begin(task, dbox, UPLOAD_BYTES);
	struct dbox *next = open_it(task);
	struct dbox_ref second = put(task, next, 500);

	(void)arg;
	cr_assert_eq(second.file, first.file);
	cr_assert_lt(size_of(task), before + 1000);
	dbox_close(next);
	dbox_stream_abort(stream);
	dbox_close(dbox);
	next = open_it(task);
	cr_assert_eq(dbox_trim(task, next, true), RP_OK);
	assert_body(task, next, first, 1000, 'b');
	assert_body(task, next, second, 500, 's');
	dbox_close(next);
}

/* What may be a message stays, though nothing of it is sound. */
IO_TASK_TEST(dbox_end, damage_at_the_end_is_not_cut_off)
{
	struct dbox *dbox = open_it(task);
	struct dbox_ref refs[3];
	uint64_t before;

	(void)arg;
	for (int i = 0; i < 3; i++)
		refs[i] = upload(task, dbox, 200000);
	dbox_close(dbox);
	before = size_of(task);

	/* A header in the middle is gone, and the one behind it is sound. */
	damage(task, (uint64_t)refs[1].offset * DBOX_RECORD_ALIGN, 0, DBOX_HEADER_BYTES);
	dbox = open_it(task);
	cr_assert_eq(dbox_trim(task, dbox, true), RP_OK);
	cr_assert_eq(size_of(task), before);
	assert_body(task, dbox, refs[2], 200000, 'b');
	dbox_close(dbox);

	/* And of the last one a bit is another. */
	damage(task, (uint64_t)refs[2].offset * DBOX_RECORD_ALIGN + 70, 1, 1);
	dbox = open_it(task);
	cr_assert_eq(dbox_trim(task, dbox, true), RP_OK);
	cr_assert_eq(size_of(task), before);
	cr_assert_gt(put(task, dbox, 10).offset, refs[2].offset + 200000 / DBOX_RECORD_ALIGN);
	assert_body(task, dbox, refs[0], 200000, 'b');
	dbox_close(dbox);
}

IO_TASK_TEST(dbox_end, a_body_that_is_taken_back_gives_its_room)
{
	struct dbox *dbox = open_it(task);
	struct dbox_ref first = upload(task, dbox, 1000);
	uint64_t before = size_of(task);
	struct dbox_ref second = upload(task, dbox, UPLOAD_BYTES);
	struct dbox_ref third;

	(void)arg;
	dbox_take_back(dbox, first, 1000); /* something lies behind it */
	cr_assert_not(dbox_may_trim(dbox, true));
	dbox_take_back(dbox, second, UPLOAD_BYTES);
	cr_assert_eq(dbox_trim(task, dbox, false), RP_OK);
	cr_assert_eq(size_of(task), before);
	third = upload(task, dbox, 2000);
	cr_assert_eq(third.offset, second.offset);
	assert_body(task, dbox, first, 1000, 'b');
	assert_body(task, dbox, third, 2000, 'b');
	dbox_close(dbox);
}
