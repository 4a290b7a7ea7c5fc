/* FETCH in its forms. Each message that was asked for must come, once, with all that was asked for. */
#include "bench/load/op_fns.h"
#include "bench/load/op_mail.h"
#include "bench/load/worker.h"
#include "io/base/clock.h"
#include "io/base/num.h"

/* What one FETCH asks for, and how much of it has come. */
struct asked {
	uint32_t first; /* seqnos; 0: none in particular */
	uint32_t last;
	uint32_t count; /* that came with all that was asked for */
	uint32_t before; /* the seqno of the last one that came */
	bool flags, size, envelope, structure, body, id;
};

static bool has_all(const struct asked *asked, const struct response_fetch *fetch)
{
	return fetch->has_uid && (!asked->flags || fetch->has_flags) && (!asked->size || fetch->has_size) &&
	       (!asked->envelope || fetch->envelope.p != NULL) &&
	       (!asked->structure || fetch->bodystructure.p != NULL) &&
	       ((!asked->body && !asked->id) || fetch->sections_count == 1);
}

/* The content that the message is, if it is one that the mailbox was filled with. */
static bool filling_of(const struct client *client, uint32_t seqno, struct content_id *id)
{
	const struct mirror_message *message = mirror_at(&client->mirror, seqno);

	if (message == NULL || message->number == MIRROR_NUMBER_NONE)
		return false;
	*id = client_filling_id(client, message->number);
	return true;
}

static enum rp_err check_envelope(struct client *client, const struct response_fetch *fetch)
{
	char expected[CONTENT_SUBJECT_BYTES];
	struct bytes subject, from;
	struct content_id id;

	if (!response_envelope(fetch->envelope, &subject, &from))
		return client_fault(client, "broken ENVELOPE of message %u: %.*s", fetch->seqno,
		    (int)num_min(fetch->envelope.n, 120), (const char *)fetch->envelope.p);
	if (!filling_of(client, fetch->seqno, &id))
		return RP_OK;
	content_subject(id, expected);
	if (!bytes_eq(subject, bytes_of_str(expected)))
		return client_fault(client, "message %u has the subject %.*s, not %s", fetch->seqno,
		    BYTES_FMT(subject), expected);
	content_from(content_sender(id), expected);
	if (!bytes_eq(from, bytes_of_str(expected)))
		return client_fault(
		    client, "message %u is from %.*s, not %s", fetch->seqno, BYTES_FMT(from), expected);
	return RP_OK;
}

static enum rp_err check_size(struct client *client, const struct response_fetch *fetch)
{
	struct content_id id;

	if (!filling_of(client, fetch->seqno, &id) || id.bytes == fetch->size_bytes)
		return RP_OK;
	return client_fault(client, "message %u has RFC822.SIZE %llu, not %u", fetch->seqno,
	    (unsigned long long)fetch->size_bytes, id.bytes);
}

/* Which content it is: of the filling, or of others' making. */
static enum rp_err note_content(struct client *client, uint32_t seqno, struct content_id id)
{
	if (id.seed != client->worker->run->profile->seed)
		return RP_OK;
	if (id.user != client->user)
		return client_fault(client, "message %u is user %u's", seqno, id.user);
	if (!mirror_set_number(&client->mirror, seqno, id.number))
		return client_fault(client, "%s", client->mirror.fault);
	return RP_OK;
}

static enum rp_err check_body(struct client *client, const struct response_fetch *fetch)
{
	struct content_id id;
	const char *fault;

	if (fetch->section[0].data.p == NULL)
		return client_fault(client, "message %u has the body NIL", fetch->seqno);
	enum rp_err err = content_check(fetch->section[0].data, &id, &fault);

	if (err == RP_ERR_CORRUPT)
		return client_fault(client, "message %u is %s", fetch->seqno, fault);
	return err == RP_OK ? note_content(client, fetch->seqno, id) : err;
}

static enum rp_err check_id(struct client *client, const struct response_fetch *fetch)
{
	struct bytes data = fetch->section[0].data;
	struct content_id id;

	/* A mailbox may have mail that is not ours; what is done with it is checked all the less. */
	if (data.p == NULL || !content_id_parse(bytes_slice(data, 0, bytes_find(data, 0, '\r')), &id))
		return RP_OK;
	return note_content(client, fetch->seqno, id);
}

static enum rp_err hear(struct client *client, const struct response *response, void *arg)
{
	struct asked *asked = arg;
	const struct response_fetch *fetch = &client->fetch;
	enum rp_err err = RP_OK;

