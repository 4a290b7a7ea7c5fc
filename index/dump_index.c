/* An index, for dump.h: its sections, then row by row what its UIDs, columns and flags say. A section that is not sound is shown as such,
 * and its rows as if it were absent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "index/dump_core.h"
#include "index/group.h"
#include "index/index_format.h"
#include "io/base/num.h"

enum { SYSTEM_FLAGS = 5, FLAGS_MAX = SYSTEM_FLAGS + MAILBOX_KEYWORDS_MAX, KEYWORDS_TEXT_BYTES = 512 };

struct bits {
	bool there;
	struct bytes p; /* none: all are set */
};

struct index_dump {
	struct dump *dump;
	struct bytes file;
	uint64_t nonce;
	uint64_t directory;
	/* of the group that is being shown */
	uint32_t group;
	struct bytes column[COLUMN_COUNT];
	struct bits live;
	struct bits flag[FLAGS_MAX];
	unsigned flags_count; /* those behind are of no row */
};

static bool next_entry(const struct index_dump *index, uint64_t *at, struct index_entry *entry)
{
	if (*at >= index->file.n || index->file.n - *at < sizeof(*entry))
		return false;
	memcpy(entry, index->file.p + *at, sizeof(*entry));
	*at += sizeof(*entry);
	return true;
}

static bool section(
    const struct index_dump *index, const struct index_entry *entry, struct bytes *out)
{
	if (entry->offset > index->file.n || entry->bytes > index->file.n - entry->offset)
		return false;
	*out = bytes_of(index->file.p + entry->offset, (size_t)entry->bytes);
	return XXH3_64bits_withSeed(out->p, out->n, index->nonce) == entry->xxh3;
}

static void say_sections(const struct index_dump *index)
{
	struct index_entry entry;
	struct bytes content;
	uint64_t at = index->directory;

	while (index->dump->err == RP_OK && next_entry(index, &at, &entry))
		dump_say(index->dump, "section %u number %u group %u at %llu bytes %llu%s",
		    entry.section, entry.number, entry.group, (unsigned long long)entry.offset,
		    (unsigned long long)entry.bytes,
		    section(index, &entry, &content) ? "" : " (not sound)");
}

static void take_section(struct index_dump *index, const struct index_entry *entry)
{
	struct bytes content;

	if (!section(index, entry, &content))
		return;
	if (entry->section == INDEX_COLUMN && entry->number < COLUMN_COUNT)
		index->column[entry->number] = content;
	else if (entry->section == INDEX_LIVE)
		index->live = (struct bits){ true, content };
	if (entry->section != INDEX_FLAG || entry->number >= FLAGS_MAX)
		return;
	index->flag[entry->number] = (struct bits){ true, content };
	index->flags_count = (unsigned)num_max(index->flags_count, entry->number + 1U);
}

static void take_group(struct index_dump *index, uint32_t group)
{
	struct index_entry entry;
	uint64_t at = index->directory;

	index->group = group;
	index->live = (struct bits){ 0 };
	memset(index->column, 0, sizeof(index->column));
	memset(index->flag, 0, sizeof(index->flag));
	index->flags_count = 0;
	while (next_entry(index, &at, &entry))
		if (entry.group == group)
			take_section(index, &entry);
}

static bool bit(const struct bits *bits, uint32_t row)
{
	if (!bits->there)
		return false;
	return bits->p.n == 0 ||
	       (row / 8 < bits->p.n && (bits->p.p[row / 8] >> row % 8 & 1) != 0);
}

static uint64_t value(const struct index_dump *index, enum column_kind kind, uint32_t row)
{
	size_t width = column_width(kind);
	struct bytes column = index->column[kind];

	if (column.n / width <= row)
		return 0;
	return width == 4 ? num_get_u32(column.p + row * width)
			  : num_get_u64(column.p + row * width);
}

/* " keywords 0 3", or nothing. */
static const char *say_keywords(
    const struct index_dump *index, uint32_t row, char text[KEYWORDS_TEXT_BYTES])
{
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = SYSTEM_FLAGS; i < index->flags_count && n + 16 < KEYWORDS_TEXT_BYTES; i++)
		if (bit(&index->flag[i], row))
			n += (size_t)snprintf(text + n, KEYWORDS_TEXT_BYTES - n, "%s %u",
			    n == 0 ? " keywords" : "", i - SYSTEM_FLAGS);
	return text;
}

