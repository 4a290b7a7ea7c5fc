#include "core/cli/mail_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/imap/mailbox_name.h"
#include "io/base/arena.h"
#include "io/base/num.h"

enum {
	SOURCE_PATH_MAX = 4096,
	SOURCE_DEPTH_MAX = 24, /* folders below folders: a loop of links ends here */
	SOURCE_NAMES_MAX = 10 * 1000 * 1000,
};

struct walk {
	const struct mail_source_calls *calls;
	void *arg;
};

struct identity {
	dev_t device;
	ino_t inode;
};

/* A folder that is still to be walked. */
struct folder {
	struct folder *next;
	char *path;
	char *mailbox;
	unsigned depth;
	struct identity above[SOURCE_DEPTH_MAX]; /* of the folders that it lies in, `depth` of them */
};

static enum rp_err unreadable(const struct walk *walk, const char *path, const char *why)
{
	return walk->calls->unreadable(walk->arg, path, why);
}

static enum rp_err cannot(const struct walk *walk, const char *path, int number)
{
	return unreadable(walk, path, strerror(number));
}

/* A file's bytes, mapped. An empty file has p NULL. NULL: they are there; else why not. */
static const char *map_file(const char *path, struct bytes *out, struct stat *st)
{
	/* Opening a FIFO or a device may wait for ever: none is mail. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	void *p = NULL;

	if (fd < 0)
		return strerror(errno);
	if (fstat(fd, st) != 0 || !S_ISREG(st->st_mode)) {
		close(fd);
		return "not a file";
	}
	if (st->st_size > 0)
		p = mmap(NULL, (size_t)st->st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	int number = errno;

	close(fd);
	if (p == MAP_FAILED)
		return strerror(number);
	*out = bytes_of(p, (size_t)st->st_size);
	return NULL;
}

static void unmap_file(struct bytes content)
{
	if (content.n > 0)
		munmap((void *)(uintptr_t)content.p, content.n);
}

/* ---- mbox ---- */

static bool is_from_line(struct bytes b)
{
	return bytes_starts_with(b, BYTES_LIT("From "));
}

/* "From sender Sat Jan  3 01:05:34 1996", perhaps with a zone before or behind the year: the date, as UTC. A line of a text that
 * begins with "From " has no such date, so it does not cut a message in two. */
static bool from_date(struct bytes line, int64_t *seconds)
{
	char text[256];
	size_t n = line.n < sizeof(text) - 1 ? line.n : sizeof(text) - 1;

	if (!is_from_line(line))
		return false;
	memcpy(text, line.p, n);
	text[n] = '\0';
	for (char *at = strchr(text + 4, ' '); at != NULL; at = strchr(at + 1, ' ')) {
		struct tm tm = { 0 };
		const char *rest = strptime(at, "%n%a %b %d %H:%M:%S", &tm);

		if (rest == NULL)
			continue;
		for (int words = 0; words < 3; words++) {
			if (strptime(rest, "%n%Y", &tm) != NULL && tm.tm_year >= 70) {
				*seconds = timegm(&tm);
				return true;
			}
			rest += strspn(rest, " ");
			rest += strcspn(rest, " ");
		}
	}
	return false;
}

static uint32_t status_flags(struct bytes value)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < value.n; i++)
		switch (value.p[i]) {
		case 'R':
			flags |= MAIL_SEEN;
			break;
		case 'A':
			flags |= MAIL_ANSWERED;
			break;
		case 'F':
			flags |= MAIL_FLAGGED;
			break;
		case 'T':
			flags |= MAIL_DRAFT;
			break;
		case 'D':
			flags |= MAIL_DELETED;
			break;
		default:
			break;
		}
	return flags;
}

/* What Status: and X-Status: in the header say; the lines stay where they are. */
static uint32_t mbox_flags(struct bytes message)
{
	uint32_t flags = 0;

	while (message.n > 0) {
		size_t lf = bytes_find(message, 0, '\n');
		struct bytes line = bytes_slice(message, 0, lf);

		if (line.n == 0 || (line.n == 1 && line.p[0] == '\r'))
			break;
		if (bytes_starts_with_fold(line, BYTES_LIT("Status:")))
			flags |= status_flags(bytes_from(line, 7));
		else if (bytes_starts_with_fold(line, BYTES_LIT("X-Status:")))
			flags |= status_flags(bytes_from(line, 9));
		message = bytes_from(message, lf < message.n ? lf + 1 : lf);
	}
	return flags;
}

