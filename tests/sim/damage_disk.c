/* Bad sectors, flipped bits, files cut short or gone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "tests/sim/damage.h"

enum { FILES_MAX = 256, SECTOR_BYTES = 512 };

struct files {
	enum damage_what what;
	bool marks_too; /* of checkpoints: empty files */
	char dir[USERID_PATH_BYTES];
	unsigned count;
	enum file_root root[FILES_MAX];
	char path[FILES_MAX][DAMAGE_PATH_BYTES];
};

static bool ends_in(const char *path, const char *end)
{
	size_t n = strlen(path);
	size_t m = strlen(end);

	return n > m && strcmp(path + n - m, end) == 0;
}

static void collect(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	struct files *files = arg;
	bool his = root == FILE_ROOT_DATA && strncmp(path, files->dir, strlen(files->dir)) == 0;
	bool mark = files->marks_too && his && ends_in(path, ".checkpoint");
	bool is = false;

	if (files->what == DAMAGE_DERIVED)
		is = his && (ends_in(path, ".catalog") || ends_in(path, ".index") ||
		                ends_in(path, ".cache"));
	else if (files->what == DAMAGE_TRUTH)
		is = his && (ends_in(path, ".journal") || ends_in(path, ".dbox"));
	else
		is = root == FILE_ROOT_COMMIT || strcmp(path, "store") == 0;
	if (!(is && bytes > 0) && !mark)
		return;
	if (files->count == FILES_MAX)
		return;
	files->root[files->count] = root;
	snprintf(files->path[files->count++], DAMAGE_PATH_BYTES, "%s", path);
}

/* Of the whole sectors of the file; what a write that went astray has put there. */
static void copy_sector(struct machine *machine, uint8_t *p, size_t n, size_t to, const char *path)
{
	size_t from = machine_draw(machine, (uint32_t)(n / SECTOR_BYTES)) * SECTOR_BYTES;

	machine_tell(machine, "damage: %s: the sector at %zu has the bytes of the one at %zu", path,
	    to, from);
	memmove(p + to, p + from, SECTOR_BYTES);
}

/* What became of the bytes; false: it was removed. */
static bool spoil(struct machine *machine, uint8_t *p, size_t *n, struct damage *damage)
{
	size_t at = machine_draw(machine, (uint32_t)*n);
	size_t sector = at / SECTOR_BYTES * SECTOR_BYTES;
	size_t rest = *n - sector < SECTOR_BYTES ? *n - sector : SECTOR_BYTES;

	switch (machine_draw(machine, 5)) {
	case 0:
		machine_tell(machine, "damage: %s: a bit is flipped at %zu", damage->path, at);
		p[at] ^= (uint8_t)(1u << machine_draw(machine, 8));
		return true;
	case 1:
		machine_tell(
		    machine, "damage: %s: the sector at %zu is zero", damage->path, sector);
		memset(p + sector, 0, rest);
		return true;
	case 2:
		if (rest == SECTOR_BYTES && machine_draw(machine, 2) == 0) {
			copy_sector(machine, p, *n, sector, damage->path);
			return true;
		}
		machine_tell(
		    machine, "damage: %s: the sector at %zu is another's", damage->path, sector);
		for (size_t i = 0; i < rest; i++)
			p[sector + i] = (uint8_t)machine_draw(machine, 256);
		return true;
	case 3:
		machine_tell(machine, "damage: %s: it is cut at %zu", damage->path, at);
		*n = at;
		return true;
	default:
		machine_tell(machine, "damage: %s: it is gone", damage->path);
		return false;
	}
}

static void damage_file(struct machine *machine, struct damage *damage)
{
	struct bytes content;

	MODEL_EQ(sim_disk_read(machine->world, damage->root, damage->path, &content), RP_OK);

	size_t n = content.n;
	uint8_t *p = malloc(n + 1);

	damage->was = malloc(n + 1);
	damage->was_bytes = n;
	MODEL_CHECK(p != NULL && damage->was != NULL);
	memcpy(p, content.p, n);
	memcpy(damage->was, p, n);
	if (spoil(machine, p, &n, damage))
		MODEL_EQ(sim_disk_write(machine->world, damage->root, damage->path, bytes_of(p, n)),
		    RP_OK);
	else
		MODEL_EQ(sim_disk_remove(machine->world, damage->root, damage->path), RP_OK);
	free(p);
}

