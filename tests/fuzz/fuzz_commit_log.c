/* Log files that anybody may have written, in the simulator: recovery ends and places what it says it does. Writes and
 * records are signed first, for no mutation would get past the checksums.
 *
 * The input is read as instructions: which file, a write's number and what it says is durable, its records, whether it is
 * whole. */
#include <stdlib.h>
#include <string.h>

#include "index/logfile.h"
#include "index/recover.h"
#include "io/base/num.h"
#include "tests/fuzz/fuzz_sim.h"

enum { NONCE = 1234, FILES = 3, FILE_BYTES = 128 * 1024, RECORD_ROOM = 2000 };

struct maker {
	struct bytes in;
	uint8_t file[FILES][FILE_BYTES];
	size_t used[FILES];
};

static uint8_t next(struct maker *maker)
{
	uint8_t byte = maker->in.n > 0 ? maker->in.p[0] : 0;

	if (maker->in.n > 0)
		maker->in = bytes_from(maker->in, 1);
	return byte;
}

static void begin_file(struct maker *maker, unsigned i)
{
	struct format_header header = { .epoch = 1 + next(maker) % 3, .nonce = NONCE + i, .number = i + 1 };

	header.extra[LOGFILE_EXTRA_USE] = next(maker);
	header.extra[LOGFILE_EXTRA_STATE] = next(maker) % 8 == 7 ? LOGFILE_FREE : LOGFILE_USED;
	header.extra[LOGFILE_EXTRA_DURABLE] = next(maker) % 16;
	header.extra[LOGFILE_EXTRA_BYTES] = FILE_BYTES;
	format_sign(&header, FORMAT_LOG, LOGFILE_VERSION);
	memcpy(maker->file[i], &header, sizeof(header));
	memcpy(maker->file[i] + LOGFILE_BLOCK_BYTES, &header, sizeof(header));
	maker->used[i] = LOGFILE_FIRST_OFFSET;
}

static size_t put_record(struct maker *maker, uint8_t *p, uint64_t nonce)
{
	struct record_header header = { .type = 1 };
	size_t payload = next(maker);
	size_t body = next(maker) % 4 == 0 ? next(maker) : 0;
	uint8_t rest[256] = { 0 };

	header.userid.b[0] = next(maker) % 4;
	header.flags = next(maker) % 16 == 0 ? RECORD_DESTROYS : 0;
	header.epoch = 1 + next(maker) % 3;
	header.lsn = 1 + next(maker) % 32;
	header.place = (struct record_place){ 1 + next(maker) % header.lsn, 8 * next(maker),
		body != 0 ? 1 + next(maker) % 4 : 0, 16 * next(maker) };
	for (size_t i = 0; i < num_max(payload, body); i++)
		rest[i] = next(maker);
	record_fill(&header, bytes_of(rest, payload), bytes_of(rest, body));
	record_sign(&header, nonce);
	memcpy(p, &header, sizeof(header));
	memcpy(p + sizeof(header), rest, payload);
	memcpy(p + record_journal_bytes(&header), rest, body);
	return record_bytes(&header);
}

static void put_write(struct maker *maker)
{
	unsigned i = next(maker) % FILES;
	uint8_t *p = maker->file[i] + maker->used[i];
	size_t used = sizeof(struct logfile_write);
	unsigned records = 1 + next(maker) % 4;
	uint64_t number = 1 + next(maker) % 32;
	uint64_t durable = next(maker) % number;

	if (maker->used[i] + (size_t)records * RECORD_ROOM + LOGFILE_BLOCK_BYTES > FILE_BYTES)
		return;
	for (unsigned k = 0; k < records; k++)
		used += put_record(maker, p + used, NONCE + i);
	logfile_put_write(p, (uint32_t)used, records, number, durable, NONCE + i);
	for (unsigned breaks = next(maker) % 4 == 0 ? next(maker) % 4 : 0; breaks > 0; breaks--)
		p[(size_t)(next(maker) << 8 | next(maker)) % used] ^= 1 + next(maker);
	maker->used[i] += num_round_up(used, LOGFILE_BLOCK_BYTES);
}

static void recover_all(struct task *task, void *arg)
{
	struct recover_report report;
	struct recover *recover;
	struct userid userid;
	unsigned users = 0;

	(void)arg;
	RP_ASSERT(recover_open(task, 1, 3, &recover) == RP_OK);
	recover_report(recover, &report);
	while (recover_next(recover, &userid)) {
		RP_ASSERT(recover_has(recover, &userid));
		RP_ASSERT(recover_user(task, recover, &userid) == RP_OK);
		users++;
	}
	RP_ASSERT(users == report.users && report.records >= report.users);
	RP_ASSERT(recover_sync(task, recover) == RP_OK);
	RP_ASSERT(recover_void(task, 1, 3) == RP_OK);
	recover_close(recover);
	RP_ASSERT(recover_open(task, 1, 3, &recover) == RP_OK);
	recover_report(recover, &report);
	RP_ASSERT(report.files_read == 0);
	recover_close(recover);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const paths[FILES] = { "0/1.log", "0/2.log", "1/3.log" };
	struct fuzz_sim_file files[FILES];
	struct maker *maker = calloc(1, sizeof(*maker));

	RP_ASSERT(maker != NULL);
	maker->in = bytes_of(p, n);
	for (unsigned i = 0; i < FILES; i++)
		begin_file(maker, i);
	while (maker->in.n > 0)
		put_write(maker);
	for (unsigned i = 0; i < FILES; i++)
		files[i] = (struct fuzz_sim_file){ FILE_ROOT_COMMIT, i < 2 ? "0" : "1", paths[i],
			bytes_of(maker->file[i], FILE_BYTES) };
	fuzz_sim_run(files, FILES, recover_all);
	free(maker);
	return 0;
}
