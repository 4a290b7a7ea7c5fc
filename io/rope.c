#include "io/rope.h"

#include <stdlib.h>

#include "io/base/num.h"

enum {
	ROPE_OWNED_BYTES_MIN = 1024 - 64,      /* a span at first: most answers fit */
	ROPE_OWNED_FACTOR = 2,                 /* when one was filled, the next is so much larger */
	ROPE_OWNED_BYTES_MAX = 16 * 1024 - 64, /* at most; about a TLS record */
	ROPE_RESERVE_BYTES_MAX = 64 * 1024,
	ROPE_BORROW_BYTES_MIN = 512, /* below this a copy is cheaper than a span */
};

struct rope_span {
	struct rope_span *next;
	uint64_t gate;
	const uint8_t *p; /* not consumed yet: p[0, n) */
	size_t n;
	rope_release_fn *release; /* borrowed spans; may be NULL */
	void *release_arg;
	size_t room; /* owned spans: bytes free behind p[n); 0 for borrowed ones */
	bool is_owned;
	uint8_t owned[];
};

void rope_init(struct rope *rope)
{
	*rope = (struct rope){0};
}

static void free_span(struct rope_span *span)
{
	if (span->release != NULL)
		span->release(span->release_arg);
	free(span);
}

static void drop_first(struct rope *rope)
{
	struct rope_span *span = rope->first;

	rope->first = span->next;
	if (rope->first == NULL)
		rope->last = NULL;
	rope->bytes -= span->n;
	free_span(span);
}

void rope_fini(struct rope *rope)
{
	if (rope == NULL)
		return;
	while (rope->first != NULL)
		drop_first(rope);
	rope_init(rope);
}

void rope_stamp(struct rope *rope, uint64_t gate)
{
	if (gate > rope->gate)
		rope->gate = gate;
}

/* The new last span, with `room` bytes of its own; NULL: the rope has failed. */
static struct rope_span *add_span(struct rope *rope, size_t room)
{
	struct rope_span *span = rope->failed ? NULL : malloc(sizeof(*span) + room);

	if (span == NULL) {
		rope->failed = true;
		return NULL;
	}
	*span = (struct rope_span){
	    .gate = rope->gate, .p = span->owned, .room = room, .is_owned = room > 0};
	if (rope->last != NULL)
		rope->last->next = span;
	else
		rope->first = span;
	rope->last = span;
	return span;
}

uint8_t *rope_reserve(struct rope *rope, size_t n)
{
	RP_ASSERT(n <= ROPE_RESERVE_BYTES_MAX);
	struct rope_span *last = rope->last;

	if (rope->failed)
		return NULL;
	if (last == NULL || last->gate != rope->gate || last->room < n || last->room == 0) {
		/* Only who has filled a span gets a large one: answers of a few bytes, each behind
		 * a gate or a body of its own, may be many. */
		bool filled = last != NULL && last->is_owned && last->gate == rope->gate;
		size_t had = filled ? (size_t)(last->p - last->owned) + last->n + last->room : 0;
		size_t room = num_min(num_max(had * ROPE_OWNED_FACTOR, ROPE_OWNED_BYTES_MIN), ROPE_OWNED_BYTES_MAX);

		last = add_span(rope, room < n ? n : room);
		if (last == NULL)
			return NULL;
	}
	rope->reserved = true;
	return (uint8_t *)last->p + last->n;
}

void rope_advance(struct rope *rope, size_t n)
{
	struct rope_span *last = rope->last;

	if (rope->failed)
		return;
	RP_ASSERT(last != NULL && n <= last->room);
	rope->reserved = false;
	last->n += n;
	last->room -= n;
	rope->bytes += n;
}

void rope_put(struct rope *rope, struct bytes b)
{
	while (b.n > 0) {
		struct rope_span *last = rope->last;
		size_t n = b.n;

		/* Fill what room there is, then go on in a large span. */
		if (last != NULL && last->gate == rope->gate && last->room > 0 && n > last->room)
			n = last->room;
		else if (n > ROPE_OWNED_BYTES_MAX)
			n = ROPE_OWNED_BYTES_MAX;
		uint8_t *p = rope_reserve(rope, n);

		if (p == NULL)
			return;
		memcpy(p, b.p, n);
		rope_advance(rope, n);
		b = bytes_from(b, n);
	}
}

void rope_put_str(struct rope *rope, const char *text)
{
	rope_put(rope, bytes_of_str(text));
}

void rope_borrow(struct rope *rope, struct bytes b, rope_release_fn *release, void *arg)
{
	struct rope_span *span = NULL;

	if (b.n >= ROPE_BORROW_BYTES_MIN)
		span = add_span(rope, 0);
	if (span == NULL) {
		rope_put(rope, b);
		if (release != NULL)
			release(arg);
		return;
	}
	span->p = b.p;
	span->n = b.n;
	span->release = release;
	span->release_arg = arg;
	rope->bytes += b.n;
}

void rope_append(struct rope *to, struct rope *from)
{
	if (to->failed) {
		rope_fini(from);
		return;
	}
	for (struct rope_span *s = from->first; s != NULL; s = s->next) {
		rope_stamp(to, s->gate);
		s->gate = to->gate;
	}
	rope_stamp(to, from->gate);
	to->failed |= from->failed;
	if (from->first != NULL) {
		if (to->last != NULL)
			to->last->next = from->first;
		else
			to->first = from->first;
		to->last = from->last;
		to->bytes += from->bytes;
	}
	rope_init(from);
}

/* Room that was reserved and never used is a span without bytes. */
static const struct rope_span *first_with_bytes(const struct rope *rope)
{
	const struct rope_span *span = rope->first;

	while (span != NULL && span->n == 0)
		span = span->next;
	return span;
}

struct bytes rope_peek(const struct rope *rope, uint64_t durable)
{
	const struct rope_span *first = first_with_bytes(rope);

	if (first == NULL || first->gate > durable)
		return (struct bytes){NULL, 0};
	return (struct bytes){first->p, first->n};
}

void rope_consume(struct rope *rope, size_t n)
{
	RP_ASSERT(n <= rope->bytes);
	while (n > 0) {
		struct rope_span *first = rope->first;

		if (n < first->n || (first == rope->last && rope->reserved)) {
			first->p += n;
			first->n -= n;
			rope->bytes -= n;
			return;
		}
		n -= first->n;
		drop_first(rope);
	}
}

/* Hang one span behind `last`, or (NULL) make it the only one. */
static void keep_last(struct rope *rope, struct rope_span *last, struct rope_span *span)
{
	if (last != NULL)
		last->next = span;
	else
		rope->first = span;
	rope->last = span;
}

void rope_cut(struct rope *rope, uint64_t durable)
{
	struct rope_span **at = &rope->first;
	struct rope_span *last = NULL;

	/* Gates only rise along the rope: the first that may not leave ends it. */
	while (*at != NULL && (*at)->gate <= durable) {
		last = *at;
		at = &last->next;
	}
	struct rope_span *span = *at;

	*at = NULL;
	rope->last = last;
	while (span != NULL) {
		struct rope_span *next = span->next;

		rope->bytes -= span->n;
		if (next == NULL && rope->reserved) {
			/* Its room is being written in: it stays, empty. */
			span->n = 0;
			keep_last(rope, last, span);
		} else {
			free_span(span);
		}
		span = next;
	}
}

uint64_t rope_first_gate(const struct rope *rope)
{
	const struct rope_span *first = first_with_bytes(rope);

	return first != NULL ? first->gate : 0;
}
