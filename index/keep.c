#include "index/keep.h"

#include "index/store_state.h"
#include "io/base/clock.h"
#include "io/base/num.h"

uint64_t keep_clock_now(
    struct keep_clock *clock, uint64_t wall_s, uint64_t mono_s, uint64_t trust_s, bool *sure)
{
	uint64_t goes_on = clock->wall_s + (mono_s - clock->mono_s);
	bool jumps = clock->started && wall_s > goes_on + KEEP_JUMP_S;

	if (!clock->started)
		clock->start_mono_s = mono_s;
	clock->started = true;
	*sure = mono_s - clock->start_mono_s >= trust_s;
	if (jumps && !clock->jumped)
		clock->jump_mono_s = mono_s;
	clock->jumped = jumps && mono_s - clock->jump_mono_s < trust_s;
	if (clock->jumped)
		return goes_on;
	clock->wall_s = wall_s;
	clock->mono_s = mono_s;
	return wall_s;
}

static uint64_t now_s(struct store *store, bool *sure)
{
	uint64_t trust_s = store->settings.keep_trust_s;

	return keep_clock_now(&store->keep_clock, loop_wall_ns(store->loop) / CLOCK_NS_PER_S,
	    loop_now_ns(store->loop) / CLOCK_NS_PER_S, trust_s != 0 ? trust_s : KEEP_TRUST_S, sure);
}

uint64_t keep_since(struct store *store)
{
	uint64_t keep_s = store->settings.keep_expunged_s;
	bool sure;
	uint64_t now = now_s(store, &sure);

	if (keep_s == 0)
		return UINT64_MAX;
	return sure && now > keep_s ? now - keep_s : 0;
}

uint64_t keep_stamp(struct store *store)
{
	bool sure;
	uint64_t now = now_s(store, &sure);

	return store->settings.keep_expunged_s != 0 ? now : 0;
}
