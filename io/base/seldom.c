#include "io/base/seldom.h"

#include "io/base/clock.h"
#include "io/base/num.h"

/* Its own place; else the one that was named longest ago, or none yet. */
static struct seldom_one *place_of(struct seldom *seldom, uint64_t who, uint64_t *newest_ns)
{
	struct seldom_one *oldest = &seldom->one[0];

	*newest_ns = 0;
	for (unsigned i = 0; i < SELDOM_COUNT; i++) {
		struct seldom_one *one = &seldom->one[i];

		if (one->told_ns != 0 && one->who == who)
			return one;
		if (one->told_ns < oldest->told_ns)
			oldest = one;
		*newest_ns = num_max(*newest_ns, one->told_ns);
	}
	return oldest;
}

bool seldom_is_due(struct seldom *seldom, uint64_t who, uint64_t monotonic_ns, uint64_t again_ns)
{
	uint64_t now_ns = num_max(monotonic_ns, 1);
	uint64_t newest_ns;
	struct seldom_one *one = place_of(seldom, who, &newest_ns);

	if (one->told_ns != 0 && now_ns - one->told_ns < again_ns &&
	    (one->who == who || now_ns - newest_ns < CLOCK_NS_PER_S))
		return false;
	*one = (struct seldom_one){.who = who, .told_ns = now_ns};
	return true;
}
