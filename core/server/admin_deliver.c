#include "core/server/admin_deliver.h"

#include <stdlib.h>

#include "core/imap/mailbox_name.h"
#include "core/server/admin_core.h"
#include "core/server/calls.h"
#include "core/session/intake.h"
#include "io/base/clock.h"

enum {
	BATCH_COUNT_MAX = 128,               /* one write of the log for so many; their answers are late by no more */
	BATCH_BYTES_MAX = 1024 * 1024,       /* a batch that holds so much, of mail or of what was made of it, goes */
	BATCH_ARENA_BYTES_MAX = 8 * 1024 * 1024, /* the last message's cache entry may be large */
	BATCH_KEYWORDS_MAX = 128,            /* of one message */
	BATCH_USER_BYTES_MAX = 1024,
};

/* One user's messages, in the order of their requests. */
struct batch {
	struct shard_pending pending;
	struct call_deliver_batch_in in;
	struct arena arena; /* names, keywords, cache entries */
	struct userid userid;
	char user[BATCH_USER_BYTES_MAX];
	size_t user_bytes;
	uint64_t bytes;
	size_t count;
	bool looked_up;
	struct deliver_in mail[BATCH_COUNT_MAX];
	struct call_deliver_batch_out out[BATCH_COUNT_MAX]; /* .err != RP_OK before the call: it was refused here */
	struct spool spool[BATCH_COUNT_MAX];
};

struct admin_deliver {
	struct conn *conn;
	struct batch *gathering;
	struct batch *under_way; /* lent to the home shard till it is joined; count == 0: none */
};

static struct batch *make_batch(void)
{
	struct batch *batch = calloc(1, sizeof(*batch));

	if (batch != NULL)
		arena_init(&batch->arena, BATCH_ARENA_BYTES_MAX);
	return batch;
}

struct admin_deliver *admin_deliver_open(struct conn *conn)
{
	struct admin_deliver *deliver = calloc(1, sizeof(*deliver));

	if (deliver == NULL)
		return NULL;
	deliver->conn = conn;
	deliver->gathering = make_batch();
	deliver->under_way = make_batch();
	if (deliver->gathering == NULL || deliver->under_way == NULL) {
		free(deliver->gathering);
		free(deliver->under_way);
		free(deliver);
		return NULL;
	}
	return deliver;
}

bool admin_deliver_idle(const struct admin_deliver *deliver)
{
	return deliver == NULL || (deliver->gathering->count == 0 && deliver->under_way->count == 0);
}

void admin_deliver_close(struct admin_deliver *deliver)
{
	if (deliver == NULL)
		return;
	RP_ASSERT(admin_deliver_idle(deliver));
	free(deliver->gathering);
	free(deliver->under_way);
	free(deliver);
}

/* ---- one message ---- */

static enum rp_err fill_keywords(const json_t *keywords, struct arena *arena, struct deliver_in *in)
{
	size_t count = json_array_size(keywords);
	struct bytes *words = arena_calloc(arena, count + 1, sizeof(*words));

	if (count > BATCH_KEYWORDS_MAX || words == NULL)
		return RP_ERR_LIMIT;
	for (size_t i = 0; i < count; i++) {
		const json_t *word = json_array_get(keywords, i);

		if (!json_is_string(word))
			return RP_ERR_SYNTAX;
		words[i] = arena_copy(arena, bytes_of(json_string_value(word), json_string_length(word)));
		if (words[i].p == NULL)
			return RP_ERR_LIMIT;
	}
	in->keywords = words;
	in->keywords_count = count;
	return RP_OK;
}

/* Flags, dates, keywords and the folder. */
static enum rp_err fill(struct task *task, const json_t *request, struct arena *arena, struct deliver_in *in)
{
	const json_t *seconds = json_object_get(request, "internaldate");
	struct bytes mailbox = admin_text_of(request, "mailbox");
	enum rp_err err = fill_keywords(json_object_get(request, "keywords"), arena, in);

