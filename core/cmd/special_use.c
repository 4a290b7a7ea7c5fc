#include "core/cmd/special_use.h"

static const struct {
	const char *name;
	unsigned bit;
} uses[] = {
	{ "\\All", SPECIAL_USE_ALL },         { "\\Archive", SPECIAL_USE_ARCHIVE },
	{ "\\Drafts", SPECIAL_USE_DRAFTS },   { "\\Flagged", SPECIAL_USE_FLAGGED },
	{ "\\Junk", SPECIAL_USE_JUNK },       { "\\Sent", SPECIAL_USE_SENT },
	{ "\\Trash", SPECIAL_USE_TRASH },
};

enum { USES_COUNT = sizeof(uses) / sizeof(uses[0]) };

unsigned special_use_of(struct bytes name)
{
	for (size_t i = 0; i < USES_COUNT; i++)
		if (bytes_eq_fold(name, bytes_of_str(uses[i].name + 1)))
			return uses[i].bit;
	return 0;
}

void special_use_write(struct resp *resp, unsigned special_use, bool *started)
{
	for (size_t i = 0; i < USES_COUNT; i++) {
		if ((special_use & uses[i].bit) == 0)
			continue;
		resp_sep(resp, started);
		resp_str(resp, uses[i].name);
	}
}
