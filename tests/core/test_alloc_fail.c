/* Each allocation fails in turn, once, and then that one and all behind it: whoever parses what strangers send says so, gives
 * everything back (the leak sanitizer looks), and does well the next time. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/auth/userfile.h"
#include "core/cli/mail_source.h"
#include "core/imap/command.h"
#include "core/imap/fetch_att.h"
#include "core/imap/flag.h"
#include "core/imap/id_params.h"
#include "core/imap/list_pattern.h"
#include "core/imap/mailbox_name.h"
#include "core/imap/search_key.h"
#include "core/mail/mime_section.h"
#include "core/mail/needle.h"
#include "core/mail/search_text.h"
#include "core/server/config.h"
#include "core/session/message_cache.h"
#include "index/catalog.h"
#include "tests/support/alloc/alloc_fail.h"
#include "tests/support/lmtp/lmtp_play.h"

enum { ALLOCATIONS_MAX = 100 * 1000 };

static char folder[64];
static char path[128];
static struct charset_set charsets;

static void set_up(void)
{
	const char *reason;

	snprintf(folder, sizeof(folder), "/tmp/test_alloc_fail.XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
	cr_assert_eq(charset_init(&charsets, &reason), RP_OK);
}

static void tear_down(void)
{
	static const char *const suffixes[] = { "", ".lock", ".new" };
	char name[200];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
	cr_assert_eq(rmdir(folder), 0, "something was left in the folder");
	charset_fini(&charsets);
}

TestSuite(alloc_fail, .init = set_up, .fini = tear_down, .timeout = 100);

static void write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

/* Run it till nothing fails any more; returns how many allocations it makes. whole: it did all that it should. */
static size_t fail_each(void (*scenario)(bool *whole))
{
	size_t least = SIZE_MAX;

	for (int for_good = 0; for_good < 2; for_good++) {
		bool over = true;
		size_t n;

		for (n = 1; over && n < ALLOCATIONS_MAX; n++) {
			bool whole = true;

			alloc_fail_at(n, for_good ? SIZE_MAX : 1);
			scenario(&whole);
			over = alloc_fail_over();
			cr_assert(whole || over, "nothing failed, and yet it is not whole");
		}
		cr_assert_lt(n, ALLOCATIONS_MAX);
		least = n - 2 < least ? n - 2 : least;
	}
	return least;
}

/* ---- mail ---- */

static const char mail[] =
    "From: =?utf-8?q?a?= <a@b>, (c (d)) e@f\r\nTo: g: h@i, j@k;\r\nSubject: =?iso-2022-jp?b?GyRCRnxLXBsoQg==?=\r\n"
    "Date: Sat, 1 Feb 2020 10:00:00 +0100\r\nMessage-ID: <x@y>\r\nIn-Reply-To: <z>\r\n"
    "Content-Type: multipart/mixed; boundary=\"b b\"; a*0*=utf-8''%41; a*1=\"2\"; a*2=3\r\nContent-Language: de, en\r\n\r\n"
    "--b b\r\nContent-Type: text/plain; charset=gb18030\r\nContent-Transfer-Encoding: base64\r\n"
    "Content-Disposition: attachment; filename*=utf-8''%e4\r\nContent-ID: <1>\r\nContent-Description: what\r\n\r\nYWJj\r\n"
    "--b b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\nTo: a@b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
    "--c\r\n\r\none\r\n--c\r\nContent-Type: text/html\r\n\r\ntwo\r\n--c--\r\n"
    "--b b--\r\n";

static void look_at_cache(struct arena *arena, struct bytes entry, bool *whole)
{
	static const uint32_t part[] = { 2, 1 };
	static const struct bytes names[] = { { (const uint8_t *)"subject", 7 } };
	struct mime_section section = { .part = part, .part_count = 2, .kind = MIME_SECTION_FIELDS, .name = names, .name_count = 1 };
	struct message_cache cache;
	struct mime_range range;
	struct text text;
	struct mime mime;

	cr_assert_eq(message_cache_decode(entry, &cache), RP_OK);
	if (message_cache_mime(&cache, arena, sizeof(mail) - 1, &mime) != RP_OK) {
		*whole = false;
		return;
	}
	(void)!mime_section_find(&mime, &section, &range);
	text_init(&text, arena);
	*whole &= mime_section_fields(&text, bytes_of(mail, sizeof(mail) - 1), &section);
}