	if (err == RP_OK && mailbox.n > 0) {
		mailbox = arena_copy(arena, mailbox);
		err = mailbox.p != NULL ? mailbox_name_decode(mailbox, arena, true, &in->mailbox) : RP_ERR_LIMIT;
	}
	in->create = json_is_true(json_object_get(request, "create"));
	in->flags = (uint32_t)json_integer_value(json_object_get(request, "flags")) &
		    (MAIL_ANSWERED | MAIL_FLAGGED | MAIL_DELETED | MAIL_SEEN | MAIL_DRAFT);
	in->internaldate.seconds = json_is_integer(seconds)
	    ? json_integer_value(seconds)
	    : (int64_t)(loop_wall_ns(task_loop(task)) / CLOCK_NS_PER_S);
	in->internaldate.zone_min = (int16_t)json_integer_value(json_object_get(request, "zone"));
	return err;
}

static enum rp_err answer_under_way(struct task *task, struct admin_deliver *deliver);

/* The mail that follows a request's line. It is read to its end whatever happens, or the next request could not be found. */
static enum rp_err read_mail(struct task *task, struct admin_deliver *deliver, uint64_t bytes, struct intake *intake,
    enum rp_err *failed)
{
	while (bytes > 0) {
		struct bytes in = conn_input(deliver->conn);

		if (in.n == 0) {
			/* Who waits for an answer before he goes on gets it. */
			enum rp_err err = answer_under_way(task, deliver);

			if (err == RP_OK)
				err = conn_wait_input(task, deliver->conn, 0);
			if (err != RP_OK)
				return err;
			continue;
		}
		if (in.n > bytes)
			in.n = (size_t)bytes;
		if (*failed == RP_OK)
			*failed = intake_write(task, intake, in);
		conn_take(deliver->conn, in.n);
		bytes -= in.n;
	}
	return RP_OK;
}

static enum rp_err finish_mail(
    struct task *task, struct batch *batch, struct intake *intake, struct deliver_in *in, struct spool *spool)
{
	struct append append = { 0 };
	enum rp_err err = intake_finish(task, intake, &append);

	if (err == RP_OK)
		err = spool_finish(task, spool);
	in->sent = append.sent;
	/* No room for it: it is made at first use. */
	if (append.cache_entry.n > 0)
		in->cache_entry = arena_copy(&batch->arena, append.cache_entry);
	if (in->cache_entry.p == NULL)
		in->cache_entry = bytes_of(NULL, 0);
	return err;
}

/* ---- batches ---- */

static bool is_full(const struct batch *batch)
{
	return batch->count == BATCH_COUNT_MAX || batch->bytes >= BATCH_BYTES_MAX ||
	       batch->arena.bytes_held >= BATCH_BYTES_MAX;
}

static bool is_for(const struct batch *batch, struct bytes user)
{
	return batch->looked_up && bytes_eq(bytes_of(batch->user, batch->user_bytes), user);
}

/* The first message's user is the batch's: asked for once. */
static enum rp_err look_up(struct task *task, struct shard *shard, struct batch *batch, struct bytes user)
{
	if (user.n > sizeof(batch->user))
		return RP_ERR_NOTFOUND;
	enum rp_err err = admin_lookup(task, shard, user, &batch->userid);

	if (err != RP_OK)
		return err;
	memcpy(batch->user, user.p, user.n);
	batch->user_bytes = user.n;
	batch->looked_up = true;
	return RP_OK;
}

static void empty(struct task *task, struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		spool_fini(task, &batch->spool[i]);
	arena_fini(&batch->arena);
	batch->bytes = 0;
	batch->count = 0;
	batch->looked_up = false;
}

static void answer(struct conn *conn, const struct call_deliver_batch_out *out)
{
	if (out->err == RP_OK)
		admin_say(conn, json_pack("{s:I, s:I, s:i}", "uid", (json_int_t)out->mail.uid, "uidvalidity",
					(json_int_t)out->mail.uidvalidity, "code", 0));
	else
		admin_say_err(conn, out->err, out->err == RP_ERR_NOTFOUND ? "no such user" : "not delivered");
}

