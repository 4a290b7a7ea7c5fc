#include "index/commit.h"

#include <stdlib.h>
#include <string.h>

#include "index/commit_core.h"
#include "io/base/num.h"

/* ---- memory ---- */

/* A small object from the chunk's end; the caller knows that there is room. */
static void *take_back(struct commit_chunk *chunk, size_t n)
{
	chunk->back -= num_round_up(n, 16);
	RP_ASSERT(chunk->back >= chunk->front);
	return chunk->p + chunk->back;
}

static size_t small_bytes(void)
{
	return num_round_up(sizeof(struct commit_entry), 16) +
	    num_round_up(sizeof(struct commit_segment), 16);
}

/* ---- open and close ---- */

static size_t segment_max(uint64_t file_bytes)
{
	/* A write holds the largest record, and a file at least two writes. */
	uint64_t half = (file_bytes - LOGFILE_FIRST_OFFSET) / 2;

	half -= half % LOGFILE_BLOCK_BYTES;
	return (size_t)num_min(half,
	    num_round_up(sizeof(struct logfile_write) + RECORD_BYTES_MAX + RECORD_BODY_BYTES_MAX,
		LOGFILE_BLOCK_BYTES));
}

static struct commit *make(struct loop *loop, const struct commit_settings *settings)
{
	struct commit *commit = calloc(1, sizeof(*commit));

	if (commit == NULL)
		return NULL;
	RP_ASSERT(settings->file_bytes % LOGFILE_BLOCK_BYTES == 0);
	RP_ASSERT(settings->file_bytes >= 64 * 1024 && settings->memory_bytes_max >= 1024 * 1024);
	commit->loop = loop;
	commit->settings = *settings;
	if (commit->settings.reserve_bytes == 0)
		commit->settings.reserve_bytes = settings->memory_bytes_max;
	if (commit->settings.files_max == 0)
		commit->settings.files_max = COMMIT_FILES_MAX;
	commit->segment_bytes_max = segment_max(settings->file_bytes);
	commit->chunk_bytes = COMMIT_CHUNK_BYTES;
	if (commit->segment_bytes_max * 8 < commit->chunk_bytes)
		commit->chunk_bytes = commit->segment_bytes_max * 8;
	commit_core_divide_pinned(commit);
	list_init(&commit->chunks);
	list_init(&commit->spares);
	list_init(&commit->segments);
	list_init(&commit->unsent);
	list_init(&commit->sent);
	list_init(&commit->free);
	list_init(&commit->full);
	list_init(&commit->dirty);
	list_init(&commit->failed_users);
	list_init(&commit->urgent);
	task_queue_init(&commit->room);
	task_queue_init(&commit->durable_wait);
	task_queue_init(&commit->writers);
	task_queue_init(&commit->file_wait);
	task_queue_init(&commit->ready_wait);
	task_queue_init(&commit->recycle_wait);
	task_queue_init(&commit->make_wait);
	task_queue_init(&commit->settlers);
	task_queue_init(&commit->settled_wait);
	task_queue_init(&commit->ended);
	commit->direct = true;
	return commit;
}

static enum rp_err start_task(struct commit *commit, task_fn *fn)
{
	enum rp_err err = task_start(commit->loop, fn, commit, NULL);

	if (err == RP_OK)
		commit->tasks_count++;
	return err;
}

static enum rp_err start_tasks(struct commit *commit)
{
	enum rp_err err = start_task(commit, commit_core_recycle_task);

	if (err == RP_OK)
		err = start_task(commit, commit_core_make_task);
	for (int i = 0; err == RP_OK && i < COMMIT_WRITES_MAX; i++)
		err = start_task(commit, commit_core_write_task);
	for (int i = 0; err == RP_OK && i < SETTLE_TASKS; i++)
		err = start_task(commit, settle_core_task);
	return err;
}

static void wake_all(struct commit *commit)
{
	task_queue_wake_all(&commit->room);
	task_queue_wake_all(&commit->durable_wait);
	task_queue_wake_all(&commit->writers);
	task_queue_wake_all(&commit->file_wait);
	task_queue_wake_all(&commit->recycle_wait);
	task_queue_wake_all(&commit->make_wait);
	task_queue_wake_all(&commit->settlers);
	task_queue_wake_all(&commit->settled_wait);
}

