#include "core/mail/mime_fields.h"

#include "core/mail/header.h"

static struct mime_param plain_param[] = {
    {{(const uint8_t *)"charset", 7}, {(const uint8_t *)"us-ascii", 8}},
};

#define LIT(text)                                                                                  \
	{                                                                                          \
		(const uint8_t *)("" text), sizeof(text) - 1                                       \
	}

const struct mime_fields mime_fields_plain = {
    .type = LIT("text"),
    .subtype = LIT("plain"),
    .params = {plain_param, 1},
    .encoding = LIT("7BIT"),
    .kind = MIME_LEAF,
    .cte = DECODE_NONE,
};

const struct mime_fields mime_fields_digest = {
    .type = LIT("message"),
    .subtype = LIT("rfc822"),
    .encoding = LIT("7BIT"),
    .kind = MIME_MESSAGE,
    .cte = DECODE_NONE,
};

const struct mime_fields mime_fields_opaque = {
    .type = LIT("application"),
    .subtype = LIT("octet-stream"),
    .encoding = LIT("7BIT"),
    .kind = MIME_LEAF,
    .cte = DECODE_NONE,
};

/* Where values go, and how much room they still have. */
struct keeper {
	struct arena *arena;
	size_t *room;
	bool out_of_memory;
};

/* A copy, or NULL bytes when it has no room. */
static struct bytes keep(struct keeper *keeper, struct bytes b)
{
	if (b.p == NULL || b.n > *keeper->room)
		return (struct bytes){NULL, 0};
	struct bytes copy = arena_copy(keeper->arena, b);

	if (copy.p == NULL)
		keeper->out_of_memory = true;
	else
		*keeper->room -= b.n;
	return copy;
}

/* As many as have room, in order. */
static struct mime_params keep_params(struct keeper *keeper, const struct mime_params *params)
{
	struct mime_params kept = {NULL, 0};

	if (params->count == 0)
		return kept;
	kept.param = arena_calloc(keeper->arena, params->count, sizeof(kept.param[0]));
	if (kept.param == NULL) {
		keeper->out_of_memory = true;
		return kept;
	}
	for (size_t i = 0; i < params->count; i++) {
		struct mime_param *out = &kept.param[kept.count];

		out->name = keep(keeper, params->param[i].name);
		out->value = keep(keeper, params->param[i].value);
		if (out->name.p == NULL || out->value.p == NULL)
			break;
		kept.count++;
	}
	return kept;
}

/* A short word that is kept whatever the room is. */
static struct bytes keep_word(struct keeper *keeper, struct bytes b)
{
	struct bytes copy = arena_copy(keeper->arena, b);

	if (copy.p == NULL)
		keeper->out_of_memory = true;
	return copy;
}

/* "de, en": each tag; blanks and comments separate like commas. */
static void read_language(
    struct keeper *keeper, struct arena *scratch, struct bytes value, struct mime_fields *out)
{
	struct bytes *tags = arena_calloc(scratch, MIME_LANGUAGES_MAX, sizeof(tags[0]));
	size_t count = 0;
	size_t at = 0;

	while (tags != NULL && at < value.n && count < MIME_LANGUAGES_MAX) {
		size_t comma = bytes_find(value, at, ',');
		struct bytes tag = mime_token(bytes_slice(value, at, comma));

		if (tag.n != 0)
			tags[count++] = tag;
		at = comma + 1;
	}
	if (count == 0)
		return;
	out->language = arena_calloc(keeper->arena, count, sizeof(tags[0]));
	if (out->language == NULL) {
		keeper->out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		out->language[out->language_count] = keep(keeper, tags[i]);
		if (out->language[out->language_count].p != NULL)
			out->language_count++;
	}
}

static void read_disposition(
    struct keeper *keeper, struct arena *scratch, struct bytes value, struct mime_fields *out)
{
	struct mime_value parsed;

	if (!mime_value_parse(scratch, value, &parsed) || parsed.type.n == 0)
		return;
	out->disposition = keep(keeper, parsed.type);
	if (out->disposition.p != NULL)
		out->disposition_params = keep_params(keeper, &parsed.params);
}

static bool is_type_word(struct bytes b)
{
	if (b.n == 0 || b.n > MIME_TYPE_BYTES_MAX)
		return false;
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] <= ' ' || b.p[i] >= 0x7f)
			return false;
	return true;
}

/* RFC 2045, section 5.2: what breaks the syntax is text/plain. */
static void set_plain(struct mime_fields *out)
{
	out->type = mime_fields_plain.type;
	out->subtype = mime_fields_plain.subtype;
	out->params = mime_fields_plain.params;
	out->kind = MIME_LEAF;
}

/* RFC 2045, section 6.4, and RFC 2046, section 5.2.1: such a message can only be a lump of bytes.
 * And BODYSTRUCTURE has no way to show message/rfc822 without an envelope. */
static void set_opaque(struct mime_fields *out)
{
	out->type = mime_fields_opaque.type;
	out->subtype = mime_fields_opaque.subtype;
	out->kind = MIME_LEAF;
}

