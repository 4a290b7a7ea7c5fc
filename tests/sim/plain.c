#include "tests/sim/plain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

/* All of index/FORMATS.md. */
enum {
	FILES_MAX = 256,
	AREA_BYTES = 1024,
	HEADER_BYTES = 128,
	SECOND_COPY = 512,
	RECORD_HEADER_BYTES = 96,
	BODY_BLOCK_BYTES = 65536,
};

struct plain_file {
	char name[64];
	const uint8_t *p;
	size_t n;
	uint64_t first; /* of a journal */
	uint64_t last;  /* 0: its name does not tell */
	bool merged;
};

struct files {
	struct sim_world *world;
	char dir[USERID_PATH_BYTES];
	const char *end;
	unsigned count;
	struct plain_file file[FILES_MAX];
};

static uint16_t u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t u32(const uint8_t *p)
{
	return (uint32_t)u16(p) | (uint32_t)u16(p + 2) << 16;
}

static uint64_t u64(const uint8_t *p)
{
	return (uint64_t)u32(p) | (uint64_t)u32(p + 4) << 32;
}

/* ---- files ---- */

static void collect(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	struct files *files = arg;
	size_t n = strlen(path);
	size_t dir = strlen(files->dir);
	struct plain_file *file = &files->file[files->count];
	struct bytes content;

	if (root != FILE_ROOT_DATA || bytes == 0 || strncmp(path, files->dir, dir) != 0 ||
	    n < dir + 1 + strlen(files->end) ||
	    strcmp(path + n - strlen(files->end), files->end) != 0)
		return;
	MODEL_CHECK(files->count < FILES_MAX);
	MODEL_EQ(sim_disk_read(files->world, root, path, &content), RP_OK);
	*file = (struct plain_file){.p = content.p, .n = content.n};
	snprintf(file->name, sizeof(file->name), "%s", path + dir + 1);
	files->count++;
}

/* The nonce of the first copy of its header that is sound; 0: none is. */
static uint64_t nonce_of(const struct plain_file *file)
{
	for (size_t at = 0; at <= SECOND_COPY && at + HEADER_BYTES <= file->n; at += SECOND_COPY)
		if (XXH3_64bits(file->p + at, HEADER_BYTES - 8) ==
		    u64(file->p + at + HEADER_BYTES - 8))
			return u64(file->p + at + 48);
	return 0;
}

/* ---- journals ---- */

static bool parse_journal(struct plain_file *file)
{
	unsigned long long first;
	unsigned long long last = 0;
	char sep;
	int end = 0;

	if (sscanf(file->name, "%llu%c%llu%n", &first, &sep, &last, &end) < 3 &&
	    sscanf(file->name, "%llu%c%n", &first, &sep, &end) < 2)
		return false;
	if ((sep != '-' && sep != '+') || strcmp(file->name + end, ".journal") != 0)
		return false;
	file->first = first;
	file->last = last;
	file->merged = sep == '+';
	return true;
}

static int by_first(const void *a, const void *b)
{
	const struct plain_file *x = a;
	const struct plain_file *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return y->merged - x->merged;
}

/* Bytes of the sound record there; 0: there is none. */
static size_t record_at(
    const struct plain_file *file, size_t at, uint64_t nonce, const struct userid *userid)
{
	const uint8_t *p = file->p + at;
	size_t n;

	if (at + RECORD_HEADER_BYTES > file->n || memcmp(p, "RPRC", 4) != 0 ||
	    memcmp(p + 8, userid->b, USERID_BYTES) != 0 ||
	    u64(p + 40) != file->first || u64(p + 48) != at || /* a record of another place is none here */
	    XXH3_64bits_withSeed(p, RECORD_HEADER_BYTES - 8, nonce) !=
	        u64(p + RECORD_HEADER_BYTES - 8))
		return 0;
	n = RECORD_HEADER_BYTES + u32(p + 72);
	if (at + n > file->n ||
	    XXH3_64bits(p + RECORD_HEADER_BYTES, u32(p + 72)) != u64(p + 80))
		return 0;
	return n;
}

