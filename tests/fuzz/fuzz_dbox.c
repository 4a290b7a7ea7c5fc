/* A dbox file that anybody may have written, in the simulator: whatever the scan finds sound can be read, nothing else can.
 * Headers are signed first, for no mutation would get past the checksums. */
#include <stdlib.h>
#include <string.h>

#include "index/dbox/dbox_format.h"
#include "index/dbox/dbox_scan.h"
#include "io/base/num.h"
#include "tests/fuzz/fuzz_sim.h"

enum { NONCE = 1234, FILE_BYTES_MAX = 300 * 1024, TIMES = 8 };

static const struct userid user = { .b = { 1, 2, 3 } };

/* The first bytes say where records begin, and how the body is repeated (so that it has several blocks). */
static size_t build(uint8_t *file, const uint8_t *p, size_t n)
{
	struct format_header header = { .userid = user, .nonce = NONCE, .number = 1 };
	size_t used = FORMAT_AREA_BYTES;

	header.extra[DBOX_EXTRA_NAMES_BYTES] = n > 0 ? p[0] % 64 : 0;
	format_sign(&header, FORMAT_DBOX, DBOX_VERSION);
	memset(file, 0, FORMAT_AREA_BYTES);
	format_put_area(&header, file);
	for (size_t i = 0; n > 0 && i < 1 + (size_t)p[0] % TIMES; i++) {
		size_t part = num_min(n, FILE_BYTES_MAX - used);

		memcpy(file + used, p, part);
		used += part;
	}
	return used;
}

static void sign_records(uint8_t *file, size_t n)
{
	for (size_t at = FORMAT_AREA_BYTES; at + DBOX_HEADER_BYTES <= n; at += DBOX_RECORD_ALIGN) {
		struct dbox_record_header header;

		memcpy(&header, file + at, sizeof(header));
		if ((header.magic & 0xff) != 'R')
			continue;
		header.magic = DBOX_RECORD_MAGIC;
		header.encoding = 0;
		header.userid = user;
		header.nonce = NONCE;
		header.offset = at;
		header.body_bytes = header.stored_bytes;
		if (header.stored_bytes <= num_min(n - at - sizeof(header), DBOX_BLOCK_BYTES))
			header.sums_xxh3 = dbox_format_xxh3(
			    bytes_of(file + at + sizeof(header), (size_t)header.stored_bytes), NONCE);
		dbox_format_sign(&header);
		memcpy(file + at, &header, sizeof(header));
	}
}

static enum rp_err found(struct task *task, void *arg, const struct dbox_found *found)
{
	struct dbox_body *body;
	uint8_t read[1000];
	size_t got = 0;
	enum rp_err err = dbox_body_open(task, arg, NULL, found->ref, found->message.emailid, &body);

	RP_ASSERT(!found->sound || err == RP_OK);
	if (err != RP_OK)
		return RP_OK;
	err = dbox_body_read(task, body, found->body_bytes / 2, read, sizeof(read), &got);
	RP_ASSERT(!found->sound || err == RP_OK);
	RP_ASSERT(got <= sizeof(read));
	dbox_body_close(body);
	return RP_OK;
}

static void scan(struct task *task, void *arg)
{
	struct dbox_scan_report report;
	struct dbox *dbox;
	struct arena arena;
	struct bytes names;

	(void)arg;
	RP_ASSERT(dbox_open(task, "users/0001/u", &user, 1, NULL, NULL, &dbox) == RP_OK);
	arena_init(&arena, 1024 * 1024);
	RP_ASSERT(dbox_scan(task, dbox, 1, &arena, &names, found, dbox, &report) == RP_OK);
	arena_fini(&arena);
	dbox_close(dbox);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t file[FILE_BYTES_MAX];
	size_t used = build(file, p, n);

	sign_records(file, used);
	fuzz_sim_run(&(struct fuzz_sim_file){ FILE_ROOT_DATA, "users/0001/u", "users/0001/u/1.dbox",
			 bytes_of(file, used) },
	    1, scan);
	return 0;
}
