/* An mbox of any bytes: its messages lie one behind the other in it. */
#include <sys/mman.h>
#include <unistd.h>

#include "core/cli/mail_source.h"
#include "tests/fuzz/fuzz.h"

struct seen {
	size_t bytes;
	size_t count;
	size_t wrong;
};

static enum rp_err see(void *arg, const struct mail_item *item, const struct mail_place *place)
{
	struct seen *seen = arg;

	RP_ASSERT(place->path != NULL && item->mailbox[0] == '\0' && item->message.n > 0);
	for (size_t i = 0; i < item->message.n; i += 1 + item->message.n / 16)
		seen->bytes += item->message.p[i] & 0; /* it can be read */
	seen->bytes += item->message.n;
	seen->count++;
	return RP_OK;
}

static enum rp_err unreadable(void *arg, const char *path, const char *why)
{
	struct seen *seen = arg;

	RP_ASSERT(path[0] != '\0' && why[0] != '\0');
	seen->wrong++;
	return RP_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct mail_source_calls calls = { see, unreadable };
	struct seen seen = { 0 };
	char path[32];
	int fd = memfd_create("mbox", 0);

	RP_ASSERT(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	RP_ASSERT(mail_source_walk(path, &calls, &seen) == RP_OK);
	RP_ASSERT(seen.count + seen.wrong >= (n > 0) && seen.count <= n / 5 + 1 && seen.bytes <= n);
	close(fd);
	return 0;
}
