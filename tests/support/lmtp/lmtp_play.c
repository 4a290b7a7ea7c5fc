#include "tests/support/lmtp/lmtp_play.h"

#include <stdlib.h>

#include "io/sim.h"
#include "io/task.h"

struct machine {
	struct lmtp_play *play;
	size_t came; /* of play->in */
	size_t used;
	uint8_t *lent; /* the last look at the input */
	struct loop *loop; /* when it is the kernel's */
	struct rope out;
};

static const char *const users[] = { "sam", "kim", "full", "sam+whole" };

static void own(const struct lmtp_play *play, bool begins)
{
	if (play->own != NULL)
		play->own(begins);
}

static void add(char **text, size_t *n, struct bytes b)
{
	char *grown = realloc(*text, *n + b.n + 1);

	RP_ASSERT(grown != NULL);
	if (b.n > 0)
		memcpy(grown + *n, b.p, b.n);
	*n += b.n;
	grown[*n] = '\0';
	*text = grown;
}

static void forget(struct machine *machine)
{
	free(machine->lent);
	machine->lent = NULL;
}

static void more_comes(struct machine *machine)
{
	const struct lmtp_play *play = machine->play;
	size_t n = machine->came == 0 && play->first > 0 ? play->first : play->cut;
	size_t left = play->in.n - machine->came;

	machine->came += n == 0 || n > left ? left : n;
}

static struct bytes input(void *arg)
{
	struct machine *machine = arg;
	size_t n = machine->came - machine->used;

	forget(machine);
	own(machine->play, true);
	machine->lent = malloc(n + 1);
	own(machine->play, false);
	RP_ASSERT(machine->lent != NULL);
	if (n > 0)
		memcpy(machine->lent, machine->play->in.p + machine->used, n);
	return bytes_of(machine->lent, n);
}

static void take(void *arg, size_t n)
{
	struct machine *machine = arg;

	forget(machine);
	RP_ASSERT(n <= machine->came - machine->used);
	machine->used += n;
}

static enum rp_err wait_more(struct task *task, void *arg, size_t had)
{
	struct machine *machine = arg;

	forget(machine);
	while (machine->came - machine->used <= had) {
		if (machine->came == machine->play->in.n)
			return RP_ERR_END;
		more_comes(machine);
	}
	return task_yield(task);
}

static struct rope *output(void *arg)
{
	return &((struct machine *)arg)->out;
}

static enum rp_err flush(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct bytes b;

	forget(machine);
	own(machine->play, true);
	while ((b = rope_peek(&machine->out, UINT64_MAX)).n > 0) {
		add(&machine->play->out, &machine->play->out_n, b);
		rope_consume(&machine->out, b.n);
	}
	own(machine->play, false);
	if (machine->out.failed)
		return RP_ERR_CANCELED; /* as a connection that cannot be written */
	return task_yield(task);
}

static enum rp_err lookup(struct task *task, void *arg, struct bytes address, struct userid *userid, bool *cut)
{
	size_t at = address.n;
	enum rp_err err = task_yield(task);

	forget(arg);
	if (at > 12 && bytes_eq(bytes_from(address, at - 12), BYTES_LIT("@example.org")))
		at -= 12;
	struct bytes name = bytes_slice(address, 0, at);

	*cut = false;
	memset(userid, 0, sizeof(*userid));
	if (err == RP_OK && bytes_eq_fold(name, BYTES_LIT("away")))
		return RP_ERR_UNAVAILABLE;
	for (size_t i = 0; err == RP_OK && i < sizeof(users) / sizeof(users[0]); i++) {
		if (bytes_eq_fold(name, bytes_of_str(users[i]))) {
			userid->b[0] = (uint8_t)(i + 1);
			return RP_OK;
		}
	}
	return err != RP_OK ? err : RP_ERR_NOTFOUND;
}

static void store(struct task *task, struct machine *machine, const struct deliver_in *in)
{
	struct lmtp_play *play = machine->play;
	static uint8_t piece[256 * 1024];
	struct file *file;

	add(&play->stored, &play->stored_n, bytes_of_str(users[in->userid.b[0] - 1]));
	add(&play->stored, &play->stored_n, BYTES_LIT("/"));
	add(&play->stored, &play->stored_n, in->mailbox);
	add(&play->stored, &play->stored_n, BYTES_LIT(": "));
	play->deliveries++;
	if (in->spool->file == NULL) {
		add(&play->stored, &play->stored_n, bytes_of(in->spool->p, in->spool->n));
	} else {
		RP_ASSERT(file_open(task, FILE_ROOT_DATA, in->spool->path, FILE_READ, &file) == RP_OK);
		for (uint64_t at = 0; at < in->spool->bytes;) {
			size_t got = 0;

			RP_ASSERT(file_read(task, file, piece, sizeof(piece), at, &got) == RP_OK && got > 0);
			add(&play->stored, &play->stored_n, bytes_of(piece, got));
			at += got;
		}
		file_close(file);
	}
	add(&play->stored, &play->stored_n, BYTES_LIT("\n"));
}

