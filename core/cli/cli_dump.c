/* dump: any file of the store, as lines for a person. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cli/cli.h"
#include "core/cli/exit_code.h"
#include "index/dump.h"

static enum rp_err print_line(void *arg, struct bytes line)
{
	(void)arg;
	return printf("%.*s\n", BYTES_FMT(line)) >= 0 ? RP_OK : RP_ERR_IO;
}

/* Files without a header, which say all by their names; NULL: it is none of these. */
static const char *text_of_name(const char *path, size_t bytes)
{
	static const char end[] = ".checkpoint";
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	size_t n = strlen(name);

	if (strcmp(name, "reserve") == 0)
		return "reserve: room without content, given up when the disk is full";
	if (bytes == 0 && strcmp(name, "careful") == 0)
		return "careful: a flush of everything has failed; recovery flushes each file that it writes to by itself";
	if (bytes == 0 && n > sizeof(end) - 1 && strcmp(name + n - (sizeof(end) - 1), end) == 0)
		return "checkpoint: there was a catalog with this LSN";
	return NULL;
}

/* A whole file, mapped. NULL: it is; else why not. */
static const char *map_file(const char *path, struct bytes *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *why = NULL;
	void *p = MAP_FAILED;
	struct stat st;

	if (fd < 0)
		return strerror(errno);
	if (fstat(fd, &st) != 0)
		why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		why = "not a file";
	else if (st.st_size != 0)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (why == NULL && p == MAP_FAILED && st.st_size != 0)
		why = strerror(errno);
	close(fd);
	if (why == NULL && p != MAP_FAILED)
		*out = bytes_of(p, (size_t)st.st_size);
	return why;
}

static int dump_one(const char *path)
{
	struct bytes content = { 0 };
	const char *why = map_file(path, &content);
	const char *says = text_of_name(path, content.n);
	enum rp_err err = RP_OK;

	if (why == NULL && says == NULL && content.n == 0)
		why = "empty";
	if (why != NULL) {
		fprintf(stderr, "ringpost: %s: %s\n", path, why);
		return EXIT_CODE_FAILED;
	}
	if (says != NULL)
		err = print_line(NULL, bytes_of_str(says));
	else
		err = dump_file(content, print_line, NULL);
	if (content.n > 0)
		munmap((void *)(uintptr_t)content.p, content.n);
	if (err == RP_ERR_CORRUPT)
		fprintf(stderr, "ringpost: %s: not a file of a store, or its header is damaged\n", path);
	return exit_code_of(err);
}

int cli_dump(int argc, char **argv)
{
	int worst = EXIT_CODE_OK;

	if (argc < 2 || argv[1][0] == '-')
		return cli_usage("dump");
	for (int i = 1; i < argc; i++) {
		int code = dump_one(argv[i]);

		if (argc > 2)
			printf("%s", i + 1 < argc ? "\n" : "");
		worst = code != EXIT_CODE_OK ? code : worst;
	}
	return worst;
}
