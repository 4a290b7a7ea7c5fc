#include "index/journal_notes.h"

#include <stdlib.h>
#include <string.h>

#include "index/change.h"
#include "index/journal_core.h"
#include "index/journal_notes_core.h"
#include "index/pending.h"
#include "io/base/num.h"

enum {
	RUN_GAP_BYTES = 16 * 1024, /* records that lie no farther apart are read together */
	RUN_BYTES_MAX = RECORD_BYTES_MAX,
};

struct journal_notes {
	struct journal *journal;
	unsigned refs;
	unsigned readers; /* who goes by them just now */
	struct notes notes;
	bool asked; /* a mailbox has been read */
	bool making;
	bool made;
	bool too_many;
	uint64_t bytes_max;
};

static enum rp_err make(struct task *task, struct journal_notes *notes, uint64_t from)
{
	enum rp_err err;

	notes->making = true;
	err = notes_make(task, notes->journal, from, notes->bytes_max, &notes->notes);
	notes->making = false;
	notes->made = notes->made || err == RP_OK;
	notes->too_many = err == RP_ERR_LIMIT || err == RP_ERR_NOMEM;
	return notes->too_many ? RP_OK : err;
}

/* Records of one file that are read by their places. */
struct reading {
	const struct notes *notes;
	struct journal *journal;
	struct journal_walk walk;
	uint64_t limit; /* the file's */
	bool open;
	uint8_t *payload; /* of the record that is told */
	size_t payload_max;
};

static void reading_end(struct reading *reading)
{
	if (reading->open)
		journal_core_walk_end(&reading->walk);
	reading->open = false;
}

static void reading_fini(struct reading *reading)
{
	reading_end(reading);
	free(reading->payload);
}

/* RP_ERR_CORRUPT, RP_ERR_NOTFOUND: by now it cannot be read. */
static enum rp_err reading_file(struct task *task, struct reading *reading, uint64_t file)
{
	enum rp_err err;

	if (reading->open && reading->walk.first == file)
		return RP_OK;
	reading_end(reading);
	if (journal_core_find(reading->journal, file) == NULL)
		return RP_ERR_NOTFOUND;
	err = journal_core_walk_begin(task, &reading->walk, reading->journal, file);
	reading->open = err == RP_OK;
	reading->limit = reading->open ? reading->walk.limit : 0;
	return err;
}

/* Where those end that are read together with this one. */
static uint64_t end_of_run(const struct notes *notes, const struct notes_mention *mention)
{
	const struct notes_spot *first = &notes->spot[mention->spot];
	uint64_t end = first->at + first->bytes;

	while (mention->next != NOTES_NONE) {
		const struct notes_spot *next = &notes->spot[(mention = &notes->mention[mention->next])->spot];

		if (next->file != first->file || next->at < end || next->at > end + RUN_GAP_BYTES ||
		    next->at + next->bytes > first->at + RUN_BYTES_MAX)
			break;
		end = next->at + next->bytes;
	}
	return end;
}

static enum rp_err read_spot(
    struct task *task, struct reading *reading, const struct notes_mention *mention, struct record *out)
{
	const struct notes_spot *spot = &reading->notes->spot[mention->spot];
	struct journal_walk *walk = &reading->walk;
	enum rp_err err;

	if (spot->file == 0)
		return reading->journal->pending != NULL
		           ? pending_read(task, reading->journal->pending, (size_t)spot->at, out)
		           : RP_ERR_CORRUPT;
	err = reading_file(task, reading, spot->file);
	if (err != RP_OK)
		return err;
	walk->at = spot->at;
	if (spot->at < walk->from || spot->at + spot->bytes > walk->from + walk->bytes)
		walk->limit = num_min(end_of_run(reading->notes, mention), reading->limit);
	err = journal_core_walk_next(task, walk, out);
	return err == RP_ERR_END ? RP_ERR_CORRUPT : err;
}

/* A payload with the items that the mention names, and no others. */
static enum rp_err cut(
    struct reading *reading, const struct notes_mention *mention, struct bytes *payload)
{
	struct change_reader reader;
	size_t before;
	size_t n = mention->to - mention->from;

	if (change_open(*payload, &reader) != RP_OK || mention->to > payload->n)
		return RP_ERR_CORRUPT;
	before = payload->n - reader.rest.n;
	if (before + n > reading->payload_max) {
		free(reading->payload);
		reading->payload_max = 0;
		reading->payload = malloc(before + n);
		if (reading->payload == NULL)
			return RP_ERR_NOMEM;
		reading->payload_max = before + n;
	}
	memcpy(reading->payload, payload->p, before);
	memcpy(reading->payload + before, payload->p + mention->from, n);
	*payload = bytes_of(reading->payload, before + n);
	return RP_OK;
}

