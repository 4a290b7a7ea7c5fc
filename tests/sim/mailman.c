#include "tests/sim/mailman.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/lmtp/lmtp.h"
#include "tests/sim/client.h"
#include "tests/sim/server.h"

enum {
	MAIL_LINES_MAX = 60,
	MAIL_LARGE_LINES = 1100, /* of 64 bytes: too large to travel in the log */
	MAIL_TEXT_BYTES = 96 * 1024,
	SLEEP_NS_MAX = 20 * 1000 * 1000,
};

/* One session, and the message that it sends. */
struct mailman {
	struct shard *shard;
	struct machine *machine;
	uint64_t random;
	unsigned number;
	unsigned ops;
	uint32_t seed;
	uint32_t bytes;
	unsigned name;
	bool create;
	struct rope out;
	uint8_t *text;
	size_t text_bytes;
	size_t taken;
};

struct mailman_in {
	struct deliver_in in;
	struct mailman *mailman;
	struct ledger *ledger;
	uint64_t *lsn; /* of the change, when it is made */
};

static uint32_t draw(struct mailman *mailman, uint32_t n)
{
	return model_random(&mailman->random) % n;
}

/* ---- on the home shard ---- */

/* What this delivery will do, by the model. */
static void plan_ops(struct actor *actor, const struct mailman *mailman)
{
	const struct model *model = &ledger_newest(actor->ledger)->model;
	struct model_op op = {.kind = MODEL_APPEND,
	    .a = mailman->name,
	    .count = 1,
	    .seed = mailman->seed,
	    .bytes = mailman->bytes};

	if (!model->mailbox[op.a].there && !mailman->create)
		op.a = 0;
	if (!model->mailbox[op.a].there) {
		actor->op[actor->ops_count++] =
		    (struct model_op){.kind = MODEL_CREATE, .a = mailman->name};
		if (!model->mailbox[op.a].subscribed)
			actor->op[actor->ops_count++] = (struct model_op){
			    .kind = MODEL_SUBSCRIBE, .a = mailman->name, .on = true};
	}
	actor->op[actor->ops_count++] = op;
}

static enum rp_err deliver(
    struct task *task, struct shard *shard, const struct mailman_in *in, struct deliver_out *out)
{
	struct actor actor = {.ledger = in->ledger};
	struct volume *volume;
	enum rp_err err = volume_open(task, shard->store, &in->in.userid, &volume);

	if (err != RP_OK)
		return err;
	(void)!task_yield(task); /* what opening has changed is not the delivery's doing */
	if (ledger_newest(in->ledger)->destroyed ||
	    ledger_newest(in->ledger)->model.mailbox[in->mailman->name].count >
	        MODEL_MESSAGES_FEW ||
	    ledger_newest(in->ledger)->model.mailbox[0].count > MODEL_MESSAGES_FEW) {
		volume_close(volume);
		return RP_ERR_QUOTA;
	}
	plan_ops(&actor, in->mailman);
	machine_act(shard->machine, &actor, task);
	err = deliver_run(task, shard->store, &in->in, out);
	machine_tell(shard->machine, "mailman %u.%u: %u bytes to %u%s: %s, UID %u",
	    in->mailman->number, in->mailman->ops - 1, in->mailman->bytes, in->mailman->name,
	    in->mailman->create ? " (to be made)" : "", err_name(err), err == RP_OK ? out->uid : 0);
	(void)client_judge(shard->machine, &actor, err);
	if (err == RP_OK) {
		MODEL_EQ(actor.made, actor.ops_count);
		MODEL_EQ(out->uid, actor.uid);
		*in->lsn = ledger_newest(in->ledger)->lsn;
		shard->machine->tally->deliveries++;
	}
	volume_close(volume);
	return err;
}

enum rp_err mailman_call(struct task *task, void *world, const void *in, void *out)
{
	struct shard *shard = world;
	const struct mailman_in *mail = in;
	struct ledger *ledger = mail->ledger;
	enum rp_err err = RP_ERR_CANCELED;
	bool alone = mail->mailman->create;

