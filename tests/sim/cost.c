#include "tests/sim/cost.h"

#include <stdlib.h>

#include "index/dbox/dbox.h"
#include "index/mailbox_state.h"
#include "index/undelete.h"
#include "index/volume_state.h"
#include "tests/sim/undeleter.h"

enum {
	KEEP_LONG_S = 1000000, /* what is kept so long is never over in a seed */
	MAILBOXES_MAX = 256,
};

/* A message as the server shows it; or one that can be brought back. */
struct shown {
	struct message message;
	uint64_t mailboxid;
	uint64_t expunged_s;
	uint32_t keywords;
	bool readable;
};

struct shown_mailbox {
	uint64_t mailboxid;
	struct runs expunged;
	bool complete;
};

struct shown_all {
	PLAIN_LIST(struct shown) messages;
	PLAIN_LIST(struct shown) offers;
	PLAIN_LIST(struct shown_mailbox) mailboxes;
};

/* ---- what the server shows ---- */

static bool reads(struct task *task, enum rp_err err, struct dbox_body *body)
{
	uint8_t p[4096];
	size_t got = 0;

	if (err != RP_OK)
		return false;
	for (uint64_t at = 0; err == RP_OK && at < dbox_body_bytes(body); at += got)
		err = dbox_body_read(task, body, at, p, sizeof(p), &got);
	dbox_body_close(body);
	return err == RP_OK;
}

static void show_mailbox(struct task *task, struct volume *volume, uint64_t mailboxid, struct shown_all *all)
{
	struct shown_mailbox shown = {.mailboxid = mailboxid};
	struct mailbox *mailbox;
	struct view *view;
	struct view_cursor cursor;
	struct dbox_body *body = NULL;
	enum rp_err err;

	MODEL_EQ(mailbox_open_id(task, volume, mailboxid, &mailbox), RP_OK);
	MODEL_EQ(view_open(task, mailbox, NULL, &view), RP_OK);
	MODEL_EQ(
	    table_expunged_since(mailbox->table, 0, &shown.expunged, &shown.complete), RP_OK);
	PLAIN_ADD(all->mailboxes, shown);
	view_cursor_init(&cursor, view, NULL);
	while (view_cursor_next(task, &cursor) == RP_OK) {
		struct shown message = {.message = cursor.message,
		    .mailboxid = mailboxid,
		    .keywords = model_keywords_of(&cursor, mailbox)};

		err = mailbox_body_open(task, mailbox, message.message.uid, &body);
		message.readable = reads(task, err, body);
		PLAIN_ADD(all->messages, message);
	}
	view_close(view);
	mailbox_close(mailbox);
}

static void show_offers(struct task *task, struct volume *volume, struct shown_all *all)
{
	struct undelete_filter filter = {.since_s = 0};
	struct undelete *undelete;

	MODEL_EQ(undelete_begin(task, volume, &filter, &undelete), RP_OK);
	for (size_t i = 0; i < undelete_count(undelete); i++) {
		struct undelete_message offer;
		struct dbox_body *body = NULL;
		struct shown shown;
		enum rp_err err;

		undelete_at(undelete, i, &offer);
		shown = (struct shown){.message = {.uid = offer.uid,
		                           .flags = offer.flags,
		                           .internaldate = offer.internaldate,
		                           .rfc822_size_bytes = offer.rfc822_size_bytes},
		    .mailboxid = offer.mailboxid,
		    .expunged_s = offer.expunged_s};
		err = undelete_body_open(task, undelete, i, &body);
		shown.readable = reads(task, err, body);
		PLAIN_ADD(all->offers, shown);
	}
	undelete_end(task, undelete);
}

static void show(struct task *task, struct volume *volume, struct shown_all *all)
{
	uint64_t ids[MAILBOXES_MAX];
	size_t count = 0;

	*all = (struct shown_all){0};
	for (size_t i = 0; i < volume->catalog.ids_count; i++) {
		MODEL_CHECK(count < sizeof(ids) / sizeof(ids[0]));
		ids[count++] = volume->catalog.by_id[i]->entry.mailboxid;
	}
	for (size_t i = 0; i < count; i++)
		show_mailbox(task, volume, ids[i], all);
	show_offers(task, volume, all);
}

static void shown_fini(struct shown_all *all)
{
	for (size_t i = 0; i < all->mailboxes.count; i++)
		runs_fini(&all->mailboxes.p[i].expunged);
	free(all->messages.p);
	free(all->offers.p);
	free(all->mailboxes.p);
}

