#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cli/mail_source.h"

/* What was found, as text: one line a message. */
static char found[4096];

static enum rp_err note(void *arg, const struct mail_item *item, const char *path)
{
	size_t n = strlen(found);

	(void)arg;
	(void)path;
	snprintf(found + n, sizeof(found) - n, "[%s|%u|%lld|%.*s]", item->mailbox, item->flags,
		(long long)item->internaldate.seconds % 1000000000, BYTES_FMT(item->message));
	return RP_OK;
}

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
	char what[256];

	found[0] = '\0';
	cr_assert_eq(mail_source_walk(path, note, NULL, what, sizeof(what)), RP_OK, "%s", what);
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

Test(mail_source, what_cannot_be_read_is_named)
{
	char what[256];

	cr_assert_eq(mail_source_walk("/nowhere/at/all", note, NULL, what, sizeof(what)), RP_ERR_NOTFOUND);
	cr_assert_not_null(strstr(what, "/nowhere/at/all"));
}
