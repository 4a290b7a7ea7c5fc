#include "tests/sim/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "index/keep.h"
#include "index/mailbox_state.h"
#include "index/volume_state.h"
#include "io/base/num.h"

enum { COMPARE_BODIES_EACH = 1 };

static struct ledger_state *state_of(struct ledger *ledger, uint64_t number)
{
	MODEL_CHECK(number >= ledger->first && number < ledger->count);
	return &ledger->state[number % LEDGER_STATES];
}

struct ledger_state *ledger_newest(struct ledger *ledger)
{
	return state_of(ledger, ledger->count - 1);
}

void ledger_init(struct ledger *ledger, const struct userid *userid, struct tally *tally)
{
	*ledger = (struct ledger){.userid = *userid, .tally = tally, .count = 1};
	ledger->state[0].blank = true;
	model_init(&ledger->state[0].model);
}

void ledger_fini(struct ledger *ledger)
{
	free(ledger->expunged.event);
	free(ledger->born.event);
	ledger->expunged = (struct ledger_events){0};
	ledger->born = (struct ledger_events){0};
	free(ledger->kept);
	ledger->kept = NULL;
	ledger->kept_count = ledger->kept_max = 0;
}

bool ledger_lock_shared(struct task *task, struct ledger *ledger, struct ledger_lock *lock)
{
	while (lock->alone)
		if (task_sleep(task, ledger->poll_ns) != RP_OK)
			return false;
	lock->shared++;
	return true;
}

bool ledger_lock_alone(struct task *task, struct ledger *ledger, struct ledger_lock *lock)
{
	while (lock->alone)
		if (task_sleep(task, ledger->poll_ns) != RP_OK)
			return false;
	lock->alone = true;
	while (lock->shared > 0) {
		if (task_sleep(task, ledger->poll_ns) == RP_OK)
			continue;
		lock->alone = false;
		return false;
	}
	return true;
}

bool ledger_wait_room(struct task *task, struct ledger *ledger, const bool *stop)
{
	while (ledger->count - ledger->durable > LEDGER_FLIGHT_MAX)
		if (*stop || task_sleep(task, ledger->poll_ns) != RP_OK)
			return false;
	return true;
}

void ledger_new_life(struct ledger *ledger, bool in_order)
{
	if (in_order && ledger->met)
		ledger->durable = ledger->count - 1;
	ledger->openings_unseen = ledger->met ? 0 : ledger->openings_unseen + 1;
	ledger->met = false;
	ledger->checked = false;
	ledger->changing = (struct ledger_lock){0};
	ledger->naming = (struct ledger_lock){0};
	ledger->answers_count = 0;
	ledger->compacting = false;
	ledger->volume = NULL;
}

static void forget_events(struct ledger_events *events, uint64_t lsn)
{
	while (events->count > 0 && events->event[events->count - 1].lsn > lsn)
		events->count--;
}

static void add_event(struct ledger_events *events, uint64_t mailboxid, uint64_t lsn,
    uint64_t part_lsn, const struct model_message *message)
{
	if (events->count == events->max) {
		events->max = 2 * events->max + 64;
		events->event = realloc(events->event, events->max * sizeof(*events->event));
		MODEL_CHECK(events->event != NULL);
	}
	events->event[events->count++] = (struct ledger_event){.mailboxid = mailboxid,
	    .lsn = lsn,
	    .part_lsn = part_lsn,
	    .uid = message->uid,
	    .seed = message->seed,
	    .bytes = message->bytes};
}

static void forget_kept(struct ledger *ledger, uint64_t lsn)
{
	while (ledger->kept_count > 0 && ledger->kept[ledger->kept_count - 1].lsn > lsn)
		ledger->kept_count--;
	for (size_t i = 0; i < ledger->kept_count; i++)
		if (ledger->kept[i].back_lsn > lsn)
			ledger->kept[i].back_lsn = 0;
}

struct ledger_kept *ledger_kept_of(const struct ledger *ledger, uint64_t mailboxid, uint32_t uid)
{
	for (size_t i = 0; i < ledger->kept_count; i++)
		if (ledger->kept[i].mailboxid == mailboxid &&
		    ledger->kept[i].message.uid == uid)
			return &ledger->kept[i];
	return NULL;
}