void damage_undo(struct machine *machine, struct damage *damage)
{
	MODEL_EQ(sim_disk_write(machine->world, damage->root, damage->path,
	             bytes_of(damage->was, damage->was_bytes)),
	    RP_OK);
	damage_fini(damage);
}

void damage_fini(struct damage *damage)
{
	free(damage->was);
	damage->was = NULL;
}

bool damage_disk(struct machine *machine, enum damage_what what, const struct userid *userid,
    struct damage *damage)
{
	struct files *files = calloc(1, sizeof(*files));
	bool any;

	MODEL_CHECK(files != NULL);
	*damage = (struct damage){0};
	files->what = what;
	userid_path(userid, files->dir);
	sim_disk_walk(machine->world, collect, files);
	any = files->count > 0;
	if (any) {
		uint32_t i = machine_draw(machine, files->count);

		damage->root = files->root[i];
		strcpy(damage->path, files->path[i]);
		damage_file(machine, damage);
	}
	free(files);
	return any;
}

void damage_forget(struct machine *machine, const struct userid *userid)
{
	struct files *files = calloc(1, sizeof(*files));

	MODEL_CHECK(files != NULL);
	files->what = DAMAGE_DERIVED;
	files->marks_too = true;
	userid_path(userid, files->dir);
	sim_disk_walk(machine->world, collect, files);
	for (unsigned i = 0; i < files->count; i++)
		MODEL_EQ(sim_disk_remove(machine->world, files->root[i], files->path[i]), RP_OK);
	machine_tell(machine, "damage: %u derived files are gone", files->count);
	free(files);
}

struct logs {
	char dir[16]; /* "": all */
	unsigned count;
	char path[FILES_MAX][DAMAGE_PATH_BYTES];
};

static void collect_logs(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	struct logs *logs = arg;

	(void)bytes;
	if (root != FILE_ROOT_COMMIT || strncmp(path, logs->dir, strlen(logs->dir)) != 0)
		return;
	MODEL_CHECK(logs->count < FILES_MAX);
	snprintf(logs->path[logs->count++], DAMAGE_PATH_BYTES, "%s", path);
}

unsigned damage_lose_logs(struct machine *machine, int shard)
{
	struct logs *logs = calloc(1, sizeof(*logs));
	unsigned count;

	MODEL_CHECK(logs != NULL);
	if (shard != DAMAGE_ALL_SHARDS)
		snprintf(logs->dir, sizeof(logs->dir), "%d/", shard);
	sim_disk_walk(machine->world, collect_logs, logs);
	for (unsigned i = 0; i < logs->count; i++)
		MODEL_EQ(sim_disk_remove(machine->world, FILE_ROOT_COMMIT, logs->path[i]), RP_OK);
	count = logs->count;
	machine_tell(machine, "damage: the commit logs (%s) are gone, %u files",
	    shard == DAMAGE_ALL_SHARDS ? "all" : logs->dir, count);
	free(logs);
	return count;
}

struct digest {
	struct sim_world *world;
	char dir[USERID_PATH_BYTES];
	uint64_t digest;
};

static void digest_file(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	struct digest *digest = arg;
	struct bytes content;

	(void)bytes;
	if (root != FILE_ROOT_DATA || strncmp(path, digest->dir, strlen(digest->dir)) != 0)
		return;
	MODEL_EQ(sim_disk_read(digest->world, root, path, &content), RP_OK);
	digest->digest = XXH3_64bits_withSeed(path, strlen(path), digest->digest);
	digest->digest = XXH3_64bits_withSeed(content.p, content.n, digest->digest);
}

uint64_t damage_disk_digest(struct machine *machine, const struct userid *userid)
{
	struct digest digest = {.world = machine->world};

	userid_path(userid, digest.dir);
	sim_disk_rest(machine->world);
	sim_disk_walk(machine->world, digest_file, &digest);
	return digest.digest;
}

uint64_t damage_disk_digest_all(struct machine *machine)
{
	uint64_t digest = 0;

	for (unsigned u = 0; u < MACHINE_USERS; u++)
		digest = digest * 31 + damage_disk_digest(machine, &machine->ledger[u].userid);
	return digest;
}
