#include "core/lmtp/lmtp_data.h"

static enum lmtp_data_state after(uint8_t c, enum lmtp_data_state state)
{
	if (c == '\r')
		return LMTP_DATA_CR;
	return c == '\n' && state == LMTP_DATA_CR ? LMTP_DATA_START : LMTP_DATA_LINE;
}

struct bytes lmtp_data_next(struct lmtp_data *data, struct bytes *in)
{
	size_t from = 0;

	for (size_t at = 0; at < in->n && data->state != LMTP_DATA_END; at++) {
		uint8_t c = in->p[at];

		switch (data->state) {
		case LMTP_DATA_START:
			if (c == '.') {
				struct bytes span = bytes_slice(*in, from, at);

				/* What is before the dot comes out first; the dot itself is held back. */
				data->state = LMTP_DATA_DOT;
				*in = bytes_from(*in, at + 1);
				if (span.n > 0)
					return span;
				from = 0;
				at = (size_t)-1; /* begin anew behind the dot */
				continue;
			}
			data->state = after(c, data->state);
			break;
		case LMTP_DATA_DOT:
			/* Behind the dot at a line's start: only CR LF makes it the end. */
			data->state = c == '\r' ? LMTP_DATA_DOT_CR : after(c, LMTP_DATA_LINE);
			if (data->state == LMTP_DATA_DOT_CR)
				from = at + 1;
			break;
		case LMTP_DATA_DOT_CR:
			if (c == '\n') {
				data->state = LMTP_DATA_END;
				*in = bytes_from(*in, at + 1);
				return bytes_of(NULL, 0);
			}
			/* No end after all: the CR that was held back comes out, then all else as it is. */
			data->state = LMTP_DATA_CR;
			*in = bytes_from(*in, at);
			return BYTES_LIT("\r");
		case LMTP_DATA_LINE:
		case LMTP_DATA_CR:
			data->state = after(c, data->state);
			break;
		case LMTP_DATA_END:
			break;
		}
	}
	struct bytes span = bytes_from(*in, from);

	if (data->state != LMTP_DATA_END)
		*in = bytes_from(*in, in->n);
	return data->state == LMTP_DATA_DOT_CR || data->state == LMTP_DATA_END ? bytes_of(NULL, 0) : span;
}
