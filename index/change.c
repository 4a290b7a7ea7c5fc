/* The reading half of change.h. */
#include "index/change.h"

#include "io/base/num.h"

const char *change_type_name(unsigned type)
{
	static const char *const names[CHANGE_TYPE_COUNT] = {
		[CHANGE_INIT] = "init",
		[CHANGE_CREATE] = "create",
		[CHANGE_DELETE] = "delete",
		[CHANGE_RENAME] = "rename",
		[CHANGE_SUBSCRIBE] = "subscribe",
		[CHANGE_APPEND] = "append",
		[CHANGE_STORE] = "store",
		[CHANGE_EXPUNGE] = "expunge",
		[CHANGE_COPY] = "copy",
		[CHANGE_MOVE] = "move",
		[CHANGE_DESTROY] = "destroy",
		[CHANGE_COMPACT] = "compact",
		[CHANGE_UNDELETE] = "undelete",
	};

	return type < CHANGE_TYPE_COUNT && names[type] != NULL ? names[type] : "unknown";
}

/* Each takes something off the front of *in; false: it is not there. */

static bool take_u8(struct bytes *in, uint8_t *out)
{
	if (in->n < 1)
		return false;
	*out = in->p[0];
	*in = bytes_from(*in, 1);
	return true;
}

static bool take_u32(struct bytes *in, uint32_t *out)
{
	if (in->n < 4)
		return false;
	*out = num_get_u32(in->p);
	*in = bytes_from(*in, 4);
	return true;
}

static bool take_u64(struct bytes *in, uint64_t *out)
{
	if (in->n < 8)
		return false;
	*out = num_get_u64(in->p);
	*in = bytes_from(*in, 8);
	return true;
}

/* Seven bits a byte, the lowest first. */
static bool take_varint(struct bytes *in, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 10 && i < in->n; i++) {
		uint8_t b = in->p[i];

		if (i == 9 && b > 1)
			return false; /* over 64 bits */
		v |= (uint64_t)(b & 0x7f) << (7 * i);
		if (b < 0x80) {
			*in = bytes_from(*in, i + 1);
			*out = v;
			return v <= max;
		}
	}
	return false;
}