static void add_kept(struct ledger *ledger, uint64_t mailboxid, uint64_t lsn, uint64_t seconds,
    const struct model_message *message)
{
	if (ledger->kept_count == ledger->kept_max) {
		ledger->kept_max = 2 * ledger->kept_max + 64;
		ledger->kept = realloc(ledger->kept, ledger->kept_max * sizeof(*ledger->kept));
		MODEL_CHECK(ledger->kept != NULL);
	}
	ledger->kept[ledger->kept_count++] = (struct ledger_kept){
	    .message = *message, .mailboxid = mailboxid, .lsn = lsn, .seconds = seconds};
}

static struct ledger_state *push(struct ledger *ledger, struct volume *volume)
{
	struct ledger_state *state;

	MODEL_CHECK(ledger->count - ledger->durable < LEDGER_STATES);
	if (ledger->count - ledger->first == LEDGER_STATES)
		ledger->first++;
	state = &ledger->state[ledger->count++ % LEDGER_STATES];
	state->lsn = volume->catalog.lsn;
	state->lsn_last = volume->catalog.lsn;
	state->position = volume->position;
	state->blank = false;
	state->destroyed = false;
	ledger->lsn_seen = volume->catalog.lsn;
	return state;
}

/* Is the change that led to this state there? An opening that nobody has seen may have written a record with its LSN: one that ends what a cut
 * left void, and changes no mailbox. */
static bool is_there(const struct ledger_state *state, const struct volume *volume)
{
	for (unsigned i = 0; i < MODEL_NAMES; i++) {
		const struct model_mailbox *mailbox = &state->model.mailbox[i];
		const struct catalog_node *node;

		if (!mailbox->there || mailbox->highestmodseq != state->lsn)
			continue;
		node = catalog_by_id(&volume->catalog, mailbox->mailboxid);
		if (node == NULL || node->entry.highestmodseq < state->lsn)
			return false;
	}
	return true;
}

/* Where this state was the last that came back. An opening that nobody has seen may have met parts of the next change, too. */
static uint64_t lsn_at_most(struct ledger *ledger, uint64_t found)
{
	uint64_t last = state_of(ledger, found)->lsn_last;

	if (ledger->openings_unseen > 0 && found + 1 < ledger->count)
		last = num_max(last, state_of(ledger, found + 1)->lsn - 1);
	return last + ledger->openings_unseen;
}

void ledger_found(struct ledger *ledger, struct volume *volume)
{
	uint64_t found = ledger->first;
	uint64_t last = ledger->count;

	for (uint64_t i = ledger->first; i < ledger->count; i++)
		if (state_of(ledger, i)->lsn <= volume->replayed_lsn &&
		    (i <= ledger->durable || ledger->openings_unseen == 0 ||
		        is_there(state_of(ledger, i), volume)))
			found = i;
	if (found < ledger->durable || state_of(ledger, found)->lsn < ledger->acknowledged_lsn ||
	    state_of(ledger, found)->lsn < ledger->revealed_lsn)
		assert_panic(
		    "LSN %llu is there; durable was %llu, acknowledged %llu, revealed %llu",
		    (unsigned long long)volume->replayed_lsn,
		    (unsigned long long)state_of(ledger, ledger->durable)->lsn,
		    (unsigned long long)ledger->acknowledged_lsn,
		    (unsigned long long)ledger->revealed_lsn);
	MODEL_CHECK(lsn_at_most(ledger, found) >= volume->replayed_lsn);
	state_of(ledger, found)->lsn_last = volume->catalog.lsn;
	ledger->tally->found++;
	ledger->tally->changes_dropped += last - 1 - found;
	ledger->tally->changes_kept += found - ledger->durable;
	ledger->count = found + 1;
	ledger->durable = found;
	ledger->met = true;
	ledger->lsn_seen = volume->catalog.lsn;
	ledger_newest(ledger)->position = 0;
	forget_events(&ledger->expunged, ledger_newest(ledger)->lsn);
	forget_events(&ledger->born, ledger_newest(ledger)->lsn);
	forget_kept(ledger, ledger_newest(ledger)->lsn);
	if (ledger_newest(ledger)->blank && volume->catalog.lsn > 0) {
		struct ledger_state *state = push(ledger, volume);

		model_init(&state->model);
		model_check_names(volume, &state->model);
	} else if (!ledger_newest(ledger)->blank && !ledger_newest(ledger)->destroyed) {
		model_check_names(volume, &ledger_newest(ledger)->model);
	}
}

