#include "index/journal_mark.h"

#include <string.h>
#include <xxhash.h>

static uint64_t checksum(const struct journal_mark *mark, uint64_t nonce)
{
	return XXH3_64bits_withSeed(mark, offsetof(struct journal_mark, xxh3), nonce);
}

void journal_mark_put(
    uint8_t p[JOURNAL_MARK_BYTES], uint64_t lsn, uint64_t offset, uint64_t nonce)
{
	struct journal_mark mark = {.magic = JOURNAL_MARK_MAGIC, .lsn = lsn, .offset = offset};

	mark.xxh3 = checksum(&mark, nonce);
	memcpy(p, &mark, sizeof(mark));
}

uint64_t journal_mark_read(struct bytes in, uint64_t offset, uint64_t nonce)
{
	struct journal_mark mark;

	if (in.n < sizeof(mark))
		return 0;
	memcpy(&mark, in.p, sizeof(mark));
	if (mark.magic != JOURNAL_MARK_MAGIC || mark.zero != 0 || mark.offset != offset ||
	    mark.xxh3 != checksum(&mark, nonce))
		return 0;
	return mark.lsn;
}
