/* What a record changes in the catalog, item by item: catalog_apply(). */
#include <stdio.h>
#include <stdlib.h>

#include "index/catalog_core.h"
#include "io/base/num.h"

static bool has_mailbox(const struct catalog *catalog, struct bytes name)
{
	const struct catalog_node *node = catalog_find(catalog, name);

	return node != NULL && node->entry.mailboxid != 0;
}

/* The first mailbox is INBOX, unless all that told of it was lost once, and another was made. */
struct bytes catalog_recovered_name(
    const struct catalog *catalog, uint64_t mailboxid, char name[CATALOG_RECOVERED_BYTES])
{
	const struct catalog_node *inbox = catalog_find(catalog, BYTES_LIT("INBOX"));
	bool is_inbox =
	    mailboxid == CATALOG_INBOX_ID && (inbox == NULL || inbox->entry.mailboxid == 0 ||
	                                         inbox->entry.mailboxid == mailboxid);
	int n = is_inbox ? snprintf(name, CATALOG_RECOVERED_BYTES, "INBOX")
	                 : snprintf(name, CATALOG_RECOVERED_BYTES, "Recovered-%llu",
	                       (unsigned long long)mailboxid);

	return bytes_of((uint8_t *)name, (size_t)n);
}

/* The mailbox goes; a subscription to its name stays. */
static void remove_mailbox(struct catalog *catalog, struct catalog_node *node)
{
	catalog_core_id_del(catalog, node->entry.mailboxid);
	if (!node->entry.subscribed) {
		catalog_core_name_del(catalog, node);
		free(node);
		return;
	}
	node->entry = (struct catalog_entry){ .name = node->entry.name, .subscribed = true };
	node->created_lsn = 0;
	node->changed_lsn = 0;
	node->index_lsn = 0;
	node->loaded = NULL;
	node->found = false;
}

static enum rp_err rename_mailbox(
    struct catalog *catalog, struct catalog_node *node, struct bytes name)
{
	struct catalog_node *there = catalog_find(catalog, name);
	struct catalog_node *renamed;

	if (there == node)
		return RP_OK;
	if (has_mailbox(catalog, name))
		return RP_ERR_CORRUPT;
	renamed = catalog_core_node_take(catalog, name);
	if (renamed == NULL)
		return RP_ERR_NOMEM;
	if (there != NULL) {
		node->entry.subscribed = true;
		catalog_core_name_del(catalog, there);
		free(there);
	}
	catalog_core_let_unsorted(catalog);
	catalog->by_name[node->order] = renamed;
	renamed->order = node->order;
	hash_del(&catalog->names, &node->by_name);
	catalog->by_id[catalog_id_lower(catalog, node->entry.mailboxid)] = renamed;
	name = renamed->entry.name;
	renamed->entry = node->entry;
	renamed->entry.name = name;
	renamed->created_lsn = node->created_lsn;
	renamed->changed_lsn = node->changed_lsn;
	renamed->index_lsn = node->index_lsn;
	renamed->loaded = node->loaded;
	renamed->found = node->found;
	free(node);
	if (!hash_add(&catalog->names, &renamed->by_name, hash_bytes(catalog->names.key, name)))
		RP_ASSERT(false); /* it has its slots */
	return RP_OK;
}

static enum rp_err set_subscription(struct catalog *catalog, struct bytes name, bool on)
{
	struct catalog_node *node = catalog_find(catalog, name);

	if (node == NULL && on) {
		if (catalog->count - catalog->ids_count >= VOLUME_MAILBOXES_MAX)
			return RP_ERR_CORRUPT;
		node = catalog_core_node_take(catalog, name);
		if (node == NULL)
			return RP_ERR_NOMEM;
		catalog_core_name_add(catalog, node);
	}
	if (node == NULL)
		return RP_OK;
	node->entry.subscribed = on;
	if (!on && node->entry.mailboxid == 0) {
		catalog_core_name_del(catalog, node);
		free(node);
	}
	return RP_OK;
}

/* A record gives this name to another mailbox, so who has it was renamed, or deleted, by one that is lost: he has another name from now on, and
 * the subscription stays. INBOX is neither. RP_ERR_CORRUPT: it cannot be, and nothing was changed. */
