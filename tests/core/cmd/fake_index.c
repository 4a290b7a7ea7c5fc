/* fake_index.c -- see fake.h: the volume, its mailboxes, who watches them. */
#include "tests/core/cmd/fake.h"

#include <stdlib.h>
#include <string.h>

static struct volume *the_volume;

void fake_changed(struct mailbox *mailbox)
{
	struct catalog_entry *entry = &mailbox->entry;

	entry->messages_count = entry->unseen_count = entry->deleted_count = 0;
	entry->bytes = 0;
	entry->highestmodseq = mailbox->volume->modseq;
	for (size_t i = 0; i < mailbox->count; i++) {
		struct fake_message *m = &mailbox->messages[i];

		if (m->expunged)
			continue;
		entry->messages_count++;
		entry->unseen_count += (m->message.flags & MAIL_SEEN) == 0;
		entry->deleted_count += (m->message.flags & MAIL_DELETED) != 0;
		entry->bytes += m->message.rfc822_size_bytes;
	}
	watch_wake_all(&mailbox->watches);
}

static size_t place_of(struct volume *volume, struct bytes name)
{
	size_t i = 0;

	while (i < volume->count && bytes_cmp(volume->mailboxes[i]->entry.name, name) < 0)
		i++;
	return i;
}

static struct mailbox *at_name(struct volume *volume, struct bytes name)
{
	size_t i = place_of(volume, name);

	if (i < volume->count && bytes_eq(volume->mailboxes[i]->entry.name, name))
		return volume->mailboxes[i];
	return NULL;
}

static void put_in(struct volume *volume, struct mailbox *mailbox)
{
	size_t i = place_of(volume, mailbox->entry.name);

	RP_ASSERT(volume->count < FAKE_MAILBOXES_MAX);
	memmove(&volume->mailboxes[i + 1], &volume->mailboxes[i],
	    (volume->count - i) * sizeof(volume->mailboxes[0]));
	volume->mailboxes[i] = mailbox;
	volume->count++;
}

static void take_out(struct volume *volume, struct mailbox *mailbox)
{
	for (size_t i = 0; i < volume->count; i++) {
		if (volume->mailboxes[i] != mailbox)
			continue;
		volume->count--;
		memmove(&volume->mailboxes[i], &volume->mailboxes[i + 1],
		    (volume->count - i) * sizeof(volume->mailboxes[0]));
		return;
	}
}

static void set_name(struct mailbox *mailbox, struct bytes name)
{
	uint8_t *copy = fake_need(malloc(name.n + 1));

	memcpy(copy, name.p, name.n);
	free(mailbox->name);
	mailbox->name = copy;
	mailbox->entry.name = bytes_of(copy, name.n);
}

static struct mailbox *new_name(struct volume *volume, struct bytes name)
{
	struct mailbox *mailbox = fake_need(calloc(1, sizeof(*mailbox)));

	mailbox->volume = volume;
	set_name(mailbox, name);
	list_init(&mailbox->watches);
	put_in(volume, mailbox);
	return mailbox;
}

static void make_mailbox(struct mailbox *mailbox)
{
	struct volume *volume = mailbox->volume;

	mailbox->entry.mailboxid = volume->next_mailboxid++;
	mailbox->entry.uidvalidity = ++volume->last_uidvalidity;
	mailbox->entry.uidnext = 1;
	mailbox->entry.highestmodseq = ++volume->modseq;
}

static void free_mailbox(struct mailbox *mailbox)
{
	for (size_t i = 0; i < mailbox->count; i++) {
		free(mailbox->messages[i].body);
		free(mailbox->messages[i].cache);
	}
	free(mailbox->messages);
	free(mailbox->name);
	free(mailbox);
}

struct volume *fake_volume(const struct mail_reader *reader)
{
	if (the_volume == NULL) {
		the_volume = fake_need(calloc(1, sizeof(*the_volume)));
		the_volume->next_mailboxid = 1;
		the_volume->last_uidvalidity = 1000;
		make_mailbox(new_name(the_volume, BYTES_LIT("INBOX")));
		the_volume->mailboxes[0]->entry.subscribed = true;
	}
	if (reader != NULL)
		the_volume->reader = reader;
	return the_volume;
}

