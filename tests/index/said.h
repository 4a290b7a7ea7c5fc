/* said.h -- the lines that check and repair say, as one text: each ends with a newline, and the text with a NUL. */
#ifndef RP_TESTS_INDEX_SAID_H
#define RP_TESTS_INDEX_SAID_H

#include "io/base/bytes.h"

enum { SAID_BYTES = 16384 };

struct said {
	char text[SAID_BYTES];
	size_t n;
};

/* A repair_say_fn; arg is a struct said, zero at first. */
void said_keep(void *arg, struct bytes line);

#endif
