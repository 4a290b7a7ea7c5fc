/* The writing half of change.h. */
#include "index/change.h"

#include "io/base/num.h"

/* Bytes of an item before its fields. */
enum { ITEM_HEAD_BYTES = 5, ROWS_COUNT_BYTES = 4 };

/* Putting: room for the most that it can take was asked for before. */

static void put_u8(struct change_writer *writer, unsigned v)
{
	writer->p[writer->n++] = (uint8_t)v;
}

static void put_u32(struct change_writer *writer, uint32_t v)
{
	num_put_u32(writer->p + writer->n, v);
	writer->n += 4;
}

static void put_u64(struct change_writer *writer, uint64_t v)
{
	num_put_u64(writer->p + writer->n, v);
	writer->n += 8;
}

static void put_varint(struct change_writer *writer, uint64_t v)
{
	while (v >= 0x80) {
		put_u8(writer, (unsigned)(v & 0x7f) | 0x80);
		v >>= 7;
	}
	put_u8(writer, (unsigned)v);
}

static void put_signed(struct change_writer *writer, int64_t v)
{
	put_varint(writer, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

static void put_delta(struct change_writer *writer, uint64_t before, uint64_t v)
{
	put_signed(writer, (int64_t)(v - before));
}

static void put_name(struct change_writer *writer, struct bytes name)
{
	put_varint(writer, name.n);
	memcpy(writer->p + writer->n, name.p, name.n);
	writer->n += name.n;
}

static bool has_room(const struct change_writer *writer, size_t n)
{
	return n <= writer->bytes_max - writer->n;
}

/* Begin an item whose fields take n bytes at most besides a name. False: no room. */
static bool item_begin(struct change_writer *writer, enum change_item_type type, size_t n)
{
	RP_ASSERT(writer->item == 0);
	if (!has_room(writer, ITEM_HEAD_BYTES + n))
		return false;
	writer->item = writer->n;
	put_u8(writer, type);
	put_u32(writer, 0);
	return true;
}

static bool item_end(struct change_writer *writer)
{
	size_t fields = writer->item + ITEM_HEAD_BYTES;

	RP_ASSERT(writer->n <= writer->bytes_max);
	num_put_u32(writer->p + writer->item + 1, (uint32_t)(writer->n - fields));
	writer->item = 0;
	return true;
}

enum { PRELUDE_BYTES = 6, LAST_OFFSET = 5 };

void change_begin(struct change_writer *writer, uint8_t *p, size_t bytes_max, uint32_t part)
{
	RP_ASSERT(bytes_max >= PRELUDE_BYTES && bytes_max <= CHANGE_PAYLOAD_BYTES_MAX);
	*writer = (struct change_writer){ .p = p, .bytes_max = bytes_max };
	put_u8(writer, CHANGE_VERSION);
	put_u32(writer, part);
	put_u8(writer, 0);
}

bool change_is_empty(const struct change_writer *writer)
{
	return writer->n == PRELUDE_BYTES;
}

struct bytes change_finish(struct change_writer *writer, bool last)
{
	RP_ASSERT(writer->item == 0);
	writer->p[LAST_OFFSET] = last ? 1 : 0;
	return bytes_of(writer->p, writer->n);
}

bool change_put_mailbox(struct change_writer *writer, uint64_t mailboxid, uint32_t uidvalidity,
    unsigned special_use, struct bytes name)
{
	RP_ASSERT(name.n > 0 && name.n <= CHANGE_NAME_BYTES_MAX);
	if (!item_begin(writer, CHANGE_ITEM_MAILBOX, CHANGE_ITEM_BYTES_MAX + name.n))
		return false;
	put_varint(writer, mailboxid);
	put_varint(writer, uidvalidity);
	put_varint(writer, special_use);
	put_name(writer, name);
	return item_end(writer);
}

bool change_put_gone(struct change_writer *writer, uint64_t mailboxid, uint64_t seconds)
{
	enum change_item_type type = seconds != 0 ? CHANGE_ITEM_GONE_AT : CHANGE_ITEM_GONE;

	if (!item_begin(writer, type, CHANGE_ITEM_BYTES_MAX))
		return false;
	put_varint(writer, mailboxid);
	if (seconds != 0)
		put_varint(writer, seconds);
	return item_end(writer);
}

static bool put_id_and_name(struct change_writer *writer, enum change_item_type type,
    uint64_t mailboxid, struct bytes name)
{
	RP_ASSERT(name.n > 0 && name.n <= CHANGE_NAME_BYTES_MAX);
	if (!item_begin(writer, type, CHANGE_ITEM_BYTES_MAX + name.n))
		return false;
	put_varint(writer, mailboxid);
	put_name(writer, name);
	return item_end(writer);
}

bool change_put_kept_name(struct change_writer *writer, uint64_t mailboxid, struct bytes name)
{
	return put_id_and_name(writer, CHANGE_ITEM_KEPT_NAME, mailboxid, name);
}

bool change_put_name(struct change_writer *writer, uint64_t mailboxid, struct bytes name)
{
	return put_id_and_name(writer, CHANGE_ITEM_NAME, mailboxid, name);
}

bool change_put_subscription(struct change_writer *writer, struct bytes name, bool on)
{
	RP_ASSERT(name.n > 0 && name.n <= CHANGE_NAME_BYTES_MAX);
	if (!item_begin(writer, CHANGE_ITEM_SUBSCRIPTION, CHANGE_ITEM_BYTES_MAX + name.n))
		return false;
	put_u8(writer, on);
	put_name(writer, name);
	return item_end(writer);
}

bool change_put_counters(
    struct change_writer *writer, uint64_t mailboxid, const struct change_counters *counters)
{
	if (!item_begin(writer, CHANGE_ITEM_COUNTERS, CHANGE_ITEM_BYTES_MAX))
		return false;
	put_varint(writer, mailboxid);
	put_varint(writer, counters->uidnext);
	put_varint(writer, counters->messages_count);
	put_varint(writer, counters->unseen_count);
	put_varint(writer, counters->deleted_count);
	put_varint(writer, counters->bytes);
	return item_end(writer);
}

bool change_put_sums(struct change_writer *writer, const struct change_sums *sums)
{
	if (!item_begin(writer, CHANGE_ITEM_SUMS, CHANGE_ITEM_BYTES_MAX))
		return false;
	put_varint(writer, sums->mailboxid_next);
	put_varint(writer, sums->uidvalidity_last);
	put_varint(writer, sums->messages_count);
	put_varint(writer, sums->bytes);
	return item_end(writer);
}

bool change_put_destroyed(struct change_writer *writer)
{
	return item_begin(writer, CHANGE_ITEM_DESTROYED, 0) && item_end(writer);
}

bool change_put_delivery(struct change_writer *writer, const struct delivery *delivery)
{
	if (!item_begin(writer, CHANGE_ITEM_DELIVERY, CHANGE_ITEM_BYTES_MAX))
		return false;
	put_u64(writer, delivery->key.low);
	put_u64(writer, delivery->key.high);
	put_varint(writer, delivery->seconds);
	return item_end(writer);
}

bool change_put_body(
    struct change_writer *writer, uint64_t mailboxid, uint32_t uid, struct dbox_ref body)
{
	if (!item_begin(writer, CHANGE_ITEM_BODY, CHANGE_ITEM_BYTES_MAX))
		return false;
	put_varint(writer, mailboxid);
	put_varint(writer, uid);
	put_varint(writer, body.file);
	put_varint(writer, body.offset);
	return item_end(writer);
}

bool change_put_file_gone(struct change_writer *writer, uint32_t file)
{
	if (!item_begin(writer, CHANGE_ITEM_FILE_GONE, CHANGE_ITEM_BYTES_MAX))
		return false;
	put_varint(writer, file);
	return item_end(writer);
}

/* The count of runs comes first, so how many fit is asked before: the room for one run more is the count's own.
 * True: the last one is in. */
static bool put_runs(struct change_writer *writer, const struct runs *uids, size_t *at)
{
	size_t room = writer->bytes_max - writer->n - CHANGE_RUN_BYTES_MAX;
	size_t n = uids->count - *at;
	uint32_t last = 0;

	if (n > room / CHANGE_RUN_BYTES_MAX)
		n = room / CHANGE_RUN_BYTES_MAX;
	put_varint(writer, n);
	for (size_t i = *at; i < *at + n; i++) {
		put_varint(writer, uids->run[i].first - last);
		put_varint(writer, uids->run[i].last - uids->run[i].first);
		last = uids->run[i].last;
	}
	*at += n;
	return *at == uids->count;
}

bool change_put_flag(struct change_writer *writer, uint64_t mailboxid, unsigned flag,
    struct bytes keyword, bool on, const struct runs *uids, size_t *at)
{
	bool all;

	RP_ASSERT(flag < CHANGE_FLAG_KEYWORD ||
		  (flag == CHANGE_FLAG_KEYWORD && keyword.n > 0 &&
		      keyword.n <= MAILBOX_KEYWORD_BYTES_MAX));
	if (*at == uids->count)
		return true;
	if (!item_begin(writer, CHANGE_ITEM_FLAG,
		CHANGE_ITEM_BYTES_MAX + keyword.n + CHANGE_RUN_BYTES_MAX))
		return false;
	put_varint(writer, mailboxid);
	put_u8(writer, flag);
	put_u8(writer, on);
	if (flag == CHANGE_FLAG_KEYWORD)
		put_name(writer, keyword);
	all = put_runs(writer, uids, at);
	item_end(writer);
	return all;
}

bool change_put_expunged(struct change_writer *writer, uint64_t mailboxid, uint64_t seconds,
    const struct runs *uids, size_t *at)
{
	enum change_item_type type = seconds != 0 ? CHANGE_ITEM_EXPUNGED_AT : CHANGE_ITEM_EXPUNGED;
	bool all;

	if (*at == uids->count)
		return true;
	if (!item_begin(writer, type, CHANGE_ITEM_BYTES_MAX + CHANGE_RUN_BYTES_MAX))
		return false;
	put_varint(writer, mailboxid);
	if (seconds != 0)
		put_varint(writer, seconds);
	all = put_runs(writer, uids, at);
	item_end(writer);
	return all;
}

bool change_put_kept_keyword(struct change_writer *writer, uint64_t mailboxid,
    struct bytes keyword, const struct runs *uids, size_t *at)
{
	bool all;

	RP_ASSERT(keyword.n > 0 && keyword.n <= MAILBOX_KEYWORD_BYTES_MAX);
	if (*at == uids->count)
		return true;
	if (!item_begin(writer, CHANGE_ITEM_KEPT_KEYWORD,
	        CHANGE_ITEM_BYTES_MAX + keyword.n + CHANGE_RUN_BYTES_MAX))
		return false;
	put_varint(writer, mailboxid);
	put_name(writer, keyword);
	all = put_runs(writer, uids, at);
	item_end(writer);
	return all;
}

bool change_put_brought_back(
    struct change_writer *writer, uint64_t mailboxid, const struct runs *uids, size_t *at)
{
	bool all;

	if (*at == uids->count)
		return true;
	if (!item_begin(
	        writer, CHANGE_ITEM_BROUGHT_BACK, CHANGE_ITEM_BYTES_MAX + CHANGE_RUN_BYTES_MAX))
		return false;
	put_varint(writer, mailboxid);
	all = put_runs(writer, uids, at);
	item_end(writer);
	return all;
}

static bool rows_begin(
    struct change_writer *writer, uint64_t mailboxid, uint64_t seconds, uint32_t first_uid)
{
	enum change_item_type type = seconds != 0 ? CHANGE_ITEM_KEPT : CHANGE_ITEM_ROWS;

	if (!item_begin(writer, type, CHANGE_ITEM_BYTES_MAX + CHANGE_ROW_BYTES_MAX))
		return false;
	put_varint(writer, mailboxid);
	if (seconds != 0)
		put_varint(writer, seconds);
	put_varint(writer, first_uid);
	put_u32(writer, 0);
	writer->rows = 0;
	writer->row = (struct change_row){ .uid = first_uid - 1 };
	writer->rows_at = writer->n - ROWS_COUNT_BYTES;
	return true;
}

bool change_rows_begin(struct change_writer *writer, uint64_t mailboxid, uint32_t first_uid)
{
	return rows_begin(writer, mailboxid, 0, first_uid);
}

bool change_kept_begin(
    struct change_writer *writer, uint64_t mailboxid, uint64_t seconds, uint32_t first_uid)
{
	RP_ASSERT(seconds != 0);
	return rows_begin(writer, mailboxid, seconds, first_uid);
}

bool change_rows_put(struct change_writer *writer, const struct change_row *row)
{
	const struct change_row *before = &writer->row;

	RP_ASSERT(writer->item != 0 && row->uid == before->uid + 1 && row->emailid != 0);
	if (!has_room(writer, CHANGE_ROW_BYTES_MAX))
		return false;
	put_varint(writer, row->flags);
	put_delta(writer, (uint64_t)before->internaldate.seconds,
	    (uint64_t)row->internaldate.seconds);
	put_signed(writer, row->internaldate.zone_min);
	put_delta(writer, (uint64_t)row->internaldate.seconds, (uint64_t)row->sent.seconds);
	put_signed(writer, row->sent.zone_min);
	put_varint(writer, row->rfc822_size_bytes);
	put_delta(writer, before->savedate_s, row->savedate_s);
	put_varint(writer, row->body.file);
	put_delta(writer, before->body.offset, row->body.offset);
	put_u64(writer, row->emailid);
	put_varint(writer, row->threadid);
	writer->row = *row;
	writer->rows++;
	return true;
}

void change_rows_end(struct change_writer *writer)
{
	RP_ASSERT(writer->item != 0);
	num_put_u32(writer->p + writer->rows_at, writer->rows);
	item_end(writer);
}