static enum rp_err free_name(struct catalog *catalog, struct bytes name)
{
	struct catalog_node *node = catalog_find(catalog, name);
	char recovered[CATALOG_RECOVERED_BYTES];
	bool subscribed;
	enum rp_err err;

	if (node == NULL || node->entry.mailboxid == 0)
		return RP_OK;
	if (!catalog->has_gap || bytes_eq(name, BYTES_LIT("INBOX")))
		return RP_ERR_CORRUPT;
	subscribed = node->entry.subscribed;
	node->entry.subscribed = false;
	err = rename_mailbox(catalog, node,
	    catalog_recovered_name(catalog, node->entry.mailboxid, recovered));
	if (err != RP_OK) {
		node->entry.subscribed = subscribed;
		return err;
	}
	if (subscribed)
		err = set_subscription(catalog, name, true);
	return err == RP_ERR_CORRUPT ? RP_OK : err; /* of so many names one is let go */
}

static void given_out(struct catalog *catalog, uint32_t uidvalidity)
{
	catalog->sums.uidvalidity_last =
	    (uint32_t)num_max(catalog->sums.uidvalidity_last, uidvalidity);
}

/* Replayed over itself; or an opening had found it and given it a new UIDVALIDITY, and a catalog that was ahead then knows its old one. */
static void tell_again(
    struct catalog *catalog, struct catalog_node *node, const struct change_item *item)
{
	node->entry.uidvalidity = (uint32_t)num_max(node->entry.uidvalidity, item->uidvalidity);
	given_out(catalog, item->uidvalidity);
}

/* What it is was not known when it was found. lsn 0: it is no record that tells. */
static enum rp_err tell_of_found(struct catalog *catalog, struct catalog_node *node,
    const struct change_item *item, uint64_t lsn)
{
	char recovered[CATALOG_RECOVERED_BYTES];
	enum rp_err err = RP_OK;

	node->found = lsn == 0;
	node->entry.uidvalidity = item->uidvalidity;
	node->entry.special_use = item->special_use;
	given_out(catalog, item->uidvalidity);
	if (bytes_eq(node->entry.name, catalog_recovered_name(catalog, item->mailboxid, recovered)))
		err = rename_mailbox(catalog, node, item->name);
	return err == RP_ERR_CORRUPT ? RP_OK : err; /* another has that name by now */
}

static enum rp_err add_mailbox(
    struct catalog *catalog, const struct change_item *item, uint64_t lsn)
{
	struct catalog_node *node = catalog_by_id(catalog, item->mailboxid);
	char recovered[CATALOG_RECOVERED_BYTES];
	struct bytes name = item->name;
	enum rp_err err = RP_OK;

	if (node != NULL && node->found)
		return tell_of_found(catalog, node, item, lsn);
	if (node != NULL) {
		tell_again(catalog, node, item);
		return RP_OK;
	}
	if (name.n != 0 && lsn != 0)
		err = free_name(catalog, name);
	if (err == RP_ERR_NOMEM)
		return err;
	if (name.n == 0 || (catalog->has_gap && has_mailbox(catalog, name)))
		name = catalog_recovered_name(catalog, item->mailboxid, recovered);
	if (has_mailbox(catalog, name) || catalog->ids_count >= VOLUME_MAILBOXES_MAX)
		return RP_ERR_CORRUPT;
	node = catalog_find(catalog, name);
	if (node == NULL) {
		node = catalog_core_node_take(catalog, name);
		if (node == NULL)
			return RP_ERR_NOMEM;
		catalog_core_name_add(catalog, node);
	}
	node->entry.mailboxid = item->mailboxid;
	node->entry.uidvalidity = item->uidvalidity;
	node->entry.special_use = item->special_use;
	node->entry.uidnext = 1;
	node->entry.highestmodseq = lsn;
	node->found = item->name.n == 0;
	/* When may be lost, as where an opening tells of one that it has found: whatever is there of it may be about it. */
	node->created_lsn = node->found || catalog->has_gap ? 0 : lsn;
	catalog_core_id_add(catalog, node);
	if (catalog->sums.mailboxid_next <= item->mailboxid)
		catalog->sums.mailboxid_next = item->mailboxid + 1;
	given_out(catalog, item->uidvalidity);
	return RP_OK;
}

static enum rp_err give_name(
    struct catalog *catalog, struct catalog_node *node, struct bytes name)
{
	enum rp_err err = catalog_find(catalog, name) != node ? free_name(catalog, name) : RP_OK;

