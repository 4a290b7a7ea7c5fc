#include "bench/blocking/neighbour.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/load/die.h"
#include "bench/blocking/wire.h"
#include "io/base/clock.h"

enum {
	NEIGHBOURS_MAX = 8, /* of so many users some are on any shard of a small machine */
	NEIGHBOUR_TRIPS_MAX = 1 << 17,
	NEIGHBOUR_PAUSE_NS = 50 * 1000, /* so that asking is not itself the load */
};

struct neighbour {
	struct wire wire;
	size_t trips_count;
	uint64_t trip_ns[NEIGHBOUR_TRIPS_MAX];
};

struct neighbours {
	pthread_t thread;
	atomic_bool ends;
	unsigned count;
	struct neighbour neighbour[NEIGHBOURS_MAX];
};

static void *ask(void *arg)
{
	const struct timespec pause = {.tv_nsec = NEIGHBOUR_PAUSE_NS};
	struct neighbours *neighbours = arg;

	for (unsigned i = 0; !atomic_load(&neighbours->ends); i++) {
		struct neighbour *neighbour = &neighbours->neighbour[i % neighbours->count];
		uint64_t start_ns = clock_monotonic_ns();

		if (neighbour->trips_count == NEIGHBOUR_TRIPS_MAX)
			break;
		(void)wire_command(&neighbour->wire, "NOOP");
		neighbour->trip_ns[neighbour->trips_count++] = clock_monotonic_ns() - start_ns;
		nanosleep(&pause, NULL);
	}
	return NULL;
}

struct neighbours *neighbours_start(const struct work *work)
{
	struct neighbours *neighbours = calloc(1, sizeof(*neighbours));

	if (neighbours == NULL)
		die("no memory");
	neighbours->count = work->users_count < NEIGHBOURS_MAX ? work->users_count : NEIGHBOURS_MAX;
	for (unsigned i = 0; i < neighbours->count; i++) {
		char user[64];

		snprintf(user, sizeof(user), "%s%u", work->users, i);
		wire_login(&neighbours->neighbour[i].wire, work->imap, false, user, work->password);
	}
	if (pthread_create(&neighbours->thread, NULL, ask, neighbours) != 0)
		die("a thread cannot be made");
	return neighbours;
}

static int by_length(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return (*x > *y) - (*x < *y);
}

static double larger(double a, uint64_t ns)
{
	return (double)ns / 1e6 > a ? (double)ns / 1e6 : a;
}

void neighbours_stop(struct neighbours *neighbours, double *p99_ms, double *longest_ms)
{
	*p99_ms = 0;
	*longest_ms = 0;
	atomic_store(&neighbours->ends, true);
	pthread_join(neighbours->thread, NULL);
	for (unsigned i = 0; i < neighbours->count; i++) {
		struct neighbour *neighbour = &neighbours->neighbour[i];
		size_t n = neighbour->trips_count;

		wire_logout(&neighbour->wire);
		if (n == 0)
			continue;
		qsort(neighbour->trip_ns, n, sizeof(*neighbour->trip_ns), by_length);
		*p99_ms = larger(*p99_ms, neighbour->trip_ns[n * 99 / 100]);
		*longest_ms = larger(*longest_ms, neighbour->trip_ns[n - 1]);
	}
	free(neighbours);
}