/* Its tasks end; waiting for that is not cut short. */
static void stop_tasks(struct task *task, struct commit *commit)
{
	commit->stopping = true;
	wake_all(commit);
	while (commit->tasks_count > 0)
		(void)!task_queue_wait(task, &commit->ended);
}

/* The tasks are gone. What was not settled leaves its users' lists. */
static void destroy(struct commit *commit)
{
	LIST_FOR_EACH(link, &commit->segments) {
		struct commit_segment *segment =
		    RP_CONTAINER_OF(link, struct commit_segment, alive);

		for (struct commit_entry *entry = segment->entries; entry != NULL;
		     entry = entry->next) {
			if (entry->settle == NULL)
				continue;
			list_del(&entry->link);
			list_del(&entry->settle->link);
			entry->settle->bytes = 0;
			entry->settle = NULL;
		}
	}
	commit_core_free_chunks(commit);
	commit_core_close_files(commit);
	file_close(commit->sync);
	free(commit);
}

/* Its own file of DATA is the one that the claim's lock lies on; opening it again is harmless to an OFD lock. */
static enum rp_err open_sync(struct task *task, struct commit *commit)
{
	return file_open(
	    task, FILE_ROOT_DATA, "store", FILE_READ | FILE_WRITE | FILE_CREATE, &commit->sync);
}

enum rp_err commit_open(
    struct task *task, const struct commit_settings *settings, struct commit **out)
{
	struct commit *commit = make(task_loop(task), settings);

	if (commit == NULL)
		return RP_ERR_NOMEM;
	task_shield(task);

	enum rp_err err = open_sync(task, commit);

	if (err == RP_OK)
		err = commit_core_have_spares(commit, 0);
	if (err == RP_OK)
		err = commit_core_open_files(task, commit);
	if (err == RP_OK)
		err = start_tasks(commit);
	if (err != RP_OK) {
		stop_tasks(task, commit);
		destroy(commit);
	} else {
		*out = commit;
	}
	task_unshield(task);
	return err;
}

/* Until nothing is on its way, or the log has failed. */
static void drain(struct task *task, struct commit *commit)
{
	commit->draining = true;
	while (!commit->failed && commit->durable < commit->position) {
		task_queue_wake_all(&commit->writers);
		(void)!task_queue_wait(task, &commit->durable_wait);
	}
	while (!commit->failed && !commit->settle_stuck &&
	    (commit->unsettled > 0 || commit->settling > 0) && !settle_core_only_stuck(commit)) {
		task_queue_wake_all(&commit->settlers);
		(void)!task_queue_wait(task, &commit->settled_wait);
	}
}

enum rp_err commit_close(struct task *task, struct commit *commit)
{
	if (commit == NULL)
		return RP_OK;
	task_shield(task);
	drain(task, commit);
	stop_tasks(task, commit);

	enum rp_err err = commit->failed || commit->unsettled > 0 ? RP_ERR_UNKNOWN : RP_OK;

	/* While earlier logs wait to be placed, ours must stay too: they may say what is void in those. */
	if (err == RP_OK && !commit->settings.recovering &&
	    (file_syncfs(task, commit->sync) != RP_OK ||
		commit_core_free_all(task, commit) != RP_OK))
		err = RP_ERR_UNKNOWN;
	destroy(commit);
	task_unshield(task);
	return err;
}

enum rp_err commit_recovered(struct task *task, struct commit *commit)
{
	enum rp_err err;

	if (!commit->settings.recovering)
		return RP_OK;
	task_shield(task);
	err = commit_core_adopt(task, commit);
	task_unshield(task);
	if (err != RP_OK)
		return err;
	commit->settings.recovering = false;
	task_queue_wake_all(&commit->file_wait);
	task_queue_wake_all(&commit->make_wait);
	commit_core_wake_recycler(commit);
	return RP_OK;
}

void commit_core_fail(struct commit *commit, const char *what, enum rp_err err)
{
	if (commit->failed)
		return;
	LOG(loop_log(commit->loop), LOG_ERROR, "commit.failed", LOG_STR("what", what),
	    LOG_STR("error", err_name(err)));
	commit->failed = true;
	wake_all(commit);
	if (commit->settings.changed != NULL)
		commit->settings.changed(commit->settings.arg);
}

