/* SEARCH, SORT and THREAD: what is told must be what the mirror and the contents say. */
#include "bench/load/op_fns.h"
#include "bench/load/worker.h"
#include "io/base/num.h"

/* Which messages are to be found. */
struct sought {
	enum { BY_UNSEEN, BY_SENDER, BY_SUBJECT, BY_TOKEN, ALL } by;
	unsigned value;
	char subject[CONTENT_SUBJECT_BYTES];
	uint32_t told_count;
	uint32_t before; /* SEARCH: the last seqno; a number comes once */
	uint64_t sum;    /* SORT, THREAD: of all seqnos */
	bool told;
};

/* 1: it is one, 0: it is none, -1: not known. */
static int belongs(const struct client *client, const struct sought *sought, uint32_t seqno)
{
	const struct mirror_message *message = mirror_at(&client->mirror, seqno);
	char subject[CONTENT_SUBJECT_BYTES];

	if (sought->by == ALL)
		return 1;
	if (sought->by == BY_UNSEEN)
		return message->flags_known ? (message->flags & RESPONSE_SEEN) == 0 : -1;
	if (message->number == MIRROR_NUMBER_NONE)
		return -1;
	struct content_id id = client_filling_id(client, message->number);

	switch (sought->by) {
	case BY_SENDER:
		return content_sender(id) == sought->value;
	case BY_SUBJECT:
		content_subject(id, subject);
		return strstr(subject, sought->subject) != NULL;
	default:
		return id.number % CONTENT_TOKENS == sought->value;
	}
}

static enum rp_err hear_search(struct client *client, const struct response *response, void *arg)
{
	struct sought *sought = arg;
	struct response_cursor cursor = {.in = response->rest};
	uint64_t seqno;

	if (!bytes_eq_fold(response->name, BYTES_LIT("SEARCH")))
		return RP_OK;
	sought->told = true;
	while (!response_at_end(&cursor)) {
		if (response_take(&cursor, '('))
			break; /* (MODSEQ n) */
		if (!response_number(&cursor, UINT32_MAX, &seqno) ||
		    (!response_at_end(&cursor) && !response_take(&cursor, ' ')))
			return client_fault(client, "broken SEARCH");
		if (mirror_at(&client->mirror, (uint32_t)seqno) == NULL || seqno <= sought->before)
			return client_fault(client, "SEARCH tells %llu of %u messages, after %u", (unsigned long long)seqno,
			    client->mirror.exists, sought->before);
		if (belongs(client, sought, (uint32_t)seqno) == 0)
			return client_fault(client, "SEARCH tells message %llu, which is none of them",
			    (unsigned long long)seqno);
		sought->before = (uint32_t)seqno;
		sought->told_count++;
	}
	return RP_OK;
}

/* (TAG "b1") COUNT 5 */
static enum rp_err hear_count(struct client *client, const struct response *response, void *arg)
{
	struct sought *sought = arg;
	struct response_cursor cursor = {.in = response->rest};
	struct bytes word;
	uint64_t count;

	if (!bytes_eq_fold(response->name, BYTES_LIT("ESEARCH")))
		return RP_OK;
	if (!response_value(&cursor, &word) || !response_take(&cursor, ' ') || !response_word(&cursor, &word) ||
	    !bytes_eq_fold(word, BYTES_LIT("COUNT")) || !response_take(&cursor, ' ') ||
	    !response_number(&cursor, UINT32_MAX, &count))
		return client_fault(client, "broken ESEARCH");
	sought->told = true;
	sought->told_count = (uint32_t)count;
	return RP_OK;
}

static enum rp_err check_count(struct client *client, const struct sought *sought)
{
	uint32_t exists = client->mirror.exists;
	uint32_t count = 0;

	if (!sought->told)
		return client_fault(client, "the search told nothing");
	if (!client->mirror.sole)
		return RP_OK;
	for (uint32_t seqno = 1; seqno <= exists; seqno++) {
		int belongs_to = belongs(client, sought, seqno);

		if (belongs_to < 0)
			return RP_OK; /* not known, not checked */
		count += (uint32_t)belongs_to;
	}
	if (count != sought->told_count)
		return client_fault(client, "the search told %u messages, there are %u", sought->told_count, count);
	return RP_OK;
}

