#include "tests/index/said.h"

#include <criterion/criterion.h>
#include <string.h>

void said_keep(void *arg, struct bytes line)
{
	struct said *said = arg;

	cr_assert_lt(said->n + line.n + 2, sizeof(said->text));
	memcpy(said->text + said->n, line.p, line.n);
	said->n += line.n;
	said->text[said->n++] = '\n';
	said->text[said->n] = '\0';
}
