#include "core/auth/authd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/auth/authd_pool.h"
#include "core/auth/authd_privilege.h"
#include "core/auth/authd_wire.h"
#include "core/auth/userfile.h"
#include "io/base/log.h"

enum {
	LINKS_MAX = 1024, /* one a shard, and those of a server that is going */
	MESSAGES_PER_TURN =
	    16, /* from one link, so that one busy shard does not starve the others */
	LOG_RING_BYTES = 64 * 1024,
	LINK_BUFFER_BYTES =
	    1024 * 1024, /* room for the answers to all that a shard may have asked */
	EXIT_OK = 0,
	EXIT_FAILED = 1,
};

/* The way to one shard. */
struct authd_link {
	struct list link; /* in authd.links */
	int fd;           /* -1: the other end has closed; gone when its jobs are */
	size_t jobs_count;
};

struct authd {
	int supervisor_fd;
	int wake_fd;
	bool ended;
	int status; /* of the process, once ended */
	struct log *log;
	struct authd_wire_settings *settings; /* NULL: none have come yet */
	struct authd_pool *pool;
	struct userdb *db;    /* NULL: there is no good one yet */
	struct userfile file; /* what db was read from, without its bytes */
	struct hash_key key;
	struct list links;
	size_t links_count;
	char fault[AUTHD_WIRE_TEXT_BYTES_MAX]; /* why the last reading failed */
	char logged[AUTHD_WIRE_TEXT_BYTES_MAX]; /* the fault that the log has: each shard asks, and each login */
	struct pollfd polls[2 + LINKS_MAX];    /* supervisor, wake_fd, links */
	struct authd_link *polled[LINKS_MAX];
	uint8_t message[AUTHD_WIRE_BYTES_MAX + 1];
};

/* ---- the user database ---- */

/* Read the file if it has changed. False: it is not good; the old one stays in use. */
static bool reload(struct authd *authd)
{
	struct userfile file;
	struct userdb *db;
	struct userdb_fault fault = {0, ""};
	const char *path = authd->settings->passwd;

	if (authd->db != NULL && userfile_is_current(path, &authd->file))
		return true;
	enum rp_err err = userfile_read(path, &file);

	if (err != RP_OK) {
		snprintf(authd->fault, sizeof(authd->fault), "%s: cannot be read: %s%s", path,
		    err_name(err),
		    err == RP_ERR_NOTFOUND ? "; `ringpost user add NAME` makes it" : "");
	} else {
		err = userdb_open(bytes_of(file.p, file.n), authd->key, &db, &fault);
		if (err != RP_OK)
			snprintf(authd->fault, sizeof(authd->fault), "%s:%zu: %s", path, fault.line,
			    err == RP_ERR_NOMEM ? "not enough memory" : fault.what);
		userfile_free(&(struct userfile){.p = file.p, .n = file.n});
	}
	if (err != RP_OK) {
		if (strcmp(authd->logged, authd->fault) != 0)
			LOG(authd->log, LOG_ERROR, "auth.userdb_bad",
			    LOG_STR("reason", authd->fault));
		memcpy(authd->logged, authd->fault, sizeof(authd->logged));
		return false;
	}
	authd->logged[0] = '\0';
	userdb_close(authd->db);
	authd->db = db;
	authd->file = file;
	authd->file.p = NULL;
	LOG(authd->log, LOG_INFO, "auth.userdb_read", LOG_U64("users", userdb_count(db)));
	return true;
}

static bool domain_is_ours(const void *arg, struct bytes domain)
{
	const struct authd_wire_list *domains = arg;

	return domains->count == 0 || authd_wire_list_has(domains, domain);
}

static const struct userdb_user *resolve(
    const struct authd *authd, struct bytes name, uint32_t *flags)
{
	bool without_detail = false;
	const struct userdb_user *user = userdb_resolve(
	    authd->db, name, domain_is_ours, &authd->settings->domains, &without_detail);

	if (without_detail)
		*flags |= AUTH_WIRE_WITHOUT_DETAIL;
	return user;
}

/* ---- answers ---- */

static void send_answer(
    struct authd *authd, struct authd_link *link, const struct auth_wire_answer *answer)
{
	uint8_t message[AUTH_WIRE_ANSWER_BYTES_MAX];
	size_t n = auth_wire_put_answer(answer, message);