void ledger_unchanged(struct ledger *ledger, const struct volume *volume)
{
	ledger_newest(ledger)->lsn_last = volume->catalog.lsn;
	ledger->lsn_seen = volume->catalog.lsn;
}

static const struct model_mailbox *same_mailbox(const struct model *model, uint64_t mailboxid)
{
	for (unsigned i = 0; i < MODEL_NAMES; i++)
		if (model->mailbox[i].there && model->mailbox[i].mailboxid == mailboxid)
			return &model->mailbox[i];
	return NULL;
}

/* A change of several records expunges in one of them: which, the mailbox knows that is in memory now, and must not forget. */
static uint64_t part_of(const struct volume *volume, uint64_t mailboxid, uint32_t uid,
    uint64_t lsn_before, uint64_t lsn)
{
	const struct catalog_node *node = catalog_by_id(&volume->catalog, mailboxid);
	uint64_t part = lsn;
	bool told = false;

	if (node == NULL || node->loaded == NULL || node->loaded->table == NULL)
		return lsn_before + 1;
	while (part > lsn_before && !told) {
		struct runs found = RUNS_EMPTY;
		bool complete;

		MODEL_EQ(table_expunged_since(node->loaded->table, part - 1, &found, &complete),
		    RP_OK);
		told = runs_has(&found, uid);
		runs_fini(&found);
		part -= !told;
	}
	MODEL_CHECK(told);
	return part;
}

/* The messages that one has and the other has not. */
static void keep_difference(struct ledger_events *events, const struct volume *volume,
    const struct model_mailbox *has, const struct model_mailbox *has_not, uint64_t lsn,
    uint64_t lsn_before)
{
	bool expunged = lsn_before != lsn;
	size_t at = 0;

	for (size_t i = 0; i < has->count; i++) {
		while (has_not != NULL && at < has_not->count &&
		       has_not->message[at].uid < has->message[i].uid)
			at++;
		if (has_not == NULL || at == has_not->count ||
		    has_not->message[at].uid != has->message[i].uid)
			add_event(events, has->mailboxid, lsn,
			    expunged ? part_of(volume, has->mailboxid, has->message[i].uid,
			                   lsn_before, lsn)
			             : lsn,
			    &has->message[i]);
	}
}

static void keep_events(struct ledger *ledger, const struct volume *volume,
    const struct model *was, const struct model *is, uint64_t lsn, uint64_t lsn_before)
{
	for (unsigned i = 0; i < MODEL_NAMES; i++) {
		const struct model_mailbox *old = &was->mailbox[i];
		const struct model_mailbox *new = &is->mailbox[i];
		const struct model_mailbox *other;

		if (old->there && (other = same_mailbox(is, old->mailboxid)) != NULL)
			keep_difference(
			    &ledger->expunged, volume, old, other, lsn, lsn_before);
		if (new->there)
			keep_difference(&ledger->born, volume, new,
			    same_mailbox(was, new->mailboxid), lsn, lsn);
	}
}

/* What an EXPUNGE or a DELETE has taken away; what an undelete has brought back. */
static void keep_kept(struct ledger *ledger, struct volume *volume, const struct model *was,
    const struct model *is, const struct model_op *op, uint64_t lsn)
{
	for (unsigned i = 0; op->kind == MODEL_UNDELETE && i < op->count; i++) {
		struct ledger_kept *kept =
		    ledger_kept_of(ledger, op->from_id, op->back[i].uid);

		MODEL_CHECK(kept != NULL && kept->back_lsn == 0);
		kept->back_lsn = lsn;
	}
	for (unsigned i = 0; i < MODEL_NAMES; i++) {
		const struct model_mailbox *old = &was->mailbox[i];
		const struct model_mailbox *new;

		if (!old->there || (op->kind != MODEL_EXPUNGE && op->kind != MODEL_DELETE))
			continue;
		new = same_mailbox(is, old->mailboxid);
		for (size_t k = 0; k < old->count; k++) {
			bool there = false;

			for (size_t m = 0; new != NULL && m < new->count; m++)
				there = there || new->message[m].uid == old->message[k].uid;
			if (!there)
				add_kept(ledger, old->mailboxid, lsn, keep_stamp(volume->store),
				    &old->message[k]);
		}
	}
}

