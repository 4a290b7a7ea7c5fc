#include "index/dump.h"

#include <stdarg.h>
#include <stdio.h>

#include "index/cache.h"
#include "index/catalog.h"
#include "index/dbox/dbox_format.h"
#include "index/dump_core.h"
#include "index/format.h"
#include "index/journal_mark.h"
#include "index/logfile.h"
#include "io/base/num.h"

enum { DUMP_VERSION_MAX = UINT16_MAX };

void dump_say(struct dump *dump, const char *format, ...)
{
	char line[DUMP_LINE_BYTES_MAX];
	va_list args;
	int n;

	if (dump->err != RP_OK)
		return;
	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0)
		return;
	dump->err = dump->fn(dump->arg, bytes_of(line, num_min((uint64_t)n, sizeof(line) - 1)));
}

const char *dump_name(struct bytes name, char text[DUMP_NAME_BYTES_MAX])
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < name.n && n + 5 < DUMP_NAME_BYTES_MAX; i++) {
		uint8_t c = name.p[i];

		if (c >= 0x20 && c != 0x7f && c != '\\') {
			text[n++] = (char)c;
			continue;
		}
		text[n++] = '\\';
		text[n++] = 'x';
		text[n++] = hex[c >> 4];
		text[n++] = hex[c & 15];
	}
	text[n] = 0;
	return text;
}

static const struct dump_kind {
	enum format_magic magic;
	const char *name;
} kinds[] = {
	{ FORMAT_STORE, "store" },
	{ FORMAT_OWNER, "owner" },
	{ FORMAT_LOG, "commit log" },
	{ FORMAT_JOURNAL, "journal" },
	{ FORMAT_DBOX, "dbox" },
	{ FORMAT_CATALOG, "catalog" },
	{ FORMAT_INDEX, "index" },
	{ FORMAT_CACHE, "cache" },
	{ FORMAT_GRAMS, "grams" },
};

/* The first sound header, of either layout: two sectors, or (commit log, store) two blocks. */
static bool find_header(struct bytes file, struct format_header *header, const char **name)
{
	static const size_t at[] = { 0, FORMAT_SECTOR_BYTES, LOGFILE_BLOCK_BYTES };

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			struct bytes in = bytes_from(file, num_min(at[i], file.n));

			if (format_check(in, kinds[k].magic, DUMP_VERSION_MAX, header) != RP_OK)
				continue;
			*name = kinds[k].name;
			return true;
		}
	}
	return false;
}

static void say_header(struct dump *dump, const struct format_header *header, const char *name)
{
	char userid[USERID_TEXT_BYTES + 1];

	userid_format(&header->userid, userid);
	dump_say(dump, "%s version %u user %s epoch %llu lsn %llu number %llu nonce %016llx", name,
	    header->version, userid, (unsigned long long)header->epoch,
	    (unsigned long long)header->lsn, (unsigned long long)header->number,
	    (unsigned long long)header->nonce);
	dump_say(dump, "extra %llu %llu %llu %llu %llu %llu %llu",
	    (unsigned long long)header->extra[0], (unsigned long long)header->extra[1],
	    (unsigned long long)header->extra[2], (unsigned long long)header->extra[3],
	    (unsigned long long)header->extra[4], (unsigned long long)header->extra[5],
	    (unsigned long long)header->extra[6]);
}

static void say_log(struct dump *dump, struct bytes file, uint64_t nonce)
{
	size_t at = LOGFILE_FIRST_OFFSET;

	while (dump->err == RP_OK && at < file.n) {
		struct bytes in = bytes_from(file, at);
		struct logfile_write write;

		if (logfile_check_write(in, nonce, &write) != RP_OK) {
			at += LOGFILE_BLOCK_BYTES;
			continue;
		}
		dump_say(dump, "write at %zu: number %llu durable %llu records %u bytes %u%s", at,
		    (unsigned long long)write.number, (unsigned long long)write.durable,
		    write.records, write.bytes,
		    logfile_write_is_whole(in, &write) ? "" : " (not whole)");
		in = bytes_slice(in, sizeof(write), num_min(num_max(write.bytes, sizeof(write)), in.n));
		dump_records(dump, in, at + sizeof(write), nonce, 0);
		at += num_round_up(num_max(write.bytes, 1), LOGFILE_BLOCK_BYTES);
	}
}

static void say_journal(
    struct dump *dump, struct bytes file, uint64_t nonce, uint64_t first)
{
	size_t at = file.n - num_min(file.n - FORMAT_AREA_BYTES, JOURNAL_MARK_BYTES);
	uint64_t lsn = journal_mark_read(bytes_from(file, at), at, nonce);

	dump_records(dump, bytes_slice(file, FORMAT_AREA_BYTES, lsn != 0 ? at : file.n),
	    FORMAT_AREA_BYTES, nonce, first);
	if (lsn != 0)
		dump_say(dump, "end mark at %zu: lsn %llu", at, (unsigned long long)lsn);
}

