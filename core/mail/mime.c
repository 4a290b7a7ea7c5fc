#include "core/mail/mime.h"

#include <assert.h>

#include "core/mail/envelope.h"
#include "io/base/num.h"

enum {
	MIME_PARTS_FIRST = 8,
	MIME_HEADER_FIRST = 1024,
};

static_assert(MIME_DEPTH_MAX < UINT8_MAX, "an index + 1 must fit in a bucket");

static struct mime_part *part_of(struct mime_parser *m, int32_t index)
{
	RP_ASSERT(index >= 0 && index < m->tree.count);
	return &m->tree.part[index];
}

/* ---- parts ---- */

/* Nothing is looked for any more. A container without a child becomes a lump of bytes. */
static void give_up(struct mime_parser *m)
{
	struct mime_part *part = part_of(m, m->current);

	if (part->kind != MIME_LEAF && part->child == MIME_NONE) {
		part->kind = MIME_LEAF;
		part->fields = &mime_fields_opaque;
	}
	m->place = MIME_IN_REST;
}

static bool reserve_part(struct mime_parser *m)
{
	if (m->tree.count < m->part_room)
		return true;

	int32_t room = m->part_room == 0 ? MIME_PARTS_FIRST : m->part_room * 2;
	struct mime_part *part = arena_grow(m->arena, m->tree.part,
	    (size_t)m->part_room * sizeof(*part), (size_t)room * sizeof(*part));

	if (part == NULL)
		return false;
	m->tree.part = part;
	m->part_room = room;
	return true;
}

/* A new last child of `parent`. The caller has reserved it. */
static int32_t add_part(struct mime_parser *m, int32_t parent, uint64_t offset)
{
	int32_t index = m->tree.count++;
	struct mime_part *part = part_of(m, index);

	*part = (struct mime_part){.parent = parent,
	    .child = MIME_NONE,
	    .next = MIME_NONE,
	    .depth = 1,
	    .header_offset = offset,
	    .body_offset = offset,
	    .end = offset,
	    .fields = &mime_fields_plain};
	if (parent == MIME_NONE) {
		part->is_message = true;
		return index;
	}
	struct mime_part *above = part_of(m, parent);

	RP_ASSERT(above->kind != MIME_LEAF);
	part->depth = (uint16_t)(above->depth + 1);
	part->is_message = above->kind == MIME_MESSAGE;
	if (above->child == MIME_NONE)
		above->child = index;
	else
		part_of(m, above->last_child)->next = index;
	above->last_child = index;
	return index;
}

static void start_header(struct mime_parser *m)
{
	m->place = MIME_IN_HEADER;
	m->header_n = 0;
	m->header_line = 0;
}

/* A child of `parent` starts at the next byte. */
static void start_part(struct mime_parser *m, int32_t parent)
{
	m->current = parent;
	if (!reserve_part(m)) {
		give_up(m);
		return;
	}
	m->current = add_part(m, parent, m->offset);
	if (m->tree.count < MIME_PARTS_MAX) {
		start_header(m);
		return;
	}
	part_of(m, m->current)->fields = &mime_fields_opaque;
	part_of(m, m->current)->lines = m->lines; /* till it ends: those before it */
	m->place = MIME_IN_REST;
}

/* ---- boundaries ---- */

static uint32_t hash_of(struct bytes b)
{
	uint32_t hash = 2166136261;

	for (size_t i = 0; i < b.n; i++)
		hash = (hash ^ b.p[i]) * 16777619;
	return hash;
}

static uint8_t *bucket_of(struct mime_parser *m, uint32_t hash)
{
	return &m->bucket[(hash ^ hash >> 16) % MIME_BUCKETS];
}

static void push_open(struct mime_parser *m, int32_t part)
{
	struct mime_open *open = &m->open[m->open_count];

	RP_ASSERT(m->open_count < MIME_DEPTH_MAX);
	open->boundary = part_of(m, part)->fields->boundary;
	open->hash = hash_of(open->boundary);
	open->part = part;
	uint8_t *bucket = bucket_of(m, open->hash);

	open->below = *bucket;
	*bucket = ++m->open_count;
}