	if (shard->store == NULL || shard->machine->life.stop)
		return RP_ERR_UNAVAILABLE;
	if (!ledger_wait_room(task, ledger, &shard->machine->life.stop) ||
	    !ledger_lock_shared(task, ledger, &ledger->changing))
		return err;
	if (alone ? ledger_lock_alone(task, ledger, &ledger->naming)
	          : ledger_lock_shared(task, ledger, &ledger->naming)) {
		err = deliver(task, shard, mail, out);
		if (alone)
			ledger->naming.alone = false;
		else
			ledger->naming.shared--;
	}
	ledger->changing.shared--;
	return err;
}

/* ---- the session ---- */

static struct bytes io_input(void *arg)
{
	struct mailman *mailman = arg;

	return bytes_of(mailman->text + mailman->taken, mailman->text_bytes - mailman->taken);
}

static void io_take(void *arg, size_t n)
{
	struct mailman *mailman = arg;

	mailman->taken += n;
}

static enum rp_err io_wait(struct task *task, void *arg, size_t had)
{
	(void)task;
	(void)arg;
	(void)had;
	return RP_ERR_END; /* all of it was there from the beginning */
}

static struct rope *io_output(void *arg)
{
	struct mailman *mailman = arg;

	return &mailman->out;
}

static enum rp_err io_flush(struct task *task, void *arg)
{
	struct mailman *mailman = arg;

	rope_fini(&mailman->out);
	return task_pause(task);
}

/* u<number>, and nobody else. */
static enum rp_err io_lookup(
    struct task *task, void *arg, struct bytes address, struct userid *userid, bool *cut)
{
	struct mailman *mailman = arg;
	unsigned u = address.n == 2 ? (unsigned)(address.p[1] - '0') : MACHINE_USERS;

	(void)task;
	if (u >= MACHINE_USERS || address.p[0] != 'u')
		return RP_ERR_NOTFOUND;
	*userid = mailman->machine->ledger[u].userid;
	*cut = false;
	return RP_OK;
}

static struct ledger *ledger_of(struct machine *machine, const struct userid *userid)
{
	for (unsigned u = 0; u < MACHINE_USERS; u++)
		if (userid_eq(&machine->ledger[u].userid, userid))
			return &machine->ledger[u];
	assert_panic("a delivery to nobody");
}

/* Who hears 250 must be right: it is durable by then. */
static void acknowledged(struct machine *machine, struct ledger *ledger, uint64_t lsn)
{
	const struct ledger_state *durable = &ledger->state[ledger->durable % LEDGER_STATES];

	MODEL_CHECK(durable->lsn >= lsn);
	if (ledger->acknowledged_lsn < lsn)
		ledger->acknowledged_lsn = lsn;
	machine->tally->acknowledged++;
}

static void io_deliver(
    struct task *task, void *arg, const struct deliver_in *in, size_t count, enum rp_err *result)
{
	struct mailman *mailman = arg;
	struct shard_pending pending[MACHINE_USERS];
	struct deliver_out out[MACHINE_USERS];
	struct mailman_in mail[MACHINE_USERS];
	uint64_t lsn[MACHINE_USERS];

	MODEL_CHECK(count <= MACHINE_USERS);
	for (size_t i = 0; i < count; i++) {
		mail[i] = (struct mailman_in){.in = in[i],
		    .mailman = mailman,
		    .ledger = ledger_of(mailman->machine, &in[i].userid),
		    .lsn = &lsn[i]};
		mail[i].in.cache_entry = (struct bytes){0};
		mail[i].in.create = mailman->create;
		mail[i].in.internaldate = model_date(mailman->seed);
		mail[i].in.sent = model_sent(mailman->seed);
		shard_start(task, &pending[i],
		    userid_shard(&in[i].userid, mailman->machine->life.shards_count),
		    SERVER_CALL_DELIVER, &mail[i], &out[i]);
	}
	for (size_t i = 0; i < count; i++) {
		result[i] = shard_join(task, &pending[i]);
		if (result[i] == RP_OK)
			acknowledged(mailman->machine, mail[i].ledger, lsn[i]);
	}
}

