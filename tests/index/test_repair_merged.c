/* A merge leaves a mailbox that was deleted out of its journal: where that one is damaged, a mailbox that it does not tell of may have
 * been there. */
#include <stdlib.h>
#include <string.h>

#include "index/journal_core.h"
#include "index/mailbox_state.h"
#include "index/repair/repair.h"
#include "index/volume_state.h"
#include "tests/index/kept_mail.h"
#include "tests/index/made_mail.h"
#include "tests/io/io_fixture.h"

/* The merged journal, the first file, and its size. */
static struct file *open_merged(struct task *task, struct volume *volume, uint64_t *bytes)
{
	char path[JOURNAL_CORE_PATH_BYTES];
	struct file *file;

	cr_assert(volume->journal->files[0].merged);
	journal_core_path_of(volume->journal, &volume->journal->files[0], path);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_size(task, file, bytes), RP_OK);
	return file;
}

static size_t find(struct bytes in, const char *name)
{
	const uint8_t *p = memmem(in.p, in.n, name, strlen(name));

	cr_assert_not_null(p, "%s", name);
	return (size_t)(p - in.p);
}

/* There is no sound record from the one that makes the first mailbox to the one that makes the other. */
static void damage_from_to(struct task *task, struct volume *volume, const char *from, const char *to)
{
	uint64_t size;
	struct file *file = open_merged(task, volume, &size);
	uint8_t *p = malloc(size);
	size_t first;
	size_t got;

	cr_assert_not_null(p);
	cr_assert_eq(file_read(task, file, p, size, 0, &got), RP_OK);
	first = find(bytes_of(p, got), from);
	got = find(bytes_of(p, got), to);
	cr_assert_lt(first, got);
	for (size_t at = first; at < got; at++)
		p[at] ^= 0x55;
	cr_assert_eq(file_write(task, file, p + first, got - first, first, false), RP_OK);
	file_close(file);
	free(p);
}

static uint64_t make(struct task *task, struct volume *volume, const char *name)
{
	uint64_t mailboxid;

	cr_assert_eq(volume_create(task, volume, bytes_of_str(name), 0, NULL), RP_OK);
	made_append(task, volume, name, 0, "its only message");
	mailboxid = volume_find(volume, bytes_of_str(name))->mailboxid;
	return mailboxid;
}

/* No record and no derived file tells of one mailbox; another was deleted, and of that what is kept of it tells. */
IO_TASK_TEST(repair_merged, one_of_which_no_record_is_left_is_back)
{
	struct store *store = kept_open_store(task, 1, KEPT_S);
	struct volume *volume = kept_open_user(task, store);
	const struct catalog_node *node;
	struct repair_report report;
	uint64_t deleted = make(task, volume, "deleted");
	uint64_t lost = make(task, volume, "of-the-gap");
	struct mailbox *mailbox;

	(void)arg;
	(void)make(task, volume, "behind-it");
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("deleted")), RP_OK);
	kept_merge(task, volume);
	damage_from_to(task, volume, "of-the-gap", "behind-it");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	made_harm(task, MADE_CATALOG, true);
	made_harm(task, MADE_INDEX, true);

	store = kept_open_store(task, 2, KEPT_S);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	volume = kept_open_user(task, store);
	node = catalog_by_id(&volume->catalog, lost);
	cr_assert_not_null(node, "nothing is left of it");
	cr_assert_eq(mailbox_open_id(task, volume, lost, &mailbox), RP_OK);
	cr_assert(table_has(mailbox->table, 1, false));
	mailbox_close(mailbox);
	cr_assert_null(catalog_by_id(&volume->catalog, deleted), "it was deleted");
	cr_assert_eq(kept_offered(task, volume, "deleted"), 1);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}
