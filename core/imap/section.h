/* section.h -- which part of a message: section = "[" [section-spec] "]" ["<" partial ">"].
 *
 *     [1.2.HEADER.FIELDS (SUBJECT "TO")]<0.2048>
 */
#ifndef RP_CORE_IMAP_SECTION_H
#define RP_CORE_IMAP_SECTION_H

#include "core/imap/lex.h"
#include "core/imap/resp.h"

enum {
	SECTION_PART_DEPTH_MAX = 100, /* no message is parsed deeper */
	SECTION_FIELDS_MAX = 1000,    /* header names: each message's header is held against them */
};

enum section_kind {
	SECTION_ALL, /* all of the message, or of the part */
	SECTION_HEADER,
	SECTION_HEADER_FIELDS,
	SECTION_HEADER_FIELDS_NOT,
	SECTION_TEXT,
	SECTION_MIME, /* only with part numbers */
};

struct section {
	enum section_kind kind;
	const uint32_t *part; /* part_count numbers, from 1; in the arena */
	size_t part_count;
	const struct bytes *field; /* of HEADER_FIELDS, HEADER_FIELDS_NOT: as the client wrote them */
	size_t field_count;
	bool has_partial;
	uint64_t partial_offset;
	uint64_t partial_bytes; /* > 0; offset + bytes may be more than the part has, and than 63
	                           bits hold */
};

/* RP_ERR_LIMIT: too deep, too many names. */
RP_MUST_USE enum rp_err section_parse(struct lex *lex, struct arena *arena, struct section *out);

/* As FETCH echoes it: "[HEADER.FIELDS (SUBJECT TO)]<0>", keywords in capitals, without the length.
 */
void section_write(struct resp *resp, const struct section *section);

#endif
