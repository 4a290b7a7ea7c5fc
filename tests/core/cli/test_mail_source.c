#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cli/mail_source.h"

/* What was found, as text: one line a message. */
static char found[4096];
static size_t last_number;

/* What could not be read, likewise. */
static char missed[4096];

static enum rp_err note(void *arg, const struct mail_item *item, const struct mail_place *place)
{
	size_t n = strlen(found);

	(void)arg;
	last_number = place->number;
	snprintf(found + n, sizeof(found) - n, "[%s|%u|%lld|%.*s]", item->mailbox, item->flags,
		(long long)item->internaldate.seconds % 1000000000, BYTES_FMT(item->message));
	return RP_OK;
}

static enum rp_err miss(void *arg, const char *path, const char *why)
{
	size_t n = strlen(missed);

	(void)arg;
	snprintf(missed + n, sizeof(missed) - n, "[%s|%s]", path, why);
	return RP_OK;
}

static const struct mail_source_calls calls = { .found = note, .unreadable = miss };

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
}

static const char *walk(const char *path)
{
	found[0] = '\0';
	missed[0] = '\0';
	cr_assert_eq(mail_source_walk(path, &calls, NULL), RP_OK);
	return found;
}

static char *temporary(void)
{
	static char dir[64];

	strcpy(dir, "/tmp/ringpost-source-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	return dir;
}

Test(mail_source, an_mbox_is_cut_at_its_from_lines_only)
{
	char *dir = temporary();
	char path[128];

	write_file(dir, "box",
		"From a@b Sat Jan  3 01:05:34 1996\nSubject: one\nStatus: RO\n\nFrom here on\n\n>From me\n>>From you\n\n"
		"From c@d Sun Sep  9 01:46:41 2001\nSubject: two\n\nlast\n\n");
	snprintf(path, sizeof(path), "%s/box", dir);
	cr_assert_str_eq(walk(path), "[|8|820631134|Subject: one\nStatus: RO\n\nFrom here on\n\nFrom me\n>From you\n]"
				     "[|0|1|Subject: two\n\nlast\n]");
}

/* The first line decides, by the grammar of RFC 5322: lines of "root:x:0:" are header fields. */
Test(mail_source, a_message_begins_with_a_header_field)
{
	static const char *const mail[] = { "Subject: x\n\ny\n", "X-1:\n", "Subject : x\n", "root:x:0:0:\n" };
	static const char *const none[] = { "hello\nSubject: x\n", "hello world: x\n", " Subject: x\n", ": x\n", "Subject\n: x\n",
		"\nSubject: x\n", "\xc3\xbc: x\n", "Subject" };
	char *dir = temporary();
	char path[128];

	snprintf(path, sizeof(path), "%s/file", dir);
	for (size_t i = 0; i < sizeof(mail) / sizeof(mail[0]); i++) {
		write_file(dir, "file", mail[i]);
		cr_assert_str_neq(walk(path), "", "%s", mail[i]);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		write_file(dir, "file", none[i]);
		cr_assert_str_eq(walk(path), "", "%s", none[i]);
		cr_assert_not_null(strstr(missed, "neither an mbox nor a message"), "%s", none[i]);
	}
}

Test(mail_source, a_maildir_has_flags_and_folders)
{
	char *dir = temporary();
	char sub[256];

	for (const char *const *name = (const char *const[]){ "cur", "new", "tmp", ".Old.2001", ".Old.2001/cur",
		     ".Old.2001/new", NULL }; *name != NULL; name++) {
		snprintf(sub, sizeof(sub), "%s/%s", dir, *name);
		cr_assert_eq(mkdir(sub, 0700), 0);
	}
	write_file(dir, "cur/1.x:2,FS", "a\n");
	write_file(dir, "new/2.x", "b\n");
	write_file(dir, "tmp/3.x", "never\n");
	write_file(dir, ".Old.2001/cur/4.x:2,RT", "c\n");
	walk(dir);
	cr_assert_not_null(strstr(found, "[|10|"));
	cr_assert_not_null(strstr(found, "|a\n]"));
	cr_assert_not_null(strstr(found, "|b\n]"));
	cr_assert_not_null(strstr(found, "[Old/2001|5|"));
	cr_assert_null(strstr(found, "never"));
}

Test(mail_source, folders_become_mailboxes_below)
{
	char *dir = temporary();
	char sub[256];

	snprintf(sub, sizeof(sub), "%s/work", dir);
	cr_assert_eq(mkdir(sub, 0700), 0);
	write_file(dir, "1.eml", "top\n");
	write_file(dir, "work/2.eml", "below\n");
	write_file(dir, ".hidden", "no\n");
	walk(dir);
	cr_assert_not_null(strstr(found, "|top\n]"));
	cr_assert_not_null(strstr(found, "[work|0|"));
	cr_assert_null(strstr(found, "no\n"));
}

Test(mail_source, what_cannot_be_read_is_named_and_the_rest_goes_on)
{
	char *dir = temporary();
	char path[128];

	cr_assert_str_eq(walk("/nowhere/at/all"), "");
	cr_assert_str_eq(missed, "[/nowhere/at/all|No such file or directory]");
	write_file(dir, "1.eml", "one\n");
	write_file(dir, "3.eml", "three\n");
	snprintf(path, sizeof(path), "%s/2.fifo", dir);
	cr_assert_eq(mkfifo(path, 0600), 0);
	walk(dir);
	cr_assert_not_null(strstr(found, "|one\n]"));
	cr_assert_not_null(strstr(found, "|three\n]"));
	cr_assert_not_null(strstr(missed, "2.fifo|not a file]"));
}

Test(mail_source, the_messages_of_an_mbox_are_counted)
{
	char *dir = temporary();
	char path[128];

	write_file(dir, "box", "From a@b Sat Jan  3 01:05:34 1996\n\n1\n\nFrom a@b Sat Jan  3 01:05:34 1996\n\n2\n");
	snprintf(path, sizeof(path), "%s/box", dir);
	walk(path);
	cr_assert_eq(last_number, 2);
	write_file(dir, "one.eml", "Subject: x\n\n1\n");
	snprintf(path, sizeof(path), "%s/one.eml", dir);
	walk(path);
	cr_assert_eq(last_number, 0);
}

Test(mail_source, a_link_back_is_told_and_not_followed)
{
	char *dir = temporary();
	char sub[256];

	snprintf(sub, sizeof(sub), "%s/sub", dir);
	cr_assert_eq(mkdir(sub, 0700), 0);
	write_file(dir, "sub/1.eml", "once\n");
	snprintf(sub, sizeof(sub), "%s/sub/loop", dir);
	cr_assert_eq(symlink("..", sub), 0);
	cr_assert_str_eq(strstr(walk(dir), "once"), "once\n]");
	cr_assert_not_null(strstr(missed, "sub/loop|a link back"));
}

Test(mail_source, folder_names_of_a_maildir_are_utf_7)
{
	char *dir = temporary();
	char sub[256];

	for (const char *const *name = (const char *const[]){ "cur", "new", ".Entw&APw-rfe.Sp&AOQ-t", ".Entw&APw-rfe.Sp&AOQ-t/cur",
		     ".Entw&APw-rfe.Sp&AOQ-t/new", ".R&D", ".R&D/cur", ".R&D/new", NULL }; *name != NULL; name++) {
		snprintf(sub, sizeof(sub), "%s/%s", dir, *name);
		cr_assert_eq(mkdir(sub, 0700), 0);
	}
	write_file(dir, ".Entw&APw-rfe.Sp&AOQ-t/cur/1.x", "a\n");
	write_file(dir, ".R&D/cur/1.x", "b\n");
	walk(dir);
	cr_assert_not_null(strstr(found, "[Entw\xc3\xbcrfe/Sp\xc3\xa4t|"), "%s", found);
	cr_assert_not_null(strstr(found, "[R&D|"), "%s", found);
}
