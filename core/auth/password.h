/* password.h -- password hashes: verify one, make one.
 *
 * yescrypt ($y$), bcrypt ($2b$, also $2a$ and $2y$) through crypt(3), and argon2id through
 * libargon2. All are slow by intent, so verifying is for the auth process's threads, never for a
 * shard.
 */
#ifndef RP_CORE_AUTH_PASSWORD_H
#define RP_CORE_AUTH_PASSWORD_H

#include "io/base/bytes.h"
#include "io/base/err.h"

enum {
	PASSWORD_HASH_BYTES_MAX = 383, /* crypt(3)'s own bound; argon2id's are a third of it */
	PASSWORD_BYTES_MAX = 511,      /* crypt(3)'s own bound: a longer one is nobody's password */
};

enum password_scheme {
	PASSWORD_UNKNOWN,
	PASSWORD_PLAIN,  /* "{PLAIN}secret", "{CLEARTEXT}...": refused everywhere */
	PASSWORD_LOCKED, /* "!..." or "*": no password is right */
	PASSWORD_YESCRYPT,
	PASSWORD_BCRYPT,
	PASSWORD_ARGON2ID,
};

enum password_verdict {
	PASSWORD_RIGHT,
	PASSWORD_WRONG,
	PASSWORD_FAILED, /* could not be found out: no memory, or a hash that its library refuses */
};

/* What kind of hash this is, by its beginning alone. */
enum password_scheme password_scheme_of(struct bytes hash);

/* Scratch memory of one thread: 32 KiB, and secret after use. */
struct password_work;
struct password_work *password_work_open(void); /* NULL: no memory */
void password_work_close(struct password_work *work);

/* Compare. Takes as long as the hash was made to take. */
RP_MUST_USE enum password_verdict password_verify(
    struct password_work *work, struct bytes hash, struct bytes password);

/* A yescrypt hash of this password with a random salt, NUL behind it. cost 0 is the library's
 * default (about 100 ms); tests take 1. RP_ERR_CANNOT: empty, too long or with a NUL in it.
 * RP_ERR_IO: the library failed. */
RP_MUST_USE enum rp_err password_make(struct password_work *work, struct bytes password,
    unsigned cost, char out[PASSWORD_HASH_BYTES_MAX + 1]);

#endif