/* Of one that is cut in the last record's eight bytes zeroes stand for the rest: a payload that ends with them lacks nothing. free() its
 * bytes. */
static struct plain_file padded(const struct plain_file *file)
{
	struct plain_file out = *file;
	uint8_t *p = calloc(1, file->n + 8);

	MODEL_CHECK(p != NULL);
	memcpy(p, file->p, file->n);
	out.p = p;
	out.n = (file->n + 7) / 8 * 8;
	return out;
}

/* Those up to `end` that count. */
static void read_journal(struct plain *plain, const struct plain_file *file, uint64_t end,
    const struct userid *userid)
{
	uint64_t nonce = nonce_of(file);
	uint64_t before = file->merged ? file->first - 1 : UINT64_MAX;
	size_t at = AREA_BYTES;
	size_t last_end = at;

	while (nonce != 0 && at < file->n) {
		size_t n = record_at(file, at, nonce, userid);
		uint64_t lsn = n > 0 ? u64(file->p + at + 32) : 0;
		struct plain_record record = {.lsn = lsn, .after = before};
		struct change_reader reader;

		if (n == 0) {
			before = UINT64_MAX; /* damage */
			at += 8;
			continue;
		}
		if (lsn > end)
			return;
		record.bytes = n - RECORD_HEADER_BYTES;
		record.payload = malloc(record.bytes + 1);
		MODEL_CHECK(record.payload != NULL);
		memcpy(record.payload, file->p + at + RECORD_HEADER_BYTES, record.bytes);
		MODEL_EQ(change_open(bytes_of(record.payload, record.bytes), &reader), RP_OK);
		record.part = reader.part;
		record.last = reader.last;
		if (plain->records.count > 0 && lsn <= plain->last_lsn)
			free(record.payload);
		else
			PLAIN_ADD(plain->records, record);
		plain->last_lsn = lsn > plain->last_lsn ? lsn : plain->last_lsn;
		before = file->merged ? lsn : UINT64_MAX;
		at += (n + 7) / 8 * 8;
		last_end = at;
	}
	plain->behind = last_end < file->n ? XXH3_64bits(file->p + last_end, file->n - last_end) : 0;
}

static void read_journals(
    struct plain *plain, struct files *files, const struct userid *userid)
{
	uint64_t void_to = 0; /* what lies in a merged file's range counts no more */
	unsigned count = 0;

	for (unsigned i = 0; i < files->count; i++)
		if (parse_journal(&files->file[i]))
			files->file[count++] = files->file[i];
	files->count = count;
	qsort(files->file, count, sizeof(files->file[0]), by_first);
	for (unsigned i = 0; i < count; i++)
		if (files->file[i].merged && files->file[i].last > void_to)
			void_to = files->file[i].last;
	for (unsigned i = 0; i < count; i++) {
		const struct plain_file *file = &files->file[i];
		uint64_t end = file->last != 0 ? file->last : UINT64_MAX;
		struct plain_file whole;

		if (!file->merged && file->first <= void_to)
			continue;
		if (file->merged && file->last < void_to)
			continue;
		if (i + 1 < count && files->file[i + 1].first <= end && !file->merged)
			end = files->file[i + 1].first - 1;
		whole = padded(file);
		read_journal(plain, &whole, end, userid);
		free((void *)whole.p);
	}
}

/* ---- bodies ---- */

