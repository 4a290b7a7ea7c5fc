#include "index/cache.h"

#include <stdlib.h>
#include <xxhash.h>

#include "index/format.h"
#include "index/room.h"
#include "index/volume_state.h"
#include "io/base/num.h"

enum {
	CACHE_VERSION = 2, /* 1: the sum does not cover the emailid */
	CACHE_POLL_NS = 1000 * 1000,
};

struct cache_head {
	uint64_t emailid;
	uint32_t bytes;
	uint32_t zero;
	uint64_t xxh3;
};

static_assert(sizeof(struct cache_head) == 24, "format");

/* Bytes of the file that are in memory. */
struct cache_piece {
	uint8_t *p;
	size_t n;
	size_t bytes_max;
	uint64_t from; /* offset in the file */
};

struct cache {
	struct volume *volume;
	uint64_t mailboxid;
	struct file *file; /* NULL: nothing is written yet */
	uint64_t nonce;
	unsigned version;
	struct cache_piece pending; /* to be written */
	struct cache_piece flight;  /* is being written */
	struct cache_piece window;  /* was read */
	bool window_busy;
	unsigned reading;     /* tasks that read an entry by themselves */
	uint64_t added_count; /* since it was opened */
	uint64_t added_bytes;
	bool writing;
	bool no_room; /* when it was tried last */
	bool broken; /* could not be written: nothing more is kept */
};

static void cache_path(const struct cache *cache, char path[VOLUME_PATH_BYTES])
{
	volume_path(cache->volume, path, "%llu.cache", (unsigned long long)cache->mailboxid);
}

/* Room for n more bytes. */
static bool piece_reserve(struct cache_piece *piece, size_t n, size_t bytes_max)
{
	size_t wanted = piece->bytes_max != 0 ? piece->bytes_max : 4096;
	uint8_t *p;

	if (n > bytes_max || piece->n > bytes_max - n)
		return false;
	while (wanted < piece->n + n)
		wanted *= 2;
	if (wanted <= piece->bytes_max)
		return true;
	p = realloc(piece->p, wanted);
	if (p == NULL)
		return false;
	piece->p = p;
	piece->bytes_max = wanted;
	return true;
}

static void piece_free(struct cache_piece *piece)
{
	free(piece->p);
	*piece = (struct cache_piece){ 0 };
}

/* The bytes from offset on that a piece has. */
static struct bytes piece_at(const struct cache_piece *piece, uint64_t offset)
{
	if (piece->n == 0 || offset < piece->from || offset - piece->from >= piece->n)
		return (struct bytes){ 0 };
	return bytes_from(bytes_of(piece->p, piece->n), (size_t)(offset - piece->from));
}

/* The file is to be begun: its header is the first that is pending. */
static enum rp_err begin(struct cache *cache)
{
	struct format_header header = { .userid = cache->volume->userid,
		.epoch = cache->volume->store->epoch,
		.number = cache->mailboxid };

	if (!piece_reserve(&cache->pending, FORMAT_AREA_BYTES, CACHE_PENDING_BYTES_MAX))
		return RP_ERR_NOMEM;
	while (cache->nonce == 0)
		loop_random(cache->volume->store->loop, &cache->nonce, sizeof(cache->nonce));
	header.nonce = cache->nonce;
	cache->version = CACHE_VERSION;
	format_sign(&header, FORMAT_CACHE, CACHE_VERSION);
	format_put_area(&header, cache->pending.p);
	cache->pending.n = FORMAT_AREA_BYTES;
	cache->pending.from = 0;
	return RP_OK;
}

/* Go on in the file that is there. RP_ERR_CORRUPT: it is not sound. */
static enum rp_err go_on(struct task *task, struct cache *cache)
{
	uint8_t area[FORMAT_AREA_BYTES];
	struct format_header header;
	uint64_t size;
	size_t got;
	enum rp_err err = file_read(task, cache->file, area, sizeof(area), 0, &got);

	if (err == RP_OK)
		err = file_size(task, cache->file, &size);
	if (err != RP_OK)
		return err;
	err = format_check_area(bytes_of(area, got), FORMAT_CACHE, CACHE_VERSION, &header);
	if (err != RP_OK || !userid_eq(&header.userid, &cache->volume->userid) ||
	    header.number != cache->mailboxid)
		return RP_ERR_CORRUPT;
	cache->nonce = header.nonce;
	cache->version = header.version;
	cache->pending.from = num_round_up(size, CACHE_UNIT);
	return RP_OK;
}

