/* The .catalog file of catalog.h: the header's area, then one entry per name, each followed by its name padded to 8 bytes. */
#include <stdlib.h>
#include <xxhash.h>

#include "index/catalog.h"
#include "index/format.h"
#include "io/base/num.h"

enum {
	CATALOG_VERSION = 2, /* 1: without deliveries */
	CATALOG_DESTROYED = 1 << 0,
	CATALOG_HEARD_SHIFT = 8, /* above it, in the same word: catalog->heard_mailboxid */
	CATALOG_ENTRY_SUBSCRIBED = 1 << 0,
	CATALOG_ALIGN = 8,
};

/* extra[] of the file's header. */
enum catalog_extra {
	CATALOG_EXTRA_MAILBOXID_NEXT,
	CATALOG_EXTRA_UIDVALIDITY_LAST,
	CATALOG_EXTRA_MESSAGES_COUNT,
	CATALOG_EXTRA_BYTES,
	CATALOG_EXTRA_FLAGS,
	CATALOG_EXTRA_ENTRIES_COUNT,
	CATALOG_EXTRA_ENTRIES_XXH3, /* of all behind the header's area, seeded with the nonce */
};

struct catalog_file_entry {
	uint64_t mailboxid;
	uint64_t highestmodseq;
	uint64_t bytes;
	uint64_t created_lsn;
	uint64_t changed_lsn;
	uint64_t index_lsn;
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint32_t messages_count;
	uint32_t unseen_count;
	uint32_t deleted_count;
	uint16_t special_use;
	uint16_t flags;
	uint32_t name_bytes;
	uint32_t zero;
};

static_assert(sizeof(struct catalog_file_entry) == 80, "format");

struct catalog_file_delivery {
	uint64_t key_low;
	uint64_t key_high;
	uint64_t seconds;
};

static_assert(sizeof(struct catalog_file_delivery) == 24, "format");

static size_t entry_bytes(size_t name_bytes)
{
	return sizeof(struct catalog_file_entry) + num_round_up(name_bytes, CATALOG_ALIGN);
}

static void encode_entry(const struct catalog_node *node, uint8_t *p)
{
	const struct catalog_entry *entry = &node->entry;
	struct catalog_file_entry file = {
		.mailboxid = entry->mailboxid,
		.highestmodseq = entry->highestmodseq,
		.bytes = entry->bytes,
		.created_lsn = node->created_lsn,
		.changed_lsn = node->changed_lsn,
		.index_lsn = node->index_lsn,
		.uidvalidity = entry->uidvalidity,
		.uidnext = entry->uidnext,
		.messages_count = entry->messages_count,
		.unseen_count = entry->unseen_count,
		.deleted_count = entry->deleted_count,
		.special_use = (uint16_t)entry->special_use,
		.flags = entry->subscribed ? CATALOG_ENTRY_SUBSCRIBED : 0,
		.name_bytes = (uint32_t)entry->name.n,
	};

	memcpy(p, &file, sizeof(file));
	memcpy(p + sizeof(file), entry->name.p, entry->name.n);
}

static void encode_deliveries(const struct delivered *delivered, uint8_t *p)
{
	for (size_t i = 0; i < delivered->count; i++) {
		const struct delivery *delivery = delivered_at(delivered, i);
		struct catalog_file_delivery file = { .key_low = delivery->key.low,
			.key_high = delivery->key.high,
			.seconds = delivery->seconds };

		memcpy(p + i * sizeof(file), &file, sizeof(file));
	}
}

enum rp_err catalog_encode(const struct catalog *catalog, const struct userid *userid,
    uint64_t epoch, uint64_t nonce, uint8_t **out, size_t *out_bytes)
{
	struct format_header header = {
		.userid = *userid,
		.epoch = epoch,
		.lsn = catalog->lsn,
		.nonce = nonce,
		.extra = {
			[CATALOG_EXTRA_MAILBOXID_NEXT] = catalog->sums.mailboxid_next,
			[CATALOG_EXTRA_UIDVALIDITY_LAST] = catalog->sums.uidvalidity_last,
			[CATALOG_EXTRA_MESSAGES_COUNT] = catalog->sums.messages_count,
			[CATALOG_EXTRA_BYTES] = catalog->sums.bytes,
			[CATALOG_EXTRA_FLAGS] = (catalog->destroyed ? CATALOG_DESTROYED : 0) |
			    catalog->heard_mailboxid << CATALOG_HEARD_SHIFT,
			[CATALOG_EXTRA_ENTRIES_COUNT] = catalog->count,
		},
	};
	size_t n = FORMAT_AREA_BYTES;
	size_t at = FORMAT_AREA_BYTES;
	uint8_t *p;

	RP_ASSERT(!catalog->unsorted && nonce != 0);
	for (size_t i = 0; i < catalog->count; i++)
		n += entry_bytes(catalog->by_name[i]->entry.name.n);
	n += catalog->delivered.count * sizeof(struct catalog_file_delivery);
	p = calloc(1, n);
	if (p == NULL)
		return RP_ERR_NOMEM;
	for (size_t i = 0; i < catalog->count; i++) {
		encode_entry(catalog->by_name[i], p + at);
		at += entry_bytes(catalog->by_name[i]->entry.name.n);
	}
	encode_deliveries(&catalog->delivered, p + at);
	header.extra[CATALOG_EXTRA_ENTRIES_XXH3] =
	    XXH3_64bits_withSeed(p + FORMAT_AREA_BYTES, n - FORMAT_AREA_BYTES, nonce);
	format_sign(&header, FORMAT_CATALOG, CATALOG_VERSION);
	format_put_area(&header, p);
	*out = p;
	*out_bytes = n;
	return RP_OK;
}

