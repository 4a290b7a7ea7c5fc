#include "core/server/auth_link.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

#include "core/auth/auth.h"
#include "core/server/admission.h"
#include "core/server/calls.h"
#include "core/server/drive.h"
#include "io/base/clock.h"
#include "io/base/seldom.h"
#include "io/timer.h"

enum { AUTH_LINK_TICK_MS = 500 };

static const uint64_t UNANSWERED_AGAIN_NS = 60 * CLOCK_NS_PER_S; /* a name is told of in the log */

/* A message on its way out. */
struct auth_message {
	struct list link;
	size_t n;
	uint8_t p[];
};

struct auth_link {
	struct shard *shard;
	struct net *net; /* NULL: the auth process is away */
	struct net *next; /* the socket after that one, which has not quite gone yet; NULL: none */
	bool losing;      /* it has not: its messages are still the kernel's */
	bool ended;       /* nobody needs the link any more */
	struct auth auth;
	struct list unsent; /* struct auth_message; the first one is in flight */
	struct task_queue away; /* they wait for the auth process itself */
	size_t away_count; /* AUTH_REQUESTS_MAX at most */
	struct timer timer;
	struct seldom unanswered; /* the names that the log has been told of */
};

/* A task that waits for an answer; lies on its stack. */
struct auth_waiter {
	struct task_queue queue;
	struct bytes user; /* whom it asks for */
	bool answered;
	enum rp_err err;
	struct auth_wire_answer answer;
	uint8_t *name;
};

static void on_recv(void *arg, enum rp_err err, struct bytes in);

/* The client is told to come again; the log is told why. */
static enum rp_err unanswered(struct auth_link *link, struct bytes name, const char *reason)
{
	if (seldom_is_due(&link->unanswered, XXH3_64bits(name.p, name.n), loop_now_ns(link->shard->loop), UNANSWERED_AGAIN_NS))
		LOG(link->shard->log, LOG_WARN, "auth.unanswered", LOG_BYTES("user", name), LOG_STR("reason", reason));
	return RP_ERR_UNAVAILABLE;
}

static void wake(struct auth_waiter *waiter, enum rp_err err)
{
	waiter->answered = true;
	waiter->err = err;
	task_queue_wake_all(&waiter->queue);
}

static void drop_unsent(struct auth_link *link)
{
	struct list *l;

	while ((l = list_pop_front(&link->unsent)) != NULL) {
		struct auth_message *message = RP_CONTAINER_OF(l, struct auth_message, link);

		bytes_wipe(message->p, message->n);
		free(message);
	}
}

static void begin(struct auth_link *link)
{
	link->net = link->next;
	link->next = NULL;
	if (link->net == NULL)
		return;
	net_recv(link->net, on_recv, link);
	task_queue_wake_all(&link->away);
}

static void forget(struct auth_link *link)
{
	drop_unsent(link);
	auth_fini(&link->auth);
	free(link);
}

static void on_net_closed(void *arg)
{
	struct auth_link *link = arg;

	link->losing = false;
	if (link->ended) {
		forget(link);
		return;
	}
	drop_unsent(link);
	begin(link);
}

/* Let go of the socket: who waits for an answer gets none. */
static void let_go(struct auth_link *link)
{
	struct net *net = link->net;
	struct auth_waiter *waiter;

	link->net = NULL;
	while ((waiter = auth_next_lost(&link->auth)) != NULL)
		wake(waiter, unanswered(link, waiter->user, "lost"));
	if (net == NULL)
		return;
	link->losing = true;
	net_close(net, on_net_closed, link);
}

/* The socket has ended: nobody will answer. The supervisor sends a new pair. */
static void lose(struct auth_link *link)
{
	if (link->net != NULL)
		LOG(link->shard->log, LOG_WARN, "auth.lost");
	let_go(link);
}

static void on_sent(void *arg, enum rp_err err);

static void send_next(struct auth_link *link)
{
	if (link->net == NULL || list_empty(&link->unsent) || net_send_armed(link->net))
		return;
	struct auth_message *message = RP_CONTAINER_OF(link->unsent.next, struct auth_message, link);

	net_send(link->net, bytes_of(message->p, message->n), on_sent, link);
}

static void on_sent(void *arg, enum rp_err err)
{
	struct auth_link *link = arg;
	struct list *l = list_pop_front(&link->unsent);
	struct auth_message *message = RP_CONTAINER_OF(l, struct auth_message, link);

	bytes_wipe(message->p, message->n);
	free(message);
	if (err != RP_OK)
		lose(link);
	else
		send_next(link);
}

