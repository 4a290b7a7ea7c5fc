/* The log's memory: chunks, the first ones of the loop's pinned memory, others as they are needed. */
#include <stdlib.h>

#include "index/commit_core.h"
#include "io/base/num.h"

/* The loop's pinned memory is the log's. */
void commit_core_divide_pinned(struct commit *commit)
{
	size_t bytes;

	commit->pinned = loop_pinned(commit->loop, &bytes);
	for (size_t i = 0; i < 64 && (i + 1) * commit->chunk_bytes <= bytes; i++)
		commit->pinned_free |= UINT64_C(1) << i;
}

/* Pinned memory first. */
static struct commit_chunk *make_chunk(struct commit *commit)
{
	struct commit_chunk *chunk = malloc(sizeof(*chunk));

	if (chunk == NULL)
		return NULL;
	chunk->pinned = commit->pinned_free != 0;
	if (chunk->pinned) {
		unsigned i = (unsigned)__builtin_ctzll(commit->pinned_free);

		commit->pinned_free &= commit->pinned_free - 1;
		chunk->p = commit->pinned + i * commit->chunk_bytes;
	} else {
		chunk->p = aligned_alloc(LOGFILE_BLOCK_BYTES, commit->chunk_bytes);
	}
	if (chunk->p == NULL) {
		free(chunk);
		return NULL;
	}
	list_init(&chunk->link);
	return chunk;
}

static void free_chunk(struct commit *commit, struct commit_chunk *chunk)
{
	if (chunk->pinned)
		commit->pinned_free |= UINT64_C(1)
		    << ((size_t)(chunk->p - commit->pinned) / commit->chunk_bytes);
	else
		free(chunk->p);
	free(chunk);
}

/* Spare chunks for `bytes` of records more, with what lies between them. */
enum rp_err commit_core_have_spares(struct commit *commit, uint64_t bytes)
{
	uint64_t wanted = bytes / (commit->chunk_bytes / 4) + COMMIT_CHUNKS_SPARE;

	while (commit->spares_count < wanted) {
		struct commit_chunk *chunk = make_chunk(commit);

		if (chunk == NULL)
			return RP_ERR_NOMEM;
		list_push_back(&commit->spares, &chunk->link);
		commit->spares_count++;
	}
	return RP_OK;
}

struct commit_chunk *commit_core_newest_chunk(struct commit *commit)
{
	if (list_empty(&commit->chunks))
		return NULL;
	return RP_CONTAINER_OF(commit->chunks.prev, struct commit_chunk, link);
}

static struct list *first_not_pinned(struct commit *commit)
{
	struct list *link = commit->spares.next;

	while (link != &commit->spares &&
	    RP_CONTAINER_OF(link, struct commit_chunk, link)->pinned)
		link = link->next;
	return link;
}

static void unref_chunk(struct commit *commit, struct commit_chunk *chunk)
{
	RP_ASSERT(chunk->refs > 0);
	if (--chunk->refs > 0)
		return;
	list_del(&chunk->link);
	commit->chunks_count--;
	/* The pinned ones are always kept, and used before others; of those the one that is warm still. */
	if (chunk->pinned || commit->spares_count < COMMIT_CHUNKS_KEPT) {
		list_insert_before(
		    chunk->pinned ? commit->spares.next : first_not_pinned(commit), &chunk->link);
		commit->spares_count++;
		return;
	}
	free_chunk(commit, chunk);
}

/* A chunk takes the newest one's place. */
struct commit_chunk *commit_core_next_chunk(struct commit *commit)
{
	struct commit_chunk *old = commit_core_newest_chunk(commit);
	struct list *link = list_pop_front(&commit->spares);
	struct commit_chunk *chunk;

	if (link != NULL) {
		chunk = RP_CONTAINER_OF(link, struct commit_chunk, link);
		commit->spares_count--;
	} else {
		chunk = make_chunk(commit);
		if (chunk == NULL)
			assert_panic("no memory for a commit that was promised");
	}
	chunk->front = 0;
	chunk->back = commit->chunk_bytes;
	chunk->refs = 1;
	list_push_back(&commit->chunks, &chunk->link);
	commit->chunks_count++;
	if (old != NULL)
		unref_chunk(commit, old);
	return chunk;
}

uint64_t commit_core_live_bytes(const struct commit_segment *segment)
{
	return num_round_up(segment->used, LOGFILE_BLOCK_BYTES);
}

void commit_core_unref_segment(struct commit *commit, struct commit_segment *segment)
{
	RP_ASSERT(segment->refs > 0);
	if (--segment->refs > 0)
		return;
	list_del(&segment->alive);
	commit->live_bytes -= commit_core_live_bytes(segment);
	unref_chunk(commit, segment->chunk);
	task_queue_wake(&commit->room);
}

void commit_core_free_chunks(struct commit *commit)
{
	for (struct list *link; (link = list_pop_front(&commit->chunks)) != NULL;)
		free_chunk(commit, RP_CONTAINER_OF(link, struct commit_chunk, link));
	for (struct list *link; (link = list_pop_front(&commit->spares)) != NULL;)
		free_chunk(commit, RP_CONTAINER_OF(link, struct commit_chunk, link));
}
