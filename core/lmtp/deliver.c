#include "core/lmtp/deliver.h"

#include <stdlib.h>

#include "index/delivered.h"

enum { DELIVER_PIECE_BYTES = 64 * 1024 };

/* hash: NULL, or gets the bytes too. */
static enum rp_err copy_file(
	struct task *task, const struct spool *spool, struct body_put *put, struct delivery_hash *hash)
{
	struct file *file;
	uint8_t *piece = malloc(DELIVER_PIECE_BYTES);
	enum rp_err err = piece != NULL ? file_open(task, FILE_ROOT_DATA, spool->path, FILE_READ, &file) : RP_ERR_NOMEM;

	if (err != RP_OK) {
		free(piece);
		return err;
	}
	for (uint64_t at = 0; at < spool->bytes && err == RP_OK;) {
		size_t got = 0;

		err = file_read(task, file, piece, DELIVER_PIECE_BYTES, at, &got);
		if (err == RP_OK && got == 0)
			err = RP_ERR_IO; /* shorter than what was written */
		if (err == RP_OK)
			err = body_write(task, put, bytes_of(piece, got));
		if (hash != NULL)
			delivery_hash_add(hash, bytes_of(piece, got));
		at += got;
	}
	file_close(file);
	free(piece);
	return err;
}

/* The mailbox asked for, if it is there; names of folders are case-sensitive, but a mail address is not: "+trash" means Trash. */
static struct bytes find_name(struct volume *volume, struct bytes wanted)
{
	const struct catalog_entry *exact = volume_find(volume, wanted);

	if (exact != NULL && exact->mailboxid != 0) /* a subscription alone takes no mail */
		return wanted;
	for (const struct catalog_entry *e = volume_next(volume, bytes_of(NULL, 0)); e != NULL;
	     e = volume_next(volume, e->name))
		if (e->mailboxid != 0 && bytes_eq_fold(e->name, wanted))
			return e->name;
	return BYTES_LIT("INBOX");
}

static enum rp_err open_mailbox(
    struct task *task, struct volume *volume, const struct deliver_in *in, struct mailbox **out)
{
	uint64_t mailboxid;

	if (in->mailbox.n == 0)
		return mailbox_open(task, volume, BYTES_LIT("INBOX"), out);
	if (!in->create)
		return mailbox_open(task, volume, find_name(volume, in->mailbox), out);
	enum rp_err err = mailbox_open(task, volume, in->mailbox, out);

	if (err != RP_ERR_NOTFOUND)
		return err;
	err = volume_create(task, volume, in->mailbox, 0, &mailboxid);
	if (err == RP_OK)
		err = volume_subscribe(task, volume, in->mailbox, true);
	if (err == RP_OK || err == RP_ERR_EXISTS)
		err = mailbox_open(task, volume, in->mailbox, out);
	return err;
}

/* The message into `put`; key: of recipient and message, if the recipient is told. */
static enum rp_err take_body(
	struct task *task, const struct deliver_in *in, struct body_put *put, struct delivery_key *key)
{
	struct bytes whole = bytes_of(in->spool->p, in->spool->n);
	struct delivery_hash *hash = NULL;
	enum rp_err err = RP_OK;

	if (in->recipient.n > 0)
		err = delivery_hash_open(&in->userid, in->recipient, &hash);
	if (err == RP_OK && in->spool->file != NULL)
		err = copy_file(task, in->spool, put, hash);
	else if (err == RP_OK)
		err = body_write(task, put, whole);
	if (err == RP_OK && hash != NULL) {
		if (in->spool->file == NULL)
			delivery_hash_add(hash, whole);
		*key = delivery_hash_key(hash);
	}
	delivery_hash_close(hash);
	return err;
}

static enum rp_err append(struct task *task, struct mailbox *mailbox, const struct deliver_in *in, struct deliver_out *out)
{
	struct delivery_key key;
	struct append append = {
		.flags = in->flags,
		.keywords = in->keywords,
		.keywords_count = in->keywords_count,
		.internaldate = in->internaldate,
		.sent = in->sent,
		.cache_entry = in->cache_entry,
		.delivery = in->recipient.n > 0 ? &key : NULL,
	};
	enum rp_err err = body_begin(task, mailbox_volume(mailbox), &append.body);

	if (err != RP_OK)
		return err;
	err = take_body(task, in, append.body, &key);
	if (err == RP_OK && append.delivery != NULL && volume_was_delivered(mailbox_volume(mailbox), &key))
		err = RP_ERR_EXISTS;
	if (err == RP_OK)
		err = mailbox_append(task, mailbox, &append, 1, &out->uid);
	if (err != RP_OK)
		body_abort(append.body);
	out->again = err == RP_ERR_EXISTS;
	if (out->again)
		out->uid = 0;
	out->uidvalidity = mailbox_entry(mailbox)->uidvalidity;
	return out->again ? RP_OK : err;
}

enum rp_err deliver_run(
    struct task *task, struct store *store, const struct deliver_in *in, struct deliver_out *out)
{
	struct volume *volume;
	struct mailbox *mailbox;
	enum rp_err err = volume_open(task, store, &in->userid, &volume);

	if (err != RP_OK)
		return err;
	err = open_mailbox(task, volume, in, &mailbox);
	if (err == RP_OK) {
		err = append(task, mailbox, in, out);
		mailbox_close(mailbox);
	}
	volume_close(volume);
	return err;
}
