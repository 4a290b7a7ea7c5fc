/* ringpost-bench-probe: the floors that results are held against, as one JSON object. */
#include "bench/probe/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "io/base/clock.h"

static unsigned told;

void probe_tell(const char *name, double value)
{
	printf("%s\"%s\": %.3f", told++ > 0 ? ", " : "{", name, value);
}

uint64_t probe_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv)
{
	double seconds = argc == 3 ? strtod(argv[2], NULL) : 0.1;

	if (argc < 2 || argc > 3 || !(seconds > 0) || seconds > 60) {
		fputs("usage: ringpost-bench-probe DIR [SECONDS]        of each of nine probes; 0.1 by default\n", stderr);
		return 2;
	}
	probe_net(seconds);
	probe_tls(seconds);
	probe_disk(seconds, argv[1]);
	probe_memory(seconds);
	puts("}");
	return 0;
}
