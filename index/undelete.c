#include "index/undelete.h"

#include <stdlib.h>

#include "index/breath.h"
#include "index/compact.h"
#include "index/dbox/dbox_format.h"
#include "index/kept_read.h"
#include "index/mailbox_state.h"
#include "io/base/clock.h"
#include "io/base/log.h"

enum {
	READ_TRIES = 5,    /* of a body that the disk does not give */
	PAUSE_ROWS = 1024, /* that are gone through without a look at the clock */
};

/* One that is offered. */
struct offer {
	const struct kept_mailbox *mailbox;
	const struct kept_row *row;
};

struct undelete {
	struct volume *volume;
	struct kept kept;
	struct offer *offer; /* offers_count of them */
	size_t offers_count;
	undelete_lost_fn *lost; /* NULL: nobody wants to know */
	void *lost_arg;
};

/* A batch on its way. */
struct bringing {
	struct mailbox *to;
	const struct kept_mailbox *from;
	const struct kept_row *row[UNDELETE_BATCH_MAX];
	size_t count;
	struct runs uids;  /* that they had */
	struct runs *with; /* one for each keyword of `from`: UIDs that they will have */
	uint32_t first_uid;
	uint32_t savedate_s;
};

/* A mailbox whose name was lost with a part of a journal. */
static struct bytes name_of(const struct kept_mailbox *mailbox)
{
	return mailbox->name.n != 0 ? mailbox->name : BYTES_LIT("INBOX");
}

static enum rp_err select_offers(
    struct task *task, struct undelete *undelete, const struct undelete_filter *filter)
{
	const struct kept *kept = &undelete->kept;
	enum rp_err err = RP_OK;

	undelete->offer = malloc((kept->rows_count + 1) * sizeof(*undelete->offer));
	if (undelete->offer == NULL)
		return RP_ERR_NOMEM;
	for (size_t i = 0; err == RP_OK && i < kept->mailboxes_count; i++) {
		const struct kept_mailbox *mailbox = &kept->mailbox[i];

		if (filter->mailbox.n != 0 && !bytes_eq(filter->mailbox, name_of(mailbox)))
			continue;
		for (size_t k = 0; err == RP_OK && k < mailbox->rows.count; k++) {
			const struct kept_row *row = kept_row_at(&mailbox->rows, k);

			if (row->seconds >= filter->since_s)
				undelete->offer[undelete->offers_count++] =
				    (struct offer){mailbox, row};
			if (k % PAUSE_ROWS == 0)
				err = task_pause(task);
		}
	}
	return err;
}

enum rp_err undelete_begin(struct task *task, struct volume *volume,
    const struct undelete_filter *filter, struct undelete **out)
{
	struct undelete *undelete;
	enum rp_err err;

	if (volume->undeleting)
		return RP_ERR_BUSY;
	undelete = calloc(1, sizeof(*undelete));
	if (undelete == NULL)
		return RP_ERR_NOMEM;
	undelete->volume = volume;
	volume->undeleting = true;
	volume_hold(volume);
	err = compact_hold(task, volume);
	if (err == RP_OK)
		err = kept_read(task, volume, NULL, &undelete->kept);
	if (err == RP_OK)
		err = select_offers(task, undelete, filter);
	if (err == RP_OK)
		*out = undelete;
	else
		undelete_end(task, undelete);
	return err;
}

void undelete_end(struct task *task, struct undelete *undelete)
{
	if (undelete == NULL)
		return;
	undelete->volume->undeleting = false;
	compact_let_go(undelete->volume);
	volume_close(undelete->volume);
	kept_fini(task, &undelete->kept);
	free(undelete->offer);
	free(undelete);
}

size_t undelete_count(const struct undelete *undelete)
{
	return undelete->offers_count;
}

void undelete_at(const struct undelete *undelete, size_t i, struct undelete_message *out)
{
	const struct kept_row *row;

	RP_ASSERT(i < undelete->offers_count);
	row = undelete->offer[i].row;
	*out = (struct undelete_message){
	    .mailbox = name_of(undelete->offer[i].mailbox),
	    .mailboxid = undelete->offer[i].mailbox->mailboxid,
	    .mailbox_gone = undelete->offer[i].mailbox->gone,
	    .expunged_s = row->seconds,
	    .uid = row->row.uid,
	    .flags = row->row.flags,
	    .internaldate = row->row.internaldate,
	    .rfc822_size_bytes = row->row.rfc822_size_bytes,
	    .file = row->row.body.file,
	    .offset = (uint64_t)row->row.body.offset * DBOX_RECORD_ALIGN,
	};
}

enum rp_err undelete_body_open(
    struct task *task, const struct undelete *undelete, size_t i, struct dbox_body **out)
{
	const struct change_row *row = &undelete->offer[i].row->row;
	struct volume *volume = undelete->volume;

	return dbox_body_open(task, volume->dbox, &volume->settle, row->body, row->emailid, out);
}

