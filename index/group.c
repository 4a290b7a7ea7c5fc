#include "index/group.h"

#include <stdlib.h>

#include "index/rank.h"
#include "io/base/num.h"

struct group_spare {
	struct group_spare *next;
};

struct group *group_new(uint32_t rows_max)
{
	struct group *group = calloc(1, sizeof(*group));

	RP_ASSERT(rows_max > 0 && rows_max <= GROUP_ROWS_MAX);
	if (group == NULL)
		return NULL;
	group->rows_max = rows_max;
	group->modseq_max = calloc(group_blocks(rows_max), sizeof(*group->modseq_max));
	if (group->modseq_max == NULL) {
		free(group);
		return NULL;
	}
	for (int kind = 0; kind < COLUMN_RANGED; kind++)
		group->bounds[kind] = (struct group_bounds){INT64_MAX, INT64_MIN};
	return group;
}

void group_trim(struct group *group, uint32_t keep)
{
	while (group->spares_count > keep) {
		struct group_spare *spare = group->spares;

		group->spares = spare->next;
		group->spares_count--;
		free(spare);
	}
}

void group_free(struct group *group)
{
	if (group == NULL)
		return;
	for (int kind = 0; kind < COLUMN_COUNT; kind++) {
		if (group->column[kind].owned)
			free(group->column[kind].p);
	}
	for (uint32_t flag = 0; flag < group->flags_count; flag++)
		free(group->flag[flag].bits);
	free(group->flag);
	free(group->modseq_max);
	group_trim(group, 0);
	free(group);
}

static size_t dirty_pages(const struct column *column)
{
	return flagmap_ones(column->dirty, sizeof(column->dirty) / sizeof(column->dirty[0]));
}

size_t group_bytes(const struct group *group)
{
	size_t bitmap_bytes = group_words(group) * sizeof(uint64_t);
	size_t bytes = sizeof(*group) + group->flags_max * sizeof(*group->flag) +
	               group_blocks(group->rows_max) * sizeof(*group->modseq_max) +
	               group->spares_count * bitmap_bytes;

	for (int kind = 0; kind < COLUMN_COUNT; kind++) {
		const struct column *column = &group->column[kind];

		bytes += column->owned ? group->rows_max * column_width(kind)
		                       : dirty_pages(column) * COLUMN_PAGE_BYTES;
	}
	for (uint32_t flag = 0; flag < group->flags_count; flag++)
		bytes += group->flag[flag].bits != NULL ? bitmap_bytes : 0;
	return bytes;
}

/* An array with room for new_n bytes: what it had, zeroes behind. */
static void *regrown(void *p, size_t old_n, size_t new_n)
{
	uint8_t *q = realloc(p, new_n);

	if (q != NULL && new_n > old_n)
		memset(q + old_n, 0, new_n - old_n);
	return q;
}

static enum rp_err grow_column(struct group *group, enum column_kind kind, uint32_t rows_max)
{
	struct column *column = &group->column[kind];
	size_t width = column_width(kind);
	uint8_t *p;

	if (column->owned)
		p = regrown(column->p, group->rows * width, rows_max * width);
	else
		p = calloc(rows_max, width);
	if (p == NULL)
		return RP_ERR_NOMEM;
	if (!column->owned && column->p != NULL)
		memcpy(p, column->p, group->rows * width);
	*column = (struct column){.p = p, .owned = true, .checked = true};
	return RP_OK;
}

/* The bits of one flag in a larger room. A flag that is set everywhere gets bits: the next row may
 * not have it. */
static enum rp_err grow_flag(struct group *group, struct flagmap *flag, uint32_t rows_max)
{
	size_t old_words = group_words(group);
	size_t new_words = (rows_max + 63) / 64;

	if (flag->state == FLAGMAP_CLEAR)
		return RP_OK;
	uint64_t *bits =
	    regrown(flag->bits, flag->state == FLAGMAP_BITS ? old_words * 8 : 0, new_words * 8);

	if (bits == NULL)
		return RP_ERR_NOMEM;
	for (uint32_t row = 0; flag->state == FLAGMAP_SET && row < group->rows; row += 64)
		bits[row / 64] = rank_mask(0, group->rows - row < 64 ? group->rows - row : 64);
	flag->bits = bits;
	flag->state = FLAGMAP_BITS;
	return RP_OK;
}

