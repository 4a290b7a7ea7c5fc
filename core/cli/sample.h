/* sample.h -- the sample mail that quickstart imports, built into the executable (core/cli/sample/). */
#ifndef RP_CORE_CLI_SAMPLE_H
#define RP_CORE_CLI_SAMPLE_H

#include <stddef.h>

struct sample {
	const char *name; /* of the file */
	const unsigned char *p;
	size_t n;
};

extern const struct sample sample_mail[];
extern const size_t sample_mail_count;

#endif
