#include "tests/sim/away.h"

#include <errno.h>
#include <string.h>

#include "io/base/clock.h"
#include "tests/index/model.h"
#include "tests/sim/machine.h"

enum {
	DISK_MS_MAX = 15 * 1000, /* beyond FILE_LOST_MS: the disk is away, however long */
	FILE_MS_MAX = 9 * 1000,  /* a part of a file that is away for longer is lost */
	STEPS_BEFORE_MAX = 6000,
	STEPS_SPOIL_MAX = 3000,
	BLOCK_BYTES = 4096,
};

static uint64_t draw(struct life *life, uint64_t n)
{
	return model_random(&life->away.random) % n;
}

/* In a life in six. */
static void draw_spoilt(struct machine *machine)
{
	struct life *life = &machine->life;
	uint64_t random = machine->plan.seed * 12289 + life->number + 1;

	if ((machine->plan.off & PLAN_NO_EIO) != 0 || life->number >= MACHINE_LIVES_MAX - 2 ||
	    model_random(&random) % 6 != 0)
		return;
	life->away.spoil_step = 1 + model_random(&random) % STEPS_SPOIL_MAX;
	life->failing = true;
}

void away_draw(struct machine *machine)
{
	struct life *life = &machine->life;
	struct away *away = &life->away;

	draw_spoilt(machine);
	away->random = machine->plan.seed * 7919 + life->number + 1;
	if ((machine->plan.off & PLAN_NO_AWAY) != 0 || life->number >= MACHINE_LIVES_MAX - 2 ||
	    draw(life, 4) != 0)
		return;
	away->of_file = draw(life, 2) == 0;
	away->ns = (1 + draw(life, draw(life, 2) == 0 ? 500
	                           : away->of_file    ? FILE_MS_MAX
	                                              : DISK_MS_MAX)) *
	           CLOCK_NS_PER_MS;
	away->at_step = 1 + (draw(life, 3) == 0 ? 0 : draw(life, STEPS_BEFORE_MAX));
	life->failing = true;
	life->reads_fail = true;
}

struct choice {
	struct machine *machine;
	uint64_t left;
	uint64_t count;
	struct sim_broken broken;
};

static void count_file(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	struct choice *choice = arg;

	(void)root;
	(void)path;
	(void)bytes;
	choice->count++;
}

/* All of it, or a part. */
static void break_chosen(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	struct choice *choice = arg;
	struct life *life = &choice->machine->life;
	uint64_t blocks = bytes / BLOCK_BYTES + 1;

	if (choice->left-- != 0)
		return;
	if (draw(life, 2) == 0) {
		choice->broken.read_from = draw(life, blocks) * BLOCK_BYTES;
		choice->broken.read_to =
		    choice->broken.read_from + (1 + draw(life, 4)) * BLOCK_BYTES;
	}
	machine_tell(choice->machine, "%s is away for %llu ms (%llu-%llu)", path,
	    (unsigned long long)(life->away.ns / CLOCK_NS_PER_MS),
	    (unsigned long long)choice->broken.read_from,
	    (unsigned long long)choice->broken.read_to);
	MODEL_EQ(sim_break_file(choice->machine->world, root, path, &choice->broken), RP_OK);
	choice->machine->tally->files_away++;
}

static void begin(struct machine *machine)
{
	struct life *life = &machine->life;
	struct choice choice = {.machine = machine};

	life->away.until_ns = sim_now_ns(machine->world) + life->away.ns;
	if (!life->away.of_file) {
		machine_tell(machine, "the disk is away for %llu ms",
		    (unsigned long long)(life->away.ns / CLOCK_NS_PER_MS));
		sim_disk_away(machine->world, life->away.until_ns);
		machine->tally->disk_away++;
		return;
	}
	choice.broken = (struct sim_broken){.read = EIO, .read_until_ns = life->away.until_ns};
	sim_disk_walk(machine->world, count_file, &choice);
	if (choice.count == 0)
		return;
	choice.left = draw(life, choice.count);
	sim_disk_walk(machine->world, break_chosen, &choice);
}

/* In use: it has no name yet that tells its last LSN. */
static bool is_written(const char *path)
{
	const char *dash = strrchr(path, '-');

	return dash != NULL && strcmp(dash, "-.journal") == 0;
}

static void count_written(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	struct choice *choice = arg;

	(void)root;
	(void)bytes;
	choice->count += is_written(path);
}

static void spoil_chosen(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	struct choice *choice = arg;

	(void)bytes;
	if (!is_written(path) || choice->left-- != 0)
		return;
	machine_tell(choice->machine, "%s takes nothing more", path);
	MODEL_EQ(sim_break_file(choice->machine->world, root, path, &choice->broken), RP_OK);
	choice->machine->tally->journals_failed++;
}

/* Till the end of this life. Where there is none yet one is looked for later. */
static void spoil(struct machine *machine)
{
	struct choice choice = {.machine = machine, .broken = {.write = EIO}};

	sim_disk_walk(machine->world, count_written, &choice);
	if (choice.count == 0) {
		machine->life.away.spoil_step += STEPS_SPOIL_MAX / 8;
		return;
	}
	choice.left = draw(&machine->life, choice.count);
	sim_disk_walk(machine->world, spoil_chosen, &choice);
}

void away_step(struct machine *machine)
{
	struct away *away = &machine->life.away;

	away->step++;
	if (away->ns != 0 && away->step == away->at_step)
		begin(machine);
	if (away->step == away->spoil_step)
		spoil(machine);
}

bool away_is_on(const struct machine *machine)
{
	return sim_now_ns(machine->world) < machine->life.away.until_ns;
}

static void mend(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	static const struct sim_broken sound;
	struct machine *machine = arg;

	(void)bytes;
	MODEL_EQ(sim_break_file(machine->world, root, path, &sound), RP_OK);
}

void away_end(struct machine *machine)
{
	sim_disk_away(machine->world, 0);
	sim_disk_walk(machine->world, mend, machine);
	machine->life.away.until_ns = 0;
}
