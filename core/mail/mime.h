/* mime.h -- a message as a tree of parts, found while it streams in.
 *
 * Feed it the bytes in any cuts; what is kept is offsets, what the parts' header blocks say, and
 * the block that is being read. A part knows where its header block and its body lie:
 *
 *     header_offset   body_offset                end
 *     | fields, empty line | body                 | (CRLF of the boundary line, boundary line ...)
 *
 * A child lies inside its parent's [body_offset, end) by construction, brothers do not overlap, so
 * no mail can make a circle. Only offsets of lines that were seen become offsets of parts.
 *
 *              header line              blank line
 *          +---------------+   +----------------------------> BODY of a leaf, preamble
 *          v               |   |                                 |
 *     -> HEADER -----------+---+--> HEADER (of the message in    | boundary of any open
 *          ^                         a message/rfc822)           | multipart
 *          +-----------------------------------------------------+
 *
 * From the last part that there is room for on (MIME_PARTS_MAX, or no memory) all is one opaque
 * part. Work is linear in the bytes: each line that begins with "--" costs one look into a hash
 * table of the boundaries that are open, the innermost of equal ones first.
 */
#ifndef RP_CORE_MAIL_MIME_H
#define RP_CORE_MAIL_MIME_H

#include "core/mail/mime_fields.h"
#include "io/base/err.h"

enum {
	MIME_DEPTH_MAX = 100,   /* of parts below parts; the message itself has depth 1 */
	MIME_PARTS_MAX = 10000, /* of a message, itself included: the size of the tree */
	MIME_HEADER_BYTES_MAX = 1024 * 1024,    /* of one block; what is beyond counts as body */
	MIME_HEADER_KEPT_MAX = 64 * 1024,       /* of one block, for reading its fields */
	MIME_SCRATCH_BYTES_MAX = 512 * 1024,    /* memory for parsing, besides the tree */
	MIME_TREE_BYTES_MAX = 16 * 1024 * 1024, /* a fitting bound for the arena of a tree */
	MIME_NONE = -1,
};

struct mime_part {
	int32_t parent; /* index, or MIME_NONE */
	int32_t child;  /* the first one */
	int32_t next;   /* brother */
	int32_t last_child;
	uint16_t depth;
	bool is_message; /* the root, or the child of a message/rfc822: has an envelope */
	enum mime_kind kind;
	uint64_t header_offset; /* in the message as it was fed */
	uint64_t body_offset;
	uint64_t end;
	uint64_t lines; /* LFs in the body */
	const struct mime_fields *fields;
	struct bytes envelope; /* of a message, when MIME_FOR_INDEX; else .p == NULL */
};

/* A parsed message; all of it lies in the arena that was given. */
struct mime {
	struct mime_part *part; /* part[0] is the message itself */
	int32_t count;
	uint64_t bytes; /* of the whole message */
	struct bytes
	    header; /* MIME_FOR_INDEX: the first MIME_HEADER_KEPT_MAX bytes of its header block */
};

enum mime_purpose {
	MIME_FOR_SECTIONS, /* where the parts lie, and what they are */
	MIME_FOR_INDEX,    /* besides: envelopes, and the message's header block */
};

enum { MIME_BUCKETS = 256 };

/* A multipart whose boundary may come. */
struct mime_open {
	struct bytes boundary;
	uint32_t hash;
	int32_t part;
	uint8_t below; /* the next in the bucket, + 1; 0: none */
};

enum mime_place {
	MIME_IN_HEADER,
	MIME_IN_BODY, /* of a leaf; preamble or epilogue of a multipart */
	MIME_IN_REST, /* the opaque rest: nothing is looked for any more */
};

struct mime_parser {
	struct mime tree; /* whole after mime_finish */
	struct arena *arena;
	struct arena scratch;
	enum mime_purpose purpose;
	enum mime_place place;
	int32_t current; /* the part whose header or body comes */
	int32_t part_room;
	uint64_t offset;     /* bytes fed so far */
	uint64_t lines;      /* LFs fed so far */
	uint64_t line;       /* where the current line starts */
	uint64_t line_lines; /* LFs before it */
	uint64_t line_bytes; /* of it so far */
	uint8_t eol_bytes;   /* of the line end before it: 0, 1, 2 */
	uint8_t last;        /* the last byte of the current line so far */
	bool may_be_boundary;
	size_t start_n; /* bytes of the line's beginning in start[] */
	uint8_t start[MIME_BOUNDARY_BYTES_MAX + 4];
	uint8_t *header; /* the block so far, header_n bytes; in scratch */
	size_t header_n;
	size_t header_room;
	size_t header_line; /* where its last line starts */
	size_t kept_room;
	uint32_t addresses_left;
	uint8_t open_count;
	uint8_t bucket[MIME_BUCKETS]; /* index + 1 of the innermost open one with this hash */
	struct mime_open open[MIME_DEPTH_MAX];
};

/* The parser is large (10 KiB): a task has it in an arena or a pool, not on its stack.
 * RP_ERR_NOMEM: not even the first part has room. */
RP_MUST_USE enum rp_err mime_init(
    struct mime_parser *parser, struct arena *arena, enum mime_purpose purpose);

void mime_feed(struct mime_parser *parser, struct bytes in);

/* End of the message. The tree is whole and lives as long as the arena; the parser holds nothing
 * any more. */
const struct mime *mime_finish(struct mime_parser *parser);

/* Give back what the parser holds, when the message will not come to its end. */
void mime_fini(struct mime_parser *parser);

/* All in one, for a message that lies in memory. */
RP_MUST_USE enum rp_err mime_parse(
    struct arena *arena, enum mime_purpose purpose, struct bytes message, struct mime *out);

/* The part behind `index` in the order of the message: child, else brother, else an uncle.
 * MIME_NONE: that was the last. */
int32_t mime_next(const struct mime *mime, int32_t index);

static inline uint64_t mime_body_bytes(const struct mime_part *part)
{
	return part->end - part->body_offset;
}

#endif
