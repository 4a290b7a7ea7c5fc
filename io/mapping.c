#include "io/mapping.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/base/num.h"

enum {
	/* The kernel's own default limit of mappings (vm.max_map_count) is 65,530 for the process.
	 */
	MAPPINGS_MAX = 65536,
	MAPPING_PAGE_BYTES = 4096,
};

/* start is written last on entry and first on removal; 0: free. */
struct mapping_slot {
	uintptr_t start;
	size_t bytes;
	uint32_t bad;
	uint32_t next_free; /* index + 1; 0: none */
};

static struct {
	pthread_mutex_t lock;
	uint32_t used_count; /* slots that were ever in use; the handler looks at no others */
	uint32_t free;       /* index + 1 of the first free one among them; 0: none */
	uint32_t count;      /* slots in use */
	uint32_t bad_count;  /* slots in use that are bad: 0 answers mapping_is_bad() at once */
	struct sigaction before;
	struct mapping_slot slot[MAPPINGS_MAX];
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The slot of the mapping that has this address, or NULL. No lock: a mapping that is touched is not
 * being removed. */
static struct mapping_slot *slot_of(uintptr_t address)
{
	uint32_t count = __atomic_load_n(&registry.used_count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count; i++) {
		struct mapping_slot *slot = &registry.slot[i];
		uintptr_t start = __atomic_load_n(&slot->start, __ATOMIC_ACQUIRE);

		if (start != 0 && address >= start &&
		    address - start < __atomic_load_n(&slot->bytes, __ATOMIC_RELAXED))
			return slot;
	}
	return NULL;
}

/* The system call itself: a sanitizer's mmap() is no business of a signal handler. */
static bool lay_zero_page(uintptr_t address)
{
	uintptr_t page = address & ~(uintptr_t)(MAPPING_PAGE_BYTES - 1);

	return syscall(SYS_mmap, page, MAPPING_PAGE_BYTES, PROT_READ | PROT_WRITE,
	           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == (long)page;
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	int saved_errno = errno;
	uintptr_t address = (uintptr_t)info->si_addr;
	struct mapping_slot *slot = info->si_code > 0 ? slot_of(address) : NULL;

	(void)context;
	if (slot != NULL && lay_zero_page(address)) {
		if (__atomic_exchange_n(&slot->bad, 1, __ATOMIC_ACQ_REL) == 0)
			__atomic_add_fetch(&registry.bad_count, 1, __ATOMIC_RELEASE);
		errno = saved_errno;
		return;
	}
	/* Not ours: the access faults again, and what was there before has it. */
	sigaction(number, &registry.before, NULL);
	errno = saved_errno;
}

static void install(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, &action, &registry.before) != 0)
		assert_panic("sigaction(SIGBUS): %s", strerror(errno));
}

void mapping_watch(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}

static bool enter(uintptr_t start, size_t n)
{
	struct mapping_slot *slot = NULL;

	pthread_mutex_lock(&registry.lock);
	if (registry.free != 0) {
		slot = &registry.slot[registry.free - 1];
		registry.free = slot->next_free;
	} else if (registry.used_count < MAPPINGS_MAX) {
		slot = &registry.slot[registry.used_count];
		__atomic_store_n(&registry.used_count, registry.used_count + 1, __ATOMIC_RELEASE);
	}
	if (slot != NULL) {
		__atomic_store_n(&slot->bytes, n, __ATOMIC_RELAXED);
		__atomic_store_n(&slot->start, start, __ATOMIC_RELEASE);
		__atomic_add_fetch(&registry.count, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&registry.lock);
	return slot != NULL;
}

enum rp_err mapping_open(int fd, size_t n, void **out)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);

	if (p == MAP_FAILED)
		return errno == ENOMEM ? RP_ERR_LIMIT : err_of_errno(errno);
	if (!enter((uintptr_t)p, num_round_up(n, MAPPING_PAGE_BYTES))) {
		munmap(p, n);
		return RP_ERR_LIMIT;
	}
	*out = p;
	return RP_OK;
}

/* The entry goes before the memory: the address may be another mapping's right after munmap(). */
void mapping_close(void *p, size_t n)
{
	struct mapping_slot *slot = slot_of((uintptr_t)p);

	RP_ASSERT(slot != NULL && slot->start == (uintptr_t)p);
	pthread_mutex_lock(&registry.lock);
	__atomic_store_n(&slot->start, 0, __ATOMIC_RELEASE);
	if (__atomic_exchange_n(&slot->bad, 0, __ATOMIC_ACQ_REL) != 0)
		__atomic_sub_fetch(&registry.bad_count, 1, __ATOMIC_RELEASE);
	__atomic_sub_fetch(&registry.count, 1, __ATOMIC_RELAXED);
	slot->next_free = registry.free;
	registry.free = (uint32_t)(slot - registry.slot) + 1;
	pthread_mutex_unlock(&registry.lock);
	munmap(p, n);
}

size_t mapping_count(void)
{
	return __atomic_load_n(&registry.count, __ATOMIC_RELAXED);
}

bool mapping_is_bad(const void *p)
{
	if (__atomic_load_n(&registry.bad_count, __ATOMIC_ACQUIRE) == 0)
		return false;
	struct mapping_slot *slot = slot_of((uintptr_t)p);

	return slot != NULL && __atomic_load_n(&slot->bad, __ATOMIC_ACQUIRE) != 0;
}
