/* Real mail, and what other parsers say of it. The corpus is no part of the project: where it is
 * not there, these tests are skipped. RP_CORPUS names the folder. */
#include <criterion/criterion.h>

#include "core/mail/bodystructure.h"
#include "core/mail/normalise.h"
#include "tests/support/mail/mail_check.h"

#include <dirent.h>
#include <fcntl.h>
#include <fts.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena arena;
static char root[4096];

static void set_up(void)
{
	const char *corpus = getenv("RP_CORPUS");
	struct stat st;

	arena_init(&arena, 256 << 20);
	snprintf(root, sizeof(root), "%s", corpus != NULL ? corpus : "");
	if (root[0] == 0 || stat(root, &st) != 0)
		cr_skip_test("skipped: no corpus of mail here (RP_CORPUS)");
}

static void tear_down(void)
{
	arena_fini(&arena);
}

TestSuite(corpus, .init = set_up, .fini = tear_down, .timeout = 120);

/* A whole file, in the arena. .p == NULL: there is none. */
static struct bytes read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return (struct bytes){NULL, 0};
	uint8_t *p = arena_alloc(&arena, (size_t)st.st_size + 1);

	cr_assert_not_null(p);
	cr_assert_eq(read(fd, p, (size_t)st.st_size), st.st_size);
	close(fd);
	p[st.st_size] = 0; /* not counted: for those who scan it as text */
	return bytes_of(p, (size_t)st.st_size);
}

static struct bytes normalised(struct bytes in)
{
	uint8_t *out = arena_alloc(&arena, 2 * in.n + 2);
	struct normalise state = {0};
	struct bytes span;
	size_t n = 0;

	while ((span = normalise_next(&state, &in)).n != 0) {
		memcpy(out + n, span.p, span.n);
		n += span.n;
	}
	span = normalise_finish(&state);
	if (span.n != 0)
		memcpy(out + n, span.p, span.n);
	return bytes_of(out, n + span.n);
}

static struct bytes without_cr(struct bytes in)
{
	uint8_t *out = arena_alloc(&arena, in.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] != '\r' || i + 1 == in.n || in.p[i + 1] != '\n')
			out[n++] = in.p[i];
	return bytes_of(out, n);
}

static struct mime parse(struct bytes message)
{
	struct mime mime;

	cr_assert_eq(mime_parse(&arena, MIME_FOR_INDEX, message, &mime), RP_OK);
	return mime;
}

static void check_message(const char *path, struct bytes message)
{
	struct mime mime = parse(message);
	struct mime_parser *cut = arena_alloc(&arena, sizeof(*cut));
	struct text text;
	const char *wrong = mail_check_tree(&mime);

	cr_expect_null(wrong, "%s: %s", path, wrong);
	wrong = mail_check_envelope(mime.part[0].envelope);
	cr_expect_null(wrong, "%s: ENVELOPE: %s", path, wrong);
	text_init(&text, &arena);
	cr_expect(bodystructure_render(&text, &mime, BODYSTRUCTURE_EXTENDED));
	wrong = mail_check_body(text_bytes(&text), true);
	cr_expect_null(wrong, "%s: BODYSTRUCTURE: %s", path, wrong);

	cr_assert_eq(mime_init(cut, &arena, MIME_FOR_SECTIONS), RP_OK);
	for (size_t at = 0; at < message.n; at += 777)
		mime_feed(
		    cut, bytes_slice(message, at, at + 777 < message.n ? at + 777 : message.n));
	const struct mime *again = mime_finish(cut);

	cr_assert_eq(again->count, mime.count, "%s", path);
	for (int32_t i = 0; i < mime.count; i++) {
		cr_expect_eq(again->part[i].end, mime.part[i].end, "%s", path);
		cr_expect_eq(again->part[i].lines, mime.part[i].lines, "%s", path);
	}
}

/* Every file, mail or not, as it is and with its line ends made normal. */
Test(corpus, every_file_has_a_sound_tree_and_sound_texts)
{
	char *const paths[] = {root, NULL};
	FTS *fts = fts_open(paths, FTS_PHYSICAL, NULL);
	size_t count = 0;

	for (FTSENT *entry; (entry = fts_read(fts)) != NULL;) {
		if (entry->fts_info != FTS_F)
			continue;
		struct bytes in = read_file(entry->fts_path);

		cr_assert_not_null(in.p);
		check_message(entry->fts_path, in);
		check_message(entry->fts_path, normalised(in));
		arena_reset(&arena);
		count++;
	}
	fts_close(fts);
	cr_expect_geq(count, 1000);
}

/* ---- stalwart-mail-parser: offsets of every part ---- */

static bool in_list(const char *name, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(name, *list) == 0)
			return true;
	return false;
}

