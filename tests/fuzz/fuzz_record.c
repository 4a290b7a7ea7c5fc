/* A record in a journal or a log: what reads is sane, lies in the input, and says the same written again. The checksums are
 * made to match first, for no mutation would get past them. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "index/record.h"
#include "tests/fuzz/fuzz.h"

enum { NONCE = 1234 };

static void sign(uint8_t *p, size_t n)
{
	struct record_header header;

	if (n < sizeof(header))
		return;
	memcpy(&header, p, sizeof(header));
	header.magic = RECORD_MAGIC;
	if (header.payload_bytes <= n - sizeof(header))
		header.payload_xxh3 = XXH3_64bits(p + sizeof(header), header.payload_bytes);
	record_sign(&header, NONCE);
	memcpy(p, &header, sizeof(header));
}

static void check(struct bytes in, bool with_body)
{
	struct record record;
	uint64_t skip;
	enum rp_err err = record_read(in, NONCE, with_body, &record, &skip);

	RP_ASSERT(skip <= in.n);
	if (err != RP_OK)
		return;
	RP_ASSERT(record_header_is_sane(&record.header));

	uint64_t bytes = record_journal_bytes(&record.header);
	uint8_t *again = malloc(bytes);

	RP_ASSERT(bytes <= in.n && again != NULL);
	RP_ASSERT(record_put(again, &record, NONCE) == bytes);
	RP_ASSERT(memcmp(again, in.p, sizeof(record.header) + record.payload.n) == 0);
	RP_ASSERT(record.body.n == (with_body ? record.header.body_bytes : 0));
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n + 1);

	RP_ASSERT(copy != NULL);
	memcpy(copy, p, n);
	for (int signed_too = 0; signed_too < 2; signed_too++) {
		check(bytes_of(copy, n), true);
		check(bytes_of(copy, n), false);
		RP_ASSERT(record_find(bytes_of(copy, n), n / 3, NONCE) <= n);
		sign(copy, n);
	}
	free(copy);
	return 0;
}
