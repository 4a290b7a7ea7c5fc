#include "bench/load/content.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/load/dice.h"
#include "io/base/num.h"

enum {
	WORDS = 64,
	LINE_BYTES = 72, /* of text, without CRLF */
	ATTACHMENT_EACH = 8, /* one message of so many has an attachment, */
	PART_HEADERS_BYTES = 420, /* at most, of all parts of one message, boundaries and token too */
	ALTERNATIVE_EACH = 4, /* one has two alternatives */
};

static const char id_name[] = "X-Bench-Id: ";

static const char words[WORDS][8] = {"able", "about", "after", "again", "air", "all", "also", "animal",
    "answer", "around", "ask", "away", "back", "because", "before", "big", "boy", "came", "change",
    "come", "could", "day", "did", "differ", "down", "each", "end", "even", "farm", "father", "find",
    "first", "follow", "form", "found", "give", "good", "great", "hand", "help", "here", "home",
    "house", "just", "kind", "know", "land", "large", "learn", "letter", "line", "little", "live",
    "man", "mean", "most", "mother", "move", "much", "must", "name", "need", "new", "next"};

/* Where the message goes; what does not fit is dropped, as the last part is cut to size. */
struct pen {
	uint8_t *at;
	uint8_t *end;
};

static void put(struct pen *pen, const char *text, size_t n)
{
	n = num_min(n, (size_t)(pen->end - pen->at));
	memcpy(pen->at, text, n);
	pen->at += n;
}

static void put_text(struct pen *pen, const char *text)
{
	put(pen, text, strlen(text));
}

static struct dice dice_for(struct content_id id)
{
	return dice_of(id.seed, id.user, id.number);
}

void content_subject(struct content_id id, char subject[CONTENT_SUBJECT_BYTES])
{
	struct dice dice = dice_for(id);
	uint64_t draw = dice_next(&dice);

	snprintf(subject, CONTENT_SUBJECT_BYTES, "%s %s %s %u", words[draw % WORDS],
	    words[draw / WORDS % WORDS], words[draw / WORDS / WORDS % WORDS], id.number);
}

unsigned content_sender(struct content_id id)
{
	struct dice dice = dice_for(id);

	(void)dice_next(&dice);
	return (unsigned)dice_below(&dice, CONTENT_FROM_COUNT);
}

void content_from(unsigned sender, char from[CONTENT_SUBJECT_BYTES])
{
	snprintf(from, CONTENT_SUBJECT_BYTES, "sender%02u", sender);
}

void content_token(unsigned token, char text[CONTENT_SUBJECT_BYTES])
{
	snprintf(text, CONTENT_SUBJECT_BYTES, "token%03ux", token);
}

static void put_token(struct pen *pen, struct content_id id)
{
	char text[CONTENT_SUBJECT_BYTES];

	content_token(id.number % CONTENT_TOKENS, text);
	put_text(pen, text);
	put_text(pen, "\r\n");
}

static bool has_attachment(struct content_id id)
{
	return id.number % ATTACHMENT_EACH == 3;
}

static bool has_alternative(struct content_id id)
{
	return id.number % ALTERNATIVE_EACH == 1;
}

static void put_header(struct pen *pen, struct content_id id)
{
	char text[1024];
	char subject[CONTENT_SUBJECT_BYTES];
	char from[CONTENT_SUBJECT_BYTES];

	content_subject(id, subject);
	content_from(content_sender(id), from);
	int n = snprintf(text, sizeof(text),
	    "%s%016llx-%u-%u-%u\r\n"
	    "From: \"Sender of %s\" <%s@example.net>\r\n"
	    "To: user%u@example.org\r\n"
	    "Subject: %s\r\n"
	    "Date: Mon, %u Jan 2024 %02u:%02u:%02u +0000\r\n"
	    "Message-ID: <%016llx.%u.%u@example.net>\r\n"
	    "MIME-Version: 1.0\r\n",
	    id_name, (unsigned long long)id.seed, id.user, id.number, id.bytes, subject, from,
	    id.user, subject, 1 + id.number % 4 * 7, id.number / 3600 % 24, id.number / 60 % 60,
	    id.number % 60, (unsigned long long)id.seed, id.user, id.number);

	RP_ASSERT(n > 0 && (size_t)n < sizeof(text));
	put(pen, text, (size_t)n);
}

/* Lines of words, up to n bytes. */
static void put_words(struct pen *pen, struct dice *dice, size_t n)
{
	uint8_t *stop = pen->at + num_min(n, (size_t)(pen->end - pen->at));
	uint64_t draw = 0;
	size_t column = 0;
	unsigned left = 0;

	while (pen->at + 12 < stop) {
		if (left == 0) {
			draw = dice_next(dice);
			left = 10;
		}
		const char *word = words[draw % WORDS];

		draw /= WORDS;
		left--;
		for (; *word != '\0'; column++)
			*pen->at++ = (uint8_t)*word++;
		if (column >= LINE_BYTES - 8) {
			*pen->at++ = '\r';
			*pen->at++ = '\n';
			column = 0;
		} else {
			*pen->at++ = ' ';
			column++;
		}
	}
	put_text(pen, "\r\n");
}

