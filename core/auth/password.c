#include "core/auth/password.h"

#include <argon2.h>
#include <assert.h>
#include <crypt.h>
#include <stdlib.h>

static_assert(PASSWORD_BYTES_MAX < CRYPT_MAX_PASSPHRASE_SIZE, "crypt(3) takes what we take");
static_assert(PASSWORD_HASH_BYTES_MAX < CRYPT_OUTPUT_SIZE, "crypt(3) gives what we keep");

struct password_work {
	struct crypt_data crypt;
	char hash[PASSWORD_HASH_BYTES_MAX + 1];
	char password[PASSWORD_BYTES_MAX + 1];
};

enum password_scheme password_scheme_of(struct bytes hash)
{
	static const struct {
		const char *prefix;
		enum password_scheme scheme;
	} schemes[] = {
	    {"$y$", PASSWORD_YESCRYPT},
	    {"$2b$", PASSWORD_BCRYPT},
	    {"$2a$", PASSWORD_BCRYPT},
	    {"$2y$", PASSWORD_BCRYPT},
	    {"$argon2id$", PASSWORD_ARGON2ID},
	    {"{PLAIN}", PASSWORD_PLAIN},
	    {"{CLEAR", PASSWORD_PLAIN},
	    {"!", PASSWORD_LOCKED},
	    {"*", PASSWORD_LOCKED},
	};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (bytes_starts_with_fold(hash, bytes_of_str(schemes[i].prefix)))
			return schemes[i].scheme;
	return PASSWORD_UNKNOWN;
}

struct password_work *password_work_open(void)
{
	return calloc(1, sizeof(struct password_work));
}

void password_work_close(struct password_work *work)
{
	if (work == NULL)
		return;
	bytes_wipe(work, sizeof(*work));
	free(work);
}

/* A C string of it. False: it does not fit or has a NUL in it. */
static bool copy_text(struct bytes b, char *out, size_t out_max)
{
	if (b.n > out_max || bytes_find(b, 0, '\0') < b.n)
		return false;
	if (b.n > 0)
		memcpy(out, b.p, b.n);
	out[b.n] = '\0';
	return true;
}

static enum password_verdict verify_crypt(struct password_work *work)
{
	const char *made = crypt_r(work->password, work->hash, &work->crypt);

	if (made == NULL || made[0] == '*')
		return PASSWORD_FAILED;
	return bytes_eq_secret(bytes_of_str(made), bytes_of_str(work->hash)) ? PASSWORD_RIGHT
	                                                                     : PASSWORD_WRONG;
}

static enum password_verdict verify_argon2id(struct password_work *work, size_t password_n)
{
	switch (argon2id_verify(work->hash, work->password, password_n)) {
	case ARGON2_OK:
		return PASSWORD_RIGHT;
	case ARGON2_VERIFY_MISMATCH:
		return PASSWORD_WRONG;
	default:
		return PASSWORD_FAILED;
	}
}

enum password_verdict password_verify(
    struct password_work *work, struct bytes hash, struct bytes password)
{
	enum password_verdict verdict = PASSWORD_FAILED;

	if (!copy_text(password, work->password, PASSWORD_BYTES_MAX))
		return PASSWORD_WRONG;
	if (copy_text(hash, work->hash, PASSWORD_HASH_BYTES_MAX)) {
		switch (password_scheme_of(hash)) {
		case PASSWORD_YESCRYPT:
		case PASSWORD_BCRYPT:
			verdict = verify_crypt(work);
			break;
		case PASSWORD_ARGON2ID:
			verdict = verify_argon2id(work, password.n);
			break;
		case PASSWORD_LOCKED:
			verdict = PASSWORD_WRONG;
			break;
		default:
			break;
		}
	}
	bytes_wipe(work, sizeof(*work));
	return verdict;
}

enum rp_err password_make(struct password_work *work, struct bytes password, unsigned cost,
    char out[PASSWORD_HASH_BYTES_MAX + 1])
{
	enum rp_err err = RP_ERR_IO;

	if (password.n == 0 || !copy_text(password, work->password, PASSWORD_BYTES_MAX))
		return RP_ERR_CANNOT;
	const char *made = NULL;

	if (crypt_gensalt_rn("$y$", cost, NULL, 0, work->hash, sizeof(work->hash)) != NULL)
		made = crypt_r(work->password, work->hash, &work->crypt);
	if (made != NULL && made[0] != '*' && strlen(made) <= PASSWORD_HASH_BYTES_MAX) {
		memcpy(out, made, strlen(made) + 1);
		err = RP_OK;
	}
	bytes_wipe(work, sizeof(*work));
	return err;
}
