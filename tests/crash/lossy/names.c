#include "tests/crash/lossy/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct change *changes; /* oldest first */
static size_t changes_count, changes_room;

uint64_t names_get(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->entry[i].name, name) == 0)
			return names->entry[i].number;
	return 0;
}

static int names_set(struct names *names, const char *name, uint64_t number)
{
	size_t at = 0;

	while (at < names->count && strcmp(names->entry[at].name, name) != 0)
		at++;
	if (at < names->count && number != 0) {
		names->entry[at].number = number;
	} else if (at < names->count) {
		free(names->entry[at].name);
		names->count--;
		memmove(names->entry + at, names->entry + at + 1,
		    (names->count - at) * sizeof(*names->entry));
	} else if (number != 0) {
		if (names->count == names->room) {
			size_t room = names->room * 2 + 8;
			struct entry *entry = realloc(names->entry, room * sizeof(*entry));

			if (entry == NULL)
				return -ENOMEM;
			names->entry = entry;
			names->room = room;
		}
		names->entry[at] = (struct entry){strdup(name), number};
		if (names->entry[at].name == NULL)
			return -ENOMEM;
		names->count++;
	}
	return 0;
}

static int apply(const struct change *change, bool kept)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < change->edits; i++) {
		struct node *dir = disk_node(change->edit[i].dir);

		err = names_set(
		    kept ? &dir->kept : &dir->now, change->edit[i].name, change->edit[i].number);
	}
	return err;
}

int names_change(const struct change *change)
{
	if (changes_count == changes_room) {
		size_t room = changes_room * 2 + 64;
		struct change *more = realloc(changes, room * sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		changes = more;
		changes_room = room;
	}
	struct change *own = &changes[changes_count];

	*own = *change;
	for (size_t i = 0; i < own->edits; i++) {
		own->edit[i].name = strdup(change->edit[i].name);
		if (own->edit[i].name == NULL)
			return -ENOMEM;
	}
	changes_count++;
	return apply(own, false);
}

/* Those that are chosen are durable now, in their order; of the rest nothing is known any more, or all. */
static int keep_chosen(const bool *chosen, bool forget_rest)
{
	size_t left = 0;
	int err = 0;

	for (size_t i = 0; i < changes_count; i++) {
		if (chosen[i] && err == 0)
			err = apply(&changes[i], true);
		if (!chosen[i] && !forget_rest) {
			changes[left++] = changes[i];
			continue;
		}
		for (size_t e = 0; e < changes[i].edits; e++)
			free(changes[i].edit[e].name);
	}
	changes_count = left;
	return err;
}

/* With what happened in a directory goes all that happened before in the others that it touches. */
int names_flush(const struct node *dir)
{
	bool *chosen = calloc(changes_count + 1, sizeof(*chosen));
	uint64_t *dirs = calloc(changes_count * 2 + 1, sizeof(*dirs));
	size_t dirs_count = 1;

	if (chosen == NULL || dirs == NULL) {
		free(chosen);
		free(dirs);
		return -ENOMEM;
	}
	dirs[0] = dir->number;
	for (size_t i = changes_count; i-- > 0;) {
		for (size_t e = 0; e < changes[i].edits; e++)
			for (size_t d = 0; d < dirs_count && !chosen[i]; d++)
				chosen[i] = dirs[d] == changes[i].edit[e].dir;
		for (size_t e = 0; chosen[i] && changes[i].edits == 2 && e < 2; e++)
			if (dirs[dirs_count - 1] != changes[i].edit[e].dir)
				dirs[dirs_count++] = changes[i].edit[e].dir;
	}
	int err = keep_chosen(chosen, false);

	free(chosen);
	free(dirs);
	return err;
}

int names_flush_all(void)
{
	bool *chosen = malloc(changes_count + 1);

	if (chosen == NULL)
		return -ENOMEM;
	memset(chosen, true, changes_count);
	int err = keep_chosen(chosen, false);

	free(chosen);
	return err;
}

/* One lost in a directory loses all that follow there. */
static bool follows_a_loss(const bool *chosen, size_t at)
{
	for (size_t i = 0; i < at; i++)
		for (size_t a = 0; !chosen[i] && a < changes[i].edits; a++)
			for (size_t b = 0; b < changes[at].edits; b++)
				if (changes[i].edit[a].dir == changes[at].edit[b].dir)
					return true;
	return false;
}

int names_crash(enum names_mercy mercy, uint64_t *dice, struct disk_cut *cut)
{
	bool *chosen = calloc(changes_count + 1, sizeof(*chosen));
	size_t end = mercy == NAMES_ORDERED ? disk_dice(dice) % (changes_count + 1) : 0;

	if (chosen == NULL)
		return -ENOMEM;
	cut->changes = changes_count;
	for (size_t i = 0; i < changes_count; i++) {
		if (mercy == NAMES_EACH_DIRECTORY)
			chosen[i] = disk_dice(dice) % 8 != 0 && !follows_a_loss(chosen, i);
		else
			chosen[i] = mercy == NAMES_ALL_KEPT || i < end;
		cut->changes_lost += !chosen[i];
	}
	int err = keep_chosen(chosen, true);

	free(chosen);
	return err;
}