static uint32_t room_for(uint32_t rows)
{
	uint32_t rows_max = GROUP_ROWS_MIN;

	while (rows_max < rows)
		rows_max *= 2;
	return rows_max;
}

enum rp_err group_reserve(struct group *group, uint32_t rows)
{
	enum rp_err err = RP_OK;
	uint32_t rows_max = rows > group->rows_max ? room_for(rows) : group->rows_max;

	RP_ASSERT(rows <= GROUP_ROWS_MAX);
	/* realloc may leave larger arrays behind when a later one fails; rows_max says what all
	 * have, and an array that is grown twice is only copied twice. */
	for (int kind = 0; kind < COLUMN_COUNT && err == RP_OK; kind++) {
		if (!group->column[kind].owned || rows_max > group->rows_max)
			err = grow_column(group, kind, rows_max);
	}
	for (uint32_t flag = 0; flag < group->flags_count && err == RP_OK; flag++) {
		if (rows_max > group->rows_max || group->flag[flag].state == FLAGMAP_SET)
			err = grow_flag(group, &group->flag[flag], rows_max);
	}
	if (err != RP_OK || rows_max == group->rows_max)
		return err;
	uint64_t *modseq_max =
	    regrown(group->modseq_max, group_blocks(group->rows_max) * sizeof(*modseq_max),
	        group_blocks(rows_max) * sizeof(*modseq_max));

	if (modseq_max == NULL)
		return RP_ERR_NOMEM;
	group->modseq_max = modseq_max;
	group_trim(group, 0); /* they are too small now */
	group->rows_max = rows_max;
	return RP_OK;
}

static enum rp_err reserve_maps(struct group *group, uint32_t flags)
{
	if (flags > group->flags_max) {
		uint32_t flags_max = flags <= TABLE_SYSTEM_FLAGS ? TABLE_SYSTEM_FLAGS : flags + 3;
		struct flagmap *flag = realloc(group->flag, flags_max * sizeof(*flag));

		if (flag == NULL)
			return RP_ERR_NOMEM;
		group->flag = flag;
		group->flags_max = flags_max;
	}
	while (group->flags_count < flags)
		group->flag[group->flags_count++] = (struct flagmap){0};
	return RP_OK;
}

enum rp_err group_reserve_flags(struct group *group, uint32_t flags, size_t on)
{
	enum rp_err err = reserve_maps(group, flags);
	uint32_t clear = 0;
	uint32_t need = 0;

	if (err != RP_OK)
		return err;
	for (uint32_t i = 0; i < group->flags_count; i++) {
		clear += group->flag[i].state == FLAGMAP_CLEAR;
		need += group->flag[i].state == FLAGMAP_SET;
	}
	need += clear < on ? clear : (uint32_t)on;
	group_trim(group, need);
	while (group->spares_count < need) {
		struct group_spare *spare = calloc(group_words(group), sizeof(uint64_t));

		if (spare == NULL)
			return RP_ERR_NOMEM;
		spare->next = group->spares;
		group->spares = spare;
		group->spares_count++;
	}
	return RP_OK;
}

enum rp_err group_reserve_column(struct group *group, enum column_kind kind)
{
	return group->column[kind].p != NULL ? RP_OK : grow_column(group, kind, group->rows_max);
}

static void note_used(struct group *group, uint32_t flag)
{
	if (flag < TABLE_SYSTEM_FLAGS)
		return;
	uint32_t keyword = flag - TABLE_SYSTEM_FLAGS;
	uint64_t bit = UINT64_C(1) << (keyword % 64);

	if (group->flag[flag].state == FLAGMAP_CLEAR)
		group->keyword_used[keyword / 64] &= ~bit;
	else
		group->keyword_used[keyword / 64] |= bit;
}

/* A flag that was all alike gets bits, from the spares. */
static void give_bits(struct group *group, uint32_t flag)
{
	struct flagmap *map = &group->flag[flag];
	struct group_spare *spare = group->spares;

	RP_ASSERT(spare != NULL); /* group_reserve_flags laid in enough */
	group->spares = spare->next;
	group->spares_count--;
	spare->next = NULL;
	map->bits = (uint64_t *)(void *)spare;
	for (uint32_t row = 0; map->state == FLAGMAP_SET && row < group->rows; row += 64)
		map->bits[row / 64] = rank_mask(0, group->rows - row < 64 ? group->rows - row : 64);
	map->state = FLAGMAP_BITS;
	note_used(group, flag);
}

