#include "index/catalog_core.h"

#include <stdlib.h>

enum { CATALOG_ROOM_MIN = 16 };

static struct catalog_node *node_of_spare(struct list *link)
{
	return RP_CONTAINER_OF(link, struct catalog_node, spare);
}

void catalog_init(struct catalog *catalog, struct hash_key key)
{
	*catalog = (struct catalog){ .sums = { .mailboxid_next = 1 } };
	hash_init(&catalog->names, key);
	list_init(&catalog->spares);
}

void catalog_fini(struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->count; i++)
		free(catalog->by_name[i]);
	catalog_drop_spares(catalog);
	free(catalog->by_name);
	free(catalog->by_id);
	hash_fini(&catalog->names);
	delivered_fini(&catalog->delivered);
	catalog_init(catalog, catalog->names.key);
}

/* Room for `more` names besides those that are there. */
static enum rp_err reserve(struct catalog *catalog, size_t more)
{
	size_t max = catalog->count_max != 0 ? catalog->count_max : CATALOG_ROOM_MIN;
	struct catalog_node **p;

	while (max < catalog->count + more)
		max *= 2;
	if (max == catalog->count_max)
		return RP_OK;
	p = realloc(catalog->by_name, max * sizeof(struct catalog_node *));
	if (p == NULL)
		return RP_ERR_NOMEM;
	catalog->by_name = p;
	p = realloc(catalog->by_id, max * sizeof(struct catalog_node *));
	if (p == NULL)
		return RP_ERR_NOMEM;
	catalog->by_id = p;
	catalog->count_max = max;
	return RP_OK;
}

static struct catalog_node *node_new(size_t name_bytes)
{
	struct catalog_node *node = calloc(1, sizeof(struct catalog_node) + name_bytes);

	if (node == NULL)
		return NULL;
	list_init(&node->spare);
	node->name_bytes_max = name_bytes;
	return node;
}

/* The hash needs its first slots: have them made by a node that comes and goes. */
static enum rp_err reserve_hash(struct catalog *catalog, struct catalog_node *node)
{
	if (catalog->names.slots_count != 0)
		return RP_OK;
	if (!hash_add(&catalog->names, &node->by_name, 0))
		return RP_ERR_NOMEM;
	hash_del(&catalog->names, &node->by_name);
	return RP_OK;
}

enum rp_err catalog_prepare(struct catalog *catalog, size_t name_bytes)
{
	struct catalog_node *node;
	enum rp_err err = reserve(catalog, catalog->spares_count + 1);

	if (err != RP_OK)
		return err;
	node = node_new(name_bytes);
	if (node == NULL)
		return RP_ERR_NOMEM;
	err = reserve_hash(catalog, node);
	if (err != RP_OK) {
		free(node);
		return err;
	}
	list_push_back(&catalog->spares, &node->spare);
	catalog->spares_count++;
	return RP_OK;
}

void catalog_drop_spares(struct catalog *catalog)
{
	struct list *link;

	while ((link = list_pop_front(&catalog->spares)) != NULL)
		free(node_of_spare(link));
	catalog->spares_count = 0;
}

/* A node for this name, in no table yet: a spare, or (replay) a new one. */
struct catalog_node *catalog_core_node_take(struct catalog *catalog, struct bytes name)
{
	struct catalog_node *node = NULL;

	LIST_FOR_EACH(link, &catalog->spares) {
		if (node_of_spare(link)->name_bytes_max >= name.n) {
			node = node_of_spare(link);
			break;
		}
	}
	if (node != NULL) {
		list_del(&node->spare);
		catalog->spares_count--;
	} else {
		if (reserve(catalog, catalog->spares_count + 1) != RP_OK)
			return NULL;
		node = node_new(name.n);
		if (node == NULL)
			return NULL;
		if (reserve_hash(catalog, node) != RP_OK) {
			free(node);
			return NULL;
		}
	}
	memcpy(node->name, name.p, name.n);
	node->entry.name = bytes_of(node->name, name.n);
	return node;
}

static bool has_name(const struct hash_link *link, const void *key)
{
	const struct bytes *name = key;

	return bytes_eq(RP_CONTAINER_OF(link, struct catalog_node, by_name)->entry.name, *name);
}

struct catalog_node *catalog_find(const struct catalog *catalog, struct bytes name)
{
	struct hash_link *link;

	if (catalog->count == 0)
		return NULL;
	link = hash_find(&catalog->names, hash_bytes(catalog->names.key, name), has_name, &name);
	return link != NULL ? RP_CONTAINER_OF(link, struct catalog_node, by_name) : NULL;
}