static bool take_varint32(struct bytes *in, uint32_t *out)
{
	uint64_t v;

	if (!take_varint(in, UINT32_MAX, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

/* Signed: 0, -1, 1, -2, ... are 0, 1, 2, 3, ... */
static bool take_signed(struct bytes *in, int64_t *out)
{
	uint64_t v;

	if (!take_varint(in, UINT64_MAX, &v))
		return false;
	*out = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
	return true;
}

static bool take_zone(struct bytes *in, int16_t *out)
{
	int64_t v;

	if (!take_signed(in, &v) || v < INT16_MIN || v > INT16_MAX)
		return false;
	*out = (int16_t)v;
	return true;
}

/* A number told by its difference from the one before it; it wraps, so any difference is sound. */
static bool take_delta(struct bytes *in, uint64_t before, uint64_t *out)
{
	int64_t v;

	if (!take_signed(in, &v))
		return false;
	*out = before + (uint64_t)v;
	return true;
}

static bool take_delta32(struct bytes *in, uint32_t before, uint32_t *out)
{
	uint64_t v;

	if (!take_delta(in, before, &v) || v > UINT32_MAX)
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool take_bool(struct bytes *in, bool *out)
{
	uint8_t v;

	if (!take_u8(in, &v) || v > 1)
		return false;
	*out = v == 1;
	return true;
}

static bool take_name(struct bytes *in, size_t bytes_max, struct bytes *out)
{
	uint64_t n;

	if (!take_varint(in, bytes_max, &n) || n == 0 || n > in->n)
		return false;
	*out = bytes_slice(*in, 0, (size_t)n);
	*in = bytes_from(*in, (size_t)n);
	return true;
}

/* Ids count from 1. */
static bool take_mailboxid(struct bytes *in, uint64_t *out)
{
	return take_varint(in, UINT64_MAX - 1, out) && *out != 0;
}

static bool take_run(struct change_runs *runs, struct run *out)
{
	uint32_t gap;
	uint32_t more;

	if (!take_varint32(&runs->rest, &gap) || !take_varint32(&runs->rest, &more))
		return false;
	if (gap == 0 || gap > UINT32_MAX - runs->last)
		return false;
	out->first = runs->last + gap;
	if (more > UINT32_MAX - out->first)
		return false;
	out->last = out->first + more;
	runs->last = out->last;
	return true;
}

/* The runs are all of the rest of an item. */
static bool take_runs(struct bytes *in, struct change_runs *out)
{
	struct change_runs walk;
	struct run run;

	*out = (struct change_runs){ 0 };
	if (!take_varint32(in, &out->left))
		return false;
	out->rest = *in;
	walk = *out;
	for (uint32_t i = 0; i < out->left; i++)
		if (!take_run(&walk, &run))
			return false;
	*in = walk.rest;
	return true;
}

static bool take_row(struct change_rows *rows)
{
	struct bytes *in = &rows->rest;
	struct change_row row = rows->row; /* what is told by its difference */
	uint64_t seconds;
	uint64_t sent;

	if (!take_varint32(in, &row.flags) || row.flags > (1u << CHANGE_FLAG_KEYWORD) - 1)
		return false;
	if (!take_delta(in, (uint64_t)rows->row.internaldate.seconds, &seconds) ||
	    !take_zone(in, &row.internaldate.zone_min) || !take_delta(in, seconds, &sent) ||
	    !take_zone(in, &row.sent.zone_min))
		return false;
	row.internaldate.seconds = (int64_t)seconds;
	row.sent.seconds = (int64_t)sent;
	if (!take_varint32(in, &row.rfc822_size_bytes) ||
	    !take_delta32(in, rows->row.savedate_s, &row.savedate_s) ||
	    !take_varint32(in, &row.body.file) ||
	    !take_delta32(in, rows->row.body.offset, &row.body.offset) ||
	    !take_u64(in, &row.emailid) || row.emailid == 0 ||
	    !take_varint(in, UINT64_MAX, &row.threadid))
		return false;
	if (rows->row.uid == UINT32_MAX)
		return false;
	row.uid++;
	rows->row = row;
	return true;
}

static bool take_rows(struct bytes *in, struct change_rows *out)
{
	struct change_rows walk;
	uint32_t first_uid;

	*out = (struct change_rows){ 0 };
	if (!take_varint32(in, &first_uid) || first_uid == 0 || !take_u32(in, &out->left))
		return false;
	out->row.uid = first_uid - 1;
	out->rest = *in;
	walk = *out;
	for (uint32_t i = 0; i < out->left; i++)
		if (!take_row(&walk))
			return false;
	*in = walk.rest;
	return true;
}

static bool take_counters(struct bytes *in, struct change_counters *out)
{
	return take_varint32(in, &out->uidnext) && out->uidnext != 0 &&
	       take_varint32(in, &out->messages_count) && take_varint32(in, &out->unseen_count) &&
	       take_varint32(in, &out->deleted_count) && take_varint(in, UINT64_MAX, &out->bytes);
}

static bool take_sums(struct bytes *in, struct change_sums *out)
{
	return take_mailboxid(in, &out->mailboxid_next) &&
	       take_varint32(in, &out->uidvalidity_last) &&
	       take_varint(in, UINT64_MAX, &out->messages_count) &&
	       take_varint(in, UINT64_MAX, &out->bytes);
}

static bool take_flag(struct bytes *in, struct change_item *item)
{
	uint8_t flag;

	if (!take_mailboxid(in, &item->mailboxid) || !take_u8(in, &flag) ||
	    flag > CHANGE_FLAG_KEYWORD || !take_bool(in, &item->on))
		return false;
	item->flag = flag;
	if (flag == CHANGE_FLAG_KEYWORD && !take_name(in, MAILBOX_KEYWORD_BYTES_MAX, &item->name))
		return false;
	return take_runs(in, &item->runs);
}

static bool take_mailbox(struct bytes *in, struct change_item *item)
{
	uint64_t special_use;

	if (!take_mailboxid(in, &item->mailboxid) || !take_varint32(in, &item->uidvalidity) ||
	    item->uidvalidity == 0 || !take_varint(in, 0xff, &special_use))
		return false;
	item->special_use = (unsigned)special_use;
	return take_name(in, CHANGE_NAME_BYTES_MAX, &item->name);
}

/* Whose, and when it was no more. */
static bool take_kept(struct bytes *in, struct change_item *item)
{
	return take_mailboxid(in, &item->mailboxid) &&
	       take_varint(in, INT64_MAX, &item->seconds) && item->seconds != 0;
}

static bool take_delivery(struct bytes *in, struct delivery *out)
{
	return take_u64(in, &out->key.low) && take_u64(in, &out->key.high) &&
	       take_varint(in, UINT64_MAX, &out->seconds);
}

static bool take_body(struct bytes *in, struct change_item *item)
{
	return take_mailboxid(in, &item->mailboxid) && take_varint32(in, &item->uid) &&
	       item->uid != 0 && take_varint32(in, &item->body.file) &&
	       take_varint32(in, &item->body.offset);
}

static bool take_item(unsigned type, struct bytes *in, struct change_item *item)
{
	switch (type) {
	case CHANGE_ITEM_MAILBOX:
		return take_mailbox(in, item);
	case CHANGE_ITEM_GONE:
		return take_mailboxid(in, &item->mailboxid);
	case CHANGE_ITEM_NAME:
		return take_mailboxid(in, &item->mailboxid) &&
		       take_name(in, CHANGE_NAME_BYTES_MAX, &item->name);
	case CHANGE_ITEM_SUBSCRIPTION:
		return take_bool(in, &item->on) &&
		       take_name(in, CHANGE_NAME_BYTES_MAX, &item->name);
	case CHANGE_ITEM_COUNTERS:
		return take_mailboxid(in, &item->mailboxid) && take_counters(in, &item->counters);
	case CHANGE_ITEM_SUMS:
		return take_sums(in, &item->sums);
	case CHANGE_ITEM_ROWS:
		return take_mailboxid(in, &item->mailboxid) && take_rows(in, &item->rows);
	case CHANGE_ITEM_FLAG:
		return take_flag(in, item);
	case CHANGE_ITEM_EXPUNGED:
		return take_mailboxid(in, &item->mailboxid) && take_runs(in, &item->runs);
	case CHANGE_ITEM_DESTROYED:
		return true;
	case CHANGE_ITEM_DELIVERY:
		return take_delivery(in, &item->delivery);
	case CHANGE_ITEM_BODY:
		return take_body(in, item);
	case CHANGE_ITEM_FILE_GONE:
		return take_varint32(in, &item->body.file) && item->body.file != 0;
	case CHANGE_ITEM_EXPUNGED_AT:
		return take_kept(in, item) && take_runs(in, &item->runs);
	case CHANGE_ITEM_GONE_AT:
		return take_kept(in, item);
	case CHANGE_ITEM_KEPT:
		return take_kept(in, item) && take_rows(in, &item->rows);
	case CHANGE_ITEM_KEPT_KEYWORD:
		return take_mailboxid(in, &item->mailboxid) &&
		       take_name(in, MAILBOX_KEYWORD_BYTES_MAX, &item->name) &&
		       take_runs(in, &item->runs);
	case CHANGE_ITEM_KEPT_NAME:
		return take_mailboxid(in, &item->mailboxid) &&
		       take_name(in, CHANGE_NAME_BYTES_MAX, &item->name);
	case CHANGE_ITEM_BROUGHT_BACK:
		return take_mailboxid(in, &item->mailboxid) && take_runs(in, &item->runs);
	default:
		return false;
	}
}

/* That a time is told makes no other effect. */
static enum change_item_type effect_of(uint8_t type)
{
	if (type == CHANGE_ITEM_EXPUNGED_AT)
		return CHANGE_ITEM_EXPUNGED;
	return type == CHANGE_ITEM_GONE_AT ? CHANGE_ITEM_GONE : (enum change_item_type)type;
}

enum rp_err change_open(struct bytes payload, struct change_reader *reader)
{
	struct change_reader opened = { .rest = payload };
	uint8_t version;

	if (!take_u8(&opened.rest, &version) || version != CHANGE_VERSION ||
	    !take_u32(&opened.rest, &opened.part) || !take_bool(&opened.rest, &opened.last))
		return RP_ERR_CORRUPT;
	*reader = opened;
	return RP_OK;
}

enum rp_err change_next(struct change_reader *reader, struct change_item *item)
{
	struct change_item found = { 0 };
	struct bytes rest = reader->rest;
	struct bytes fields;
	uint8_t type;
	uint32_t n;

	if (rest.n == 0)
		return RP_ERR_END;
	if (!take_u8(&rest, &type) || !take_u32(&rest, &n) || n > rest.n)
		return RP_ERR_CORRUPT;
	fields = bytes_slice(rest, 0, n);
	if (!take_item(type, &fields, &found) || fields.n != 0)
		return RP_ERR_CORRUPT;
	found.type = effect_of(type);
	*item = found;
	reader->rest = bytes_from(rest, n);
	return RP_OK;
}

enum rp_err change_check(struct bytes payload)
{
	struct change_reader reader;
	struct change_item item;
	enum rp_err err = change_open(payload, &reader);

	while (err == RP_OK)
		err = change_next(&reader, &item);
	return err == RP_ERR_END ? RP_OK : err;
}

size_t change_runs_next(struct change_runs *runs, struct run *out, size_t max)
{
	size_t n = 0;

	while (n < max && runs->left > 0 && take_run(runs, &out[n])) {
		runs->left--;
		n++;
	}
	return n;
}

bool change_rows_next(struct change_rows *rows)
{
	if (rows->left == 0 || !take_row(rows))
		return false;
	rows->left--;
	return true;
}
