#include "tests/sim/undeleter.h"

#include <stdlib.h>
#include <string.h>

#include "index/dbox/dbox.h"
#include "index/undelete.h"
#include "index/volume_state.h"
#include "io/base/clock.h"
#include "io/base/num.h"
#include "tests/sim/client.h"

enum { LIFE_KEEPS = 2 };

uint64_t undeleter_keep_s(const struct machine *machine)
{
	static const uint64_t keep_s[] = {
	    0, 3, UINT64_C(300) * 24 * 3600, UINT64_C(300) * 24 * 3600};

	/* What was expunged before lets files of bodies be emptied in which others are kept. */
	if (machine->plan.seed % 4 == 2 && machine->life.number < LIFE_KEEPS)
		return 0;
	return keep_s[machine->plan.seed % 4];
}

void undeleter_note_clock(struct machine *machine)
{
	struct loop *loop = machine->shard[0].loop;

	if (loop != NULL)
		machine->wall_max_s =
		    num_max(machine->wall_max_s, loop_wall_ns(loop) / CLOCK_NS_PER_S);
}

/* By no clock that there was is its time over. */
static bool must_be_offered(const struct machine *machine, const struct ledger_kept *kept)
{
	return kept->seconds != 0 && kept->back_lsn == 0 &&
	       kept->seconds + undeleter_keep_s(machine) > machine->wall_max_s;
}

/* False: a fault was in the way. */
static bool body_is(struct task *task, struct machine *machine, const struct undelete *undelete,
    size_t i, const struct model_message *message)
{
	uint8_t *text = malloc(message->bytes + 1);
	uint8_t *expected = malloc(message->bytes + 1);
	struct dbox_body *body;
	size_t got = 0;
	enum rp_err err = undelete_body_open(task, undelete, i, &body);

	MODEL_CHECK(text != NULL && expected != NULL);
	if (err == RP_OK) {
		err = dbox_body_read(task, body, 0, text, message->bytes + 1, &got);
		dbox_body_close(body);
	}
	if (err == RP_OK) {
		MODEL_EQ(got, message->bytes);
		model_body(message->seed, expected, message->bytes);
		MODEL_CHECK(memcmp(text, expected, message->bytes) == 0);
	}
	free(text);
	free(expected);
	if (err != RP_OK && err != RP_ERR_CANCELED)
		(void)machine_is_well(machine, err);
	return err == RP_OK;
}

/* False: a fault was in the way. */
static bool compare(struct task *task, struct machine *machine, const struct ledger *ledger,
    const struct undelete *undelete)
{
	size_t met = 0;
	size_t wanted = 0;

	for (size_t i = 0; i < undelete_count(undelete); i++) {
		struct undelete_message offer;
		const struct ledger_kept *kept;

		undelete_at(undelete, i, &offer);
		kept = ledger_kept_of(ledger, offer.mailboxid, offer.uid);
		MODEL_CHECK(kept != NULL && kept->back_lsn == 0);
		MODEL_EQ(offer.expunged_s, kept->seconds);
		MODEL_EQ(offer.flags, kept->message.flags);
		MODEL_EQ(offer.rfc822_size_bytes, kept->message.bytes);
		if (!must_be_offered(machine, kept))
			continue;
		met++;
		if (!body_is(task, machine, undelete, i, &kept->message))
			return false;
	}
	/* Bodies were read meanwhile: time went by, so it is counted last. */
	undeleter_note_clock(machine);
	for (size_t i = 0; i < ledger->kept_count; i++)
		wanted += must_be_offered(machine, &ledger->kept[i]);
	MODEL_CHECK(met >= wanted);
	machine->tally->undelete_offers += wanted;
	return true;
}