/* xxh3 of each block, and of these, if there are several. */
static bool is_whole(const uint8_t *p, size_t room, uint64_t bytes, uint64_t nonce, uint64_t sums)
{
	size_t blocks = (size_t)((bytes + BODY_BLOCK_BYTES - 1) / BODY_BLOCK_BYTES);
	size_t array = (size_t)(bytes + 7) / 8 * 8;

	if (bytes > room)
		return false;
	if (blocks <= 1)
		return XXH3_64bits_withSeed(p, (size_t)bytes, nonce) == sums;
	if (array + 8 * blocks > room || XXH3_64bits_withSeed(p + array, 8 * blocks, nonce) != sums)
		return false;
	for (size_t i = 0; i < blocks; i++) {
		size_t at = i * BODY_BLOCK_BYTES;
		size_t n = bytes - at < BODY_BLOCK_BYTES ? (size_t)bytes - at : BODY_BLOCK_BYTES;

		if (XXH3_64bits_withSeed(p + at, n, nonce) != u64(p + array + 8 * i))
			return false;
	}
	return true;
}

/* Of a file and those that stand in for it the newest that has the record counts: the others may have what was tried there, and failed. */
static void add_body(struct plain *plain, struct plain_body body)
{
	for (size_t i = 0; i < plain->bodies.count; i++) {
		struct plain_body *other = &plain->bodies.p[i];

		if (other->ref.file != body.ref.file || other->ref.offset != body.ref.offset)
			continue;
		if (body.standin > other->standin)
			*other = body;
		return;
	}
	PLAIN_ADD(plain->bodies, body);
}

static void read_box(struct plain *plain, const struct plain_file *file, const struct userid *userid)
{
	unsigned number;
	unsigned standin = 0;

	MODEL_CHECK(sscanf(file->name, "%u-%u", &number, &standin) >= 1);

	for (size_t at = AREA_BYTES; at + HEADER_BYTES <= file->n; at += 16) {
		const uint8_t *p = file->p + at;
		uint64_t nonce = u64(p + 72);
		struct plain_body body = {.ref = {number, (uint32_t)(at / 16)},
		    .standin = standin,
		    .mailboxid = u64(p + 40),
		    .uid = u32(p + 48),
		    .flags = u32(p + 52),
		    .internaldate = {(int64_t)u64(p + 56), (int16_t)u16(p + 6)},
		    .emailid = u64(p + 64),
		    .bytes = u64(p + 16)};

		if (memcmp(p, "RPDB", 4) != 0 || memcmp(p + 24, userid->b, USERID_BYTES) != 0 ||
		    u64(p + 80) != at ||
		    XXH3_64bits_withSeed(p, HEADER_BYTES - 8, nonce) != u64(p + HEADER_BYTES - 8))
			continue;
		body.sound = is_whole(p + HEADER_BYTES, file->n - at - HEADER_BYTES, u64(p + 8),
		    nonce, u64(p + 88));
		add_body(plain, body);
	}
}

/* ---- what the records say ---- */

struct plain_message *plain_find(const struct plain *plain, uint64_t mailboxid, uint32_t uid)
{
	for (size_t i = 0; i < plain->messages.count; i++)
		if (plain->messages.p[i].mailboxid == mailboxid &&
		    plain->messages.p[i].row.uid == uid)
			return &plain->messages.p[i];
	return NULL;
}

static struct plain_message *have(struct plain *plain, uint64_t mailboxid, uint32_t uid)
{
	struct plain_message *message = plain_find(plain, mailboxid, uid);

	if (message == NULL) {
		struct plain_message fresh = {.mailboxid = mailboxid, .row.uid = uid};

		PLAIN_ADD(plain->messages, fresh);
		message = &plain->messages.p[plain->messages.count - 1];
	}
	return message;
}

static struct plain_mailbox *have_mailbox(struct plain *plain, uint64_t mailboxid)
{
	struct plain_mailbox fresh = {.mailboxid = mailboxid};

	for (size_t i = 0; i < plain->mailboxes.count; i++)
		if (plain->mailboxes.p[i].mailboxid == mailboxid)
			return &plain->mailboxes.p[i];
	PLAIN_ADD(plain->mailboxes, fresh);
	return &plain->mailboxes.p[plain->mailboxes.count - 1];
}