static const struct shown *find_shown(
    const struct shown_all *all, uint64_t mailboxid, uint32_t uid)
{
	for (size_t i = 0; i < all->messages.count; i++)
		if (all->messages.p[i].mailboxid == mailboxid &&
		    all->messages.p[i].message.uid == uid)
			return &all->messages.p[i];
	return NULL;
}

static const struct shown *find_offer(const struct shown_all *all, uint64_t mailboxid, uint32_t uid)
{
	for (size_t i = 0; i < all->offers.count; i++)
		if (all->offers.p[i].mailboxid == mailboxid &&
		    all->offers.p[i].message.uid == uid)
			return &all->offers.p[i];
	return NULL;
}

/* ---- comparing ---- */

static bool same_date(struct mail_date a, struct mail_date b)
{
	return a.seconds == b.seconds && a.zone_min == b.zone_min;
}

/* What of MODSEQ is compared. A repair gives each message a new one; so does who opens it where lost records may have changed it. */
enum modseqs {
	MODSEQ_NEW,
	MODSEQ_SAME,
	MODSEQ_NOT_LESS,
};

/* NULL: it is as these records say. Else what is not. */
static const char *differs(
    const struct plain_message *plain, const struct shown *shown, enum modseqs modseqs)
{
	const struct message *message = &shown->message;

	return plain == NULL || !plain->there ? "it should not be there"
	       : message->flags != plain->row.flags ? "flags"
	       : shown->keywords != plain->keywords ? "keywords"
	       : !same_date(message->internaldate, plain->row.internaldate) ? "INTERNALDATE"
	       : !same_date(message->sent, plain->row.sent) ? "the sent date"
	       : message->savedate_s != plain->row.savedate_s ? "SAVEDATE"
	       : message->rfc822_size_bytes != plain->row.rfc822_size_bytes ? "the size"
	       : message->emailid != plain->row.emailid ? "EMAILID"
	       : message->threadid != plain->row.threadid ? "THREADID"
	       : modseqs == MODSEQ_SAME && message->modseq != plain->modseq ? "MODSEQ"
	       : modseqs == MODSEQ_NOT_LESS && message->modseq < plain->modseq ? "MODSEQ"
	                                                                       : NULL;
}

/* A whole mailbox. *uid: which message it is about. */
static const char *mailbox_differs(const struct plain *plain, const struct shown_all *all,
    uint64_t mailboxid, enum modseqs modseqs, uint32_t *uid)
{
	for (size_t i = 0; i < all->messages.count; i++) {
		const struct shown *shown = &all->messages.p[i];
		const char *what;

		if (shown->mailboxid != mailboxid)
			continue;
		*uid = shown->message.uid;
		what = differs(plain_find(plain, mailboxid, *uid), shown, modseqs);
		if (what != NULL)
			return what;
	}
	for (size_t i = 0; i < plain->messages.count; i++) {
		const struct plain_message *message = &plain->messages.p[i];

		*uid = message->row.uid;
		if (message->mailboxid == mailboxid && message->there &&
		    find_shown(all, mailboxid, *uid) == NULL)
			return "it should be there";
	}
	return NULL;
}

static bool body_is_sound(const struct plain *plain, const struct change_row *row)
{
	const struct plain_body *body = plain_body_in_place(plain, row);

	return body != NULL && body->sound;
}

static void bodies_are_there(const struct cost *cost, const struct plain *as,
    const struct shown_all *all, uint64_t mailboxid)
{
	for (size_t i = 0; i < all->messages.count; i++) {
		const struct shown *shown = &all->messages.p[i];
		const struct plain_message *message;

		if (shown->mailboxid != mailboxid || shown->readable)
			continue;
		message = plain_find(as, mailboxid, shown->message.uid);
		if (message != NULL && body_is_sound(&cost->left, &message->row))
			assert_panic("mailbox %llu, UID %u: its body is not hit, and lost",
			    (unsigned long long)mailboxid, shown->message.uid);
	}
}

