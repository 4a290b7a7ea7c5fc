#include "core/server/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/base/num.h"

enum {
	/* Twice is no accident: from the second time on a user is refused, longer each time. */
	SHARED_POISON_ENDS_MIN = 2,
	SHARED_POISON_FIRST_S = 60,
	SHARED_POISON_LAST_S = 3600,
	SHARED_HANDLER_STACK_BYTES = 32 * 1024, /* the kernel alone puts up to 11 KiB of registers there */
	SHARED_POISON_FORGET_S = 24 * 3600, /* a day without trouble clears a name */
};

enum rp_err shared_map(int fd, struct shared **out)
{
	void *p = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return err_of_errno(errno);
	*out = p;
	return RP_OK;
}

enum rp_err shared_make(struct shared **out, int *fd)
{
	int made = memfd_create("ringpost-shared", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (made < 0)
		return err_of_errno(errno);
	/* A server that somebody has taken over must not cut the supervisor's memory short: sealed. */
	if (ftruncate(made, sizeof(struct shared)) != 0 ||
	    fcntl(made, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
		close(made);
		return err_of_errno(errno);
	}
	enum rp_err err = shared_map(made, out);

	if (err != RP_OK) {
		close(made);
		return err;
	}
	/* Ticket keys must not reach a swap file; a machine that refuses goes on without. */
	(void)!mlock(*out, sizeof(struct shared));
	*fd = made;
	return RP_OK;
}

void shared_note(struct shared *shared, unsigned shard, const struct userid *userid)
{
	uint64_t high = userid != NULL ? num_get_u64(userid->b) : 0;
	uint64_t low = userid != NULL ? num_get_u64(userid->b + 8) : 0;

	RP_ASSERT(shard < SHARED_SHARDS_MAX);
	atomic_store_explicit(&shared->shard[shard].user[0], high, memory_order_relaxed);
	atomic_store_explicit(&shared->shard[shard].user[1], low, memory_order_relaxed);
}

void shared_note_task(struct task *task, const struct userid *userid)
{
	task_set_owner(task, userid != NULL ? num_get_u64(userid->b) : 0,
		userid != NULL ? num_get_u64(userid->b + 8) : 0);
}

/* For the signal handler, which has no argument of ours. */
static struct shared *watched;
static _Thread_local uint64_t here; /* shard + 1 */

/* Only a mark: the default action, which comes after it, ends the process with the signal that tells why. */
static void on_crash(int number)
{
	uint64_t nobody = 0;

	(void)number;
	if (here != 0)
		(void)!atomic_compare_exchange_strong(&watched->crashed, &nobody, here);
}

void shared_watch(struct shared *shared)
{
	/* A sanitizer has the others, and aborts after its report. */
#ifdef RP_SANITIZED
	static const int numbers[] = { SIGABRT };
#else
	static const int numbers[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV };
#endif
	struct sigaction action = { .sa_handler = on_crash, .sa_flags = SA_RESETHAND | SA_ONSTACK };

	watched = shared;
	atomic_store(&shared->crashed, 0);
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		RP_ASSERT(sigaction(numbers[i], &action, NULL) == 0);
}

void shared_watch_thread(unsigned shard)
{
	here = shard + 1;
#ifndef RP_SANITIZED
	/* A task that has run into its stack's guard page has none left for the handler. (Sanitizers bring their own.) */
	static _Thread_local _Alignas(16) uint8_t room[SHARED_HANDLER_STACK_BYTES];
	const stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) };

	RP_ASSERT(sigaltstack(&stack, NULL) == 0);
#endif
}

uint64_t shared_poisoned_s(const struct shared *shared, const struct userid *userid, uint64_t now_s)
{
	for (size_t i = 0; i < SHARED_POISON_MAX; i++) {
		const struct shared_poison *poison = &shared->poison[i];

		if (poison->ends_count >= SHARED_POISON_ENDS_MIN && userid_eq(&poison->userid, userid))
			return poison->until_s > now_s ? poison->until_s - now_s : 0;
	}
	return 0;
}

/* This user's entry, or the one to use for him: a free one, else the one that ended longest ago. */
static struct shared_poison *entry_for(struct shared *shared, const struct userid *userid)
{
	struct shared_poison *best = &shared->poison[0];

	for (size_t i = 0; i < SHARED_POISON_MAX; i++) {
		struct shared_poison *poison = &shared->poison[i];

		if (poison->ends_count > 0 && userid_eq(&poison->userid, userid))
			return poison;
		if (best->ends_count > 0 && (poison->ends_count == 0 || poison->until_s < best->until_s))
			best = poison;
	}
	*best = (struct shared_poison){ .userid = *userid };
	return best;
}

static void count_against(struct shared *shared, const struct userid *userid, uint64_t now_s)
{
	struct shared_poison *poison = entry_for(shared, userid);
	uint64_t last_s = poison->until_s;

	if (poison->ends_count > 0 && now_s > last_s && now_s - last_s > SHARED_POISON_FORGET_S)
		poison->ends_count = 0;
	poison->ends_count++;
	poison->until_s = now_s;
	if (poison->ends_count >= SHARED_POISON_ENDS_MIN) {
		uint64_t doublings = num_min(poison->ends_count - SHARED_POISON_ENDS_MIN, 10);

		poison->until_s += num_min((uint64_t)SHARED_POISON_FIRST_S << doublings, SHARED_POISON_LAST_S);
	}
}

size_t shared_blame(struct shared *shared, uint64_t now_s, struct userid *blamed)
{
	uint64_t crashed = atomic_exchange(&shared->crashed, 0);
	size_t count = 0;

	for (unsigned i = 0; i < SHARED_SHARDS_MAX; i++) {
		uint64_t high = atomic_load(&shared->shard[i].user[0]);
		uint64_t low = atomic_load(&shared->shard[i].user[1]);

		if ((high == 0 && low == 0) || (crashed != 0 && crashed != i + 1))
			continue;
		num_put_u64(blamed[count].b, high);
		num_put_u64(blamed[count].b + 8, low);
		count_against(shared, &blamed[count], now_s);
		count++;
	}
	shared_forget(shared);
	return count;
}

void shared_forget(struct shared *shared)
{
	for (unsigned i = 0; i < SHARED_SHARDS_MAX; i++)
		shared_note(shared, i, NULL);
}
