#include "index/pace.h"

#include "index/store_state.h"
#include "io/base/clock.h"
#include "io/base/num.h"

/* Shorter sleeps cost more than they give. */
#define PACE_SLEEP_NS_MIN (UINT64_C(5) * 1000 * 1000)
/* One piece of work that took long, on a slow disk, is not paid for by an hour of sleep. */
#define PACE_SLEEP_NS_MAX (UINT64_C(2) * CLOCK_NS_PER_S)

void pace_begin(struct pace *pace, const struct store *store)
{
	*pace = (struct pace){.from_ns = loop_now_ns(store->loop)};
}

/* How long this piece has to be waited for, by the bytes of all and by its own time. */
static uint64_t due_ns(struct store *store, struct pace *pace, uint64_t bytes)
{
	const struct store_settings *settings = &store->settings;
	uint64_t now_ns = loop_now_ns(store->loop);
	uint64_t by_rate = 0;

	if (settings->background_share != 0)
		pace->owed_ns += (now_ns - pace->from_ns) * (100 - settings->background_share) /
		                 settings->background_share;
	if (settings->background_bytes_per_s != 0) {
		store->paced_ns = num_max(store->paced_ns, now_ns) +
		                  bytes * CLOCK_NS_PER_S / settings->background_bytes_per_s;
		by_rate = store->paced_ns - now_ns;
	}
	return num_min(num_max(by_rate, pace->owed_ns), PACE_SLEEP_NS_MAX);
}

enum rp_err pace_spend(struct task *task, struct store *store, struct pace *pace, uint64_t bytes)
{
	uint64_t ns = due_ns(store, pace, bytes);
	enum rp_err err;

	if (ns < PACE_SLEEP_NS_MIN || store->closing) {
		err = task_pause(task);
	} else {
		err = task_sleep(task, ns);
		pace->owed_ns = 0;
	}
	pace->from_ns = loop_now_ns(store->loop);
	return err;
}

bool pace_cut_short(enum rp_err err)
{
	return err == RP_ERR_NOSPACE || err == RP_ERR_NOMEM || err == RP_ERR_CANCELED;
}