/* What records say to be no more, who asks is told. */
static void history_is_there(const struct plain *left, const struct shown_all *all)
{
	for (size_t i = 0; i < left->messages.count; i++) {
		const struct plain_message *message = &left->messages.p[i];

		for (size_t k = 0; message->expunged && k < all->mailboxes.count; k++) {
			const struct shown_mailbox *mailbox = &all->mailboxes.p[k];

			if (mailbox->mailboxid == message->mailboxid && mailbox->complete &&
			    !runs_has(&mailbox->expunged, message->row.uid))
				assert_panic("mailbox %llu, UID %u: nobody is told that it is expunged",
				    (unsigned long long)message->mailboxid, message->row.uid);
		}
	}
}

/* What is kept is offered, with its body. by_bodies: also what its body alone tells. */
static void offers_are_there(
    const struct cost *cost, const struct shown_all *all, bool by_bodies)
{
	const struct plain *left = &cost->left;

	if (undeleter_keep_s(cost->machine) < KEEP_LONG_S)
		return;
	for (size_t i = 0; i < left->messages.count; i++) {
		const struct plain_message *message = &left->messages.p[i];
		const struct plain_body *body =
		    message->told ? plain_body_in_place(left, &message->row)
		    : by_bodies && message->expunged
		        ? plain_body_of(left, message->mailboxid, message->row.uid)
		        : NULL;
		const struct shown *offer;

		if (message->there || message->seconds == 0 || message->back || body == NULL ||
		    !body->sound)
			continue;
		offer = find_offer(all, message->mailboxid, message->row.uid);
		if (offer == NULL || !offer->readable)
			assert_panic("mailbox %llu, UID %u: it is kept, and %s",
			    (unsigned long long)message->mailboxid, message->row.uid,
			    offer == NULL ? "not offered" : "its body cannot be read");
		MODEL_EQ(offer->expunged_s, message->seconds);
		MODEL_EQ(offer->message.rfc822_size_bytes, body->bytes);
		if (message->told)
			MODEL_EQ(offer->message.flags, message->row.flags);
		cost->machine->tally->damage_kept++;
		cost->machine->tally->damage_kept_by_body += !message->told;
	}
}

static size_t add_id(uint64_t ids[MAILBOXES_MAX], size_t count, uint64_t mailboxid)
{
	for (size_t i = 0; i < count; i++)
		if (ids[i] == mailboxid)
			return count;
	MODEL_CHECK(count < MAILBOXES_MAX);
	ids[count] = mailboxid;
	return count + 1;
}

/* All that either of them, or the server, has ever heard of. */
static size_t mailboxids(
    const struct cost *cost, const struct shown_all *all, uint64_t ids[MAILBOXES_MAX])
{
	const struct plain *plain[] = {&cost->was, &cost->left};
	size_t count = 0;

	for (size_t p = 0; p < 2; p++)
		for (size_t i = 0; i < plain[p]->messages.count; i++)
			count = add_id(ids, count, plain[p]->messages.p[i].mailboxid);
	for (size_t i = 0; i < all->mailboxes.count; i++)
		count = add_id(ids, count, all->mailboxes.p[i].mailboxid);
	return count;
}

static bool end_is_lost(const struct cost *cost)
{
	return cost->end_lost || cost->left.last_lsn < cost->was.last_lsn;
}

/* With the end mark hit nobody knows that nothing is lost, and numbers rise. */
static bool end_may_be_lost(const struct cost *cost)
{
	return end_is_lost(cost) || cost->left.behind != cost->was.behind;
}

/* Before any damage, so what is kept has its body. */
static void kept_are_whole(const struct cost *cost)
{
	if (undeleter_keep_s(cost->machine) < KEEP_LONG_S)
		return;
	for (size_t i = 0; i < cost->was.messages.count; i++) {
		const struct plain_message *message = &cost->was.messages.p[i];

		if (message->told && !message->there && message->seconds != 0 && !message->back &&
		    !body_is_sound(&cost->was, &message->row))
			assert_panic("mailbox %llu, UID %u: it is kept, and its body is not there",
			    (unsigned long long)message->mailboxid, message->row.uid);
	}
}

void cost_sound(struct task *task, struct cost *cost, struct volume *volume)
{
	uint64_t ids[MAILBOXES_MAX];
	struct shown_all all;
	size_t count;

	cost->left = cost->was; /* lent */
	show(task, volume, &all);
	count = mailboxids(cost, &all, ids);
	for (size_t i = 0; i < count; i++) {
		uint32_t uid = 0;
		const char *what = mailbox_differs(&cost->was, &all, ids[i], MODSEQ_SAME, &uid);

		if (what != NULL)
			assert_panic("mailbox %llu, UID %u is not as a plain reading says: %s",
			    (unsigned long long)ids[i], uid, what);
		bodies_are_there(cost, &cost->was, &all, ids[i]);
	}
	history_is_there(&cost->was, &all);
	kept_are_whole(cost);
	offers_are_there(cost, &all, false);
	shown_fini(&all);
	cost->left = (struct plain){0};
}

