#include "bench/load/neighbour.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "bench/load/die.h"
#include "bench/load/wire.h"
#include "io/base/clock.h"

enum {
	NEIGHBOUR_TRIPS_MAX = 1 << 20,
	NEIGHBOUR_PAUSE_NS = 200 * 1000, /* so that asking is not itself the load */
};

struct neighbour {
	struct wire wire;
	pthread_t thread;
	atomic_bool ends;
	size_t trips_count;
	uint64_t trip_ns[NEIGHBOUR_TRIPS_MAX];
};

static void *ask(void *arg)
{
	const struct timespec pause = {.tv_nsec = NEIGHBOUR_PAUSE_NS};
	struct neighbour *neighbour = arg;

	while (!atomic_load(&neighbour->ends) && neighbour->trips_count < NEIGHBOUR_TRIPS_MAX) {
		uint64_t start_ns = clock_monotonic_ns();

		(void)wire_command(&neighbour->wire, "NOOP");
		neighbour->trip_ns[neighbour->trips_count++] = clock_monotonic_ns() - start_ns;
		nanosleep(&pause, NULL);
	}
	return NULL;
}

struct neighbour *neighbour_start(const struct work *work)
{
	struct neighbour *neighbour = calloc(1, sizeof(*neighbour));

	if (neighbour == NULL)
		die("no memory");
	wire_login(&neighbour->wire, work->imap, false, work->user, work->password);
	if (pthread_create(&neighbour->thread, NULL, ask, neighbour) != 0)
		die("a thread cannot be made");
	return neighbour;
}

static int by_length(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return (*x > *y) - (*x < *y);
}

void neighbour_stop(struct neighbour *neighbour, double *p99_ms, double *longest_ms)
{
	atomic_store(&neighbour->ends, true);
	pthread_join(neighbour->thread, NULL);
	wire_logout(&neighbour->wire);
	if (neighbour->trips_count == 0)
		die("a neighbour's NOOP was never answered");
	qsort(neighbour->trip_ns, neighbour->trips_count, sizeof(*neighbour->trip_ns), by_length);
	*p99_ms = (double)neighbour->trip_ns[neighbour->trips_count * 99 / 100] / 1e6;
	*longest_ms = (double)neighbour->trip_ns[neighbour->trips_count - 1] / 1e6;
	free(neighbour);
}
