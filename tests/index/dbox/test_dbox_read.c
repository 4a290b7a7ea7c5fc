#include "index/dbox/dbox_format.h"
#include "tests/index/log_user.h"
#include "tests/io/io_fixture.h"

enum { BODY_BYTES = 3 * DBOX_BLOCK_BYTES + 1000 };

static const char dir[] = "users/0001/u";
static const struct dbox_message message = { .mailboxid = 3, .uid = 9, .emailid = 1234 };
static uint8_t content[BODY_BYTES];

static struct dbox *open_it(struct task *task)
{
	struct userid userid = log_user_id(1);
	struct dbox *dbox = NULL;

	cr_assert_eq(dbox_open(task, dir, &userid, 3, NULL, NULL, &dbox), RP_OK);
	return dbox;
}

static struct dbox_ref put(struct task *task, struct dbox *dbox, size_t n)
{
	struct dbox_stream *out;
	struct dbox_ref ref = { 0 };

	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (uint8_t)(i * 11 + i / 257);
	cr_assert_eq(dbox_stream_begin(task, dbox, &out), RP_OK);
	cr_assert_eq(dbox_stream_write(task, out, bytes_of(content, n)), RP_OK);
	cr_assert_eq(dbox_stream_finish(task, out, &message, &ref), RP_OK);
	return ref;
}

IO_TASK_TEST(dbox_read, any_part_can_be_read)
{
	static uint8_t read[BODY_BYTES];
	static const size_t marks[] = { 0, 1, 16 * 1024, DBOX_BLOCK_BYTES - 1, DBOX_BLOCK_BYTES,
		DBOX_BLOCK_BYTES + 1, 2 * DBOX_BLOCK_BYTES, 3 * DBOX_BLOCK_BYTES, BODY_BYTES - 1,
		BODY_BYTES, BODY_BYTES + 5 };
	enum { COUNT = sizeof(marks) / sizeof(marks[0]) };
	struct dbox *dbox = open_it(task);
	struct dbox_ref ref = put(task, dbox, BODY_BYTES);
	struct dbox_body *body;

	(void)arg;
	for (int fresh = 0; fresh < 2; fresh++) {
		cr_assert_eq(dbox_body_open(task, dbox, NULL, ref, 1234, &body), RP_OK);
		for (size_t i = 0; i < COUNT; i++)
			for (size_t j = i; j < COUNT; j++) {
				size_t from = fresh ? marks[COUNT - 1 - j] : marks[i];
				size_t n = fresh ? marks[COUNT - 1 - i] - from : marks[j] - from;
				size_t there = from >= BODY_BYTES ? 0 : BODY_BYTES - from;
				size_t got = 77;

				if (n > sizeof(read))
					n = sizeof(read);
				cr_assert_eq(dbox_body_read(task, body, from, read, n, &got), RP_OK);
				cr_assert_eq(got, n < there ? n : there);
				cr_assert_eq(memcmp(read, content + (got ? from : 0), got), 0);
			}
		dbox_body_close(body);
	}
	dbox_close(dbox);
}

IO_TASK_TEST(dbox_read, what_is_not_there_is_said_so)
{
	struct dbox *dbox = open_it(task);
	struct dbox_ref ref = put(task, dbox, 100);
	struct dbox_body *body = NULL;

	(void)arg;
	cr_assert_eq(dbox_body_open(task, dbox, NULL, (struct dbox_ref){ 7, 64 }, 1234, &body),
	    RP_ERR_EXPUNGED);
	cr_assert_eq(dbox_body_open(task, dbox, NULL, (struct dbox_ref){ ref.file, ref.offset + 1 },
	                 1234, &body),
	    RP_ERR_CORRUPT);
	cr_assert_eq(
	    dbox_body_open(task, dbox, NULL, (struct dbox_ref){ ref.file, UINT32_MAX }, 1234, &body),
	    RP_ERR_CORRUPT);
	cr_assert_eq(dbox_body_open(task, dbox, NULL, ref, 1235, &body), RP_ERR_CORRUPT,
	    "another message's body");
	cr_assert_null(body);
	dbox_close(dbox);
	cr_assert_eq(file_remove(task, FILE_ROOT_DATA, "users/0001/u/1.dbox"), RP_OK);
	dbox = open_it(task);
	cr_assert_eq(dbox_body_open(task, dbox, NULL, ref, 1234, &body), RP_ERR_EXPUNGED);
	dbox_close(dbox);
}

