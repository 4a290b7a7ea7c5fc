/* A mailbox's cache file as any disk may have it: an entry that is given out is whole and this message's. The file's header is
 * signed, and entries that begin with 'E' get their checksum, for no mutation would get past it. */
#include <xxhash.h>

#include "index/cache.h"
#include "index/format.h"
#include "index/index_format.h"
#include "index/mailbox_state.h"
#include "index/volume_state.h"
#include "io/base/num.h"
#include "tests/fuzz/fuzz_sim.h"

enum { VERSION = 1, NONCE = 77, HEAD_BYTES = 24, FILE_BYTES_MAX = FORMAT_AREA_BYTES + 128 * 1024 };

static const struct userid user = { .b = { 1, 2, 3 } };

static size_t build(uint8_t *file, const uint8_t *p, size_t n)
{
	struct format_header header = { .userid = user, .nonce = NONCE, .number = 1 };
	size_t used = FORMAT_AREA_BYTES + num_min(n, FILE_BYTES_MAX - FORMAT_AREA_BYTES);

	format_sign(&header, FORMAT_CACHE, VERSION);
	format_put_area(&header, file);
	if (n > 0)
		memcpy(file + FORMAT_AREA_BYTES, p, used - FORMAT_AREA_BYTES);
	for (size_t at = FORMAT_AREA_BYTES; at + HEAD_BYTES <= used; at += 8) {
		uint64_t bytes = num_get_u32(file + at + 8);

		if (file[at] != 'E' || bytes > used - at - HEAD_BYTES)
			continue;
		num_put_u64(file + at, 'E');
		num_put_u32(file + at + 12, 0);
		num_put_u64(file + at + 16, XXH3_64bits_withSeed(file + at + HEAD_BYTES, bytes, NONCE));
	}
	return used;
}

static void look(struct task *task, void *arg)
{
	struct store store = { .loop = task_loop(task), .epoch = 1 };
	struct volume volume = { .store = &store, .userid = user, .dir = "users/0001/u" };
	struct mailbox mailbox = { .volume = &volume, .mailboxid = 1 };
	struct cache *cache;
	struct arena arena;
	struct bytes entry;

	(void)arg;
	RP_ASSERT(cache_open(task, &mailbox, &cache) == RP_OK);
	arena_init(&arena, 4 * 1024 * 1024);
	for (uint32_t place = 0; place < FILE_BYTES_MAX / 8; place += place < 600 ? 1 : 97) {
		if (cache_get(task, cache, place, 'E', &arena, &entry) == RP_OK)
			RP_ASSERT(entry.n > 0 && entry.n < FILE_BYTES_MAX && XXH3_64bits(entry.p, entry.n) != 0);
		arena_reset(&arena);
	}
	arena_fini(&arena);
	cache_close(cache);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t file[FILE_BYTES_MAX];
	size_t used = build(file, p, n);

	fuzz_sim_run(&(struct fuzz_sim_file){ FILE_ROOT_DATA, "users/0001/u", "users/0001/u/1.cache", bytes_of(file, used) }, 1, look);
	return 0;
}
