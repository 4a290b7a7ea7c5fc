/* fake_messages.c -- see fake.h: the messages of a mailbox, and their bodies. */
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

struct fake_message *fake_find(struct mailbox *mailbox, uint32_t uid)
{
	for (size_t i = 0; i < mailbox->count; i++)
		if (mailbox->messages[i].message.uid == uid)
			return &mailbox->messages[i];
	return NULL;
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
	*out = fake_need(calloc(1, sizeof(**out)));
	return RP_OK;
}

enum rp_err body_write(struct task *task, struct body_put *put, struct bytes b)
{
	(void)task;
	if (put->n + b.n + 1 > put->room) {
		put->room = 2 * (put->n + b.n + 1);
		put->p = fake_need(realloc(put->p, put->room));
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
	    fake_need(realloc(mailbox->messages, (mailbox->count + 1) * sizeof(*mailbox->messages)));
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
			m->cache = fake_need(malloc(in->cache_entry.n));
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

uint32_t fake_store_part;
unsigned fake_store_fails_after;
void (*fake_store_meanwhile)(void);

enum rp_err mailbox_store_cut(struct task *task, struct mailbox *mailbox, const struct runs *uids,
    const struct mail_store *store, struct runs *there, uint32_t *part)
{
	(void)task;
	(void)mailbox;
	(void)store;
	*part = fake_store_part;
	return fake_store_part != 0 ? runs_copy(uids, there) : RP_OK;
}

enum rp_err mailbox_store(struct task *task, struct mailbox *mailbox, const struct runs *uids,
    const struct mail_store *store, struct runs *changed, struct runs *modified)
{
	uint64_t keywords = 0;
	bool any = false;

	void (*meanwhile)(void) = fake_store_meanwhile;

	(void)task;
	if (fake_store_fails_after > 0 && --fake_store_fails_after == 0)
		return RP_ERR_NOSPACE;
	fake_store_meanwhile = NULL;
	if (meanwhile != NULL)
		meanwhile();
	for (size_t k = 0; k < store->keywords_count; k++) {
		uint64_t bit;

		if (!keyword_bit(mailbox, store->keywords[k], &bit))
			return RP_ERR_LIMIT;
		keywords |= bit;
	}
	for (size_t i = 0; i < mailbox->count; i++) {
		struct fake_message *m = &mailbox->messages[i];
		bool known = store->known_modseq == 0 || m->message.modseq <= store->known_modseq;
		enum rp_err err = RP_OK;

		if (m->expunged || !runs_has(uids, m->message.uid))
			continue;
		if (store->has_unchangedsince && m->message.modseq > store->unchangedsince) {
			if (modified != NULL)
				err = runs_add(modified, m->message.uid, m->message.uid);
		} else if (store_one(m, store, keywords, mailbox->volume->modseq + 1)) {
			any = true;
			if (changed != NULL && known)
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
	void *copy = fake_need(malloc(n + 1));

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
	*out = fake_need(calloc(1, sizeof(**out)));
	(*out)->p = copy_of(m->body, m->body_bytes);
	(*out)->n = m->body_bytes;
	(*out)->corrupt = m->corrupt;
	return RP_OK;
}

/* That the log names it is index's: tests/cli/odd_files.py. */
void mailbox_body_damaged(
    const struct mailbox *mailbox, uint32_t uid, const struct dbox_body *body)
{
	(void)mailbox;
	(void)uid;
	RP_ASSERT(body->corrupt);
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
