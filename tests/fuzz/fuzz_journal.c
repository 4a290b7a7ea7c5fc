/* A journal that anybody may have written, in the simulator: replay ends, tells LSNs in ascending order, and what is
 * numbered and written afterwards is there. Records are signed first, for no mutation would get past the checksums. */
#include <string.h>
#include <xxhash.h>

#include "index/format.h"
#include "index/journal.h"
#include "index/journal_mark.h"
#include "io/base/num.h"
#include "tests/fuzz/fuzz_sim.h"

enum { NONCE = 1234, FILE_BYTES_MAX = 64 * 1024 };

static const struct userid user = { .b = { 1, 2, 3 } };

static size_t build(uint8_t *file, const uint8_t *p, size_t n)
{
	struct format_header header = { .userid = user, .nonce = NONCE, .lsn = 3 };

	n = num_min(n, FILE_BYTES_MAX - FORMAT_AREA_BYTES);
	format_sign(&header, FORMAT_JOURNAL, JOURNAL_VERSION);
	format_put_area(&header, file);
	memcpy(file + FORMAT_AREA_BYTES, p, n);
	n += FORMAT_AREA_BYTES;
	for (size_t at = FORMAT_AREA_BYTES; at + sizeof(struct record_header) <= n; at += RECORD_ALIGN) {
		struct record_header record;

		memcpy(&record, file + at, sizeof(record));
		if (file[at] != 'R')
			continue;
		record.magic = RECORD_MAGIC;
		record.userid = user;
		if (file[at + 1] != 'M') { /* else it lies anywhere */
			record.place.journal = header.lsn;
			record.place.journal_offset = at;
		}
		if (record.payload_bytes <= n - at - sizeof(record))
			record.payload_xxh3 =
			    XXH3_64bits(file + at + sizeof(record), record.payload_bytes);
		record_sign(&record, NONCE);
		memcpy(file + at, &record, sizeof(record));
	}
	if (n >= FORMAT_AREA_BYTES + JOURNAL_MARK_BYTES && file[n - JOURNAL_MARK_BYTES] == 'E') {
		uint64_t at = n - JOURNAL_MARK_BYTES;

		journal_mark_put(file + at, num_get_u64(file + at + 8), at, NONCE);
	}
	return n;
}

static enum rp_err see(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	uint64_t *last = arg;
	uint64_t lsn = record != NULL ? record->header.lsn : missing_last;

	(void)task;
	RP_ASSERT(record != NULL || (missing_first > *last && missing_first <= missing_last));
	RP_ASSERT(lsn > *last);
	*last = lsn;
	return RP_OK;
}

static void replay(struct task *task, void *arg)
{
	struct record record = { .header = { .type = 1, .userid = user } };
	const struct record *records[] = { &record };
	struct journal *journal;
	uint64_t last = 0;

	(void)arg;
	RP_ASSERT(journal_open(task, "users/0001/u", &user, 1, &journal) == RP_OK);
	RP_ASSERT(journal_replay(task, journal, 0, see, &last) == RP_OK);
	if (journal_last_lsn(journal) < UINT64_MAX - 1) {
		record_fill(&record.header, record.payload, record.body);
		journal_number(journal, sizeof(record.header), &record.header.lsn, &record.header.place);
		RP_ASSERT(journal_write(task, journal, records, 1, &(size_t){ 0 }) == RP_OK);
		last = record.header.lsn - 1;
		RP_ASSERT(journal_replay(task, journal, record.header.lsn - 1, see, &last) == RP_OK);
		RP_ASSERT(last == record.header.lsn);
	}
	journal_close(journal);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t file[FILE_BYTES_MAX];
	size_t used = build(file, p, n);

	fuzz_sim_run(&(struct fuzz_sim_file){ FILE_ROOT_DATA, "users/0001/u",
			 "users/0001/u/3-.journal", bytes_of(file, used) },
	    1, replay);
	return 0;
}
