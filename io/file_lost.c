/* Is what cannot be read lost, or is the disk away?
 *
 *   read it, five times -> well: done
 *     | EIO
 *   read what is around it, from the disk -> not well: the time begins anew; too often: RP_ERR_UNAVAILABLE
 *     | well
 *   the same for FILE_LOST_MS? -> no: a pause, and again
 *     | yes
 *   RP_ERR_IO: lost
 *
 * A disk that is back in between gives what was asked for at the next try; one that answers only from the page cache does
 * not pass for a disk, as the cache is told to forget the file before.
 */
#include "io/base/clock.h"
#include "io/base/log.h"
#include "io/base/num.h"
#include "io/file_core.h"
#include "io/loop_core.h"
#include "io/task_core.h"

enum {
	TRIES = 5,           /* at once: a disk that hiccups is not away */
	PAUSE_MS = 50,       /* then twice as long each time, */
	PAUSE_MS_MAX = 2000, /* up to this */
	WAIT_MS_MAX = 3 * FILE_LOST_MS,
	AWAY_PAUSE_MS = 500,
	REMEMBER_MS =
	    30 * 1000, /* a wait that was in vain, or a part that was lost, shortens the next */
	BLOCK_BYTES = 4096,
	AROUND_BYTES_MAX =
	    1024 * 1024, /* so far away bytes are still near: what is lost is small */
};

struct lost {
	struct task *task;
	struct file *file;
	uint64_t from; /* what cannot be read, in whole blocks */
	uint64_t to;
	uint64_t begun_ns;
	uint64_t
	    sound_ns; /* since then all that is around it was read well, each time; 0: not the last time */
};

static uint64_t ms_since(const struct loop *loop, uint64_t ns)
{
	return (loop_now_ns(loop) - ns) / CLOCK_NS_PER_MS;
}

static bool is_recent(const struct loop *loop, uint64_t ns)
{
	return ns != 0 && ms_since(loop, ns) < REMEMBER_MS;
}

/* RP_ERR_END: there is nothing at this offset. */
static enum rp_err read_block(struct task *task, struct file *file, uint64_t offset)
{
	uint8_t block[BLOCK_BYTES];
	size_t got;
	enum rp_err err = file_read(task, file, block, sizeof(block), offset, &got);

	return err == RP_OK && got == 0 ? RP_ERR_END : err;
}

static void forget(struct task *task, struct file *file)
{
	struct op op = {.kind = OP_FORGET, .fd = file->fd};

	(void)!op_await(task, &op);
}

/* On one side, the nearest block that can be read: RP_OK; RP_ERR_END: none up to the file's begin, or end; RP_ERR_IO: none near. */
static enum rp_err read_side(struct lost *lost, bool before)
{
	enum rp_err err = RP_ERR_IO;

	for (uint64_t n = BLOCK_BYTES; err == RP_ERR_IO && n <= AROUND_BYTES_MAX; n *= 2) {
		if (before && n > lost->from)
			return RP_ERR_END;
		err = read_block(
		    lost->task, lost->file, before ? lost->from - n : lost->to + n - BLOCK_BYTES);
	}
	return err;
}

/* All sides that there are, one at least. */
static enum rp_err read_around(struct lost *lost)
{
	enum rp_err before = RP_OK;
	enum rp_err behind = RP_OK;

	forget(lost->task, lost->file);
	before = read_side(lost, true);
	if (before == RP_OK || before == RP_ERR_END)
		behind = read_side(lost, false);
	else
		return before;
	if (behind == RP_ERR_END)
		return before == RP_OK ? RP_OK : RP_ERR_IO;
	return behind;
}

/* For who is to find out what is left: the disk answers, though not for this file. */
static enum rp_err read_elsewhere(struct task *task)
{
	struct file *file;
	enum rp_err err = file_open(task, FILE_ROOT_DATA, "store", FILE_READ, &file);

	if (err != RP_OK)
		return err;
	forget(task, file);
	err = read_block(task, file, 0);
	file_close(file);
	return err;
}

static enum rp_err look_around(struct lost *lost)
{
	enum rp_err err = read_around(lost);

