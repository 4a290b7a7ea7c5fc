#include "index/dbox/dbox_format.h"
#include "index/dbox/dbox_scan.h"
#include "tests/index/log_user.h"
#include "tests/io/io_fixture.h"

enum { COUNT = 12, MARK = 1000000 };

static const char dir[] = "users/0001/u";

static enum rp_err names_of(void *arg, struct arena *arena, struct bytes *names)
{
	*names = arena_copy(arena, bytes_of_str(arg));
	return names->p == NULL ? RP_ERR_LIMIT : RP_OK;
}

static struct dbox *open_it(struct task *task)
{
	static char names[] = "1 INBOX\n2 Sent \\Sent\n";
	struct userid userid = log_user_id(1);
	struct dbox *dbox = NULL;

	cr_assert_eq(dbox_open(task, dir, &userid, 3, names_of, names, &dbox), RP_OK);
	return dbox;
}

static size_t size_of(unsigned i)
{
	return i % 4 == 3 ? 2 * DBOX_BLOCK_BYTES + i : i * 100;
}

static void put_all(struct task *task, struct dbox *dbox, struct dbox_ref *refs)
{
	static uint8_t body[3 * DBOX_BLOCK_BYTES];

	for (unsigned i = 0; i < COUNT; i++) {
		struct dbox_message message = { .mailboxid = 1, .uid = i + 1, .emailid = MARK + i };
		struct dbox_stream *out;

		memset(body, (int)('a' + i), sizeof(body));
		cr_assert_eq(dbox_stream_begin(task, dbox, &out), RP_OK);
		cr_assert_eq(dbox_stream_write(task, out, bytes_of(body, size_of(i))), RP_OK);
		cr_assert_eq(dbox_stream_finish(task, out, &message, &refs[i]), RP_OK);
	}
}

struct met {
	uint64_t uids; /* a bit each */
	uint64_t unsound;
};

static enum rp_err meet(struct task *task, void *arg, const struct dbox_found *found)
{
	struct met *met = arg;

	(void)task;
	cr_assert_eq(found->message.emailid, MARK + found->message.uid - 1);
	cr_assert_eq(found->body_bytes, size_of(found->message.uid - 1));
	met->uids |= UINT64_C(1) << found->message.uid;
	if (!found->sound)
		met->unsound |= UINT64_C(1) << found->message.uid;
	return RP_OK;
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

static struct met scan(struct task *task, struct dbox *dbox, struct dbox_scan_report *report)
{
	struct met met = { 0 };
	struct arena arena;
	struct bytes names;

	arena_init(&arena, 65536);
	cr_assert_eq(dbox_scan(task, dbox, 1, &arena, &names, meet, &met, report), RP_OK);
	cr_assert(bytes_starts_with(names, BYTES_LIT("1 INBOX\n")));
	arena_fini(&arena);
	return met;
}

IO_TASK_TEST(dbox_scan, meets_every_message_and_the_names)
{
	struct dbox *dbox = open_it(task);
	struct dbox_ref refs[COUNT];
	struct dbox_scan_report report;

	(void)arg;
	put_all(task, dbox, refs);

	struct met met = scan(task, dbox, &report);

	cr_assert_eq(met.uids, ((UINT64_C(1) << COUNT) - 1) << 1);
	cr_assert_eq(met.unsound, 0);
	cr_assert_eq(report.records, COUNT);
	cr_assert_eq(report.damaged, 0);
	cr_assert_eq(report.passed_bytes, 0);
	dbox_close(dbox);
}

/* Damage anywhere costs that message only. */
IO_TASK_TEST(dbox_scan, goes_on_behind_damage)
{
	struct dbox *dbox = open_it(task);
	struct dbox_ref refs[COUNT];
	struct dbox_scan_report report;
	const uint64_t all = ((UINT64_C(1) << COUNT) - 1) << 1;

	(void)arg;
	put_all(task, dbox, refs);
	for (unsigned i = 0; i < COUNT; i++) {
		uint64_t begin = (uint64_t)refs[i].offset * 16;
		uint64_t uid = UINT64_C(1) << (i + 1);

		flip(task, begin + 30);
		cr_assert_eq(scan(task, dbox, &report).uids, all & ~uid);
		cr_assert_gt(report.passed_bytes, 0);
		flip(task, begin + 30);
		if (size_of(i) == 0)
			continue;
		flip(task, begin + 128 + size_of(i) - 1);

		struct met met = scan(task, dbox, &report);

		cr_assert_eq(met.uids, all);
		cr_assert_eq(met.unsound, uid);
		flip(task, begin + 128 + size_of(i) - 1);
	}
	dbox_close(dbox);
}

static struct file *open_first(struct task *task)
{
	struct file *file;