static void say_row(const struct index_dump *index, uint32_t uid, uint32_t row)
{
	struct mail_date date =
	    column_unpack_date((int64_t)value(index, COLUMN_INTERNALDATE, row));
	struct mail_date sent = column_unpack_date((int64_t)value(index, COLUMN_SENT, row));
	uint64_t body = value(index, COLUMN_BODY, row);
	char text[KEYWORDS_TEXT_BYTES];
	unsigned flags = 0;

	for (unsigned i = 0; i < SYSTEM_FLAGS; i++)
		flags |= bit(&index->flag[i], row) ? 1U << i : 0;
	dump_say(index->dump,
	    "uid %u modseq %llu flags 0x%02x%s internaldate %lld%+d sent %lld%+d size %llu savedate "
	    "%llu body %u.dbox+%llu cache %llu emailid %016llx threadid %llu%s",
	    uid, (unsigned long long)value(index, COLUMN_MODSEQ, row), flags,
	    say_keywords(index, row, text), (long long)date.seconds, date.zone_min,
	    (long long)sent.seconds, sent.zone_min,
	    (unsigned long long)value(index, COLUMN_SIZE, row),
	    (unsigned long long)value(index, COLUMN_SAVEDATE, row), (uint32_t)body,
	    (unsigned long long)(body >> 32) * 16,
	    (unsigned long long)value(index, COLUMN_CACHE, row) * 8,
	    (unsigned long long)value(index, COLUMN_EMAILID, row),
	    (unsigned long long)value(index, COLUMN_THREADID, row),
	    index->live.there && !bit(&index->live, row) ? " (expunged)" : "");
}

/* The rows of up to 64 UIDs; `row` of all. */
static void say_uids(struct index_dump *index, const struct index_uids *uids, uint64_t *row)
{
	for (uint64_t bits = uids->bits; index->dump->err == RP_OK && bits != 0; bits &= bits - 1) {
		uint32_t group = (uint32_t)(*row / GROUP_ROWS_MAX);

		if (group != index->group)
			take_group(index, group);
		say_row(index, uids->key * 64 + (uint32_t)__builtin_ctzll(bits),
		    (uint32_t)(*row % GROUP_ROWS_MAX));
		*row += 1;
	}
}

static void say_keyword_names(struct index_dump *index, struct bytes content)
{
	char text[DUMP_NAME_BYTES_MAX];

	for (size_t i = 0; i < content.n / sizeof(struct index_keyword); i++) {
		struct index_keyword keyword;

		memcpy(&keyword, content.p + i * sizeof(keyword), sizeof(keyword));
		dump_say(index->dump, "keyword %zu %s", i,
		    dump_name(bytes_of(keyword.text, num_min(keyword.n, sizeof(keyword.text))), text));
	}
}

static void say_history(struct index_dump *index, struct bytes content)
{
	if (content.n < sizeof(struct index_history))
		return;
	dump_say(index->dump, "history complete from modseq %llu",
	    (unsigned long long)num_get_u64(content.p));
	for (size_t at = sizeof(struct index_history);
	     at + sizeof(struct index_expunge) <= content.n; at += sizeof(struct index_expunge)) {
		struct index_expunge expunge;

		memcpy(&expunge, content.p + at, sizeof(expunge));
		dump_say(index->dump, "expunged uids %u:%u modseq %llu", expunge.first, expunge.last,
		    (unsigned long long)expunge.modseq);
	}
}

static void say_content(struct index_dump *index)
{
	struct index_entry entry;
	struct bytes content;
	uint64_t at = index->directory;
	uint64_t row = 0;

	take_group(index, 0);
	while (index->dump->err == RP_OK && next_entry(index, &at, &entry)) {
		if (entry.section < INDEX_UIDS || !section(index, &entry, &content))
			continue;
		if (entry.section == INDEX_KEYWORDS)
			say_keyword_names(index, content);
		if (entry.section == INDEX_HISTORY)
			say_history(index, content);
		for (size_t i = 0; entry.section == INDEX_UIDS &&
		     i < content.n / sizeof(struct index_uids); i++) {
			struct index_uids uids;

			memcpy(&uids, content.p + i * sizeof(uids), sizeof(uids));
			say_uids(index, &uids, &row);
		}
	}
}

void dump_index(struct dump *dump, struct bytes file, const struct format_header *header)
{
	struct index_dump *index = calloc(1, sizeof(*index));

	if (index == NULL) {
		dump->err = RP_ERR_NOMEM;
		return;
	}
	*index = (struct index_dump){ .dump = dump,
		.file = file,
		.nonce = header->nonce,
		.directory = header->extra[INDEX_EXTRA_DIRECTORY] };
	dump_say(dump, "rows %llu last uid %llu modseq %llu",
	    (unsigned long long)header->extra[INDEX_EXTRA_ROWS],
	    (unsigned long long)header->extra[INDEX_EXTRA_LAST_UID],
	    (unsigned long long)header->extra[INDEX_EXTRA_MODSEQ]);
	say_sections(index);
	say_content(index);
	free(index);
}