/* *done: up to which LSN all was told. RP_ERR_CORRUPT, RP_ERR_NOTFOUND: what was there is not there any more. */
static enum rp_err tell_spot(struct task *task, struct reading *reading, const struct notes_mention *mention,
    const struct notes_spot *spot, struct journal_telling *telling)
{
	struct record record;
	enum rp_err err;

	if (spot->bytes == 0) {
		if (spot->at <= telling->done)
			return RP_OK;
		err = telling->fn(
		    task, telling->arg, NULL, num_max(spot->lsn, telling->done + 1), spot->at);
		telling->done = spot->at;
		return err;
	}
	if (spot->lsn <= telling->done)
		return RP_OK;
	err = read_spot(task, reading, mention, &record);
	if (err == RP_OK && record.header.lsn != spot->lsn)
		err = RP_ERR_CORRUPT;
	if (err == RP_OK)
		err = cut(reading, mention, &record.payload);
	if (err != RP_OK)
		return err;
	telling->journal->told++;
	err = telling->fn(task, telling->arg, &record, 0, 0);
	/* What fn says of its own is no reason to begin again. */
	if (err == RP_ERR_CORRUPT || err == RP_ERR_NOTFOUND)
		telling->damaged++;
	telling->done = spot->lsn;
	return err == RP_OK ? task_pause(task) : err;
}

/* What is about this mailbox and what is missing, in their order. */
static enum rp_err tell_mailbox(struct task *task, const struct notes *notes, uint64_t mailboxid,
    struct reading *reading, struct journal_telling *telling)
{
	size_t at = notes_head_lower(notes, mailboxid);
	uint32_t next =
	    at < notes->heads && notes->head[at].mailboxid == mailboxid ? notes->head[at].first : NOTES_NONE;
	size_t gap = 0;
	enum rp_err err = RP_OK;

	while (err == RP_OK && (next != NOTES_NONE || gap < notes->gaps)) {
		const struct notes_mention *mention = next != NOTES_NONE ? &notes->mention[next] : NULL;

		if (mention != NULL && (gap == notes->gaps || mention->spot < notes->gap[gap])) {
			err = tell_spot(task, reading, mention, &notes->spot[mention->spot], telling);
			next = mention->next;
		} else {
			err = tell_spot(task, reading, NULL, &notes->spot[notes->gap[gap++]], telling);
		}
	}
	return err;
}

static enum rp_err go_by_notes(struct task *task, struct journal_notes *notes, uint64_t mailboxid,
    struct journal_telling *telling)
{
	struct reading reading = {.notes = &notes->notes, .journal = notes->journal};
	enum rp_err err;

	notes->readers++;
	err = tell_mailbox(task, &notes->notes, mailboxid, &reading, telling);
	notes->readers--;
	reading_fini(&reading);
	return err;
}

enum rp_err journal_notes_replay(struct task *task, struct journal_notes *notes, uint64_t mailboxid,
    uint64_t since, journal_replay_fn *fn, void *arg, uint64_t *done)
{
	struct journal_telling telling = {
	    .journal = notes->journal, .done = since, .fn = fn, .arg = arg};
	enum rp_err err = RP_OK;

	*done = since;
	if (notes->asked && !notes->making && !notes->too_many && notes->readers == 0 &&
	    (!notes->made || since < notes->notes.from))
		err = make(task, notes, notes->made ? 0 : since);
	notes->asked = true;
	if (err != RP_OK)
		return err;
	if (notes->making || !notes->made || since < notes->notes.from || since >= notes->notes.lsn)
		return journal_replay(task, notes->journal, since, fn, arg);
	err = go_by_notes(task, notes, mailboxid, &telling);
	if ((err == RP_ERR_CORRUPT || err == RP_ERR_NOTFOUND) && telling.damaged == 0)
		return journal_replay(task, notes->journal, telling.done, fn, arg);
	if (err == RP_OK)
		*done = notes->notes.lsn;
	if (err == RP_OK && notes->notes.unfinished)
		err = journal_replay(task, notes->journal, *done, fn, arg);
	return err;
}

enum rp_err journal_notes_new(
    struct journal *journal, uint64_t bytes_max, struct journal_notes **out)
{
	struct journal_notes *notes = calloc(1, sizeof(*notes));

	if (notes == NULL)
		return RP_ERR_NOMEM;
	notes->journal = journal;
	notes->refs = 1;
	notes->bytes_max = bytes_max;
	journal_hold(journal);
	*out = notes;
	return RP_OK;
}

void journal_notes_hold(struct journal_notes *notes)
{
	notes->refs++;
}

void journal_notes_let_go(struct journal_notes *notes)
{
	if (--notes->refs > 0)
		return;
	journal_let_go(notes->journal);
	notes_fini(&notes->notes);
	free(notes);
}
