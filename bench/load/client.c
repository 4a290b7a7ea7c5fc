#include "bench/load/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/load/op.h"
#include "bench/load/worker.h"
#include "io/base/clock.h"
#include "io/base/num.h"

enum { FAULT_BYTES = 400, HEARD_PER_PAUSE = 64 };

enum rp_err client_fault(struct client *client, const char *format, ...)
{
	const struct profile *profile = client->worker->run->profile;
	char text[FAULT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	run_void(client->worker->run, "%s %u (user %u), at \"%s\": %s", client->group->name, client->number,
	    client->user, client->word < profile->words_count ? profile->word[client->word].text : "making its mail", text);
	return RP_ERR_CORRUPT;
}

void client_say(struct client *client, const char *format, ...)
{
	char text[CLIENT_COMMAND_BYTES];
	int n = snprintf(text, sizeof(text), "b%u ", ++client->tag);
	va_list args;

	va_start(args, format);
	n += vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
	va_end(args);
	RP_ASSERT(n > 0 && (size_t)n < sizeof(text) - 2);
	memcpy(text + n, "\r\n", 2);
	stream_put(&client->stream, bytes_of(text, (size_t)n + 2));
}

/* What was looked at is done with. */
static void let_go(struct client *client)
{
	stream_take(&client->stream, client->heard);
	client->heard = 0;
}

static enum rp_err wait_more(struct task *task, struct client *client, uint64_t wait_ns)
{
	enum rp_err err = stream_wait(task, &client->stream, wait_ns);

	if (err == RP_ERR_END)
		return client_fault(client, "the connection ended: %s", client->stream.reason);
	if (err == RP_ERR_UNAVAILABLE && wait_ns == CLIENT_WAIT_S * CLOCK_NS_PER_S)
		return client_fault(client, "no answer in %d s", CLIENT_WAIT_S);
	return err;
}

static enum rp_err take_in(struct client *client, const struct response *response)
{
	struct mirror *mirror = &client->mirror;
	bool right = true;

	if (response->status != RESPONSE_NONE)
		right = response->status != RESPONSE_OK || mirror_code(mirror, response);
	else if (bytes_eq_fold(response->name, BYTES_LIT("EXISTS")))
		right = response->has_number && mirror_exists(mirror, response->number);
	else if (bytes_eq_fold(response->name, BYTES_LIT("EXPUNGE")))
		right = response->has_number && mirror_expunge(mirror, response->number);
	else if (bytes_eq_fold(response->name, BYTES_LIT("FETCH")))
		right = response_fetch_parse(response, &client->fetch) && mirror_fetch(mirror, &client->fetch);
	if (right)
		return RP_OK;
	return client_fault(client, "%s in: %.*s", mirror->fault[0] != '\0' ? mirror->fault : "broken grammar",
	    (int)num_min(response->rest.n, 100), (const char *)response->rest.p);
}

enum rp_err client_next(
    struct task *task, struct client *client, struct response *out, uint64_t wait_ns)
{
	enum rp_err err;
	size_t end;

	let_go(client);
	client->frame = (struct response_frame){0};
	while ((err = response_frame_find(&client->frame, stream_peek(&client->stream), &end)) ==
	       RP_ERR_END) {
		err = wait_more(task, client, wait_ns);
		if (err != RP_OK)
			return err;
	}
	if (err != RP_OK)
		return client_fault(client, "a line without CRLF, or too long a response");
	struct bytes whole = bytes_slice(stream_peek(&client->stream), 0, end);