static uint64_t number_of(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* A part of theirs and one of ours, side by side. Depth is that of a few well-formed messages. */
static bool same_part(const json_t *parts, size_t theirs, const struct mime *mime, int32_t ours)
{
	const json_t *part = json_array_get(parts, theirs);
	const json_t *body = json_object_get(part, "body");
	const json_t *children = json_object_get(body, "Multipart");
	const json_t *message = json_object_get(body, "Message");
	const struct mime_part *mine = &mime->part[ours];

	if (number_of(part, "offset_header") != mine->header_offset ||
	    number_of(part, "offset_body") != mine->body_offset ||
	    number_of(part, "offset_end") != mine->end)
		return false;
	if (message != NULL)
		return mine->kind == MIME_MESSAGE &&
		       same_part(json_object_get(message, "parts"), 0, mime, mine->child);
	int32_t child = mine->child;

	for (size_t i = 0; i < json_array_size(children); i++) {
		size_t index = (size_t)json_integer_value(json_array_get(children, i));

		if (child == MIME_NONE || !same_part(parts, index, mime, child))
			return false;
		child = mime->part[child].next;
	}
	return child == MIME_NONE;
}

static bool same_as_stalwart(const char *folder, const char *name)
{
	char path[4608];
	json_error_t error;
	const bool crlf = strstr(name, ".crlf.") != NULL;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	json_t *json = json_load_file(path, JSON_ALLOW_NUL, &error);

	cr_assert_not_null(json, "%s: %s", path, error.text);
	snprintf(path, sizeof(path), "%s/%.3s.eml", folder, name);
	struct bytes in = read_file(path);

	cr_assert_not_null(in.p, "%s", path);
	struct mime mime = parse(crlf ? normalised(in) : without_cr(in));
	bool same = same_part(json_object_get(json, "parts"), 0, &mime, 0);

	json_decref(json);
	arena_reset(&arena);
	return same;
}

/* Where we differ, and why. */
static const char *const differs_from_stalwart[] = {
    "rfc/008.json",
    "rfc/008.crlf.json", /* looks into message/rfc822 in base64 */
    "legacy/049.json",
    "legacy/049.crlf.json", /* leaves the last LF out of the message */
    "thirdparty/005.json",
    "thirdparty/005.crlf.json", /* takes a boundary within a line */
    "thirdparty/015.json",
    "thirdparty/015.crlf.json", /* ignores one in a header block */
    "malformed/000.json",
    "malformed/000.crlf.json",
    "malformed/007.json",
    "malformed/007.crlf.json",
    "malformed/014.json",
    "malformed/014.crlf.json",
    "malformed/019.json",
    "malformed/019.crlf.json", /* the same; or at the end of the message */
    "malformed/001.json",
    "malformed/001.crlf.json",
    "malformed/004.json",
    "malformed/004.crlf.json",
    "malformed/008.json",
    "malformed/008.crlf.json",
    "malformed/016.json",
    "malformed/016.crlf.json", /* a boundary that begins like another is one there */
    "malformed/009.json",
    "malformed/009.crlf.json",
    "malformed/011.json",
    "malformed/011.crlf.json",
    "malformed/012.json",
    "malformed/012.crlf.json",
    "malformed/013.json",
    "malformed/013.crlf.json", /* an outer boundary does not end what is within there (RFC 2046, 5.1.2) */
    "malformed/002.json",
    "malformed/002.crlf.json", /* a multipart without its boundary is a text there */
    "malformed/020.json",
    "malformed/020.crlf.json",
    "malformed/021.json",
    "malformed/021.crlf.json", /* of two Content-Types the last counts there */
    "malformed/022.json",
    "malformed/022.crlf.json", /* a message/rfc822 that is no message is a text there */
    NULL,
};

Test(corpus, stalwart_finds_the_same_parts_at_the_same_places)
{
	static const char *const folders[] = {"rfc", "legacy", "thirdparty", "malformed"};
	size_t count = 0;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char folder[4200];

		snprintf(
		    folder, sizeof(folder), "%s/stalwart-mail-parser/eml/%s", root, folders[i]);
		DIR *dir = opendir(folder);

		for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
			char name[600];
			size_t n = strlen(entry->d_name);

			if (n < 6 || strcmp(entry->d_name + n - 5, ".json") != 0)
				continue;
			snprintf(name, sizeof(name), "%s/%s", folders[i], entry->d_name);
			cr_expect_eq(same_as_stalwart(folder, entry->d_name),
			    !in_list(name, differs_from_stalwart), "%s", name);
			count++;
		}
		if (dir != NULL)
			closedir(dir);
	}
	cr_expect_geq(count, 100);
}

/* ---- mime4j: the nesting of messages, multiparts and parts ---- */

