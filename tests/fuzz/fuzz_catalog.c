/* A catalog file of any bytes; and one whose header is sound around any entries. */
#include <stdlib.h>
#include <xxhash.h>

#include "index/catalog.h"
#include "index/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const struct userid user = { { 1 } };

static void try_file(struct bytes file)
{
	struct catalog catalog;
	struct bytes before = { 0 };
	struct catalog_node *node;

	catalog_init(&catalog, (struct hash_key){ 3, 4 });
	if (catalog_decode(&catalog, file, &user) == RP_OK) {
		while ((node = catalog_after(&catalog, before)) != NULL) {
			RP_ASSERT(bytes_cmp(before, node->entry.name) < 0);
			RP_ASSERT(catalog_find(&catalog, node->entry.name) == node);
			before = node->entry.name;
		}
	} else {
		RP_ASSERT(catalog.count == 0 && catalog.delivered.count == 0);
	}
	catalog_fini(&catalog);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct format_header header = { .userid = user, .nonce = 7 };
	uint8_t *file;

	try_file(bytes_of(p, n));
	if (n < 1)
		return 0;
	file = malloc(FORMAT_AREA_BYTES + n);
	if (file == NULL)
		return 0;
	/* As catalog_file.c lays extra[] out: the next mailboxid, ..., how many entries, their checksum. */
	header.extra[0] = UINT64_MAX;
	header.extra[5] = p[0];
	header.extra[6] = XXH3_64bits_withSeed(p + 1, n - 1, header.nonce);
	format_sign(&header, FORMAT_CATALOG, 2);
	format_put_area(&header, file);
	memcpy(file + FORMAT_AREA_BYTES, p + 1, n - 1);
	try_file(bytes_of(file, FORMAT_AREA_BYTES + n - 1));
	free(file);
	return 0;
}