static uint32_t keyword_bit(struct bytes name)
{
	for (unsigned k = 0; k < MODEL_KEYWORDS; k++)
		if (bytes_eq(name, bytes_of_str(model_keyword(k))))
			return 1u << k;
	assert_panic("a keyword that nobody has given");
}

static void take_rows(struct plain *plain, const struct change_item *item, uint64_t lsn)
{
	struct change_rows rows = item->rows;
	bool kept = item->type == CHANGE_ITEM_KEPT;

	while (change_rows_next(&rows)) {
		struct plain_message *message = have(plain, item->mailboxid, rows.row.uid);

		/* A merge may leave the row of one that is kept, too, and then with the place that it had once. */
		if (!kept && (message->told || message->expunged))
			continue;
		message->row = rows.row;
		message->modseq = lsn;
		message->told = true;
		message->there = !kept;
		message->expunged = kept;
		message->seconds = kept ? item->seconds : 0;
	}
}

static void take_flag(
    const struct change_item *item, struct plain_message *message, uint64_t lsn)
{
	bool keyword = item->flag == CHANGE_FLAG_KEYWORD;
	uint32_t *flags = keyword ? &message->keywords : &message->row.flags;
	struct plain_later *later = keyword ? &message->keywords_later : &message->flags_later;
	uint32_t bit = keyword ? keyword_bit(item->name) : 1u << item->flag;

	if (!message->told) {
		later->named |= bit;
		later->on = item->on ? later->on | bit : later->on & ~bit;
	}
	if (!message->there)
		return;
	*flags = item->on ? *flags | bit : *flags & ~bit;
	message->modseq = lsn;
}

static void take_runs(struct plain *plain, const struct change_item *item, uint64_t lsn)
{
	struct change_runs runs = item->runs;
	struct run run;

	while (change_runs_next(&runs, &run, 1) > 0) {
		MODEL_CHECK(run.last - run.first < 100000);
		for (uint32_t uid = run.first; uid <= run.last; uid++) {
			struct plain_message *message = have(plain, item->mailboxid, uid);

			if (item->type == CHANGE_ITEM_FLAG) {
				take_flag(item, message, lsn);
			} else if (item->type == CHANGE_ITEM_BROUGHT_BACK) {
				message->back = true;
			} else {
				message->there = false;
				message->expunged = true;
				if (message->seconds == 0)
					message->seconds = item->seconds;
			}
		}
	}
}

static void take_gone(struct plain *plain, const struct change_item *item)
{
	have_mailbox(plain, item->mailboxid)->gone = true;
	for (size_t i = 0; i < plain->messages.count; i++) {
		struct plain_message *message = &plain->messages.p[i];

		if (message->mailboxid != item->mailboxid || !message->there)
			continue;
		message->there = false;
		message->with_mailbox = true;
		message->seconds = item->seconds;
	}
}

static void take_record(struct plain *plain, const struct plain_record *record)
{
	struct change_reader reader;
	struct change_item item;

	MODEL_EQ(change_open(bytes_of(record->payload, record->bytes), &reader), RP_OK);
	while (change_next(&reader, &item) == RP_OK) {
		struct plain_message *message;

		switch (item.type) {
		case CHANGE_ITEM_MAILBOX:
			have_mailbox(plain, item.mailboxid);
			break;
		case CHANGE_ITEM_GONE:
			take_gone(plain, &item);
			break;
		case CHANGE_ITEM_ROWS:
		case CHANGE_ITEM_KEPT:
			take_rows(plain, &item, record->lsn);
			break;
		case CHANGE_ITEM_FLAG:
		case CHANGE_ITEM_EXPUNGED:
		case CHANGE_ITEM_BROUGHT_BACK:
			take_runs(plain, &item, record->lsn);
			break;
		case CHANGE_ITEM_BODY:
			message = plain_find(plain, item.mailboxid, item.uid);
			if (message == NULL)
				break;
			message->row.body = item.body;
			plain->kept_moved += !message->there;
			break;
		default:
			break;
		}
	}
}

