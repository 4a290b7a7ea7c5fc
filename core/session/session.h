/* session.h -- what a client sees of the server: its state, what it has enabled, and its limits.
 *
 * A session belongs to a connection (core/server/conn) and moves with it from the shard that accepted it to its user's
 * home shard. It knows neither socket nor TLS; what it wants of the connection it leaves as a wish.
 *
 *   NOT_AUTHENTICATED --LOGIN, AUTHENTICATE--> AUTHENTICATED --SELECT, EXAMINE--> SELECTED
 *            |                                   |   ^                               |
 *            |                                   |   +--CLOSE, UNSELECT, failed SELECT+
 *            +------------------ LOGOUT, BYE ----+-------> LOGOUT <------------------+
 *
 * AUTHENTICATED and SELECTED: volume is open, on this shard. SELECTED: selected is set.
 */
#ifndef RP_CORE_SESSION_SESSION_H
#define RP_CORE_SESSION_SESSION_H

#include "index/volume.h"
#include "io/base/arena.h"

struct charset_set;
struct selected;
struct session;
struct resp;

enum {
	SESSION_TAG_BYTES_MAX = 128,          /* as in core/imap/command.h */
	SESSION_ARENA_BYTES_MAX = 4 * 1024,   /* the login name and the selected mailbox's small state */
	SESSION_BAD_COMMANDS_MAX_GUEST = 10,  /* in a row: a stranger who tries the parser out */
	SESSION_BAD_COMMANDS_MAX_USER = 100,  /* in all: a client that is out of step with us */
};

enum session_state {
	SESSION_NOT_AUTHENTICATED,
	SESSION_AUTHENTICATED,
	SESSION_SELECTED,
	SESSION_LOGOUT,
};

/* What the session wants of its connection when the command has ended. */
enum session_wish {
	SESSION_WISH_NONE,
	SESSION_WISH_STARTTLS, /* after the tagged OK: drop what was received behind it, do the handshake */
	SESSION_WISH_ENTER,    /* who it is is known: take the connection to the user's home shard and answer there */
	SESSION_WISH_CLOSE,    /* send what there is, then close */
};

/* RFC 3501, 7162 ...: what ENABLE or use has switched on, for the life of the session. */
enum session_enabled {
	SESSION_CONDSTORE = 1 << 0,
};

/* Facts of this server that commands need: settings, and functions of higher floors that were handed down. One per
 * shard, read-only while sessions live. */
struct session_env {
	const char *server_name; /* in the greeting and ID */
	const char *version;
	uint64_t appendlimit_bytes;
	uint64_t search_cpu_ms;    /* of CPU that one SEARCH may use */
	bool tls_available;        /* a certificate is there: STARTTLS can be offered */
	bool plaintext_login;      /* LOGIN without TLS is allowed from loopback */
	struct store *store;       /* this shard's */
	const struct charset_set *charsets; /* this shard's, for SEARCH (core/mail/charset.h) */
	unsigned shards_count;

	/* Ask who this is (core/auth). password is wiped by the caller. RP_OK: *userid, and the canonical login name in arena
	 * memory. RP_ERR_DENIED: wrong name or password, RP_ERR_CANNOT: both are right, but authzid's mail is not for him; after
	 * the delay that is due. RP_ERR_UNAVAILABLE: cannot tell now; RP_ERR_LIMIT: too many attempts. */
	enum rp_err (*authenticate)(struct task *task, struct session *session, struct bytes authzid,
	    struct bytes name, struct bytes password, struct userid *userid, struct bytes *canonical);
	/* The same set of facts for every session of a user elsewhere: none needed yet. */
};

struct session {
	const struct session_env *env;
	enum session_state state;
	enum session_wish wish;
	unsigned enabled; /* enum session_enabled */
	bool tls;         /* the connection is encrypted now */
	bool loopback;    /* the peer is on this machine */
	const char *bye;  /* with SESSION_WISH_CLOSE: text of the BYE that is still to be sent; NULL: it was sent */

	struct arena arena;   /* lives as long as the connection */
	struct userid userid; /* from SESSION_WISH_ENTER on */
	struct bytes name;    /* canonical login name, in arena */
	struct volume *volume;
	struct selected *selected;
	struct selected *selected_room; /* selected.c's: memory for it, in arena, kept for the next SELECT */

	unsigned bad_commands; /* in a row before login, in all after */

	/* IDLE (RFC 2177): no task waits; the driver reads DONE and then answers this tag. .n == 0: not idling. */
	struct bytes idle_tag;
	uint8_t idle_tag_bytes[SESSION_TAG_BYTES_MAX];

	/* The tag that the home shard answers (SESSION_WISH_ENTER). */
	struct bytes enter_tag;
	uint8_t enter_tag_bytes[SESSION_TAG_BYTES_MAX];

	/* Something in the selected mailbox, or (IDLE in authenticated state) nothing, has changed: the owner looks. Set by the
	 * connection; called outside any task. */
	void (*wake)(struct session *session);
};

/* Not authenticated. arena_bytes_max: DESIGN section 7 (16 KiB before login in all). */
void session_init(struct session *session, const struct session_env *env);

/* Closes what is open. */
void session_fini(struct session *session);

/* On the home shard after SESSION_WISH_ENTER: open the volume. RP_OK: authenticated. */
RP_MUST_USE enum rp_err session_enter(
    struct task *task, struct session *session, const struct session_env *env);

/* A command was BAD. Too many: the session wishes its connection's end. */
void session_count_bad(struct session *session);

/* The stamp of what this session may be told now: the position of the last change to its volume; 0 before login. */
uint64_t session_position(const struct session *session);

#endif
