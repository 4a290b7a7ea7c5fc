#include "io/base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/base/num.h"

enum {
	LOG_LINE_BYTES_MAX = 1024, /* one event; protects the ring and the reader's eyes */
	LOG_VALUE_BYTES_MAX = 256, /* one value, before escaping */
	LOG_RING_BYTES_MIN = 4096,
	LOG_FIELD_ROOM_BYTES = 4 + 21, /* marks around a name, and the longest number */
};

/* head and tail only grow; their difference is what lies in the ring. */
struct log {
	const char *name;
	unsigned number;
	enum log_level level;
	enum log_format format;
	void (*wake)(void *arg);
	void *wake_arg;
	uint64_t dropped_count; /* since the last log.dropped; the writer's */
	size_t ring_bytes;
	_Alignas(64) _Atomic uint64_t head; /* the writer's: next byte goes here */
	_Alignas(64) _Atomic uint64_t tail; /* the reader's: next byte is taken here */
	uint8_t ring[];
};

/* A line that is being made. What no longer fits is left out, never the newline. */
struct line {
	size_t n;
	uint8_t p[LOG_LINE_BYTES_MAX];
};

struct log *log_open(const char *name, unsigned number, size_t ring_bytes)
{
	RP_ASSERT(ring_bytes >= LOG_RING_BYTES_MIN && (ring_bytes & (ring_bytes - 1)) == 0);
	struct log *log = aligned_alloc(64, num_round_up(sizeof(*log) + ring_bytes, 64));

	if (log == NULL)
		return NULL;
	memset(log, 0, sizeof(*log));
	log->name = name;
	log->number = number;
	log->level = LOG_INFO;
	log->ring_bytes = ring_bytes;
	return log;
}

void log_close(struct log *log)
{
	free(log);
}

void log_set(struct log *log, enum log_level level, enum log_format format)
{
	log->level = level;
	log->format = format;
}

void log_set_wake(struct log *log, void (*wake)(void *arg), void *arg)
{
	log->wake = wake;
	log->wake_arg = arg;
}

static size_t room_in(const struct line *line)
{
	return sizeof(line->p) - 2 - line->n; /* two kept for "}\n" */
}

static void put(struct line *line, const void *p, size_t n)
{
	size_t room = room_in(line);

	if (n > room)
		n = room;
	memcpy(line->p + line->n, p, n);
	line->n += n;
}

static void put_str(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

static bool is_plain(struct bytes b)
{
	if (b.n == 0)
		return false;
	for (size_t i = 0; i < b.n; i++) {
		uint8_t c = b.p[i];

		if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '=')
			return false;
	}
	return true;
}

/* The value in quotes, cut where the line ends, with room for the quote behind it. */
static void put_quoted(struct line *line, struct bytes b)
{
	static const char hex[] = "0123456789abcdef";
	static const char cut_mark[] = "...\"";
	bool cut = b.n > LOG_VALUE_BYTES_MAX;

	if (cut)
		b.n = LOG_VALUE_BYTES_MAX;
	put(line, "\"", 1);
	for (size_t i = 0; i < b.n; i++) {
		uint8_t c = b.p[i];
		char escaped[6] = { (char)c };
		size_t n = 1;

		if (c == '"' || c == '\\') {
			memcpy(escaped, (char[]){ '\\', (char)c }, n = 2);
		} else if (c < 0x20 || c >= 0x7f) {
			memcpy(escaped, (char[]){ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, n = 6);
		}
		if (n + sizeof(cut_mark) - 1 > room_in(line)) {
			cut = true;
			break;
		}
		put(line, escaped, n);
	}
	put_str(line, cut ? cut_mark : "\"");
}

static void put_u64(struct line *line, uint64_t v)
{
	uint8_t dec[20];

	put(line, dec, num_to_dec(v, dec));
}

static void put_value(struct line *line, enum log_format format, const struct log_field *field)
{
	switch (field->kind) {
	case LOG_FIELD_U64:
		put_u64(line, field->u64);
		break;
	case LOG_FIELD_I64:
		if (field->i64 < 0)
			put_str(line, "-");
		put_u64(line, field->i64 < 0 ? 0 - (uint64_t)field->i64 : (uint64_t)field->i64);
		break;
	case LOG_FIELD_BYTES:
		if (format == LOG_TEXT && field->bytes.n <= LOG_VALUE_BYTES_MAX &&
		    field->bytes.n <= room_in(line) && is_plain(field->bytes))
			put(line, field->bytes.p, field->bytes.n);
		else
			put_quoted(line, field->bytes);
		break;
	}
}

static void put_field(struct line *line, enum log_format format, const struct log_field *field)
{
	/* With less room than its name and the shortest value need, a field is left out whole: half of
	 * one would leave a quote open. */
	if (strlen(field->name) + LOG_FIELD_ROOM_BYTES > room_in(line))
		return;
	put_str(line, format == LOG_JSON ? ",\"" : " ");
	put_str(line, field->name);
	put_str(line, format == LOG_JSON ? "\":" : "=");
	put_value(line, format, field);
}

static void put_head(struct line *line, const struct log *log, enum log_level level, const char *event)
{
	static const char *const levels[] = { "debug", "info", "warn", "error" };
	uint64_t now_ns = clock_wall_ns();
	time_t now_s = (time_t)(now_ns / CLOCK_NS_PER_S);
	struct tm tm;
	char when[40];

	gmtime_r(&now_s, &tm);
	size_t n = strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);

	snprintf(when + n, sizeof(when) - n, ".%03uZ",
	    (unsigned)(now_ns / CLOCK_NS_PER_MS % 1000));
	put_str(line, log->format == LOG_JSON ? "{\"time\":\"" : "");
	put_str(line, when);
	put_str(line, log->format == LOG_JSON ? "\",\"level\":\"" : " ");
	put_str(line, levels[level]);
	put_str(line, log->format == LOG_JSON ? "\",\"event\":\"" : " ");
	put_str(line, event);
	put_str(line, log->format == LOG_JSON ? "\"" : "");
	if (log->name != NULL)
		put_field(line, log->format, &LOG_U64(log->name, log->number));
}

