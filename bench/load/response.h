/* response.h -- what an IMAP server says, taken apart (RFC 9051 and 3501, section 9, from the client's side).
 *
 * Everything is strict: what breaks the grammar is a fault of the server's and voids a run. Spans borrow from the input.
 */
#ifndef RP_BENCH_LOAD_RESPONSE_H
#define RP_BENCH_LOAD_RESPONSE_H

#include "io/base/bytes.h"
#include "io/base/err.h"

enum { RESPONSE_BYTES_MAX = 64 * 1024 * 1024 }; /* one response, literals included: protects the tool's memory */

/* Where does one response end? Zero before the first byte of each. */
struct response_frame {
	size_t searched; /* offset up to which we looked */
};

/* RP_OK: in.p[0, *end) is one response, CRLF and literals included. RP_ERR_END: more bytes are needed; come again with
 * these and more. RP_ERR_SYNTAX: LF without CR, or a literal beyond the bound. Linear over all calls. */
RP_MUST_USE enum rp_err response_frame_find(
    struct response_frame *frame, struct bytes in, size_t *end);

enum response_kind {
	RESPONSE_TAGGED,
	RESPONSE_UNTAGGED,
	RESPONSE_CONTINUATION,
};

enum response_status {
	RESPONSE_NONE, /* untagged data */
	RESPONSE_OK,
	RESPONSE_NO,
	RESPONSE_BAD,
	RESPONSE_BYE,
	RESPONSE_PREAUTH,
};

struct response {
	enum response_kind kind;
	enum response_status status;
	struct bytes tag;    /* RESPONSE_TAGGED */
	struct bytes code;   /* between the brackets; .n == 0: none */
	struct bytes text;   /* behind a status; of a continuation */
	bool has_number;     /* * 12 EXISTS */
	uint32_t number;
	struct bytes name;   /* of untagged data: EXISTS, FETCH, SEARCH, ... */
	struct bytes rest;   /* behind the name, CRLF not included */
};

/* One whole response, as response_frame_find() found it. False: it breaks the grammar. */
RP_MUST_USE bool response_parse(struct bytes whole, struct response *out);

/* Is the code this one ("UIDNEXT")? Its argument, if it has one, in *argument. */
bool response_code_is(const struct response *response, struct bytes name, struct bytes *argument);

/* ---- the values that data consists of ---- */

/* Reads from a response's rest; at goes forward. */
struct response_cursor {
	struct bytes in;
	size_t at;
};

/* The next byte, if it is c. */
bool response_take(struct response_cursor *cursor, uint8_t c);
bool response_at_end(const struct response_cursor *cursor);

/* A number without sign that fits. */
RP_MUST_USE bool response_number(struct response_cursor *cursor, uint64_t max, uint64_t *out);

/* Letters up to a space, a parenthesis or the end; brackets belong to it with all that they hold: BODY[HEADER.FIELDS (A B)]. */
RP_MUST_USE bool response_word(struct response_cursor *cursor, struct bytes *out);

/* nstring: quoted (as it stands, with its backslashes), literal or NIL (out->p == NULL). */
RP_MUST_USE bool response_nstring(struct response_cursor *cursor, struct bytes *out);

/* Any one value: atom, string, or a list with all in it, which must be closed. */
RP_MUST_USE bool response_value(struct response_cursor *cursor, struct bytes *out);

/* The next range of a sequence-set: "3", "5:9" ("9:5" is the same). False: there is none. */
bool response_range(struct response_cursor *cursor, uint32_t *first, uint32_t *last);

/* ---- FLAGS ---- */

enum response_flag {
	RESPONSE_SEEN = 1,
	RESPONSE_ANSWERED = 2,
	RESPONSE_FLAGGED = 4,
	RESPONSE_DELETED = 8,
	RESPONSE_DRAFT = 16,
	RESPONSE_RECENT = 32, /* IMAP4rev1's; comes and goes with sessions */
	RESPONSE_KEYWORD = 64, /* at least one keyword */
};

/* "(\Seen \Flagged)". False: no list of flags. */
RP_MUST_USE bool response_flags(struct response_cursor *cursor, uint8_t *flags);

/* ---- FETCH ---- */

enum { RESPONSE_SECTIONS_MAX = 4 };

struct response_section {
	struct bytes name; /* between the brackets */
	bool partial;
	uint64_t origin;   /* of a partial one */
	struct bytes data; /* .p == NULL: NIL */
};

/* What one FETCH response tells; has_* or .p != NULL: it was there. */
struct response_fetch {
	uint32_t seqno;
	bool has_uid, has_flags, has_modseq, has_size;
	uint8_t flags;
	uint32_t uid;
	uint64_t modseq;
	uint64_t size_bytes;
	struct bytes internaldate;
	struct bytes envelope;      /* with its parentheses */
	struct bytes bodystructure; /* likewise; BODY too */
	struct response_section section[RESPONSE_SECTIONS_MAX];
	unsigned sections_count;
};

/* False: it breaks the grammar, or an item stands there twice. */
RP_MUST_USE bool response_fetch_parse(const struct response *response, struct response_fetch *out);

/* Subject and the first From: address's mailbox of an ENVELOPE; .p == NULL: NIL. */
RP_MUST_USE bool response_envelope(
    struct bytes envelope, struct bytes *subject, struct bytes *from_mailbox);

#endif
