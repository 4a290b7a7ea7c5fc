#include "core/mail/bodystructure.h"

#include "core/mail/envelope.h"

/* body-fld-param = "(" string SP string *(SP string SP string) ")" / nil */
static void put_params(struct text *out, const struct mime_params *params)
{
	if (params->count == 0) {
		text_put_str(out, "NIL");
		return;
	}
	for (size_t i = 0; i < params->count; i++) {
		text_put_byte(out, i == 0 ? '(' : ' ');
		text_put_string(out, params->param[i].name);
		text_put_byte(out, ' ');
		text_put_string(out, params->param[i].value);
	}
	text_put_byte(out, ')');
}

/* body-fld-dsp SP body-fld-lang SP body-fld-loc */
static void put_extension(struct text *out, const struct mime_fields *fields)
{
	if (fields->disposition.p == NULL) {
		text_put_str(out, "NIL ");
	} else {
		text_put_byte(out, '(');
		text_put_string(out, fields->disposition);
		text_put_byte(out, ' ');
		put_params(out, &fields->disposition_params);
		text_put_str(out, ") ");
	}
	for (size_t i = 0; i < fields->language_count; i++) {
		text_put_byte(out, i == 0 ? '(' : ' ');
		text_put_string(out, fields->language[i]);
	}
	text_put_str(out, fields->language_count == 0 ? "NIL " : ") ");
	text_put_nstring(out, fields->location);
}

static void put_type(struct text *out, const struct mime_fields *fields)
{
	text_put_string(out, fields->type);
	text_put_byte(out, ' ');
	text_put_string(out, fields->subtype);
	text_put_byte(out, ' ');
}

/* Up to where the children of a container come, or all of a leaf. */
static void open_part(struct text *out, const struct mime_part *part)
{
	const struct mime_fields *fields = part->fields;

	text_put_byte(out, '(');
	if (part->kind == MIME_MULTIPART)
		return;
	put_type(out, fields);
	put_params(out, &fields->params);
	text_put_byte(out, ' ');
	text_put_nstring(out, fields->id);
	text_put_byte(out, ' ');
	text_put_nstring(out, fields->description);
	text_put_byte(out, ' ');
	text_put_string(out, fields->encoding);
	text_put_byte(out, ' ');
	text_put_number(out, mime_body_bytes(part));
}

static void close_part(struct text *out, const struct mime_part *part, enum bodystructure_form form)
{
	const struct mime_fields *fields = part->fields;

	if (part->kind == MIME_MULTIPART) {
		text_put_byte(out, ' ');
		text_put_string(out, fields->subtype);
	} else if (part->kind == MIME_MESSAGE || mime_fields_is_text(fields)) {
		text_put_byte(out, ' ');
		text_put_number(out, part->lines);
	}
	if (form == BODYSTRUCTURE_EXTENDED) {
		text_put_byte(out, ' ');
		if (part->kind == MIME_MULTIPART)
			put_params(out, &fields->params);
		else
			text_put_nstring(out, fields->md5);
		text_put_byte(out, ' ');
		put_extension(out, fields);
	}
	text_put_byte(out, ')');
}

static void put_envelope(struct text *out, const struct mime_part *message)
{
	text_put_byte(out, ' ');
	if (message->envelope.p != NULL)
		text_put(out, message->envelope);
	else
		text_put_str(out, ENVELOPE_EMPTY);
	text_put_byte(out, ' ');
}

bool bodystructure_render(struct text *out, const struct mime *mime, enum bodystructure_form form)
{
	int32_t index = 0;

	for (;;) {
		const struct mime_part *part = &mime->part[index];

		if (part->parent != MIME_NONE && part->is_message)
			put_envelope(out, part);
		open_part(out, part);
		if (part->child != MIME_NONE) {
			index = part->child;
			continue;
		}
		close_part(out, part, form);
		while (part->next == MIME_NONE && part->parent != MIME_NONE) {
			part = &mime->part[part->parent];
			close_part(out, part, form);
		}
		if (part->parent == MIME_NONE)
			return !out->full;
		index = part->next;
	}
}