static enum rp_err search(
    struct task *task, struct client *client, client_untagged_fn *fn, struct sought *sought)
{
	enum rp_err err = client_hear(task, client, fn, sought);

	return err == RP_OK ? check_count(client, sought) : err;
}

enum rp_err op_search_unseen(struct task *task, struct client *client, uint64_t number)
{
	struct sought sought = {.by = BY_UNSEEN};

	(void)number;
	client_say(client, "SEARCH UNSEEN");
	return search(task, client, hear_search, &sought);
}

enum rp_err op_search_count(struct task *task, struct client *client, uint64_t number)
{
	struct sought sought = {.by = BY_UNSEEN};

	(void)number;
	client_say(client, "SEARCH RETURN (COUNT) UNSEEN");
	return search(task, client, hear_count, &sought);
}

enum rp_err op_search_from(struct task *task, struct client *client, uint64_t number)
{
	struct sought sought = {
	    .by = BY_SENDER, .value = (unsigned)dice_below(&client->dice, CONTENT_FROM_COUNT)};
	char from[CONTENT_SUBJECT_BYTES];

	(void)number;
	content_from(sought.value, from);
	client_say(client, "SEARCH FROM \"%s@\"", from);
	return search(task, client, hear_search, &sought);
}

enum rp_err op_search_subject(struct task *task, struct client *client, uint64_t number)
{
	struct sought sought = {.by = BY_SUBJECT};
	uint32_t exists = client->mirror.exists;

	(void)number;
	if (exists == 0)
		return RP_OK;
	uint32_t seqno = 1 + (uint32_t)dice_below(&client->dice, exists);
	const struct mirror_message *message = mirror_at(&client->mirror, seqno);

	content_subject(
	    client_filling_id(client, message->number == MIRROR_NUMBER_NONE ? 0 : message->number), sought.subject);
	client_say(client, "SEARCH SUBJECT \"%s\"", sought.subject);
	return search(task, client, hear_search, &sought);
}

enum rp_err op_search_body(struct task *task, struct client *client, uint64_t number)
{
	struct sought sought = {.by = BY_TOKEN, .value = (unsigned)dice_below(&client->dice, CONTENT_TOKENS)};
	char token[CONTENT_SUBJECT_BYTES];

	(void)number;
	content_token(sought.value, token);
	client_say(client, "SEARCH BODY \"%s\"", token);
	return search(task, client, hear_search, &sought);
}

/* Numbers in any order, parentheses between them: each message once. */
static enum rp_err hear_all(struct client *client, const struct response *response, void *arg)
{
	struct sought *sought = arg;
	struct response_cursor cursor = {.in = response->rest};
	uint64_t seqno;

	if (!bytes_eq_fold(response->name, BYTES_LIT("SORT")) && !bytes_eq_fold(response->name, BYTES_LIT("THREAD")))
		return RP_OK;
	sought->told = true;
	while (!response_at_end(&cursor)) {
		if (response_take(&cursor, ' ') || response_take(&cursor, '(') || response_take(&cursor, ')'))
			continue;
		if (!response_number(&cursor, UINT32_MAX, &seqno) ||
		    mirror_at(&client->mirror, (uint32_t)seqno) == NULL)
			return client_fault(client, "broken %.*s", BYTES_FMT(response->name));
		sought->told_count++;
		sought->sum += seqno;
	}
	return RP_OK;
}

static enum rp_err hear_each_once(struct task *task, struct client *client)
{
	struct sought sought = {.by = ALL};
	uint64_t exists = client->mirror.exists;
	enum rp_err err = search(task, client, hear_all, &sought);

	if (err == RP_OK && client->mirror.sole && sought.sum != exists * (exists + 1) / 2)
		return client_fault(client, "not each message is told once");
	return err;
}

enum rp_err op_sort(struct task *task, struct client *client, uint64_t number)
{
	(void)number;
	client_say(client, "SORT (SUBJECT) US-ASCII ALL");
	return hear_each_once(task, client);
}

enum rp_err op_thread(struct task *task, struct client *client, uint64_t number)
{
	(void)number;
	client_say(client, "THREAD REFERENCES US-ASCII ALL");
	return hear_each_once(task, client);
}
