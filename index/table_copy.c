#include "index/table_copy.h"

#include <stdlib.h>

/* Where each group of the file begins in the table. */
static void divide(struct table_copy *copy)
{
	uint32_t group = 0;
	uint32_t kept = 0;

	for (uint32_t word = 0; word * 64 < copy->rows; word++) {
		uint32_t ones = (uint32_t)__builtin_popcountll(copy->keep[word]);

		if (ones > 0 && kept + ones > group * GROUP_ROWS_MAX) {
			unsigned k = group * GROUP_ROWS_MAX - kept;

			copy->from[group++] = word * 64 + rank_select_word(copy->keep[word], k);
		}
		kept += ones;
	}
	RP_ASSERT(group == copy->groups);
	copy->from[group] = copy->rows;
}

enum rp_err table_copy_init(struct table_copy *copy, struct table *table, const struct runs *listed)
{
	uint32_t rows = table->uids.rows;
	uint32_t words = (rows + 63) / 64;
	size_t next = 0;
	uint32_t from;
	uint32_t to;

	*copy = (struct table_copy){.table = table, .rows = rows};
	copy->keep = calloc(words + 1, sizeof(uint64_t));
	copy->live = calloc(words + 1, sizeof(uint64_t));
	if (copy->keep == NULL || copy->live == NULL)
		return RP_ERR_NOMEM;
	if (words > 0)
		memcpy(copy->live, table->live.words, words * sizeof(uint64_t));
	memcpy(copy->keep, copy->live, words * sizeof(uint64_t));
	while (listed != NULL && table_next_rows(table, listed, &next, &from, &to)) {
		for (uint32_t word = from / 64; word * 64 < to; word++)
			copy->keep[word] |= table_word_mask(word, from, to);
	}
	copy->kept = flagmap_ones(copy->keep, words);
	copy->groups = (copy->kept + GROUP_ROWS_MAX - 1) / GROUP_ROWS_MAX;
	copy->from = calloc(copy->groups + 1, sizeof(*copy->from));
	if (copy->from == NULL)
		return RP_ERR_NOMEM;
	divide(copy);
	return RP_OK;
}

void table_copy_fini(struct table_copy *copy)
{
	free(copy->keep);
	free(copy->live);
	free(copy->from);
}

uint32_t table_copy_rows(const struct table_copy *copy, uint32_t group)
{
	uint32_t base = group * GROUP_ROWS_MAX;

	return copy->kept - base < GROUP_ROWS_MAX ? copy->kept - base : GROUP_ROWS_MAX;
}

/* The table's groups that a group of the file is made of: [first, last]. */
uint32_t table_copy_first(const struct table_copy *copy, uint32_t group)
{
	return copy->from[group] / GROUP_ROWS_MAX;
}

uint32_t table_copy_last(const struct table_copy *copy, uint32_t group)
{
	return (copy->from[group + 1] - 1) / GROUP_ROWS_MAX;
}

/* Gather one column's values of a group of the file. */
void table_copy_column(
    const struct table_copy *copy, uint32_t group, enum column_kind kind, uint8_t *out)
{
	size_t width = column_width(kind);

	for (uint32_t i = table_copy_first(copy, group); i <= table_copy_last(copy, group); i++) {
		uint32_t base = i * GROUP_ROWS_MAX;
		uint32_t from = copy->from[group] > base ? copy->from[group] - base : 0;
		uint32_t to = copy->from[group + 1] - base < GROUP_ROWS_MAX
		                  ? copy->from[group + 1] - base
		                  : GROUP_ROWS_MAX;
		const uint64_t *keep = copy->keep + base / 64;
		const uint8_t *p = copy->table->group[i]->column[kind].p;

		if (p != NULL) {
			out += width * column_gather(out, p, width, keep, from, to);
			continue;
		}
		for (uint32_t word = from / 64; word * 64 < to; word++) {
			size_t n = width * (size_t)__builtin_popcountll(
			                       keep[word] & table_word_mask(word, from, to));

			memset(out, 0, n);
			out += n;
		}
	}
}

/* Bits that are strung together. */
struct bits {
	uint64_t *out;
	uint32_t n;
};

static void bits_add(struct bits *bits, uint64_t value, unsigned n)
{
	unsigned at = bits->n % 64;

	if (n == 0)
		return;
	if (at == 0)
		bits->out[bits->n / 64] = value;
	else
		bits->out[bits->n / 64] |= value << at;
	if (at != 0 && at + n > 64)
		bits->out[bits->n / 64 + 1] = value >> (64 - at);
	bits->n += n;
}

/* The bits of `word` where keep has ones, closed up. */
static uint64_t extract(uint64_t word, uint64_t keep)
{
	uint64_t out = 0;

	if (keep == UINT64_MAX)
		return word;
	for (unsigned n = 0; keep != 0; keep &= keep - 1, n++)
		out |= (uint64_t)((word & keep & -keep) != 0) << n;
	return out;
}

/* A bitmap of one group of the file: a flag of the table's groups, or (TABLE_COPY_LIVE) the live
 * bits. */
void table_copy_bits(const struct table_copy *copy, uint32_t group, uint32_t flag, uint64_t *out)
{
	struct bits bits = {.out = out};

	for (uint32_t word = copy->from[group] / 64; word * 64 < copy->from[group + 1]; word++) {
		uint64_t keep = copy->keep[word] &
		                table_word_mask(word, copy->from[group], copy->from[group + 1]);
		uint64_t value =
		    flag == TABLE_COPY_LIVE
		        ? copy->live[word]
		        : group_flag_word(copy->table->group[word * 64 / GROUP_ROWS_MAX], flag,
		              word % (GROUP_ROWS_MAX / 64));

		bits_add(&bits, extract(value, keep), (unsigned)__builtin_popcountll(keep));
	}
	RP_ASSERT(bits.n == table_copy_rows(copy, group));
}

bool table_copy_has_flag(const struct table_copy *copy, uint32_t group, uint32_t flag)
{
	for (uint32_t i = table_copy_first(copy, group); i <= table_copy_last(copy, group); i++) {
		const struct group *source = copy->table->group[i];

		if (flag < source->flags_count && source->flag[flag].state != FLAGMAP_CLEAR)
			return true;
	}
	return false;
}

/* The kept ones of a leaf's rows, as UIDs. */
uint64_t table_copy_leaf(const struct table_copy *copy, const struct uidmap_leaf *leaf)
{
	uint64_t kept = 0;
	uint32_t row = leaf->row;

	for (uint64_t left = leaf->bits; left != 0 && row < copy->rows; left &= left - 1, row++) {
		if ((copy->keep[row / 64] >> (row % 64)) & 1)
			kept |= left & -left;
	}
	return kept;
}
