#include "tests/index/log_user.h"

#include "io/base/arena.h"

struct userid log_user_id(unsigned n)
{
	struct userid id = { .b = { 0x75 } };

	id.b[15] = (uint8_t)n;
	id.b[14] = (uint8_t)(n >> 8);
	return id;
}

static enum rp_err write_settled(struct task *task, struct settle *settle)
{
	struct log_user *user = RP_CONTAINER_OF(settle, struct log_user, settle);

	return settle_write(task, user->commit, settle, user->journal, user->dbox);
}

enum rp_err log_user_open(
    struct task *task, struct log_user *user, struct commit *commit, unsigned n, uint64_t epoch)
{
	*user = (struct log_user){ .userid = log_user_id(n), .commit = commit };
	settle_init(&user->settle, write_settled);
	userid_path(&user->userid, user->dir);

	enum rp_err err = journal_open(task, user->dir, &user->userid, epoch, &user->journal);

	if (err != RP_OK)
		return err;
	err = dbox_open(task, user->dir, &user->userid, epoch, NULL, NULL, &user->dbox);
	if (err != RP_OK) {
		journal_close(user->journal);
		user->journal = NULL;
	}
	return err;
}

enum rp_err log_user_close(struct task *task, struct log_user *user)
{
	enum rp_err err = RP_OK;

	while (err == RP_OK && !list_empty(&user->settle.entries)) {
		err = commit_wait(task, user->commit, commit_position(user->commit));
		if (err == RP_OK)
			err = settle_flush(task, user->commit, &user->settle);
	}
	if (err != RP_OK)
		return err;
	while (user->settle.writing)
		(void)!task_yield(task);
	settle_fini(&user->settle);
	journal_close(user->journal);
	dbox_close(user->dbox);
	return RP_OK;
}

enum rp_err log_user_append(struct task *task, struct log_user *user, struct bytes payload,
    struct bytes body, uint64_t *lsn, uint64_t *position, struct dbox_ref *ref)
{
	struct record_header header = { .type = LOG_USER_TYPE, .userid = user->userid };
	struct dbox_message message = { .mailboxid = 1, .uid = 7, .emailid = 99 };
	struct record_header sizes = { .payload_bytes = (uint32_t)payload.n };
	struct bytes record = bytes_of(NULL, 0);
	uint64_t bytes = record_journal_bytes(&sizes);
	uint64_t room = bytes + (body.n != 0 ? body.n + DBOX_RECORD_BYTES_MORE : 0);
	struct arena arena;
	enum rp_err err = commit_reserve(task, user->commit, room);

	if (err != RP_OK)
		return err;
	arena_init(&arena, 2 * RECORD_BODY_BYTES_MAX);
	err = body.n != 0 ? RP_ERR_BUSY : RP_OK;
	while (err == RP_ERR_BUSY) {
		err = dbox_reserve(task, user->dbox, body.n);
		if (err == RP_OK)
			err = dbox_place_inline(user->dbox, &message, body, &arena, &record, ref);
	}
	if (err == RP_OK) {
		if (body.n != 0) {
			header.place.dbox = ref->file;
			header.place.dbox_offset = (uint64_t)ref->offset * 16;
		}
		journal_number(user->journal, bytes, &header.lsn, &header.place);
		*lsn = header.lsn;
		*position =
		    commit_append(user->commit, &user->settle, header, payload, record, NULL);
		bytes += record.n;
	} else {
		bytes = 0;
	}
	commit_unreserve(user->commit, room - bytes);
	arena_fini(&arena);
	return err;
}