static void take_bits(struct group *group, uint32_t flag, enum flagmap_state state)
{
	struct flagmap *map = &group->flag[flag];
	struct group_spare *spare = (struct group_spare *)(void *)map->bits;

	memset(spare, 0, group_words(group) * sizeof(uint64_t));
	spare->next = group->spares;
	group->spares = spare;
	group->spares_count++;
	map->bits = NULL;
	map->state = state;
	note_used(group, flag);
}

bool group_set_flag(
    struct group *group, uint32_t flag, uint32_t word, uint64_t mask, uint64_t live, bool on)
{
	uint64_t old = group_flag_word(group, flag, word);
	uint64_t new = on ? old | mask : old & ~mask;

	if (new == old)
		return false;
	RP_ASSERT(flag < group->flags_count);
	struct flagmap *map = &group->flag[flag];

	if (map->state != FLAGMAP_BITS) {
		give_bits(group, flag);
		old = map->bits[word];
		new = on ? old | mask : old & ~mask;
	}
	map->bits[word] = new;
	map->live_ones += (uint32_t)__builtin_popcountll(new &live);
	map->live_ones -= (uint32_t)__builtin_popcountll(old & live);
	return true;
}

void group_settle_flag(struct group *group, uint32_t flag, uint32_t live_rows)
{
	if (flag >= group->flags_count || group->flag[flag].state != FLAGMAP_BITS)
		return;
	struct flagmap *map = &group->flag[flag];

	/* Only a full group can be "all set": a row that is added may not have the flag. */
	if (map->live_ones == GROUP_ROWS_MAX && live_rows == GROUP_ROWS_MAX)
		take_bits(group, flag, FLAGMAP_SET);
	else if (map->live_ones == 0 && flagmap_is_zero(map->bits, group_words(group)))
		take_bits(group, flag, FLAGMAP_CLEAR);
}

void group_clear_flag(struct group *group, uint32_t flag)
{
	if (flag >= group->flags_count || group->flag[flag].state == FLAGMAP_CLEAR)
		return;
	RP_ASSERT(group->flag[flag].live_ones == 0);
	if (group->flag[flag].state == FLAGMAP_BITS) {
		take_bits(group, flag, FLAGMAP_CLEAR);
		return;
	}
	group->flag[flag].state = FLAGMAP_CLEAR;
	note_used(group, flag);
}

void group_count_flag(struct group *group, uint32_t flag, const uint64_t *live)
{
	struct flagmap *map = &group->flag[flag];

	map->live_ones = 0;
	for (uint32_t word = 0; map->state != FLAGMAP_CLEAR && word * 64 < group->rows; word++)
		map->live_ones +=
		    (uint32_t)__builtin_popcountll(flagmap_word(map, word) & live[word]);
	note_used(group, flag);
}

void group_account(struct group *group, uint32_t word, uint64_t mask, int sign)
{
	for (uint32_t flag = 0; flag < group->flags_count; flag++) {
		struct flagmap *map = &group->flag[flag];

		if (map->state == FLAGMAP_CLEAR)
			continue;
		uint32_t ones = (uint32_t)__builtin_popcountll(flagmap_word(map, word) & mask);

		map->live_ones = sign > 0 ? map->live_ones + ones : map->live_ones - ones;
	}
	for (uint64_t left = mask; left != 0; left &= left - 1) {
		uint32_t row = word * 64 + (uint32_t)__builtin_ctzll(left);
		uint64_t size = group_get(group, COLUMN_SIZE, row);

		group->bytes = sign > 0 ? group->bytes + size : group->bytes - size;
	}
}

static void widen(struct group_bounds *bounds, int64_t value)
{
	if (value < bounds->least)
		bounds->least = value;
	if (value > bounds->greatest)
		bounds->greatest = value;
}