/* From a drawn one on, as many as fit: how many; *at: which is the first. */
static unsigned draw_some(const struct machine *machine, const struct ledger *ledger,
    const struct undelete *undelete, size_t *at, struct model_op *op)
{
	op->count = 0;
	for (size_t i = *at; i < undelete_count(undelete) && op->count < MODEL_BACK_MAX; i++) {
		struct undelete_message offer;
		const struct ledger_kept *kept;

		undelete_at(undelete, i, &offer);
		kept = ledger_kept_of(ledger, offer.mailboxid, offer.uid);
		if (!must_be_offered(machine, kept) ||
		    (op->count > 0 && offer.mailboxid != op->from_id))
			break;
		op->from_id = offer.mailboxid;
		op->back[op->count++] = kept->message;
	}
	return op->count;
}

struct leaving {
	struct machine *machine;
	struct model_op *op;
};

/* The disk did not give its body: the model does without it. */
static void leave_out(void *arg, const struct undelete_message *message, enum rp_err why)
{
	struct leaving *leaving = arg;
	struct model_op *op = leaving->op;
	unsigned at = 0;

	MODEL_EQ(why, RP_ERR_IO);
	(void)machine_is_well(leaving->machine, why);
	while (at < op->count && op->back[at].uid != message->uid)
		at++;
	MODEL_CHECK(at < op->count);
	op->count--;
	for (; at < op->count; at++)
		op->back[at] = op->back[at + 1];
}

static void bring_back(struct task *task, struct machine *machine, struct ledger *ledger,
    struct undelete *undelete, uint64_t *random)
{
	struct actor actor = {.ledger = ledger, .ops_count = 1};
	struct model_op *op = &actor.op[0];
	const struct model *model = &ledger_newest(ledger)->model;
	size_t at = model_random(random) % undelete_count(undelete);
	struct mailbox *to;
	struct leaving leaving = {machine, op};
	unsigned wanted;
	size_t back = 0;
	size_t lost = 0;
	enum rp_err err;

	*op = (struct model_op){.kind = MODEL_UNDELETE, .a = model_random(random) % MODEL_NAMES};
	if (!model->mailbox[op->a].there ||
	    model->mailbox[op->a].count + MODEL_BACK_MAX > MODEL_MESSAGES_FEW ||
	    draw_some(machine, ledger, undelete, &at, op) == 0)
		return;
	op->a_id = model->mailbox[op->a].mailboxid;
	err = mailbox_open(task, ledger->volume, bytes_of_str(model_name(op->a)), &to);
	if (err != RP_OK) {
		if (err != RP_ERR_CANCELED)
			(void)machine_is_well(machine, err);
		return;
	}
	machine_act(machine, &actor, task);
	wanted = op->count;
	undelete_tell_lost(undelete, leave_out, &leaving);
	err = undelete_back(task, undelete, to, wanted, &at, &back, &lost);
	undelete_tell_lost(undelete, NULL, NULL);
	mailbox_close(to);
	machine_look(machine, ledger);
	machine_tell(machine, "brings %u back into %u: %s", op->count, op->a, err_name(err));
	if (!client_judge(machine, &actor, err))
		return;
	MODEL_EQ(back, op->count);
	MODEL_EQ(lost, wanted - op->count);
	machine->tally->undeleted += back;
	ledger_answer(ledger, volume_position(ledger->volume), actor.made > 0);
}

void undeleter_run(struct task *task, struct machine *machine, struct ledger *ledger,
    struct volume *volume, uint64_t *random)
{
	struct undelete_filter filter = {.since_s = 0};
	struct undelete *undelete;
	enum rp_err err;

	if (!ledger_wait_room(task, ledger, &machine->life.stop) ||
	    !ledger_lock_alone(task, ledger, &ledger->changing))
		return;
	if (!volume->catalog.destroyed) {
		undeleter_note_clock(machine);
		err = undelete_begin(task, volume, &filter, &undelete);
		if (err == RP_OK) {
			if (compare(task, machine, ledger, undelete) &&
			    undelete_count(undelete) > 0)
				bring_back(task, machine, ledger, undelete, random);
			undelete_end(task, undelete);
		} else if (err != RP_ERR_CANCELED) {
			(void)machine_is_well(machine, err);
		}
	}
	ledger->changing.alone = false;
}
