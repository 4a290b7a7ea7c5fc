#include "bench/load/content.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct bytes make(struct content_id id)
{
	uint8_t *p = malloc(id.bytes);

	content_make(id, p);
	return bytes_of(p, id.bytes);
}

static struct bytes with_lines_before(struct bytes message)
{
	static const char lines[] = "Return-Path: <a@example.net>\r\nReceived: by b\r\n";
	uint8_t *p = malloc(sizeof(lines) - 1 + message.n);

	memcpy(p, lines, sizeof(lines) - 1);
	memcpy(p + sizeof(lines) - 1, message.p, message.n);
	return bytes_of(p, sizeof(lines) - 1 + message.n);
}

Test(content, what_was_made_is_known_again)
{
	static const uint32_t sizes[] = {CONTENT_BYTES_MIN, CONTENT_BYTES_MIN + 1, 4096, 12345, 1000000};

	for (uint32_t number = 0; number < 16; number++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			struct content_id id = {0x123456789abcdef, 77, number, sizes[i]};
			struct content_id found;
			struct bytes message = make(id);
			struct bytes more = with_lines_before(message);
			const char *fault;

			cr_assert_eq(content_check(message, &found, &fault), RP_OK, "%s", fault);
			cr_assert_eq(found.seed, id.seed);
			cr_assert_eq(found.user, 77);
			cr_assert_eq(found.number, number);
			cr_assert_eq(found.bytes, sizes[i]);
			cr_assert_eq(content_check(more, &found, &fault), RP_OK, "%s", fault);
			free((void *)more.p);
			free((void *)message.p);
		}
	}
}

Test(content, lines_end_in_crlf_and_are_no_longer_than_mail_may_be)
{
	for (uint32_t number = 0; number < 8; number++) {
		struct bytes message = make((struct content_id){1, 2, number, 20000});
		size_t line = 0;

		for (size_t i = 0; i < message.n; i++) {
			cr_assert(message.p[i] < 0x80 && message.p[i] != 0);
			cr_assert_eq(message.p[i] == '\n', i > 0 && message.p[i - 1] == '\r');
			if (message.p[i] == '\n') {
				cr_assert_leq(i - line, 998);
				cr_assert_neq(message.p[line], line + 3 == i ? '.' : 0, "a line of one dot");
				line = i + 1;
			}
		}
		cr_assert_eq(message.p[message.n - 1], '\n');
		free((void *)message.p);
	}
}

/* However short, its parts are closed and its last line ends. */
Test(content, any_size_is_a_whole_message)
{
	for (uint32_t bytes = CONTENT_BYTES_MIN; bytes < CONTENT_BYTES_MIN + 200; bytes++) {
		for (uint32_t number = 4000000000; number < 4000000008; number++) {
			struct bytes message = make((struct content_id){UINT64_MAX, 4000000000, number, bytes});
			struct bytes close = BYTES_LIT("\r\n--=-bench--\r\n");
			bool multipart = bytes_find_bytes(message, BYTES_LIT("boundary=")) < message.n;

			cr_assert_eq(bytes_find_bytes(message, close) < message.n, multipart, "%u, %u", bytes, number);
			cr_assert(bytes_eq(bytes_from(message, bytes - 2), BYTES_LIT("\r\n")), "%u, %u", bytes, number);
			free((void *)message.p);
		}
	}
}

/* Each byte counts: change any one, or leave the last out, and it is found. */
Test(content, any_wrong_byte_is_found)
{
	struct content_id id = {42, 1, 3, 1500};
	struct content_id found;
	struct bytes message = make(id);
	uint8_t *p = (uint8_t *)(uintptr_t)message.p;
	const char *fault;

	for (size_t i = 0; i < message.n; i++) {
		p[i] ^= 1;
		cr_assert_eq(content_check(message, &found, &fault), RP_ERR_CORRUPT, "byte %zu", i);
		cr_assert_not_null(fault);
		p[i] ^= 1;
	}
	cr_assert_eq(content_check(bytes_slice(message, 0, message.n - 1), &found, &fault), RP_ERR_CORRUPT);
	cr_assert_eq(content_check(BYTES_LIT("Subject: x\r\n\r\n"), &found, &fault), RP_ERR_CORRUPT);
	cr_assert_eq(content_check(BYTES_LIT(""), &found, &fault), RP_ERR_CORRUPT);
	free(p);
}

Test(content, the_subject_stands_in_the_message)
{
	struct content_id id = {42, 1, 9, 1500};
	struct bytes message = make(id);
	char subject[CONTENT_SUBJECT_BYTES];
	char line[CONTENT_SUBJECT_BYTES + 32];

	content_subject(id, subject);
	snprintf(line, sizeof(line), "\r\nSubject: %s\r\n", subject);
	cr_assert_lt(bytes_find_bytes(message, bytes_of_str(line)), message.n);
	content_from(content_sender(id), subject);
	snprintf(line, sizeof(line), "<%s@example.net>\r\n", subject);
	cr_assert_lt(bytes_find_bytes(message, bytes_of_str(line)), message.n);
	free((void *)message.p);
}
