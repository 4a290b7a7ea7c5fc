/* A loop on the kernel's io_uring. Entries are filled as operations come and submitted once per
 * turn. */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/base/num.h"
#include "io/bufring.h"
#include "io/helper.h"
#include "io/loop_core.h"
#include "io/mapping.h"
#include "io/ring_op.h"
#include "io/ring_sys.h"

enum {
	RING_ENTRIES_DEFAULT = 1024,
	RING_COMPLETIONS_FACTOR =
	    8, /* each connection may have a receive finish at once; the kernel keeps more */
	RING_REAP_BATCH = 64,
	/* Direct descriptors: bounds the table's own memory, 8 to 16 bytes each. */
	RING_DIRECT_MAX = 1 << 18,
	RING_MEASURE_NS =
	    20 * 1000 * 1000, /* long enough to tell the counter's rate to a thousandth */
	RING_RESTRICTIONS_MAX = 32,
	RING_PINNED_MIN = 1 << 20, /* less is not worth while */
};

enum ring_helper {
	RING_HELPER_FILES,
	RING_HELPER_SYNC, /* a syncfs may take seconds */
	RING_HELPER_COUNT
};

struct ring {
	struct loop loop;
	struct io_uring uring;
	struct bufring bufring;
	struct helper helper[RING_HELPER_COUNT];
	struct list unsent;    /* ops that found no entry free */
	struct list uncancels; /* ops in flight whose cancel found none */
	struct list ended;     /* ops that never reached the kernel, to be completed as cancelled */
	int root_fd[FILE_ROOT_COUNT];
	int wake_fd;
	struct op wake_op;
	uint64_t wake_count;
	bool has_ftruncate;
	uint8_t *pinned; /* the loop's, once that is made */
	size_t pinned_bytes;
	bool closing;
	uint64_t opened_ns;    /* when, */
	uint64_t opened_ticks; /* and the processor's counter then */
	uint64_t slice_ticks;  /* LOOP_SLICE_NS by that counter; 0: not measured yet */
};

static struct ring *ring_of(const struct loop *loop)
{
	return RP_CONTAINER_OF(loop, struct ring, loop);
}

static struct io_uring_sqe *take_entry(struct ring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	if (sqe != NULL)
		return sqe;
	io_uring_submit(&ring->uring);
	return io_uring_get_sqe(&ring->uring);
}

static void fill_entry(struct ring *ring, struct io_uring_sqe *sqe, struct op *op)
{
	int to_ring = -1;

	if (op->kind == OP_MESSAGE || op->kind == OP_SEND_FD) {
		RP_ASSERT(op->message.to->kind == ring->loop.kind);
		to_ring = ring_of(op->message.to)->uring.ring_fd;
	}
	ring_op_fill(sqe, op, ring->root_fd[op->root], to_ring);
	sqe->user_data = (uintptr_t)op;
}

static void to_helper(struct ring *ring, struct op *op)
{
	if (op->kind == OP_LIST || op->kind == OP_ROOM)
		op->fd = ring->root_fd[op->root];
	helper_submit(
	    &ring->helper[op->kind == OP_SYNCFS ? RING_HELPER_SYNC : RING_HELPER_FILES], op);
}

static void ring_submit(struct loop *loop, struct op *op)
{
	struct ring *ring = ring_of(loop);

	if (!ring_op_can(op->kind, ring->has_ftruncate)) {
		to_helper(ring, op);
		return;
	}
	struct io_uring_sqe *sqe = list_empty(&ring->unsent) ? take_entry(ring) : NULL;

	if (sqe == NULL)
		list_push_back(&ring->unsent, &op->link);
	else
		fill_entry(ring, sqe, op);
}