void undelete_tell_lost(struct undelete *undelete, undelete_lost_fn *fn, void *arg)
{
	undelete->lost = fn;
	undelete->lost_arg = arg;
}

/* ---- bringing back ---- */

static enum rp_err bring_prepare(struct task *task, void *arg)
{
	struct bringing *bringing = arg;
	struct mailbox *to = bringing->to;
	struct table_room room;
	uint32_t uidnext;

	if (to->gone)
		return RP_ERR_NOTFOUND;
	uidnext = mailbox_entry(to)->uidnext;
	if (bringing->count > UINT32_MAX - uidnext)
		return RP_ERR_LIMIT;
	room = (struct table_room){.first_uid = uidnext,
	    .last_uid = uidnext + (uint32_t)bringing->count - 1,
	    .rows = bringing->count,
	    .flags_on = CHANGE_FLAG_KEYWORD + bringing->from->keywords_count,
	    .new_keywords = bringing->from->keywords_count};
	return table_prepare_append(task, to->table, &room);
}

static struct bytes keyword_name(const struct bringing *bringing, size_t k)
{
	const struct kept_keyword *keyword = &bringing->from->keyword[k];

	return bytes_of(keyword->text, keyword->n);
}

/* Which UIDs will have which keyword. RP_ERR_LIMIT: the mailbox would have more than it may. */
static enum rp_err look_at_keywords(struct bringing *bringing)
{
	struct table_naming naming;
	enum rp_err err = RP_OK;

	for (size_t k = 0; k < bringing->from->keywords_count; k++)
		runs_fini(&bringing->with[k]);
	for (size_t i = 0; i < bringing->count; i++) {
		const struct kept_row *row = bringing->row[i];
		uint32_t uid = bringing->first_uid + (uint32_t)i;

		for (uint16_t k = 0; err == RP_OK && k < row->keywords_count; k++)
			err = runs_add(&bringing->with[row->keyword[k]], uid, uid);
	}
	if (err != RP_OK)
		return err;
	table_naming_begin(&naming, bringing->to->table);
	for (size_t k = 0; k < bringing->from->keywords_count; k++)
		if (bringing->with[k].count != 0)
			table_naming_add(&naming, keyword_name(bringing, k));
	return table_naming_fits(&naming) ? RP_OK : RP_ERR_LIMIT;
}

static struct change_row new_row(const struct bringing *bringing, size_t i)
{
	struct change_row row = bringing->row[i]->row;

	row.uid = bringing->first_uid + (uint32_t)i;
	row.flags &= ~(uint32_t)MAIL_DELETED;
	row.savedate_s = bringing->savedate_s;
	return row;
}

static void write_rows(struct breath *breath, const struct bringing *bringing)
{
	uint64_t mailboxid = bringing->to->mailboxid;

	BREATH_PUT(breath, change_rows_begin(&breath->writer, mailboxid, bringing->first_uid));
	for (size_t i = 0; i < bringing->count; i++) {
		struct change_row row = new_row(bringing, i);

		while (!change_rows_put(&breath->writer, &row)) {
			change_rows_end(&breath->writer);
			breath_next(breath);
			BREATH_PUT(breath, change_rows_begin(&breath->writer, mailboxid, row.uid));
		}
	}
	change_rows_end(&breath->writer);
}

static void write_counters(struct breath *breath, const struct bringing *bringing)
{
	struct change_counters counters = mailbox_counters(bringing->to);
	struct change_sums sums = breath->volume->catalog.sums;

	counters.uidnext = bringing->first_uid + (uint32_t)bringing->count;
	for (size_t i = 0; i < bringing->count; i++) {
		const struct change_row *row = &bringing->row[i]->row;

		counters.messages_count++;
		counters.unseen_count += (row->flags & MAIL_SEEN) == 0;
		counters.bytes += row->rfc822_size_bytes;
		sums.messages_count++;
		sums.bytes += row->rfc822_size_bytes;
	}
	BREATH_PUT(
	    breath, change_put_counters(&breath->writer, bringing->to->mailboxid, &counters));
	BREATH_PUT(breath, change_put_sums(&breath->writer, &sums));
}

static enum rp_err bring_write(struct breath *breath, void *arg)
{
	struct bringing *bringing = arg;
	size_t at = 0;
	enum rp_err err;

	bringing->first_uid = mailbox_entry(bringing->to)->uidnext;
	err = look_at_keywords(bringing);
	if (err != RP_OK)
		return err;
	write_rows(breath, bringing);
	for (size_t k = 0; k < bringing->from->keywords_count; k++) {
		size_t run = 0;

		BREATH_PUT(breath,
		    change_put_flag(&breath->writer, bringing->to->mailboxid, CHANGE_FLAG_KEYWORD,
		        keyword_name(bringing, k), true, &bringing->with[k], &run));
	}
	BREATH_PUT(breath, change_put_brought_back(
	                       &breath->writer, bringing->from->mailboxid, &bringing->uids, &at));
	write_counters(breath, bringing);
	return RP_OK;
}