	if (!response->has_number || !bytes_eq_fold(response->name, BYTES_LIT("FETCH")) ||
	    !has_all(asked, fetch))
		return RP_OK;
	if (client->mirror.sole && fetch->seqno <= asked->before)
		return client_fault(client, "message %u comes twice, or out of order", fetch->seqno);
	if (asked->first != 0 && (fetch->seqno < asked->first || fetch->seqno > asked->last))
		return RP_OK; /* nobody asked, but it may be told */
	asked->before = fetch->seqno;
	asked->count++;
	if (asked->size)
		err = check_size(client, fetch);
	if (err == RP_OK && asked->envelope)
		err = check_envelope(client, fetch);
	if (err == RP_OK && asked->body)
		err = check_body(client, fetch);
	if (err == RP_OK && asked->id)
		err = check_id(client, fetch);
	return err;
}

/* FETCH first:last, and all must come. */
static enum rp_err fetch_range(
    struct task *task, struct client *client, const char *items, struct asked *asked)
{
	uint32_t wanted = asked->last - asked->first + 1;

	if (asked->first == 1 && asked->last == client->mirror.exists)
		client_say(client, "FETCH 1:* (%s)", items);
	else
		client_say(client, "FETCH %u:%u (%s)", asked->first, asked->last, items);
	enum rp_err err = client_hear(task, client, hear, asked);

	/* An EXPUNGE cannot come within; mail that came since the server read the command is beyond what was asked. */
	if (err == RP_OK && asked->count < wanted)
		return client_fault(client, "%u of %u messages came", asked->count, wanted);
	return err;
}

/* n messages in a row, from anywhere; 0: all. False: the mailbox is empty. */
static bool choose(struct client *client, uint64_t n, struct asked *asked)
{
	uint32_t exists = client->mirror.exists;

	if (exists == 0)
		return false;
	n = n == 0 ? exists : num_min(n, exists);
	asked->first = 1 + (uint32_t)dice_below(&client->dice, exists - n + 1);
	asked->last = asked->first + (uint32_t)n - 1;
	return true;
}

enum rp_err op_fetch_flags(struct task *task, struct client *client, uint64_t number)
{
	struct asked asked = {.flags = true};

	(void)number;
	return choose(client, 0, &asked) ? fetch_range(task, client, "UID FLAGS", &asked) : RP_OK;
}

enum rp_err op_fetch_envelope(struct task *task, struct client *client, uint64_t number)
{
	struct asked asked = {.flags = true, .size = true, .envelope = true};

	return choose(client, number, &asked)
	           ? fetch_range(task, client, "UID FLAGS RFC822.SIZE ENVELOPE", &asked)
	           : RP_OK;
}

enum rp_err op_fetch_structure(struct task *task, struct client *client, uint64_t number)
{
	struct asked asked = {.structure = true};

	return choose(client, number, &asked) ? fetch_range(task, client, "UID BODYSTRUCTURE", &asked) : RP_OK;
}

enum rp_err op_fetch_body(struct task *task, struct client *client, uint64_t number)
{
	struct asked asked = {.body = true};

	return choose(client, number > 0 ? number : 1, &asked)
	           ? fetch_range(task, client, "UID BODY.PEEK[]", &asked)
	           : RP_OK;
}

enum rp_err op_fetch_ids(struct task *task, struct client *client)
{
	struct asked asked = {.flags = true, .id = true};

	return choose(client, 0, &asked)
	           ? fetch_range(task, client, "UID FLAGS BODY.PEEK[HEADER.FIELDS (X-BENCH-ID)]", &asked)
	           : RP_OK;
}

/* What has changed since the newest change that it knows of; what comes must be newer. */
static enum rp_err hear_changes(struct client *client, const struct response *response, void *arg)
{
	const uint64_t *since = arg;

	if (!response->has_number || !bytes_eq_fold(response->name, BYTES_LIT("FETCH")))
		return RP_OK;
	if (!client->fetch.has_modseq)
		return client_fault(client, "a FETCH without MODSEQ");
	if (client->fetch.modseq <= *since)
		return client_fault(client, "MODSEQ %llu is not newer than %llu",
		    (unsigned long long)client->fetch.modseq, (unsigned long long)*since);
	return RP_OK;
}

enum rp_err op_fetch_changes(struct task *task, struct client *client, uint64_t number)
{
	uint64_t since = client->mirror.highestmodseq;

	(void)number;
	if (since == 0 || client->mirror.exists == 0)
		return RP_OK;
	client_say(client, "FETCH 1:* (UID FLAGS) (CHANGEDSINCE %llu)", (unsigned long long)since);
	return client_hear(task, client, hear_changes, &since);
}

enum rp_err op_fetch_new(struct task *task, struct client *client, uint64_t number)
{
	struct asked asked = {.flags = true, .size = true, .envelope = true};
	uint32_t exists = client->mirror.exists;
	uint32_t first = exists;

	(void)number;
	while (first > 0 && !client->mirror.message[first - 1].flags_known)
		first--;
	if (first == exists) {
		/* Nothing that it knows of: it asks whether there is. */
		client_say(client, "NOOP");
		return client_hear(task, client, NULL, NULL);
	}
	asked.first = first + 1;
	asked.last = exists;
	return fetch_range(task, client, "UID FLAGS RFC822.SIZE ENVELOPE", &asked);
}