void fake_fini(void)
{
	if (the_volume == NULL)
		return;
	for (size_t i = 0; i < the_volume->count; i++)
		free_mailbox(the_volume->mailboxes[i]);
	free(the_volume);
	the_volume = NULL;
}

struct mailbox *fake_mailbox(const char *name)
{
	return at_name(the_volume, bytes_of_str(name));
}

enum rp_err volume_open(
    struct task *task, struct store *store, const struct userid *userid, struct volume **out)
{
	(void)task;
	(void)store;
	*out = fake_volume(NULL);
	(*out)->userid = *userid;
	(*out)->refs++;
	return RP_OK;
}

void volume_close(struct volume *volume)
{
	if (volume != NULL)
		volume->refs--;
}

const struct userid *volume_userid(const struct volume *volume)
{
	return &volume->userid;
}

uint64_t volume_position(const struct volume *volume)
{
	return volume->modseq;
}

static bool is_below(struct bytes name, struct bytes parent)
{
	return name.n > parent.n && bytes_starts_with(name, parent) && name.p[parent.n] == '/';
}

static void look_for_children(struct volume *volume, struct mailbox *mailbox)
{
	mailbox->entry.has_children = false;
	for (size_t i = 0; i < volume->count; i++)
		if (volume->mailboxes[i]->entry.mailboxid != 0 &&
		    is_below(volume->mailboxes[i]->entry.name, mailbox->entry.name))
			mailbox->entry.has_children = true;
}

const struct catalog_entry *volume_next(struct volume *volume, struct bytes after)
{
	size_t i = place_of(volume, after);

	volume->steps++;
	if (i < volume->count && bytes_eq(volume->mailboxes[i]->entry.name, after))
		i++;
	if (i == volume->count)
		return NULL;
	look_for_children(volume, volume->mailboxes[i]);
	return &volume->mailboxes[i]->entry;
}

const struct catalog_entry *volume_find(struct volume *volume, struct bytes name)
{
	struct mailbox *mailbox = at_name(volume, name);

	if (mailbox == NULL)
		return NULL;
	look_for_children(volume, mailbox);
	return &mailbox->entry;
}

enum rp_err volume_create(struct task *task, struct volume *volume, struct bytes name,
    unsigned special_use, uint64_t *mailboxid)
{
	struct mailbox *mailbox = at_name(volume, name);

	(void)task;
	if (mailbox != NULL && mailbox->entry.mailboxid != 0)
		return RP_ERR_EXISTS;
	for (size_t i = 0; i < volume->count; i++)
		if ((volume->mailboxes[i]->entry.special_use & special_use) != 0)
			return RP_ERR_EXISTS;
	for (size_t i = 1; i < name.n; i++) {
		struct bytes parent = bytes_slice(name, 0, i);

		if (name.p[i] != '/')
			continue;
		if (at_name(volume, parent) == NULL)
			new_name(volume, parent);
		if (at_name(volume, parent)->entry.mailboxid == 0)
			make_mailbox(at_name(volume, parent));
	}
	if (mailbox == NULL)
		mailbox = new_name(volume, name);
	make_mailbox(mailbox);
	mailbox->entry.special_use = special_use;
	if (mailboxid != NULL)
		*mailboxid = mailbox->entry.mailboxid;
	return RP_OK;
}

enum rp_err volume_delete(struct task *task, struct volume *volume, struct bytes name)
{
	struct mailbox *mailbox = at_name(volume, name);
	bool subscribed;

	(void)task;
	if (mailbox == NULL || mailbox->entry.mailboxid == 0)
		return RP_ERR_NOTFOUND;
	if (bytes_eq(name, BYTES_LIT("INBOX")))
		return RP_ERR_CANNOT;
	look_for_children(volume, mailbox);
	if (mailbox->entry.has_children)
		return RP_ERR_HASCHILDREN;
	subscribed = mailbox->entry.subscribed;
	take_out(volume, mailbox);
	volume->modseq++;
	if (subscribed)
		new_name(volume, name)->entry.subscribed = true;
	mailbox->gone = true;
	watch_wake_all(&mailbox->watches);
	if (mailbox->refs == 0)
		free_mailbox(mailbox);
	return RP_OK;
}

