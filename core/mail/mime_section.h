/* mime_section.h -- which bytes of a message are BODY[section] (RFC 3501, section 6.4.5).
 *
 * A section names a part by numbers, then what of it: nothing (its body), MIME (its header block),
 * or of a message: HEADER, TEXT, some header fields. A message that is no multipart has a part 1,
 * its body; so has a message/rfc822 part whose message is none.
 */
#ifndef RP_CORE_MAIL_MIME_SECTION_H
#define RP_CORE_MAIL_MIME_SECTION_H

#include "core/mail/mime.h"

enum mime_section_kind {
	MIME_SECTION_BODY,   /* [] or [1.2] */
	MIME_SECTION_HEADER, /* the block with its empty line */
	MIME_SECTION_TEXT,
	MIME_SECTION_MIME,   /* needs a part number */
	MIME_SECTION_FIELDS, /* HEADER.FIELDS: the block's range, for mime_section_fields */
	MIME_SECTION_FIELDS_NOT,
};

struct mime_section {
	const uint32_t *part; /* from 1; part_count of them */
	size_t part_count;
	enum mime_section_kind kind;
	const struct bytes *name; /* of _FIELDS and _FIELDS_NOT */
	size_t name_count;
};

struct mime_range {
	uint64_t offset; /* in the message */
	uint64_t bytes;
	int32_t part; /* index: whose body or block it is. For BINARY: its fields say how it is
	                 encoded */
};

/* RP_ERR_NOTFOUND: the message has no such part (the answer is NIL). */
RP_MUST_USE enum rp_err mime_section_find(
    const struct mime *mime, const struct mime_section *section, struct mime_range *out);

/* Append the fields that the section names (or all others), in their order and form, and an empty
 * line. block is the range found. Linear in block times log of names. False: no room. */
RP_MUST_USE bool mime_section_fields(
    struct text *out, struct bytes block, const struct mime_section *section);

#endif
