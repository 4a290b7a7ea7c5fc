/* A record's payload of any bytes: what is sound is sound to the end, and a catalog that met it can be written and read
 * back as it is; so can what is kept of it. */
#include <stdlib.h>

#include "index/apply.h"
#include "index/kept.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const struct userid user = { { 1 } };

/* Rows and runs ascend. */
static void walk_item(struct change_item *item)
{
	struct run run[3];
	uint64_t last = 0;
	uint32_t uid = item->rows.row.uid;
	size_t got;

	while ((got = change_runs_next(&item->runs, run, 3)) > 0) {
		for (size_t i = 0; i < got; i++) {
			RP_ASSERT(run[i].first > last && run[i].last >= run[i].first);
			last = run[i].last;
		}
	}
	while (change_rows_next(&item->rows))
		RP_ASSERT(item->rows.row.uid == ++uid && item->rows.row.emailid != 0);
	RP_ASSERT(item->runs.left == 0 && item->rows.left == 0);
}

static void check_catalog(const struct catalog *catalog)
{
	struct catalog again;
	uint8_t *file;
	uint8_t *second;
	size_t file_bytes;
	size_t second_bytes;

	catalog_init(&again, catalog->names.key);
	if (catalog_encode(catalog, &user, 1, 7, &file, &file_bytes) != RP_OK)
		abort();
	if (catalog_decode(&again, bytes_of(file, file_bytes), &user) != RP_OK)
		abort();
	if (catalog_encode(&again, &user, 1, 7, &second, &second_bytes) != RP_OK)
		abort();
	RP_ASSERT(bytes_eq(bytes_of(file, file_bytes), bytes_of(second, second_bytes)));
	free(file);
	free(second);
	catalog_fini(&again);
}

static void read_kept(struct kept *kept, struct bytes payload)
{
	bool any;

	kept_init(kept, 0);
	for (unsigned i = 0; i < 2; i++)
		if (kept_note(kept, payload) != RP_OK)
			abort();
	if (kept_ready(NULL, kept, &any) != RP_OK)
		abort();
	for (unsigned i = 0; i < 2; i++)
		if (kept_take(NULL, kept, payload) != RP_OK)
			abort();
	if (kept_end(NULL, kept) != RP_OK)
		abort();
}

/* As a merge writes it. */
static void check_kept(struct bytes payload)
{
	static uint8_t written[CHANGE_PAYLOAD_BYTES_MAX];
	struct change_writer writer;
	struct kept kept;
	struct kept again;
	enum rp_err err;

	read_kept(&kept, payload);
	change_begin(&writer, written, sizeof(written), 0);
	err = kept_write(NULL, &kept, &writer);
	RP_ASSERT(err == RP_OK || err == RP_ERR_LIMIT);
	read_kept(&again, change_finish(&writer, true));
	RP_ASSERT(err != RP_OK || again.rows_count == kept.rows_count);
	kept_fini(NULL, &again);
	kept_fini(NULL, &kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes payload = bytes_of(p, n);
	bool sound = change_check(payload) == RP_OK;
	struct change_reader reader;
	struct change_item item;
	struct catalog catalog;
	enum rp_err err = change_open(payload, &reader);

	while (err == RP_OK && (err = change_next(&reader, &item)) == RP_OK)
		walk_item(&item);
	RP_ASSERT(sound == (err == RP_ERR_END));
	catalog_init(&catalog, (struct hash_key){ 3, 4 });
	for (uint64_t lsn = 1; lsn < 3; lsn++)
		if (apply_to_catalog(&catalog, NULL, "", lsn, payload) != RP_OK)
			abort();
	check_catalog(&catalog);
	catalog_fini(&catalog);
	if (sound)
		check_kept(payload);
	return 0;
}