bool fake_renamed_own;

enum rp_err volume_rename(
    struct task *task, struct volume *volume, struct bytes from, struct bytes to)
{
	struct mailbox *mailbox = at_name(volume, from);

	(void)task;
	fake_renamed_own = fake_view_own;
	if (mailbox == NULL || mailbox->entry.mailboxid == 0)
		return RP_ERR_NOTFOUND;
	if (at_name(volume, to) != NULL)
		return RP_ERR_EXISTS;
	if (is_below(to, from) && !bytes_eq(from, BYTES_LIT("INBOX")))
		return RP_ERR_CANNOT;
	volume->modseq++;
	for (size_t i = volume->count; i-- > 0;) {
		struct mailbox *one = volume->mailboxes[i];
		uint8_t name[2048];

		if (!bytes_eq(one->entry.name, from) && !is_below(one->entry.name, from))
			continue;
		if (one != mailbox && bytes_eq(from, BYTES_LIT("INBOX")))
			continue;
		memcpy(name, to.p, to.n);
		memcpy(name + to.n, one->entry.name.p + from.n, one->entry.name.n - from.n);
		take_out(volume, one);
		set_name(one, bytes_of(name, to.n + one->entry.name.n - from.n));
		put_in(volume, one);
		i = volume->count;
	}
	if (at_name(volume, BYTES_LIT("INBOX")) == NULL)
		make_mailbox(new_name(volume, BYTES_LIT("INBOX")));
	return RP_OK;
}

enum rp_err volume_subscribe(
    struct task *task, struct volume *volume, struct bytes name, bool subscribed)
{
	struct mailbox *mailbox = at_name(volume, name);

	(void)task;
	if (mailbox == NULL && subscribed)
		mailbox = new_name(volume, name);
	if (mailbox != NULL)
		mailbox->entry.subscribed = subscribed;
	volume->modseq++;
	return RP_OK;
}

enum rp_err mailbox_open(
    struct task *task, struct volume *volume, struct bytes name, struct mailbox **out)
{
	struct mailbox *mailbox = at_name(volume, name);

	(void)task;
	if (mailbox == NULL || mailbox->entry.mailboxid == 0)
		return RP_ERR_NOTFOUND;
	mailbox->refs++;
	*out = mailbox;
	return RP_OK;
}

void mailbox_close(struct mailbox *mailbox)
{
	if (mailbox == NULL)
		return;
	mailbox->refs--;
	if (mailbox->refs == 0 && mailbox->gone)
		free_mailbox(mailbox);
}

const struct catalog_entry *mailbox_entry(const struct mailbox *mailbox)
{
	return &mailbox->entry;
}

struct volume *mailbox_volume(const struct mailbox *mailbox)
{
	return mailbox->volume;
}

bool mailbox_is_gone(const struct mailbox *mailbox)
{
	return mailbox->gone;
}

bool mailbox_has_room_for_keyword(const struct mailbox *mailbox)
{
	return mailbox->keywords_count < MAILBOX_KEYWORDS_MAX;
}

unsigned mailbox_keywords_count(const struct mailbox *mailbox)
{
	return mailbox->keywords_count;
}

struct bytes mailbox_keyword(const struct mailbox *mailbox, unsigned index)
{
	RP_ASSERT(index < mailbox->keywords_count);
	return bytes_of_str(mailbox->keywords[index]);
}

void watch_init(struct watch *watch, void (*wake)(struct watch *watch))
{
	list_init(&watch->link);
	watch->wake = wake;
}

void watch_wake_all(struct list *watches)
{
	LIST_FOR_EACH (link, watches) {
		struct watch *watch = RP_CONTAINER_OF(link, struct watch, link);

		watch->wake(watch);
	}
}
