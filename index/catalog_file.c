/* The .catalog file of catalog.h: a header, then one entry per name, each followed by its name padded to 8 bytes. */
#include <stdlib.h>
#include <xxhash.h>

#include "index/catalog.h"
#include "io/base/num.h"

enum {
	CATALOG_MAGIC = 0x54435052, /* "RPCT" */
	CATALOG_VERSION = 1,
	CATALOG_DESTROYED = 1 << 0,
	CATALOG_ENTRY_SUBSCRIBED = 1 << 0,
	CATALOG_ALIGN = 8,
};

struct catalog_file_header {
	uint32_t magic;
	uint16_t version;
	uint16_t flags;
	uint64_t features; /* of a version that this one can still read; 0 */
	struct userid userid;
	uint64_t epoch;
	uint64_t lsn;
	uint64_t mailboxid_next;
	uint64_t messages_count;
	uint64_t bytes;
	uint32_t uidvalidity_last;
	uint32_t entries_count;
	uint64_t entries_bytes;
	uint64_t entries_xxh3;
	uint64_t header_xxh3; /* of all before */
};

static_assert(sizeof(struct catalog_file_header) == 104, "format");

struct catalog_file_entry {
	uint64_t mailboxid;
	uint64_t highestmodseq;
	uint64_t bytes;
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

static_assert(sizeof(struct catalog_file_entry) == 72, "format");

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

enum rp_err catalog_encode(const struct catalog *catalog, const struct userid *userid,
    uint64_t epoch, uint8_t **out, size_t *out_bytes)
{
	struct catalog_file_header header = {
		.magic = CATALOG_MAGIC,
		.version = CATALOG_VERSION,
		.flags = catalog->destroyed ? CATALOG_DESTROYED : 0,
		.userid = *userid,
		.epoch = epoch,
		.lsn = catalog->lsn,
		.mailboxid_next = catalog->sums.mailboxid_next,
		.messages_count = catalog->sums.messages_count,
		.bytes = catalog->sums.bytes,
		.uidvalidity_last = catalog->sums.uidvalidity_last,
		.entries_count = (uint32_t)catalog->count,
	};
	size_t at = sizeof(header);
	uint8_t *p;

	RP_ASSERT(!catalog->unsorted);
	for (size_t i = 0; i < catalog->count; i++)
		header.entries_bytes += entry_bytes(catalog->by_name[i]->entry.name.n);
	p = calloc(1, sizeof(header) + header.entries_bytes);
	if (p == NULL)
		return RP_ERR_NOMEM;
	for (size_t i = 0; i < catalog->count; i++) {
		encode_entry(catalog->by_name[i], p + at);
		at += entry_bytes(catalog->by_name[i]->entry.name.n);
	}
	header.entries_xxh3 = XXH3_64bits(p + sizeof(header), header.entries_bytes);
	header.header_xxh3 = XXH3_64bits(&header, offsetof(struct catalog_file_header, header_xxh3));
	memcpy(p, &header, sizeof(header));
	*out = p;
	*out_bytes = at;
	return RP_OK;
}

static bool header_is_sound(
    const struct catalog_file_header *header, struct bytes file, const struct userid *userid)
{
	if (header->magic != CATALOG_MAGIC || header->version != CATALOG_VERSION ||
	    header->features != 0 || (header->flags & ~CATALOG_DESTROYED) != 0)
		return false;
	if (header->header_xxh3 !=
	    XXH3_64bits(header, offsetof(struct catalog_file_header, header_xxh3)))
		return false;
	if (!userid_eq(&header->userid, userid) || header->mailboxid_next == 0 ||
	    header->entries_bytes != file.n - sizeof(*header))
		return false;
	return header->entries_xxh3 ==
	       XXH3_64bits(file.p + sizeof(*header), header->entries_bytes);
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

static enum rp_err decode_entries(struct catalog *catalog, struct bytes rest, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
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
	return rest.n == 0 ? RP_OK : RP_ERR_CORRUPT;
}

enum rp_err catalog_decode(struct catalog *catalog, struct bytes file, const struct userid *userid)
{
	struct catalog_file_header header;
	enum rp_err err;

	RP_ASSERT(catalog->count == 0);
	if (file.n < sizeof(header))
		return RP_ERR_CORRUPT;
	memcpy(&header, file.p, sizeof(header));
	if (!header_is_sound(&header, file, userid))
		return RP_ERR_CORRUPT;
	err = decode_entries(catalog, bytes_from(file, sizeof(header)), header.entries_count);
	if (err != RP_OK) {
		catalog_fini(catalog);
		return err;
	}
	catalog->sums = (struct change_sums){
		.mailboxid_next = header.mailboxid_next,
		.uidvalidity_last = header.uidvalidity_last,
		.messages_count = header.messages_count,
		.bytes = header.bytes,
	};
	catalog->lsn = header.lsn;
	catalog->destroyed = (header.flags & CATALOG_DESTROYED) != 0;
	return RP_OK;
}
