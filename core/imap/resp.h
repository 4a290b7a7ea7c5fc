/* resp.h -- the response writer: what the server says, byte by byte, into a rope.
 *
 * Bytes are written into room that is reserved on the rope, and counted as output by resp_flush():
 * between that and the next write the rope is anybody's, at other times it is the writer's alone
 * (a new gate goes through resp_stamp()). When memory runs out the rope is marked failed and all
 * further writing does nothing, so nobody has to check.
 *
 * Two ways to write. The plain one checks for room by itself:
 *     resp_lit(resp, "* SEARCH");
 * The fast one reserves room for a whole line, and appends without a test per word:
 *     uint8_t *p = resp_room(resp, 64);
 *     if (p != NULL)
 *             resp_commit(resp, resp_at_lit(resp_at_u32(resp_at_lit(p, "* "), n), " EXISTS\r\n"));
 */
#ifndef RP_CORE_IMAP_RESP_H
#define RP_CORE_IMAP_RESP_H

#include "io/base/bytes.h"
#include "io/rope.h"

enum {
	RESP_ROOM_BYTES = 512,           /* reserved at once: a few lines */
	RESP_ROOM_BYTES_MAX = 16 * 1024, /* the most that resp_room() gives */
	RESP_QUOTED_BYTES_MAX = 1024,    /* a longer string goes as a literal */
	RESP_U32_BYTES = 10,
	RESP_U64_BYTES = 20,
};

struct resp {
	struct rope *rope;
	uint8_t *start; /* [start, at): written, not yet the rope's */
	uint8_t *at;    /* all three NULL: nothing is reserved */
	uint8_t *end;
	bool utf8; /* UTF8=ACCEPT: quoted strings may hold UTF-8 */
};

enum resp_status {
	RESP_OK,
	RESP_NO,
	RESP_BAD,
	RESP_BYE,
};

void resp_init(struct resp *resp, struct rope *rope, bool utf8);

/* What was written is now in the rope. Before anybody else touches the rope, and before the writer
 * is forgotten. */
void resp_flush(struct resp *resp);

/* rope_stamp() for what is written from now on. Costs nothing where the gate does not rise. */
void resp_stamp(struct resp *resp, uint64_t gate);

/* n bytes by n, up to RESP_ROOM_BYTES_MAX; resp_room()'s slow half. */
uint8_t *resp_reserve(struct resp *resp, size_t n);

/* Room for n > 0 bytes to be written by the caller, and then counted with resp_commit(). NULL:
 * failed. */
static inline uint8_t *resp_room(struct resp *resp, size_t n)
{
	if (RP_LIKELY((size_t)(resp->end - resp->at) >= n))
		return resp->at;
	return resp_reserve(resp, n);
}

/* The room is written up to `to`. */
static inline void resp_commit(struct resp *resp, uint8_t *to)
{
	RP_ASSERT_SLOW(to >= resp->at && to <= resp->end);
	resp->at = to;
}

/* "00" "01" ... "99" */
extern const char resp_digit_pairs[200];

static inline unsigned resp_digits(uint32_t v)
{
	return 1u + (v >= 10) + (v >= 100) + (v >= 1000) + (v >= 10000) + (v >= 100000) +
	       (v >= 1000000) + (v >= 10000000) + (v >= 100000000) + (v >= 1000000000);
}

/* Decimal digits of v at p; returns what is behind them. Needs RESP_U32_BYTES of room. */
static inline uint8_t *resp_at_u32(uint8_t *p, uint32_t v)
{
	uint8_t *behind = p + resp_digits(v);
	uint8_t *at = behind;

	while (v >= 100) {
		at -= 2;
		memcpy(at, resp_digit_pairs + 2 * (v % 100), 2);
		v /= 100;
	}
	if (v >= 10)
		memcpy(at - 2, resp_digit_pairs + 2 * v, 2);
	else
		at[-1] = (uint8_t)('0' + v);
	return behind;
}

/* The same; needs RESP_U64_BYTES. */
uint8_t *resp_at_u64(uint8_t *p, uint64_t v);

static inline uint8_t *resp_at_bytes(uint8_t *p, struct bytes b)
{
	if (b.n > 0)
		memcpy(p, b.p, b.n);
	return p + b.n;
}

/* A string literal of C, its length known to the compiler. */
#define resp_at_lit(p, text)                                                                       \
	((uint8_t *)memcpy((p), ("" text), sizeof(text) - 1) + (sizeof(text) - 1))

/* Bytes as they are. */
void resp_put(struct resp *resp, struct bytes b);
void resp_str(struct resp *resp, const char *text);

#define resp_lit(resp, text) resp_put((resp), BYTES_LIT(text))

static inline void resp_byte(struct resp *resp, char c)
{
	uint8_t *p = resp_room(resp, 1);

	if (p != NULL) {
		*p = (uint8_t)c;
		resp->at++;
	}
}

void resp_u64(struct resp *resp, uint64_t v);

/* SP between the items of a list: exactly one. *started is false before the first item. */
static inline void resp_sep(struct resp *resp, bool *started)
{
	if (*started)
		resp_byte(resp, ' ');
	*started = true;
}

/* Bytes from where they lie; as rope_borrow(). */
void resp_borrow(struct resp *resp, struct bytes b, rope_release_fn *release, void *arg);

/* string: quoted where it may be, else a literal. 8-bit is quoted only as well-formed UTF-8 in a
 * session that asked for it. NUL, which no client can read there, is sent as 0x80. */
void resp_string(struct resp *resp, struct bytes b);

/* nstring: b.p == NULL is NIL. */
void resp_nstring(struct resp *resp, struct bytes b);

/* astring: an atom where it can be one. */
void resp_astring(struct resp *resp, struct bytes b);

/* {n} CRLF and the bytes, NUL as 0x80. */
void resp_literal(struct resp *resp, struct bytes b);

/* {n} CRLF, or ~{n} CRLF: n bytes must follow; in the plain one the caller lets no NUL through. */
void resp_literal_mark(struct resp *resp, uint64_t n);
void resp_literal8_mark(struct resp *resp, uint64_t n);

/* tag SP status SP ["[" code "]" SP] text CRLF; tag.n == 0: untagged. code may be NULL; text is not
 * empty, for strict clients stumble over a status without text. */
void resp_status(struct resp *resp, struct bytes tag, enum resp_status status, const char *code,
    const char *text);

/* The same with spans; code.n == 0: none. */
void resp_status_put(struct resp *resp, struct bytes tag, enum resp_status status,
    struct bytes code, struct bytes text);

/* The same in pieces, for codes with arguments: tag SP status SP, then the caller's "[CODE ...] ",
 * then text CRLF. */
void resp_status_begin(struct resp *resp, struct bytes tag, enum resp_status status);
void resp_status_end(struct resp *resp, const char *text);

/* "+" SP bytes CRLF */
void resp_continuation(struct resp *resp, struct bytes b);

/* "*" SP number SP name CRLF: EXISTS, EXPUNGE, RECENT */
void resp_number_data(struct resp *resp, uint32_t number, const char *name);

#endif