static void on_recv(void *arg, enum rp_err err, struct bytes in)
{
	struct auth_link *link = arg;
	struct auth_wire_answer answer;
	void *found;

	if (err != RP_OK || in.n == 0) {
		lose(link);
		return;
	}
	if (auth_answer(&link->auth, in, loop_now_ns(link->shard->loop), &found, &answer) == RP_OK) {
		struct auth_waiter *waiter = found;

		memcpy(waiter->name, answer.name.p, answer.name.n);
		waiter->answer = answer;
		waiter->answer.name = bytes_of(waiter->name, answer.name.n);
		wake(waiter, RP_OK);
	}
	net_recv(link->net, on_recv, link);
}

static void on_timer(struct timer *timer)
{
	struct auth_link *link = RP_CONTAINER_OF(timer, struct auth_link, timer);
	struct auth_waiter *waiter;

	while ((waiter = auth_next_late(&link->auth, loop_now_ns(link->shard->loop))) != NULL)
		wake(waiter, unanswered(link, waiter->user, "late"));
	timer_set(link->shard->loop, timer, AUTH_LINK_TICK_MS * CLOCK_NS_PER_MS);
}

/* From now on, or from when the last socket has gone. */
static void connect_fd(struct auth_link *link, int fd)
{
	if (link->next != NULL)
		net_close(link->next, NULL, NULL);
	if (net_adopt(link->shard->loop, fd, &link->next) != RP_OK) {
		link->next = NULL;
		LOG(link->shard->log, LOG_ERROR, "auth.adopt_failed");
	}
	if (!link->losing)
		begin(link);
}

enum rp_err auth_link_open(struct shard *shard, int fd, uint64_t keep_ms, struct auth_link **out)
{
	struct auth_link *link = calloc(1, sizeof(*link));
	struct hash_key key[2];

	if (link == NULL)
		return RP_ERR_NOMEM;
	link->shard = shard;
	list_init(&link->unsent);
	task_queue_init(&link->away);
	loop_random(shard->loop, key, sizeof(key));
	auth_init(&link->auth, key, keep_ms * CLOCK_NS_PER_MS);
	timer_init(&link->timer, on_timer);
	timer_set(shard->loop, &link->timer, AUTH_LINK_TICK_MS * CLOCK_NS_PER_MS);
	connect_fd(link, fd);
	*out = link;
	return RP_OK;
}

void auth_link_close(struct auth_link *link)
{
	if (link == NULL)
		return;
	timer_clear(&link->timer);
	if (link->next != NULL)
		net_close(link->next, NULL, NULL);
	link->next = NULL;
	link->ended = true;
	task_queue_wake_all(&link->away);
	let_go(link);
	if (!link->losing)
		forget(link);
}

void auth_link_renew(struct auth_link *link, int fd)
{
	lose(link);
	auth_changed(&link->auth);
	connect_fd(link, fd);
}

void auth_link_changed(struct auth_link *link)
{
	auth_changed(&link->auth);
}

static enum rp_err queue_message(struct auth_link *link, const uint8_t *p, size_t n)
{
	struct auth_message *message = malloc(sizeof(*message) + n);

	if (message == NULL)
		return RP_ERR_NOMEM;
	message->n = n;
	memcpy(message->p, p, n);
	list_push_back(&link->unsent, &message->link);
	send_next(link);
	return RP_OK;
}

/* It has ended and is started again, or has just begun: till it can be asked, as long as an answer may take. */
static enum rp_err wait_for_process(struct task *task, struct auth_link *link, struct bytes name)
{
	struct shard *shard = link->shard;
	uint64_t until_ns = loop_now_ns(shard->loop) + AUTH_TIMEOUT_S * CLOCK_NS_PER_S;

	while (link->net == NULL) {
		uint64_t now_ns = loop_now_ns(shard->loop);

		if (now_ns >= until_ns)
			return unanswered(link, name, "away");
		if (link->away_count == AUTH_REQUESTS_MAX)
			return unanswered(link, name, "full");
		link->away_count++;
		enum rp_err err = task_queue_wait_ns(task, &link->away, until_ns - now_ns);

		if (shard->auth != link)
			return RP_ERR_UNAVAILABLE; /* the shard stops; the link may be gone */
		link->away_count--;
		if (err != RP_OK && err != RP_ERR_END)
			return err;
	}
	return RP_OK;
}

enum rp_err auth_link_ask(struct task *task, struct auth_link *link,
    const struct auth_wire_request *request, struct auth_wire_answer *answer, uint8_t name[AUTH_WIRE_NAME_BYTES_MAX])
{
	struct auth_waiter waiter = { .name = name, .user = request->name };
	uint8_t message[AUTH_WIRE_REQUEST_BYTES_MAX];
	size_t n = 0;
	uint64_t id = 0;
	struct auth_wire_answer known;
	enum rp_err err = wait_for_process(task, link, request->name);

	if (err != RP_OK)
		return err;
	task_queue_init(&waiter.queue);
	switch (auth_ask(&link->auth, request, loop_now_ns(link->shard->loop), &waiter, message, &n, &id, &known)) {
	case AUTH_ASK_KNOWN:
		memcpy(name, known.name.p, known.name.n);
		*answer = known;
		answer->name = bytes_of(name, known.name.n);
		return RP_OK;
	case AUTH_ASK_FULL:
		return unanswered(link, request->name, "full");
	case AUTH_ASK_SEND:
		break;
	}
	err = queue_message(link, message, n);
	bytes_wipe(message, sizeof(message));
	while (err == RP_OK && !waiter.answered)
		err = task_queue_wait(task, &waiter.queue);
	if (!waiter.answered)
		auth_forget(&link->auth, id);
	if (err != RP_OK)
		return err;
	if (waiter.err == RP_OK)
		*answer = waiter.answer;
	return waiter.err;
}

