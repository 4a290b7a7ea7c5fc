#include "core/cli/offline.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/auth/userdb.h"
#include "core/auth/userfile.h"
#include "core/cli/cli_text.h"
#include "core/cli/exit_code.h"
#include "core/lmtp/spool.h"
#include "core/server/owner.h"
#include "core/session/message_reader.h"
#include "io/base/userid.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/shard_call.h"

struct offline {
	const struct config *config;
	offline_fn *fn;
	void *arg;
	bool looks; /* changes nothing */
	bool damaged; /* what is no user's own: that is said already */
	bool mends; /* DATA/store is made anew where it is lost, and what cannot be read is given up when it is sure to be lost */
	int code;
};

static void nothing(void *arg)
{
	(void)arg;
}

static struct store_settings settings_of(const struct config *config)
{
	return (struct store_settings){
		.shards_count = 1,
		.commit_file_bytes = config->commit_file_bytes,
		.unsettled_bytes_max = config->unsettled_bytes_max,
		.keep_expunged_s = (config->keep_expunged_ms + 999) / 1000,
		.volumes_bytes_max = config->volumes_bytes_max,
		.reader = &message_reader,
		.changed = nothing,
	};
}

static void say(const struct offline *offline, const char *reason)
{
	fprintf(stderr, "ringpost: %s: %s\n", offline->config->data, reason);
}

static const char *open_to_look(
    struct task *task, struct offline *offline, struct arena *arena, struct claim **claim, struct store **store)
{
	const char *reason = "the store cannot be opened";
	const struct store_settings settings = settings_of(offline->config);
	uint64_t epoch;
	enum rp_err err = store_claim_look(task, arena, claim, &epoch, &reason);

	if (err == RP_ERR_CORRUPT || err == RP_ERR_BUSY)
		offline->code = exit_code_of(err);
	if (err == RP_ERR_CORRUPT && *claim != NULL) {
		say(offline, reason);
		offline->damaged = true;
		err = RP_OK;
	}
	if (err == RP_OK)
		err = store_open_look(task, &settings, epoch, store, &reason);
	return err == RP_OK ? NULL : reason;
}

static const char no_store[] = "there is no store here (no file \"store\", no users, no commit logs), so nothing is repaired, and none is made: "
			       "is the path of `data` right?";

static const char *open_all(
    struct task *task, struct offline *offline, struct arena *arena, struct claim **claim, struct store **store)
{
	const char *reason = "the store cannot be opened";
	const struct store_settings settings = settings_of(offline->config);
	uint64_t epoch;
	enum rp_err err = offline->mends ? store_claim_find(task, arena) : RP_OK;

	if (err == RP_ERR_NOTFOUND)
		return no_store;
	err = store_claim(task, arena, 1, claim, &epoch, &reason);
	if (err == RP_ERR_CORRUPT && offline->mends && store_claim_renew(task) == RP_OK)
		err = store_claim(task, arena, 1, claim, &epoch, &reason);
	if (err == RP_ERR_BUSY)
		offline->code = EXIT_CODE_TRY_AGAIN;

	if (err == RP_OK)
		err = store_open(task, &settings, epoch, store, &reason);
	if (err != RP_OK)
		return reason;
	err = store_recover(task, *store);
	if (err == RP_OK)
		err = store_recover_void(task, *store);
	if (err == RP_OK)
		err = store_recovered(task, *store);
	if (err == RP_OK)
		err = spool_clean(task);
	return err == RP_OK ? NULL : "what an earlier run left in the commit logs cannot be put in its place";
}

static void run(struct task *task, void *arg)
{
	struct offline *offline = arg;
	struct arena arena;
	struct claim *claim = NULL;
	struct store *store = NULL;

	arena_init(&arena, 64 * 1024);
	file_lose_whole(task, offline->mends);
	const char *reason = offline->looks ? open_to_look(task, offline, &arena, &claim, &store)
					    : open_all(task, offline, &arena, &claim, &store);

	file_lose_whole(task, false);
	if (reason == NULL)
		offline->code = offline->fn(task, store, offline->arg);
	else
		say(offline, reason);
	if (offline->damaged && offline->code == EXIT_CODE_OK)
		offline->code = EXIT_CODE_DAMAGE;
	if (store != NULL && store_close(task, store) != RP_OK) {
		fprintf(stderr, "ringpost: %s: the store could not be closed in order; what was answered is safe\n",
			offline->config->data);
		offline->code = EXIT_CODE_FAILED;
	}
	store_unclaim(claim);
	arena_fini(&arena);
	loop_stop(task_loop(task));
}

/* Read what root may read: mail to import, say, lies where it lies. Who looks for damage, and mends, must not be able to read what the
 * server is not. */
static bool keep_reading(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &header, data) != 0)
		return false;
	data[0].effective |= data[0].permitted & (1U << CAP_DAC_READ_SEARCH);
	return syscall(SYS_capset, &header, data) == 0;
}

/* The files that we make are the server's: be who it will be. */
static void become_owner(const char *path, int fd, bool reads_all)
{
	struct stat st;

	if (geteuid() != 0 || fstat(fd, &st) != 0 || st.st_uid == 0)
		return;
	if (setegid(st.st_gid) != 0 || seteuid(st.st_uid) != 0 || (reads_all && !keep_reading()))
		fprintf(stderr, "ringpost: cannot become the owner of %s: %s\n", path, strerror(errno));
#ifdef RP_SANITIZED
	/* LeakSanitizer looks into its own process, which a change of user forbids. */
	(void)!prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
#endif
}

