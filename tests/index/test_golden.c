/* A store with what a server seldom writes, for the golden sets of tests/formats: a merged journal, files that stand in for others that
 * failed, a journal that a repair has made, a user whose mail is gone, and records that a power cut has left in the logs alone.
 *
 * With RINGPOST_GOLDEN=DIR in the environment what the disk holds then is put into DIR, which is to be there. The users' ids are 16 bytes,
 * all zero but for the last: 1 mel, 2 stan, 3 rex, 4 pat.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "index/checkpoint.h"
#include "index/format.h"
#include "index/purge.h"
#include "index/repair/repair.h"
#include "index/settle.h"
#include "index/store_state.h"
#include "index/volume_state.h"
#include "tests/index/kept_mail.h"
#include "tests/index/made_mail.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

enum { MESSAGES = 8, BROKEN_AT = FORMAT_AREA_BYTES + 300, LIFE_ENDS_NS = 1000 * 1000 * 1000 };

static const struct userid mel = { { [15] = 1 } };
static const struct userid stan = { { [15] = 2 } };
static const struct userid rex = { { [15] = 3 } };
static const struct userid pat = { { [15] = 4 } };

static struct {
	struct io_fixture *fixture;
	struct arena arena;
	struct claim *claim;
	struct store *store;
} life;

static void start(struct task *task)
{
	struct store_settings settings = small_store();
	const char *reason = "";
	uint64_t epoch;

	settings.journal_file_bytes = 8 * 1024;
	settings.dbox_file_bytes = 32 * 1024;
	settings.keep_expunged_s = KEPT_S;
	settings.keep_trust_s = 1;
	settings.reader = NULL; /* who opens it for clients renders */
	arena_init(&life.arena, 65536);
	cr_assert_eq(store_claim(task, &life.arena, 1, &life.claim, &epoch, &reason), RP_OK, "%s", reason);
	life.store = open_recovered(task, &settings, epoch);
}

static void stop(struct task *task)
{
	cr_assert_eq(store_close(task, life.store), RP_OK);
	store_unclaim(life.claim);
	arena_fini(&life.arena);
	cr_assert_eq(task_sleep(task, LIFE_ENDS_NS), RP_OK); /* till the files are closed, and the lock is gone */
}

static struct volume *open_user(struct task *task, const struct userid *userid)
{
	struct volume *volume;

	cr_assert_eq(volume_open(task, life.store, userid, &volume), RP_OK);
	return volume;
}

static void settled(struct task *task, struct volume *volume)
{
	cr_assert_eq(store_wait_durable(task, life.store, volume_position(volume)), RP_OK);
	cr_assert_eq(settle_flush(task, life.store->commit, &volume->settle), RP_OK);
}

static void add(struct task *task, struct volume *volume, const char *name, unsigned from)
{
	char text[KEPT_TEXT_BYTES + 1];

	for (unsigned i = 0; i < MESSAGES; i++) {
		kept_text(from + i, text);
		made_append(task, volume, name, i % 3 == 0 ? MAIL_SEEN : 0, text);
	}
}

static void path_of(const struct userid *userid, const char *name, char path[VOLUME_PATH_BYTES])
{
	char dir[USERID_PATH_BYTES];

	userid_path(userid, dir);
	snprintf(path, VOLUME_PATH_BYTES, "%s/%s", dir, name);
}

/* Merged twice, so that what is kept is told in it, and followed by others. */
static void merge(struct task *task)
{
	struct volume *volume = open_user(task, &mel);
	struct mailbox *inbox;

	add(task, volume, "INBOX", 0);
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("Old"), 0, NULL), RP_OK);
	add(task, volume, "Old", 100);
	cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("Old"), true), RP_OK);
	inbox = kept_open_box(task, volume, "INBOX");
	kept_flag(task, inbox, 2, 4, MAIL_FLAGGED, "Word");
	mailbox_close(inbox);
	kept_expunge(task, volume, "INBOX", 3, 5);
	kept_drop(task, volume, "INBOX", 6, 6);
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("Old")), RP_OK);
	kept_merge(task, volume);
	add(task, volume, "INBOX", 200);
	kept_expunge(task, volume, "INBOX", 9, 9);
	volume_close(volume);
}