static enum rp_err find_end(struct task *task, struct cache *cache)
{
	char path[VOLUME_PATH_BYTES];
	enum rp_err err;

	cache_path(cache, path);
	err = file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &cache->file);
	if (err == RP_ERR_NOTFOUND)
		return begin(cache);
	if (err != RP_OK)
		return err;
	err = go_on(task, cache);
	if (err != RP_ERR_CORRUPT)
		return err;
	err = file_truncate(task, cache->file, 0);
	return err == RP_OK ? begin(cache) : err;
}

enum rp_err cache_open(struct task *task, struct mailbox *mailbox, struct cache **out)
{
	struct cache *cache = calloc(1, sizeof(*cache));
	enum rp_err err;

	if (cache == NULL)
		return RP_ERR_NOMEM;
	cache->volume = mailbox->volume;
	cache->mailboxid = mailbox->mailboxid;
	err = find_end(task, cache);
	if (err != RP_OK) {
		cache_close(cache);
		return err;
	}
	*out = cache;
	return RP_OK;
}

void cache_close(struct cache *cache)
{
	if (cache == NULL)
		return;
	RP_ASSERT(!cache->writing);
	file_close(cache->file);
	piece_free(&cache->pending);
	piece_free(&cache->window);
	free(cache);
}

static uint64_t sum_of(struct bytes entry, uint64_t nonce, unsigned version, uint64_t emailid)
{
	return XXH3_64bits_withSeed(entry.p, entry.n, version > 1 ? nonce ^ emailid : nonce);
}

uint32_t cache_add(struct cache *cache, uint64_t emailid, struct bytes entry)
{
	struct cache_piece *pending = &cache->pending;
	uint64_t place = (pending->from + pending->n) / CACHE_UNIT;
	size_t n = (size_t)cache_stored_bytes(entry);
	struct cache_head head = { .emailid = emailid, .bytes = (uint32_t)entry.n };
	uint8_t *p;

	if (cache->broken || entry.n == 0 || entry.n > CACHE_ENTRY_BYTES_MAX || place > UINT32_MAX ||
	    !piece_reserve(pending, n, CACHE_PENDING_BYTES_MAX))
		return 0;
	p = pending->p + pending->n;
	memset(p + n - CACHE_UNIT, 0, CACHE_UNIT);
	head.xxh3 = sum_of(entry, cache->nonce, cache->version, emailid);
	memcpy(p, &head, sizeof(head));
	memcpy(p + sizeof(head), entry.p, entry.n);
	pending->n += n;
	cache->added_count++;
	cache->added_bytes += n;
	return (uint32_t)place;
}

enum rp_err cache_check(struct bytes in, uint64_t nonce, unsigned version, uint64_t *emailid,
    struct bytes *entry)
{
	struct cache_head head;

	if (in.n < sizeof(head))
		return RP_ERR_END;
	memcpy(&head, in.p, sizeof(head));
	if (head.zero != 0 || head.bytes == 0 || head.bytes > CACHE_ENTRY_BYTES_MAX)
		return RP_ERR_CORRUPT;
	if (head.bytes > in.n - sizeof(head))
		return RP_ERR_END;
	in = bytes_slice(in, sizeof(head), sizeof(head) + head.bytes);
	if (sum_of(in, nonce, version, head.emailid) != head.xxh3)
		return RP_ERR_CORRUPT;
	*emailid = head.emailid;
	*entry = in;
	return RP_OK;
}

uint64_t cache_stored_bytes(struct bytes entry)
{
	return num_round_up(sizeof(struct cache_head) + entry.n, CACHE_UNIT);
}

/* RP_OK: *entry; RP_ERR_END: it goes on behind these bytes; RP_ERR_NOTFOUND: another's, or damage. */
static enum rp_err read_entry(
    const struct cache *cache, struct bytes in, uint64_t emailid, struct bytes *entry)
{
	uint64_t its;
	enum rp_err err;

	if (in.n >= sizeof(its) && num_get_u64(in.p) != emailid)
		return RP_ERR_NOTFOUND;
	err = cache_check(in, cache->nonce, cache->version, &its, entry);
	return err == RP_ERR_CORRUPT ? RP_ERR_NOTFOUND : err;
}