static void take_mail_in(bool *whole)
{
	struct arena arena;
	struct bytes entry;
	struct mime mime;

	arena_init(&arena, 16 * 1024 * 1024);
	enum rp_err err = mime_parse(&arena, MIME_FOR_INDEX, bytes_of(mail, sizeof(mail) - 1), &mime);

	cr_assert(err == RP_OK || err == RP_ERR_NOMEM);
	if (err == RP_OK) {
		err = message_cache_encode(&arena, &mime, &entry);
		cr_assert(err == RP_OK || err == RP_ERR_LIMIT);
	}
	if (err == RP_OK)
		look_at_cache(&arena, entry, whole);
	*whole &= err == RP_OK;
	arena_fini(&arena);
}

Test(alloc_fail, mail_is_parsed)
{
	cr_assert_geq(fail_each(take_mail_in), 4);
}

static void search_mail(bool *whole)
{
	static struct search_text search;
	struct bytes block = { (const uint8_t *)mail, bytes_find_bytes(bytes_of_str(mail), BYTES_LIT("\r\n\r\n")) + 2 };
	struct bytes in = BYTES_LIT("GyRCRnxLXBsoQg==");
	struct bytes out;
	static struct search_field fields;
	struct arena arena;
	struct arena scratch;
	struct needle needle;
	struct header_field field;

	arena_init(&arena, 1024 * 1024);
	arena_init(&scratch, 1024 * 1024);
	enum rp_err err = needle_init(&needle, &arena, BYTES_LIT("\xe6\x97\xa5\xe6\x9c\xac"));

	cr_assert(err == RP_OK || err == RP_ERR_NOMEM);
	field.name = BYTES_LIT("Subject");
	field.value = header_find(block, field.name);
	if (err == RP_OK) {
		err = search_field_begin(&fields, &charsets, &field, false, &scratch);
		cr_assert(err == RP_OK || err == RP_ERR_NOMEM);
	}
	if (err == RP_OK) {
		while (search_field_next(&fields, &out))
			cr_assert_leq(out.n, sizeof(fields.folded));
		search_field_end(&fields);
	}
	*whole &= err == RP_OK;
	search_text_begin(&search, &charsets, DECODE_BASE64, charset_find(BYTES_LIT("iso-2022-jp")));
	while (search_text_next(&search, &in, &out))
		cr_assert_leq(out.n, sizeof(search.folded));
	(void)search_text_finish(&search);
	arena_fini(&scratch);
	arena_fini(&arena);
}

Test(alloc_fail, mail_is_searched)
{
	cr_assert_geq(fail_each(search_mail), 2);
}

/* ---- commands ---- */

static enum rp_err read_arguments(const struct command *command, struct arena *arena, struct resp *resp)
{
	struct lex lex = lex_of(command->args);
	struct fetch_modifiers modifiers;
	struct search_args search;
	struct fetch_atts atts;
	struct id_params params;
	struct flag_list flags;
	struct list_args list;
	struct seqset set;
	struct bytes name;
	enum rp_err err = RP_OK;

	switch (command->name[0]) {
	case 'F':
		err = seqset_parse(&lex, arena, false, &set);
		if (err == RP_OK && lex_sp(&lex) == RP_OK)
			err = fetch_atts_parse(&lex, arena, &atts);
		if (err == RP_OK)
			err = fetch_modifiers_parse(&lex, &modifiers);
		for (size_t i = 0; err == RP_OK && i < atts.att_count; i++)
			fetch_att_write(resp, &atts.att[i]);
		return err;
	case 'S':
		return search_args_parse(&lex, arena, &search);
	case 'I':
		err = id_params_parse(&lex, arena, &params);
		if (err == RP_OK)
			id_params_write(resp, &params);
		return err;
	case 'L':
		return list_args_parse(&lex, arena, false, &list);
	case 'K':
		return flag_list_parse(&lex, arena, &flags);
	default:
		err = mailbox_name_parse(&lex, arena, false, &name);
		if (err == RP_OK)
			mailbox_name_write(resp, name);
		return err;
	}
}

