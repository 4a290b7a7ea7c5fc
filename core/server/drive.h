/* drive.h -- IMAP on a connection: frame -> command -> answer, and again while a whole command is there.
 *
 *            bytes              whole command                 answer
 *   (idle) --------> FRAMING -----------------> RUNNING -----------------> FRAMING
 *                      |  ^                        |  IDLE                    (no more: idle, no task)
 *        not wanted    |  | its end                v
 *                      v  |                     IDLING --DONE--> FRAMING
 *                    DROPPING
 *
 * What a command wants of its connection it leaves as a wish in the session; it is fulfilled here.
 */
#ifndef RP_CORE_SERVER_DRIVE_H
#define RP_CORE_SERVER_DRIVE_H

#include "core/imap/frame.h"
#include "core/server/conn.h"

enum {
	DRIVE_READ_LINE_BYTES_MAX = 12 * 1024, /* a SASL line */
};

/* A connection's IMAP state. */
struct drive {
	struct conn *conn; /* first: conn_open() puts it here */
	struct session session;
	struct frame frame;
	bool framing;     /* frame has seen the beginning of the next command */
	bool dropping;    /* the rest of a command that is not wanted is being thrown away */
	bool bye_said;
	bool user_gone;   /* the user has been deleted: BYE as soon as no command is under way */
	bool user_counted; /* in the books of its user and address (user_table) */
	uint64_t login_deadline_ns;
	uint64_t asked_ns; /* CLOCK_MONOTONIC: the auth process was asked then, or later, about this login */
	uint64_t still_here_ns; /* IDLE was last told then */
};

extern const struct conn_driver drive_imap;

/* State for conn_open(). NULL: no memory. */
struct drive *drive_new(struct shard *shard, const struct config_listen *listen);

/* Of one that never got a connection. */
void drive_free(struct drive *drive);

/* Say BYE with this text, and end. Outside any task, or in the connection's own. */
void drive_bye(struct drive *drive, const char *code, const char *text);

/* The user has been deleted. As drive_bye(). */
void drive_say_user_gone(struct drive *drive);

/* handoff: on the home shard, when the volume is open or is not: go on. */
struct drive *drive_of(const struct conn *conn);

#endif
