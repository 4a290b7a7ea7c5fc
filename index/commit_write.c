/* Group commit: a few tasks send what is queued.
 *
 * The first write starts at once; while one is under way records gather, and another goes when 256 KiB or 200 us of them
 * are there. Completions come in any order; durable is what lies before the first unfinished one.
 */
#include <string.h>

#include "index/commit_core.h"
#include "index/blame.h"
#include "io/base/num.h"

static struct commit_segment *first_unsent(const struct commit *commit)
{
	if (list_empty(&commit->unsent))
		return NULL;
	return RP_CONTAINER_OF(commit->unsent.next, struct commit_segment, link);
}

/* How long the oldest queued record should still wait for company; 0: send it now. */
static uint64_t wait_ns(const struct commit *commit, const struct commit_segment *segment)
{
	uint64_t age = loop_now_ns(commit->loop) - segment->first_ns;

	if (commit->writing == 0 || commit->draining)
		return 0;
	if (segment != commit->open || segment->used >= COMMIT_GATHER_BYTES)
		return 0;
	return age >= COMMIT_GATHER_NS ? 0 : COMMIT_GATHER_NS - age;
}

void commit_core_wake_writer(struct commit *commit)
{
	const struct commit_segment *segment = first_unsent(commit);

	if (segment == NULL || commit->choosing || commit->writing == COMMIT_WRITES_MAX)
		return;
	if (segment->waited_for && wait_ns(commit, segment) > 0)
		return; /* somebody has a timer on it */
	task_queue_wake(&commit->writers);
}

/* Wait until there is something to send, and take it: in order, one writer at a time. NULL: the log ends. */
static struct commit_segment *next_segment(struct task *task, struct commit *commit)
{
	for (;;) {
		struct commit_segment *segment = first_unsent(commit);

		if (commit->failed || commit->stopping)
			return NULL;
		if (segment == NULL || commit->choosing ||
		    commit->writing == COMMIT_WRITES_MAX) {
			(void)!task_queue_wait(task, &commit->writers);
			continue;
		}

		uint64_t ns = wait_ns(commit, segment);

		if (ns == 0) {
			commit->choosing = true;
			return segment;
		}
		segment->waited_for = true;
		(void)!task_queue_wait_ns(task, &commit->writers, ns);
	}
}

/* Does the current file take this write, as large as it is by now? */
static bool fits(const struct commit *commit, const struct commit_segment *segment)
{
	const struct commit_file *file = commit->current;
	size_t n = num_round_up(segment->used, LOGFILE_BLOCK_BYTES);

	return file != NULL && file->at + n <= commit->settings.file_bytes;
}

/* Have a file with room for it. False: the log has failed, or ends. */
static bool choose_file(
    struct task *task, struct commit *commit, const struct commit_segment *segment)
{
	while (!fits(commit, segment)) {
		if (commit->failed || commit->stopping)
			return false;

		struct list *link = list_pop_front(&commit->free);

		if (link == NULL) {
			commit->wants_file = true;
			commit_core_wake_recycler(commit);
			(void)!task_queue_wait(task, &commit->file_wait);
			continue;
		}
		if (commit->current != NULL)
			list_push_back(&commit->full, &commit->current->link);
		commit->current = RP_CONTAINER_OF(link, struct commit_file, link);
	}
	commit->wants_file = false;
	return true;
}

/* Sign the records for the file that they go to. */
static void put_headers(struct task *task, struct commit_segment *segment, uint64_t nonce)
{
	for (struct commit_entry *entry = segment->entries; entry != NULL; entry = entry->next) {
		struct record_header *header = &entry->record.header;
		uint8_t *p = segment->p + (entry->record.payload.p - segment->p) - sizeof(*header);
		struct blame before = blame_set(task, &header->userid);

		record_sign(header, nonce);
		memcpy(p, header, sizeof(*header));
		blame_restore(task, before);
	}
}

/* Number it, sign it, and give it its place in the current file: no suspension (the task is for its note), so numbers and places are in
 * order.  * Returns the bytes to write. */
static size_t prepare(
    struct task *task, struct commit *commit, struct commit_segment *segment, uint64_t *offset)
{
	struct commit_file *file = commit->current;
	size_t n = num_round_up(segment->used, LOGFILE_BLOCK_BYTES);

	if (commit->open == segment)
		commit->open = NULL;
	list_del(&segment->link);
	list_push_back(&commit->sent, &segment->link);
	segment->number = ++commit->number;
	segment->file = file;
	file->unsettled += segment->records;
	put_headers(task, segment, file->nonce);
	logfile_put_write(segment->p, (uint32_t)segment->used, segment->records, segment->number,
	    commit->durable_number, file->nonce);
	memset(segment->p + segment->used, 0, n - segment->used);
	*offset = file->at;
	file->at += n;
	return n;
}

/* Told to everybody after all books are right. */
static void advance(struct commit *commit)
{
	bool moved = false;

	while (!list_empty(&commit->sent)) {
		struct commit_segment *segment =
		    RP_CONTAINER_OF(commit->sent.next, struct commit_segment, link);

		if (!segment->done)
			break;
		list_del(&segment->link);
		commit->durable_number = segment->number;
		commit->durable = segment->end_position;
		for (struct commit_entry *entry = segment->entries; entry != NULL;
		     entry = entry->next)
			settle_core_durable(commit, entry);
		commit_core_unref_segment(commit, segment);
		moved = true;
	}
	if (!moved)
		return;
	task_queue_wake_all(&commit->durable_wait);
	if (commit->settings.changed != NULL)
		commit->settings.changed(commit->settings.arg);
}

static void send(struct task *task, struct commit *commit, struct commit_segment *segment)
{
	uint64_t offset;
	size_t n = prepare(task, commit, segment, &offset);

	commit->choosing = false;
	commit->writing++;
	commit->stats.writes++;
	commit->stats.written_bytes += n;
	commit_core_wake_writer(commit);
	commit_core_wake_recycler(commit);

	enum rp_err err = file_write(task, segment->file->file, segment->p, n, offset, true);

	commit->writing--;
	if (err != RP_OK) {
		commit_core_fail(commit, "write", err);
		return;
	}
	if (commit->failed)
		return; /* durable does not move any more */
	segment->done = true;
	advance(commit);
	commit_core_wake_writer(commit);
}

void commit_core_write_task(struct task *task, void *arg)
{
	struct commit *commit = arg;
	struct commit_segment *segment;

	task_set_name(task, "commit.write");
	while ((segment = next_segment(task, commit)) != NULL) {
		if (!choose_file(task, commit, segment))
			break;
		send(task, commit, segment);
	}
	commit->tasks_count--;
	task_queue_wake_all(&commit->ended);
}