	if (link->fd < 0)
		return;
	/* A shard that does not read its answers gets none; it gives up on them by its own clock.
	 */
	if (send(link->fd, message, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		LOG(authd->log, LOG_WARN, "auth.answer_lost", LOG_U64("errno", (uint64_t)errno));
}

static void answer_plain(
    struct authd *authd, struct authd_link *link, uint64_t id, enum auth_wire_result result)
{
	send_answer(authd, link, &(struct auth_wire_answer){.id = id, .result = result});
}

static void log_failure(struct authd *authd, struct bytes name, const uint8_t peer[16],
    struct bytes service, const char *reason)
{
	static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff};
	char ip[INET6_ADDRSTRLEN] = "";

	if (memcmp(peer, v4, sizeof(v4)) == 0)
		inet_ntop(AF_INET, peer + 12, ip, sizeof(ip));
	else
		inet_ntop(AF_INET6, peer, ip, sizeof(ip));
	LOG(authd->log, LOG_WARN, "auth.fail", LOG_BYTES("user", name), LOG_STR("src_ip", ip),
	    LOG_BYTES("service", service), LOG_STR("reason", reason));
}

/* ---- requests ---- */

/* What is to be said if the password is right. */
static void decide(const struct authd *authd, const struct auth_wire_request *request,
    const struct userdb_user *user, struct authd_job *job)
{
	const struct userdb_user *target = user;
	struct auth_wire_answer *answer = &job->answer;
	uint32_t flags = 0;

	*answer = (struct auth_wire_answer){.id = request->id, .result = AUTH_WIRE_WRONG};
	job->reason = user == NULL ? "unknown" : "locked";
	if (user == NULL || password_scheme_of(user->hash) == PASSWORD_LOCKED)
		return;
	if (request->authzid.n > 0)
		target = resolve(authd, request->authzid, &flags);
	if (target != user) {
		answer->result = AUTH_WIRE_MAY_NOT;
		job->reason = "may_not";
		if (target == NULL || !authd_wire_list_has(&authd->settings->masters, user->name))
			return;
		flags |= AUTH_WIRE_MASTER;
	}
	job->reason = NULL;
	answer->result = AUTH_WIRE_OK;
	answer->flags = flags;
	answer->userid = target->userid;
	memcpy(job->user, target->name.p, target->name.n);
	answer->name = bytes_of(job->user, target->name.n);
}

static size_t copy_in(uint8_t *room, struct bytes b)
{
	if (b.n > 0)
		memcpy(room, b.p, b.n);
	return b.n;
}

static void verify(
    struct authd *authd, struct authd_link *link, const struct auth_wire_request *request)
{
	struct authd_job *job = authd_pool_take(authd->pool);
	uint32_t flags = 0;

	if (job == NULL) {
		log_failure(authd, request->name, request->peer, request->service, "busy");
		answer_plain(authd, link, request->id, AUTH_WIRE_UNAVAILABLE);
		return;
	}
	const struct userdb_user *user = resolve(authd, request->name, &flags);

	decide(authd, request, user, job);
	job->hash_n = copy_in(job->hash, job->answer.result == AUTH_WIRE_WRONG
	                                     ? userdb_decoy(authd->db, request->name)
	                                     : user->hash);
	job->password_n = copy_in(job->password, request->password);
	job->name_n = copy_in(job->name, request->name);
	job->service_n = copy_in(job->service, request->service);
	memcpy(job->peer, request->peer, sizeof(job->peer));
	job->from = link;
	link->jobs_count++;
	authd_pool_put(authd->pool, job);
}

static void look_up(
    struct authd *authd, struct authd_link *link, const struct auth_wire_request *request)
{
	struct auth_wire_answer answer = {.id = request->id, .result = AUTH_WIRE_NOBODY};
	const struct userdb_user *user = resolve(authd, request->name, &answer.flags);