static void pop_open(struct mime_parser *m)
{
	const struct mime_open *open = &m->open[--m->open_count];

	*bucket_of(m, open->hash) = open->below;
}

/* The innermost open multipart with this boundary, + 1; 0: none. */
static uint8_t find_open(struct mime_parser *m, struct bytes boundary)
{
	uint32_t hash = hash_of(boundary);

	for (uint8_t i = *bucket_of(m, hash); i != 0; i = m->open[i - 1].below)
		if (m->open[i - 1].hash == hash && bytes_eq(m->open[i - 1].boundary, boundary))
			return i;
	return 0;
}

/* ---- the end of a header block ---- */

/* Without memory for it an envelope says nothing, which is still an envelope. */
static struct bytes render_envelope(struct mime_parser *m, struct bytes block)
{
	struct text text;
	struct bytes out = {NULL, 0};

	text_init(&text, &m->scratch);
	if (envelope_render(&text, block, &m->scratch, &m->addresses_left) &&
	    (m->current == 0 || text.n <= m->kept_room)) {
		out = arena_copy(m->arena, text_bytes(&text));
		if (out.p != NULL && m->current != 0)
			m->kept_room -= out.n;
	}
	return out.p != NULL ? out : BYTES_LIT(ENVELOPE_EMPTY);
}

static const struct mime_fields *fallback_for(struct mime_parser *m, const struct mime_part *part)
{
	if (part->parent != MIME_NONE && part_of(m, part->parent)->kind == MIME_MULTIPART &&
	    bytes_eq_fold(part_of(m, part->parent)->fields->subtype, BYTES_LIT("digest")))
		return &mime_fields_digest;
	return &mime_fields_plain;
}

/* May a part of this depth have children, and is there room for one? */
static bool may_contain(struct mime_parser *m, const struct mime_part *part)
{
	return part->depth < MIME_DEPTH_MAX && m->tree.count < MIME_PARTS_MAX - 1;
}

static void read_fields(struct mime_parser *m, struct bytes block)
{
	struct mime_part *part = part_of(m, m->current);

	part->fields =
	    mime_fields_read(m->arena, &m->scratch, block, &m->kept_room, fallback_for(m, part));
	if (part->fields == NULL || (part->fields->kind != MIME_LEAF && !may_contain(m, part)))
		part->fields = &mime_fields_opaque;
	part->kind = part->fields->kind;
	if (m->purpose != MIME_FOR_INDEX)
		return;
	if (part->is_message)
		part->envelope = render_envelope(m, block);
	if (m->current == 0)
		m->tree.header = arena_copy(m->arena, block);
}

/* The block of the current part is over; its body starts at body_offset, with `lines` LFs before.
 */
static void end_header(struct mime_parser *m, uint64_t body_offset, uint64_t lines)
{
	read_fields(m, m->header_n != 0 ? bytes_of(m->header, m->header_n) : BYTES_LIT(""));
	arena_reset(&m->scratch);
	m->header = NULL;
	m->header_room = 0;
	m->header_n = 0;

	struct mime_part *part = part_of(m, m->current);

	part->body_offset = body_offset;
	part->lines = lines;
	m->place = MIME_IN_BODY;
	if (part->kind == MIME_MULTIPART) {
		push_open(m, m->current);
	} else if (part->kind == MIME_MESSAGE) {
		if (!reserve_part(m)) {
			give_up(m);
			return;
		}
		m->current = add_part(m, m->current, body_offset);
		start_header(m);
	}
}

/* A header block that ends without an empty line. A message within may begin and end with it too.
 */
static void cut_header(struct mime_parser *m, uint64_t offset, uint64_t lines)
{
	while (m->place == MIME_IN_HEADER)
		end_header(m, offset, lines);
}

/* ---- the end of parts ---- */

/* CLIENTS C-51: a multipart without parts has one empty text/plain. */
static void add_empty_child(struct mime_parser *m, int32_t index)
{
	struct mime_part *part = part_of(m, index);

	if (m->tree.count >= MIME_PARTS_MAX - 1 || !reserve_part(m)) {
		part->kind = MIME_LEAF;
		part->fields = &mime_fields_opaque;
		return;
	}
	add_part(m, index, part_of(m, index)->end);
}