/* Arguments large enough that their memory is taken in several pieces. */
static void read_commands(bool *whole)
{
	static const char *const lines[] = {
		"a FETCH %s1:9 (BODY[HEADER.FIELDS (A \"b\\\"c\" {1+}\r\nd)] BODY.PEEK[1.2.3]<1.2> FLAGS) (CHANGEDSINCE 1)\r\n",
		"b SEARCH RETURN (ALL) CHARSET utf-8 UID %s1 OR (NOT SEEN) SUBJECT \"a\\\"b\" HEADER a b KEYWORD x\r\n",
		"c ID (\"a\" \"b\\\\\" \"c\" NIL)\r\n",
		"d LIST (SUBSCRIBED) &AOk- (a* \"b%%\" %%c &AOk-) RETURN (STATUS (MESSAGES))\r\n",
		"e KEEP (\\Seen a b c d e f g h i j k l m n o p q r s t u v w x y z)\r\n",
		"f CREATE &AOkA6QDp-/&2D3eBA-/x\r\n",
	};
	static char numbers[40000];
	static char line[sizeof(numbers) + 1000];
	size_t n = 0;

	for (unsigned i = 1; n < sizeof(numbers) - 20; i++)
		n += (size_t)sprintf(numbers + n, "%u,", 2 * i + 10);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct command command;
		struct arena arena;
		struct rope rope;
		struct resp resp;

		arena_init(&arena, 1024 * 1024);
		rope_init(&rope);
		resp_init(&resp, &rope, false);
		snprintf(line, sizeof(line), lines[i], numbers);
		cr_assert_eq(command_parse(bytes_of_str(line), &command), COMMAND_OK);
		enum rp_err err = read_arguments(&command, &arena, &resp);

		cr_assert(err == RP_OK || err == RP_ERR_LIMIT, "%s: %s", command.name, err_name(err));
		resp_flush(&resp);
		*whole &= err == RP_OK && !rope.failed;
		rope_fini(&rope);
		arena_fini(&arena);
	}
}

Test(alloc_fail, commands_are_read)
{
	cr_assert_geq(fail_each(read_commands), 12);
}

/* ---- LMTP ---- */

static void own(bool begins)
{
	if (begins)
		alloc_fail_hold();
	else
		alloc_fail_go_on();
}

/* What is answered by 250 is stored whole; the rest is told to try again, or the session ends. */
static void take_lmtp(bool *whole)
{
	static const char text[] = "LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<sam+x>\r\nRCPT TO:<kim>\r\nDATA\r\nSubject: x\r\n"
				   "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a--\r\n.\r\n"
				   "MAIL FROM:<a@b>\r\nRCPT TO:<kim>\r\nBDAT 5\r\nhelloBDAT 2 LAST\r\n\r\nQUIT\r\n";
	struct lmtp_play play = { .in = bytes_of(text, sizeof(text) - 1), .own = own, .return_path = true, .on_the_ring = true,
		.cut = 40 };
	size_t delivered = 0;

	lmtp_play(&play);
	for (const char *at = play.out; (at = strstr(at, "250 2.0.0 Delivered")) != NULL; at++)
		delivered++;
	cr_assert_leq(delivered, play.deliveries);
	cr_assert_null(strstr(play.out, "550"));
	for (const char *at = play.stored; (at = strstr(at, "/x: ")) != NULL; at++)
		cr_assert_eq(strncmp(at, "/x: Return-Path: <a@b>\r\nSubject: x\r\n", 36), 0);
	*whole &= delivered == 3;
	lmtp_play_free(&play);
}

Test(alloc_fail, lmtp_takes_mail)
{
	cr_assert_geq(fail_each(take_lmtp), 10);
}

/* ---- files ---- */

static void read_config(bool *whole)
{
	struct config *config = NULL;
	struct config *again = NULL;
	char reason[512] = "";
	char *text = NULL;
	enum rp_err err = config_read(path, &config, reason, sizeof(reason));

	if (err == RP_OK) {
		err = config_to_json(config, &text);
		if (err == RP_OK)
			err = config_of_json(bytes_of_str(text), &again);
		config_free(config);
	} else {
		cr_assert_neq(reason[0], '\0', "one line for a person");
	}
	if (err == RP_OK)
		config_free(again);
	free(text);
	*whole &= err == RP_OK;
}