	if (user != NULL) {
		answer.result = AUTH_WIRE_OK;
		answer.userid = user->userid;
		answer.name = user->name;
	}
	send_answer(authd, link, &answer);
}

static void serve_request(struct authd *authd, struct authd_link *link, struct bytes message)
{
	struct auth_wire_request request;

	if (auth_wire_get_request(message, &request) != RP_OK) {
		LOG(authd->log, LOG_ERROR, "auth.bad_request", LOG_U64("bytes", message.n));
		return;
	}
	if (request.kind == AUTH_WIRE_RELOAD)
		answer_plain(
		    authd, link, request.id, reload(authd) ? AUTH_WIRE_OK : AUTH_WIRE_UNAVAILABLE);
	else if (authd->db == NULL)
		answer_plain(authd, link, request.id, AUTH_WIRE_UNAVAILABLE);
	else if (request.kind == AUTH_WIRE_VERIFY)
		verify(authd, link, &request);
	else
		look_up(authd, link, &request);
}

static void finish_jobs(struct authd *authd)
{
	uint64_t count;
	ssize_t n = read(authd->wake_fd, &count, sizeof(count));

	(void)n; /* only clears it */
	for (struct authd_job *job; (job = authd_pool_next_done(authd->pool)) != NULL;) {
		struct auth_wire_answer *answer = &job->answer;
		uint64_t id = answer->id;

		if (job->verdict == PASSWORD_FAILED) {
			*answer =
			    (struct auth_wire_answer){.id = id, .result = AUTH_WIRE_UNAVAILABLE};
			job->reason = "hash_failed";
		} else if (job->verdict == PASSWORD_WRONG && answer->result != AUTH_WIRE_WRONG) {
			*answer = (struct auth_wire_answer){.id = id, .result = AUTH_WIRE_WRONG};
			job->reason = "password";
		}
		if (answer->result != AUTH_WIRE_OK)
			log_failure(authd, bytes_of(job->name, job->name_n), job->peer,
			    bytes_of(job->service, job->service_n), job->reason);
		send_answer(authd, job->from, answer);
		job->from->jobs_count--;
		authd_pool_give(authd->pool, job);
	}
}

/* ---- links ---- */

static void drop_link(struct authd *authd, struct authd_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
	if (link->jobs_count > 0)
		return; /* a thread is busy for it; asked again at the next turn */
	list_del(&link->link);
	free(link);
	authd->links_count--;
}

static void add_link(struct authd *authd, int fd)
{
	int bytes = LINK_BUFFER_BYTES;
	struct authd_link *link = authd->links_count < LINKS_MAX ? calloc(1, sizeof(*link)) : NULL;

	if (link == NULL) {
		LOG(authd->log, LOG_ERROR, "auth.link_refused",
		    LOG_U64("links", authd->links_count));
		close(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)); /* less does, only worse */
	link->fd = fd;
	list_push_back(&authd->links, &link->link);
	authd->links_count++;
}

static void read_link(struct authd *authd, struct authd_link *link)
{
	for (int i = 0; i < MESSAGES_PER_TURN; i++) {
		ssize_t n = recv(
		    link->fd, authd->message, sizeof(authd->message), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			drop_link(authd, link);
			return;
		}
		if ((size_t)n > sizeof(authd->message))
			n = sizeof(authd->message); /* too long to be a request; told so there */
		serve_request(authd, link, bytes_of(authd->message, (size_t)n));
		bytes_wipe(authd->message, (size_t)n);
	}
}

/* ---- the supervisor ---- */

static void send_status(struct authd *authd, bool ready)
{
	struct authd_wire_status status = {
	    .ready = ready,
	    .users = authd->db != NULL ? userdb_count(authd->db) : 0,
	};

	if (!ready)
		snprintf(status.text, sizeof(status.text), "%s", authd->fault);
	struct bytes message = authd_wire_put_status(&status);

	if (message.p != NULL)
		(void)!send(authd->supervisor_fd, message.p, message.n, MSG_NOSIGNAL);
	authd_wire_free(message);
}

static bool start_pool(struct authd *authd)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned threads = authd->settings->threads;
	unsigned queue = authd->settings->queue;

	if (threads == 0)
		threads = cores < 1                        ? 1
		          : cores > AUTHD_WIRE_THREADS_MAX ? AUTHD_WIRE_THREADS_MAX
		                                           : (unsigned)cores;
	authd->pool =
	    authd_pool_open(threads, queue != 0 ? queue : AUTHD_WIRE_QUEUE_DEFAULT, authd->wake_fd);
	if (authd->pool == NULL)
		snprintf(authd->fault, sizeof(authd->fault), "cannot start %u threads", threads);
	return authd->pool != NULL;
}

