/* The changes of names: create, delete, subscribe, destroy. Renaming is volume_rename.c's. */
#include "index/breath.h"
#include "index/mailbox_state.h"
#include "index/volume_names.h"
#include "io/base/clock.h"
#include "io/base/num.h"

const struct volume_first volume_first[] = {
	{ { (const uint8_t *)"INBOX", 5 }, 0 },
	{ { (const uint8_t *)"Drafts", 6 }, SPECIAL_USE_DRAFTS },
	{ { (const uint8_t *)"Sent", 4 }, SPECIAL_USE_SENT },
	{ { (const uint8_t *)"Trash", 5 }, SPECIAL_USE_TRASH },
	{ { (const uint8_t *)"Junk", 4 }, SPECIAL_USE_JUNK },
	{ { (const uint8_t *)"Archive", 7 }, SPECIAL_USE_ARCHIVE },
};
const unsigned volume_first_count = sizeof(volume_first) / sizeof(volume_first[0]);

uint32_t volume_uidvalidity(const struct volume *volume, uint32_t last)
{
	uint64_t now = loop_wall_ns(volume->store->loop) / CLOCK_NS_PER_S;

	if (now > UINT32_MAX)
		now = UINT32_MAX;
	return now > last ? (uint32_t)now : last + 1;
}

bool names_is_inbox(struct bytes name)
{
	return bytes_eq(name, BYTES_LIT("INBOX"));
}

bool names_has_mailbox(const struct volume *volume, struct bytes name)
{
	const struct catalog_node *node = catalog_find(&volume->catalog, name);

	return node != NULL && node->entry.mailboxid != 0;
}

struct bytes names_parent(struct bytes name, size_t *from)
{
	size_t slash = bytes_find(name, *from, '/');

	*from = slash + 1;
	return slash < name.n ? bytes_slice(name, 0, slash) : bytes_slice(name, 0, 0);
}

enum rp_err names_prepare(struct volume *volume, struct bytes name)
{
	size_t from = 0;
	struct bytes parent;
	enum rp_err err = RP_OK;

	while (err == RP_OK && (parent = names_parent(name, &from)).n != 0)
		if (!names_has_mailbox(volume, parent))
			err = catalog_prepare(&volume->catalog, parent.n);
	return err == RP_OK ? catalog_prepare(&volume->catalog, name.n) : err;
}

static void write_one(struct breath *breath, struct bytes name, unsigned special_use,
    struct change_sums *sums, uint64_t *mailboxid)
{
	*mailboxid = sums->mailboxid_next++;
	sums->uidvalidity_last = volume_uidvalidity(breath->volume, sums->uidvalidity_last);
	BREATH_PUT(breath, change_put_mailbox(&breath->writer, *mailboxid, sums->uidvalidity_last,
			       special_use, name));
}

enum rp_err names_write(struct breath *breath, struct bytes name, unsigned special_use,
    struct change_sums *sums, uint64_t *mailboxid)
{
	struct volume *volume = breath->volume;
	const struct catalog *catalog = &volume->catalog;
	size_t more = 1;
	size_t names_more = catalog_find(catalog, name) == NULL;
	size_t from = 0;
	struct bytes parent;
	uint64_t parentid;

	if (names_has_mailbox(volume, name))
		return RP_ERR_EXISTS;
	if (special_use != 0 && catalog_with_use(catalog, special_use) != NULL)
		return RP_ERR_EXISTS;
	while ((parent = names_parent(name, &from)).n != 0) {
		more += !names_has_mailbox(volume, parent);
		names_more += catalog_find(catalog, parent) == NULL;
	}
	if (catalog->ids_count + more > VOLUME_MAILBOXES_MAX ||
	    catalog->count + names_more > VOLUME_NAMES_MAX ||
	    sums->uidvalidity_last > UINT32_MAX - more)
		return RP_ERR_LIMIT;
	from = 0;
	while ((parent = names_parent(name, &from)).n != 0)
		if (!names_has_mailbox(volume, parent))
			write_one(breath, parent, 0, sums, &parentid);
	write_one(breath, name, special_use, sums, mailboxid);
	return RP_OK;
}

struct create {
	struct volume *volume;
	struct bytes name;
	unsigned special_use;
	uint64_t mailboxid;
};

static enum rp_err create_prepare(struct task *task, void *arg)
{
	struct create *create = arg;

	(void)task;
	catalog_drop_spares(&create->volume->catalog);
	return names_prepare(create->volume, create->name);
}

