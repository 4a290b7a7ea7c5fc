#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/auth/userfile.h"

static char folder[64];
static char path[128];
static struct userdb_fault fault;
static const struct auth_wire_userid id = {{1}};

#define ID "01000000000000000000000000000000"

static void set_up(void)
{
	snprintf(folder, sizeof(folder), "/tmp/test_userfile.XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/passwd", folder);
}

static void remove_one(const char *suffix)
{
	char name[200];

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	unlink(name);
}

static void tear_down(void)
{
	remove_one("");
	remove_one(".lock");
	remove_one(".new");
	cr_assert_eq(rmdir(folder), 0, "something else was left in the folder");
}

static void write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

static void expect_file(const char *text)
{
	struct userfile file;

	cr_assert_eq(userfile_read(path, &file), RP_OK);
	cr_assert(
	    bytes_eq(bytes_of(file.p, file.n), bytes_of_str(text)), "%.*s", (int)file.n, file.p);
	userfile_free(&file);
}

static enum rp_err change(enum userfile_change what, const char *name, const char *hash)
{
	return userfile_change(path, what, bytes_of_str(name), bytes_of_str(hash), &id, &fault);
}

TestSuite(userfile, .init = set_up, .fini = tear_down);

Test(userfile, adds_changes_and_removes_one_user_and_leaves_the_rest)
{
	struct stat st;

	cr_assert_eq(change(USERFILE_SET, "a", "!"), RP_ERR_NOTFOUND);
	cr_assert_eq(change(USERFILE_DEL, "a", ""), RP_ERR_NOTFOUND);
	cr_assert_eq(change(USERFILE_ADD, "a", "!"), RP_OK);
	expect_file("a:!:" ID "\n");
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	cr_assert_eq(change(USERFILE_ADD, "a", "!x"), RP_ERR_EXISTS);
	cr_assert_eq(change(USERFILE_ADD, "ab", "!2"), RP_OK);
	cr_assert_eq(change(USERFILE_SET, "a", "!3"), RP_OK);
	expect_file("a:!3:" ID "\nab:!2:" ID "\n");
	cr_assert_eq(change(USERFILE_DEL, "a", ""), RP_OK);
	expect_file("ab:!2:" ID "\n");
	cr_assert_eq(change(USERFILE_SET, "a", "!"), RP_ERR_NOTFOUND);
	expect_file("ab:!2:" ID "\n");
}

Test(userfile, comments_mode_and_a_missing_last_newline_survive)
{
	struct stat st;

	write_file("# mine\n\na:!:" ID "\n#a:old:x\nb:!:" ID);
	cr_assert_eq(chmod(path, 0640), 0);
	cr_assert_eq(change(USERFILE_ADD, "c", "!"), RP_OK);
	expect_file("# mine\n\na:!:" ID "\n#a:old:x\nb:!:" ID "\nc:!:" ID "\n");
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0640);
}

Test(userfile, a_file_that_is_not_valid_is_not_touched)
{
	static const char text[] = "a:!:" ID "\nb:{PLAIN}x:" ID "\n";

	write_file(text);
	cr_assert_eq(change(USERFILE_ADD, "c", "!"), RP_ERR_CORRUPT);
	cr_assert_eq(fault.line, 2);
	expect_file(text);
}

Test(userfile, tells_whether_the_file_has_changed)
{
	struct userfile file;

	write_file("a:!:" ID "\n");
	cr_assert_eq(userfile_read(path, &file), RP_OK);
	cr_assert(userfile_is_current(path, &file));
	cr_assert_eq(change(USERFILE_SET, "a", "*"), RP_OK); /* the same size, another file */
	cr_assert_not(userfile_is_current(path, &file));
	unlink(path);
	cr_assert_not(userfile_is_current(path, &file));
	userfile_free(&file);
}

Test(userfile, what_is_no_regular_file_is_refused)
{
	struct userfile file;

	cr_assert_eq(userfile_read(path, &file), RP_ERR_NOTFOUND);
	cr_assert_eq(userfile_read("/dev/null", &file), RP_ERR_CANNOT);
	cr_assert_eq(userfile_read(folder, &file), RP_ERR_CANNOT);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(
	    userfile_read(path, &file), RP_ERR_CANNOT); /* and does not wait for a writer */
}

Test(userfile, remains_of_a_writer_that_died_are_in_nobodys_way)
{
	char name[200];

	write_file("a:!:" ID "\n");
	snprintf(name, sizeof(name), "%s.new", path);
	FILE *f = fopen(name, "w");

	fputs("half", f);
	fclose(f);
	cr_assert_eq(change(USERFILE_DEL, "a", ""), RP_OK);
	expect_file("");
	cr_assert_neq(access(name, F_OK), 0);
}

static void *add_many(void *arg)
{
	for (int i = 0; i < 10; i++) {
		struct userdb_fault own;
		char name[16];

		snprintf(name, sizeof(name), "%s%d", (const char *)arg, i);
		if (userfile_change(
		        path, USERFILE_ADD, bytes_of_str(name), BYTES_LIT("!"), &id, &own) != RP_OK)
			return arg;
	}
	return NULL;
}

/* Each opens the lock file for itself, as processes do. */
Test(userfile, two_writers_do_not_lose_each_others_work)
{
	static char names[4][2] = {"a", "b", "c", "d"};
	pthread_t threads[4];
	struct userfile file;
	struct userdb *db;

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, add_many, names[i]);
	for (int i = 0; i < 4; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		cr_assert_null(failed);
	}
	cr_assert_eq(userfile_read(path, &file), RP_OK);
	cr_assert_eq(
	    userdb_open(bytes_of(file.p, file.n), (struct hash_key){0}, &db, &fault), RP_OK);
	cr_assert_eq(userdb_count(db), 40);
	userdb_close(db);
	userfile_free(&file);
}
