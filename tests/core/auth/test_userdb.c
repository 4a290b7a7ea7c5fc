#include <criterion/criterion.h>
#include <stdio.h>

#include "core/auth/password.h"
#include "core/auth/userdb.h"

#define ID     "0f0e0d0c0b0a09080706050403020100"
#define BCRYPT "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"

static const struct hash_key key = {1, 2};
static struct userdb_fault fault;

static struct userdb *open_text(const char *text)
{
	struct userdb *db = NULL;

	cr_assert_eq(userdb_open(bytes_of_str(text), key, &db, &fault), RP_OK, "%zu: %s",
	    fault.line, fault.what);
	return db;
}

static bool all_domains(const void *arg, struct bytes domain)
{
	return arg == NULL || bytes_eq(domain, bytes_of_str(arg));
}

/* The name of the user whom this means, with "!" if its detail was cut off. */
static const char *resolve(const struct userdb *db, const char *name, const char *domain)
{
	static char text[300];
	bool cut = false;
	const struct userdb_user *user =
	    userdb_resolve(db, bytes_of_str(name), all_domains, domain, &cut);

	if (user == NULL)
		return "nobody";
	snprintf(text, sizeof(text), "%.*s%s", BYTES_FMT(user->name), cut ? "!" : "");
	return text;
}

Test(userdb, finds_each_user_of_the_file)
{
	struct userdb *db = open_text("# users\n\ndemo:" BCRYPT ":" ID "\n"
	                              "a@x.org:!:000000000000000000000000000000ff\n"
	                              "last:*:ABCDEF00000000000000000000000000");

	cr_assert_eq(userdb_count(db), 3);
	const struct userdb_user *user = userdb_find(db, BYTES_LIT("demo"));

	cr_assert(bytes_eq(user->hash, BYTES_LIT(BCRYPT)));
	cr_assert_eq(user->userid.p[0], 0x0f);
	cr_assert_eq(user->userid.p[15], 0x00);
	cr_assert_eq(userdb_find(db, BYTES_LIT("a@x.org"))->userid.p[15], 0xff);
	cr_assert_eq(userdb_find(db, BYTES_LIT("last"))->userid.p[0], 0xab);
	cr_assert_null(userdb_find(db, BYTES_LIT("dem")));
	cr_assert_null(userdb_find(db, BYTES_LIT("# users")));
	userdb_close(db);
}

Test(userdb, an_address_is_looked_up_in_all_its_forms)
{
	struct userdb *db = open_text("a@x.org:!:" ID "\nb:!:" ID "\nc+d:!:" ID "\nc:!:" ID "\n");

	cr_assert_str_eq(resolve(db, "A@X.ORG", NULL), "a@x.org");
	cr_assert_str_eq(resolve(db, "a", NULL), "nobody");
	cr_assert_str_eq(resolve(db, "a+tag@x.org", NULL), "a@x.org!");
	cr_assert_str_eq(resolve(db, "b@any.example", NULL), "b");
	cr_assert_str_eq(resolve(db, "B+Tag@any.example", NULL), "b!");
	cr_assert_str_eq(resolve(db, "b@x.org", "x.org"), "b");
	cr_assert_str_eq(resolve(db, "b@y.org", "x.org"), "nobody");
	cr_assert_str_eq(resolve(db, "b+tag@y.org", "x.org"), "nobody");
	cr_assert_str_eq(resolve(db, "b", "x.org"), "b");
	cr_assert_str_eq(resolve(db, "c+d", NULL), "c+d");
	cr_assert_str_eq(resolve(db, "c+e", NULL), "c!");
	cr_assert_str_eq(resolve(db, "../c", NULL), "nobody");
	cr_assert_str_eq(resolve(db, "", NULL), "nobody");
	userdb_close(db);
}

