/* An mbox of any bytes: its messages lie one behind the other in it. */
#include <sys/mman.h>
#include <unistd.h>

#include "core/cli/mail_source.h"
#include "tests/fuzz/fuzz.h"

struct seen {
	size_t bytes;
	size_t count;
};

static enum rp_err see(void *arg, const struct mail_item *item, const char *path)
{
	struct seen *seen = arg;

	RP_ASSERT(path != NULL && item->mailbox[0] == '\0');
	for (size_t i = 0; i < item->message.n; i += 1 + item->message.n / 16)
		seen->bytes += item->message.p[i] & 0; /* it can be read */
	seen->bytes += item->message.n;
	seen->count++;
	return RP_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct seen seen = { 0 };
	char what[256];
	char path[32];
	int fd = memfd_create("mbox", 0);

	RP_ASSERT(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	RP_ASSERT(mail_source_walk(path, see, &seen, what, sizeof(what)) == RP_OK);
	RP_ASSERT(seen.count >= 1 && seen.count <= n / 5 + 1 && seen.bytes <= n);
	close(fd);
	return 0;
}