void group_put(struct group *group, enum column_kind kind, uint32_t row, uint64_t value)
{
	struct column *column = &group->column[kind];
	size_t width = column_width(kind);
	uint8_t *p = column->p + row * width;

	if (column->p == NULL) {
		RP_ASSERT(value == 0);
		return;
	}
	if (width == 4)
		num_put_u32(p, (uint32_t)value);
	else
		num_put_u64(p, value);
	if (!column->owned) {
		size_t page =
		    (uintptr_t)p / COLUMN_PAGE_BYTES - (uintptr_t)column->p / COLUMN_PAGE_BYTES;

		column->dirty[page / 64] |= UINT64_C(1) << (page % 64);
	}
}

void group_put_row(struct group *group, uint32_t row, const struct table_row *values)
{
	int64_t internaldate = column_pack_date(values->internaldate);
	int64_t sent = column_pack_date(values->sent);
	uint32_t block = row / GROUP_BLOCK_ROWS;

	group_put(group, COLUMN_MODSEQ, row, values->modseq);
	group_put(group, COLUMN_INTERNALDATE, row, (uint64_t)internaldate);
	group_put(group, COLUMN_SENT, row, (uint64_t)sent);
	group_put(group, COLUMN_SIZE, row, values->rfc822_size_bytes);
	group_put(group, COLUMN_SAVEDATE, row, values->savedate_s);
	group_put(group, COLUMN_BODY, row, (uint64_t)values->body.offset << 32 | values->body.file);
	group_put(group, COLUMN_CACHE, row, values->cache_offset);
	group_put(group, COLUMN_EMAILID, row, values->emailid);
	group_put(group, COLUMN_THREADID, row, values->threadid);
	widen(&group->bounds[COLUMN_MODSEQ], (int64_t)values->modseq);
	widen(&group->bounds[COLUMN_INTERNALDATE], column_local_seconds(internaldate));
	widen(&group->bounds[COLUMN_SENT], column_local_seconds(sent));
	widen(&group->bounds[COLUMN_SIZE], values->rfc822_size_bytes);
	widen(&group->bounds[COLUMN_SAVEDATE], values->savedate_s);
	if (values->modseq > group->modseq_max[block])
		group->modseq_max[block] = values->modseq;
}

void group_get_row(const struct group *group, uint32_t row, struct table_row *values)
{
	uint64_t body = group_get(group, COLUMN_BODY, row);

	values->modseq = group_get(group, COLUMN_MODSEQ, row);
	values->internaldate =
	    column_unpack_date((int64_t)group_get(group, COLUMN_INTERNALDATE, row));
	values->sent = column_unpack_date((int64_t)group_get(group, COLUMN_SENT, row));
	values->rfc822_size_bytes = (uint32_t)group_get(group, COLUMN_SIZE, row);
	values->savedate_s = (uint32_t)group_get(group, COLUMN_SAVEDATE, row);
	values->body = (struct dbox_ref){.file = (uint32_t)body, .offset = (uint32_t)(body >> 32)};
	values->cache_offset = (uint32_t)group_get(group, COLUMN_CACHE, row);
	values->emailid = group_get(group, COLUMN_EMAILID, row);
	values->threadid = group_get(group, COLUMN_THREADID, row);
}

/* A whole word. Its 512 bytes lie in two pages at most: those of its first row and of its last. */
static void fill_modseq(struct group *group, uint32_t word, uint64_t modseq)
{
	group_put(group, COLUMN_MODSEQ, word * 64, modseq);
	group_put(group, COLUMN_MODSEQ, word * 64 + 63, modseq);
	for (uint32_t row = word * 64 + 1; row < word * 64 + 63; row++)
		num_put_u64(group->column[COLUMN_MODSEQ].p + row * sizeof(modseq), modseq);
}

void group_put_modseq(struct group *group, uint32_t word, uint64_t mask, uint64_t modseq)
{
	uint32_t block = word * 64 / GROUP_BLOCK_ROWS;

	if (mask == 0)
		return;
	if (mask == UINT64_MAX)
		fill_modseq(group, word, modseq);
	for (uint64_t left = mask == UINT64_MAX ? 0 : mask; left != 0; left &= left - 1)
		group_put(
		    group, COLUMN_MODSEQ, word * 64 + (uint32_t)__builtin_ctzll(left), modseq);
	widen(&group->bounds[COLUMN_MODSEQ], (int64_t)modseq);
	if (modseq > group->modseq_max[block])
		group->modseq_max[block] = modseq;
}
