/* An index file that anybody may have written: it is refused, or it is a table that can be looked
 * at and changed. The checksums are made to match first, for no mutation would get past them. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "index/index_format.h"
#include "index/table_open.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { ROWS_LOOKED_AT = 200 };

static const struct userid user = {.b = {1, 2, 3}};

static void sign_entries(uint8_t *p, size_t n, struct format_header *header)
{
	uint64_t at = header->extra[INDEX_EXTRA_DIRECTORY];

	if (at > n)
		return;
	for (size_t i = (size_t)at; n - i >= sizeof(struct index_entry);
	     i += sizeof(struct index_entry)) {
		struct index_entry entry;

		memcpy(&entry, p + i, sizeof(entry));
		if (entry.offset <= n && entry.bytes <= n - entry.offset)
			entry.xxh3 = XXH3_64bits_withSeed(
			    p + entry.offset, (size_t)entry.bytes, header->nonce);
		memcpy(p + i, &entry, sizeof(entry));
	}
	header->extra[INDEX_EXTRA_DIRECTORY_XXH3] =
	    XXH3_64bits_withSeed(p + at, n - (size_t)at, header->nonce);
}

static void sign(uint8_t *p, size_t n)
{
	struct format_header header;

	if (n < FORMAT_AREA_BYTES)
		return;
	memcpy(&header, p, sizeof(header));
	header.nonce |= 1;
	header.userid = user;
	header.number = 7;
	header.features_required = 0;
	header.extra[INDEX_EXTRA_FILE_BYTES] = n;
	sign_entries(p, n, &header);
	format_sign(&header, FORMAT_INDEX, INDEX_VERSION);
	format_put_area(&header, p);
}

static void look(struct table *table)
{
	struct runs out = RUNS_EMPTY;
	struct table_counts counts;
	struct table_row row;
	uint32_t uid = 0;
	bool complete;

	table_counts(table, &counts);
	for (int i = 0; i < ROWS_LOOKED_AT && uid < UINT32_MAX; i++) {
		uid = table_uid_from(table, uid + 1, true);
		if (uid == 0)
			break;
		(void)!table_row(NULL, table, uid, true, &row, NULL);
	}
	(void)!table_having_flag(NULL, table, NULL, 3, true, &out);
	(void)!table_having_modseq_above(NULL, table, NULL, 5, &out);
	(void)!table_expunged_since(table, 0, &out, &complete);
	runs_fini(&out);
}

static void change(struct table *table)
{
	struct run run = {1, 1000};
	struct runs uids = {.run = &run, .count = 1};
	uint32_t uid = table_last_uid(table) + 1;
	struct table_room room = {.first_uid = uid, .last_uid = uid, .rows = 1, .flags_on = 5};

	if (table_prepare_flags(NULL, table, &uids, 1, 0) == RP_OK) {
		table_set_flag(table, &uids, 3, true);
		table_set_modseq(table, &uids, 99);
	}
	if (table_prepare_expunge(NULL, table, &uids) == RP_OK)
		table_expunge(table, &uids, 100);
	if (uid != 0 && table_prepare_append(NULL, table, &room) == RP_OK)
		table_append(table, &(struct table_row){.uid = uid, .flags = 31, .modseq = 101});
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct map map = {.p = malloc(n + 1), .n = n};
	struct table *table;
	uint64_t lsn;

	memcpy(map.p, p, n);
	sign(map.p, n);
	if (table_of_map(NULL, &map, &user, 7, &table, &lsn) != RP_OK)
		return 0;
	look(table);
	change(table);
	look(table);
	table_free(table);
	return 0;
}