Test(userdb, one_bad_line_refuses_the_file_and_is_named)
{
	static const struct {
		const char *line, *what;
	} cases[] = {
	    {"demo", "not of the form name:hash:userid"},
	    {"demo:!", "not of the form name:hash:userid"},
	    {"demo:!:" ID ":", "not of the form name:hash:userid"},
	    {"demo:!:" ID ":more", "not of the form name:hash:userid"},
	    {" ", "not of the form name:hash:userid"},
	    {"::", "a name is 1 to 255 of a-z 0-9 . _ - + = and one @"},
	    {":!:" ID, "a name is 1 to 255 of a-z 0-9 . _ - + = and one @"},
	    {"Demo:!:" ID, "a name is 1 to 255 of a-z 0-9 . _ - + = and one @"},
	    {"de mo:!:" ID, "a name is 1 to 255 of a-z 0-9 . _ - + = and one @"},
	    {"demo::" ID, "the password hash is empty; \"!\" locks a user out"},
	    {"demo:$y$a b:" ID, "the password hash has a blank, control or 8-bit character"},
	    {"demo:{PLAIN}secret:" ID,
	        "plaintext passwords are refused; `ringpost user passwd NAME` makes a hash"},
	    {"demo:secret:" ID,
	        "unknown kind of password hash; $y$, $2b$ and $argon2id$ are known"},
	    {"demo:!:" ID "0", "a user id is 32 hexadecimal digits, not all zero"},
	    {"demo:!:0f0e0d0c0b0a0908070605040302010",
	        "a user id is 32 hexadecimal digits, not all zero"},
	    {"demo:!:0f0e0d0c0b0a0908070605040302010g",
	        "a user id is 32 hexadecimal digits, not all zero"},
	    {"demo:!:00000000000000000000000000000000",
	        "a user id is 32 hexadecimal digits, not all zero"},
	    {"demo:!:" ID "\r", "a user id is 32 hexadecimal digits, not all zero"},
	    {"ok:!:" ID, "this name is on a line above too"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1000];
		struct userdb *db = NULL;

		snprintf(text, sizeof(text), "ok:!:" ID "\n#\n%s\nfine:!:" ID "\n", cases[i].line);
		cr_assert_eq(
		    userdb_open(bytes_of_str(text), key, &db, &fault), RP_ERR_SYNTAX, "%s", text);
		cr_assert_null(db);
		cr_assert_eq(fault.line, 3);
		cr_assert_str_eq(fault.what, cases[i].what, "%s", cases[i].line);
	}
}

Test(userdb, a_line_and_a_hash_are_bounded)
{
	char text[USERDB_LINE_BYTES_MAX + 2];
	struct userdb *db = NULL;

	memset(text, 'x', sizeof(text));
	text[0] = '#';
	cr_assert_eq(userdb_open(bytes_of(text, USERDB_LINE_BYTES_MAX), key, &db, &fault), RP_OK);
	userdb_close(db);
	cr_assert_eq(
	    userdb_open(bytes_of(text, USERDB_LINE_BYTES_MAX + 1), key, &db, &fault), RP_ERR_LIMIT);
	cr_assert_str_eq(fault.what, "the line is too long");
	for (int n = PASSWORD_HASH_BYTES_MAX - 1; n <= PASSWORD_HASH_BYTES_MAX + 1; n++) {
		char hash[PASSWORD_HASH_BYTES_MAX + 2];

		memset(hash, 'a', sizeof(hash));
		hash[0] = '!';
		snprintf(text, sizeof(text), "demo:%.*s:" ID, n, hash);
		enum rp_err err = userdb_open(bytes_of_str(text), key, &db, &fault);

		cr_assert_eq(err, n <= PASSWORD_HASH_BYTES_MAX ? RP_OK : RP_ERR_SYNTAX);
		if (err == RP_OK)
			userdb_close(db);
	}
}

Test(userdb, an_empty_file_has_no_users_and_still_a_decoy)
{
	struct userdb *db = open_text("");
	struct password_work *work = password_work_open();

	cr_assert_eq(userdb_count(db), 0);
	cr_assert_null(userdb_find(db, BYTES_LIT("demo")));
	cr_assert_eq(
	    password_verify(work, userdb_decoy(db, BYTES_LIT("demo")), BYTES_LIT("secret")),
	    PASSWORD_WRONG);
	password_work_close(work);
	userdb_close(db);
}

Test(userdb, the_decoy_is_always_the_same_for_a_name_and_never_a_locked_hash)
{
	struct userdb *db = open_text("a:!:" ID "\nb:" BCRYPT ":" ID "\nc:*:" ID "\n");
	size_t kinds[8] = {0};

	for (int i = 0; i < 100; i++) {
		char name[8];

		snprintf(name, sizeof(name), "n%d", i);
		struct bytes decoy = userdb_decoy(db, bytes_of_str(name));

		char spelling[32];

		snprintf(spelling, sizeof(spelling), "N%d+any@x.org", i);
		cr_assert_eq(decoy.p, userdb_decoy(db, bytes_of_str(spelling)).p);
		kinds[password_scheme_of(decoy)]++;
	}
	cr_assert_eq(kinds[PASSWORD_BCRYPT] + kinds[PASSWORD_YESCRYPT], 100);
	cr_assert_gt(kinds[PASSWORD_BCRYPT], 10);
	cr_assert_gt(kinds[PASSWORD_YESCRYPT], 10);
	userdb_close(db);
}

Test(userdb, ids_are_written_as_they_are_read_and_drawn_at_random)
{
	struct auth_wire_userid one, two;
	char text[USERDB_ID_DIGITS + 1];

	cr_assert(userdb_id_parse(BYTES_LIT(ID), &one));
	userdb_id_text(&one, text);
	cr_assert_str_eq(text, ID);
	cr_assert_eq(userdb_id_draw(&one), RP_OK);
	cr_assert_eq(userdb_id_draw(&two), RP_OK);
	cr_assert_neq(memcmp(&one, &two, sizeof(one)), 0);
}
