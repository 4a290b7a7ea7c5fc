/* Making notes of a journal: notes_make() of journal_notes_core.h. */
#include <stdlib.h>
#include <string.h>

#include "index/change.h"
#include "index/journal_core.h"
#include "index/journal_notes_core.h"
#include "io/base/num.h"

/* A change whose parts are being met: their spots are the last ones. replay.c goes by the same rules. */
struct making {
	struct notes notes;
	uint64_t bytes_max;
	struct journal_telling telling;
	size_t first;       /* its first spot */
	uint64_t first_lsn; /* 0: there is none */
	uint64_t bytes;
	struct about { /* what it is about */
		uint64_t mailboxid;
		struct notes_mention mention;
	} *about;
	size_t abouts;
	size_t abouts_max;
};

static bool are_too_many(const struct making *making)
{
	const struct notes *notes = &making->notes;

	return notes->spots_max * sizeof(*notes->spot) + notes->mentions_max * sizeof(*notes->mention) +
	           notes->heads_max * sizeof(*notes->head) + notes->gaps_max * sizeof(*notes->gap) +
	           making->abouts_max * sizeof(*making->about) >
	       making->bytes_max;
}

/* Room for one more. */
static enum rp_err make_room(void **p, size_t count, size_t *max, size_t bytes)
{
	size_t wanted = *max != 0 ? *max + *max / 2 : 64;
	void *more;

	if (count < *max)
		return RP_OK;
	if (wanted >= NOTES_NONE)
		return RP_ERR_LIMIT;
	more = realloc(*p, wanted * bytes);
	if (more == NULL)
		return RP_ERR_NOMEM;
	*p = more;
	*max = wanted;
	return RP_OK;
}

#define MAKE_ROOM(p, count, max) make_room((void **)(p), (count), (max), sizeof(**(p)))

void notes_fini(struct notes *notes)
{
	free(notes->spot);
	free(notes->mention);
	free(notes->head);
	free(notes->gap);
	*notes = (struct notes){.spot = NULL};
}

