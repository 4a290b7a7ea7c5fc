/* config_table.h -- every key of the configuration, one table. */
#ifndef RP_CORE_SERVER_CONFIG_TABLE_H
#define RP_CORE_SERVER_CONFIG_TABLE_H

#include "core/server/config.h"

enum config_kind {
	CONFIG_TEXT,  /* char * */
	CONFIG_BOOL,  /* bool */
	CONFIG_COUNT, /* uint64_t, a plain number */
	CONFIG_SIZE,  /* uint64_t, bytes: KiB MiB GiB, kB MB GB */
	CONFIG_TIME,  /* uint64_t, milliseconds: ms s m h d */
	CONFIG_LIST,  /* struct config_list */
};

struct config_key {
	const char *section; /* NULL: outside any */
	const char *name;
	enum config_kind kind;
	size_t offset; /* of the field in struct config */
	const char *initial;
	uint64_t least;
	uint64_t greatest;
	const char *meaning;
	bool (*is_valid)(const char *word); /* of a text that is not empty, and of each word of a list; NULL: any will do */
	const char *wanted;                 /* when it is not valid */
};

extern const struct config_key config_keys[];
extern const size_t config_keys_count;

/* What is wrong with this value, or with one word of a list: `room` or a text that stays; NULL: nothing. */
enum { CONFIG_FAULT_BYTES = 160 };
const char *config_fault(const struct config_key *key, const char *value, char room[CONFIG_FAULT_BYTES]);

RP_MUST_USE enum rp_err config_bool(const char *text, bool *out);

/* "64MiB", "5m", "10": with the units of the kind. False: not that. */
RP_MUST_USE bool config_number(enum config_kind kind, struct bytes text, uint64_t *out);

#endif