static enum rp_err create_write(struct breath *breath, void *arg)
{
	struct create *create = arg;
	struct change_sums sums = create->volume->catalog.sums;
	enum rp_err err =
	    names_write(breath, create->name, create->special_use, &sums, &create->mailboxid);

	if (err == RP_OK)
		BREATH_PUT(breath, change_put_sums(&breath->writer, &sums));
	return err;
}

enum rp_err volume_create(struct task *task, struct volume *volume, struct bytes name,
    unsigned special_use, uint64_t *mailboxid)
{
	struct create create = { .volume = volume, .name = name, .special_use = special_use };
	struct breath_plan plan = { .type = CHANGE_CREATE,
		.prepare = create_prepare,
		.write = create_write,
		.arg = &create,
		.room = BREATH_ROOM_MORE };
	enum rp_err err;

	if (name.n == 0 || name.n > CHANGE_NAME_BYTES_MAX)
		return RP_ERR_CANNOT;
	err = breath_run(task, volume, &plan);
	if (err == RP_OK && mailboxid != NULL)
		*mailboxid = create.mailboxid;
	return err;
}

static enum rp_err delete_write(struct breath *breath, void *arg)
{
	const struct bytes *name = arg;
	const struct catalog *catalog = &breath->volume->catalog;
	const struct catalog_node *node = catalog_find(catalog, *name);
	struct change_sums sums = catalog->sums;
	uint64_t mailboxid;

	if (node == NULL || node->entry.mailboxid == 0)
		return RP_ERR_NOTFOUND;
	if (names_is_inbox(*name))
		return RP_ERR_CANNOT;
	if (catalog_has_children(catalog, *name))
		return RP_ERR_HASCHILDREN;
	sums.messages_count -= num_min(sums.messages_count, node->entry.messages_count);
	sums.bytes -= num_min(sums.bytes, node->entry.bytes);
	mailboxid = node->entry.mailboxid;
	BREATH_PUT(breath, change_put_gone(&breath->writer, mailboxid,
			       keep_stamp(breath->volume->store)));
	BREATH_PUT(breath, change_put_sums(&breath->writer, &sums));
	return RP_OK;
}

enum rp_err volume_delete(struct task *task, struct volume *volume, struct bytes name)
{
	struct breath_plan plan = { .type = CHANGE_DELETE, .write = delete_write, .arg = &name };

	return breath_run(task, volume, &plan);
}

struct subscription {
	struct volume *volume;
	struct bytes name;
	bool on;
};

static enum rp_err subscribe_prepare(struct task *task, void *arg)
{
	struct subscription *subscription = arg;

	(void)task;
	catalog_drop_spares(&subscription->volume->catalog);
	if (!subscription->on)
		return RP_OK;
	return catalog_prepare(&subscription->volume->catalog, subscription->name.n);
}

static enum rp_err subscribe_write(struct breath *breath, void *arg)
{
	const struct subscription *subscription = arg;
	const struct catalog *catalog = &breath->volume->catalog;
	const struct catalog_node *node = catalog_find(catalog, subscription->name);

	if ((node != NULL && node->entry.subscribed) == subscription->on)
		return RP_OK;
	if (node == NULL && catalog->count - catalog->ids_count >= VOLUME_MAILBOXES_MAX)
		return RP_ERR_LIMIT;
	BREATH_PUT(breath,
	    change_put_subscription(&breath->writer, subscription->name, subscription->on));
	return RP_OK;
}

enum rp_err volume_subscribe(
    struct task *task, struct volume *volume, struct bytes name, bool subscribed)
{
	struct subscription subscription = { volume, name, subscribed };
	struct breath_plan plan = { .type = CHANGE_SUBSCRIBE,
		.prepare = subscribe_prepare,
		.write = subscribe_write,
		.arg = &subscription,
		.room = BREATH_ROOM_SOME };

	if (name.n == 0 || name.n > CHANGE_NAME_BYTES_MAX)
		return RP_ERR_CANNOT;
	return breath_run(task, volume, &plan);
}

static enum rp_err destroy_write(struct breath *breath, void *arg)
{
	(void)arg;
	if (!breath->measuring)
		journal_cut(breath->volume->journal);
	BREATH_PUT(breath, change_put_destroyed(&breath->writer));
	return RP_OK;
}

enum rp_err volume_destroy(struct task *task, struct volume *volume)
{
	struct breath_plan plan = { .type = CHANGE_DESTROY,
		.write = destroy_write,
		.arg = volume,
		.record_flags = RECORD_DESTROYS };

	return breath_run(task, volume, &plan);
}