/* Is this line one that was quoted because it began with "From "? (">From ", ">>From ", ...) */
static bool is_quoted_from(struct bytes line)
{
	size_t n = 0;

	while (n < line.n && line.p[n] == '>')
		n++;
	return n > 0 && is_from_line(bytes_from(line, n));
}

/* The message's bytes with one '>' taken off quoted From lines; in `room`, which has as many bytes. */
static struct bytes unquote(struct bytes message, uint8_t *room)
{
	size_t n = 0;

	while (message.n > 0) {
		size_t lf = bytes_find(message, 0, '\n');
		size_t end = lf < message.n ? lf + 1 : lf;
		struct bytes line = bytes_slice(message, 0, end);

		if (is_quoted_from(line))
			line = bytes_from(line, 1);
		memcpy(room + n, line.p, line.n);
		n += line.n;
		message = bytes_from(message, end);
	}
	return bytes_of(room, n);
}

/* Offset of the next "From " line behind an empty line, at or after `from`; b.n: none. */
static size_t next_from(struct bytes b, size_t from)
{
	while (from < b.n) {
		size_t lf = bytes_find(b, from, '\n');

		if (lf == b.n)
			return b.n;
		struct bytes before = bytes_slice(b, 0, lf);
		bool empty = before.n == 0 || before.p[before.n - 1] == '\n' ||
			     (before.n >= 2 && before.p[before.n - 1] == '\r' && before.p[before.n - 2] == '\n');

		struct bytes line = bytes_slice(b, lf + 1, bytes_find(b, lf + 1, '\n'));
		int64_t seconds;

		if (empty && from_date(line, &seconds))
			return lf + 1;
		from = lf + 1;
	}
	return b.n;
}

static enum rp_err walk_mbox(struct walk *walk, const char *path, const char *mailbox, struct bytes b, int64_t mtime_s)
{
	uint8_t *room = malloc(b.n);
	struct mail_place place = { .path = path };
	enum rp_err err = RP_OK;

	if (room == NULL)
		return cannot(walk, path, ENOMEM);
	while (b.n > 0 && err == RP_OK) {
		size_t line_end = bytes_find(b, 0, '\n');
		size_t begin = line_end < b.n ? line_end + 1 : b.n;
		size_t end = next_from(b, begin > 0 ? begin - 1 : 0);
		struct bytes message = bytes_slice(b, begin, end < begin ? begin : end);
		struct mail_item item = { .mailbox = mailbox, .internaldate = { mtime_s, 0 } };

		(void)from_date(bytes_slice(b, 0, line_end), &item.internaldate.seconds);
		/* The empty line before the next From is the format's, not the message's. */
		if (end < b.n || (message.n >= 2 && message.p[message.n - 1] == '\n')) {
			size_t cut = message.n >= 2 && message.p[message.n - 2] == '\r' ? 2 : 1;
			struct bytes without = bytes_slice(message, 0, message.n >= cut ? message.n - cut : 0);

			if (without.n > 0 && without.p[without.n - 1] == '\n')
				message = without;
		}
		item.flags = mbox_flags(message);
		item.message = unquote(message, room);
		place.number++;
		if (item.message.n > 0)
			err = walk->calls->found(walk->arg, &item, &place);
		else
			err = unreadable(walk, path, "a From line without a message behind it");
		b = bytes_from(b, end);
	}
	free(room);
	return err;
}

/* ---- one file ---- */

/* Does it begin with a header field's name? */
static bool is_message(struct bytes b)
{
	size_t n = 0;

	while (n < b.n && b.p[n] > ' ' && b.p[n] < 0x7f && b.p[n] != ':')
		n++;
	size_t name = n;

	while (n < b.n && (b.p[n] == ' ' || b.p[n] == '\t'))
		n++;
	return name > 0 && n < b.n && b.p[n] == ':';
}

static bool is_eml(const char *path)
{
	size_t n = strlen(path);

	return n > 4 && strcasecmp(path + n - 4, ".eml") == 0;
}

/* any: it need not be a message; an mbox, or nothing at all, will do. */
static enum rp_err walk_file(struct walk *walk, const char *path, const char *mailbox, uint32_t flags, bool any)
{
	struct bytes content;
	struct stat st;
	const char *why = map_file(path, &content, &st);
	enum rp_err err;

	if (why != NULL)
		return unreadable(walk, path, why);
	if (content.n == 0)
		return any && !is_eml(path) ? RP_OK : unreadable(walk, path, "empty"); /* an mbox without mail */
	if (any && !is_from_line(content) && !is_eml(path) && !is_message(content)) {
		err = unreadable(walk, path, "neither an mbox nor a message");
	} else if (any && is_from_line(content)) {
		err = walk_mbox(walk, path, mailbox, content, st.st_mtime);
	} else {
		struct mail_item item = {
			.mailbox = mailbox,
			.message = content,
			.flags = flags,
			.internaldate = { st.st_mtime, 0 },
		};

		struct mail_place place = { .path = path };

		err = walk->calls->found(walk->arg, &item, &place);
	}
	unmap_file(content);
	return err;
}