/* Read on from this offset, into the window. */
static enum rp_err fill_window(struct task *task, struct cache *cache, uint64_t offset)
{
	struct cache_piece *window = &cache->window;
	size_t got;
	enum rp_err err;

	window->n = 0;
	if (!piece_reserve(window, CACHE_WINDOW_BYTES, CACHE_WINDOW_BYTES))
		return RP_ERR_NOMEM;
	cache->window_busy = true;
	err = file_read(task, cache->file, window->p, CACHE_WINDOW_BYTES, offset, &got);
	cache->window_busy = false;
	if (err != RP_OK)
		return err;
	window->from = offset;
	window->n = got;
	return RP_OK;
}

/* One entry alone, into arena memory. */
static enum rp_err read_to_arena(struct task *task, struct cache *cache, uint64_t offset,
    uint64_t emailid, struct arena *arena, struct bytes *entry)
{
	struct cache_head head;
	uint8_t *p;
	size_t got;
	enum rp_err err = file_read(task, cache->file, &head, sizeof(head), offset, &got);

	if (err != RP_OK)
		return err;
	if (got < sizeof(head) || head.emailid != emailid || head.bytes > CACHE_ENTRY_BYTES_MAX)
		return RP_ERR_NOTFOUND;
	p = arena_alloc(arena, sizeof(head) + head.bytes);
	if (p == NULL)
		return RP_ERR_LIMIT;
	err = file_read(task, cache->file, p, sizeof(head) + head.bytes, offset, &got);
	if (err != RP_OK)
		return err;
	err = read_entry(cache, bytes_of(p, got), emailid, entry);
	return err == RP_ERR_END ? RP_ERR_NOTFOUND : err;
}

/* It is large, or somebody else fills the window. */
static enum rp_err read_alone(struct task *task, struct cache *cache, uint64_t offset,
    uint64_t emailid, struct arena *arena, struct bytes *entry)
{
	enum rp_err err;

	cache->reading++;
	err = read_to_arena(task, cache, offset, emailid, arena, entry);
	cache->reading--;
	return err;
}

enum rp_err cache_get(struct task *task, struct cache *cache, uint32_t place, uint64_t emailid,
    struct arena *arena, struct bytes *entry)
{
	uint64_t offset = (uint64_t)place * CACHE_UNIT;
	struct bytes in = piece_at(&cache->pending, offset);
	enum rp_err err;

	if (in.n == 0)
		in = piece_at(&cache->flight, offset);
	if (in.n != 0) {
		err = read_entry(cache, in, emailid, entry);
		return err == RP_ERR_END ? RP_ERR_NOTFOUND : err;
	}
	if (cache->file == NULL)
		return RP_ERR_NOTFOUND;
	if (cache->window_busy)
		return read_alone(task, cache, offset, emailid, arena, entry);
	err = read_entry(cache, piece_at(&cache->window, offset), emailid, entry);
	if (err != RP_ERR_END)
		return err;
	err = fill_window(task, cache, offset);
	if (err == RP_OK)
		err = read_entry(cache, piece_at(&cache->window, offset), emailid, entry);
	if (err == RP_ERR_END)
		err = read_alone(task, cache, offset, emailid, arena, entry);
	return err;
}

/* A part of what could not be written is no entry, and what has just been made without a header no cache. */
static void take_back(struct task *task, struct cache *cache, const char *path)
{
	if (cache->file == NULL)
		return;
	if (cache->flight.from == 0)
		(void)!file_remove(task, FILE_ROOT_DATA, path); /* it stays open: somebody may be reading */
	else
		(void)!file_truncate(task, cache->file, cache->flight.from);
}

static enum rp_err write_flight(struct task *task, struct cache *cache)
{
	char path[VOLUME_PATH_BYTES];
	enum rp_err err = RP_OK;

	cache_path(cache, path);
	if (cache->file == NULL)
		err = dir_make(task, FILE_ROOT_DATA, cache->volume->dir);
	if (err == RP_OK && cache->file == NULL)
		err = file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE | FILE_CREATE,
		    &cache->file);
	if (err == RP_OK)
		err = file_write(
		    task, cache->file, cache->flight.p, cache->flight.n, cache->flight.from, false);
	if (err != RP_OK)
		take_back(task, cache, path);
	return err;
}