/* ---- reserve and append ---- */

bool commit_core_has_room(const struct commit *commit, uint64_t bytes)
{
	uint64_t max = commit->settings.memory_bytes_max;

	return commit->live_bytes + commit->reserved_bytes + bytes <= max &&
	    commit->chunks_count * commit->chunk_bytes <= 4 * max;
}

static void push_settling(struct commit *commit)
{
	if (commit->live_bytes > commit->settings.memory_bytes_max / 2)
		task_queue_wake_all(&commit->settlers);
}

enum rp_err commit_reserve(struct task *task, struct commit *commit, uint64_t bytes)
{
	bool waited = false;

	if (bytes > commit->settings.memory_bytes_max / 2)
		return RP_ERR_LIMIT;
	while (!commit->failed && !commit->settle_stuck &&
	    ((!waited && !task_queue_empty(&commit->room)) || !commit_core_has_room(commit, bytes))) {
		if (!waited)
			commit->stats.waits++;
		waited = true;
		push_settling(commit);

		enum rp_err err = task_queue_wait(task, &commit->room);

		if (err != RP_OK)
			return err;
	}
	if (commit->failed)
		return RP_ERR_UNAVAILABLE;
	if (commit->settle_stuck)
		return RP_ERR_NOSPACE;

	enum rp_err err = commit_core_have_spares(commit, commit->reserved_bytes + bytes);

	if (err != RP_OK)
		return err;
	commit->reserved_bytes += bytes;
	if (commit_core_has_room(commit, 0))
		task_queue_wake(&commit->room); /* perhaps there is room for the next one too */
	return RP_OK;
}

void commit_unreserve(struct commit *commit, uint64_t bytes)
{
	RP_ASSERT(bytes <= commit->reserved_bytes);
	commit->reserved_bytes -= bytes;
	task_queue_wake(&commit->room);
}

uint64_t commit_core_scarce_bytes(const struct commit *commit)
{
	return commit->settings.reserve_bytes / COMMIT_RESERVE_PARTS + commit->live_bytes;
}

enum commit_room commit_room(const struct commit *commit)
{
	return commit->disk;
}

uint64_t commit_room_bytes(const struct commit *commit)
{
	uint64_t kept = commit_core_scarce_bytes(commit);

	if (commit->disk == COMMIT_ROOM_ENOUGH)
		return UINT64_MAX;
	return commit->disk_free_bytes > kept ? commit->disk_free_bytes - kept : 0;
}

uint64_t commit_room_to_gain_bytes(const struct commit *commit)
{
	if (commit->disk == COMMIT_ROOM_SCARCE)
		return 0;
	if (commit->disk == COMMIT_ROOM_FULL && !commit->reserve_given)
		return commit->disk_free_bytes;
	return commit_room_bytes(commit);
}

/* Room in the open write for this many bytes and one entry? */
static bool open_has_room(const struct commit *commit, size_t bytes)
{
	const struct commit_segment *open = commit->open;

	if (open == NULL || open->used + bytes > commit->segment_bytes_max)
		return false;

	size_t end = (size_t)(open->p - open->chunk->p) +
	    num_round_up(open->used + bytes, LOGFILE_BLOCK_BYTES);

	return end + small_bytes() <= open->chunk->back;
}

static void begin_segment(struct commit *commit, size_t bytes)
{
	struct commit_chunk *chunk = commit_core_newest_chunk(commit);
	size_t blocks =
	    num_round_up(sizeof(struct logfile_write) + bytes, LOGFILE_BLOCK_BYTES);

	RP_ASSERT(blocks <= commit->segment_bytes_max);
	if (chunk == NULL || chunk->front + blocks + small_bytes() > chunk->back)
		chunk = commit_core_next_chunk(commit);

	uint8_t *p = chunk->p + chunk->front;
	struct commit_segment *segment = take_back(chunk, sizeof(*segment));

	*segment = (struct commit_segment){
		.chunk = chunk,
		.p = p,
		.used = sizeof(struct logfile_write),
		.refs = 1,
		.first_ns = loop_now_ns(commit->loop),
	};
	segment->entries_end = &segment->entries;
	chunk->refs++;
	chunk->front += LOGFILE_BLOCK_BYTES;
	commit->live_bytes += LOGFILE_BLOCK_BYTES;
	list_init(&segment->link);
	list_push_back(&commit->segments, &segment->alive);
	list_push_back(&commit->unsent, &segment->link);
	commit->open = segment;
}

