/* Who knows places of bodies over suspensions keeps compactions off, and must not do so for ever: compact_hold() of compact.h.
 *
 * Long copies, one after the other or of two sessions in turn, leave no moment in which none holds. So when one that was worth while has been
 * kept off for a minute, who comes next waits till those that hold have let go, and one file is emptied.
 */
#include "index/compact.h"
#include "index/compact_core.h"
#include "index/store_state.h"
#include "io/base/clock.h"
#include "io/base/num.h"

enum {
	POLL_NS = 1000 * 1000,
	OFF_MAX_S = 60,
	TURN_WAIT_MAX_S = 60, /* for those that hold: an undelete, or a check, may take longer, and is no copy without end */
};

void compact_core_kept_off(struct volume *volume)
{
	if (volume->compact_off_ns == 0)
		volume->compact_off_ns = num_max(loop_now_ns(volume->store->loop), 1);
}

static bool is_overdue(const struct volume *volume)
{
	uint64_t now_ns = loop_now_ns(volume->store->loop);

	return volume->compact_off_ns != 0 &&
	       now_ns - volume->compact_off_ns >= OFF_MAX_S * CLOCK_NS_PER_S;
}

static enum rp_err give_turn(struct task *task, struct volume *volume)
{
	uint64_t until_ns = loop_now_ns(volume->store->loop) + TURN_WAIT_MAX_S * CLOCK_NS_PER_S;
	enum rp_err err = RP_OK;

	while (err == RP_OK && is_overdue(volume) && volume->compact_holds > 0 &&
	       loop_now_ns(volume->store->loop) < until_ns)
		err = task_sleep(task, POLL_NS);
	if (err != RP_OK || !is_overdue(volume) || volume->compact_holds > 0)
		return err;
	compact_consider(volume); /* if it does not begin nobody here is why */
	while (err == RP_OK && is_overdue(volume) && volume->compact_runs)
		err = task_sleep(task, POLL_NS);
	return err;
}

enum rp_err compact_hold(struct task *task, struct volume *volume)
{
	enum rp_err err = give_turn(task, volume);

	volume->compact_holds++;
	while (err == RP_OK && volume->compact_runs)
		err = task_sleep(task, POLL_NS);
	return err;
}

void compact_let_go(struct volume *volume)
{
	RP_ASSERT(volume->compact_holds > 0);
	volume->compact_holds--;
}
