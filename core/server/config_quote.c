#include "core/server/config_quote.h"

#include <stdbool.h>
#include <stdio.h>

enum state { PLAIN, LINE_COMMENT, COMMENT, QUOTE };

struct scan {
	FILE *file;
	enum state state;
	int quote;
	unsigned line;
	unsigned began; /* on this line */
};

static bool next_is(struct scan *scan, int wanted)
{
	int c = getc_unlocked(scan->file);

	if (c == wanted)
		return true;
	if (c != EOF)
		ungetc(c, scan->file);
	return false;
}

static void begin(struct scan *scan, enum state state)
{
	scan->state = state;
	scan->began = scan->line;
}

static void plain(struct scan *scan, int c)
{
	if (c == '#' || (c == '/' && next_is(scan, '/'))) {
		begin(scan, LINE_COMMENT);
	} else if (c == '/' && next_is(scan, '*')) {
		begin(scan, COMMENT);
	} else if (c == '"' || c == '\'') {
		begin(scan, QUOTE);
		scan->quote = c;
	}
}

static void take(struct scan *scan, int c)
{
	if (scan->state == PLAIN)
		plain(scan, c);
	else if (scan->state == COMMENT && c == '*' && next_is(scan, '/'))
		scan->state = PLAIN;
	else if (scan->state == LINE_COMMENT && c == '\n')
		scan->state = PLAIN;
	else if (scan->state == QUOTE && c == scan->quote)
		scan->state = PLAIN;
	else if (scan->state == QUOTE && c == '\\')
		scan->line += getc_unlocked(scan->file) == '\n';
	scan->line += c == '\n';
}

unsigned config_quote_unclosed(const char *path)
{
	struct scan scan = { .file = fopen(path, "re"), .line = 1 };
	int c;

	if (scan.file == NULL)
		return 0;
	while ((c = getc_unlocked(scan.file)) != EOF)
		take(&scan, c);
	fclose(scan.file);
	return scan.state == QUOTE || scan.state == COMMENT ? scan.began : 0;
}
