/* fake_index.c -- see fake.h: volume, mailbox, bodies. */
#include "tests/core/cmd/fake.h"

#include <stdlib.h>
#include <string.h>

#include "index/dbox/dbox.h"

struct body_put {
	uint8_t *p;
	size_t n;
	size_t room;
};

struct dbox_body {
	struct fake_message *message;
	uint8_t *p;
	size_t n;
	bool corrupt;
};

static struct volume *the_volume;

static void *need(void *p)
{
	RP_ASSERT(p != NULL);
	return p;
}

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
	uint8_t *copy = need(malloc(name.n + 1));

	memcpy(copy, name.p, name.n);
	free(mailbox->name);
	mailbox->name = copy;
	mailbox->entry.name = bytes_of(copy, name.n);
}

static struct mailbox *new_name(struct volume *volume, struct bytes name)
{
	struct mailbox *mailbox = need(calloc(1, sizeof(*mailbox)));

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
		the_volume = need(calloc(1, sizeof(*the_volume)));
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

struct fake_message *fake_find(struct mailbox *mailbox, uint32_t uid)
{
	for (size_t i = 0; i < mailbox->count; i++)
		if (mailbox->messages[i].message.uid == uid)
			return &mailbox->messages[i];
	return NULL;
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

bool volume_may_serve(const struct volume *volume)
{
	return volume != NULL;
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

enum rp_err volume_rename(
    struct task *task, struct volume *volume, struct bytes from, struct bytes to)
{
	struct mailbox *mailbox = at_name(volume, from);

	(void)task;
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

unsigned mailbox_keywords_count(const struct mailbox *mailbox)
{
	return mailbox->keywords_count;
}

struct bytes mailbox_keyword(const struct mailbox *mailbox, unsigned index)
{
	RP_ASSERT(index < mailbox->keywords_count);
	return bytes_of_str(mailbox->keywords[index]);
}

static bool keyword_bit(struct mailbox *mailbox, struct bytes name, uint64_t *bit)
{
	for (unsigned i = 0; i < mailbox->keywords_count; i++) {
		if (bytes_eq_fold(name, mailbox_keyword(mailbox, i))) {
			*bit = UINT64_C(1) << i;
			return true;
		}
	}
	if (mailbox->keywords_count == FAKE_KEYWORDS_MAX || name.n >= MAILBOX_KEYWORD_BYTES_MAX)
		return false;
	memcpy(mailbox->keywords[mailbox->keywords_count], name.p, name.n);
	*bit = UINT64_C(1) << mailbox->keywords_count++;
	return true;
}

enum rp_err body_begin(struct task *task, struct volume *volume, struct body_put **out)
{
	(void)task;
	(void)volume;
	*out = need(calloc(1, sizeof(**out)));
	return RP_OK;
}

enum rp_err body_write(struct task *task, struct body_put *put, struct bytes b)
{
	(void)task;
	if (put->n + b.n + 1 > put->room) {
		put->room = 2 * (put->n + b.n + 1);
		put->p = need(realloc(put->p, put->room));
	}
	if (b.n > 0)
		memcpy(put->p + put->n, b.p, b.n);
	put->n += b.n;
	return RP_OK;
}

void body_abort(struct body_put *put)
{
	if (put == NULL)
		return;
	free(put->p);
	free(put);
}

static struct fake_message *add_message(struct mailbox *mailbox)
{
	struct fake_message *m;

	mailbox->messages =
	    need(realloc(mailbox->messages, (mailbox->count + 1) * sizeof(*mailbox->messages)));
	m = &mailbox->messages[mailbox->count++];
	memset(m, 0, sizeof(*m));
	m->message.uid = mailbox->entry.uidnext++;
	return m;
}

enum rp_err mailbox_append(struct task *task, struct mailbox *mailbox,
    const struct append *messages, size_t count, uint32_t *first_uid)
{
	(void)task;
	if (mailbox->gone)
		return RP_ERR_NOTFOUND;
	*first_uid = mailbox->entry.uidnext;
	mailbox->volume->modseq++;
	for (size_t i = 0; i < count; i++) {
		const struct append *in = &messages[i];
		struct fake_message *m = add_message(mailbox);

		m->message.flags = in->flags;
		m->message.modseq = mailbox->volume->modseq;
		m->message.internaldate = in->internaldate;
		m->message.sent = in->sent;
		m->message.emailid = 0x1234567800000000 + m->message.uid;
		m->message.rfc822_size_bytes = (uint32_t)in->body->n;
		m->body = in->body->p;
		m->body_bytes = in->body->n;
		free(in->body);
		for (size_t k = 0; k < in->keywords_count; k++) {
			uint64_t bit;

			if (!keyword_bit(mailbox, in->keywords[k], &bit))
				return RP_ERR_LIMIT;
			m->keywords |= bit;
		}
		if (in->cache_entry.n > 0) {
			m->cache = need(malloc(in->cache_entry.n));
			memcpy(m->cache, in->cache_entry.p, in->cache_entry.n);
			m->cache_bytes = in->cache_entry.n;
		}
	}
	fake_changed(mailbox);
	return RP_OK;
}

static bool store_one(
    struct fake_message *m, const struct mail_store *store, uint64_t keywords, uint64_t modseq)
{
	uint32_t flags = m->message.flags;
	uint64_t words = m->keywords;

	switch (store->mode) {
	case MAIL_STORE_REPLACE:
		flags = store->flags;
		words = keywords;
		break;
	case MAIL_STORE_ADD:
		flags |= store->flags;
		words |= keywords;
		break;
	case MAIL_STORE_REMOVE:
		flags &= ~store->flags;
		words &= ~keywords;
		break;
	}
	if (flags == m->message.flags && words == m->keywords)
		return false;
	m->message.flags = flags;
	m->keywords = words;
	m->message.modseq = modseq;
	return true;
}

enum rp_err mailbox_store(struct task *task, struct mailbox *mailbox, const struct runs *uids,
    const struct mail_store *store, struct runs *changed, struct runs *modified)
{
	uint64_t keywords = 0;
	bool any = false;

	(void)task;
	for (size_t k = 0; k < store->keywords_count; k++) {
		uint64_t bit;

		if (!keyword_bit(mailbox, store->keywords[k], &bit))
			return RP_ERR_LIMIT;
		keywords |= bit;
	}
	for (size_t i = 0; i < mailbox->count; i++) {
		struct fake_message *m = &mailbox->messages[i];
		enum rp_err err = RP_OK;

		if (m->expunged || !runs_has(uids, m->message.uid))
			continue;
		if (store->has_unchangedsince && m->message.modseq > store->unchangedsince) {
			if (modified != NULL)
				err = runs_add(modified, m->message.uid, m->message.uid);
		} else if (store_one(m, store, keywords, mailbox->volume->modseq + 1)) {
			any = true;
			if (changed != NULL)
				err = runs_add(changed, m->message.uid, m->message.uid);
		}
		RP_ASSERT(err == RP_OK);
	}
	if (any) {
		mailbox->volume->modseq++;
		fake_changed(mailbox);
	}
	return RP_OK;
}

enum rp_err mailbox_expunge(
    struct task *task, struct mailbox *mailbox, const struct runs *uids, struct runs *expunged)
{
	(void)task;
	mailbox->volume->modseq++;
	for (size_t i = 0; i < mailbox->count; i++) {
		struct fake_message *m = &mailbox->messages[i];

		if (m->expunged || (m->message.flags & MAIL_DELETED) == 0 ||
		    (uids != NULL && !runs_has(uids, m->message.uid)))
			continue;
		m->expunged = true;
		m->message.modseq = mailbox->volume->modseq;
		if (expunged != NULL && runs_add(expunged, m->message.uid, m->message.uid) != RP_OK)
			RP_ASSERT(false);
	}
	fake_changed(mailbox);
	return RP_OK;
}

static void *copy_of(const void *p, size_t n)
{
	void *copy = need(malloc(n + 1));

	if (n > 0)
		memcpy(copy, p, n);
	return copy;
}

static enum rp_err copy_or_move(struct mailbox *from, const struct runs *uids, struct mailbox *to,
    struct runs *copied, uint32_t *first_uid, bool move)
{
	size_t count = from->count;

	if (to->gone)
		return RP_ERR_NOTFOUND;
	*first_uid = to->entry.uidnext;
	from->volume->modseq++;
	for (size_t i = 0; i < count; i++) {
		struct fake_message *n;
		struct fake_message m = from->messages[i];

		if (m.expunged || !runs_has(uids, m.message.uid))
			continue;
		n = add_message(to);
		m.message.uid = n->message.uid;
		m.message.modseq = from->volume->modseq;
		m.body = copy_of(m.body, m.body_bytes);
		m.cache = copy_of(m.cache, m.cache_bytes);
		m.keywords = 0;
		for (unsigned k = 0; k < from->keywords_count; k++) {
			uint64_t bit;

			if ((from->messages[i].keywords >> k & 1) != 0 &&
			    keyword_bit(to, mailbox_keyword(from, k), &bit))
				m.keywords |= bit;
		}
		*n = m;
		if (move)
			from->messages[i].expunged = true;
		if (runs_add(copied, from->messages[i].message.uid, from->messages[i].message.uid) != RP_OK)
			RP_ASSERT(false);
	}
	fake_changed(to);
	fake_changed(from);
	return RP_OK;
}

enum rp_err mailbox_copy(struct task *task, struct mailbox *from, const struct runs *uids,
    struct mailbox *to, struct runs *copied, uint32_t *first_uid)
{
	(void)task;
	return copy_or_move(from, uids, to, copied, first_uid, false);
}

enum rp_err mailbox_move(struct task *task, struct mailbox *from, const struct runs *uids,
    struct mailbox *to, struct runs *moved, uint32_t *first_uid)
{
	(void)task;
	return copy_or_move(from, uids, to, moved, first_uid, true);
}

enum rp_err mailbox_body_open(
    struct task *task, struct mailbox *mailbox, uint32_t uid, struct dbox_body **out)
{
	struct fake_message *m = fake_find(mailbox, uid);

	(void)task;
	if (m == NULL)
		return RP_ERR_EXPUNGED;
	*out = need(calloc(1, sizeof(**out)));
	(*out)->p = copy_of(m->body, m->body_bytes);
	(*out)->n = m->body_bytes;
	(*out)->corrupt = m->corrupt;
	return RP_OK;
}

uint64_t dbox_body_bytes(const struct dbox_body *body)
{
	return body->n;
}

enum rp_err dbox_body_read(
    struct task *task, struct dbox_body *body, uint64_t offset, void *p, size_t n, size_t *got)
{
	(void)task;
	if (body->corrupt)
		return RP_ERR_CORRUPT;
	*got = offset >= body->n ? 0 : (size_t)num_min(n, body->n - offset);
	if (*got > 0)
		memcpy(p, body->p + offset, *got);
	return RP_OK;
}

void dbox_body_close(struct dbox_body *body)
{
	if (body == NULL)
		return;
	free(body->p);
	free(body);
}

enum rp_err mailbox_cache(struct task *task, struct mailbox *mailbox, uint32_t uid,
    struct arena *arena, struct bytes *entry)
{
	struct fake_message *m = fake_find(mailbox, uid);
	struct dbox_body *body;
	enum rp_err err;

	if (m == NULL)
		return RP_ERR_EXPUNGED;
	if (m->cache_bytes > 0) {
		*entry = bytes_of(m->cache, m->cache_bytes);
		return RP_OK;
	}
	err = mailbox_body_open(task, mailbox, uid, &body);
	if (err != RP_OK)
		return err;
	err = mailbox->volume->reader->render(task, body, arena, entry);
	dbox_body_close(body);
	return err;
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