static void write_pending(struct task *task, struct mailbox *mailbox)
{
	struct cache *cache = mailbox->cache;

	cache->no_room = false;
	while (cache->pending.n > 0 && !cache->broken && !mailbox->gone) {
		if (!room_ask(task, mailbox->volume->store, cache->pending.n)) {
			cache->no_room = true;
			break;
		}
		cache->flight = cache->pending;
		cache->pending = (struct cache_piece){
			.from = cache->flight.from + cache->flight.n
		};
		cache->broken = write_flight(task, cache) != RP_OK;
		piece_free(&cache->flight);
	}
	cache->writing = false;
}

static void write_task(struct task *task, void *arg)
{
	struct mailbox *mailbox = arg;
	struct store *store = mailbox->volume->store;

	write_pending(task, mailbox);
	mailbox->volume->cache_writes--;
	mailbox_close(mailbox);
	store_task_ended(store);
}

static bool has_room(const struct mailbox *mailbox)
{
	const struct commit *commit = mailbox->volume->store->commit;

	return commit == NULL || commit_room(commit) == COMMIT_ROOM_ENOUGH;
}

size_t cache_pending_bytes(const struct cache *cache)
{
	return cache != NULL ? cache->pending.bytes_max : 0;
}

bool cache_lacks_room(const struct mailbox *mailbox, uint32_t *end)
{
	const struct cache *cache = mailbox->cache;

	if (cache == NULL || cache->writing || cache->broken || cache->pending.n == 0 || has_room(mailbox))
		return false;
	*end = (uint32_t)num_min(cache->pending.from / CACHE_UNIT, UINT32_MAX);
	return true;
}

void cache_write(struct mailbox *mailbox, bool all)
{
	struct cache *cache = mailbox->cache;

	if (cache == NULL || cache->writing || cache->broken ||
	    cache->pending.n < (all ? 1 : CACHE_WRITE_BYTES) || !has_room(mailbox))
		return;
	if (!store_task_start(mailbox->volume->store, "cache", write_task, mailbox))
		return;
	/* It does not run before this returns. */
	mailbox_hold(mailbox);
	mailbox->volume->cache_writes++;
	cache->writing = true;
}

enum rp_err cache_settle(struct task *task, struct mailbox *mailbox)
{
	struct cache *cache = mailbox->cache;
	uint64_t end = cache != NULL ? cache->pending.from + cache->pending.n : 0;
	enum rp_err err = RP_OK;

	while (err == RP_OK && cache != NULL && !mailbox->gone && !cache->broken) {
		if ((cache->flight.n > 0 ? cache->flight.from : cache->pending.from) >= end)
			return RP_OK;
		if (cache->writing) {
			err = task_sleep(task, CACHE_POLL_NS);
		} else {
			cache->writing = true;
			mailbox->volume->cache_writes++;
			write_pending(task, mailbox);
			mailbox->volume->cache_writes--;
			if (cache->no_room && !mailbox->gone)
				return RP_ERR_NOSPACE;
		}
	}
	return err == RP_OK && cache != NULL && cache->broken ? RP_ERR_IO : err;
}

/* Of so many messages, and as much again: by what has been added lately, if that is more than is usual. */
static uint64_t bytes_enough(const struct cache *cache, uint64_t messages)
{
	uint64_t each = CACHE_ENTRY_BYTES_USUAL;

	if (cache->added_count > 0)
		each = num_max(each, cache->added_bytes / cache->added_count);
	return CACHE_SPARE_BYTES + 2 * messages * each;
}

bool cache_is_wasteful(const struct mailbox *mailbox)
{
	const struct cache *cache = mailbox->cache;

	return cache != NULL && !mailbox->gone &&
	       (cache->broken || cache->pending.from + cache->pending.n >
	                             bytes_enough(cache, mailbox_entry(mailbox)->messages_count));
}

void cache_drop(struct task *task, struct mailbox *mailbox)
{
	struct cache *cache = mailbox->cache;
	char path[VOLUME_PATH_BYTES];

	if (cache == NULL || mailbox->gone || cache->writing || cache->window_busy ||
	    cache->reading > 0)
		return;
	cache_path(cache, path);
	mailbox->cache = NULL;
	cache_close(cache);
	(void)!file_remove(task, FILE_ROOT_DATA, path); /* else the next checkpoint does */
}
