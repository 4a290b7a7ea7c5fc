#include "bench/load/mirror.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/base/num.h"

static bool wrong(struct mirror *mirror, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool wrong(struct mirror *mirror, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(mirror->fault, sizeof(mirror->fault), format, args);
	va_end(args);
	return false;
}

void mirror_fini(struct mirror *mirror)
{
	free(mirror->message);
	mirror->message = NULL;
	mirror->room = 0;
	mirror->exists = 0;
}

void mirror_select_begin(struct mirror *mirror)
{
	mirror->selecting = true;
	mirror->selected = true;
	mirror->exists_before = mirror->exists;
	mirror->exists = UINT32_MAX; /* to be told */
}

bool mirror_select_end(struct mirror *mirror)
{
	mirror->selecting = false;
	if (mirror->exists == UINT32_MAX) {
		mirror->exists = 0;
		return wrong(mirror, "SELECT told no EXISTS");
	}
	if (mirror->uidvalidity == 0)
		return wrong(mirror, "SELECT told no UIDVALIDITY");
	return true;
}

void mirror_leave(struct mirror *mirror)
{
	if (mirror->selecting)
		mirror->exists = mirror->exists_before;
	mirror->selecting = false;
	mirror->selected = false;
}

static bool make_room(struct mirror *mirror, uint32_t count)
{
	uint32_t room = (uint32_t)num_max(mirror->room, 64);

	if (count > MIRROR_MESSAGES_MAX)
		return wrong(mirror, "%u messages EXIST", count);
	if (count <= mirror->room)
		return true;
	while (room < count)
		room *= 2;
	void *p = realloc(mirror->message, room * sizeof(*mirror->message));

	if (p == NULL)
		return wrong(mirror, "no memory for %u messages", count);
	mirror->message = p;
	mirror->room = room;
	return true;
}

/* Messages from..count are there and unknown. */
static bool extend(struct mirror *mirror, uint32_t from, uint32_t count)
{
	if (!make_room(mirror, count))
		return false;
	for (uint32_t i = from; i < count; i++)
		mirror->message[i] = (struct mirror_message){.number = MIRROR_NUMBER_NONE};
	mirror->exists = count;
	return true;
}

bool mirror_exists(struct mirror *mirror, uint32_t exists)
{
	if (!mirror->selected)
		return wrong(mirror, "%u EXISTS without a mailbox", exists);
	if (!mirror->selecting || mirror->exists != UINT32_MAX) {
		if (exists < mirror->exists)
			return wrong(mirror, "%u EXISTS where there were %u", exists, mirror->exists);
		return extend(mirror, mirror->exists, exists);
	}
	if (exists >= mirror->exists_before)
		return extend(mirror, mirror->exists_before, exists);
	if (mirror->sole)
		return wrong(mirror, "%u EXISTS at SELECT where %u were left and nobody else expunges",
		    exists, mirror->exists_before);
	/* Others have expunged meanwhile; which, nobody says here. */
	return extend(mirror, 0, exists);
}

bool mirror_expunge(struct mirror *mirror, uint32_t seqno)
{
	if (!mirror->selected || mirror->selecting)
		return wrong(mirror, "EXPUNGE without a mailbox");
	struct mirror_message *message = mirror_at(mirror, seqno);

	if (message == NULL)
		return wrong(mirror, "EXPUNGE of %u of %u messages", seqno, mirror->exists);
	if (mirror->sole && message->flags_known && (message->flags & RESPONSE_DELETED) == 0)
		return wrong(mirror, "EXPUNGE of %u (UID %u), which is not \\Deleted", seqno, message->uid);
	memmove(message, message + 1, (mirror->exists - seqno) * sizeof(*message));
	mirror->exists--;
	return true;
}

static bool take_uid(struct mirror *mirror, uint32_t seqno, uint32_t uid)
{
	struct mirror_message *message = mirror_at(mirror, seqno);
	const struct mirror_message *before = mirror_at(mirror, seqno - 1);
	const struct mirror_message *after = mirror_at(mirror, seqno + 1);

	if (message->uid == uid)
		return true;
	if (message->uid != 0)
		return wrong(mirror, "message %u has UID %u and had %u", seqno, uid, message->uid);
	if ((before != NULL && before->uid >= uid) ||
	    (after != NULL && after->uid != 0 && after->uid <= uid))
		return wrong(mirror, "message %u has UID %u, which does not rise", seqno, uid);
	message->uid = uid;
	return true;
}

static bool take_modseq(struct mirror *mirror, uint32_t seqno, const struct response_fetch *fetch)
{
	struct mirror_message *message = mirror_at(mirror, seqno);

	if (fetch->modseq < message->modseq)
		return wrong(mirror, "message %u has MODSEQ %llu and had %llu", seqno,
		    (unsigned long long)fetch->modseq, (unsigned long long)message->modseq);
	if (fetch->modseq == message->modseq && fetch->has_flags && message->flags_known &&
	    (fetch->flags & ~RESPONSE_RECENT) != message->flags)
		return wrong(mirror, "message %u has other flags with the MODSEQ %llu that it had", seqno,
		    (unsigned long long)fetch->modseq);
	message->modseq = fetch->modseq;
	return true;
}

static bool take_flags(struct mirror *mirror, uint32_t seqno, uint8_t flags)
{
	struct mirror_message *message = mirror_at(mirror, seqno);

	flags &= (uint8_t)~RESPONSE_RECENT;
	if (mirror->sole && message->flags_known && message->flags != flags)
		return wrong(mirror, "message %u (UID %u) has flags %#x and must have %#x", seqno,
		    message->uid, flags, message->flags);
	message->flags = flags;
	message->flags_known = true;
	return true;
}

bool mirror_fetch(struct mirror *mirror, const struct response_fetch *fetch)
{
	if (!mirror->selected || mirror->selecting)
		return wrong(mirror, "FETCH without a mailbox");
	if (mirror_at(mirror, fetch->seqno) == NULL)
		return wrong(mirror, "FETCH of %u of %u messages", fetch->seqno, mirror->exists);
	return (!fetch->has_uid || take_uid(mirror, fetch->seqno, fetch->uid)) &&
	       (!fetch->has_modseq || take_modseq(mirror, fetch->seqno, fetch)) &&
	       (!fetch->has_flags || take_flags(mirror, fetch->seqno, fetch->flags));
}

static bool number_of(struct bytes text, uint64_t max, uint64_t *out)
{
	return bytes_to_u64(text, max, out) && *out > 0;
}

bool mirror_code(struct mirror *mirror, const struct response *response)
{
	struct bytes argument;
	uint64_t number;

	if (!mirror->selected)
		return true;
	if (response_code_is(response, BYTES_LIT("UIDVALIDITY"), &argument)) {
		if (!number_of(argument, UINT32_MAX, &number))
			return wrong(mirror, "UIDVALIDITY without a number");
		if (mirror->uidvalidity != 0 && mirror->uidvalidity != number)
			return wrong(mirror, "UIDVALIDITY %llu, it was %u", (unsigned long long)number,
			    mirror->uidvalidity);
		mirror->uidvalidity = (uint32_t)number;
	} else if (response_code_is(response, BYTES_LIT("UIDNEXT"), &argument)) {
		if (!number_of(argument, UINT32_MAX, &number) || number < mirror->uidnext)
			return wrong(mirror, "UIDNEXT %.*s, it was %u", BYTES_FMT(argument), mirror->uidnext);
		mirror->uidnext = (uint32_t)number;
	} else if (response_code_is(response, BYTES_LIT("HIGHESTMODSEQ"), &argument)) {
		if (!number_of(argument, INT64_MAX, &number) || number < mirror->highestmodseq)
			return wrong(mirror, "HIGHESTMODSEQ %.*s, it was %llu", BYTES_FMT(argument),
			    (unsigned long long)mirror->highestmodseq);
		mirror->highestmodseq = number;
	}
	return true;
}

void mirror_set_flags(struct mirror *mirror, uint32_t seqno, uint8_t add, uint8_t remove)
{
	struct mirror_message *message = mirror_at(mirror, seqno);

	RP_ASSERT(message != NULL);
	message->flags = (uint8_t)((message->flags | add) & ~remove);
}

bool mirror_set_number(struct mirror *mirror, uint32_t seqno, uint32_t number)
{
	struct mirror_message *message = mirror_at(mirror, seqno);

	RP_ASSERT(message != NULL);
	if (message->number != MIRROR_NUMBER_NONE && message->number != number)
		return wrong(mirror, "message %u (UID %u) is content %u, it was %u", seqno, message->uid,
		    number, message->number);
	message->number = number;
	return true;
}

struct mirror_message *mirror_at(const struct mirror *mirror, uint32_t seqno)
{
	return seqno >= 1 && seqno <= mirror->exists && mirror->exists != UINT32_MAX
	           ? &mirror->message[seqno - 1]
	           : NULL;
}

uint32_t mirror_seqno_of(const struct mirror *mirror, uint32_t uid)
{
	uint32_t low = 0;
	uint32_t high = mirror->exists;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		uint32_t there = mirror->message[middle].uid;

		if (there == uid)
			return middle + 1;
		if (there != 0 && there < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

uint32_t mirror_count(const struct mirror *mirror, uint8_t set, uint8_t clear)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < mirror->exists; i++) {
		const struct mirror_message *message = &mirror->message[i];

		if (!message->flags_known)
			return UINT32_MAX;
		count += (message->flags & set) == set && (message->flags & clear) == 0;
	}
	return count;
}