Test(alloc_fail, a_config_is_read)
{
	write_file("data = /x\nauth { domains = { \"a.example\", \"b.example\" } master_users = { \"m\" } }\n"
		   "tls default { cert = \"/c\" key = \"/k\" }\nlisten a { protocol = imaps address = 127.0.0.1 }\n"
		   "listen b { protocol = lmtp path = \"/l\" }\n");
	cr_assert_geq(fail_each(read_config), 20);
}

#define ID "01000000000000000000000000000000"

static void change_users(bool *whole)
{
	static const struct auth_wire_userid id = { { 2 } };
	struct userdb_fault fault;
	struct userfile file;
	enum rp_err err;

	alloc_fail_hold();
	write_file("# users\nsam:!:" ID "\n");
	alloc_fail_go_on();
	err = userfile_change(path, USERFILE_ADD, BYTES_LIT("kim"), BYTES_LIT("!"), &id, &fault);
	alloc_fail_hold();
	cr_assert_eq(userfile_read(path, &file), RP_OK);
	struct bytes was = BYTES_LIT("# users\nsam:!:" ID "\n");

	cr_assert(bytes_starts_with(bytes_of(file.p, file.n), was));
	cr_assert_eq(file.n > was.n, err == RP_OK, "%s", err_name(err));
	userfile_free(&file);
	alloc_fail_go_on();
	*whole &= err == RP_OK;
}

Test(alloc_fail, a_user_is_added)
{
	cr_assert_geq(fail_each(change_users), 4);
}

static enum rp_err count_mail(void *arg, const struct mail_item *item, const struct mail_place *place)
{
	(void)place;
	cr_assert_gt(item->message.n, 0);
	++*(size_t *)arg;
	return RP_OK;
}

/* Without memory, which is told like any other reason. */
static enum rp_err not_read(void *arg, const char *where, const char *why)
{
	(void)arg;
	cr_assert(where[0] != '\0' && why[0] != '\0');
	return RP_OK;
}

static void read_mbox(bool *whole)
{
	static const struct mail_source_calls calls = { count_mail, not_read };
	size_t count = 0;
	enum rp_err err = mail_source_walk(folder, &calls, &count);

	cr_assert(err == RP_OK || err == RP_ERR_NOMEM);
	*whole &= err == RP_OK && count == 2;
}

Test(alloc_fail, an_mbox_is_read)
{
	write_file("From a@b Sat Jan  3 01:05:34 1996\nSubject: one\n\n>From\n\nFrom c@d Sun Sep  9 01:46:41 2001\n\ntwo\n");
	cr_assert_geq(fail_each(read_mbox), 4);
}

static void keep_names(bool *whole)
{
	static const struct userid user = { { 1 } };
	struct catalog catalog;
	uint8_t *file = NULL;
	size_t file_n = 0;
	enum rp_err err = RP_OK;

	catalog_init(&catalog, (struct hash_key){ 1, 2 });
	for (uint64_t i = 1; i <= 20 && err == RP_OK; i++) {
		char name[8];
		struct change_item item = { .type = CHANGE_ITEM_MAILBOX, .mailboxid = i, .uidvalidity = 1 };

		item.name = bytes_of(name, (size_t)snprintf(name, sizeof(name), "m%d", (int)i));
		err = catalog_apply(&catalog, &item, i);
	}
	if (err == RP_OK)
		err = catalog_encode(&catalog, &user, 1, 5, &file, &file_n);
	catalog_fini(&catalog);
	if (err == RP_OK) {
		catalog_init(&catalog, (struct hash_key){ 3, 4 });
		err = catalog_decode(&catalog, bytes_of(file, file_n), &user);
		cr_assert(err == RP_OK ? catalog.count == 20 : catalog.count == 0, "%zu", catalog.count);
		catalog_fini(&catalog);
	}
	cr_assert(err == RP_OK || err == RP_ERR_NOMEM, "%s", err_name(err));
	free(file);
	*whole &= err == RP_OK;
}

Test(alloc_fail, a_catalog_is_kept)
{
	cr_assert_geq(fail_each(keep_names), 20);
}
