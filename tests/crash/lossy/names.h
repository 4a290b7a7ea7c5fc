/* names.h -- what directories hold, now and after a power cut. */
#ifndef RP_TESTS_CRASH_LOSSY_NAMES_H
#define RP_TESTS_CRASH_LOSSY_NAMES_H

#include "tests/crash/lossy/disk.h"

/* One thing that happened to names; it is durable whole or not at all. number 0: the name went. */
struct change {
	struct change_edit {
		uint64_t dir;
		char *name;
		uint64_t number;
	} edit[2];
	size_t edits;
};

uint64_t names_get(const struct names *names, const char *name);

/* To `now` at once, to `kept` when durable. The names are copied. */
int names_change(const struct change *change);

int names_flush(const struct node *dir);
int names_flush_all(void);

enum names_mercy { NAMES_ALL_LOST, NAMES_ALL_KEPT, NAMES_ORDERED, NAMES_EACH_DIRECTORY };
int names_crash(enum names_mercy mercy, uint64_t *dice, struct disk_cut *cut);

uint64_t disk_dice(uint64_t *state);

#endif
