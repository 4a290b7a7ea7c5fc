#include <criterion/criterion.h>
#include <ctype.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/base/log.h"

static char text[65536];

/* All that is in the log, as text; the times cut off if there is one line. */
static const char *taken(struct log *log)
{
	size_t n = 0;

	for (struct bytes b; (b = log_take(log)).n > 0; log_taken(log, b.n)) {
		memcpy(text + n, b.p, b.n);
		n += b.n;
	}
	text[n] = '\0';
	return text;
}

static const char *behind_time(const char *line)
{
	const char *space = strchr(line, ' ');

	return space != NULL ? space + 1 : "";
}

Test(log, a_line_has_its_fields_in_order)
{
	struct log *log = log_open("shard", 3, 4096);

	LOG(log, LOG_WARN, "auth.fail", LOG_STR("user", "sam"), LOG_U64("n", UINT64_MAX),
	    LOG_I64("d", -5));
	const char *line = taken(log);

	cr_assert_eq(line[4], '-');
	cr_assert_eq(line[23], 'Z');
	cr_assert_str_eq(
	    behind_time(line), "warn auth.fail shard=3 user=sam n=18446744073709551615 d=-5\n");
	LOG(log, LOG_INFO, "bare");
	cr_assert_str_eq(behind_time(taken(log)), "info bare shard=3\n");
	LOG(log, LOG_DEBUG, "unseen");
	LOG(NULL, LOG_ERROR, "nowhere", LOG_I64("lowest", INT64_MIN));
	cr_assert_str_eq(taken(log), "");
	log_close(log);
}

Test(log, no_value_can_forge_a_line_or_a_field)
{
	struct log *log = log_open(NULL, 0, 4096);

	LOG(log, LOG_INFO, "x", LOG_STR("v", "a\nb"), LOG_STR("w", "a b=c\"\\"), LOG_STR("e", ""),
	    LOG_BYTES("z", BYTES_LIT("\0\x7f\xff")));
	cr_assert_str_eq(behind_time(taken(log)),
	    "info x v=\"a\\u000ab\" w=\"a b=c\\\"\\\\\" e=\"\" z=\"\\u0000\\u007f\\u00ff\"\n");
	log_close(log);
}

/* A small reader of JSON objects with text and number values: enough to tell a whole one from a cut
 * one. */
static bool is_json_line(const char *p)
{
	if (*p++ != '{')
		return false;
	for (;;) {
		for (int part = 0; part < 2; part++) {
			if (*p == '"') {
				for (p++; *p != '"'; p++) {
					if (*p == '\\' && *++p == 'u')
						for (int i = 0; i < 4; i++)
							if (!isxdigit((unsigned char)*++p))
								return false;
					if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
						return false;
				}
				p++;
			} else if (part == 1 && (isdigit((unsigned char)*p) || *p == '-')) {
				for (p++; isdigit((unsigned char)*p); p++)
					;
			} else {
				return false;
			}
			if (part == 0 && *p++ != ':')
				return false;
		}
		if (*p == '}')
			return strcmp(p, "}\n") == 0;
		if (*p++ != ',')
			return false;
	}
}

/* Values of all lengths, plain and to be escaped, many in one line. */
Test(log, json_is_whole_however_long_the_values_are)
{
	static uint8_t value[2000];
	static const uint8_t fill[] = {'a', 0xff, '"'};
	struct log *log = log_open("shard", 1, 8192);

	log_set(log, LOG_INFO, LOG_JSON);
	for (size_t f = 0; f < sizeof(fill); f++) {
		memset(value, fill[f], sizeof(value));
		for (size_t n = 0; n < 1200; n++) {
			struct bytes v = bytes_of(value, n);

			LOG(log, LOG_INFO, "long", LOG_BYTES("one", v), LOG_BYTES("two", v),
			    LOG_U64("number", UINT64_MAX), LOG_BYTES("three", v),
			    LOG_BYTES("four", v), LOG_I64("last", INT64_MIN));
			const char *line = taken(log);

			cr_assert(is_json_line(line), "%zu of %02x: %s", n, fill[f], line);
			cr_assert_leq(strlen(line), 1024);
		}
	}
	log_close(log);
}

