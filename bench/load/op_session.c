/* Words about the connection and the mailbox as a whole. */
#include <stdio.h>

#include "bench/load/op_fns.h"
#include "bench/load/worker.h"
#include "io/base/clock.h"
#include "io/base/num.h"

enum { USER_BYTES = 64 };

enum rp_err op_connect(struct task *task, struct client *client, uint64_t number)
{
	struct bench_run *run = client->worker->run;
	const struct run_settings *settings = run->settings;
	bool tls = client->group->tls != PROFILE_TLS_NONE;
	struct response greeting;

	(void)number;
	enum rp_err err = stream_open(task, &client->stream, tls ? &settings->imaps : &settings->imap,
	    tls ? run->tls : NULL,
	    client->group->tls == PROFILE_TLS_RESUMED ? &client->session : NULL,
	    CLIENT_WAIT_S * CLOCK_NS_PER_S);

	if (err == RP_ERR_CANCELED)
		return err;
	if (err != RP_OK)
		return client_fault(client, "%s (%s)", client->stream.reason, err_name(err));
	err = client_next(task, client, &greeting, CLIENT_WAIT_S * CLOCK_NS_PER_S);
	if (err != RP_OK)
		return err;
	if (greeting.kind != RESPONSE_UNTAGGED || greeting.status != RESPONSE_OK)
		return client_fault(client, "the greeting is no OK: %.*s", (int)num_min(greeting.text.n, 200),
		    (const char *)greeting.text.p);
	client->state = CLIENT_CONNECTED;
	return RP_OK;
}

static void take_capabilities(struct client *client, struct bytes words)
{
	client->can = op_capabilities(words);
	atomic_store(&client->worker->run->can, client->can);
}

static enum rp_err hear_capability(struct client *client, const struct response *response, void *arg)
{
	struct bytes words;
	bool *told = arg;

	if (bytes_eq_fold(response->name, BYTES_LIT("CAPABILITY")))
		words = response->rest;
	else if (!response_code_is(response, BYTES_LIT("CAPABILITY"), &words))
		return RP_OK;
	*told = true;
	take_capabilities(client, words);
	return RP_OK;
}

/* LOGIN's answer may tell the capabilities in its tagged OK; that is client_hear()'s, so it is asked for once a client. */
enum rp_err op_login(struct task *task, struct client *client, uint64_t number)
{
	char user[USER_BYTES];
	bool told = false;

	(void)number;
	client_user(client, client->user, user, sizeof(user));
	client_say(client, "LOGIN \"%s\" \"%s\"", user, client->worker->run->settings->password);
	enum rp_err err = client_hear(task, client, hear_capability, &told);

	if (err != RP_OK)
		return err;
	client->state = CLIENT_LOGGED_IN;
	if (told || client->can != 0)
		return RP_OK;
	client_say(client, "CAPABILITY");
	err = client_hear(task, client, hear_capability, &told);
	if (err == RP_OK && !told)
		return client_fault(client, "CAPABILITY told none");
	return err;
}

enum rp_err op_logout(struct task *task, struct client *client, uint64_t number)
{
	(void)number;
	client->state = CLIENT_OUT; /* BYE is what is awaited */
	client_say(client, "LOGOUT");
	enum rp_err err = client_hear(task, client, NULL, NULL);

	client_close(task, client);
	return err;
}

enum rp_err op_noop(struct task *task, struct client *client, uint64_t number)
{
	(void)number;
	client_say(client, "NOOP");
	return client_hear(task, client, NULL, NULL);
}

static enum rp_err select_inbox(struct task *task, struct client *client, const char *command)
{
	client_say(client, "%s INBOX%s", command,
	    (client->can & OP_CAN_CONDSTORE) != 0 ? " (CONDSTORE)" : "");
	mirror_leave(&client->mirror);
	mirror_select_begin(&client->mirror);
	enum rp_err err = client_hear(task, client, NULL, NULL);

	if (err != RP_OK)
		return err;
	if (!mirror_select_end(&client->mirror))
		return client_fault(client, "%s", client->mirror.fault);
	client->state = CLIENT_SELECTED;
	return RP_OK;
}

enum rp_err op_select(struct task *task, struct client *client, uint64_t number)
{
	(void)number;
	return select_inbox(task, client, "SELECT");
}

enum rp_err op_examine(struct task *task, struct client *client, uint64_t number)
{
	(void)number;
	return select_inbox(task, client, "EXAMINE");
}

struct status {
	bool told;
	uint64_t messages;
	uint64_t unseen;
};

/* INBOX (MESSAGES 5 UNSEEN 2 UIDNEXT 9) */
static enum rp_err hear_status(struct client *client, const struct response *response, void *arg)
{
	struct status *status = arg;
	struct response_cursor cursor = {.in = response->rest};
	struct bytes word;
	uint64_t value;

	if (!bytes_eq_fold(response->name, BYTES_LIT("STATUS")))
		return RP_OK;
	bool right = response_value(&cursor, &word) && response_take(&cursor, ' ') && response_take(&cursor, '(');