static void say_catalog(struct dump *dump, struct bytes file, const struct userid *userid)
{
	struct catalog catalog;
	enum rp_err err;

	catalog_init(&catalog, (struct hash_key){ 0 });
	err = catalog_decode(&catalog, file, userid);
	if (err != RP_OK)
		dump_say(dump, "its entries are not sound (%s)", err_name(err));
	for (size_t i = 0; i < catalog.count; i++) {
		const struct catalog_node *node = catalog.by_name[i];
		char text[DUMP_NAME_BYTES_MAX];

		dump_say(dump,
		    "mailbox %llu%s uidvalidity %u uidnext %u highestmodseq %llu messages %u "
		    "unseen %u deleted %u bytes %llu special_use 0x%x created %llu changed %llu "
		    "index %llu name %s",
		    (unsigned long long)node->entry.mailboxid,
		    node->entry.subscribed ? " (subscribed)" : "", node->entry.uidvalidity,
		    node->entry.uidnext, (unsigned long long)node->entry.highestmodseq,
		    node->entry.messages_count, node->entry.unseen_count,
		    node->entry.deleted_count, (unsigned long long)node->entry.bytes,
		    node->entry.special_use, (unsigned long long)node->created_lsn,
		    (unsigned long long)node->changed_lsn, (unsigned long long)node->index_lsn,
		    dump_name(node->entry.name, text));
	}
	for (size_t i = 0; i < catalog.delivered.count; i++) {
		const struct delivery *delivery = delivered_at(&catalog.delivered, i);

		dump_say(dump, "delivery %016llx%016llx at %llu",
		    (unsigned long long)delivery->key.high, (unsigned long long)delivery->key.low,
		    (unsigned long long)delivery->seconds);
	}
	catalog_fini(&catalog);
}

/* The mailboxes that were there when the file was made: id, UIDVALIDITY, special use, name. */
static void say_names(struct dump *dump, struct bytes file, const struct format_header *header)
{
	uint64_t n = num_min(header->extra[DBOX_EXTRA_NAMES_BYTES], DBOX_NAMES_BYTES_MAX);
	struct bytes names = bytes_slice(file, num_min(FORMAT_AREA_BYTES, file.n),
	    num_min(FORMAT_AREA_BYTES + n, file.n));

	if (names.n == 0)
		return;
	if (dbox_format_xxh3(names, header->nonce) != header->extra[DBOX_EXTRA_NAMES_XXH3]) {
		dump_say(dump, "its names are not sound");
		return;
	}
	for (size_t at = 0, end; dump->err == RP_OK && at < names.n; at = end + 1) {
		char text[DUMP_NAME_BYTES_MAX];

		end = bytes_find(names, at, '\n');
		dump_say(dump, "named: %s", dump_name(bytes_slice(names, at, end), text));
	}
}

/* Records of bodies, by their headers; behind damage it goes on at the next that is sound. */
static void say_dbox(struct dump *dump, struct bytes file, const struct format_header *header)
{
	uint64_t at = num_round_up(
	    FORMAT_AREA_BYTES + num_min(header->extra[DBOX_EXTRA_NAMES_BYTES], file.n),
	    DBOX_RECORD_ALIGN);

	say_names(dump, file, header);
	while (dump->err == RP_OK && at < file.n) {
		struct dbox_record_header record;

		if (dbox_format_check(bytes_from(file, (size_t)at), &header->userid, header->nonce,
			at, &record) != RP_OK) {
			at += DBOX_RECORD_ALIGN;
			continue;
		}
		dump_say(dump,
		    "body at %llu: mailbox %llu uid %u flags 0x%02x internaldate %lld%+d emailid "
		    "%016llx uidvalidity_last %u bytes %llu",
		    (unsigned long long)at, (unsigned long long)record.mailboxid, record.uid,
		    record.flags, (long long)record.internaldate_s, record.internaldate_zone_min,
		    (unsigned long long)record.emailid, record.uidvalidity_last,
		    (unsigned long long)record.body_bytes);
		at += dbox_format_record_bytes(record.stored_bytes);
	}
}

/* What its entries say is the business of whoever rendered them. */
static void say_cache(struct dump *dump, struct bytes file, const struct format_header *header)
{
	size_t at = FORMAT_AREA_BYTES;

	while (dump->err == RP_OK && at < file.n) {
		struct bytes entry;
		uint64_t emailid;

		if (cache_check(bytes_from(file, at), header->nonce, header->version, &emailid,
			&entry) != RP_OK) {
			at += CACHE_UNIT;
			continue;
		}
		dump_say(dump, "entry at %zu: emailid %016llx bytes %zu", at,
		    (unsigned long long)emailid, entry.n);
		at += (size_t)cache_stored_bytes(entry);
	}
}

enum rp_err dump_file(struct bytes file, dump_line_fn *fn, void *arg)
{
	struct dump dump = { .fn = fn, .arg = arg };
	struct format_header header;
	const char *name;

	if (file.n == 0) {
		dump_say(&dump, "empty: its name says all");
		return dump.err;
	}
	if (!find_header(file, &header, &name)) {
		dump_say(&dump, "no sound header of a ringpost file");
		return RP_ERR_CORRUPT;
	}
	say_header(&dump, &header, name);
	if (header.magic == FORMAT_LOG)
		say_log(&dump, file, header.nonce);
	else if (header.magic == FORMAT_JOURNAL && file.n > FORMAT_AREA_BYTES)
		say_journal(&dump, file, header.nonce, header.lsn);
	else if (header.magic == FORMAT_CATALOG)
		say_catalog(&dump, file, &header.userid);
	else if (header.magic == FORMAT_DBOX)
		say_dbox(&dump, file, &header);
	else if (header.magic == FORMAT_INDEX)
		dump_index(&dump, file, &header);
	else if (header.magic == FORMAT_CACHE)
		say_cache(&dump, file, &header);
	return dump.err;
}
