/* userdb.h -- the users of a passwd-file: name, password hash, user id.
 *
 *	# comment
 *	demo:$y$j9T$...:0f0e0d0c0b0a09080706050403020100
 *
 * The whole file is read and checked before anybody is looked up in it; one bad line refuses it,
 *with the line's number, and whoever has an older one keeps that. Names are lower case
 *(auth_name.h); a user id is 32 hexadecimal digits, not all zero. Two names may have one id: an
 *alias. A hash of "!" or "*" locks the user out, yet he gets mail. Nothing here is written while it
 *is used, so threads may share it.
 */
#ifndef RP_CORE_AUTH_USERDB_H
#define RP_CORE_AUTH_USERDB_H

#include "core/auth/auth_name.h"
#include "core/auth/auth_wire.h"
#include "io/base/hash.h"

enum {
	USERDB_FILE_BYTES_MAX = 1 << 30, /* some millions of users; bounds a wrong path */
	USERDB_LINE_BYTES_MAX = 1024,    /* name, hash, id: 700 at most */
	USERDB_ID_DIGITS = 32,
};

struct userdb;

struct userdb_user {
	struct hash_link link;
	struct bytes name;
	struct bytes hash; /* "!" at its beginning: locked */
	struct auth_wire_userid userid;
};

/* What is wrong with a file, for one line of a log. */
struct userdb_fault {
	size_t line;      /* from 1 */
	const char *what; /* static text */
};

/* Read a whole file's bytes; what is needed of them is copied. key: random.
 * RP_ERR_SYNTAX and RP_ERR_LIMIT: *fault says where and why. RP_ERR_NOMEM. */
RP_MUST_USE enum rp_err userdb_open(
    struct bytes text, struct hash_key key, struct userdb **out, struct userdb_fault *fault);

/* Wipes it: hashes are worth guessing at. NULL is fine. */
void userdb_close(struct userdb *db);

size_t userdb_count(const struct userdb *db);

/* The user with this folded name, or NULL. */
const struct userdb_user *userdb_find(const struct userdb *db, struct bytes name);

/* The user whom a login name or address means, through all candidates of auth_name.h; NULL: nobody,
 * or no name at all. *without_detail says how he was found. */
const struct userdb_user *userdb_resolve(const struct userdb *db, struct bytes name,
    bool (*domain_is_ours)(const void *arg, struct bytes domain), const void *arg,
    bool *without_detail);

/* The hash to spend time on for a name that nobody has: some user's, always the same for the same
 * name, so that unknown names take as long as known ones, whatever kinds of hash there are. */
struct bytes userdb_decoy(const struct userdb *db, struct bytes name);

/* One line of the file, without its LF. RP_ERR_END: a comment or an empty line. RP_ERR_SYNTAX:
 * *what. */
RP_MUST_USE enum rp_err userdb_parse_line(
    struct bytes line, struct userdb_user *out, const char **what);

/* 32 lower case digits and a NUL. */
void userdb_id_text(const struct auth_wire_userid *userid, char out[USERDB_ID_DIGITS + 1]);

/* Exactly 32 hexadecimal digits, not all zero. */
RP_MUST_USE bool userdb_id_parse(struct bytes text, struct auth_wire_userid *out);

/* A random id for a new user. RP_ERR_IO: the machine gave no random bytes. */
RP_MUST_USE enum rp_err userdb_id_draw(struct auth_wire_userid *out);

#endif