static enum rp_err answer_under_way(struct task *task, struct admin_deliver *deliver)
{
	struct batch *batch = deliver->under_way;

	if (batch->count == 0)
		return RP_OK;
	enum rp_err err = batch->looked_up ? shard_join(task, &batch->pending) : RP_OK;

	for (size_t i = 0; i < batch->count && err != RP_ERR_CANCELED; i++) {
		if (err != RP_OK && batch->out[i].err == RP_OK)
			batch->out[i].err = err;
		answer(deliver->conn, &batch->out[i]);
	}
	empty(task, batch);
	return err == RP_ERR_CANCELED ? err : conn_flush(task, deliver->conn, CONN_OUT_BYTES_HIGH);
}

/* What has gathered goes to the user's home shard; what is under way is answered before. */
static enum rp_err start_gathered(struct task *task, struct admin_deliver *deliver)
{
	struct batch *batch = deliver->gathering;
	struct shard *shard = deliver->conn->shard;
	enum rp_err err = answer_under_way(task, deliver);

	if (err != RP_OK)
		return err;
	deliver->gathering = deliver->under_way;
	deliver->under_way = batch;
	batch->in = (struct call_deliver_batch_in){ batch->userid, batch->mail, batch->count };
	if (batch->looked_up)
		shard_start(task, &batch->pending, userid_shard(&batch->userid, shard->count), CALL_DELIVER_BATCH, &batch->in,
			batch->out);
	return RP_OK;
}

enum rp_err admin_deliver_push(struct task *task, struct admin_deliver *deliver)
{
	return deliver->gathering->count > 0 ? start_gathered(task, deliver) : answer_under_way(task, deliver);
}

enum rp_err admin_deliver_take(struct task *task, struct admin_deliver *deliver, const json_t *request)
{
	struct shard *shard = deliver->conn->shard;
	struct bytes user = admin_text_of(request, "user");
	uint64_t bytes = (uint64_t)json_integer_value(json_object_get(request, "bytes"));
	struct intake intake = { 0 };
	enum rp_err err = RP_OK;

	if (is_full(deliver->gathering) || (deliver->gathering->count > 0 && !is_for(deliver->gathering, user)))
		err = start_gathered(task, deliver);
	if (err != RP_OK)
		return err;
	struct batch *batch = deliver->gathering;
	struct deliver_in *in = &batch->mail[batch->count];
	struct spool *spool = &batch->spool[batch->count];
	struct call_deliver_batch_out *out = &batch->out[batch->count];

	*in = (struct deliver_in){ .spool = spool };
	*out = (struct call_deliver_batch_out){ .err = RP_OK };
	spool_init(spool);
	spool_asks(spool, spool_has_room, shard->store);
	batch->count++;
	if (!is_for(batch, user))
		out->err = look_up(task, shard, batch, user);
	in->userid = batch->userid;
	if (out->err == RP_OK)
		out->err = fill(task, request, &batch->arena, in);
	if (out->err == RP_OK)
		out->err = intake_begin(&intake, shard->config->appendlimit_bytes, spool_sink, spool);
	err = read_mail(task, deliver, bytes, &intake, &out->err);
	if (err == RP_ERR_END)
		out->err = err; /* cut short; those before it came whole and are carried out */
	if (out->err == RP_OK)
		out->err = finish_mail(task, batch, &intake, in, spool);
	intake_end(&intake);
	batch->bytes += spool->bytes;
	return err == RP_ERR_END ? RP_OK : err;
}

void admin_deliver_abandon(struct task *task, struct admin_deliver *deliver)
{
	if (deliver == NULL)
		return;
	if (deliver->under_way->count > 0 && deliver->under_way->looked_up)
		(void)!shard_join(task, &deliver->under_way->pending);
	empty(task, deliver->under_way);
	empty(task, deliver->gathering);
}