static void deliver(
    struct task *task, void *arg, const struct deliver_in *in, size_t count, enum rp_err *result)
{
	forget(arg);
	own(((struct machine *)arg)->play, true);
	for (size_t i = 0; i < count; i++) {
		result[i] = in[i].userid.b[0] == 3 ? RP_ERR_QUOTA : RP_OK;
		if (result[i] == RP_OK)
			store(task, arg, &in[i]);
	}
	own(((struct machine *)arg)->play, false);
}

static bool has_room(struct task *task, void *arg, uint64_t bytes)
{
	struct lmtp_play *play = ((struct machine *)arg)->play;

	(void)task;
	play->asked_bytes += bytes;
	return play->room_bytes == 0 || play->asked_bytes <= play->room_bytes;
}

static void tell(void *arg, struct bytes from, struct bytes to, uint64_t bytes, enum rp_err result)
{
	(void)arg;
	(void)bytes;
	(void)result;
	RP_ASSERT(from.p != NULL && to.n > 0);
}

static const struct lmtp_io play_io = { input, take, wait_more, output, flush, lookup, deliver, has_room, tell };

static void serve(struct task *task, struct machine *machine)
{
	struct lmtp_play *play = machine->play;
	struct lmtp_settings settings = {
		.host = "test.invalid",
		.size_bytes_max = play->size_max != 0 ? play->size_max : 1024 * 1024,
		.return_path = play->return_path,
	};
	struct lmtp *lmtp = lmtp_open(&settings, &play_io, machine);

	play->end = RP_ERR_NOMEM;
	if (lmtp == NULL)
		return;
	lmtp_greet(lmtp, &machine->out);
	do {
		more_comes(machine);
		play->end = lmtp_run(task, lmtp);
	} while (play->end == RP_OK && machine->came < play->in.n);
	(void)!flush(task, machine);
	lmtp_close(lmtp);
}

static void run(struct task *task, void *arg)
{
	struct machine *machine = arg;

	if (machine->loop == NULL)
		RP_ASSERT(dir_make(task, FILE_ROOT_DATA, "spool") == RP_OK);
	own(machine->play, false);
	serve(task, machine);
	own(machine->play, true);
	if (machine->loop != NULL)
		loop_stop(machine->loop);
}

static void run_simulated(struct machine *machine)
{
	struct loop_settings settings = { 0 };
	struct sim_world *world;
	struct loop *loop;

	RP_ASSERT(sim_open(1, &world) == RP_OK);
	RP_ASSERT(sim_loop_open(world, &settings, &loop) == RP_OK);
	RP_ASSERT(task_start(loop, run, machine, NULL) == RP_OK);
	RP_ASSERT(sim_run(world, UINT64_MAX));
	loop_close(loop);
	sim_close(world);
}

static void run_on_the_ring(struct machine *machine)
{
	struct loop_settings settings = { .root_fd = { -1, -1 } };
	const char *reason = "";

	RP_ASSERT(loop_open(&settings, &machine->loop, &reason) == RP_OK);
	RP_ASSERT(task_start(machine->loop, run, machine, NULL) == RP_OK);
	loop_run(machine->loop);
	loop_close(machine->loop);
}

void lmtp_play(struct lmtp_play *play)
{
	struct machine machine = { .play = play };

	own(play, true);
	rope_init(&machine.out);
	add(&play->out, &play->out_n, bytes_of(NULL, 0));
	add(&play->stored, &play->stored_n, bytes_of(NULL, 0));
	if (play->on_the_ring)
		run_on_the_ring(&machine);
	else
		run_simulated(&machine);
	rope_fini(&machine.out);
	free(machine.lent);
	own(play, false);
}

void lmtp_play_free(struct lmtp_play *play)
{
	free(play->out);
	free(play->stored);
	play->out = play->stored = NULL;
	play->out_n = play->stored_n = play->deliveries = 0;
}
