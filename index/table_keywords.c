/* The names of a mailbox's keywords, and who has which.
 *
 * A record names a keyword, never its index; so an index is good while its name is. There are MAILBOX_KEYWORDS_MAX names at most. One
 * that no live message has is not taken away, for it may come back, but gives its index up when another is to be made and there are as
 * many as can be. Which one depends on live messages alone, and a record is only made if there is room by them: so whoever replays it
 * has room too. (But for an index that meets a merged journal: what was on and off again in between is not told. Such a table is
 * overfull, and is made from the journal alone.)
 */
#include <string.h>

#include "index/table_state.h"

static uint16_t find_keyword(const struct table *table, struct bytes name)
{
	for (uint32_t i = 0; i < table->keywords_count; i++) {
		const struct table_name *at = &table->keyword[i];

		if (at->n == name.n && bytes_eq_fold(bytes_of(at->text, at->n), name))
			return (uint16_t)i;
	}
	return UINT16_MAX;
}

/* Of one group: keywords that a live message has. */
static void add_used(const struct group *group, uint64_t used[TABLE_KEYWORD_WORDS])
{
	for (uint32_t w = 0; w < TABLE_KEYWORD_WORDS; w++) {
		for (uint64_t left = group->keyword_used[w]; left != 0; left &= left - 1) {
			uint32_t k = w * 64 + (uint32_t)__builtin_ctzll(left);

			if (group->flag[TABLE_SYSTEM_FLAGS + k].live_ones > 0)
				used[w] |= UINT64_C(1) << (k % 64);
		}
	}
}

static void find_used(const struct table *table, uint64_t used[TABLE_KEYWORD_WORDS])
{
	memset(used, 0, TABLE_KEYWORD_WORDS * sizeof(*used));
	for (uint32_t i = 0; i < table->groups_count; i++)
		add_used(table->group[i], used);
}

void table_naming_begin(struct table_naming *naming, const struct table *table)
{
	*naming = (struct table_naming){ .table = table };
	find_used(table, naming->used);
	for (uint32_t w = 0; w < TABLE_KEYWORD_WORDS; w++)
		naming->in_use += (size_t)__builtin_popcountll(naming->used[w]);
}

void table_naming_add(struct table_naming *naming, struct bytes name)
{
	uint16_t k = find_keyword(naming->table, name);

	naming->made += k == UINT16_MAX;
	naming->in_use += k == UINT16_MAX || ((naming->used[k / 64] >> (k % 64)) & 1) == 0;
}

/* Who is suspended in the table may know a keyword by its index. */
bool table_naming_fits(const struct table_naming *naming)
{
	return naming->table->keywords_count + naming->made <= MAILBOX_KEYWORDS_MAX ||
	       (naming->table->holds == 0 && naming->in_use <= MAILBOX_KEYWORDS_MAX);
}

/* A name that no live message has; its index. Those that are gone, and are listed still, have it no more. */
static uint16_t give_up_name(struct table *table)
{
	uint64_t used[TABLE_KEYWORD_WORDS];

	find_used(table, used);
	for (uint16_t k = 0; k < table->keywords_count; k++) {
		if ((used[k / 64] >> (k % 64)) & 1)
			continue;
		for (uint32_t i = 0; i < table->groups_count; i++)
			group_clear_flag(table->group[i], TABLE_SYSTEM_FLAGS + k);
		return k;
	}
	return UINT16_MAX;
}

static uint16_t put_name(struct table *table, uint16_t index, struct bytes name)
{
	struct table_name *at = &table->keyword[index];

	*at = (struct table_name){ .n = (uint8_t)name.n };
	memcpy(at->text, name.p, name.n);
	table->version++;
	table->names_version++;
	return index;
}

uint16_t table_keyword(struct table *table, struct bytes name, bool make)
{
	uint16_t index = find_keyword(table, name);

	if (index != UINT16_MAX || !make || name.n == 0 || name.n > MAILBOX_KEYWORD_BYTES_MAX)
		return index;
	if (table->keywords_count < MAILBOX_KEYWORDS_MAX) {
		RP_ASSERT(table->keywords_count < table->keywords_max);
		return put_name(table, (uint16_t)table->keywords_count++, name);
	}
	index = give_up_name(table);
	return index != UINT16_MAX ? put_name(table, index, name) : index;
}

unsigned table_keywords_count(const struct table *table)
{
	return table->keywords_count;
}

struct bytes table_keyword_name(const struct table *table, unsigned index)
{
	RP_ASSERT(index < table->keywords_count);
	return bytes_of(table->keyword[index].text, table->keyword[index].n);
}

uint64_t table_names_version(const struct table *table)
{
	return table->names_version;
}

void table_set_overfull(struct table *table)
{
	table->overfull = true;
}

bool table_is_overfull(const struct table *table)
{
	return table->overfull;
}