	client->heard = end;
	if (!response_parse(whole, out))
		return client_fault(client, "broken grammar: %.*s", (int)num_min(end, 100), (const char *)whole.p);
	return out->kind == RESPONSE_UNTAGGED ? take_in(client, out) : RP_OK;
}

static bool is_tag(struct bytes text, unsigned tag)
{
	uint64_t number;

	return text.n > 1 && text.p[0] == 'b' && bytes_to_u64(bytes_from(text, 1), UINT32_MAX, &number) &&
	       number == tag;
}

static enum rp_err end_of_answer(struct client *client, unsigned tag, const struct response *response)
{
	if (!is_tag(response->tag, tag))
		return client_fault(client, "the tag %.*s was not asked", BYTES_FMT(response->tag));
	if (response->status != RESPONSE_OK)
		return client_fault(client, "%s %.*s", response->status == RESPONSE_NO ? "NO" : "BAD",
		    (int)num_min(response->text.n, 200), (const char *)response->text.p);
	if (!mirror_code(&client->mirror, response))
		return client_fault(client, "%s", client->mirror.fault);
	return RP_OK;
}

enum rp_err client_hear_tag(struct task *task, struct client *client, unsigned tag,
    client_untagged_fn *fn, void *arg)
{
	struct response response;
	enum rp_err err;

	for (unsigned count = 1;; count++) {
		err = client_next(task, client, &response, CLIENT_WAIT_S * CLOCK_NS_PER_S);
		if (err == RP_OK && count % HEARD_PER_PAUSE == 0)
			err = task_pause(task);
		if (err != RP_OK)
			return err;
		if (response.kind == RESPONSE_TAGGED)
			return end_of_answer(client, tag, &response);
		if (response.kind == RESPONSE_CONTINUATION)
			return client_fault(client, "a continuation that nobody waits for");
		if (response.status == RESPONSE_BYE && client->state != CLIENT_OUT)
			return client_fault(client, "BYE %.*s", (int)num_min(response.text.n, 200),
			    (const char *)response.text.p);
		err = fn != NULL ? fn(client, &response, arg) : RP_OK;
		if (err != RP_OK)
			return err;
	}
}

enum rp_err client_hear(
    struct task *task, struct client *client, client_untagged_fn *fn, void *arg)
{
	return client_hear_tag(task, client, client->tag, fn, arg);
}

enum rp_err client_line(struct task *task, struct client *client, struct bytes *out)
{
	size_t lf;

	let_go(client);
	for (;;) {
		struct bytes in = stream_peek(&client->stream);

		lf = bytes_find(in, 0, '\n');
		if (lf < in.n)
			break;
		enum rp_err err = wait_more(task, client, CLIENT_WAIT_S * CLOCK_NS_PER_S);

		if (err != RP_OK)
			return err;
	}
	client->heard = lf + 1;
	if (lf == 0 || stream_peek(&client->stream).p[lf - 1] != '\r')
		return client_fault(client, "a line without CR");
	*out = bytes_slice(stream_peek(&client->stream), 0, lf - 1);
	return RP_OK;
}

void client_close(struct task *task, struct client *client)
{
	client->heard = 0;
	client->state = CLIENT_OUT;
	mirror_leave(&client->mirror);
	stream_close(task, &client->stream);
}

void client_user(const struct client *client, unsigned user, char *out, size_t size)
{
	snprintf(out, size, "%s%u", client->worker->run->settings->users, user);
}

static struct bytes make(struct client *client, struct content_id id)
{
	uint8_t *room = worker_scratch(client->worker, id.bytes);

	content_make(id, room);
	return bytes_of(room, id.bytes);
}

struct bytes client_message(struct client *client, struct content_id *id, unsigned user)
{
	uint64_t group = (uint64_t)(client->group - client->worker->run->profile->group);

	*id = (struct content_id){.seed = client->worker->run->nonce + (group << 56),
	    .user = user,
	    .number = (client->group->user_first + client->number) << 16 | (client->made & 0xffff),
	    .bytes = client->group->size_bytes};
	id->seed += client->made >> 16;
	client->made++;
	return make(client, *id);
}

struct content_id client_filling_id(const struct client *client, unsigned number)
{
	return (struct content_id){.seed = client->worker->run->profile->seed,
	    .user = client->user,
	    .number = number,
	    .bytes = client->group->size_bytes};
}

struct bytes client_filling(struct client *client, unsigned number)
{
	return make(client, client_filling_id(client, number));
}
