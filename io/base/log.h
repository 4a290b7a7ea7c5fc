/* log.h -- structured events: one line each, with a fixed event name and fixed field names.
 *
 *     LOG(log, LOG_WARN, "auth.fail", LOG_BYTES("user", name), LOG_STR("reason", "password"));
 *     2026-11-22T10:00:00.123Z warn auth.fail shard=1 user="sam" reason=password
 *
 * A log belongs to one thread (a shard, the auth process, the supervisor), which formats lines into
 * a bounded ring of bytes and never blocks: when the ring is full the event is dropped and counted,
 * and the count is logged as log.dropped when there is room. Another thread, or the same one, takes
 * the bytes out with log_take() and writes them; one reader. Values are escaped (bytes < 0x20, 0x7f,
 * >= 0x80, quotes and backslashes), so no name that a client chooses can forge a line; a line is
 * 1 KiB at most, longer values are cut and end in "...". Secrets never go in.
 */
#ifndef RP_IO_BASE_LOG_H
#define RP_IO_BASE_LOG_H

#include "io/base/bytes.h"

enum log_level {
	LOG_DEBUG,
	LOG_INFO,
	LOG_WARN,
	LOG_ERROR,
};

enum log_format {
	LOG_TEXT,
	LOG_JSON,
};

struct log_field {
	const char *name; /* static: lower case, digits, underscore */
	enum { LOG_FIELD_BYTES, LOG_FIELD_U64, LOG_FIELD_I64 } kind;
	union {
		struct bytes bytes;
		uint64_t u64;
		int64_t i64;
	};
};

#define LOG_BYTES(field, value)                                                                    \
	((struct log_field){ .name = (field), .kind = LOG_FIELD_BYTES, .bytes = (value) })
#define LOG_STR(field, value) LOG_BYTES(field, bytes_of_str(value))
#define LOG_U64(field, value)                                                                      \
	((struct log_field){ .name = (field), .kind = LOG_FIELD_U64, .u64 = (value) })
#define LOG_I64(field, value)                                                                      \
	((struct log_field){ .name = (field), .kind = LOG_FIELD_I64, .i64 = (value) })

/* log may be NULL: nothing is done. Fields follow the event's name; there may be none. */
#define LOG(log, level, event, ...)                                                                \
	log_event((log), (level), (event), (const struct log_field[]){ { 0 }, ##__VA_ARGS__ } + 1, \
	    sizeof((const struct log_field[]){ { 0 }, ##__VA_ARGS__ }) /                           \
		    sizeof(struct log_field) -                                                     \
		1)

struct log;

/* name and number are in each line ("shard", 1); name NULL: no such field. ring_bytes: a power of
 * two, at least 4 KiB. NULL: no memory. */
struct log *log_open(const char *name, unsigned number, size_t ring_bytes);
void log_close(struct log *log);

/* What is below the level is not formatted at all. Default LOG_INFO and LOG_TEXT. */
void log_set(struct log *log, enum log_level level, enum log_format format);

/* Called, on the writing thread, when bytes come into an empty ring; must not block. May be NULL. */
void log_set_wake(struct log *log, void (*wake)(void *arg), void *arg);

/* The writing thread. Use the macro. */
void log_event(struct log *log, enum log_level level, const char *event,
    const struct log_field *fields, size_t fields_count);

/* The reading thread: whole or part lines, oldest first, good until log_taken(). .n == 0: none. */
struct bytes log_take(struct log *log);
void log_taken(struct log *log, size_t n);

/* Write all there is to a descriptor, blocking; for programs with one thread, and at the end. */
void log_flush_fd(struct log *log, int fd);

#endif
