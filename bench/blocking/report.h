/* report.h -- the figures: a table or JSON, each beside the floor and the target of core/DESIGN.md, section 10. */
#ifndef RP_BENCH_BLOCKING_REPORT_H
#define RP_BENCH_BLOCKING_REPORT_H

#include <stdbool.h>
#include <stddef.h>

enum { REPORT_ROWS_MAX = 128 };

struct report_row {
	const char *key;  /* fixed, for scripts */
	const char *work; /* for people */
	const char *unit;
	double value;
	double floor;  /* 0: the design names none */
	double target; /* 0: none */
	bool more_is_better;
};

struct report {
	struct report_row row[REPORT_ROWS_MAX];
	size_t count;
	const char *commit; /* "": not told */
	bool json;
};

/* The texts are static. */
void report_add(struct report *report, struct report_row row);

/* How many times worse than the target: 1 is on it, 2 is twice as slow (or half as many). 0: no target. */
double report_over(const struct report_row *row);

/* All of it on standard output, with the machine. */
void report_print(const struct report *report);

#endif
