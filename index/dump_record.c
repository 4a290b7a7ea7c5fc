/* Records and their items, for dump.h. */
#include <stdio.h>

#include "index/change.h"
#include "index/dump_core.h"

static void say_runs(struct dump *dump, const char *what, struct change_runs runs)
{
	struct run run[8];
	size_t n;

	while ((n = change_runs_next(&runs, run, 8)) > 0)
		for (size_t i = 0; i < n; i++)
			dump_say(dump, "    %s %u:%u", what, run[i].first, run[i].last);
}

static void say_rows(struct dump *dump, struct change_rows rows)
{
	while (change_rows_next(&rows)) {
		const struct change_row *row = &rows.row;

		dump_say(dump,
		    "    uid %u flags 0x%02x internaldate %lld%+d sent %lld%+d size %u savedate %u "
		    "body %u.dbox+%llu emailid %016llx threadid %llu",
		    row->uid, row->flags, (long long)row->internaldate.seconds,
		    row->internaldate.zone_min, (long long)row->sent.seconds, row->sent.zone_min,
		    row->rfc822_size_bytes, row->savedate_s, row->body.file,
		    (unsigned long long)row->body.offset * 16, (unsigned long long)row->emailid,
		    (unsigned long long)row->threadid);
	}
}

enum { DUMP_TIME_BYTES = 32 };

/* " at 1234567890", or nothing. */
static const char *say_time(const struct change_item *item, char text[DUMP_TIME_BYTES])
{
	text[0] = '\0';
	if (item->seconds != 0)
		snprintf(text, DUMP_TIME_BYTES, " at %llu", (unsigned long long)item->seconds);
	return text;
}

static void say_counters(struct dump *dump, const struct change_item *item)
{
	const struct change_counters *counters = &item->counters;

	dump_say(dump, "  mailbox %llu: uidnext %u messages %u unseen %u deleted %u bytes %llu",
	    (unsigned long long)item->mailboxid, counters->uidnext, counters->messages_count,
	    counters->unseen_count, counters->deleted_count, (unsigned long long)counters->bytes);
}

static void say_item(struct dump *dump, const struct change_item *item)
{
	unsigned long long mailboxid = item->mailboxid;
	char text[DUMP_NAME_BYTES_MAX];
	char time[DUMP_TIME_BYTES];

	switch (item->type) {
	case CHANGE_ITEM_MAILBOX:
		dump_say(dump, "  mailbox %llu: made, uidvalidity %u special_use 0x%x name %s",
		    mailboxid, item->uidvalidity, item->special_use, dump_name(item->name, text));
		return;
	case CHANGE_ITEM_GONE:
		dump_say(dump, "  mailbox %llu: gone%s", mailboxid, say_time(item, time));
		return;
	case CHANGE_ITEM_NAME:
		dump_say(dump, "  mailbox %llu: name %s", mailboxid, dump_name(item->name, text));
		return;
	case CHANGE_ITEM_SUBSCRIPTION:
		dump_say(dump, "  %s %s", item->on ? "subscribed" : "unsubscribed",
		    dump_name(item->name, text));
		return;
	case CHANGE_ITEM_COUNTERS:
		say_counters(dump, item);
		return;
	case CHANGE_ITEM_SUMS:
		dump_say(dump,
		    "  volume: next mailboxid %llu last uidvalidity %u messages %llu bytes %llu",
		    (unsigned long long)item->sums.mailboxid_next, item->sums.uidvalidity_last,
		    (unsigned long long)item->sums.messages_count,
		    (unsigned long long)item->sums.bytes);
		return;
	case CHANGE_ITEM_ROWS:
		dump_say(dump, "  mailbox %llu: %u messages", mailboxid, item->rows.left);
		say_rows(dump, item->rows);
		return;
	case CHANGE_ITEM_FLAG:
		dump_say(dump, "  mailbox %llu: flag %u %s %s", mailboxid, item->flag,
		    item->name.n != 0 ? dump_name(item->name, text) : "", item->on ? "on" : "off");
		say_runs(dump, "uids", item->runs);
		return;
	case CHANGE_ITEM_BODY:
		dump_say(dump, "  mailbox %llu: uid %u body %u.dbox+%llu", mailboxid, item->uid,
		    item->body.file, (unsigned long long)item->body.offset * 16);
		return;
	case CHANGE_ITEM_FILE_GONE:
		dump_say(dump, "  %u.dbox: gone", item->body.file);
		return;
	case CHANGE_ITEM_EXPUNGED:
		dump_say(dump, "  mailbox %llu: expunged%s", mailboxid, say_time(item, time));
		say_runs(dump, "uids", item->runs);
		return;
	case CHANGE_ITEM_DESTROYED:
		dump_say(dump, "  volume: destroyed");
		return;
	case CHANGE_ITEM_DELIVERY:
		dump_say(dump, "  delivery %016llx%016llx at %llu",
		    (unsigned long long)item->delivery.key.high,
		    (unsigned long long)item->delivery.key.low,
		    (unsigned long long)item->delivery.seconds);
		return;
	case CHANGE_ITEM_KEPT:
		dump_say(dump, "  mailbox %llu: %u messages kept, expunged%s", mailboxid,
		    item->rows.left, say_time(item, time));
		say_rows(dump, item->rows);
		return;
	case CHANGE_ITEM_KEPT_KEYWORD:
		dump_say(dump, "  mailbox %llu: kept with %s", mailboxid, dump_name(item->name, text));
		say_runs(dump, "uids", item->runs);
		return;
	case CHANGE_ITEM_KEPT_NAME:
		dump_say(dump, "  mailbox %llu: was %s", mailboxid, dump_name(item->name, text));
		return;
	case CHANGE_ITEM_BROUGHT_BACK:
		dump_say(dump, "  mailbox %llu: brought back", mailboxid);
		say_runs(dump, "uids", item->runs);
		return;
	case CHANGE_ITEM_EXPUNGED_AT: /* read as EXPUNGED and GONE */
	case CHANGE_ITEM_GONE_AT:
		return;
	}
}

