/* dump: any file of the store, as lines for a person. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

static int dump_one(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p = MAP_FAILED;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	int number = errno;

	if (fd >= 0)
		close(fd);
	if (p == MAP_FAILED) {
		fprintf(stderr, "ringpost: %s: %s\n", path, fd >= 0 && number == 0 ? "empty" : strerror(number));
		return EXIT_CODE_FAILED;
	}
	enum rp_err err = dump_file(bytes_of(p, (size_t)st.st_size), print_line, NULL);

	munmap(p, (size_t)st.st_size);
	if (err == RP_ERR_CORRUPT)
		fprintf(stderr, "ringpost: %s: not a file of a store, or its header is damaged\n", path);
	return exit_code_of(err);
}

int cli_dump(int argc, char **argv)
{
	int worst = EXIT_CODE_OK;

	if (argc < 2 || argv[1][0] == '-') {
		fprintf(stderr, "usage: ringpost dump FILE...\n");
		return EXIT_CODE_USAGE;
	}
	for (int i = 1; i < argc; i++) {
		int code = dump_one(argv[i]);

		if (argc > 2)
			printf("%s", i + 1 < argc ? "\n" : "");
		worst = code != EXIT_CODE_OK ? code : worst;
	}
	return worst;
}