static void break_file(const char *name)
{
	char path[VOLUME_PATH_BYTES];

	path_of(&stan, name, path);
	cr_assert_eq(sim_break_file(life.fixture->world, FILE_ROOT_DATA, path, &(struct sim_broken){ .write = EIO }), RP_OK);
}

/* A file of bodies fails, and so does the journal, each when it holds something and something is on its way to it. */
static void fail(struct task *task)
{
	struct volume *volume = open_user(task, &stan);
	struct store_stats stats;

	made_append(task, volume, "INBOX", MAIL_SEEN, "Subject: in the file itself\r\n\r\nsound\r\n");
	settled(task, volume);
	made_append(task, volume, "INBOX", MAIL_FLAGGED, "Subject: in the file that stands in\r\n\r\nsound\r\n");
	made_append(task, volume, "INBOX", 0, "Subject: so is this\r\n\r\nsound\r\n");
	break_file("1.dbox");
	settled(task, volume);
	made_append(task, volume, "INBOX", MAIL_DRAFT, "Subject: told of in the next journal\r\n\r\nsound\r\n");
	break_file("1-.journal");
	settled(task, volume);
	store_stats(life.store, &stats);
	cr_assert_eq(stats.files_sealed, 2);
	add(task, volume, "Sent", 300);
	volume_close(volume);
}

/* What is lost for good once the life is over: a record amid others. */
static void fill_to_lose(struct task *task)
{
	struct volume *volume = open_user(task, &rex);

	cr_assert_eq(volume_create(task, volume, BYTES_LIT("a/b"), 0, NULL), RP_OK);
	add(task, volume, "INBOX", 400);
	add(task, volume, "a/b", 500);
	kept_expunge(task, volume, "INBOX", 2, 2);
	volume_close(volume);
}

static void lose(struct task *task)
{
	char path[VOLUME_PATH_BYTES];
	struct file *file;

	path_of(&rex, "1-.journal", path);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_write(task, file, "damaged, damaged", 16, BROKEN_AT, false), RP_OK);
	file_close(file);
}

static void repair_lost(struct task *task)
{
	struct repair_report report;

	cr_assert_eq(repair_rebuild(task, life.store, &rex, NULL, NULL, &report), RP_OK);
	cr_assert_eq(report.messages, 2 * MESSAGES - 1);
	cr_assert_eq(report.records_missing, 0);
}

static void purge(struct task *task)
{
	struct volume *volume = open_user(task, &pat);

	add(task, volume, "INBOX", 600);
	volume_close(volume);
	cr_assert_eq(purge_user(task, life.store, &pat), RP_OK);
}

static void make_dirs(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		cr_assert(mkdir(path, 0777) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

/* What is on the disk for good. */
static void put(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	char to[4096];
	struct bytes content;
	FILE *file;

	(void)bytes;
	snprintf(to, sizeof(to), "%s/%s%s", (const char *)arg, root == FILE_ROOT_COMMIT ? "commit/" : "", path);
	make_dirs(to);
	cr_assert_eq(sim_disk_read(life.fixture->world, root, path, &content), RP_OK);
	file = fopen(to, "wb");
	cr_assert_not_null(file, "%s", to);
	cr_assert(content.n == 0 || fwrite(content.p, content.n, 1, file) == 1);
	cr_assert_eq(fclose(file), 0);
}

static void change_last(struct task *task, const struct userid *userid)
{
	struct volume *volume = open_user(task, userid);

	made_append(task, volume, "INBOX", MAIL_ANSWERED, "Subject: the last\r\n\r\nin a log alone\r\n");
	cr_assert_eq(store_wait_durable(task, life.store, volume_position(volume)), RP_OK);
	volume_close(volume);
}

SIM_TASK_TEST(golden, a_store_with_what_is_seldom_written)
{
	char *dir = getenv("RINGPOST_GOLDEN");

	life.fixture = arg;
	start(task);
	merge(task);
	fail(task);
	fill_to_lose(task);
	purge(task);
	stop(task);
	lose(task);
	start(task);
	repair_lost(task);
	stop(task);
	start(task);
	change_last(task, &mel);
	change_last(task, &stan);
	change_last(task, &rex);
	if (dir != NULL)
		sim_disk_walk(life.fixture->world, put, dir);
	stop(task);
}