static void put_outline(struct text *out, const struct mime *mime, int32_t index, const char *tag)
{
	const struct mime_part *part = &mime->part[index];

	text_put_byte(out, '<');
	text_put_str(out, tag);
	text_put_byte(out, '>');
	if (part->kind == MIME_MESSAGE)
		put_outline(out, mime, part->child, "message");
	if (part->kind == MIME_MULTIPART) {
		text_put_str(out, "<multipart>");
		for (int32_t i = part->child; i != MIME_NONE; i = mime->part[i].next)
			put_outline(out, mime, i, "body-part");
		text_put_str(out, "</multipart>");
	}
	text_put_str(out, "</");
	text_put_str(out, tag);
	text_put_byte(out, '>');
}

/* Only the tags that matter, which stand at the start of a line. */
static void put_tags(struct text *out, const char *xml)
{
	static const char *const tags[] = {"<message>", "</message>", "<multipart>", "</multipart>",
	    "<body-part>", "</body-part>"};

	for (const char *line = xml; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
			if (strncmp(line, tags[i], strlen(tags[i])) == 0)
				text_put_str(out, tags[i]);
	}
}

static const char *const differs_from_mime4j[] = {
    /* a multipart without parts has one empty part here (C-51) */
    "badbound",
    "missing-boundary",
    "missing-inner-boundary",
    "missing-inner-start-boundary",
    "multipartnopart",
    /* looks into message/rfc822 in base64 */
    "multi-2gifs-base64",
    "bad-newlines-multiple-parts-base64",
    "base64encoded-rfc822message",
    "base64encoded-rfc822message-nested",
    /* blanks behind a boundary matter there */
    "weird-boundary",
    "very-long-boundary",
    /* a boundary of more than 1,000 bytes */
    "very-very-long-boundary",
    NULL,
};

Test(corpus, mime4j_finds_the_same_nesting)
{
	static const char *const folders[] = {"mime4j/testmsgs", "mime4j/mimetools-testmsgs"};
	size_t count = 0;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[4600];

		snprintf(path, sizeof(path), "%s/%s", root, folders[i]);
		DIR *dir = opendir(path);

		for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
			size_t n = strlen(entry->d_name);
			char name[256];
			struct text want, got;

			if (n < 5 || strcmp(entry->d_name + n - 4, ".msg") != 0)
				continue;
			snprintf(name, sizeof(name), "%.*s", (int)(n - 4), entry->d_name);
			snprintf(path, sizeof(path), "%s/%s/%s.xml", root, folders[i], name);
			struct bytes xml = read_file(path);

			if (xml.p == NULL)
				continue;
			snprintf(path, sizeof(path), "%s/%s/%s.msg", root, folders[i], name);
			struct mime mime = parse(read_file(path));

			text_init(&want, &arena);
			text_init(&got, &arena);
			put_tags(&want, (const char *)xml.p);
			put_outline(&got, &mime, 0, "message");
			cr_expect_eq(bytes_eq(text_bytes(&want), text_bytes(&got)),
			    !in_list(name, differs_from_mime4j), "%s: %.*s", name,
			    BYTES_FMT(text_bytes(&got)));
			arena_reset(&arena);
			count++;
		}
		if (dir != NULL)
			closedir(dir);
	}
	cr_expect_geq(count, 60);
}

/* ---- wildduck: types and sizes ---- */

static bool same_node(
    const json_t *node, struct bytes message, const struct mime *mime, int32_t index)
{
	const json_t *parsed = json_object_get(node, "parsedHeader");
	const char *type =
	    json_string_value(json_object_get(json_object_get(parsed, "content-type"), "value"));
	const json_t *children = json_object_get(node, "childNodes");
	const struct mime_part *part = &mime->part[index];
	char mine[300];

	(void)message;
	snprintf(mine, sizeof(mine), "%.*s/%.*s", BYTES_FMT(part->fields->type),
	    BYTES_FMT(part->fields->subtype));
	if (type != NULL && strcasecmp(type, mine) != 0)
		return false;
	if (part->kind == MIME_LEAF && number_of(node, "size") != mime_body_bytes(part))
		return false;
	int32_t child = part->child;

	for (size_t i = 0; i < json_array_size(children); i++) {
		if (child == MIME_NONE ||
		    !same_node(json_array_get(children, i), message, mime, child))
			return false;
		child = mime->part[child].next;
	}
	return children == NULL || child == MIME_NONE;
}

Test(corpus, wildduck_finds_the_same_types_and_sizes)
{
	static const char *const names[] = {"simple"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[4600];
		json_error_t error;

		snprintf(path, sizeof(path), "%s/wildduck/imap-core/%s.json", root, names[i]);
		json_t *json = json_load_file(path, JSON_ALLOW_NUL, &error);

		cr_assert_not_null(json, "%s: %s", path, error.text);
		snprintf(path, sizeof(path), "%s/wildduck/imap-core/%s.eml", root, names[i]);
		struct bytes in = normalised(read_file(path));
		struct mime mime = parse(in);

		cr_expect(same_node(json, in, &mime, 0), "%s", names[i]);
		json_decref(json);
	}
}
