/* This shard's log files: used again when all that was in them is settled, and new ones made in time. */
#include "index/claim.h"
#include "index/commit_core.h"
#include "io/base/clock.h"

enum { SPARE_RETRY_S = 60 };

/* How much of the last file there is has been used, in quarters. */
static bool is_short(const struct commit *commit, unsigned quarters)
{
	if (!list_empty(&commit->free))
		return false;
	if (commit->wants_file || commit->current == NULL)
		return true;
	return commit->current->at >= commit->settings.file_bytes / 4 * quarters;
}

static struct commit_file *oldest_full(const struct commit *commit)
{
	return RP_CONTAINER_OF(commit->full.next, struct commit_file, link);
}

/* Who is stuck is not waited for. */
static bool may_recycle(const struct commit *commit)
{
	return !commit->settings.recovering && !list_empty(&commit->full) && is_short(commit, 2) &&
	       (commit->users_stuck == 0 || oldest_full(commit)->unsettled == 0);
}

unsigned commit_core_files_bound(const struct commit *commit)
{
	/* Nothing is used again yet: better more of them than changes that wait for one user's disk. */
	return commit->settings.recovering || commit->users_stuck > 0
	           ? commit->settings.files_max * COMMIT_FILES_RECOVERING
	           : commit->settings.files_max;
}

bool commit_core_has_no_files(const struct commit *commit)
{
	return commit->wants_file && list_empty(&commit->free) && !may_recycle(commit) &&
	       (commit->no_new_file || commit->files_count >= commit_core_files_bound(commit));
}

static bool may_make(const struct commit *commit)
{
	if (commit->files_count >= commit_core_files_bound(commit))
		return false;
	return commit->files_count < COMMIT_FILES_START || is_short(commit, 3);
}

/* In time before the disk is full, and after what is in use. */
static bool wants_spare(const struct commit *commit)
{
	return commit->spare == NULL && !commit->settings.recovering && commit->disk == COMMIT_ROOM_ENOUGH;
}

void commit_core_wake_recycler(struct commit *commit)
{
	if (may_recycle(commit))
		task_queue_wake(&commit->recycle_wait);
	if (may_make(commit))
		task_queue_wake(&commit->make_wait);
}

/* All records of the oldest file are in their places. */
static bool settle_oldest(struct task *task, struct commit *commit)
{
	while (!commit->failed && !commit->stopping && commit->users_stuck == 0 &&
	    oldest_full(commit)->unsettled > 0) {
		commit->hurry = true;
		task_queue_wake_all(&commit->settlers);
		(void)!task_queue_wait(task, &commit->settled_wait);
	}
	commit->hurry = false;
	return !commit->failed && !commit->stopping && oldest_full(commit)->unsettled == 0;
}

static enum rp_err recycle(struct task *task, struct commit *commit)
{
	struct list settled;
	list_init(&settled);
	if (!settle_oldest(task, commit))
		return RP_OK;
	while (!list_empty(&commit->full) && oldest_full(commit)->unsettled == 0)
		list_push_back(&settled, list_pop_front(&commit->full));

	enum rp_err err = file_syncfs(task, commit->sync);

	while (err == RP_OK && !list_empty(&settled)) {
		struct commit_file *file =
		    RP_CONTAINER_OF(settled.next, struct commit_file, link);

		list_del(&file->link);
		err = commit_core_ready(task, commit, file);
		if (err != RP_OK)
			list_push_front(&settled, &file->link);
		else
			commit->stats.files_reused++;
	}
	list_splice_back(&settled, &commit->full); /* what is left stays the oldest */
	list_splice_back(&commit->full, &settled);
	return err;
}

void commit_core_recycle_task(struct task *task, void *arg)
{
	struct commit *commit = arg;

	task_set_name(task, "commit.recycle");
	while (!commit->failed && !commit->stopping) {
		if (!may_recycle(commit)) {
			(void)!task_queue_wait(task, &commit->recycle_wait);
			continue;
		}

		enum rp_err err = recycle(task, commit);

		if (err != RP_OK) {
			claim_careful_mark(task);
			commit_core_fail(commit, "sync", err);
		}
	}
	commit->tasks_count--;
	task_queue_wake_all(&commit->ended);
}

/* Once recovery is over it must have two: one alone is never used again. */
static void make_one(struct task *task, struct commit *commit)
{
	bool must = !commit->settings.recovering && commit->files_count < COMMIT_FILES_START;
	bool may = must || settle_core_has_room_for_file(task, commit);
	enum rp_err err = may ? commit_core_make_file(task, commit, ++commit->files_number, commit_core_ready) : RP_ERR_NOSPACE;

	if (err != RP_OK && !commit->no_new_file)
		LOG(loop_log(commit->loop), LOG_WARN, "commit.no_new_file", LOG_STR("error", err_name(err)));
	commit->no_new_file = err != RP_OK;
	if (err == RP_OK)
		return;
	/* The ones there are go round; perhaps there is room later. */
	(void)!task_queue_wait_ns(task, &commit->make_wait, CLOCK_NS_PER_S);
}

static void make_spare(struct task *task, struct commit *commit)
{
	enum rp_err err;

	if (commit->spare_retry_ns > loop_now_ns(commit->loop)) {
		(void)!task_queue_wait_ns(
		    task, &commit->make_wait, commit->spare_retry_ns - loop_now_ns(commit->loop));
		return;
	}
	err = commit_core_make_file(task, commit, ++commit->files_number, commit_core_ready_spare);
	if (err == RP_OK)
		return;
	LOG(loop_log(commit->loop), LOG_WARN, "commit.no_spare", LOG_STR("error", err_name(err)));
	commit->spare_retry_ns = loop_now_ns(commit->loop) + SPARE_RETRY_S * CLOCK_NS_PER_S;
}

void commit_core_make_task(struct task *task, void *arg)
{
	struct commit *commit = arg;

	task_set_name(task, "commit.make");
	while (!commit->failed && !commit->stopping) {
		if (may_make(commit))
			make_one(task, commit);
		else if (wants_spare(commit))
			make_spare(task, commit);
		else
			(void)!task_queue_wait(task, &commit->make_wait);
	}
	commit->tasks_count--;
	task_queue_wake_all(&commit->ended);
}