/* "1204.M1P2.host:2,FS": the flags behind ":2,". */
static uint32_t maildir_flags(const char *name)
{
	const char *info = strstr(name, ":2,");
	uint32_t flags = 0;

	for (const char *c = info != NULL ? info + 3 : ""; *c != '\0'; c++)
		flags |= *c == 'S' ? MAIL_SEEN : *c == 'R' ? MAIL_ANSWERED : *c == 'F' ? MAIL_FLAGGED
		       : *c == 'D'		      ? MAIL_DRAFT
		       : *c == 'T'		      ? MAIL_DELETED
						       : 0;
	return flags;
}

/* ---- folders ---- */

struct names {
	char **name;
	size_t count;
	size_t room;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->name[i]);
	free(names->name);
}

static bool add_name(struct names *names, const char *name)
{
	if (names->count == names->room) {
		size_t room = names->room == 0 ? 64 : names->room * 2;
		char **grown = room <= SOURCE_NAMES_MAX ? realloc(names->name, room * sizeof(char *)) : NULL;

		if (grown == NULL)
			return false;
		names->name = grown;
		names->room = room;
	}
	names->name[names->count] = strdup(name);
	if (names->name[names->count] == NULL)
		return false;
	names->count++;
	return true;
}

/* Sorted; without "." and "..". False: errno says why. */
static bool list_names(const char *path, struct names *names)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	*names = (struct names){ 0 };
	if (dir == NULL)
		return false;
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (!add_name(names, entry->d_name)) {
			closedir(dir);
			free_names(names);
			errno = ENOMEM;
			return false;
		}
	}
	closedir(dir);
	if (names->count > 0)
		qsort(names->name, names->count, sizeof(char *), compare_names);
	return true;
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool join(char *out, const char *a, const char *b)
{
	int n = a[0] == '\0' ? snprintf(out, SOURCE_PATH_MAX, "%s", b) : snprintf(out, SOURCE_PATH_MAX, "%s/%s", a, b);

	return n >= 0 && n < SOURCE_PATH_MAX;
}

static bool is_maildir(const char *path)
{
	char sub[SOURCE_PATH_MAX];

	return join(sub, path, "cur") && is_dir(sub) && join(sub, path, "new") && is_dir(sub);
}

static enum rp_err walk_maildir_part(struct walk *walk, const char *path, const char *part, const char *mailbox)
{
	char folder[SOURCE_PATH_MAX];
	char file[SOURCE_PATH_MAX];
	struct names names;
	enum rp_err err = RP_OK;

	if (!join(folder, path, part))
		return cannot(walk, path, ENAMETOOLONG);
	if (!list_names(folder, &names))
		return cannot(walk, folder, errno);
	for (size_t i = 0; i < names.count && err == RP_OK; i++) {
		if (names.name[i][0] == '.')
			continue;
		if (join(file, folder, names.name[i]))
			err = walk_file(walk, file, mailbox, maildir_flags(names.name[i]), false);
		else
			err = cannot(walk, folder, ENAMETOOLONG);
	}
	free_names(&names);
	return err;
}

/* A folder below `above` (NULL: none is). NULL: no memory. */
static struct folder *make_folder(const char *path, const char *mailbox, const struct folder *above)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	if (folder == NULL)
		return NULL;
	folder->path = strdup(path);
	folder->mailbox = strdup(mailbox);
	if (folder->path == NULL || folder->mailbox == NULL) {
		free(folder->path);
		free(folder->mailbox);
		free(folder);
		return NULL;
	}
	if (above != NULL) {
		folder->depth = above->depth + 1;
		memcpy(folder->above, above->above, folder->depth * sizeof(struct identity)); /* itself is the last */
	}
	return folder;
}

static void free_folder(struct folder *folder)
{
	free(folder->path);
	free(folder->mailbox);
	free(folder);
}