static void fill_cancel(struct io_uring_sqe *sqe, struct op *op)
{
	io_uring_prep_cancel64(sqe, (uintptr_t)op, 0);
	sqe->user_data = 0;
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

static bool is_unsent(struct ring *ring, const struct op *op)
{
	LIST_FOR_EACH (link, &ring->unsent) {
		if (link == &op->link)
			return true;
	}
	return false;
}

static void ring_cancel(struct loop *loop, struct op *op)
{
	struct ring *ring = ring_of(loop);

	if (!ring_op_can(op->kind, ring->has_ftruncate)) {
		enum ring_helper which =
		    op->kind == OP_SYNCFS ? RING_HELPER_SYNC : RING_HELPER_FILES;

		if (helper_withdraw(&ring->helper[which], op))
			list_push_back(&ring->ended, &op->link);
		return;
	}
	if (list_linked(&op->link) && is_unsent(ring, op)) {
		list_del(&op->link);
		list_push_back(&ring->ended, &op->link);
		return;
	}
	struct io_uring_sqe *sqe = take_entry(ring);

	if (sqe == NULL)
		list_push_back(&ring->uncancels, &op->link);
	else
		fill_cancel(sqe, op);
}

/* What found no entry before, in order. */
static void send_late(struct ring *ring)
{
	struct io_uring_sqe *sqe;

	while (!list_empty(&ring->unsent) && (sqe = take_entry(ring)) != NULL)
		fill_entry(
		    ring, sqe, RP_CONTAINER_OF(list_pop_front(&ring->unsent), struct op, link));
	while (!list_empty(&ring->uncancels) && (sqe = take_entry(ring)) != NULL)
		fill_cancel(
		    sqe, RP_CONTAINER_OF(list_pop_front(&ring->uncancels), struct op, link));
}

static void end_withdrawn(struct ring *ring)
{
	struct list ended;
	struct list *link;

	list_init(&ended);
	list_splice_back(&ended, &ring->ended);
	while ((link = list_pop_front(&ended)) != NULL)
		op_complete(RP_CONTAINER_OF(link, struct op, link), -ECANCELED);
}

static void take_completion(struct ring *ring, const struct io_uring_cqe *cqe)
{
	struct op *op = (void *)(uintptr_t)cqe->user_data;

	if (op == NULL)
		return; /* of a cancel: what it was for tells itself */
	if ((cqe->user_data & RING_OP_MESSAGE_BIT) != 0) {
		shard_call_arrived(&ring->loop,
		    (void *)(uintptr_t)(cqe->user_data & ~(uint64_t)RING_OP_MESSAGE_BIT));
		return;
	}
	if ((cqe->flags & IORING_CQE_F_BUFFER) != 0) {
		op->buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
		if (cqe->res > 0)
			op->received.p = bufring_buffer(&ring->bufring, op->buffer);
		else
			bufring_give(&ring->bufring, op->buffer);
	}
	op_complete(op, op->kind == OP_OPEN && cqe->res >= 0 ? ring_op_opened(op, cqe->res) : cqe->res);
}

/* Copied out first: done functions submit, and may make room by entering the kernel. */
static void reap(struct ring *ring)
{
	struct io_uring_cqe *seen[RING_REAP_BATCH];
	struct io_uring_cqe batch[RING_REAP_BATCH];
	unsigned left = ring->uring.cq.ring_entries;
	unsigned count;

	while (left > 0 &&
	       (count = io_uring_peek_batch_cqe(&ring->uring, seen, RING_REAP_BATCH)) > 0) {
		for (unsigned i = 0; i < count; i++)
			memcpy(&batch[i], seen[i], sizeof(batch[i]));
		io_uring_cq_advance(&ring->uring, count);
		for (unsigned i = 0; i < count; i++)
			take_completion(ring, &batch[i]);
		left -= count < left ? count : left;
	}
}

static bool kernel_has_something(struct ring *ring)
{
	unsigned flags = __atomic_load_n(ring->uring.sq.kflags, __ATOMIC_RELAXED);

	return io_uring_sq_ready(&ring->uring) > 0 ||
	       (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

/* The processor's own counter costs a fraction of a system clock. It only has to be fair, not
 * right. */
static uint64_t read_ticks(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

static void measure_ticks(struct ring *ring)
{
	uint64_t ns = ring->loop.now_ns - ring->opened_ns;
	uint64_t ticks = read_ticks() - ring->opened_ticks;

	if (ns >= RING_MEASURE_NS)
		ring->slice_ticks = ticks * LOOP_SLICE_NS / ns;
}

static void ring_turn(struct loop *loop, uint64_t until_ns)
{
	struct ring *ring = ring_of(loop);
	struct io_uring_cqe *cqe;
	uint64_t now = until_ns == 0 ? 0 : clock_monotonic_ns();
	int result = 0;

	send_late(ring);
	if (until_ns > now && list_empty(&ring->ended) && list_empty(&ring->unsent)) {
		uint64_t ns = until_ns - now;
		struct __kernel_timespec timeout = {.tv_sec = (int64_t)(ns / CLOCK_NS_PER_S),
		    .tv_nsec = (int64_t)(ns % CLOCK_NS_PER_S)};

		result = io_uring_submit_and_wait_timeout(
		    &ring->uring, &cqe, 1, until_ns == UINT64_MAX ? NULL : &timeout, NULL);
	} else if (kernel_has_something(ring)) {
		result = io_uring_submit_and_get_events(&ring->uring);
	}
	/* EBUSY, EAGAIN: the kernel is short of room or memory; what was not taken stands in line
	 * still. */
	RP_ASSERT(result >= 0 || result == -ETIME || result == -EINTR || result == -EBUSY ||
	          result == -EAGAIN);
	loop->now_ns = clock_monotonic_ns();
	if (ring->slice_ticks == 0)
		measure_ticks(ring);
	reap(ring);
	end_withdrawn(ring);
}

static void ring_wake(struct loop *loop)
{
	eventfd_write(ring_of(loop)->wake_fd, 1);
}

static void woken(struct op *op)
{
	struct ring *ring = ring_of(op->loop);

	for (unsigned i = 0; i < RING_HELPER_COUNT; i++)
		helper_reap(&ring->helper[i]);
	if (!ring->closing)
		op_submit(&ring->loop, op);
}

static uint64_t ring_wall_ns(const struct loop *loop)
{
	(void)loop;
	return clock_wall_ns();
}

static uint64_t ring_cpu_ns(const struct loop *loop)
{
	(void)loop;
	return clock_cpu_ns();
}

static void ring_random(struct loop *loop, void *p, size_t n)
{
	uint8_t *at = p;

	(void)loop;
	while (n > 0) {
		ssize_t got = getrandom(at, num_min(n, 256), 0);

		if (got < 0 && errno != EINTR)
			assert_panic("getrandom: %s", strerror(errno));
		if (got > 0) {
			at += got;
			n -= (size_t)got;
		}
	}
}

static bool ring_slice_over(struct loop *loop, uint64_t *since)
{
	uint64_t slice = ring_of(loop)->slice_ticks;
	uint64_t now = slice != 0 ? read_ticks() : clock_monotonic_ns();

	if (*since == 0)
		*since = now;
	return now - *since >= (slice != 0 ? slice : LOOP_SLICE_NS);
}

static void ring_recv_give(struct loop *loop, struct op *op)
{
	bufring_give(&ring_of(loop)->bufring, op->buffer);
}

static enum rp_err ring_map(struct loop *loop, int fd, size_t n, void **out)
{
	(void)loop;
	return mapping_open(fd, n, out);
}

static void ring_unmap(struct loop *loop, void *p, size_t n)
{
	(void)loop;
	mapping_close(p, n);
}

static bool ring_map_is_bad(struct loop *loop, const void *p)
{
	(void)loop;
	return mapping_is_bad(p);
}

static void ring_free(struct ring *ring)
{
	for (unsigned i = 0; i < RING_HELPER_COUNT; i++)
		helper_close(&ring->helper[i]);
	if (ring->uring.ring_fd >= 0)
		io_uring_queue_exit(&ring->uring);
	bufring_close(&ring->bufring);
	if (ring->wake_fd >= 0)
		close(ring->wake_fd);
	free(ring);
}

static void ring_close(struct loop *loop)
{
	struct ring *ring = ring_of(loop);

	ring->closing = true;
	op_cancel(&ring->wake_op);
	while (loop->ops_count > 0)
		ring_turn(loop, UINT64_MAX);
	loop_fini(loop);
	ring_free(ring);
}

static const struct loop_kind ring_kind = {
    .listens = true,
    .submit = ring_submit,
    .cancel = ring_cancel,
    .recv_give = ring_recv_give,
    .turn = ring_turn,
    .wake = ring_wake,
    .wall_ns = ring_wall_ns,
    .cpu_ns = ring_cpu_ns,
    .random = ring_random,
    .slice_over = ring_slice_over,
    .map = ring_map,
    .unmap = ring_unmap,
    .map_is_bad = ring_map_is_bad,
    .close = ring_close,
};

static const char *setup_reason(int error)
{
	switch (error) {
	case ENOSYS:
		return "this kernel has no io_uring (or a seccomp filter hides it)";
	case EPERM:
	case EACCES:
		return "io_uring is switched off: set the sysctl kernel.io_uring_disabled=0, or "
		       "let the "
		       "seccomp filter of this container allow io_uring_setup";
	case EINVAL:
		return "this kernel's io_uring is too old: Linux 6.1 is the lowest";
	case ENOMEM:
		return "no memory for io_uring: raise RLIMIT_MEMLOCK";
	case EMFILE:
	case ENFILE:
		return "no file descriptor for io_uring: raise RLIMIT_NOFILE";
	default:
		return "io_uring_setup failed";
	}
}

/* The ring is created disabled, so that nothing can be submitted before it is restricted. */
static int set_up(struct ring *ring, const struct loop_settings *settings)
{
	unsigned entries = settings->entries != 0 ? settings->entries : RING_ENTRIES_DEFAULT;
	struct io_uring_params params = {
	    .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
	             IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |
	             IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED,
	    .cq_entries = entries * RING_COMPLETIONS_FACTOR,
	};

	return io_uring_queue_init_params(entries, &ring->uring, &params);
}

static int add_files(struct ring *ring, unsigned files_max)
{
	struct rlimit limit;

	if (files_max == 0)
		files_max = getrlimit(RLIMIT_NOFILE, &limit) == 0
		                ? (unsigned)num_min(limit.rlim_cur, RING_DIRECT_MAX)
		                : 1024;
	return io_uring_register_files_sparse(&ring->uring, files_max);
}

static void probe(struct ring *ring)
{
	struct io_uring_probe *found = io_uring_get_probe_ring(&ring->uring);

	if (found == NULL)
		return;
	ring->has_ftruncate = io_uring_opcode_supported(found, RING_OP_FTRUNCATE) != 0;
	io_uring_free_probe(found);
}

static int restrict_codes(struct ring *ring)
{
	struct io_uring_restriction rules[RING_RESTRICTIONS_MAX] = {0};
	unsigned count = 0;

	for (size_t i = 0; i < ring_op_codes_count; i++) {
		if (ring_op_codes[i] == RING_OP_FTRUNCATE && !ring->has_ftruncate)
			continue;
		RP_ASSERT(count < RING_RESTRICTIONS_MAX - 1);
		rules[count].opcode = IORING_RESTRICTION_SQE_OP;
		rules[count++].sqe_op = ring_op_codes[i];
	}
	rules[count].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	rules[count++].sqe_flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;
	return ring_sys_restrict(ring->uring.ring_fd, rules, count);
}

/* Half as much each time that it is too much. The ring is not enabled yet, so its restrictions need not allow it later. */
static void pin(struct ring *ring, const struct loop_settings *settings)
{
	size_t bytes = settings->pinned_bytes;
	int result = -ENOMEM;

	for (; bytes >= RING_PINNED_MIN && ring->pinned == NULL; bytes /= 2) {
		struct iovec whole = {.iov_base = loop_pinned_map(bytes), .iov_len = bytes};

		if (whole.iov_base == NULL)
			continue;
		result = io_uring_register_buffers(&ring->uring, &whole, 1);
		if (result == 0) {
			ring->pinned = whole.iov_base;
			ring->pinned_bytes = bytes;
		} else {
			loop_pinned_unmap(whole.iov_base, bytes);
		}
	}
	if (ring->pinned_bytes < settings->pinned_bytes)
		LOG(settings->log, LOG_WARN, "loop.pinned_less",
		    LOG_U64("wanted", settings->pinned_bytes), LOG_U64("bytes", ring->pinned_bytes),
		    LOG_STR("reason", err_name(err_of_errno(-result))),
		    LOG_STR("answer", "raise RLIMIT_MEMLOCK"));
}

/* Everything between creation and the first submission. */
static enum rp_err prepare(
    struct ring *ring, const struct loop_settings *settings, const char **reason)
{
	unsigned buffers =
	    settings->recv_buffers != 0 ? settings->recv_buffers : BUFRING_COUNT_DEFAULT;
	int result = add_files(ring, settings->files_max);

	if (result < 0) {
		*reason = "no table of direct descriptors for io_uring: raise RLIMIT_NOFILE";
		return err_of_errno(-result);
	}
	enum rp_err err = bufring_open(&ring->bufring, &ring->uring, buffers);

	if (err != RP_OK) {
		*reason = "no receive buffers for io_uring: Linux 6.1 is the lowest";
		return err;
	}
	probe(ring);
	pin(ring, settings);
	result = settings->restricted ? restrict_codes(ring) : 0;
	if (result < 0) {
		*reason = "io_uring cannot be restricted to the operations in use";
		return err_of_errno(-result);
	}
	result = ring_sys_enable(ring->uring.ring_fd);
	if (result < 0) {
		*reason = "io_uring cannot be enabled";
		return err_of_errno(-result);
	}
	for (unsigned i = 0; i < RING_HELPER_COUNT; i++) {
		err = helper_open(&ring->helper[i], ring->wake_fd);
		if (err != RP_OK) {
			*reason = "no helper thread: raise RLIMIT_NPROC";
			return err;
		}
	}
	return RP_OK;
}

static void arm_wake(struct ring *ring)
{
	ring->wake_op = (struct op){.kind = OP_READ, .fd = ring->wake_fd, .done = woken};
	ring->wake_op.io.p = &ring->wake_count;
	ring->wake_op.io.n = sizeof(ring->wake_count);
	op_submit(&ring->loop, &ring->wake_op);
	ring->loop.ops_standing_count = 1;
}

enum rp_err loop_open(const struct loop_settings *settings, struct loop **out, const char **reason)
{
	struct ring *ring = calloc(1, sizeof(*ring));

	*reason = "no memory for the loop";
	if (ring == NULL)
		return RP_ERR_NOMEM;
	ring->uring.ring_fd = -1;
	list_init(&ring->unsent);
	list_init(&ring->uncancels);
	list_init(&ring->ended);
	memcpy(ring->root_fd, settings->root_fd, sizeof(ring->root_fd));
	ring->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (ring->wake_fd < 0) {
		*reason = setup_reason(errno);
		ring_free(ring);
		return RP_ERR_LIMIT;
	}
	int result = set_up(ring, settings);

	if (result < 0) {
		ring->uring.ring_fd = -1;
		ring_free(ring);
		*reason = setup_reason(-result);
		return RP_ERR_UNAVAILABLE;
	}
	enum rp_err err = prepare(ring, settings, reason);

	if (err != RP_OK) {
		ring_free(ring);
		return err;
	}
	mapping_watch();
	loop_init(&ring->loop, &ring_kind, settings);
	ring->loop.pinned = ring->pinned;
	ring->loop.pinned_bytes = ring->pinned_bytes;
	ring->loop.now_ns = clock_monotonic_ns();
	ring->opened_ns = ring->loop.now_ns;
	ring->opened_ticks = read_ticks();
	timer_wheel_init(&ring->loop.wheel, ring->loop.now_ns);
	arm_wake(ring);
	*reason = NULL;
	*out = &ring->loop;
	return RP_OK;
}