/* The first settings decide what cannot change later: privilege and the pool's size. */
static bool take_settings(struct authd *authd, struct bytes message)
{
	struct authd_wire_settings *settings;

	if (authd_wire_get_settings(message, &settings, authd->fault) != RP_OK) {
		LOG(authd->log, LOG_ERROR, "auth.bad_settings", LOG_STR("reason", authd->fault));
		return false;
	}
	authd_wire_free_settings(authd->settings);
	authd->settings = settings;
	log_set(authd->log, settings->log_level, settings->log_format);
	if (authd->pool == NULL) {
		if (authd_privilege_drop(settings->uid, settings->gid) != RP_OK) {
			snprintf(authd->fault, sizeof(authd->fault),
			    "cannot become user %u, group %u", settings->uid, settings->gid);
			authd->ended = true;
			authd->status = EXIT_FAILED;
			return false;
		}
		if (!start_pool(authd))
			return false;
	}
	/* The path may be another one now, with a file that looks like the old one's. */
	authd->file = (struct userfile){0};
	return reload(authd);
}

static void take_descriptors(struct authd *authd, struct msghdr *header)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			add_link(authd, fd);
		}
	}
}

static void read_supervisor(struct authd *authd)
{
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(AUTHD_WIRE_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {authd->message, sizeof(authd->message)};
	struct msghdr header = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(authd->supervisor_fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		authd->ended = true;
		return;
	}
	take_descriptors(authd, &header);
	send_status(authd, take_settings(authd, bytes_of(authd->message, (size_t)n)));
}

/* ---- the loop ---- */

static void turn(struct authd *authd)
{
	struct pollfd *polls = authd->polls;
	nfds_t count = 2, links_count = 0;

	LIST_FOR_EACH_SAFE (l, &authd->links) {
		struct authd_link *link = RP_CONTAINER_OF(l, struct authd_link, link);

		if (link->fd < 0) {
			drop_link(authd, link);
			continue;
		}
		authd->polled[links_count++] = link;
		polls[count++] = (struct pollfd){link->fd, POLLIN, 0};
	}
	polls[0] = (struct pollfd){authd->supervisor_fd, POLLIN, 0};
	polls[1] = (struct pollfd){authd->wake_fd, POLLIN, 0};
	log_flush_fd(authd->log, STDERR_FILENO);
	if (poll(polls, count, -1) < 0)
		return; /* EINTR; nothing else can be wrong with it */
	/* What is finished first: it makes room for what comes. */
	if (polls[1].revents != 0 && authd->pool != NULL)
		finish_jobs(authd);
	for (nfds_t i = 0; i < links_count; i++)
		if (polls[2 + i].revents != 0)
			read_link(authd, authd->polled[i]);
	if (polls[0].revents != 0)
		read_supervisor(authd);
}

int authd_run(int supervisor_fd)
{
	struct authd *authd = calloc(1, sizeof(*authd));

	if (authd == NULL)
		return EXIT_FAILED;
	list_init(&authd->links);
	authd->supervisor_fd = supervisor_fd;
	authd->log = log_open(NULL, 0, LOG_RING_BYTES);
	authd->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int status = EXIT_FAILED;

	if (authd->log != NULL && authd->wake_fd >= 0 &&
	    getrandom(&authd->key, sizeof(authd->key), 0) == sizeof(authd->key)) {
		while (!authd->ended)
			turn(authd);
		status = authd->status;
	}
	authd_pool_close(authd->pool);
	LIST_FOR_EACH_SAFE (l, &authd->links) {
		struct authd_link *link = RP_CONTAINER_OF(l, struct authd_link, link);

		link->jobs_count = 0;
		drop_link(authd, link);
	}
	userdb_close(authd->db);
	authd_wire_free_settings(authd->settings);
	if (authd->log != NULL)
		log_flush_fd(authd->log, STDERR_FILENO);
	log_close(authd->log);
	if (authd->wake_fd >= 0)
		close(authd->wake_fd);
	free(authd);
	return status;
}
