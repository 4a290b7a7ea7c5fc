#include "io/mount.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { MOUNT_TEXT_BYTES_MAX = 16 * 1024 * 1024 }; /* some hundred thousand mounts */

/* The next word of a line. False: there is none. */
static bool next_word(struct bytes *line, struct bytes *word)
{
	size_t end = bytes_find(*line, 0, ' ');

	*word = bytes_slice(*line, 0, end);
	*line = bytes_from(*line, end < line->n ? end + 1 : end);
	return word->n > 0;
}

static bool is_device(struct bytes word, unsigned major, unsigned minor)
{
	char device[32];

	snprintf(device, sizeof(device), "%u:%u", major, minor);
	return bytes_eq(word, bytes_of_str(device));
}

/* "36 35 98:0 /root /mnt/x rw,noatime master:1 - ext4 /dev/sda1 rw": the third word, and the one behind the dash. */
bool mount_find(struct bytes mountinfo, unsigned major, unsigned minor, struct bytes *type)
{
	while (mountinfo.n > 0) {
		size_t lf = bytes_find(mountinfo, 0, '\n');
		struct bytes line = bytes_slice(mountinfo, 0, lf);
		struct bytes word;
		unsigned at = 1;
		bool ours = false;

		while (next_word(&line, &word)) {
			ours |= at == 3 && is_device(word, major, minor);
			if (at++ > 6 && bytes_eq(word, BYTES_LIT("-")))
				break;
		}
		if (ours && next_word(&line, type))
			return true;
		mountinfo = bytes_from(mountinfo, lf < mountinfo.n ? lf + 1 : lf);
	}
	return false;
}

static size_t read_all(int fd, uint8_t *p, size_t max)
{
	size_t n = 0;
	ssize_t got;

	while (n < max && (got = read(fd, p + n, max - n)) > 0)
		n += (size_t)got;
	return n;
}

void mount_type(int fd, char type[MOUNT_TYPE_BYTES])
{
	int info = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	uint8_t *text = malloc(MOUNT_TEXT_BYTES_MAX);
	struct bytes found;
	struct stat st;

	type[0] = '\0';
	if (info >= 0 && text != NULL && fstat(fd, &st) == 0 &&
	    mount_find(bytes_of(text, read_all(info, text, MOUNT_TEXT_BYTES_MAX)), major(st.st_dev),
	        minor(st.st_dev), &found))
		snprintf(type, MOUNT_TYPE_BYTES, "%.*s", BYTES_FMT(found));
	free(text);
	if (info >= 0)
		close(info);
}

bool mount_is_fuse(const char *type)
{
	return strcmp(type, "fuse") == 0 || strncmp(type, "fuse.", 5) == 0;
}
