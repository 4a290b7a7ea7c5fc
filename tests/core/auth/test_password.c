#include <criterion/criterion.h>

#include "core/auth/password.h"

/* Of "secret", at the lowest cost. */
static const char bcrypt_hash[] = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
static const char argon2_hash[] = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$ksyymBktxhBPob64O6We0Q";

static enum password_verdict verify(const char *hash, struct bytes password)
{
	struct password_work *work = password_work_open();
	enum password_verdict verdict = password_verify(work, bytes_of_str(hash), password);

	password_work_close(work);
	return verdict;
}

Test(password, the_three_kinds_are_verified)
{
	char yescrypt[PASSWORD_HASH_BYTES_MAX + 1];
	struct password_work *work = password_work_open();

	cr_assert_eq(password_make(work, BYTES_LIT("secret"), 1, yescrypt), RP_OK);
	password_work_close(work);
	const char *const hashes[] = {yescrypt, bcrypt_hash, argon2_hash};

	for (size_t i = 0; i < 3; i++) {
		cr_assert_eq(
		    verify(hashes[i], BYTES_LIT("secret")), PASSWORD_RIGHT, "%s", hashes[i]);
		cr_assert_eq(verify(hashes[i], BYTES_LIT("Secret")), PASSWORD_WRONG);
		cr_assert_eq(verify(hashes[i], BYTES_LIT("secret ")), PASSWORD_WRONG);
		cr_assert_eq(verify(hashes[i], BYTES_LIT("secret\0")), PASSWORD_WRONG);
		cr_assert_eq(verify(hashes[i], BYTES_LIT("")), PASSWORD_WRONG);
	}
}

Test(password, a_made_hash_is_yescrypt_and_never_the_same_twice)
{
	char one[PASSWORD_HASH_BYTES_MAX + 1], two[PASSWORD_HASH_BYTES_MAX + 1];
	struct password_work *work = password_work_open();

	cr_assert_eq(password_make(work, BYTES_LIT("pass:w\xc3\xb6rd"), 1, one), RP_OK);
	cr_assert_eq(password_make(work, BYTES_LIT("pass:w\xc3\xb6rd"), 1, two), RP_OK);
	cr_assert_str_neq(one, two);
	cr_assert_eq(password_scheme_of(bytes_of_str(one)), PASSWORD_YESCRYPT);
	cr_assert_null(strchr(one, ':'));
	password_work_close(work);
	cr_assert_eq(verify(one, BYTES_LIT("pass:w\xc3\xb6rd")), PASSWORD_RIGHT);
}

Test(password, the_default_cost_is_what_the_library_recommends)
{
	char hash[PASSWORD_HASH_BYTES_MAX + 1];
	struct password_work *work = password_work_open();

	cr_assert_eq(password_make(work, BYTES_LIT("x"), 0, hash), RP_OK);
	cr_assert_eq(strncmp(hash, "$y$j9T$", 7), 0, "%s", hash);
	password_work_close(work);
}

Test(password, length_is_bounded)
{
	uint8_t text[PASSWORD_BYTES_MAX + 1];
	char hash[PASSWORD_HASH_BYTES_MAX + 1];
	struct password_work *work = password_work_open();

	memset(text, 'x', sizeof(text));
	for (size_t n = PASSWORD_BYTES_MAX - 1; n <= PASSWORD_BYTES_MAX + 1; n++) {
		enum rp_err err = password_make(work, bytes_of(text, n), 1, hash);

		cr_assert_eq(err, n <= PASSWORD_BYTES_MAX ? RP_OK : RP_ERR_CANNOT);
		cr_assert_eq(verify(hash, bytes_of(text, n)),
		    n <= PASSWORD_BYTES_MAX ? PASSWORD_RIGHT : PASSWORD_WRONG);
	}
	cr_assert_eq(password_make(work, BYTES_LIT(""), 1, hash), RP_ERR_CANNOT);
	cr_assert_eq(password_make(work, BYTES_LIT("a\0b"), 1, hash), RP_ERR_CANNOT);
	password_work_close(work);
}

Test(password, what_is_no_hash_fails_and_a_locked_one_is_never_right)
{
	cr_assert_eq(verify("!", BYTES_LIT("!")), PASSWORD_WRONG);
	cr_assert_eq(verify("*", BYTES_LIT("*")), PASSWORD_WRONG);
	cr_assert_eq(verify("!$y$j9T$x$y", BYTES_LIT("x")), PASSWORD_WRONG);
	cr_assert_eq(verify("", BYTES_LIT("")), PASSWORD_FAILED);
	cr_assert_eq(verify("secret", BYTES_LIT("secret")), PASSWORD_FAILED);
	cr_assert_eq(verify("{PLAIN}secret", BYTES_LIT("secret")), PASSWORD_FAILED);
	cr_assert_eq(verify("$y$", BYTES_LIT("x")), PASSWORD_FAILED);
	cr_assert_eq(verify("$2b$99$junk", BYTES_LIT("x")), PASSWORD_FAILED);
	cr_assert_eq(verify("$argon2id$v=19$junk", BYTES_LIT("x")), PASSWORD_FAILED);
	cr_assert_eq(
	    verify("$1$salt$qJH7.N4xYta3aEG/dfqo/0", BYTES_LIT("password")), PASSWORD_FAILED);
}

Test(password, the_kind_is_told_by_the_beginning)
{
	static const struct {
		const char *hash;
		enum password_scheme scheme;
	} cases[] = {
	    {"$y$j9T$a$b", PASSWORD_YESCRYPT},
	    {"$2b$05$a", PASSWORD_BCRYPT},
	    {"$2y$05$a", PASSWORD_BCRYPT},
	    {"$2x$05$a", PASSWORD_UNKNOWN},
	    {"$argon2id$v=19", PASSWORD_ARGON2ID},
	    {"$argon2i$v=19", PASSWORD_UNKNOWN},
	    {"$6$a$b", PASSWORD_UNKNOWN},
	    {"{plain}x", PASSWORD_PLAIN},
	    {"{CLEARTEXT}x", PASSWORD_PLAIN},
	    {"!x", PASSWORD_LOCKED},
	    {"", PASSWORD_UNKNOWN},
	    {"$", PASSWORD_UNKNOWN},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_eq(password_scheme_of(bytes_of_str(cases[i].hash)), cases[i].scheme, "%s",
		    cases[i].hash);
}