static bool header_is_sound(
    const struct format_header *header, struct bytes entries, const struct userid *userid)
{
	return userid_eq(&header->userid, userid) &&
	       header->extra[CATALOG_EXTRA_MAILBOXID_NEXT] != 0 &&
	       header->extra[CATALOG_EXTRA_UIDVALIDITY_LAST] <= UINT32_MAX &&
	       header->extra[CATALOG_EXTRA_ENTRIES_XXH3] ==
		   XXH3_64bits_withSeed(entries.p, entries.n, header->nonce);
}

/* The facts that the items of a change do not tell by themselves. */
static void decode_facts(struct catalog_node *node, const struct catalog_file_entry *file)
{
	node->entry.highestmodseq = file->highestmodseq;
	node->entry.uidnext = file->uidnext;
	node->entry.messages_count = file->messages_count;
	node->entry.unseen_count = file->unseen_count;
	node->entry.deleted_count = file->deleted_count;
	node->entry.bytes = file->bytes;
	node->created_lsn = file->created_lsn;
	node->changed_lsn = file->changed_lsn;
	node->index_lsn = file->index_lsn;
}

static enum rp_err decode_entry(
    struct catalog *catalog, const struct catalog_file_entry *file, struct bytes name)
{
	struct change_item item = {
		.type = CHANGE_ITEM_SUBSCRIPTION,
		.name = name,
		.on = true,
	};
	bool subscribed = (file->flags & CATALOG_ENTRY_SUBSCRIBED) != 0;
	enum rp_err err = RP_OK;

	if (catalog_find(catalog, name) != NULL || file->zero != 0 ||
	    (file->flags & ~CATALOG_ENTRY_SUBSCRIBED) != 0 || (file->mailboxid == 0 && !subscribed))
		return RP_ERR_CORRUPT;
	if (subscribed)
		err = catalog_apply(catalog, &item, 0);
	if (err != RP_OK || file->mailboxid == 0)
		return err;
	if (file->uidvalidity == 0 || file->uidnext == 0 || file->special_use > 0xff ||
	    file->mailboxid == UINT64_MAX || catalog_by_id(catalog, file->mailboxid) != NULL)
		return RP_ERR_CORRUPT;
	item.type = CHANGE_ITEM_MAILBOX;
	item.mailboxid = file->mailboxid;
	item.uidvalidity = file->uidvalidity;
	item.special_use = file->special_use;
	err = catalog_apply(catalog, &item, 0);
	if (err == RP_OK)
		decode_facts(catalog_by_id(catalog, file->mailboxid), file);
	return err;
}

/* All that is left of the file. */
static enum rp_err decode_deliveries(struct catalog *catalog, struct bytes rest)
{
	struct catalog_file_delivery file;
	enum rp_err err = RP_OK;

	if (rest.n % sizeof(file) != 0)
		return RP_ERR_CORRUPT;
	for (; err == RP_OK && rest.n > 0; rest = bytes_from(rest, sizeof(file))) {
		memcpy(&file, rest.p, sizeof(file));
		err = delivered_restore(&catalog->delivered,
		    &(struct delivery){ { file.key_low, file.key_high }, file.seconds });
	}
	return err;
}

static enum rp_err decode_entries(struct catalog *catalog, struct bytes rest, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct catalog_file_entry file;
		enum rp_err err;

		if (rest.n < sizeof(file))
			return RP_ERR_CORRUPT;
		memcpy(&file, rest.p, sizeof(file));
		if (file.name_bytes == 0 || file.name_bytes > CHANGE_NAME_BYTES_MAX ||
		    entry_bytes(file.name_bytes) > rest.n)
			return RP_ERR_CORRUPT;
		err = decode_entry(
		    catalog, &file, bytes_of(rest.p + sizeof(file), file.name_bytes));
		if (err != RP_OK)
			return err;
		rest = bytes_from(rest, entry_bytes(file.name_bytes));
	}
	return decode_deliveries(catalog, rest);
}

enum rp_err catalog_decode(struct catalog *catalog, struct bytes file, const struct userid *userid)
{
	struct format_header header;
	struct bytes entries;
	enum rp_err err;

	RP_ASSERT(catalog->count == 0);
	if (file.n < FORMAT_AREA_BYTES)
		return RP_ERR_CORRUPT;
	err = format_check_area(
	    bytes_slice(file, 0, FORMAT_AREA_BYTES), FORMAT_CATALOG, CATALOG_VERSION, &header);
	if (err != RP_OK)
		return err == RP_ERR_CANNOT ? err : RP_ERR_CORRUPT;
	entries = bytes_from(file, FORMAT_AREA_BYTES);
	if (!header_is_sound(&header, entries, userid))
		return RP_ERR_CORRUPT;
	err = decode_entries(catalog, entries, header.extra[CATALOG_EXTRA_ENTRIES_COUNT]);
	if (err != RP_OK) {
		catalog_fini(catalog);
		return err;
	}
	catalog->sums = (struct change_sums){
		.mailboxid_next = header.extra[CATALOG_EXTRA_MAILBOXID_NEXT],
		.uidvalidity_last = (uint32_t)header.extra[CATALOG_EXTRA_UIDVALIDITY_LAST],
		.messages_count = header.extra[CATALOG_EXTRA_MESSAGES_COUNT],
		.bytes = header.extra[CATALOG_EXTRA_BYTES],
	};
	catalog->lsn = header.lsn;
	catalog->heard_mailboxid = header.extra[CATALOG_EXTRA_FLAGS] >> CATALOG_HEARD_SHIFT;
	catalog->destroyed = (header.extra[CATALOG_EXTRA_FLAGS] & CATALOG_DESTROYED) != 0;
	return RP_OK;
}