static void io_tell(
    void *arg, struct bytes from, struct bytes to, uint64_t bytes, enum rp_err result)
{
	struct mailman *mailman = arg;

	(void)from;
	(void)to;
	if (result == RP_OK)
		MODEL_EQ(bytes, mailman->bytes);
}

static const struct lmtp_io lmtp_io = {
    .input = io_input,
    .take = io_take,
    .wait = io_wait,
    .output = io_output,
    .flush = io_flush,
    .lookup = io_lookup,
    .deliver = io_deliver,
    .tell = io_tell,
};

static void say(struct mailman *mailman, const char *text)
{
	size_t n = strlen(text);

	memcpy(mailman->text + mailman->text_bytes, text, n);
	mailman->text_bytes += n;
}

/* Everything that the session will say. */
static void write_text(struct mailman *mailman)
{
	char line[96];
	bool chunks = draw(mailman, 2) == 0;
	unsigned first = draw(mailman, MACHINE_USERS);
	unsigned count = 1 + draw(mailman, MACHINE_USERS);

	mailman->text_bytes = 0;
	mailman->taken = 0;
	mailman->seed = MODEL_SEED_TEXT | draw(mailman, MODEL_SEED_TEXT);
	mailman->bytes =
	    64 * (1 + draw(mailman, draw(mailman, 30) == 0 ? MAIL_LARGE_LINES : MAIL_LINES_MAX));
	mailman->name = draw(mailman, MODEL_NAMES);
	mailman->create = draw(mailman, 6) == 0;
	say(mailman, "LHLO sim\r\nMAIL FROM:<>\r\n");
	for (unsigned i = 0; i < count; i++) {
		snprintf(line, sizeof(line), "RCPT TO:<u%u+%s>\r\n", (first + i) % MACHINE_USERS,
		    model_name(mailman->name));
		say(mailman, line);
	}
	snprintf(line, sizeof(line), "BDAT %u LAST\r\n", mailman->bytes);
	say(mailman, chunks ? line : "DATA\r\n");
	model_body(mailman->seed, mailman->text + mailman->text_bytes, mailman->bytes);
	mailman->text_bytes += mailman->bytes;
	say(mailman, chunks ? "QUIT\r\n" : ".\r\nQUIT\r\n");
}

static void send_one(struct task *task, struct mailman *mailman)
{
	static const struct lmtp_settings settings = {
	    .host = "sim", .size_bytes_max = MAIL_TEXT_BYTES};
	struct lmtp *lmtp;
	enum rp_err err;

	write_text(mailman);
	if (!machine_wants(mailman->machine, mailman->number, mailman->ops++))
		return;
	lmtp = lmtp_open(&settings, &lmtp_io, mailman);
	MODEL_CHECK(lmtp != NULL);
	err = lmtp_run(task, lmtp);
	MODEL_CHECK(err == RP_ERR_END || err == RP_ERR_CANCELED);
	rope_fini(&mailman->out);
	lmtp_close(lmtp);
}

static void mailman_task(struct task *task, void *arg)
{
	struct mailman *mailman = arg;
	struct shard *shard = mailman->shard;

	task_set_name(task, "mailman");
	while (!mailman->machine->life.stop && mailman->ops < PLAN_OPS_PER_CLIENT - 1) {
		send_one(task, mailman);
		if (task_sleep(task, draw(mailman, SLEEP_NS_MAX)) != RP_OK)
			break;
	}
	shard->clients--;
	free(mailman->text);
	free(mailman);
}

void mailman_start(struct shard *shard)
{
	struct machine *machine = shard->machine;
	struct mailman *mailman = calloc(1, sizeof(*mailman));

	MODEL_CHECK(mailman != NULL);
	mailman->text = malloc(MAIL_TEXT_BYTES + 4096);
	MODEL_CHECK(mailman->text != NULL);
	mailman->shard = shard;
	mailman->machine = machine;
	mailman->number = machine->life.clients_count++;
	mailman->random =
	    machine->plan.seed * 1000003 + machine->life.number * 1009 + mailman->number;
	rope_init(&mailman->out);
	MODEL_EQ(task_start(shard->loop, mailman_task, mailman, NULL), RP_OK);
	shard->clients++;
}