/* Lines of base64, up to n bytes. */
static void put_base64(struct pen *pen, struct dice *dice, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t *stop = pen->at + num_min(n, (size_t)(pen->end - pen->at));

	while (pen->at + LINE_BYTES + 2 <= stop) {
		for (unsigned i = 0; i < LINE_BYTES; i += 8) {
			uint64_t draw = dice_next(dice);

			for (unsigned k = 0; k < 8; k++, draw >>= 6)
				*pen->at++ = (uint8_t)digits[draw & 63];
		}
		put_text(pen, "\r\n");
	}
}

/* Blank lines, and a last line of so many letters that all is as long as it must be. */
static void fill_up(struct pen *pen)
{
	RP_ASSERT(pen->end - pen->at >= 2);
	while (pen->end - pen->at >= LINE_BYTES + 4) {
		memset(pen->at, '=', LINE_BYTES);
		pen->at += LINE_BYTES;
		put_text(pen, "\r\n");
	}
	while (pen->end - pen->at > 2)
		*pen->at++ = '=';
	put_text(pen, "\r\n");
}

static void put_parts(struct pen *pen, struct dice *dice, struct content_id id)
{
	bool attachment = has_attachment(id);
	size_t room = (size_t)(pen->end - pen->at);

	room = room > PART_HEADERS_BYTES ? room - PART_HEADERS_BYTES : 0;
	put_text(pen, attachment ? "Content-Type: multipart/mixed; boundary=\"=-bench\"\r\n\r\n"
	                         : "Content-Type: multipart/alternative; boundary=\"=-bench\"\r\n\r\n");
	put_text(pen, "--=-bench\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n");
	put_token(pen, id);
	put_words(pen, dice, room / (attachment ? 8 : 3));
	if (attachment) {
		put_text(pen, "--=-bench\r\nContent-Type: application/octet-stream; name=\"data.bin\"\r\n"
		              "Content-Transfer-Encoding: base64\r\n"
		              "Content-Disposition: attachment; filename=\"data.bin\"\r\n\r\n");
		put_base64(pen, dice, room / 2);
	} else {
		put_text(pen, "--=-bench\r\nContent-Type: text/html; charset=us-ascii\r\n\r\n<p>");
		put_words(pen, dice, room / 3);
	}
	put_text(pen, "--=-bench--\r\n");
}

void content_make(struct content_id id, uint8_t *out)
{
	struct pen pen = {out, out + id.bytes};
	struct dice dice = dice_of(id.seed ^ 1, id.user, id.number);

	RP_ASSERT(id.bytes >= CONTENT_BYTES_MIN && id.bytes <= CONTENT_BYTES_MAX);
	put_header(&pen, id);
	if (has_attachment(id) || has_alternative(id)) {
		put_parts(&pen, &dice, id);
	} else {
		put_text(&pen, "Content-Type: text/plain; charset=us-ascii\r\n\r\n");
		put_token(&pen, id);
		put_words(&pen, &dice, (size_t)(pen.end - pen.at));
	}
	fill_up(&pen);
}

bool content_id_parse(struct bytes line, struct content_id *id)
{
	char text[80];
	unsigned long long seed;
	int end = 0;

	if (line.n >= sizeof(text) || !bytes_starts_with(line, bytes_of_str(id_name)))
		return false;
	memcpy(text, line.p, line.n);
	text[line.n] = '\0';
	if (sscanf(text + sizeof(id_name) - 1, "%16llx-%u-%u-%u%n", &seed, &id->user, &id->number, &id->bytes, &end) != 4)
		return false;
	id->seed = seed;
	return (size_t)end + sizeof(id_name) - 1 == line.n && id->bytes >= CONTENT_BYTES_MIN &&
	       id->bytes <= CONTENT_BYTES_MAX;
}

enum rp_err content_check(struct bytes message, struct content_id *id, const char **fault)
{
	size_t at = bytes_find_bytes(message, bytes_of_str(id_name));
	struct content_id found;

	*fault = "a message without an id of ours";
	if (at == message.n || (at > 0 && message.p[at - 1] != '\n'))
		return RP_ERR_CORRUPT;
	struct bytes ours = bytes_from(message, at);

	if (!content_id_parse(bytes_slice(ours, 0, bytes_find(ours, 0, '\r')), &found))
		return RP_ERR_CORRUPT;
	*fault = "a message that is shorter or longer than it was";
	if (ours.n != found.bytes)
		return RP_ERR_CORRUPT;
	uint8_t *anew = malloc(found.bytes);

	if (anew == NULL)
		return RP_ERR_NOMEM;
	content_make(found, anew);
	bool same = memcmp(anew, ours.p, ours.n) == 0;

	free(anew);
	*fault = "a message with other bytes than it had";
	if (!same)
		return RP_ERR_CORRUPT;
	*fault = NULL;
	*id = found;
	return RP_OK;
}