/* ---- what sessions ask ---- */

/* The shard whose cache may know this login. */
static unsigned cache_shard(const struct shard *shard, struct bytes name)
{
	return (unsigned)(XXH3_64bits(name.p, name.n) % shard->count);
}

static enum rp_err err_of_result(enum auth_wire_result result)
{
	switch (result) {
	case AUTH_WIRE_OK:
		return RP_OK;
	case AUTH_WIRE_UNAVAILABLE:
		return RP_ERR_UNAVAILABLE;
	case AUTH_WIRE_MAY_NOT:
		return RP_ERR_CANNOT;
	default:
		return RP_ERR_DENIED;
	}
}

enum rp_err auth_link_still(
    struct task *task, struct shard *shard, struct bytes name, const struct userid *userid)
{
	struct auth_wire_request request = { .kind = AUTH_WIRE_LOOKUP, .name = name, .service = BYTES_LIT("imap") };
	struct call_auth_out out = { 0 };
	enum rp_err err = shard_call(task, cache_shard(shard, name), CALL_AUTH, &request, &out);

	if (err != RP_OK)
		return err;
	if (out.answer.result == AUTH_WIRE_UNAVAILABLE)
		return RP_ERR_UNAVAILABLE;
	return out.answer.result == AUTH_WIRE_OK && memcmp(userid->b, out.answer.userid.p, sizeof(userid->b)) == 0
		? RP_OK
		: RP_ERR_NOTFOUND;
}

enum rp_err auth_link_authenticate(struct task *task, struct session *session, struct bytes authzid,
    struct bytes name, struct bytes password, struct userid *userid, struct bytes *canonical)
{
	struct conn *conn = RP_CONTAINER_OF(session, struct drive, session)->conn;
	struct shard *shard = conn->shard;
	struct auth_wire_request request = {
		.kind = AUTH_WIRE_VERIFY,
		.name = name,
		.authzid = authzid,
		.password = password,
		.service = BYTES_LIT("imap"),
	};
	struct call_auth_out out = { 0 };
	uint64_t delay_ns = 0;
	char peer[48];
	bool possible = name.n > 0 && name.n <= AUTH_WIRE_NAME_BYTES_MAX && authzid.n <= AUTH_WIRE_NAME_BYTES_MAX &&
			password.n <= AUTH_WIRE_PASSWORD_BYTES_MAX && bytes_find(password, 0, 0) == password.n;
	enum rp_err err = admission_delay(task, shard, &conn->peer, false, &delay_ns);

	if (err == RP_OK && delay_ns > 0)
		err = task_sleep(task, delay_ns);
	if (err != RP_OK)
		return err;
	memcpy(request.peer, conn->peer.ip, sizeof(request.peer));
	drive_of(conn)->asked_ns = clock_monotonic_ns();
	if (possible) {
		err = shard_call(task, cache_shard(shard, name), CALL_AUTH, &request, &out);
		if (err == RP_OK)
			err = err_of_result(out.answer.result);
	} else {
		err = RP_ERR_DENIED;
	}
	if (err == RP_ERR_DENIED || err == RP_ERR_CANNOT) {
		stat_add(&shard->stats.logins_failed, 1);
		LOG(shard->log, LOG_WARN, "auth.fail", LOG_BYTES("user", name),
			LOG_BYTES("src_ip", conn_peer_text(conn, peer)),
			LOG_STR("reason", err == RP_ERR_CANNOT ? "authorization" : "credentials"));
		enum rp_err slow = admission_delay(task, shard, &conn->peer, true, &delay_ns);

		if (slow == RP_OK && delay_ns > 0)
			slow = task_sleep(task, delay_ns);
		return slow == RP_OK ? err : slow;
	}
	if (err != RP_OK)
		return err;
	static_assert(sizeof(userid->b) == sizeof(out.answer.userid.p), "the same id");
	memcpy(userid->b, out.answer.userid.p, sizeof(userid->b));
	*canonical = arena_copy(&session->arena, bytes_of(out.name, out.answer.name.n));
	return canonical->p != NULL ? RP_OK : RP_ERR_NOMEM;
}
