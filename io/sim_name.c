#include "io/sim_name.h"

#include <errno.h>
#include <stdlib.h>

enum {
	SIM_NAME_BYTES_MAX = 256, /* NAME_MAX and a NUL */
};

/* `node` appears as to_dir/to (unless to_dir is NULL) and is no longer from_dir/from (unless that
 * is NULL). */
struct sim_change {
	struct list link;
	struct sim_node *node;
	struct sim_node *from_dir;
	struct sim_node *to_dir;
	char from[SIM_NAME_BYTES_MAX];
	char to[SIM_NAME_BYTES_MAX];
};

/* Where it is, or where it would stand. */
static size_t place_of(const struct sim_names *names, const char *text, bool *there)
{
	size_t low = 0, high = names->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(names->name[middle].text, text);

		if (order == 0) {
			*there = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*there = false;
	return low;
}

static struct sim_node *lookup(const struct sim_names *names, const char *text)
{
	bool there;
	size_t at = place_of(names, text, &there);

	return there ? names->name[at].node : NULL;
}

static void set(
    struct sim_disk *disk, struct sim_names *names, const char *text, struct sim_node *node)
{
	bool there;
	size_t at = place_of(names, text, &there);

	sim_disk_ref(node);
	if (there) {
		struct sim_node *old = names->name[at].node;

		names->name[at].node = node;
		sim_disk_unref(disk, old);
		return;
	}
	if (names->count == names->room) {
		size_t room = names->room == 0 ? 8 : names->room * 2;
		struct sim_name *name = realloc(names->name, room * sizeof(*name));

		if (name == NULL)
			assert_panic("no memory for the simulated disk");
		names->name = name;
		names->room = room;
	}
	memmove(names->name + at + 1, names->name + at, (names->count - at) * sizeof(*names->name));
	names->name[at] = (struct sim_name){.text = strdup(text), .node = node};
	RP_ASSERT(names->name[at].text != NULL);
	names->count++;
}

static void unset(struct sim_disk *disk, struct sim_names *names, const char *text)
{
	bool there;
	size_t at = place_of(names, text, &there);

	if (!there)
		return;
	struct sim_name name = names->name[at];

	names->count--;
	memmove(names->name + at, names->name + at + 1, (names->count - at) * sizeof(*names->name));
	free(name.text);
	sim_disk_unref(disk, name.node);
}

void sim_name_drop_all(struct sim_names *names, struct list *dead)
{
	for (size_t i = 0; i < names->count; i++) {
		struct sim_node *node = names->name[i].node;

		free(names->name[i].text);
		RP_ASSERT(node->refs > 0);
		if (--node->refs > 0)
			continue;
		list_del(&node->link);
		list_push_back(dead, &node->link);
	}
	free(names->name);
	*names = (struct sim_names){0};
}

/* Walk to the directory of a path; *last is its last part ("." for the root itself). */
static int walk(struct sim_disk *disk, enum file_root root, const char *path, struct sim_node **dir,
    char last[SIM_NAME_BYTES_MAX])
{
	struct sim_node *at = disk->root[root];

	for (;;) {
		size_t n = strcspn(path, "/");

		if (n >= SIM_NAME_BYTES_MAX)
			return -ENAMETOOLONG;
		memcpy(last, path, n);
		last[n] = '\0';
		if (n == 0 || strcmp(last, "..") == 0)
			return -EXDEV;
		if (at->broken.read != 0)
			return -at->broken.read;
		if (path[n] == '\0')
			break;
		at = lookup(&at->names_now, last);
		if (at == NULL)
			return -ENOENT;
		if (!at->is_dir)
			return -ENOTDIR;
		path += n + 1;
	}
	*dir = at;
	return 0;
}

int sim_disk_find(
    struct sim_disk *disk, enum file_root root, const char *path, struct sim_node **node)
{
	char last[SIM_NAME_BYTES_MAX];
	struct sim_node *dir;
	int result = walk(disk, root, path, &dir, last);

	*node = NULL;
	if (result < 0)
		return result;
	*node = strcmp(last, ".") == 0 ? dir : lookup(&dir->names_now, last);
	return *node == NULL ? -ENOENT : 0;
}

/* Apply it to what is kept, and forget it. */
static void settle(struct sim_disk *disk, struct sim_change *change, bool keep)
{
	if (keep && change->from_dir != NULL &&
	    lookup(&change->from_dir->names_kept, change->from) == change->node)
		unset(disk, &change->from_dir->names_kept, change->from);
	if (keep && change->to_dir != NULL)
		set(disk, &change->to_dir->names_kept, change->to, change->node);
	list_del(&change->link);
	if (change->from_dir != NULL)
		sim_disk_unref(disk, change->from_dir);
	if (change->to_dir != NULL)
		sim_disk_unref(disk, change->to_dir);
	sim_disk_unref(disk, change->node);
	free(change);
}

static void lose_name(struct sim_disk *disk, struct sim_node *node)
{
	if (!node->gone)
		disk->bytes_used -= node->now.size;
	node->gone = true;
}

static void change_name(struct sim_disk *disk, struct sim_node *node, struct sim_node *from_dir,
    const char *from, struct sim_node *to_dir, const char *to)
{
	struct sim_change *change = calloc(1, sizeof(*change));

	RP_ASSERT(change != NULL);
	change->node = node;
	change->from_dir = from_dir;
	change->to_dir = to_dir;
	sim_disk_ref(node);
	if (from_dir != NULL) {
		sim_disk_ref(from_dir);
		memcpy(change->from, from, strlen(from) + 1);
		unset(disk, &from_dir->names_now, from);
	}
	if (to_dir == NULL)
		lose_name(disk, node);
	if (to_dir != NULL) {
		struct sim_node *old = lookup(&to_dir->names_now, to);

		if (old != NULL)
			lose_name(disk, old);
		sim_disk_ref(to_dir);
		memcpy(change->to, to, strlen(to) + 1);
		set(disk, &to_dir->names_now, to, node);
	}
	list_push_back(&disk->changes, &change->link);
}

int sim_disk_create(struct sim_disk *disk, enum file_root root, const char *path, bool is_dir,
    struct sim_node **node)
{
	char last[SIM_NAME_BYTES_MAX];
	struct sim_node *dir;
	int result = walk(disk, root, path, &dir, last);

	if (result < 0)
		return result;
	if (strcmp(last, ".") == 0 || lookup(&dir->names_now, last) != NULL)
		return -EEXIST;
	*node = sim_disk_node(disk, is_dir);
	change_name(disk, *node, NULL, NULL, dir, last);
	return 0;
}

int sim_disk_unlink(struct sim_disk *disk, enum file_root root, const char *path, bool is_dir)
{
	char last[SIM_NAME_BYTES_MAX];
	struct sim_node *dir;
	int result = walk(disk, root, path, &dir, last);

	if (result < 0)
		return result;
	struct sim_node *node = lookup(&dir->names_now, last);

	if (node == NULL)
		return -ENOENT;
	if (node->is_dir != is_dir)
		return is_dir ? -ENOTDIR : -EISDIR;
	if (is_dir && node->names_now.count > 0)
		return -ENOTEMPTY;
	change_name(disk, node, dir, last, NULL, NULL);
	return 0;
}

int sim_disk_rename(struct sim_disk *disk, enum file_root root, const char *from, const char *to)
{
	char last_from[SIM_NAME_BYTES_MAX], last_to[SIM_NAME_BYTES_MAX];
	struct sim_node *dir_from, *dir_to;
	int result = walk(disk, root, from, &dir_from, last_from);

	if (result == 0)
		result = walk(disk, root, to, &dir_to, last_to);
	if (result < 0)
		return result;
	struct sim_node *node = lookup(&dir_from->names_now, last_from);
	struct sim_node *old = lookup(&dir_to->names_now, last_to);

	if (node == NULL)
		return -ENOENT;
	if (node == old)
		return 0;
	if (old != NULL && old->is_dir != node->is_dir)
		return old->is_dir ? -EISDIR : -ENOTDIR;
	if (old != NULL && old->names_now.count > 0)
		return -ENOTEMPTY;
	change_name(disk, node, dir_from, last_from, dir_to, last_to);
	return 0;
}

/* A name that is made durable as gone must not come back with an older change that still stands in
 * line. */
static void drop_older(struct sim_disk *disk, const struct sim_change *change)
{
	LIST_FOR_EACH_SAFE (link, &disk->changes) {
		struct sim_change *older = RP_CONTAINER_OF(link, struct sim_change, link);

		if (older == change)
			return;
		if (older->to_dir == change->from_dir && older->to_dir != NULL &&
		    older->node == change->node && strcmp(older->to, change->from) == 0)
			settle(disk, older, false);
	}
}

void sim_name_flush(struct sim_disk *disk, struct sim_node *dir)
{
	struct list *link = disk->changes.next;

	while (link != &disk->changes) {
		struct sim_change *change = RP_CONTAINER_OF(link, struct sim_change, link);

		if (dir == NULL || change->from_dir == dir || change->to_dir == dir) {
			drop_older(disk, change);
			link = change->link.next;
			settle(disk, change, true);
		} else {
			link = link->next;
		}
	}
}

void sim_name_forget_changes(struct sim_disk *disk)
{
	LIST_FOR_EACH_SAFE (link, &disk->changes)
		settle(disk, RP_CONTAINER_OF(link, struct sim_change, link), false);
}

/* What is there now becomes what was kept. */
static void fall_back(struct sim_disk *disk, struct sim_node *dir)
{
	for (size_t i = 0; i < dir->names_kept.count; i++)
		sim_disk_ref(dir->names_kept.name[i].node);
	while (dir->names_now.count > 0)
		unset(disk, &dir->names_now, dir->names_now.name[dir->names_now.count - 1].text);
	for (size_t i = 0; i < dir->names_kept.count; i++) {
		set(disk, &dir->names_now, dir->names_kept.name[i].text,
		    dir->names_kept.name[i].node);
		sim_disk_unref(disk, dir->names_kept.name[i].node);
	}
}

void sim_name_crash(struct sim_disk *disk, bool none, bool all, bool in_order)
{
	size_t count = 0;

	LIST_FOR_EACH (link, &disk->changes)
		count++;
	size_t left = sim_dice_below(disk->dice, count + 1);

	for (struct list *link; (link = disk->changes.next) != &disk->changes;) {
		bool keep = in_order ? left > 0 : sim_dice_below(disk->dice, 2) == 0;

		left -= left > 0;
		settle(
		    disk, RP_CONTAINER_OF(link, struct sim_change, link), all || (keep && !none));
	}
	/* Falling back lets go of nodes further on in the list: hold all until it is done. */
	LIST_FOR_EACH (link, &disk->nodes)
		sim_disk_ref(RP_CONTAINER_OF(link, struct sim_node, link));
	LIST_FOR_EACH (link, &disk->nodes) {
		struct sim_node *node = RP_CONTAINER_OF(link, struct sim_node, link);

		if (node->is_dir)
			fall_back(disk, node);
	}
	struct list all_nodes;
	struct list *link;

	list_init(&all_nodes);
	list_splice_back(&all_nodes, &disk->nodes);
	while ((link = list_pop_front(&all_nodes)) != NULL) {
		list_push_back(&disk->nodes, link);
		sim_disk_unref(disk, RP_CONTAINER_OF(link, struct sim_node, link));
	}
}