/* A boundary line starts at m->line (or the message ends there): the current part and all that it
 * lies in, up to but without `container`, end before the line end in front of it. */
static void close_parts(struct mime_parser *m, int32_t container)
{
	uint64_t line_end = m->line - m->eol_bytes;
	uint64_t child_end = 0;

	for (int32_t i = m->current; i != container; i = part_of(m, i)->parent) {
		struct mime_part *part = part_of(m, i);
		uint64_t end = line_end;

		/* An empty line may be the end of a header block and of a body at once. */
		if (end < part->body_offset)
			end = part->body_offset;
		if (end < child_end)
			end = child_end;
		part->lines = m->line_lines - part->lines;
		if (end < m->line && part->lines > 0)
			part->lines--; /* the LF that belongs to the boundary */
		part->end = end;
		child_end = end;
		if (part->kind == MIME_MULTIPART && part->child == MIME_NONE)
			add_empty_child(m, i);
	}
	m->current = container;
}

static struct bytes without_blanks_behind(struct bytes line)
{
	while (line.n != 0 && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t' ||
	                          line.p[line.n - 1] == '\r' || line.p[line.n - 1] == '\n'))
		line.n--;
	return line;
}

/* Which open boundary is the line in m->start? Its index + 1, or 0. */
static uint8_t match_line(struct mime_parser *m, bool *closes)
{
	struct bytes line = without_blanks_behind(bytes_of(m->start, m->start_n));

	*closes = false;
	if (line.n < 3 || line.p[0] != '-' || line.p[1] != '-')
		return 0;
	line = bytes_from(line, 2);
	uint8_t opens = find_open(m, line);
	uint8_t shuts = 0;

	if (line.n > 2 && line.p[line.n - 1] == '-' && line.p[line.n - 2] == '-')
		shuts = find_open(m, without_blanks_behind(bytes_slice(line, 0, line.n - 2)));
	*closes = shuts > opens; /* boundaries "a" and, within, "a--": the inner one has it */
	return *closes ? shuts : opens;
}

/* The current line is whole. If it is a boundary line, act on it. */
static bool take_boundary(struct mime_parser *m)
{
	bool closes;
	uint8_t matched = match_line(m, &closes);

	if (matched == 0)
		return false;
	if (m->place == MIME_IN_HEADER) {
		m->header_n = m->header_line;
		cut_header(m, m->line, m->line_lines);
	}
	if (m->place == MIME_IN_REST)
		return true;
	int32_t container = m->open[matched - 1].part;

	close_parts(m, container);
	while (m->open_count > matched - (closes ? 1 : 0))
		pop_open(m);
	if (closes)
		m->place = MIME_IN_BODY;
	else
		start_part(m, container);
	return true;
}

/* ---- bytes ---- */

/* Keep the beginning of a line that may be a boundary; blanks beyond the room do not matter. */
static void keep_start(struct mime_parser *m, struct bytes in)
{
	size_t n = sizeof(m->start) - m->start_n;

	if (n > in.n)
		n = in.n;
	memcpy(m->start + m->start_n, in.p, n);
	m->start_n += n;
	if (without_blanks_behind(bytes_from(in, n)).n != 0)
		m->may_be_boundary = false;
}

static void keep_header(struct mime_parser *m, struct bytes in)
{
	size_t n = MIME_HEADER_KEPT_MAX - m->header_n;

	if (m->line_bytes == 0)
		m->header_line = m->header_n;
	if (n > in.n)
		n = in.n;
	if (m->header_n + n > m->header_room) {
		size_t room = m->header_room == 0 ? MIME_HEADER_FIRST : m->header_room;

		while (room < m->header_n + n)
			room *= 2;
		uint8_t *p = arena_grow(&m->scratch, m->header, m->header_room, room);

		if (p == NULL)
			return; /* its fields are read as far as they are there */
		m->header = p;
		m->header_room = room;
	}
	memcpy(m->header + m->header_n, in.p, n);
	m->header_n += n;
}