void cost_opened(struct task *task, struct cost *cost, struct volume *volume)
{
	uint64_t ids[MAILBOXES_MAX];
	enum modseqs modseqs =
	    cost->left.gaps > 0 || end_may_be_lost(cost) ? MODSEQ_NOT_LESS : MODSEQ_SAME;
	struct shown_all all;
	size_t count;

	show(task, volume, &all);
	count = mailboxids(cost, &all, ids);
	for (size_t i = 0; i < count; i++) {
		uint32_t uid = 0;
		const char *what = "there is no index";
		const struct plain *as = &cost->was;

		if (cost->derived)
			what = mailbox_differs(as, &all, ids[i], modseqs, &uid);
		if (what != NULL && (!cost->derived || end_is_lost(cost))) {
			as = &cost->left;
			what = mailbox_differs(as, &all, ids[i], modseqs, &uid);
		}
		if (what != NULL)
			assert_panic("mailbox %llu, UID %u is not as what is left says: %s",
			    (unsigned long long)ids[i], uid, what);
		bodies_are_there(cost, as, &all, ids[i]);
	}
	history_is_there(&cost->left, &all);
	offers_are_there(cost, &all, false);
	shown_fini(&all);
}

/* ---- repaired ---- */

/* As at delivery, as far as the body knows, with what records say of it since; left: NULL: none do. */
static bool is_by_body(const struct plain_body *body, const struct plain_message *left,
    const struct shown *shown)
{
	static const struct plain_message nothing;
	const struct plain_message *later = left != NULL && !left->told ? left : &nothing;

	return body != NULL && shown->keywords == later->keywords_later.on &&
	       shown->message.flags ==
	           ((body->flags & ~later->flags_later.named) | later->flags_later.on) &&
	       same_date(shown->message.internaldate, body->internaldate) &&
	       shown->message.rfc822_size_bytes == body->bytes &&
	       shown->message.emailid == body->emailid && shown->message.savedate_s != 0;
}

/* A large body knows no UID: it has got one. */
static const struct plain_body *body_without_uid(const struct plain *left, const struct shown *shown)
{
	for (size_t i = 0; i < left->bodies.count; i++)
		if (left->bodies.p[i].uid == 0 && left->bodies.p[i].sound &&
		    left->bodies.p[i].mailboxid == shown->mailboxid &&
		    left->bodies.p[i].emailid == shown->message.emailid)
			return &left->bodies.p[i];
	return NULL;
}

/* It is what it was, or what is left says, or its body does; and nobody was told that it is expunged. */
static void may_be_there(const struct cost *cost, const struct shown *shown)
{
	uint64_t mailboxid = shown->mailboxid;
	uint32_t uid = shown->message.uid;
	const struct plain_message *left = plain_find(&cost->left, mailboxid, uid);
	const char *what = differs(plain_find(&cost->was, mailboxid, uid), shown, MODSEQ_NEW);

	if (left != NULL && left->expunged)
		assert_panic("mailbox %llu, UID %u: it is back, and a record says that it is no more",
		    (unsigned long long)mailboxid, uid);
	if (!shown->readable)
		assert_panic("mailbox %llu, UID %u: a repair has left it without a body",
		    (unsigned long long)mailboxid, uid);
	if (what != NULL && differs(left, shown, MODSEQ_NEW) != NULL &&
	    !is_by_body(plain_body_of(&cost->left, mailboxid, uid), left, shown) &&
	    !is_by_body(body_without_uid(&cost->left, shown), NULL, shown))
		assert_panic("mailbox %llu, UID %u is after a repair what nothing says: %s",
		    (unsigned long long)mailboxid, uid, what);
}