/* Grow the open write by one record and copy it in; its header is put when it is sent (the file's nonce signs it). */
static struct commit_entry *put_record(struct commit *commit, const struct record_header *header,
    struct bytes payload, struct bytes body)
{
	struct commit_segment *segment = commit->open;
	struct commit_chunk *chunk = segment->chunk;
	uint64_t before = commit_core_live_bytes(segment);
	uint8_t *p = segment->p + segment->used + sizeof(*header);
	size_t payload_room = record_journal_bytes(header) - sizeof(*header);
	size_t body_room = num_round_up(body.n, RECORD_ALIGN);
	struct commit_entry *entry = take_back(chunk, sizeof(*entry));

	segment->used += record_bytes(header);
	segment->records++;
	segment->refs++;
	chunk->front = (size_t)(segment->p - chunk->p) + commit_core_live_bytes(segment);
	RP_ASSERT(chunk->front <= chunk->back);
	commit->live_bytes += commit_core_live_bytes(segment) - before;
	if (payload.n != 0)
		memcpy(p, payload.p, payload.n);
	memset(p + payload.n, 0, payload_room - payload.n);
	if (body.n != 0)
		memcpy(p + payload_room, body.p, body.n);
	memset(p + payload_room + body.n, 0, body_room - body.n);
	*entry = (struct commit_entry){
		.refs = 1,
		.segment = segment,
		.record = {
			.header = *header,
			.payload = bytes_of(p, payload.n),
			.body = bytes_of(p + payload_room, body.n),
		},
	};
	*segment->entries_end = entry;
	segment->entries_end = &entry->next;
	return entry;
}

uint64_t commit_append(struct commit *commit, struct settle *settle, struct record_header header,
    struct bytes payload, struct bytes body, struct commit_entry **out)
{
	header.epoch = commit->settings.epoch;
	record_fill(&header, payload, body);
	RP_ASSERT(record_header_is_sane(&header));

	uint64_t bytes = record_bytes(&header);

	RP_ASSERT(bytes <= commit->reserved_bytes);
	commit->reserved_bytes -= bytes;
	if (!open_has_room(commit, bytes))
		begin_segment(commit, bytes);

	struct commit_entry *entry = put_record(commit, &header, payload, body);

	commit->position += bytes;
	commit->open->end_position = commit->position;
	entry->position = commit->position;
	entry->settle = settle;
	list_push_back(&settle->entries, &entry->link);
	commit->unsettled++;
	commit->stats.records++;
	commit_core_wake_writer(commit);
	push_settling(commit);
	if (out != NULL)
		*out = entry;
	return commit->position;
}

void commit_entry_hold(struct commit_entry *entry)
{
	entry->refs++;
}

void commit_entry_release(struct commit *commit, struct commit_entry *entry)
{
	RP_ASSERT(entry->refs > 0);
	if (--entry->refs == 0)
		commit_core_unref_segment(commit, entry->segment);
}

/* ---- what is durable ---- */

uint64_t commit_durable(const struct commit *commit)
{
	return commit->durable;
}

uint64_t commit_position(const struct commit *commit)
{
	return commit->position;
}

bool commit_failed(const struct commit *commit)
{
	return commit->failed;
}

enum rp_err commit_wait(struct task *task, struct commit *commit, uint64_t position)
{
	RP_ASSERT(position <= commit->position);
	while (commit->durable < position) {
		if (commit->failed)
			return RP_ERR_UNKNOWN;

		enum rp_err err = task_queue_wait(task, &commit->durable_wait);

		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

void commit_stats(const struct commit *commit, struct commit_stats *out)
{
	*out = commit->stats;
	out->files = commit->files_count;
	out->files_bound = commit_core_files_bound(commit);
	out->users_stuck = commit->users_stuck;
	out->memory_bytes = (commit->chunks_count + commit->spares_count) * commit->chunk_bytes;
}
