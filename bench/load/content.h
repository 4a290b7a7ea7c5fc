/* content.h -- messages that are made from a few numbers, and known again.
 *
 * The first line of each is its id, "X-Bench-Id: <seed>-<user>-<number>-<bytes>". Whoever gets a message back makes it
 * anew from that and compares every byte. A server may put lines before it (LMTP: Return-Path, Received), nothing behind
 * or between. Some are plain text, some have two alternatives, some an attachment, as the number says.
 */
#ifndef RP_BENCH_LOAD_CONTENT_H
#define RP_BENCH_LOAD_CONTENT_H

#include "io/base/bytes.h"
#include "io/base/err.h"

enum {
	CONTENT_BYTES_MIN = 1024, /* of a whole message: its header and something */
	CONTENT_BYTES_MAX = 32 * 1024 * 1024,
	CONTENT_SUBJECT_BYTES = 64, /* room for a subject, NUL included */
	CONTENT_FROM_COUNT = 100,   /* different senders */
	CONTENT_TOKENS = 1000,      /* different first words of the text: number % CONTENT_TOKENS */
};

struct content_id {
	uint64_t seed;
	uint32_t user;
	uint32_t number;
	uint32_t bytes; /* of the message, exactly */
};

/* Write it: id.bytes bytes, from CONTENT_BYTES_MIN to CONTENT_BYTES_MAX. CRLF lines, 7 bit. */
void content_make(struct content_id id, uint8_t *out);

/* Its Subject: and the number of its sender. */
void content_subject(struct content_id id, char subject[CONTENT_SUBJECT_BYTES]);
unsigned content_sender(struct content_id id);

/* The mailbox part of a sender's From: address; a token. NUL-terminated; none is the beginning of another. */
void content_from(unsigned sender, char from[CONTENT_SUBJECT_BYTES]);
void content_token(unsigned token, char text[CONTENT_SUBJECT_BYTES]);

/* Is this line, without CRLF, the first line of one of ours? (What BODY[HEADER.FIELDS (X-BENCH-ID)] shows.) */
RP_MUST_USE bool content_id_parse(struct bytes line, struct content_id *id);

/* Which one is this, if it is one of ours at all, whole and unchanged? `fault` on RP_ERR_CORRUPT: static text, what is wrong.
 * RP_ERR_NOMEM. */
RP_MUST_USE enum rp_err content_check(
    struct bytes message, struct content_id *id, const char **fault);

#endif