/* False: no room in the ring. */
static bool ring_put(struct log *log, const struct line *line)
{
	uint64_t head = atomic_load_explicit(&log->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&log->tail, memory_order_acquire);
	size_t at = head & (log->ring_bytes - 1);
	size_t first = log->ring_bytes - at;

	if (line->n > log->ring_bytes - (head - tail))
		return false;
	if (first > line->n)
		first = line->n;
	memcpy(log->ring + at, line->p, first);
	memcpy(log->ring, line->p + first, line->n - first);
	atomic_store_explicit(&log->head, head + line->n, memory_order_seq_cst);
	/* The reader sleeps only after it saw tail == head; whoever sees the other's move wakes it. */
	if (log->wake != NULL && atomic_load_explicit(&log->tail, memory_order_seq_cst) == head)
		log->wake(log->wake_arg);
	return true;
}

static bool write_line(struct log *log, enum log_level level, const char *event,
    const struct log_field *fields, size_t fields_count)
{
	struct line line;

	line.n = 0;
	put_head(&line, log, level, event);
	for (size_t i = 0; i < fields_count; i++)
		put_field(&line, log->format, &fields[i]);
	if (log->format == LOG_JSON)
		line.p[line.n++] = '}';
	line.p[line.n++] = '\n';
	return ring_put(log, &line);
}

void log_event(struct log *log, enum log_level level, const char *event,
    const struct log_field *fields, size_t fields_count)
{
	if (log == NULL || level < log->level)
		return;
	if (log->dropped_count > 0) {
		struct log_field count = LOG_U64("count", log->dropped_count);

		if (!write_line(log, LOG_WARN, "log.dropped", &count, 1)) {
			log->dropped_count++;
			return;
		}
		log->dropped_count = 0;
	}
	if (!write_line(log, level, event, fields, fields_count))
		log->dropped_count++;
}

struct bytes log_take(struct log *log)
{
	uint64_t tail = atomic_load_explicit(&log->tail, memory_order_relaxed);
	uint64_t head = atomic_load_explicit(&log->head, memory_order_seq_cst);
	size_t at = tail & (log->ring_bytes - 1);
	size_t n = (size_t)(head - tail);

	if (n > log->ring_bytes - at)
		n = log->ring_bytes - at;
	return (struct bytes){ log->ring + at, n };
}

void log_taken(struct log *log, size_t n)
{
	atomic_fetch_add_explicit(&log->tail, n, memory_order_seq_cst);
}

void log_flush_fd(struct log *log, int fd)
{
	struct bytes b;

	while ((b = log_take(log)).n > 0) {
		ssize_t n = write(fd, b.p, b.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return; /* nowhere to say so */
		log_taken(log, (size_t)n);
	}
}
