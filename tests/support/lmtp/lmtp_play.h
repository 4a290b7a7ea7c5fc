/* lmtp_play.h -- one LMTP session without a socket: these bytes come, cut like this; what is answered, what is stored?
 *
 * Users: sam, kim, and "sam+whole", with or without @example.org. full is over quota, away cannot be looked up; nobody else is
 * known. Input is a fresh copy at each look, freed at the next call, so who holds on to it is seen by the sanitizer.
 */
#ifndef RP_TESTS_SUPPORT_LMTP_LMTP_PLAY_H
#define RP_TESTS_SUPPORT_LMTP_LMTP_PLAY_H

#include "core/lmtp/lmtp.h"

struct lmtp_play {
	struct bytes in;       /* all that the client sends, then its end */
	size_t first;          /* bytes that come at first; 0: like the others */
	size_t cut;            /* bytes that come at a time; 0: all at once */
	uint64_t size_max;     /* of a message; 0: 1 MiB */
	bool return_path;
	uint64_t room_bytes; /* so much of messages may be written to DATA; 0: endless */
	bool on_the_ring;         /* of the kernel, which takes no memory of ours; messages up to 1 MiB only */
	void (*own)(bool begins); /* NULL, or told when what is not the session's, but the test's, begins and ends */

	/* what came of it; for lmtp_play_free() */
	char *out; /* all answers, a NUL behind them */
	size_t out_n;
	char *stored; /* for each delivery "name/folder: text\n", in order, a NUL behind them */
	size_t stored_n;
	size_t deliveries;
	uint64_t asked_bytes; /* of messages, whether they may be written to DATA */
	enum rp_err end;
};

void lmtp_play(struct lmtp_play *play);
void lmtp_play_free(struct lmtp_play *play);

#endif