/* A group counts when its last part is there; where a record of it is lost, the rest counts. */
static void take_records(struct plain *plain)
{
	uint64_t before = 0;
	size_t from = 0; /* parts that wait for the last one are records[from, i) */

	for (size_t i = 0; i < plain->records.count; i++) {
		const struct plain_record *record = &plain->records.p[i];
		bool gap = record->lsn != before + 1 && record->after != before;

		plain->gaps += gap;
		if (gap)
			while (from < i)
				take_record(plain, &plain->records.p[from++]);
		if (record->part == 0) { /* what waited never happened */
			plain->voids += from < i;
			from = i;
		}
		while (record->last && from <= i)
			take_record(plain, &plain->records.p[from++]);
		before = record->lsn;
	}
	plain->waiting = from;
}

void plain_take_waiting(struct plain *plain)
{
	while (plain->waiting < plain->records.count)
		take_record(plain, &plain->records.p[plain->waiting++]);
}

static void read_kind(struct files *files, struct machine *machine, const struct userid *userid,
    const char *end)
{
	*files = (struct files){.world = machine->world, .end = end};
	userid_path(userid, files->dir);
	sim_disk_walk(machine->world, collect, files);
}

void plain_read(struct plain *plain, struct machine *machine, const struct userid *userid)
{
	static struct files files;

	*plain = (struct plain){0};
	read_kind(&files, machine, userid, ".journal");
	read_journals(plain, &files, userid);
	read_kind(&files, machine, userid, ".dbox");
	for (unsigned i = 0; i < files.count; i++)
		read_box(plain, &files.file[i], userid);
	take_records(plain);
}

void plain_fini(struct plain *plain)
{
	for (size_t i = 0; i < plain->records.count; i++)
		free(plain->records.p[i].payload);
	free(plain->records.p);
	free(plain->bodies.p);
	free(plain->messages.p);
	free(plain->mailboxes.p);
	*plain = (struct plain){0};
}

const struct plain_body *plain_body_in_place(const struct plain *plain, const struct change_row *row)
{
	for (size_t i = 0; i < plain->bodies.count; i++)
		if (plain->bodies.p[i].ref.file == row->body.file &&
		    plain->bodies.p[i].ref.offset == row->body.offset &&
		    plain->bodies.p[i].emailid == row->emailid)
			return &plain->bodies.p[i];
	return NULL;
}

const struct plain_body *plain_body_of(const struct plain *plain, uint64_t mailboxid, uint32_t uid)
{
	for (size_t i = 0; i < plain->bodies.count; i++)
		if (plain->bodies.p[i].mailboxid == mailboxid && plain->bodies.p[i].uid == uid &&
		    plain->bodies.p[i].sound)
			return &plain->bodies.p[i];
	return NULL;
}

const struct plain_body *plain_body_with(const struct plain *plain, uint64_t emailid, uint64_t bytes)
{
	for (size_t i = 0; i < plain->bodies.count; i++)
		if (plain->bodies.p[i].emailid == emailid && plain->bodies.p[i].bytes == bytes &&
		    plain->bodies.p[i].sound)
			return &plain->bodies.p[i];
	return NULL;
}

bool plain_has_record(const struct plain *plain, uint64_t lsn)
{
	for (size_t i = 0; i < plain->records.count; i++)
		if (plain->records.p[i].lsn == lsn)
			return true;
	return false;
}

bool plain_is_gone(const struct plain *plain, uint64_t mailboxid)
{
	for (size_t i = 0; i < plain->mailboxes.count; i++)
		if (plain->mailboxes.p[i].mailboxid == mailboxid)
			return plain->mailboxes.p[i].gone;
	return false;
}
