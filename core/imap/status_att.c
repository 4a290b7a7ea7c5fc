#include "core/imap/status_att.h"

static const struct {
	const char *name;
	enum status_att att;
} atts[] = {
	{ "MESSAGES", STATUS_MESSAGES },
	{ "RECENT", STATUS_RECENT },
	{ "UIDNEXT", STATUS_UIDNEXT },
	{ "UIDVALIDITY", STATUS_UIDVALIDITY },
	{ "UNSEEN", STATUS_UNSEEN },
	{ "SIZE", STATUS_SIZE },
	{ "DELETED", STATUS_DELETED },
	{ "HIGHESTMODSEQ", STATUS_HIGHESTMODSEQ },
};

enum {
	ATTS_COUNT = sizeof(atts) / sizeof(atts[0]),
};

static enum rp_err take_att(struct lex *lex, unsigned *bits)
{
	for (size_t i = 0; i < ATTS_COUNT; i++) {
		if (lex_word(lex, atts[i].name)) {
			*bits |= atts[i].att;
			return RP_OK;
		}
	}
	return RP_ERR_SYNTAX;
}

enum rp_err status_att_parse(struct lex *lex, unsigned *out)
{
	struct lex ahead = *lex;
	unsigned bits = 0;
	bool more = true;
	enum rp_err err = lex_open(&ahead);

	while (err == RP_OK && more) {
		err = take_att(&ahead, &bits);
		if (err == RP_OK)
			err = lex_more(&ahead, &more);
	}
	if (err != RP_OK)
		return err;
	*lex = ahead;
	*out = bits;
	return RP_OK;
}

const char *status_att_name(enum status_att att)
{
	for (size_t i = 0; i < ATTS_COUNT; i++) {
		if (atts[i].att == att)
			return atts[i].name;
	}
	assert_panic("status_att_name: no single item: %u", (unsigned)att);
}