	cr_assert_eq(
	    file_open(task, FILE_ROOT_DATA, "users/0001/u/1.dbox", FILE_READ | FILE_WRITE, &file),
	    RP_OK);
	return file;
}

/* Both copies of a header are gone: the records tell what it did. */
IO_TASK_TEST(dbox_scan, a_lost_header_costs_no_body)
{
	static const uint8_t zeroes[FORMAT_AREA_BYTES];
	struct dbox *dbox = open_it(task);
	struct dbox_ref refs[COUNT];
	struct dbox_scan_report report;
	struct met met = {0};
	struct dbox_body *body;
	struct arena arena;
	struct bytes names;

	(void)arg;
	put_all(task, dbox, refs);
	dbox_close(dbox);
	struct file *file = open_first(task);

	cr_assert_eq(file_write(task, file, zeroes, sizeof(zeroes), 0, false), RP_OK);
	file_close(file);
	dbox = open_it(task);
	for (unsigned i = 0; i < COUNT; i++) {
		cr_assert_eq(dbox_body_open(task, dbox, NULL, refs[i], MARK + i, &body), RP_OK);
		cr_assert_eq(dbox_body_bytes(body), size_of(i));
		dbox_body_close(body);
	}
	arena_init(&arena, 65536);
	cr_assert_eq(dbox_scan(task, dbox, 1, &arena, &names, meet, &met, &report), RP_OK);
	cr_assert(report.header_lost);
	cr_assert_eq(names.n, 0);
	cr_assert_eq(met.uids, ((UINT64_C(1) << COUNT) - 1) << 1);
	cr_assert_eq(met.unsound, 0);

	/* Renewed, it is a file like others, and all is where it was. */
	cr_assert_eq(dbox_mend(task, dbox, &(struct dbox_oddity){.what = DBOX_ODD_HEADER, .file = 1}), RP_OK);
	dbox_close(dbox);
	dbox = open_it(task);
	met = (struct met){0};
	cr_assert_eq(dbox_scan(task, dbox, 1, &arena, &names, meet, &met, &report), RP_OK);
	cr_assert_not(report.header_lost);
	cr_assert_eq(met.uids, ((UINT64_C(1) << COUNT) - 1) << 1);
	cr_assert_eq(met.unsound, 0);
	arena_fini(&arena);
	dbox_close(dbox);
}

/* What a file ends with are zeroes: without them nothing is lost. */
IO_TASK_TEST(dbox_scan, a_file_cut_in_its_last_zeroes_lacks_nothing)
{
	struct dbox *dbox = open_it(task);
	struct dbox_ref refs[COUNT];
	struct dbox_scan_report report;
	uint64_t end;

	(void)arg;
	put_all(task, dbox, refs);
	end = (uint64_t)refs[COUNT - 1].offset * 16 + dbox_format_content_bytes(size_of(COUNT - 1));
	cr_assert_lt(end,
	    (uint64_t)refs[COUNT - 1].offset * 16 + dbox_format_record_bytes(size_of(COUNT - 1)));
	struct file *file = open_first(task);

	cr_assert_eq(file_truncate(task, file, end), RP_OK);
	cr_assert_eq(scan(task, dbox, &report).unsound, 0);
	cr_assert_eq(file_truncate(task, file, end - 1), RP_OK);
	cr_assert_eq(scan(task, dbox, &report).unsound, UINT64_C(1) << COUNT);
	file_close(file);
	dbox_close(dbox);
}

IO_TASK_TEST(dbox_scan, a_file_cut_short_keeps_what_lies_before)
{
	struct dbox *dbox = open_it(task);
	struct dbox_ref refs[COUNT];
	struct dbox_scan_report report;
	struct file *file;

	(void)arg;
	put_all(task, dbox, refs);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "users/0001/u/1.dbox", FILE_READ | FILE_WRITE,
	                 &file),
	    RP_OK);
	cr_assert_eq(file_truncate(task, file, (uint64_t)refs[7].offset * 16 + 200), RP_OK);

	struct met met = scan(task, dbox, &report);

	cr_assert_eq(met.uids, ((UINT64_C(1) << 8) - 1) << 1);
	cr_assert_eq(met.unsound, UINT64_C(1) << 8, "a header without its body");
	file_close(file);
	dbox_close(dbox);
}