/* ".A.B" of Maildir++ is A/B, in IMAP's modified UTF-7 as most servers write it; what is none is taken as it is. */
static void name_of_maildir(const char *name, char out[SOURCE_PATH_MAX])
{
	struct arena arena;
	struct bytes decoded;

	snprintf(out, SOURCE_PATH_MAX, "%s", name + 1);
	for (char *c = out; *c != '\0'; c++)
		if (*c == '.')
			*c = '/';
	arena_init(&arena, 64 * 1024);
	if (mailbox_name_decode(bytes_of_str(out), &arena, false, &decoded) == RP_OK) {
		char utf8[SOURCE_PATH_MAX];

		snprintf(utf8, sizeof(utf8), "%.*s", BYTES_FMT(decoded));
		memcpy(out, utf8, sizeof(utf8));
	}
	arena_fini(&arena);
}

/* What a folder below is called as a mailbox. */
static bool mailbox_below(char *out, const char *mailbox, const char *name, bool maildir)
{
	char plain[SOURCE_PATH_MAX];

	if (maildir && name[0] == '.') {
		name_of_maildir(name, plain);
		name = plain;
	}
	return join(out, mailbox, name);
}

/* A link may lead back to where it lies in: such a folder has been seen. */
static const char *why_not_below(const struct folder *folder, const char *path)
{
	struct stat st;

	if (folder->depth + 1 >= SOURCE_DEPTH_MAX)
		return "too deep: folders below folders below folders";
	if (stat(path, &st) != 0)
		return strerror(errno);
	for (unsigned i = 0; i <= folder->depth; i++)
		if (folder->above[i].device == st.st_dev && folder->above[i].inode == st.st_ino)
			return "a link back to a folder that it lies in";
	return NULL;
}

/* A folder found in another goes behind *queue_end, for later. */
static enum rp_err queue_below(struct walk *walk, const struct folder *folder, const char *path, const char *name,
    bool maildir, struct folder ***queue_end)
{
	char mailbox[SOURCE_PATH_MAX];
	const char *why = why_not_below(folder, path);

	if (why != NULL)
		return unreadable(walk, path, why);
	if (!mailbox_below(mailbox, folder->mailbox, name, maildir))
		return cannot(walk, path, ENAMETOOLONG);
	struct folder *below = make_folder(path, mailbox, folder);

	if (below == NULL)
		return cannot(walk, path, ENOMEM);
	**queue_end = below;
	*queue_end = &below->next;
	return RP_OK;
}

static bool is_maildir_part(const char *name)
{
	return strcmp(name, "cur") == 0 || strcmp(name, "new") == 0 || strcmp(name, "tmp") == 0;
}

/* What lies in a folder, besides a Maildir's mail; folders below it are put behind *queue_end. */
static enum rp_err walk_entry(
    struct walk *walk, const struct folder *folder, const char *name, bool maildir, struct folder ***queue_end)
{
	char path[SOURCE_PATH_MAX];

	if (maildir && is_maildir_part(name))
		return RP_OK;
	if (!join(path, folder->path, name))
		return cannot(walk, folder->path, ENAMETOOLONG);
	if (is_dir(path))
		return !maildir && name[0] == '.' ? RP_OK : queue_below(walk, folder, path, name, maildir, queue_end);
	return maildir || name[0] == '.' ? RP_OK : walk_file(walk, path, folder->mailbox, 0, true);
}

static enum rp_err walk_folder(struct walk *walk, struct folder *folder, struct folder ***queue_end)
{
	bool maildir = is_maildir(folder->path);
	struct names names;
	struct stat st;
	enum rp_err err = RP_OK;

	if (stat(folder->path, &st) != 0 || !list_names(folder->path, &names))
		return cannot(walk, folder->path, errno);
	folder->above[folder->depth] = (struct identity){ st.st_dev, st.st_ino };
	if (maildir) {
		err = walk_maildir_part(walk, folder->path, "cur", folder->mailbox);
		if (err == RP_OK)
			err = walk_maildir_part(walk, folder->path, "new", folder->mailbox);
	}
	for (size_t i = 0; i < names.count && err == RP_OK; i++)
		err = walk_entry(walk, folder, names.name[i], maildir, queue_end);
	free_names(&names);
	return err;
}

enum rp_err mail_source_walk(const char *path, const struct mail_source_calls *calls, void *arg)
{
	struct walk walk = { .calls = calls, .arg = arg };

	if (!is_dir(path))
		return walk_file(&walk, path, "", 0, true);
	struct folder *queue = make_folder(path, "", NULL);
	struct folder **end = queue != NULL ? &queue->next : NULL;
	enum rp_err err = queue != NULL ? RP_OK : cannot(&walk, path, ENOMEM);

	while (queue != NULL) {
		struct folder *folder = queue;

		if (err == RP_OK)
			err = walk_folder(&walk, folder, &end);
		queue = folder->next;
		free_folder(folder);
	}
	return err;
}
