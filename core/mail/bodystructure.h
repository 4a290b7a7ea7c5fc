/* bodystructure.h -- a tree of parts as the text of IMAP's BODY and BODYSTRUCTURE (RFC
 * 3501, 7.4.2).
 *
 * Type, subtype, encoding and the values of parameters are never NIL; numbers are plain. All
 * extension data is given: a multipart's parameters, MD5, disposition, language, location.
 */
#ifndef RP_CORE_MAIL_BODYSTRUCTURE_H
#define RP_CORE_MAIL_BODYSTRUCTURE_H

#include "core/mail/mime.h"

enum bodystructure_form {
	BODYSTRUCTURE_BASIC,    /* BODY: without extension data */
	BODYSTRUCTURE_EXTENDED, /* BODYSTRUCTURE */
};

/* Append the text for a tree that was parsed with MIME_FOR_INDEX. False: no room. */
RP_MUST_USE bool bodystructure_render(
    struct text *out, const struct mime *mime, enum bodystructure_form form);

#endif
