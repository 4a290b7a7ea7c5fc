#include "tests/sim/room.h"

#include "index/commit_core.h"
#include "index/store_state.h"
#include "io/base/clock.h"
#include "io/base/num.h"
#include "tests/sim/machine.h"

enum {
	SMALL_MS_MAX = 3000,
	ENDLESS_MS_MAX = 8000,
	SLOW_MS_MAX = 10, /* or all would be over within the second between two looks at the disk */
	SOON_MS = 4000,
};

static uint64_t draw_ns(struct room *room, uint64_t ms_max)
{
	return (1 + model_random(&room->random) % ms_max) * CLOCK_NS_PER_MS;
}

void room_draw(struct machine *machine)
{
	struct life *life = &machine->life;
	struct room *room = &life->room;

	room->random = machine->plan.seed * 6151 + life->number + 1;
	room->small_bytes = life->faults.disk_bytes_max;
	if (room->small_bytes == 0 || model_random(&room->random) % 2 == 0)
		return;
	life->faults.latency_ns_max =
	    num_max(life->faults.latency_ns_max, draw_ns(room, SLOW_MS_MAX));
	room->next_ns = sim_now_ns(machine->world) + draw_ns(room, SMALL_MS_MAX);
}

static bool anybody_gave(const struct machine *machine)
{
	for (unsigned i = 0; i < machine->life.shards_count; i++) {
		const struct store *store = machine->shard[i].store;

		if (store != NULL && store->commit != NULL && store->commit->reserve_given)
			return true;
	}
	return false;
}

static void look_at_reserve(struct machine *machine)
{
	struct bytes content;

	machine->tally->reserves_back++;
	if (!anybody_gave(machine) && !machine->life.reads_fail &&
	    sim_disk_read(machine->world, FILE_ROOT_DATA, "reserve", &content) != RP_OK)
		assert_panic("new mail is taken again, and there is no reserve");
}

static void look_at_shard(struct machine *machine, unsigned i)
{
	const struct room *room = &machine->life.room;
	const struct store *store = machine->shard[i].store;
	const struct commit *commit = store != NULL ? store->commit : NULL;
	bool given = commit != NULL && commit->reserve_given;

	if (commit != NULL && machine->life.room.given[i] && !given)
		look_at_reserve(machine);
	machine->life.room.given[i] = given;
	if (commit != NULL && machine->shard[i].up && !machine->life.stop && !commit->failed &&
	    room->endless_ns != 0 && machine->life.away.ns == 0 &&
	    sim_now_ns(machine->world) - room->endless_ns > SOON_MS * CLOCK_NS_PER_MS &&
	    commit->disk != COMMIT_ROOM_ENOUGH)
		assert_panic("shard %u: there is room, and new mail is refused", i);
}

void room_step(struct machine *machine)
{
	struct room *room = &machine->life.room;
	uint64_t now_ns = sim_now_ns(machine->world);

	for (unsigned i = 0; i < machine->life.shards_count; i++)
		look_at_shard(machine, i);
	if (room->next_ns == 0 || now_ns < room->next_ns)
		return;
	room->endless_ns = room->endless_ns == 0 ? now_ns : 0;
	machine->life.faults.disk_bytes_max = room->endless_ns == 0 ? room->small_bytes : 0;
	room->next_ns = now_ns + draw_ns(room, room->endless_ns == 0 ? SMALL_MS_MAX : ENDLESS_MS_MAX);
	sim_set_faults(machine->world, &machine->life.faults);
	machine->tally->room_again += room->endless_ns != 0;
	machine_tell(machine, "the disk is %s", room->endless_ns == 0 ? "small" : "endless");
}