/* A body that looks like a record of another file is only a body. */
IO_TASK_TEST(dbox_scan, records_hidden_in_a_mail_are_not_met)
{
	struct dbox *dbox = open_it(task);
	struct userid userid = log_user_id(1);
	struct dbox_message message = { .mailboxid = 1, .uid = 1, .emailid = MARK };
	struct dbox_message forged = { .mailboxid = 1, .uid = 2, .emailid = MARK + 1 };
	struct dbox_record_header header;
	struct dbox_scan_report report;
	struct dbox_stream *out;
	struct dbox_ref ref;
	uint8_t body[160];
	struct arena arena;
	struct bytes names;

	(void)arg;
	cr_assert_eq(dbox_stream_begin(task, dbox, &out), RP_OK);
	memset(body, 0, sizeof(body));
	dbox_format_fill(&header, &userid, &forged, 4, 12345, 4096);
	dbox_format_put(body, &header, BYTES_LIT("evil"));
	cr_assert_eq(dbox_stream_write(task, out, bytes_of(body, sizeof(body))), RP_OK);
	cr_assert_eq(dbox_stream_finish(task, out, &message, &ref), RP_OK);
	flip(task, (uint64_t)ref.offset * 16 + 30); /* now the scan looks inside */
	arena_init(&arena, 65536);
	cr_assert_eq(dbox_scan(task, dbox, 1, &arena, &names, NULL, NULL, &report), RP_OK);
	cr_assert_eq(report.records, 0);
	cr_assert_eq(dbox_scan(task, dbox, 2, &arena, &names, NULL, NULL, &report), RP_ERR_NOTFOUND);
	arena_fini(&arena);
	dbox_close(dbox);
}

/* A crash may leave the header of a file that was begun twice as it was first, with names that are not there. */
IO_TASK_TEST(dbox_scan, does_not_pass_records_for_names_that_are_not_there)
{
	struct userid userid = log_user_id(1);
	uint8_t area[FORMAT_AREA_BYTES];
	struct format_header header;
	struct dbox_ref refs[COUNT];
	struct dbox_scan_report report;
	struct met met = { 0 };
	struct arena arena;
	struct bytes names;
	struct dbox *dbox;
	struct file *file;
	size_t got;

	(void)arg;
	cr_assert_eq(dbox_open(task, dir, &userid, 3, NULL, NULL, &dbox), RP_OK);
	put_all(task, dbox, refs);
	cr_assert_eq(refs[0].offset * 16, FORMAT_AREA_BYTES);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "users/0001/u/1.dbox", FILE_READ | FILE_WRITE,
			 &file),
	    RP_OK);
	cr_assert_eq(file_read(task, file, area, sizeof(area), 0, &got), RP_OK);
	cr_assert_eq(
	    format_check_area(bytes_of(area, got), FORMAT_DBOX, DBOX_VERSION, &header), RP_OK);
	header.extra[DBOX_EXTRA_NAMES_BYTES] = 20;
	header.extra[DBOX_EXTRA_NAMES_XXH3] = 1;
	format_sign(&header, FORMAT_DBOX, DBOX_VERSION);
	format_put_area(&header, area);
	cr_assert_eq(file_write(task, file, area, sizeof(area), 0, false), RP_OK);
	file_close(file);

	arena_init(&arena, 65536);
	cr_assert_eq(dbox_scan(task, dbox, 1, &arena, &names, meet, &met, &report), RP_OK);
	cr_assert_eq(names.n, 0);
	cr_assert_eq(met.uids, ((UINT64_C(1) << COUNT) - 1) << 1);
	arena_fini(&arena);
	dbox_close(dbox);
}