/* A message that there was. */
static void must_be_there(const struct cost *cost, const struct plain_message *was,
    const struct shown_all *all, bool indexes)
{
	struct tally *tally = cost->machine->tally;
	const struct plain *left = &cost->left;
	const struct shown *shown = find_shown(all, was->mailboxid, was->row.uid);
	const struct plain_message *told =
	    indexes ? was : plain_find(left, was->mailboxid, was->row.uid);
	const struct plain_body *body = plain_body_of(left, was->mailboxid, was->row.uid);
	bool in_place = told != NULL && told->there && body_is_sound(left, &told->row);
	bool moved = told != NULL && told->there && !in_place &&
	             plain_body_with(left, told->row.emailid, told->row.rfc822_size_bytes) != NULL;
	bool by_row = in_place || moved;
	bool by_body = body != NULL && body->emailid == was->row.emailid &&
	               (told == NULL || (!told->told && !told->expunged)) &&
	               !plain_is_gone(left, was->mailboxid);

	if (!by_row && !by_body) {
		tally->damage_gone += shown == NULL;
		return;
	}
	if (shown == NULL)
		assert_panic("mailbox %llu, UID %u: %s, and a repair does not bring it back",
		    (unsigned long long)was->mailboxid, was->row.uid,
		    by_row ? "its record and its body are not hit" : "its body tells of it");
	if (by_row && differs(told, shown, MODSEQ_NEW) != NULL && differs(was, shown, MODSEQ_NEW) != NULL)
		assert_panic("mailbox %llu, UID %u: after a repair it has lost %s",
		    (unsigned long long)was->mailboxid, was->row.uid, differs(told, shown, MODSEQ_NEW));
	tally->damage_moved += moved;
	tally->damage_stays += by_row;
	tally->damage_by_body += !by_row;
}

/* One that has come since. */
static void has_come(const struct cost *cost, const struct plain_message *left, const struct shown_all *all)
{
	const struct shown *shown = find_shown(all, left->mailboxid, left->row.uid);

	if (plain_find(&cost->was, left->mailboxid, left->row.uid) != NULL || !left->there)
		return;
	if (shown == NULL || differs(left, shown, MODSEQ_NEW) != NULL)
		assert_panic("mailbox %llu, UID %u: it came behind the damage, and is not there after a repair",
		    (unsigned long long)left->mailboxid, left->row.uid);
}

void cost_repaired(struct task *task, struct cost *cost, struct volume *volume, bool opened)
{
	bool indexes = cost->derived && !(opened && end_is_lost(cost));
	struct shown_all all;

	show(task, volume, &all);
	for (size_t i = 0; i < all.messages.count; i++)
		may_be_there(cost, &all.messages.p[i]);
	for (size_t i = 0; i < cost->was.messages.count; i++)
		if (cost->was.messages.p[i].there)
			must_be_there(cost, &cost->was.messages.p[i], &all, indexes);
	for (size_t i = 0; i < cost->left.messages.count; i++)
		has_come(cost, &cost->left.messages.p[i], &all);
	history_is_there(&cost->left, &all);
	offers_are_there(cost, &all, true);
	shown_fini(&all);
}

/* ---- the bytes ---- */

void cost_begin(struct cost *cost, struct machine *machine, const struct userid *userid)
{
	*cost = (struct cost){.machine = machine, .userid = userid};
	plain_read(&cost->was, machine, userid);
	machine->tally->groups_void += cost->was.voids;
	machine->tally->kept_moved += cost->was.kept_moved;
}

void cost_damaged(struct cost *cost, bool derived)
{
	struct tally *tally = cost->machine->tally;
	size_t lost = 0;
	bool middle = false;

	cost->derived = derived;
	plain_read(&cost->left, cost->machine, cost->userid);
	if (end_may_be_lost(cost))
		plain_take_waiting(&cost->left);
	for (size_t i = 0; i < cost->was.records.count; i++) {
		bool hit = !plain_has_record(&cost->left, cost->was.records.p[i].lsn);

		lost += hit;
		middle = middle || (lost > 0 && !hit);
	}
	cost->records_lost = lost;
	tally->damage_records += lost;
	tally->damage_middle += middle;
	machine_tell(cost->machine, "of %zu records %zu are hit, the newest is %llu, was %llu; %u gaps",
	    cost->was.records.count, lost, (unsigned long long)cost->left.last_lsn,
	    (unsigned long long)cost->was.last_lsn, cost->left.gaps);
}

void cost_went_on(struct cost *cost)
{
	cost->end_lost = end_is_lost(cost);
	plain_fini(&cost->left);
	plain_read(&cost->left, cost->machine, cost->userid);
}

void cost_fini(struct cost *cost)
{
	plain_fini(&cost->was);
	plain_fini(&cost->left);
}