/* The current line has its LF; m->offset is behind it. */
static void end_line(struct mime_parser *m, uint8_t eol_bytes)
{
	m->lines++;
	bool boundary = m->may_be_boundary && take_boundary(m);

	if (!boundary && m->place == MIME_IN_HEADER && m->line_bytes == eol_bytes)
		end_header(m, m->offset, m->lines);
	m->eol_bytes = eol_bytes;
	m->line = m->offset;
	m->line_lines = m->lines;
	m->line_bytes = 0;
	m->start_n = 0;
	m->may_be_boundary = false;
}

/* How much more the block of the current part may hold. */
static size_t header_left(struct mime_parser *m)
{
	return MIME_HEADER_BYTES_MAX - (m->offset - part_of(m, m->current)->header_offset);
}

/* Some bytes of one line; with `whole` they end in its LF. */
static void take_bytes(struct mime_parser *m, struct bytes in, bool whole)
{
	uint8_t before = in.n > 1 ? in.p[in.n - 2] : (m->line_bytes > 0 ? m->last : 0);

	if (m->line_bytes == 0)
		m->may_be_boundary = in.p[0] == '-' && m->open_count > 0;
	if (m->may_be_boundary)
		keep_start(m, in);
	if (m->place == MIME_IN_HEADER)
		keep_header(m, in);
	m->line_bytes += in.n;
	m->offset += in.n;
	m->last = in.p[in.n - 1];
	if (whole)
		end_line(m, before == '\r' ? 2 : 1);
	if (m->place == MIME_IN_HEADER && header_left(m) == 0)
		cut_header(m, m->offset, m->lines);
}

static void take_rest(struct mime_parser *m, struct bytes in)
{
	m->offset += in.n;
	while (in.n != 0) {
		size_t lf = bytes_find(in, 0, '\n');

		m->lines += lf < in.n;
		in = bytes_from(in, lf < in.n ? lf + 1 : in.n);
	}
}

void mime_feed(struct mime_parser *m, struct bytes in)
{
	while (in.n != 0 && m->place != MIME_IN_REST) {
		size_t lf = bytes_find(in, 0, '\n');
		size_t n = lf < in.n ? lf + 1 : in.n;

		if (m->place == MIME_IN_HEADER)
			n = num_min(n, header_left(m));
		take_bytes(m, bytes_slice(in, 0, n), n == lf + 1);
		in = bytes_from(in, n);
	}
	if (in.n != 0)
		take_rest(m, in);
}

/* ---- begin and end ---- */

enum rp_err mime_init(struct mime_parser *m, struct arena *arena, enum mime_purpose purpose)
{
	*m = (struct mime_parser){.arena = arena,
	    .purpose = purpose,
	    .kept_room = MIME_KEPT_BYTES_MAX,
	    .addresses_left = ENVELOPE_MESSAGE_ADDRESSES_MAX};
	if (!reserve_part(m))
		return RP_ERR_NOMEM;
	arena_init(&m->scratch, MIME_SCRATCH_BYTES_MAX);
	m->current = add_part(m, MIME_NONE, 0);
	start_header(m);
	return RP_OK;
}

const struct mime *mime_finish(struct mime_parser *m)
{
	if (m->may_be_boundary && m->place != MIME_IN_REST)
		take_boundary(m);
	m->line = m->offset;
	m->line_lines = m->lines;
	m->eol_bytes = 0;
	cut_header(m, m->offset, m->lines);
	close_parts(m, MIME_NONE);
	m->tree.bytes = m->offset;
	mime_fini(m);
	return &m->tree;
}

void mime_fini(struct mime_parser *m)
{
	arena_fini(&m->scratch);
	m->header = NULL;
}

enum rp_err mime_parse(
    struct arena *arena, enum mime_purpose purpose, struct bytes message, struct mime *out)
{
	struct mime_parser *m = arena_alloc(arena, sizeof(*m));
	enum rp_err err = m == NULL ? RP_ERR_NOMEM : mime_init(m, arena, purpose);

	if (err != RP_OK)
		return err;
	mime_feed(m, message);
	*out = *mime_finish(m);
	return RP_OK;
}

int32_t mime_next(const struct mime *mime, int32_t index)
{
	if (mime->part[index].child != MIME_NONE)
		return mime->part[index].child;
	while (index != MIME_NONE && mime->part[index].next == MIME_NONE)
		index = mime->part[index].parent;
	return index == MIME_NONE ? MIME_NONE : mime->part[index].next;
}