size_t notes_head_lower(const struct notes *notes, uint64_t mailboxid)
{
	size_t low = 0;
	size_t high = notes->heads;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (notes->head[middle].mailboxid < mailboxid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static enum rp_err add_spot(struct notes *notes, const struct notes_spot *spot)
{
	enum rp_err err = MAKE_ROOM(&notes->spot, notes->spots, &notes->spots_max);

	if (err == RP_OK)
		notes->spot[notes->spots++] = *spot;
	return err;
}

static enum rp_err add_gap(struct notes *notes, uint64_t first, uint64_t last)
{
	enum rp_err err = MAKE_ROOM(&notes->gap, notes->gaps, &notes->gaps_max);

	if (err == RP_OK)
		err = add_spot(notes, &(struct notes_spot){.lsn = first, .at = last});
	if (err == RP_OK)
		notes->gap[notes->gaps++] = (uint32_t)(notes->spots - 1);
	return err;
}

static enum rp_err head_of(struct notes *notes, uint64_t mailboxid, struct notes_head **out)
{
	size_t at = notes_head_lower(notes, mailboxid);
	enum rp_err err = RP_OK;

	if (at == notes->heads || notes->head[at].mailboxid != mailboxid) {
		err = MAKE_ROOM(&notes->head, notes->heads, &notes->heads_max);
		if (err != RP_OK)
			return err;
		memmove(&notes->head[at + 1], &notes->head[at],
		    (notes->heads - at) * sizeof(*notes->head));
		notes->heads++;
		notes->head[at] = (struct notes_head){mailboxid, NOTES_NONE, NOTES_NONE};
	}
	*out = &notes->head[at];
	return RP_OK;
}

static enum rp_err add_mention(
    struct notes *notes, struct notes_head *head, const struct notes_mention *mention)
{
	enum rp_err err = MAKE_ROOM(&notes->mention, notes->mentions, &notes->mentions_max);

	if (err != RP_OK)
		return err;
	notes->mention[notes->mentions] = *mention;
	if (head->last != NOTES_NONE)
		notes->mention[head->last].next = (uint32_t)notes->mentions;
	else
		head->first = (uint32_t)notes->mentions;
	head->last = (uint32_t)notes->mentions++;
	return RP_OK;
}

static void no_change(struct making *making)
{
	making->first = making->notes.spots;
	making->first_lsn = 0;
	making->bytes = 0;
	making->abouts = 0;
}

static void forget_change(struct making *making)
{
	making->notes.spots = making->first;
	no_change(making);
}

static int by_mailbox(const void *a, const void *b)
{
	const struct about *x = a;
	const struct about *y = b;

	if (x->mailboxid != y->mailboxid)
		return x->mailboxid < y->mailboxid ? -1 : 1;
	return (x->mention.spot > y->mention.spot) - (x->mention.spot < y->mention.spot);
}

/* All parts of the change are this mailbox's: about[i, end) tells which are about it. */
static enum rp_err mention_parts(struct making *making, size_t i, size_t end)
{
	struct notes *notes = &making->notes;
	struct notes_head *head;
	enum rp_err err = head_of(notes, making->about[i].mailboxid, &head);

	for (size_t spot = making->first; err == RP_OK && spot < notes->spots; spot++) {
		struct notes_mention mention = {.spot = (uint32_t)spot, .next = NOTES_NONE};

		for (; i < end && making->about[i].mention.spot == spot; i++) {
			const struct notes_mention *of = &making->about[i].mention;

			mention.from = mention.to == 0 ? of->from : (uint32_t)num_min(mention.from, of->from);
			mention.to = (uint32_t)num_max(mention.to, of->to);
		}
		err = add_mention(notes, head, &mention);
	}
	return err;
}

/* It is whole, or parts of it are lost, which is no reason to leave the others out. */
static enum rp_err end_change(struct making *making)
{
	enum rp_err err = RP_OK;

	if (making->abouts > 1)
		qsort(making->about, making->abouts, sizeof(*making->about), by_mailbox);
	for (size_t i = 0, end; err == RP_OK && i < making->abouts; i = end) {
		for (end = i; end < making->abouts &&
		              making->about[end].mailboxid == making->about[i].mailboxid;
		     end++)
			;
		err = mention_parts(making, i, end);
		if (err == RP_OK && are_too_many(making))
			err = RP_ERR_LIMIT;
	}
	no_change(making);
	return err;
}

/* What is about one mailbox mostly stands together. */
static enum rp_err add_about(struct making *making, uint64_t mailboxid, size_t from, size_t to)
{
	uint32_t spot = (uint32_t)(making->notes.spots - 1);
	struct about *last = making->abouts > 0 ? &making->about[making->abouts - 1] : NULL;
	enum rp_err err;

	if (last != NULL && last->mailboxid == mailboxid && last->mention.spot == spot) {
		last->mention.to = (uint32_t)to;
		return RP_OK;
	}
	err = MAKE_ROOM(&making->about, making->abouts, &making->abouts_max);
	if (err == RP_OK)
		making->about[making->abouts++] =
		    (struct about){mailboxid, {spot, NOTES_NONE, (uint32_t)from, (uint32_t)to}};
	return err;
}

static enum rp_err add_abouts(struct making *making, struct bytes payload)
{
	struct change_reader reader;
	struct change_item item;
	enum rp_err err = change_check(payload);

	if (err == RP_ERR_CORRUPT)
		return RP_OK; /* nobody applies it */
	if (err == RP_OK)
		err = change_open(payload, &reader);
	while (err == RP_OK) {
		size_t from = payload.n - reader.rest.n;

		err = change_next(&reader, &item);
		if (err == RP_OK && item.mailboxid != 0)
			err = add_about(making, item.mailboxid, from, payload.n - reader.rest.n);
	}
	return err == RP_ERR_END ? RP_OK : err;
}

static enum rp_err note_part(
    struct making *making, const struct record *record, const struct change_reader *reader)
{
	struct notes_spot spot = {record->header.lsn, making->telling.file, making->telling.at,
	    record_journal_bytes(&record->header)};
	enum rp_err err;

	if (reader->part == 0)
		forget_change(making); /* its last part never came */
	if (!reader->last && making->bytes + record->payload.n > CHANGE_LONG_BYTES_MAX) {
		forget_change(making);
		return RP_OK;
	}
	err = add_spot(&making->notes, &spot);
	if (err == RP_OK)
		err = add_abouts(making, record->payload);
	if (err == RP_OK && are_too_many(making))
		err = RP_ERR_LIMIT;
	if (err != RP_OK)
		return err;
	making->bytes += record->payload.n;
	if (making->first_lsn == 0)
		making->first_lsn = spot.lsn;
	return reader->last ? end_change(making) : RP_OK;
}

/* A journal_replay_fn. */
static enum rp_err note(struct task *task, void *arg, const struct record *record, uint64_t missing_first,
    uint64_t missing_last)
{
	struct making *making = arg;
	struct change_reader reader;
	enum rp_err err;

	if (record == NULL) {
		err = end_change(making);
		if (err == RP_OK)
			err = add_gap(&making->notes, missing_first, missing_last);
		no_change(making);
	} else {
		if (change_open(record->payload, &reader) != RP_OK)
			return RP_OK;
		err = note_part(making, record, &reader);
	}
	return err == RP_OK ? task_pause(task) : err;
}

enum rp_err notes_make(
    struct task *task, struct journal *journal, uint64_t from, uint64_t bytes_max, struct notes *out)
{
	struct making making = {.bytes_max = bytes_max,
	    .telling = {.journal = journal, .done = from, .fn = note, .arg = &making}};
	enum rp_err err;

	making.notes.from = from;
	err = journal_core_tell(task, &making.telling);
	making.notes.unfinished = making.first_lsn != 0;
	making.notes.lsn = making.first_lsn != 0 ? making.first_lsn - 1 : making.telling.done;
	if (err == RP_OK) {
		forget_change(&making);
		notes_fini(out);
		*out = making.notes;
	} else {
		notes_fini(&making.notes);
	}
	free(making.about);
	return err;
}
