/* mime_fields.h -- what the header block of one part says about its body (RFC 2045, 2183, 3282,
 * 2557).
 *
 * Everything is filled in: a part that says nothing, or nothing of use, has the type that the
 * standard gives it, so that no reader of these fields needs a default of its own.
 */
#ifndef RP_CORE_MAIL_MIME_FIELDS_H
#define RP_CORE_MAIL_MIME_FIELDS_H

#include "core/mail/decode.h"
#include "core/mail/mime_param.h"

enum {
	MIME_TYPE_BYTES_MAX = 127, /* RFC 6838, section 4.2; beyond: not a type */
	MIME_BOUNDARY_BYTES_MAX =
	    1000, /* RFC 2046 says 70; bounds the buffer for one line's beginning */
	MIME_LANGUAGES_MAX = 100,
	MIME_KEPT_BYTES_MAX =
	    1024 * 1024, /* of values, in one message: the size of its BODYSTRUCTURE */
};

enum mime_kind {
	MIME_LEAF,
	MIME_MULTIPART,
	MIME_MESSAGE, /* message/rfc822 or message/global, not encoded: has one child, the message
	               */
};

struct mime_fields {
	struct bytes type; /* never empty, like subtype and encoding */
	struct bytes subtype;
	struct mime_params params;
	struct bytes encoding;
	struct bytes id; /* .p == NULL: none; likewise below */
	struct bytes description;
	struct bytes md5;
	struct bytes location;
	struct bytes disposition;
	struct mime_params disposition_params;
	struct bytes *language; /* language_count of them */
	size_t language_count;
	enum mime_kind kind;
	enum decode_cte cte;
	struct bytes boundary; /* of MIME_MULTIPART: 1 to MIME_BOUNDARY_BYTES_MAX bytes */
};

/* What a part without Content-Type is: text/plain; charset=us-ascii. */
extern const struct mime_fields mime_fields_plain;
/* The same in a multipart/digest: message/rfc822. */
extern const struct mime_fields mime_fields_digest;
/* What we do not look into: application/octet-stream. */
extern const struct mime_fields mime_fields_opaque;

/* Read a header block.
 *
 * arena      takes what is kept; scratch what is not
 * kept_room  how many bytes of values may still be kept; goes down. A value that does not fit is
 * left out; the type is kept always fallback   what it is without Content-Type; one of the three
 * above
 *
 * NULL: no memory. */
RP_MUST_USE const struct mime_fields *mime_fields_read(struct arena *arena, struct arena *scratch,
    struct bytes block, size_t *kept_room, const struct mime_fields *fallback);

bool mime_fields_is_text(const struct mime_fields *fields);

#endif
