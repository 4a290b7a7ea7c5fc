/* DATA/store as any disk may have it: refused in a sentence, or the epoch rises. Its two copies are signed first, if the first
 * byte says so, for no mutation would get past the checksums. */
#include "index/claim.h"
#include "index/format.h"
#include "index/store.h"
#include "io/base/num.h"
#include "tests/fuzz/fuzz_sim.h"

enum { FILE_BYTES_MAX = 2 * FORMAT_AREA_BYTES + 64 };

static void claim(struct task *task, void *arg)
{
	const char *reason = NULL;
	struct claim *claimed;
	struct arena arena;
	uint64_t epoch = 0;

	(void)arg;
	arena_init(&arena, 1024 * 1024);
	enum rp_err err = store_claim(task, &arena, 2, &claimed, &epoch, &reason);

	RP_ASSERT(err == RP_OK ? epoch > 0 : reason != NULL);
	if (err == RP_OK)
		store_unclaim(claimed);
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t file[FILE_BYTES_MAX];
	size_t used = n > 1 ? num_min(n - 1, sizeof(file)) : 0;

	if (n < 2)
		return 0;
	memset(file, 0, sizeof(file));
	memcpy(file, p + 1, used);
	for (int copy = 0; copy < 2 && (p[0] & (1 << copy)) != 0; copy++) {
		struct format_header header;
		uint8_t *at = file + copy * FORMAT_AREA_BYTES;

		memcpy(&header, at, sizeof(header));
		format_sign(&header, FORMAT_STORE, p[0] & 4 ? header.version : CLAIM_VERSION);
		format_put_area(&header, at);
		used = used > (size_t)(copy + 1) * FORMAT_AREA_BYTES ? used : (size_t)(copy + 1) * FORMAT_AREA_BYTES;
	}
	fuzz_sim_run(&(struct fuzz_sim_file){ FILE_ROOT_DATA, "x", "store", bytes_of(file, used) }, 1, claim);
	return 0;
}