	return err == RP_OK ? rename_mailbox(catalog, node, name) : err;
}

static void set_counters(
    struct catalog_node *node, const struct change_counters *counters, uint64_t lsn)
{
	node->entry.uidnext = counters->uidnext;
	node->entry.messages_count = counters->messages_count;
	node->entry.unseen_count = counters->unseen_count;
	node->entry.deleted_count = counters->deleted_count;
	node->entry.bytes = counters->bytes;
	node->entry.highestmodseq = lsn;
	node->changed_lsn = lsn;
}

static void remove_all(struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->count; i++) {
		hash_del(&catalog->names, &catalog->by_name[i]->by_name);
		free(catalog->by_name[i]);
	}
	catalog->count = 0;
	catalog->ids_count = 0;
	catalog->sums.messages_count = 0;
	catalog->sums.bytes = 0;
	delivered_fini(&catalog->delivered);
	catalog->unsorted = false;
	catalog->destroyed = true;
}

static enum rp_err add_delivery(struct catalog *catalog, const struct delivery *delivery)
{
	enum rp_err err = delivered_prepare(&catalog->delivered);

	if (err == RP_OK)
		delivered_add(&catalog->delivered, delivery);
	return err;
}

void catalog_note_loss(struct catalog *catalog)
{
	if (catalog->heard_mailboxid == 0)
		catalog->heard_mailboxid = catalog->sums.mailboxid_next;
}

static bool tells_of_mailbox(const struct change_item *item)
{
	return item->type == CHANGE_ITEM_NAME || item->type == CHANGE_ITEM_COUNTERS ||
	       item->type == CHANGE_ITEM_ROWS;
}

enum rp_err catalog_apply(struct catalog *catalog, const struct change_item *item, uint64_t lsn)
{
	struct catalog_node *node =
	    item->mailboxid != 0 ? catalog_by_id(catalog, item->mailboxid) : NULL;

	if (node == NULL && catalog->has_gap && tells_of_mailbox(item)) {
		struct change_item found = {.mailboxid = item->mailboxid};
		enum rp_err err = add_mailbox(catalog, &found, lsn);

		if (err != RP_OK)
			return err;
		node = catalog_by_id(catalog, item->mailboxid);
	}
	switch (item->type) {
	case CHANGE_ITEM_MAILBOX:
		return add_mailbox(catalog, item, lsn);
	case CHANGE_ITEM_GONE:
		if (node != NULL)
			remove_mailbox(catalog, node);
		return RP_OK;
	case CHANGE_ITEM_NAME:
		return node != NULL ? give_name(catalog, node, item->name) : RP_ERR_CORRUPT;
	case CHANGE_ITEM_SUBSCRIPTION:
		return set_subscription(catalog, item->name, item->on);
	case CHANGE_ITEM_SUMS:
		catalog->sums = item->sums;
		catalog->sums_lsn = lsn;
		return RP_OK;
	case CHANGE_ITEM_DESTROYED:
		remove_all(catalog);
		return RP_OK;
	case CHANGE_ITEM_DELIVERY:
		return add_delivery(catalog, &item->delivery);
	case CHANGE_ITEM_BODY:
		if (node != NULL) /* its mailbox may have gone while its body was copied */
			node->changed_lsn = lsn;
		return RP_OK;
	case CHANGE_ITEM_FILE_GONE:
	case CHANGE_ITEM_KEPT:
	case CHANGE_ITEM_KEPT_KEYWORD:
	case CHANGE_ITEM_KEPT_NAME:
	case CHANGE_ITEM_BROUGHT_BACK:
		return RP_OK;
	case CHANGE_ITEM_EXPUNGED_AT: /* read as EXPUNGED and GONE */
	case CHANGE_ITEM_GONE_AT:
		break;
	case CHANGE_ITEM_COUNTERS:
		if (node == NULL)
			return RP_ERR_CORRUPT;
		set_counters(node, &item->counters, lsn);
		return RP_OK;
	case CHANGE_ITEM_ROWS:
	case CHANGE_ITEM_FLAG:
	case CHANGE_ITEM_EXPUNGED:
		if (node == NULL)
			return RP_ERR_CORRUPT;
		node->changed_lsn = lsn;
		return RP_OK;
	}
	return RP_ERR_CORRUPT;
}
