#include "index/pace.h"

#include "index/store_state.h"
#include "io/base/clock.h"
#include "tests/io/io_fixture.h"

enum { PIECE = 64 * 1024, PIECES = 64 };

static void spend(struct task *task, struct store *store, uint64_t *took_ns)
{
	uint64_t from_ns = loop_now_ns(store->loop);
	struct pace pace;

	pace_begin(&pace, store);
	for (unsigned i = 0; i < PIECES; i++) {
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK); /* the work */
		cr_assert_eq(pace_spend(task, store, &pace, PIECE), RP_OK);
	}
	*took_ns = loop_now_ns(store->loop) - from_ns;
}

SIM_TASK_TEST(pace, work_takes_its_time)
{
	struct store store = {.loop = task_loop(task)};
	uint64_t took_ns;

	(void)arg;
	spend(task, &store, &took_ns);
	cr_assert_lt(took_ns, 2 * PIECES * UINT64_C(1000000));
	store.settings.background_bytes_per_s = 1024 * 1024;
	spend(task, &store, &took_ns);
	cr_assert_geq(took_ns, (PIECES - 1) * PIECE * (CLOCK_NS_PER_S / (1024 * 1024)));
	cr_assert_lt(took_ns, 5 * CLOCK_NS_PER_S);
	store.settings.background_bytes_per_s = 0;
	store.settings.background_share = 10;
	spend(task, &store, &took_ns);
	cr_assert_geq(took_ns, (10 * PIECES - 10) * UINT64_C(1000000));
	store.closing = true;
	spend(task, &store, &took_ns);
	cr_assert_lt(took_ns, 2 * PIECES * UINT64_C(1000000));
}