void ledger_changed(
    struct ledger *ledger, struct volume *volume, const struct model_op *op, bool more)
{
	const struct ledger_state *before = ledger_newest(ledger);
	uint64_t lsn = ledger->lsn_seen;
	struct ledger_state *state = push(ledger, volume);

	MODEL_CHECK(!before->destroyed);
	state->model = before->model;
	MODEL_EQ(model_apply(&state->model, op), RP_OK);
	if (more)
		state->lsn = ledger->lsn_seen = lsn + 1;
	else
		model_check_names(volume, &state->model);
	if (!more)
		keep_events(ledger, volume, &before->model, &state->model, state->lsn, lsn);
	keep_kept(ledger, volume, &before->model, &state->model, op, state->lsn);
	ledger->tally->changes++;
}

void ledger_destroyed(struct ledger *ledger, struct volume *volume)
{
	struct ledger_state *state = push(ledger, volume);

	state->destroyed = true;
	ledger->tally->users_destroyed++;
}

void ledger_durable(struct ledger *ledger, uint64_t position)
{
	unsigned left = 0;

	while (ledger->durable + 1 < ledger->count &&
	       state_of(ledger, ledger->durable + 1)->position <= position)
		ledger->durable++;
	for (unsigned i = 0; i < ledger->answers_count; i++) {
		const struct ledger_answer answer = ledger->answer[i];
		uint64_t *lsn =
		    answer.acknowledges ? &ledger->acknowledged_lsn : &ledger->revealed_lsn;

		if (answer.stamp > position) {
			ledger->answer[left++] = answer;
			continue;
		}
		if (answer.lsn > *lsn)
			*lsn = answer.lsn;
		if (answer.acknowledges)
			ledger->tally->acknowledged++;
		else
			ledger->tally->revealed++;
	}
	ledger->answers_count = left;
}

void ledger_answer(struct ledger *ledger, uint64_t stamp, bool acknowledges)
{
	if (ledger->answers_count == LEDGER_ANSWERS)
		return; /* it is never sent */
	ledger->answer[ledger->answers_count++] = (struct ledger_answer){
	    .lsn = ledger_newest(ledger)->lsn, .stamp = stamp, .acknowledges = acknowledges};
}

/* What the model answers to it in this state, if that changes nothing. */
static bool is_answer(const struct ledger_state *state, const struct model_op *op, enum rp_err err)
{
	static struct model copy;

	if (state->destroyed)
		return err != RP_OK;
	copy = state->model;
	return model_apply(&copy, op) == err &&
	       (err != RP_OK || memcmp(&copy, &state->model, sizeof(copy)) == 0);
}

bool ledger_allows(
    const struct ledger *ledger, uint64_t since, const struct model_op *op, enum rp_err err)
{
	uint64_t from = since - 1;

	if (from < ledger->first)
		return true; /* so long ago that nobody knows */
	for (uint64_t i = from; i < ledger->count; i++)
		if (is_answer(&ledger->state[i % LEDGER_STATES], op, err))
			return true;
	return false;
}

void ledger_compare(struct task *task, struct ledger *ledger, struct volume *volume)
{
	model_check(task, volume, &ledger_newest(ledger)->model, COMPARE_BODIES_EACH);
	ledger->tally->compared++;
}

const struct ledger_event *ledger_born(
    const struct ledger *ledger, uint64_t mailboxid, uint32_t uid)
{
	for (size_t i = 0; i < ledger->born.count; i++)
		if (ledger->born.event[i].mailboxid == mailboxid &&
		    ledger->born.event[i].uid == uid)
			return &ledger->born.event[i];
	return NULL;
}

void ledger_compare_history(struct ledger *ledger, struct mailbox *mailbox, uint64_t since)
{
	struct runs found = RUNS_EMPTY;
	bool complete;

	MODEL_EQ(table_expunged_since(mailbox->table, since, &found, &complete), RP_OK);
	MODEL_CHECK(complete);
	for (size_t i = 0; i < ledger->expunged.count; i++) {
		const struct ledger_event *expunge = &ledger->expunged.event[i];

		if (expunge->mailboxid != mailbox->mailboxid || expunge->part_lsn <= since)
			continue;
		MODEL_CHECK(runs_has(&found, expunge->uid));
	}
	for (uint32_t uid = 0; (uid = table_uid_from(mailbox->table, uid + 1, false)) != 0;)
		MODEL_CHECK(!runs_has(&found, uid));
	runs_fini(&found);
	ledger->tally->histories_compared++;
}
