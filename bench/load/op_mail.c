#include "bench/load/op_mail.h"

#include "bench/load/op_fns.h"
#include "bench/load/worker.h"
#include "io/base/clock.h"
#include "io/base/num.h"

enum {
	FILL_PIPELINED = 16,        /* APPENDs under way while a mailbox is filled */
	FILL_UNSENT_BYTES = 256 * 1024, /* then wait for the server to take some */
	UNSEEN_EACH = 5,            /* one message of so many is unread, */
	FLAGGED_EACH = 50,          /* one is flagged */
};

static const char *filling_flags(unsigned number)
{
	if (number % FLAGGED_EACH == 1)
		return "\\Seen \\Flagged";
	return number % UNSEEN_EACH == 0 ? "" : "\\Seen";
}

static void say_append(struct client *client, const char *flags, struct bytes message)
{
	client_say(client, "APPEND INBOX (%s) {%zu+}", flags, message.n);
	stream_put(&client->stream, message);
	stream_put(&client->stream, BYTES_LIT("\r\n"));
}

/* Its messages first..count-1, several under way. */
static enum rp_err fill(struct task *task, struct client *client, unsigned first, unsigned count)
{
	unsigned tag = client->tag; /* that was answered last */
	enum rp_err err = RP_OK;

	for (unsigned number = first; number < count && err == RP_OK; number++) {
		say_append(client, filling_flags(number), client_filling(client, number));
		err = stream_drain(
		    task, &client->stream, FILL_UNSENT_BYTES, CLIENT_WAIT_S * CLOCK_NS_PER_S);
		if (err == RP_ERR_UNAVAILABLE || err == RP_ERR_END)
			err = client_fault(client, "mail is not taken any more: %s", client->stream.reason);
		if (err == RP_OK && client->tag - tag >= FILL_PIPELINED)
			err = client_hear_tag(task, client, ++tag, NULL, NULL);
	}
	while (err == RP_OK && tag < client->tag)
		err = client_hear_tag(task, client, ++tag, NULL, NULL);
	return err;
}

static enum rp_err select_and_fill(struct task *task, struct client *client)
{
	const struct profile_group *group = client->group;
	enum rp_err err = op_select(task, client, 0);

	if (err == RP_OK && client->mirror.exists < group->messages)
		err = fill(task, client, client->mirror.exists, group->messages);
	if (err == RP_OK)
		err = op_select(task, client, 0); /* all of it is told here at the latest */
	if (err == RP_OK && client->mirror.exists < group->messages)
		return client_fault(
		    client, "INBOX has %u messages, it must have %u", client->mirror.exists, group->messages);
	return err == RP_OK ? op_fetch_ids(task, client) : err;
}

enum rp_err op_mail_prepare(struct task *task, struct client *client)
{
	enum rp_err err = op_connect(task, client, 0);

	if (err == RP_OK)
		err = op_login(task, client, 0);
	if (err == RP_OK && client->group->messages > 0) {
		if ((client->can & OP_CAN_LITERAL_PLUS) == 0)
			return client_fault(client, "without LITERAL+ no mailbox can be filled");
		err = select_and_fill(task, client);
	}
	return err == RP_OK ? op_logout(task, client, 0) : err;
}

/* With a literal that is not waited for, where the server has LITERAL+. */
enum rp_err op_append(struct task *task, struct client *client, uint64_t number)
{
	struct content_id id;
	struct bytes message = client_message(client, &id, client->user);
	struct response response;

	(void)number;
	if ((client->can & OP_CAN_LITERAL_PLUS) != 0) {
		say_append(client, "", message);
		return client_hear(task, client, NULL, NULL);
	}
	client_say(client, "APPEND INBOX () {%zu}", message.n);
	do {
		enum rp_err err = client_next(task, client, &response, CLIENT_WAIT_S * CLOCK_NS_PER_S);

		if (err != RP_OK)
			return err;
		if (response.kind == RESPONSE_TAGGED)
			return client_fault(client, "APPEND refused: %.*s", (int)num_min(response.text.n, 200),
			    (const char *)response.text.p);
	} while (response.kind != RESPONSE_CONTINUATION);
	client->made--;
	stream_put(&client->stream, client_message(client, &id, client->user));
	stream_put(&client->stream, BYTES_LIT("\r\n"));
	return client_hear(task, client, NULL, NULL);
}
