/* A config file of any bytes, and the settings as JSON: what is accepted is the same when it has gone from process to process;
 * what is refused has one line for a person. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/server/config.h"
#include "tests/fuzz/fuzz.h"

static void check_travel(const struct config *config)
{
	struct config *again;
	char *text;
	char *text_again;

	RP_ASSERT(config_to_json(config, &text) == RP_OK);
	RP_ASSERT(config_of_json(bytes_of_str(text), &again) == RP_OK);
	RP_ASSERT(config_to_json(again, &text_again) == RP_OK);
	RP_ASSERT(strcmp(text, text_again) == 0);
	config_free(again);
	free(text);
	free(text_again);
}

static void try_file(struct bytes in)
{
	struct config *config;
	char reason[512];
	char path[32];
	int fd = memfd_create("config", 0);

	RP_ASSERT(fd >= 0 && write(fd, in.p, in.n) == (ssize_t)in.n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (config_read(path, &config, reason, sizeof(reason)) == RP_OK) {
		check_travel(config);
		config_free(config);
	} else {
		RP_ASSERT(reason[0] != '\0' && strchr(reason, '\n') == NULL);
	}
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct config *config;
	struct bytes in = bytes_of(p, n);

	if (n > 0 && p[0] == '{') {
		if (config_of_json(in, &config) == RP_OK) {
			check_travel(config);
			config_free(config);
		}
		return 0;
	}
	/* Another file of this machine's is no input of ours. */
	if (n > 0 && bytes_find_bytes(in, BYTES_LIT("include")) == in.n)
		try_file(in);
	return 0;
}