	while (right && !response_take(&cursor, ')')) {
		right = response_word(&cursor, &word) && response_take(&cursor, ' ') &&
		        response_number(&cursor, UINT64_MAX, &value);
		(void)response_take(&cursor, ' ');
		if (right && bytes_eq_fold(word, BYTES_LIT("MESSAGES")))
			status->messages = value;
		if (right && bytes_eq_fold(word, BYTES_LIT("UNSEEN")))
			status->unseen = value;
	}
	status->told = right;
	return right ? RP_OK : client_fault(client, "broken STATUS");
}

enum rp_err op_status(struct task *task, struct client *client, uint64_t number)
{
	struct status status = {0};
	uint32_t known = client->mirror.exists;
	uint32_t unseen = mirror_count(&client->mirror, 0, RESPONSE_SEEN);

	(void)number;
	client_say(client, "STATUS INBOX (MESSAGES UNSEEN UIDNEXT)");
	enum rp_err err = client_hear(task, client, hear_status, &status);

	if (err != RP_OK)
		return err;
	if (!status.told)
		return client_fault(client, "STATUS told nothing");
	if (!client->mirror.sole || client->state != CLIENT_SELECTED)
		return RP_OK;
	/* Where mail is delivered there may be more than it was told of. */
	if (status.messages < known || (!client->group->grows && (status.messages > known ||
	                                   (unseen != UINT32_MAX && status.unseen != unseen))))
		return client_fault(client, "STATUS tells %llu messages, %llu unseen; there are %u, %u",
		    (unsigned long long)status.messages, (unsigned long long)status.unseen, known, unseen);
	return RP_OK;
}

static enum rp_err hear_list(struct client *client, const struct response *response, void *arg)
{
	(void)client;
	*(unsigned *)arg += bytes_eq_fold(response->name, BYTES_LIT("LIST"));
	return RP_OK;
}

enum rp_err op_list(struct task *task, struct client *client, uint64_t number)
{
	unsigned count = 0;

	(void)number;
	client_say(client, "LIST \"\" *");
	enum rp_err err = client_hear(task, client, hear_list, &count);

	return err == RP_OK && count == 0 ? client_fault(client, "LIST tells no INBOX") : err;
}

/* The newest message that was sent to this user is told: how long that took. */
static void note_push(struct client *client)
{
	struct bench_run *run = client->worker->run;
	uint64_t sent_ns = atomic_exchange(&run->sent_ns[client->user - run->profile->users_from], 0);
	uint64_t now_ns = clock_monotonic_ns();

	if (sent_ns >= run->from_ns && sent_ns < run->to_ns && now_ns > sent_ns)
		worker_note(&client->worker->word[client->word], now_ns - sent_ns);
}

/* Until its time is over; what comes meanwhile is taken in. */
static enum rp_err listen_until(
    struct task *task, struct client *client, uint64_t until_ns, bool notes_push)
{
	struct response response;

	for (;;) {
		uint64_t now_ns = loop_now_ns(task_loop(task));
		enum rp_err err = now_ns < until_ns ? client_next(task, client, &response, until_ns - now_ns)
		                                    : RP_ERR_UNAVAILABLE;

		if (err == RP_ERR_UNAVAILABLE)
			return RP_OK;
		if (err != RP_OK)
			return err;
		if (response.kind != RESPONSE_UNTAGGED || response.status == RESPONSE_BYE)
			return client_fault(client, "IDLE ended by the server");
		if (notes_push && bytes_eq_fold(response.name, BYTES_LIT("EXISTS")))
			note_push(client);
	}
}

static enum rp_err idle(struct task *task, struct client *client, uint64_t number, bool notes_push)
{
	struct response response;

	client_say(client, "IDLE");
	do {
		enum rp_err err = client_next(task, client, &response, CLIENT_WAIT_S * CLOCK_NS_PER_S);

		if (err != RP_OK)
			return err;
		if (response.kind == RESPONSE_TAGGED)
			return client_fault(client, "IDLE refused: %.*s", (int)num_min(response.text.n, 200),
			    (const char *)response.text.p);
	} while (response.kind != RESPONSE_CONTINUATION);
	enum rp_err err = listen_until(
	    task, client, loop_now_ns(task_loop(task)) + number * CLOCK_NS_PER_MS, notes_push);

	if (err != RP_OK)
		return err;
	stream_put(&client->stream, BYTES_LIT("DONE\r\n"));
	return client_hear(task, client, NULL, NULL);
}

enum rp_err op_idle(struct task *task, struct client *client, uint64_t number)
{
	return idle(task, client, number, false);
}

enum rp_err op_idle_push(struct task *task, struct client *client, uint64_t number)
{
	return idle(task, client, number, true);
}

enum rp_err op_pause(struct task *task, struct client *client, uint64_t number)
{
	(void)client;
	return task_sleep(task, number * CLOCK_NS_PER_MS);
}