static void tell_lost(const struct undelete *undelete, size_t i, enum rp_err why)
{
	struct volume *volume = undelete->volume;
	struct undelete_message message;

	undelete_at(undelete, i, &message);
	LOG(loop_log(volume->store->loop), LOG_WARN, "undelete.lost",
	    LOG_STR("volume", volume->dir), LOG_BYTES("mailbox", message.mailbox),
	    LOG_U64("uid", message.uid), LOG_U64("file", message.file),
	    LOG_U64("offset", message.offset), LOG_STR("reason", err_name(why)));
	if (undelete->lost != NULL)
		undelete->lost(undelete->lost_arg, &message, why);
}

/* Is its body there? Errors as undelete_lost_fn's, or what ends it all. */
static enum rp_err look_at_body(struct task *task, const struct undelete *undelete, size_t i)
{
	struct dbox_body *body;
	enum rp_err err = RP_ERR_IO;

	for (unsigned n = 0; err == RP_ERR_IO && n < READ_TRIES; n++)
		err = undelete_body_open(task, undelete, i, &body);
	if (err == RP_OK)
		dbox_body_close(body);
	return err;
}

/* Of the next `max`, those of one mailbox whose bodies are there. */
static enum rp_err gather(struct task *task, const struct undelete *undelete,
    struct bringing *bringing, size_t max, size_t *at, size_t *lost)
{
	size_t end = undelete->offers_count - *at > max ? *at + max : undelete->offers_count;

	bringing->from = undelete->offer[*at].mailbox;
	while (*at < end && undelete->offer[*at].mailbox == bringing->from) {
		const struct kept_row *row = undelete->offer[*at].row;
		enum rp_err err = look_at_body(task, undelete, *at);

		if (err == RP_OK) {
			err = runs_add(&bringing->uids, row->row.uid, row->row.uid);
			bringing->row[bringing->count++] = row;
		} else if (err == RP_ERR_EXPUNGED || err == RP_ERR_CORRUPT || err == RP_ERR_IO) {
			++*lost;
			tell_lost(undelete, *at, err);
			err = RP_OK;
		}
		if (err != RP_OK)
			return err;
		++*at;
	}
	return RP_OK;
}

static enum rp_err bring(struct task *task, struct bringing *bringing)
{
	struct breath_plan plan = {.type = CHANGE_UNDELETE,
	    .prepare = bring_prepare,
	    .write = bring_write,
	    .arg = bringing,
	    .room = BREATH_ROOM_MORE};
	enum rp_err err = RP_ERR_NOMEM;

	bringing->with = calloc(bringing->from->keywords_count + 1, sizeof(*bringing->with));
	if (bringing->with != NULL)
		err = mailbox_run(task, bringing->to, &plan);
	for (size_t k = 0; bringing->with != NULL && k < bringing->from->keywords_count; k++)
		runs_fini(&bringing->with[k]);
	free(bringing->with);
	return err;
}

enum rp_err undelete_back(struct task *task, struct undelete *undelete, struct mailbox *to,
    size_t max, size_t *at, size_t *back, size_t *lost)
{
	struct bringing *bringing = calloc(1, sizeof(*bringing));
	size_t next = *at;
	size_t passed = 0;
	enum rp_err err;

	RP_ASSERT(*at < undelete->offers_count && max > 0 && max <= UNDELETE_BATCH_MAX);
	if (bringing == NULL)
		return RP_ERR_NOMEM;
	bringing->to = to;
	bringing->savedate_s = (uint32_t)(loop_wall_ns(task_loop(task)) / CLOCK_NS_PER_S);
	err = gather(task, undelete, bringing, max, &next, &passed);
	if (err == RP_OK && bringing->count > 0)
		err = bring(task, bringing);
	if (err == RP_OK) {
		*at = next;
		*back += bringing->count;
		*lost += passed;
	}
	runs_fini(&bringing->uids);
	free(bringing);
	return err;
}

/* Made if it is not there. */
static enum rp_err open_target(
    struct task *task, struct volume *volume, struct bytes name, struct mailbox **out)
{
	enum rp_err err = mailbox_open(task, volume, name, out);

	if (err != RP_ERR_NOTFOUND)
		return err;
	err = volume_create(task, volume, name, 0, NULL);
	if (err != RP_OK && err != RP_ERR_EXISTS)
		return err;
	return mailbox_open(task, volume, name, out);
}

enum rp_err undelete_all(
    struct task *task, struct undelete *undelete, struct bytes to, size_t *back, size_t *lost)
{
	size_t at = 0;
	enum rp_err err = RP_OK;

	while (err == RP_OK && at < undelete->offers_count) {
		struct bytes name = to.n != 0 ? to : name_of(undelete->offer[at].mailbox);
		struct mailbox *mailbox;

		err = open_target(task, undelete->volume, name, &mailbox);
		if (err != RP_OK)
			break;
		err = undelete_back(task, undelete, mailbox, UNDELETE_BATCH_MAX, &at, back, lost);
		mailbox_close(mailbox);
	}
	return err;
}