static void flip(struct task *task, uint64_t offset)
{
	struct file *file;
	uint8_t byte;
	size_t got;

	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "users/0001/u/1.dbox", FILE_READ | FILE_WRITE,
	                 &file),
	    RP_OK);
	cr_assert_eq(file_read(task, file, &byte, 1, offset, &got), RP_OK);
	byte ^= 0x10;
	cr_assert_eq(file_write(task, file, &byte, 1, offset, false), RP_OK);
	file_close(file);
}

/* One byte flipped anywhere in the record: either the read says so, or it gives the right bytes. Never wrong ones. */
IO_TASK_TEST(dbox_read, no_bad_byte_is_ever_served)
{
	static uint8_t read[BODY_BYTES];
	struct dbox *dbox = open_it(task);
	struct dbox_ref ref = put(task, dbox, BODY_BYTES);
	uint64_t begin = (uint64_t)ref.offset * 16;
	uint64_t end = begin + dbox_format_record_bytes(BODY_BYTES);
	unsigned refused = 0;

	(void)arg;
	for (uint64_t at = begin; at < end; at += at < begin + 128 ? 5 : 7919) {
		struct dbox_body *body = NULL;
		size_t got = 0;

		flip(task, at);

		enum rp_err err = dbox_body_open(task, dbox, NULL, ref, 1234, &body);

		if (err == RP_OK)
			err = dbox_body_read(task, body, 0, read, sizeof(read), &got);
		if (err == RP_OK)
			cr_assert(bytes_eq(bytes_of(read, got), bytes_of(content, BODY_BYTES)));
		else
			cr_assert_eq(err, RP_ERR_CORRUPT);
		if (err != RP_OK)
			refused++;
		/* Blocks that are not hit are served all the same. */
		if (body != NULL && at >= begin + 128 + DBOX_BLOCK_BYTES &&
		    at < begin + 128 + BODY_BYTES)
			cr_assert_eq(dbox_body_read(task, body, 0, read, 100, &got), RP_OK);
		dbox_body_close(body);
		flip(task, at);
	}
	cr_assert_gt(refused, 40);
	dbox_close(dbox);
}

static void flip_small(struct task *task, struct dbox *dbox, struct dbox_ref ref)
{
	uint8_t read[128];
	struct dbox_body *body;
	size_t got = 0;

	flip(task, (uint64_t)ref.offset * 16 + 128 + 50);
	cr_assert_eq(dbox_body_open(task, dbox, NULL, ref, 1234, &body), RP_OK);
	cr_assert_eq(dbox_body_read(task, body, 0, read, 1, &got), RP_ERR_CORRUPT);
	cr_assert_eq(got, 0, "outputs are untouched");
	flip(task, (uint64_t)ref.offset * 16 + 128 + 50);
	cr_assert_eq(dbox_body_read(task, body, 0, read, 1, &got), RP_OK, "another try reads it again");
	dbox_body_close(body);
}

IO_TASK_TEST(dbox_read, a_small_body_is_checked_whole)
{
	struct dbox *dbox = open_it(task);

	(void)arg;
	flip_small(task, dbox, put(task, dbox, 100));
	dbox_close(dbox);
}

/* More files than descriptors are kept open. */
IO_TASK_TEST(dbox_read, files_are_closed_and_opened_again)
{
	enum { FILES = 9 };
	struct dbox *dbox = open_it(task);
	struct dbox_ref refs[FILES];
	struct dbox_body *bodies[FILES];
	uint8_t read[100];
	size_t got;

	(void)arg;
	for (unsigned i = 0; i < FILES; i++) {
		dbox_number_from(dbox, i + 1);
		refs[i] = put(task, dbox, 100);
		cr_assert_eq(refs[i].file, i + 1);
	}
	for (unsigned i = 0; i < FILES; i++)
		cr_assert_eq(
		    dbox_body_open(task, dbox, NULL, refs[FILES - 1 - i], 1234, &bodies[i]), RP_OK);
	for (unsigned i = 0; i < FILES; i++) {
		cr_assert_eq(dbox_body_read(task, bodies[i], 0, read, 100, &got), RP_OK);
		cr_assert_eq(memcmp(read, content, 100), 0);
		dbox_body_close(bodies[i]);
	}
	for (unsigned i = 0; i < FILES; i++) {
		cr_assert_eq(dbox_body_open(task, dbox, NULL, refs[i], 1234, &bodies[i]), RP_OK);
		dbox_body_close(bodies[i]);
	}
	dbox_close(dbox);
}