/* Who mends makes no folder in a place where there is no store at all: that is a mistyped path. */
static bool may_make_commit(const struct offline *offline, int data_fd)
{
	struct stat st;

	if (offline->looks)
		return false;
	return !offline->mends || fstatat(data_fd, "store", &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	       fstatat(data_fd, "users", &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The folders are opened before we become their owner: those above may not be his to pass through. */
static bool open_folders(const struct offline *offline, int root_fd[FILE_ROOT_COUNT])
{
	const struct config *config = offline->config;
	const char *commit = config->commit_dir[0] != '\0' ? config->commit_dir : "commit";
	int data_fd = open(config->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int commit_fd = -1;
	char reason[384];

	if (data_fd >= 0) {
		become_owner(config->data, data_fd, !offline->looks && !offline->mends);
		if (may_make_commit(offline, data_fd))
			(void)!mkdirat(data_fd, commit, 0700);
		commit_fd = openat(data_fd, commit, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	root_fd[FILE_ROOT_DATA] = data_fd;
	root_fd[FILE_ROOT_COMMIT] = commit_fd;
	if (commit_fd >= 0 && (owner_check_mount(data_fd, "data", reason, sizeof(reason)) != RP_OK ||
		owner_check_mount(commit_fd, "commit log", reason, sizeof(reason)) != RP_OK)) {
		say(offline, reason);
		return false;
	}
	if (commit_fd >= 0)
		return true;
	if (data_fd >= 0 && errno == ENOENT && offline->mends) {
		say(offline, no_store);
		return false;
	}
	fprintf(stderr, "ringpost: %s%s%s: %s\n", config->data, data_fd >= 0 ? ": " : "", data_fd >= 0 ? commit : "",
		strerror(errno));
	return false;
}

static void run_on(struct loop *loop, struct shard_group *group, struct offline *offline)
{
	shard_group_join(group, loop);
	if (task_start(loop, run, offline, NULL) == RP_OK)
		loop_run(loop);
}

static int run_offline(struct offline *offline)
{
	struct loop_settings settings = { .log = log_open(NULL, 0, 64 * 1024) };
	struct shard_group_settings group_settings = { .shards_count = 1, .calls = NULL };
	struct shard_group *group = NULL;
	struct loop *loop = NULL;
	const char *reason = "out of memory";
	uid_t uid = geteuid();
	gid_t gid = getegid();

	log_set(settings.log, LOG_ERROR, LOG_TEXT); /* a command says itself what it has to say */
	if (!open_folders(offline, settings.root_fd))
		offline->code = EXIT_CODE_FAILED;
	else if (loop_open(&settings, &loop, &reason) != RP_OK || shard_group_open(&group_settings, &group) != RP_OK)
		fprintf(stderr, "ringpost: %s\n", reason);
	else
		run_on(loop, group, offline);
	loop_close(loop);
	shard_group_close(group);
	log_flush_fd(settings.log, STDERR_FILENO);
	log_close(settings.log);
	if (seteuid(uid) != 0 || setegid(gid) != 0)
		fprintf(stderr, "ringpost: cannot become user %u again: %s\n", (unsigned)uid, strerror(errno));
	return offline->code;
}

int offline_run(const struct config *config, offline_fn *fn, void *arg)
{
	struct offline offline = { .config = config, .fn = fn, .arg = arg, .code = EXIT_CODE_FAILED };

	return run_offline(&offline);
}

int offline_mend(const struct config *config, offline_fn *fn, void *arg)
{
	struct offline offline = { .config = config, .fn = fn, .arg = arg, .mends = true, .code = EXIT_CODE_FAILED };

	return run_offline(&offline);
}

int offline_look(const struct config *config, offline_fn *fn, void *arg)
{
	struct offline offline = { .config = config, .fn = fn, .arg = arg, .looks = true, .code = EXIT_CODE_FAILED };

	return run_offline(&offline);
}

static bool is_ours(const void *arg, struct bytes domain)
{
	const struct config *config = arg;

	for (size_t i = 0; i < config->domains.count; i++)
		if (bytes_eq_fold(domain, bytes_of_str(config->domains.word[i])))
			return true;
	return config->domains.count == 0;
}

int offline_user(const struct config *config, const char *name, struct userid *userid)
{
	struct userfile file;
	struct userdb *db;
	struct userdb_fault fault = { 0 };
	struct hash_key key;
	uint8_t room[AUTH_NAME_BYTES_MAX];
	struct bytes folded;
	bool without_detail;
	const struct userdb_user *user = NULL;
	enum rp_err err = userfile_read(config->passwd, &file);

	if (err != RP_OK) {
		fprintf(stderr, "ringpost: %s: %s\n", config->passwd, cli_text_of(err));
		return EXIT_CODE_CONFIG;
	}
	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		key = (struct hash_key){ 0 };
	err = userdb_open(bytes_of(file.p, file.n), key, &db, &fault);
	userfile_free(&file);
	if (err != RP_OK) {
		fprintf(stderr, "ringpost: %s:%zu: %s\n", config->passwd, fault.line,
			fault.what != NULL ? fault.what : cli_text_of(err));
		return EXIT_CODE_CONFIG;
	}
	if (auth_name_fold(bytes_of_str(name), room, &folded) == RP_OK)
		user = userdb_resolve(db, folded, is_ours, config, &without_detail);
	if (user != NULL)
		memcpy(userid->b, user->userid.p, sizeof(userid->b));
	userdb_close(db);
	if (user != NULL)
		return EXIT_CODE_OK;
	fprintf(stderr, "ringpost: there is no user %s in %s\n", name, config->passwd);
	return EXIT_CODE_NO_USER;
}