Test(log, a_cut_value_says_so)
{
	static char value[400];
	struct log *log = log_open(NULL, 0, 8192);

	memset(value, 'a', sizeof(value) - 1);
	LOG(log, LOG_INFO, "x", LOG_STR("v", value), LOG_STR("w", value), LOG_STR("y", value),
	    LOG_STR("z", value), LOG_STR("last", "unseen"));
	const char *line = taken(log);

	cr_assert_not_null(strstr(line, "aaa...\" w=\""));
	cr_assert_leq(strlen(line), 1024);
	cr_assert_eq(line[strlen(line) - 1], '\n');
	value[250] = '\0'; /* short enough for a value, too long for the line */
	LOG(log, LOG_INFO, "x", LOG_STR("v", value), LOG_STR("w", value), LOG_STR("y", value),
	    LOG_STR("z", value));
	line = taken(log);
	cr_assert_not_null(strstr(line, "aaa...\"\n"), "%s", line);
	log_close(log);
}

Test(log, a_full_ring_drops_and_counts)
{
	struct log *log = log_open(NULL, 0, 4096);

	for (int i = 0; i < 1000; i++)
		LOG(log, LOG_INFO, "many", LOG_I64("i", i));
	const char *all = taken(log);
	size_t lines = 0;

	for (const char *p = all; *p != '\0'; p++)
		lines += *p == '\n';
	cr_assert_gt(lines, 50);
	LOG(log, LOG_INFO, "after");
	char expected[64];

	snprintf(expected, sizeof(expected), "warn log.dropped count=%zu\n", 1000 - lines);
	cr_assert_not_null(strstr(taken(log), expected));
	log_close(log);
}

static void count_wake(void *arg)
{
	++*(int *)arg;
}

Test(log, wakes_the_reader_when_the_ring_was_empty)
{
	struct log *log = log_open(NULL, 0, 4096);
	int wakes = 0;

	log_set_wake(log, count_wake, &wakes);
	LOG(log, LOG_INFO, "one");
	LOG(log, LOG_INFO, "two");
	cr_assert_eq(wakes, 1);
	taken(log);
	LOG(log, LOG_INFO, "three");
	cr_assert_eq(wakes, 2);
	log_close(log);
}

static void *write_many(void *arg)
{
	for (int i = 0; i < 20000; i++)
		LOG(arg, LOG_INFO, "n", LOG_I64("i", i));
	return NULL;
}

/* One writes while another reads: whole lines, in order, whatever is dropped in between. */
Test(log, a_reader_beside_the_writer_gets_whole_lines)
{
	struct log *log = log_open(NULL, 0, 4096);
	pthread_t writer;
	char line[2048];
	size_t n = 0;
	long last = -1;

	pthread_create(&writer, NULL, write_many, log);
	for (bool joined = false;;) {
		struct bytes b = log_take(log);

		if (b.n == 0 && joined)
			break;
		if (b.n == 0 && pthread_tryjoin_np(writer, NULL) == 0)
			joined = true;
		for (size_t i = 0; i < b.n; i++) {
			cr_assert_lt(n, sizeof(line) - 1);
			line[n++] = (char)b.p[i];
			if (b.p[i] != '\n')
				continue;
			line[n] = '\0';
			n = 0;
			if (strstr(line, "log.dropped") != NULL)
				continue;
			cr_assert_eq(strncmp(behind_time(line), "info n i=", 9), 0, "%s", line);
			long i_now = atol(behind_time(line) + 9);

			cr_assert_gt(i_now, last);
			last = i_now;
		}
		log_taken(log, b.n);
	}
	cr_assert_eq(n, 0);
	log_close(log);
}

Test(log, flushes_to_a_descriptor)
{
	struct log *log = log_open(NULL, 0, 4096);
	int fds[2];
	char got[256];

	cr_assert_eq(pipe(fds), 0);
	LOG(log, LOG_ERROR, "gone", LOG_STR("to", "pipe"));
	log_flush_fd(log, fds[1]);
	ssize_t n = read(fds[0], got, sizeof(got) - 1);

	cr_assert_gt(n, 0);
	got[n] = '\0';
	cr_assert_str_eq(behind_time(got), "error gone to=pipe\n");
	close(fds[0]);
	close(fds[1]);
	log_close(log);
	log_close(NULL);
}
