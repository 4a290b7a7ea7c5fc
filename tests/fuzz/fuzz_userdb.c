/* A passwd-file of any bytes: each user of an accepted one is found, and a refused one is
 * explained. */
#include "core/auth/authd_wire.h"
#include "core/auth/userdb.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static bool ours(const void *arg, struct bytes domain)
{
	(void)arg;
	return domain.n % 2 == 0;
}

static void check_lines(const struct userdb *db, struct bytes text)
{
	size_t users = 0;

	for (size_t at = 0, end; at < text.n; at = end + 1) {
		struct userdb_user user;
		const char *what;
		bool cut;

		end = bytes_find(text, at, '\n');
		if (userdb_parse_line(bytes_slice(text, at, end), &user, &what) != RP_OK)
			continue;
		users++;
		const struct userdb_user *found = userdb_find(db, user.name);

		RP_ASSERT(found != NULL && bytes_eq(found->hash, user.hash));
		RP_ASSERT(userdb_resolve(db, user.name, ours, NULL, &cut) == found && !cut);
	}
	RP_ASSERT(users == userdb_count(db));
}

static void try_settings(struct bytes text)
{
	char why[AUTHD_WIRE_TEXT_BYTES_MAX];
	struct authd_wire_settings *settings;
	struct authd_wire_status status;

	if (authd_wire_get_settings(text, &settings, why) == RP_OK)
		authd_wire_free_settings(settings);
	if (authd_wire_get_status(text, &status) == RP_OK)
		RP_ASSERT(memchr(status.text, '\0', sizeof(status.text)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct userdb *db;
	struct userdb_fault fault = {0, NULL};
	struct bytes text = bytes_of(p, n);
	bool cut = false;

	try_settings(text);
	if (userdb_open(text, (struct hash_key){1, 2}, &db, &fault) != RP_OK) {
		RP_ASSERT(fault.line > 0 && fault.what != NULL);
		return 0;
	}
	check_lines(db, text);
	RP_ASSERT(userdb_decoy(db, text).n > 0);
	(void)userdb_resolve(db, text, ours, NULL, &cut);
	userdb_close(db);
	return 0;
}
