#include "core/cli/quickstart_owner.h"

#include <errno.h>
#include <fts.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cli/control.h"

enum { OWNER_PATH_MAX = 4096 + 64 };

struct owner_ids {
	uid_t uid;
	gid_t gid;
};

static bool id_of(const char *name, uint64_t *id)
{
	const char *text = getenv(name);

	return text != NULL && bytes_to_u64(bytes_of_str(text), INT32_MAX, id) && *id != 0;
}

/* Who called sudo; false: nobody did, or it was root. */
static bool find_caller(struct owner_ids *ids)
{
	uint64_t uid;
	uint64_t gid;

	if (!id_of("SUDO_UID", &uid) || !id_of("SUDO_GID", &gid))
		return false;
	*ids = (struct owner_ids){ (uid_t)uid, (gid_t)gid };
	return true;
}

static bool find_owner(struct owner_ids *ids)
{
	const struct passwd *user;

	if (find_caller(ids))
		return true;
	user = getpwnam("ringpost");
	if (user == NULL)
		user = getpwnam("nobody");
	if (user == NULL || user->pw_uid == 0)
		return false;
	*ids = (struct owner_ids){ user->pw_uid, user->pw_gid };
	return true;
}

/* What lies in a folder first, so that one that was cut short is done again. Links are not followed. */
static bool give_tree(const char *path, const struct owner_ids *ids)
{
	char *const paths[] = { (char *)(uintptr_t)path, NULL };
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	const FTSENT *entry;
	bool done = tree != NULL;

	while (done && (entry = fts_read(tree)) != NULL) {
		if (entry->fts_info == FTS_D)
			continue; /* comes again behind its content */
		done = entry->fts_info != FTS_DNR && entry->fts_info != FTS_ERR &&
		       lchown(entry->fts_path, ids->uid, ids->gid) == 0;
	}
	int number = errno;

	if (tree != NULL)
		fts_close(tree);
	errno = number;
	return done;
}

static bool server_runs(const struct config *config)
{
	struct control *control;

	if (control_open(config, &control) != RP_OK)
		return false;
	control_close(control);
	return true;
}

void quickstart_owner_give_data(const struct config *config)
{
	struct owner_ids ids;
	struct stat st;

	if (geteuid() != 0 || stat(config->data, &st) != 0 || st.st_uid != 0 || server_runs(config))
		return;
	if (!find_owner(&ids))
		fprintf(stderr, "ringpost: %s stays root's: there is no user `nobody` on this machine\n", config->data);
	else if (!give_tree(config->data, &ids))
		fprintf(stderr, "ringpost: %s stays root's: it cannot be given to user %u: %s\n", config->data, (unsigned)ids.uid,
			strerror(errno));
}

void quickstart_owner_give_rest(const char *dir)
{
	static const char *const names[] = { "ringpost.conf", "demo.password", "sample.done", "tls/cert.pem", "tls", "" };
	struct owner_ids ids;
	char path[OWNER_PATH_MAX];

	if (geteuid() != 0 || !find_caller(&ids))
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		if (lchown(path, ids.uid, ids.gid) != 0 && errno != ENOENT)
			fprintf(stderr, "ringpost: %s stays root's: %s\n", path, strerror(errno));
	}
}