static bool is_message(const struct mime_fields *fields)
{
	return bytes_eq_fold(fields->type, BYTES_LIT("message")) &&
	       (bytes_eq_fold(fields->subtype, BYTES_LIT("rfc822")) ||
	           bytes_eq_fold(fields->subtype, BYTES_LIT("global")));
}

static void read_type(
    struct keeper *keeper, struct arena *scratch, struct bytes value, struct mime_fields *out)
{
	struct mime_value parsed;

	if (!mime_value_parse(scratch, value, &parsed)) {
		set_opaque(out);
		return;
	}
	if (!is_type_word(parsed.type) || !is_type_word(parsed.subtype)) {
		set_plain(out);
		return;
	}
	if (bytes_eq_fold(parsed.type, BYTES_LIT("multipart"))) {
		struct bytes boundary = mime_params_find(&parsed.params, BYTES_LIT("boundary"));

		while (boundary.n != 0 && boundary.p[boundary.n - 1] == ' ')
			boundary.n--; /* may not end in a blank; transports take it off the lines */
		if (boundary.n == 0 || boundary.n > MIME_BOUNDARY_BYTES_MAX) {
			set_plain(out);
			return;
		}
		out->boundary = keep_word(keeper, boundary);
		out->kind = MIME_MULTIPART;
	}
	out->type = keep_word(keeper, parsed.type);
	out->subtype = keep_word(keeper, parsed.subtype);
	out->params = keep_params(keeper, &parsed.params);
}

/* One field of a kind counts, the first; later ones are passed over. */
struct found {
	struct bytes type, encoding, id, description, md5, location, disposition, language;
};

static void find_fields(struct bytes block, struct found *found)
{
	const struct {
		struct bytes name;
		struct bytes *value;
	} wanted[] = {
	    {BYTES_LIT("Type"), &found->type},
	    {BYTES_LIT("Transfer-Encoding"), &found->encoding},
	    {BYTES_LIT("ID"), &found->id},
	    {BYTES_LIT("Description"), &found->description},
	    {BYTES_LIT("MD5"), &found->md5},
	    {BYTES_LIT("Location"), &found->location},
	    {BYTES_LIT("Disposition"), &found->disposition},
	    {BYTES_LIT("Language"), &found->language},
	};
	const struct bytes content = BYTES_LIT("Content-");
	struct header_field field;

	while (header_next(&block, &field)) {
		if (!bytes_starts_with_fold(field.name, content))
			continue;
		struct bytes rest = bytes_from(field.name, content.n);

		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
			if (wanted[i].value->p == NULL && bytes_eq_fold(rest, wanted[i].name))
				*wanted[i].value = field.value;
	}
}

static struct bytes keep_unfolded(struct keeper *keeper, struct arena *scratch, struct bytes value)
{
	if (value.p == NULL)
		return value;
	return keep(keeper, header_unfolded(scratch, value));
}

const struct mime_fields *mime_fields_read(struct arena *arena, struct arena *scratch,
    struct bytes block, size_t *kept_room, const struct mime_fields *fallback)
{
	struct keeper keeper = {arena, kept_room, false};
	struct found found = {0};

	find_fields(block, &found);
	if (found.type.p == NULL && found.encoding.p == NULL && found.id.p == NULL &&
	    found.description.p == NULL && found.md5.p == NULL && found.location.p == NULL &&
	    found.disposition.p == NULL && found.language.p == NULL)
		return fallback;

	struct mime_fields *out = arena_calloc(arena, 1, sizeof(*out));

	if (out == NULL)
		return NULL;
	*out = *fallback;
	if (found.type.p != NULL) {
		out->params = (struct mime_params){NULL, 0};
		out->kind = MIME_LEAF;
		read_type(&keeper, scratch, found.type, out);
	}
	struct bytes encoding =
	    found.encoding.p != NULL ? mime_token(found.encoding) : BYTES_LIT("");

	if (is_type_word(encoding)) {
		out->encoding = keep_word(&keeper, encoding);
		out->cte = decode_cte_of(encoding);
	}
	if (is_message(out))
		out->kind = MIME_MESSAGE;
	if (out->kind == MIME_MESSAGE && out->cte != DECODE_NONE)
		set_opaque(out);
	out->id = keep_unfolded(&keeper, scratch, found.id);
	out->description = keep_unfolded(&keeper, scratch, found.description);
	out->md5 = keep_unfolded(&keeper, scratch, found.md5);
	out->location = keep_unfolded(&keeper, scratch, found.location);
	if (found.disposition.p != NULL)
		read_disposition(&keeper, scratch, found.disposition, out);
	if (found.language.p != NULL)
		read_language(&keeper, scratch, found.language, out);
	return keeper.out_of_memory ? NULL : out;
}

bool mime_fields_is_text(const struct mime_fields *fields)
{
	return bytes_eq_fold(fields->type, BYTES_LIT("text"));
}