/* Index of the first name that is not before this one. */
static size_t name_lower(const struct catalog *catalog, struct bytes name)
{
	size_t low = 0;
	size_t high = catalog->count;

	RP_ASSERT(!catalog->unsorted);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (bytes_cmp(catalog->by_name[middle]->entry.name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t catalog_id_lower(const struct catalog *catalog, uint64_t mailboxid)
{
	size_t low = 0;
	size_t high = catalog->ids_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (catalog->by_id[middle]->entry.mailboxid < mailboxid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct catalog_node *catalog_by_id(const struct catalog *catalog, uint64_t mailboxid)
{
	size_t i = catalog_id_lower(catalog, mailboxid);

	return i < catalog->ids_count && catalog->by_id[i]->entry.mailboxid == mailboxid ?
		   catalog->by_id[i] :
		   NULL;
}

struct catalog_node *catalog_after(const struct catalog *catalog, struct bytes name)
{
	size_t i = name.n == 0 ? 0 : name_lower(catalog, name);

	if (i < catalog->count && bytes_eq(catalog->by_name[i]->entry.name, name))
		i++;
	return i < catalog->count ? catalog->by_name[i] : NULL;
}

struct catalog_node *catalog_with_use(const struct catalog *catalog, unsigned special_use)
{
	for (size_t i = 0; i < catalog->ids_count; i++)
		if ((catalog->by_id[i]->entry.special_use & special_use) != 0)
			return catalog->by_id[i];
	return NULL;
}

/* Does `name` begin with `parent` and a delimiter? */
static bool is_below(struct bytes name, struct bytes parent)
{
	return name.n > parent.n && name.p[parent.n] == '/' && bytes_starts_with(name, parent);
}

bool catalog_is_below(const struct catalog_node *node, struct bytes parent)
{
	return is_below(node->entry.name, parent);
}

struct catalog_node *catalog_first_below(const struct catalog *catalog, struct bytes parent)
{
	/* Between "a" and "a/b" there may be "a!b" and "a-b", so look for the slash itself. */
	size_t low = 0;
	size_t high = catalog->count;

	RP_ASSERT(!catalog->unsorted);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct bytes name = catalog->by_name[middle]->entry.name;
		struct bytes head = name.n > parent.n ? bytes_slice(name, 0, parent.n) : name;
		int cmp = bytes_cmp(head, parent);

		if (cmp == 0)
			cmp = name.n > parent.n ? (int)name.p[parent.n] - '/' : -1;
		if (cmp < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == catalog->count || !is_below(catalog->by_name[low]->entry.name, parent))
		return NULL;
	return catalog->by_name[low];
}

bool catalog_has_children(const struct catalog *catalog, struct bytes name)
{
	struct catalog_node *node = catalog_first_below(catalog, name);

	while (node != NULL && is_below(node->entry.name, name)) {
		if (node->entry.mailboxid != 0)
			return true;
		node = catalog_after(catalog, node->entry.name);
	}
	return false;
}

void catalog_core_name_add(struct catalog *catalog, struct catalog_node *node)
{
	bool added;

	RP_ASSERT(catalog->count < catalog->count_max);
	if (catalog->unsorted) {
		node->order = catalog->count;
		catalog->by_name[catalog->count] = node;
	} else {
		size_t i = name_lower(catalog, node->entry.name);

		memmove(&catalog->by_name[i + 1], &catalog->by_name[i],
		    (catalog->count - i) * sizeof(struct catalog_node *));
		catalog->by_name[i] = node;
	}
	catalog->count++;
	added = hash_add(&catalog->names, &node->by_name,
	    hash_bytes(catalog->names.key, node->entry.name));
	RP_ASSERT(added); /* reserve_hash() */
}

/* Where a node stands in by_name. */
static size_t name_index(const struct catalog *catalog, const struct catalog_node *node)
{
	return catalog->unsorted ? node->order : name_lower(catalog, node->entry.name);
}

/* From now on names are added behind and taken out by moving the last one in: a rename of thousands stays linear. */
void catalog_core_let_unsorted(struct catalog *catalog)
{
	if (catalog->unsorted)
		return;
	for (size_t i = 0; i < catalog->count; i++)
		catalog->by_name[i]->order = i;
	catalog->unsorted = true;
}

void catalog_core_name_del(struct catalog *catalog, struct catalog_node *node)
{
	size_t i = name_index(catalog, node);

	RP_ASSERT(catalog->by_name[i] == node);
	catalog->count--;
	if (catalog->unsorted) {
		catalog->by_name[i] = catalog->by_name[catalog->count];
		catalog->by_name[i]->order = i;
	} else {
		memmove(&catalog->by_name[i], &catalog->by_name[i + 1],
		    (catalog->count - i) * sizeof(struct catalog_node *));
	}
	hash_del(&catalog->names, &node->by_name);
}

void catalog_core_id_add(struct catalog *catalog, struct catalog_node *node)
{
	size_t i = catalog_id_lower(catalog, node->entry.mailboxid);

	memmove(&catalog->by_id[i + 1], &catalog->by_id[i],
	    (catalog->ids_count - i) * sizeof(struct catalog_node *));
	catalog->by_id[i] = node;
	catalog->ids_count++;
}

void catalog_core_id_del(struct catalog *catalog, uint64_t mailboxid)
{
	size_t i = catalog_id_lower(catalog, mailboxid);

	catalog->ids_count--;
	memmove(&catalog->by_id[i], &catalog->by_id[i + 1],
	    (catalog->ids_count - i) * sizeof(struct catalog_node *));
}

static int by_name_order(const void *a, const void *b)
{
	const struct catalog_node *const *x = a;
	const struct catalog_node *const *y = b;

	return bytes_cmp((*x)->entry.name, (*y)->entry.name);
}

void catalog_sort(struct catalog *catalog)
{
	if (catalog->unsorted)
		qsort(catalog->by_name, catalog->count, sizeof(struct catalog_node *), by_name_order);
	catalog->unsorted = false;
}

uint64_t catalog_least_lsn(const struct catalog *catalog)
{
	uint64_t least = catalog->lsn;

	for (size_t i = 0; i < catalog->ids_count; i++) {
		const struct catalog_node *node = catalog->by_id[i];

		if (node->index_lsn < node->changed_lsn && node->index_lsn < least)
			least = node->index_lsn;
	}
	return least;
}
