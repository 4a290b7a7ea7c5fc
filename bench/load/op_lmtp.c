/* LMTP (RFC 2033): envelope pipelined, one answer for each recipient behind the message. */
#include <stdio.h>

#include "bench/load/op_fns.h"
#include "bench/load/worker.h"
#include "io/base/clock.h"
#include "io/base/num.h"

enum { RECIPIENTS_MAX = 50, LINE_BYTES = 256 };

/* An answer, all lines of it, which must begin so. */
static enum rp_err expect(struct task *task, struct client *client, const char *code, const char *what)
{
	struct bytes line;

	do {
		enum rp_err err = client_line(task, client, &line);

		if (err != RP_OK)
			return err;
		if (line.n < 4 || !bytes_starts_with(line, bytes_of_str(code)))
			return client_fault(
			    client, "%s is answered: %.*s", what, (int)num_min(line.n, 200), (const char *)line.p);
	} while (line.p[3] == '-');
	return line.p[3] == ' ' ? RP_OK : client_fault(client, "%s is answered without a space", what);
}

enum rp_err op_lmtp_connect(struct task *task, struct client *client, uint64_t number)
{
	(void)number;
	enum rp_err err = stream_open(task, &client->stream, &client->worker->run->settings->lmtp, NULL, NULL,
	    CLIENT_WAIT_S * CLOCK_NS_PER_S);

	if (err == RP_ERR_CANCELED)
		return err;
	if (err != RP_OK)
		return client_fault(client, "%s (%s)", client->stream.reason, err_name(err));
	client->state = CLIENT_CONNECTED;
	err = expect(task, client, "220", "the connection");
	if (err != RP_OK)
		return err;
	stream_put(&client->stream, BYTES_LIT("LHLO bench.example.org\r\n"));
	return expect(task, client, "250", "LHLO");
}

/* user: from the profile's first on. */
static void say_recipient(struct client *client, unsigned user)
{
	char name[64];
	char line[LINE_BYTES];

	client_user(client, client->worker->run->profile->users_from + user, name, sizeof(name));
	int n = snprintf(
	    line, sizeof(line), "RCPT TO:<%s@%s>\r\n", name, client->worker->run->settings->domain);

	stream_put(&client->stream, bytes_of(line, (size_t)n));
}

/* Who gets a message: users of the group whose mail it is, in a row from anywhere. */
struct recipients {
	unsigned user[RECIPIENTS_MAX];
	unsigned count;
};

static void choose(struct client *client, uint64_t number, struct recipients *recipients)
{
	const struct profile *profile = client->worker->run->profile;
	const struct profile_group *group = client->group;
	unsigned users = group->clients;

	for (unsigned i = 0; i < profile->groups_count; i++)
		if (!profile->group[i].lmtp && profile->group[i].user_first == group->user_first)
			users = profile->group[i].clients;
	recipients->count = (unsigned)num_min(num_min(num_max(number, 1), RECIPIENTS_MAX), users);
	unsigned first = (unsigned)dice_below(&client->dice, users);

	for (unsigned i = 0; i < recipients->count; i++)
		recipients->user[i] = group->user_first + (first + i) % users;
}

static enum rp_err send_envelope(
    struct task *task, struct client *client, const struct recipients *recipients)
{
	stream_put(&client->stream, BYTES_LIT("MAIL FROM:<bench@example.net>\r\n"));
	for (unsigned i = 0; i < recipients->count; i++)
		say_recipient(client, recipients->user[i]);
	stream_put(&client->stream, BYTES_LIT("DATA\r\n"));
	enum rp_err err = expect(task, client, "250", "MAIL");

	for (unsigned i = 0; err == RP_OK && i < recipients->count; i++)
		err = expect(task, client, "250", "RCPT");
	return err == RP_OK ? expect(task, client, "354", "DATA") : err;
}

enum rp_err op_lmtp_deliver(struct task *task, struct client *client, uint64_t number)
{
	struct content_id id;
	struct recipients recipients;

	choose(client, number, &recipients);
	enum rp_err err = send_envelope(task, client, &recipients);

	if (err != RP_OK)
		return err;
	/* No line of a message of ours begins with a dot. */
	stream_put(&client->stream, client_message(client, &id, client->user));
	stream_put(&client->stream, BYTES_LIT(".\r\n"));
	for (unsigned i = 0; i < recipients.count; i++)
		atomic_store(&client->worker->run->sent_ns[recipients.user[i]], clock_monotonic_ns());
	for (unsigned i = 0; err == RP_OK && i < recipients.count; i++)
		err = expect(task, client, "250", "the message");
	return err;
}

enum rp_err op_lmtp_quit(struct task *task, struct client *client, uint64_t number)
{
	(void)number;
	stream_put(&client->stream, BYTES_LIT("QUIT\r\n"));
	enum rp_err err = expect(task, client, "221", "QUIT");

	client_close(task, client);
	return err;
}
