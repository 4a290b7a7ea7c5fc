#include "core/auth/userdb.h"

#include <stdlib.h>
#include <sys/random.h>

#include "core/auth/password.h"

struct userdb {
	struct hash by_name;
	uint8_t *text; /* ours; the users' names and hashes lie in it */
	size_t text_n;
	struct userdb_user *users; /* in the file's order */
	size_t users_count;
};

/* Of no password: for a file without users. yescrypt with the library's default cost. */
static const char default_decoy[] =
    "$y$j9T$h6vG1dlLgNcNBZNT0JhvS0$......................................."
    "....";

/* ---- ids ---- */

void userdb_id_text(const struct auth_wire_userid *userid, char out[USERDB_ID_DIGITS + 1])
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(userid->p); i++) {
		out[2 * i] = hex[userid->p[i] >> 4];
		out[2 * i + 1] = hex[userid->p[i] & 15];
	}
	out[USERDB_ID_DIGITS] = '\0';
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = bytes_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool userdb_id_parse(struct bytes text, struct auth_wire_userid *out)
{
	struct auth_wire_userid id;
	uint8_t any = 0;

	if (text.n != USERDB_ID_DIGITS)
		return false;
	for (size_t i = 0; i < sizeof(id.p); i++) {
		int high = hex_value(text.p[2 * i]), low = hex_value(text.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		id.p[i] = (uint8_t)(high << 4 | low);
		any |= id.p[i];
	}
	if (any == 0)
		return false;
	*out = id;
	return true;
}

enum rp_err userdb_id_draw(struct auth_wire_userid *out)
{
	struct auth_wire_userid id;

	if (getrandom(id.p, sizeof(id.p), 0) != sizeof(id.p))
		return RP_ERR_IO;
	id.p[0] |= id.p[0] == 0; /* never all zero */
	*out = id;
	return RP_OK;
}

/* ---- lines ---- */

/* NULL: a hash that password_verify() can work with. */
static const char *hash_fault(struct bytes hash)
{
	if (hash.n == 0)
		return "the password hash is empty; \"!\" locks a user out";
	if (hash.n > PASSWORD_HASH_BYTES_MAX)
		return "the password hash is too long";
	for (size_t i = 0; i < hash.n; i++)
		if (hash.p[i] <= ' ' || hash.p[i] >= 0x7f)
			return "the password hash has a blank, control or 8-bit character";
	switch (password_scheme_of(hash)) {
	case PASSWORD_PLAIN:
		return "plaintext passwords are refused; `ringpost user passwd NAME` makes a hash";
	case PASSWORD_UNKNOWN:
		return "unknown kind of password hash; $y$, $2b$ and $argon2id$ are known";
	default:
		return NULL;
	}
}

static bool is_folded(struct bytes name)
{
	uint8_t room[AUTH_NAME_BYTES_MAX];
	struct bytes folded;

	return auth_name_fold(name, room, &folded) == RP_OK && bytes_eq(folded, name);
}

enum rp_err userdb_parse_line(struct bytes line, struct userdb_user *out, const char **what)
{
	struct userdb_user user = {0};

	if (line.n == 0 || line.p[0] == '#')
		return RP_ERR_END;
	size_t first = bytes_find(line, 0, ':');
	size_t second = bytes_find(line, first + 1, ':');

	if (second >= line.n || bytes_find(line, second + 1, ':') < line.n) {
		*what = "not of the form name:hash:userid";
		return RP_ERR_SYNTAX;
	}
	user.name = bytes_slice(line, 0, first);
	user.hash = bytes_slice(line, first + 1, second);
	*what = hash_fault(user.hash);
	if (!is_folded(user.name))
		*what = "a name is 1 to 255 of a-z 0-9 . _ - + = and one @";
	else if (*what == NULL && !userdb_id_parse(bytes_from(line, second + 1), &user.userid))
		*what = "a user id is 32 hexadecimal digits, not all zero";
	if (*what != NULL)
		return RP_ERR_SYNTAX;
	*out = user;
	return RP_OK;
}

/* The line at *at, without its LF; *at is then behind it. */
static struct bytes next_line(struct bytes text, size_t *at)
{
	size_t from = *at;
	size_t end = bytes_find(text, from, '\n');

	*at = end < text.n ? end + 1 : end;
	return bytes_slice(text, from, end);
}

/* ---- the table ---- */

struct name_key {
	struct bytes name;
};

static bool match(const struct hash_link *link, const void *key)
{
	return bytes_eq(RP_CONTAINER_OF(link, struct userdb_user, link)->name,
	    ((const struct name_key *)key)->name);
}

const struct userdb_user *userdb_find(const struct userdb *db, struct bytes name)
{
	struct name_key key = {name};
	struct hash_link *link =
	    hash_find(&db->by_name, hash_bytes(db->by_name.key, name), match, &key);

	return link != NULL ? RP_CONTAINER_OF(link, struct userdb_user, link) : NULL;
}

static enum rp_err fault_at(
    struct userdb_fault *fault, size_t line, const char *what, enum rp_err err)
{
	*fault = (struct userdb_fault){line, what};
	return err;
}

static enum rp_err add_line(
    struct userdb *db, struct bytes line, size_t number, struct userdb_fault *fault)
{
	struct userdb_user *user = &db->users[db->users_count];
	const char *what = NULL;

	if (line.n > USERDB_LINE_BYTES_MAX)
		return fault_at(fault, number, "the line is too long", RP_ERR_LIMIT);
	enum rp_err err = userdb_parse_line(line, user, &what);

	if (err == RP_ERR_END)
		return RP_OK;
	if (err != RP_OK)
		return fault_at(fault, number, what, err);
	if (userdb_find(db, user->name) != NULL)
		return fault_at(fault, number, "this name is on a line above too", RP_ERR_SYNTAX);
	if (!hash_add(&db->by_name, &user->link, hash_bytes(db->by_name.key, user->name)))
		return RP_ERR_NOMEM;
	db->users_count++;
	return RP_OK;
}

enum rp_err userdb_open(
    struct bytes text, struct hash_key key, struct userdb **out, struct userdb_fault *fault)
{
	size_t lines = 1, at = 0, number = 0;
	enum rp_err err = RP_OK;

	if (text.n > USERDB_FILE_BYTES_MAX)
		return fault_at(fault, 1, "the file is too large", RP_ERR_LIMIT);
	struct userdb *db = calloc(1, sizeof(*db));

	if (db == NULL)
		return RP_ERR_NOMEM;
	hash_init(&db->by_name, key);
	for (size_t i = bytes_find(text, 0, '\n'); i < text.n; i = bytes_find(text, i + 1, '\n'))
		lines++;
	db->text = malloc(text.n + 1);
	db->text_n = text.n;
	db->users = calloc(lines, sizeof(struct userdb_user));
	if (db->text == NULL || db->users == NULL) {
		userdb_close(db);
		return RP_ERR_NOMEM;
	}
	if (text.n > 0)
		memcpy(db->text, text.p, text.n);
	text.p = db->text;
	while (err == RP_OK && at < text.n)
		err = add_line(db, next_line(text, &at), ++number, fault);
	if (err != RP_OK) {
		userdb_close(db);
		return err;
	}
	*out = db;
	return RP_OK;
}

void userdb_close(struct userdb *db)
{
	if (db == NULL)
		return;
	if (db->text != NULL)
		bytes_wipe(db->text, db->text_n);
	free(db->text);
	free(db->users);
	hash_fini(&db->by_name);
	free(db);
}

size_t userdb_count(const struct userdb *db)
{
	return db->users_count;
}

const struct userdb_user *userdb_resolve(const struct userdb *db, struct bytes name,
    bool (*domain_is_ours)(const void *arg, struct bytes domain), const void *arg,
    bool *without_detail)
{
	uint8_t fold_room[AUTH_NAME_BYTES_MAX], room[AUTH_NAME_BYTES_MAX];
	struct auth_name_candidate candidates[AUTH_NAME_CANDIDATES];
	struct bytes folded;

	if (auth_name_fold(name, fold_room, &folded) != RP_OK)
		return NULL;
	struct bytes domain = auth_name_domain(folded);
	size_t count = auth_name_candidates(
	    folded, domain.n == 0 || domain_is_ours(arg, domain), room, candidates);

	for (size_t i = 0; i < count; i++) {
		const struct userdb_user *user = userdb_find(db, candidates[i].name);

		if (user != NULL) {
			*without_detail = candidates[i].without_detail;
			return user;
		}
	}
	return NULL;
}

struct bytes userdb_decoy(const struct userdb *db, struct bytes name)
{
	uint8_t fold_room[AUTH_NAME_BYTES_MAX], room[AUTH_NAME_BYTES_MAX];
	struct auth_name_candidate candidates[AUTH_NAME_CANDIDATES];
	struct bytes decoy = bytes_of_str(default_decoy);
	struct bytes folded;

	if (db->users_count == 0)
		return decoy;
	/* All spellings of one name have one decoy, as all spellings of a user's name have his
	 * hash. */
	if (auth_name_fold(name, fold_room, &folded) == RP_OK)
		name = candidates[auth_name_candidates(folded, true, room, candidates) - 1].name;
	uint64_t h = hash_bytes(db->by_name.key, name);
	struct bytes hash = db->users[h % db->users_count].hash;

	return password_scheme_of(hash) == PASSWORD_LOCKED ? decoy : hash;
}
