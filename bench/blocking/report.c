#include "bench/blocking/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/load/die.h"

enum { TEXT_BYTES_MAX = 128 };

void report_add(struct report *report, struct report_row row)
{
	if (report->count == REPORT_ROWS_MAX)
		die("more than %d figures", REPORT_ROWS_MAX);
	report->row[report->count++] = row;
	fprintf(stderr, "  %s: %.4g %s\n", row.work, row.value, row.unit);
}

double report_over(const struct report_row *row)
{
	if (row->target == 0 || row->value == 0)
		return 0;
	return row->more_is_better ? row->target / row->value : row->value / row->target;
}

/* "model name : ..." of the first core, without what would break a JSON string. */
static void cpu_model(char out[TEXT_BYTES_MAX])
{
	char line[512];
	FILE *file = fopen("/proc/cpuinfo", "re");

	snprintf(out, TEXT_BYTES_MAX, "unknown");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || colon == NULL)
			continue;
		line[strcspn(line, "\n\"\\")] = '\0';
		snprintf(out, TEXT_BYTES_MAX, "%.100s", colon + 2);
		break;
	}
	if (file != NULL)
		fclose(file);
}

static double load_now(void)
{
	double load[1] = {0};

	return getloadavg(load, 1) == 1 ? load[0] : 0;
}

static void print_number(double value, bool there)
{
	if (!there)
		printf(" %10s", "-");
	else if (value >= 1000)
		printf(" %10.0f", value);
	else
		printf(" %10.3g", value);
}

static void print_table(
    const struct report *report, const char *model, const struct utsname *kernel)
{
	printf("machine: %s, %ld cores, Linux %s, load %.1f; commit: %s\n", model,
	    sysconf(_SC_NPROCESSORS_ONLN), kernel->release, load_now(),
	    report->commit[0] != '\0' ? report->commit : "not told");
	printf("%-58s %10s %10s %10s %10s  %s\n", "work", "measured", "floor", "target", "x target",
	    "unit");
	for (size_t i = 0; i < report->count; i++) {
		const struct report_row *row = &report->row[i];

		printf("%-58s", row->work);
		print_number(row->value, true);
		print_number(row->floor, row->floor != 0);
		print_number(row->target, row->target != 0);
		print_number(report_over(row), row->target != 0);
		printf("  %s\n", row->unit);
	}
}

static void print_json(const struct report *report, const char *model, const struct utsname *kernel)
{
	printf("{\"cpu\":\"%s\",\"cores\":%ld,\"kernel\":\"%s\",\"load\":%.2f,\"commit\":\"%s\","
	       "\"figures\":[",
	    model, sysconf(_SC_NPROCESSORS_ONLN), kernel->release, load_now(), report->commit);
	for (size_t i = 0; i < report->count; i++) {
		const struct report_row *row = &report->row[i];

		printf("%s\n{\"key\":\"%s\",\"work\":\"%s\",\"unit\":\"%s\",\"value\":%.6g",
		    i > 0 ? "," : "", row->key, row->work, row->unit, row->value);
		if (row->floor != 0)
			printf(",\"floor\":%.6g", row->floor);
		if (row->target != 0)
			printf(
			    ",\"target\":%.6g,\"over_target\":%.4g", row->target, report_over(row));
		printf("}");
	}
	printf("\n]}\n");
}

void report_print(const struct report *report)
{
	char model[TEXT_BYTES_MAX];
	struct utsname kernel;

	cpu_model(model);
	if (uname(&kernel) != 0)
		snprintf(kernel.release, sizeof(kernel.release), "unknown");
	if (report->json)
		print_json(report, model, &kernel);
	else
		print_table(report, model, &kernel);
}
