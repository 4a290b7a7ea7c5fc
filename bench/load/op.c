#include "bench/load/op.h"

#include "bench/load/op_fns.h"

const struct op_def op_table[] = {
    {"connect", op_connect, OP_CONNECTS, 0, "TCP, TLS if the group has it, the greeting"},
    {"login", op_login, OP_PLAIN, 0, "LOGIN; CAPABILITY if the answer does not tell"},
    {"logout", op_logout, OP_PLAIN, 0, "LOGOUT, and the end of the connection"},
    {"noop", op_noop, 0, 0, "NOOP"},
    {"select", op_select, 0, 0, "SELECT INBOX"},
    {"examine", op_examine, 0, 0, "EXAMINE INBOX"},
    {"status", op_status, 0, 0, "STATUS INBOX (MESSAGES UNSEEN UIDNEXT)"},
    {"list", op_list, 0, 0, "LIST \"\" *"},
    {"idle", op_idle, OP_SELECTED | OP_NUMBER | OP_UNTIMED, OP_CAN_IDLE, "IDLE for so many milliseconds"},
    {"idle-push", op_idle_push, OP_SELECTED | OP_NUMBER | OP_UNTIMED, OP_CAN_IDLE,
        "likewise; its latencies are from the sending of a message by LMTP to its EXISTS"},
    {"pause", op_pause, OP_PLAIN | OP_NUMBER | OP_UNTIMED, 0, "nothing for so many milliseconds"},
    {"fetch-flags", op_fetch_flags, OP_SELECTED, 0, "FETCH 1:* (UID FLAGS)"},
    {"fetch-envelope", op_fetch_envelope, OP_SELECTED | OP_NUMBER, 0,
        "FETCH (UID FLAGS RFC822.SIZE ENVELOPE) of N messages in a row, from anywhere; without N of all"},
    {"fetch-structure", op_fetch_structure, OP_SELECTED | OP_NUMBER, 0, "FETCH (UID BODYSTRUCTURE), likewise"},
    {"fetch-body", op_fetch_body, OP_SELECTED | OP_NUMBER, 0,
        "FETCH (UID BODY.PEEK[]) of N messages in a row, from anywhere; without N of one"},
    {"fetch-changes", op_fetch_changes, OP_SELECTED, OP_CAN_CONDSTORE, "FETCH 1:* (UID FLAGS) (CHANGEDSINCE ...)"},
    {"fetch-new", op_fetch_new, OP_SELECTED, 0,
        "UID FETCH of all that came since it asked last: (FLAGS RFC822.SIZE ENVELOPE)"},
    {"store-seen", op_store_seen, OP_SELECTED, 0, "STORE +FLAGS (\\Seen) of one message, anywhere"},
    {"store-flag", op_store_flag, OP_SELECTED, 0, "STORE +FLAGS or -FLAGS (\\Flagged) of one message, anywhere"},
    {"store-all", op_store_all, OP_SELECTED, 0, "STORE 1:* +FLAGS.SILENT or -FLAGS.SILENT (\\Answered)"},
    {"expunge", op_expunge, OP_SELECTED, 0, "STORE \\Deleted on the newest message, EXPUNGE"},
    {"search-unseen", op_search_unseen, OP_SELECTED, 0, "SEARCH UNSEEN"},
    {"search-count", op_search_count, OP_SELECTED, OP_CAN_ESEARCH, "SEARCH RETURN (COUNT) UNSEEN"},
    {"search-from", op_search_from, OP_SELECTED, 0, "SEARCH FROM one of a hundred senders"},
    {"search-subject", op_search_subject, OP_SELECTED, 0, "SEARCH SUBJECT of one message, anywhere"},
    {"search-body", op_search_body, OP_SELECTED, 0, "SEARCH BODY a token that each thousandth message has"},
    {"sort", op_sort, OP_SELECTED, OP_CAN_SORT, "SORT (SUBJECT) US-ASCII ALL"},
    {"thread", op_thread, OP_SELECTED, OP_CAN_THREAD, "THREAD REFERENCES US-ASCII ALL"},
    {"append", op_append, 0, 0, "APPEND one message to INBOX"},
    {"lmtp-connect", op_lmtp_connect, OP_CONNECTS | OP_LMTP, 0, "TCP, the greeting, LHLO"},
    {"lmtp-deliver", op_lmtp_deliver, OP_LMTP | OP_NUMBER, 0,
        "one message to N users of those whose mail it is; without N to one"},
    {"lmtp-quit", op_lmtp_quit, OP_LMTP, 0, "QUIT, and the end of the connection"},
};
const size_t op_table_count = sizeof(op_table) / sizeof(op_table[0]);

const struct op_def *op_find(struct bytes name)
{
	for (size_t i = 0; i < op_table_count; i++)
		if (bytes_eq(name, bytes_of_str(op_table[i].name)))
			return &op_table[i];
	return NULL;
}

static const struct {
	const char *name;
	unsigned bit;
} capabilities[] = {
    {"CONDSTORE", OP_CAN_CONDSTORE},
    {"SORT", OP_CAN_SORT},
    {"THREAD=REFERENCES", OP_CAN_THREAD},
    {"QRESYNC", OP_CAN_QRESYNC},
    {"ESEARCH", OP_CAN_ESEARCH},
    {"LITERAL+", OP_CAN_LITERAL_PLUS},
    {"UIDPLUS", OP_CAN_UIDPLUS},
    {"IDLE", OP_CAN_IDLE},
    {"MOVE", OP_CAN_MOVE},
};

enum { CAPABILITIES = sizeof(capabilities) / sizeof(capabilities[0]) };

unsigned op_capabilities(struct bytes words)
{
	unsigned bits = 0;

	for (size_t at = 0; at < words.n;) {
		size_t end = bytes_find(words, at, ' ');

		for (size_t i = 0; i < CAPABILITIES; i++)
			if (bytes_eq_fold(bytes_slice(words, at, end), bytes_of_str(capabilities[i].name)))
				bits |= capabilities[i].bit;
		at = end + 1;
	}
	return bits;
}

const char *op_capability_name(unsigned bits)
{
	for (size_t i = 0; i < CAPABILITIES; i++)
		if ((capabilities[i].bit & bits) != 0)
			return capabilities[i].name;
	return "";
}