static void say_record(struct dump *dump, const struct record *record, uint64_t offset)
{
	const struct record_header *header = &record->header;
	struct change_reader reader = { 0 };
	struct change_item item;
	char userid[USERID_TEXT_BYTES + 1];
	enum rp_err err = change_open(record->payload, &reader);

	userid_format(&header->userid, userid);
	dump_say(dump,
	    "record at %llu: %s lsn %llu user %s epoch %llu flags 0x%x part %u%s journal %llu+%llu "
	    "dbox %llu+%llu payload %u body %u",
	    (unsigned long long)offset, change_type_name(header->type),
	    (unsigned long long)header->lsn, userid, (unsigned long long)header->epoch,
	    header->flags, reader.part, reader.last ? " (last)" : "",
	    (unsigned long long)header->place.journal,
	    (unsigned long long)header->place.journal_offset,
	    (unsigned long long)header->place.dbox, (unsigned long long)header->place.dbox_offset,
	    header->payload_bytes, header->body_bytes);
	while (err == RP_OK && (err = change_next(&reader, &item)) == RP_OK)
		say_item(dump, &item);
	if (err == RP_ERR_CORRUPT)
		dump_say(dump, "  its payload is not sound");
}

void dump_records(
    struct dump *dump, struct bytes in, uint64_t offset, uint64_t nonce, uint64_t journal)
{
	bool with_body = journal == 0;
	size_t at = 0;

	while (dump->err == RP_OK && at < in.n) {
		struct record record;
		uint64_t skip = 0;
		enum rp_err err =
		    record_read(bytes_from(in, at), nonce, with_body, &record, &skip);
		size_t next;

		if (err == RP_ERR_END)
			return;
		if (err == RP_OK && !with_body &&
		    !record_is_in_place(&record.header, journal, offset + at))
			err = RP_ERR_CORRUPT;
		if (err == RP_OK) {
			say_record(dump, &record, offset + at);
			skip = with_body ? record_bytes(&record.header) :
					   record_journal_bytes(&record.header);
			if (skip > in.n - at)
				return;
			at += (size_t)skip;
			continue;
		}
		next = record_find(in, at + RECORD_ALIGN <= in.n ? at + RECORD_ALIGN : in.n, nonce);
		dump_say(dump, "damage at %llu, %llu bytes", (unsigned long long)(offset + at),
		    (unsigned long long)(next - at));
		at = next;
	}
}