	if (err == RP_ERR_IO && lost->task->loses_whole)
		err = read_elsewhere(lost->task);
	return err;
}

/* It has failed once more. RP_OK: try again. */
static enum rp_err judge(struct lost *lost)
{
	struct loop *loop = task_loop(lost->task);
	enum rp_err err = look_around(lost);
	uint64_t needed_ms = is_recent(loop, lost->file->lost_ns) ? 0 : FILE_LOST_MS;

	if (err == RP_ERR_CANCELED)
		return err;
	if (loop->waits_no_more)
		return RP_ERR_UNAVAILABLE;
	if (err == RP_OK && lost->sound_ns != 0 && ms_since(loop, lost->sound_ns) >= needed_ms) {
		lost->file->lost_ns = loop_now_ns(loop);
		return RP_ERR_IO;
	}
	if (err != RP_OK)
		lost->sound_ns = 0;
	else if (lost->sound_ns == 0)
		lost->sound_ns = loop_now_ns(loop);
	if (ms_since(loop, lost->begun_ns) >= WAIT_MS_MAX ||
	    (err != RP_OK && (is_recent(loop, loop->disk_away_ns) ||
	                         ms_since(loop, lost->begun_ns) >= FILE_LOST_MS))) {
		if (!is_recent(loop, loop->disk_away_ns))
			loop->disk_away_ns = loop_now_ns(loop);
		return RP_ERR_UNAVAILABLE;
	}
	return RP_OK;
}

static enum rp_err read_some_times(
    struct task *task, struct file *file, void *p, size_t n, uint64_t offset, size_t *got)
{
	enum rp_err err = RP_ERR_IO;

	for (unsigned i = 0; i < TRIES && err == RP_ERR_IO; i++)
		err = file_read(task, file, p, n, offset, got);
	return err;
}

enum rp_err file_read_retry(
    struct task *task, struct file *file, void *p, size_t n, uint64_t offset, size_t *got)
{
	struct loop *loop = task_loop(task);
	struct lost lost = {.task = task,
	    .file = file,
	    .from = offset / BLOCK_BYTES * BLOCK_BYTES,
	    .to = num_round_up(offset + n, BLOCK_BYTES),
	    .begun_ns = loop_now_ns(loop)};
	enum rp_err err = read_some_times(task, file, p, n, offset, got);

	for (uint64_t pause_ms = PAUSE_MS; err == RP_ERR_IO; pause_ms *= 2) {
		err = judge(&lost);
		if (err != RP_OK)
			return err;
		if (pause_ms == PAUSE_MS && !is_recent(loop, file->lost_ns))
			LOG(loop_log(loop), LOG_WARN, "disk.waits", LOG_U64("offset", offset),
			    LOG_U64("bytes", n));
		if (!is_recent(loop, file->lost_ns))
			err = task_sleep(task, num_min(pause_ms, PAUSE_MS_MAX) * CLOCK_NS_PER_MS);
		if (err == RP_OK)
			err = read_some_times(task, file, p, n, offset, got);
	}
	return err;
}

bool file_lose_whole(struct task *task, bool on)
{
	bool before = task->loses_whole;

	task->loses_whole = on;
	return before;
}

bool file_await_disk(struct task *task, struct file_away *away, enum rp_err err)
{
	struct loop *loop = task_loop(task);

	if (err != RP_ERR_IO && err != RP_ERR_UNAVAILABLE)
		return false;
	if (!away->begun) {
		*away = (struct file_away){.begun = true, .begun_ns = loop_now_ns(loop)};
		LOG(loop_log(loop), LOG_ERROR, "disk.away", LOG_STR("error", err_name(err)),
		    LOG_U64("seconds", FILE_AWAY_MS / 1000));
	}
	return !loop->waits_no_more && ms_since(loop, away->begun_ns) < FILE_AWAY_MS &&
	       task_sleep(task, AWAY_PAUSE_MS * CLOCK_NS_PER_MS) == RP_OK;
}

void file_wait_no_more(struct loop *loop)
{
	loop->waits_no_more = true;
}
