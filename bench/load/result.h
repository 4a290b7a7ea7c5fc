/* result.h -- what came of a run, as JSON (bench/DESIGN.md, section 5).
 */
#ifndef RP_BENCH_LOAD_RESULT_H
#define RP_BENCH_LOAD_RESULT_H

#include <stdio.h>

#include "bench/load/bench_run.h"

/* What the tool cannot know itself. */
struct result_told {
	const char *profile_path;
	const char *server;  /* a JSON object as text: name, version, durability, settings; NULL: not told */
	const char *commit;
	const char *label;   /* what somebody calls this run; NULL: nothing */
};

enum result_verdict {
	RESULT_GOOD = 0,
	RESULT_LIMITED = 3, /* the tool was the limit: no latencies, no rates */
	RESULT_VOID = 4,    /* a wrong answer: nothing */
};

/* Write it. RP_ERR_NOMEM, RP_ERR_IO; RP_ERR_SYNTAX: told->server is no JSON object. */
RP_MUST_USE enum rp_err result_write(const struct bench_run *run, const struct result_told *told,
    FILE *file, enum result_verdict *verdict);

#endif
