/* STORE and EXPUNGE. */
#include "bench/load/op_fns.h"
#include "bench/load/worker.h"

/* Was the message told with its flags? The mirror has checked these. */
struct stored {
	uint32_t seqno;
	bool told;
};

static enum rp_err hear(struct client *client, const struct response *response, void *arg)
{
	struct stored *stored = arg;

	if (response->has_number && bytes_eq_fold(response->name, BYTES_LIT("FETCH")) &&
	    client->fetch.seqno == stored->seqno && client->fetch.has_flags)
		stored->told = true;
	return RP_OK;
}

static enum rp_err store_one(struct task *task, struct client *client, uint32_t seqno, const char *flag_name,
    uint8_t flag, bool add)
{
	struct stored stored = {.seqno = seqno};
	bool was_set = (mirror_at(&client->mirror, seqno)->flags & flag) != 0;

	mirror_set_flags(&client->mirror, seqno, add ? flag : 0, add ? 0 : flag);
	client_say(client, "STORE %u %cFLAGS (%s)", seqno, add ? '+' : '-', flag_name);
	enum rp_err err = client_hear(task, client, hear, &stored);

	/* A server need not tell a message that stayed as it was. */
	if (err == RP_OK && !stored.told && was_set != add && client->mirror.sole)
		return client_fault(client, "STORE of message %u told no FETCH", seqno);
	return err;
}

/* One whose flags it knows. 0: none. */
static uint32_t choose(struct client *client)
{
	uint32_t exists = client->mirror.exists;
	uint32_t seqno = exists > 0 ? 1 + (uint32_t)dice_below(&client->dice, exists) : 0;

	return seqno != 0 && mirror_at(&client->mirror, seqno)->flags_known ? seqno : 0;
}

enum rp_err op_store_seen(struct task *task, struct client *client, uint64_t number)
{
	uint32_t seqno = choose(client);

	(void)number;
	return seqno != 0 ? store_one(task, client, seqno, "\\Seen", RESPONSE_SEEN, true) : RP_OK;
}

enum rp_err op_store_flag(struct task *task, struct client *client, uint64_t number)
{
	uint32_t seqno = choose(client);

	(void)number;
	if (seqno == 0)
		return RP_OK;
	bool add = (mirror_at(&client->mirror, seqno)->flags & RESPONSE_FLAGGED) == 0;

	return store_one(task, client, seqno, "\\Flagged", RESPONSE_FLAGGED, add);
}

enum rp_err op_store_all(struct task *task, struct client *client, uint64_t number)
{
	uint32_t exists = client->mirror.exists;

	(void)number;
	if (exists == 0)
		return RP_OK;
	bool add = (mirror_at(&client->mirror, 1)->flags & RESPONSE_ANSWERED) == 0;

	client_say(client, "STORE 1:* %cFLAGS.SILENT (\\Answered)", add ? '+' : '-');
	for (uint32_t seqno = 1; seqno <= exists; seqno++)
		mirror_set_flags(&client->mirror, seqno, add ? RESPONSE_ANSWERED : 0, add ? 0 : RESPONSE_ANSWERED);
	return client_hear(task, client, NULL, NULL);
}

enum rp_err op_expunge(struct task *task, struct client *client, uint64_t number)
{
	uint32_t exists = client->mirror.exists;

	(void)number;
	if (exists == 0)
		return RP_OK;
	enum rp_err err = store_one(task, client, exists, "\\Deleted", RESPONSE_DELETED, true);

	if (err != RP_OK)
		return err;
	client_say(client, "EXPUNGE");
	err = client_hear(task, client, NULL, NULL);
	if (err == RP_OK && client->mirror.sole && !client->group->grows && client->mirror.exists != exists - 1)
		return client_fault(client, "EXPUNGE left %u of %u messages", client->mirror.exists, exists);
	return err;
}
