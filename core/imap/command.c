#include "core/imap/command.h"

#include "core/imap/lex.h"

struct bytes command_tag(struct bytes in)
{
	size_t n = 0;

	while (n < in.n && lex_is_astring_char(in.p[n]) && in.p[n] != '+')
		n++;
	/* What ends with the input may be cut short; what is longer is no tag of a client. */
	if (n == in.n || n > COMMAND_TAG_BYTES_MAX || (in.p[n] != ' ' && in.p[n] != '\r'))
		n = 0;
	return bytes_slice(in, 0, n);
}

/* The next atom, in upper case. False: none, or longer than any name. */
static bool take_name(struct lex *lex, char *name)
{
	struct bytes atom;

	if (lex_atom(lex, &atom) != RP_OK || atom.n > COMMAND_NAME_BYTES_MAX)
		return false;
	for (size_t i = 0; i < atom.n; i++) {
		char c = (char)atom.p[i];

		name[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
	name[atom.n] = '\0';
	return true;
}

/* "UID" SP name: the name is the second word. Without a second word, UID is a name like others,
 * which no command has. */
static void take_uid(struct lex *lex, struct command *command)
{
	struct lex ahead = *lex;

	if (strcmp(command->name, "UID") != 0 || lex_sp(&ahead) != RP_OK ||
	    !take_name(&ahead, command->name))
		return;
	*lex = ahead;
	command->uid = true;
}

enum command_verdict command_parse(struct bytes in, struct command *out)
{
	if (in.n >= 2 && in.p[in.n - 2] == '\r' && in.p[in.n - 1] == '\n')
		in.n -= 2;
	if (in.n == 0)
		return COMMAND_EMPTY;
	size_t tag = 0;

	while (tag < in.n && lex_is_astring_char(in.p[tag]) && in.p[tag] != '+')
		tag++;
	if (tag == 0 || tag > COMMAND_TAG_BYTES_MAX || (tag < in.n && in.p[tag] != ' '))
		return COMMAND_NOTAG;

	struct lex lex = lex_of(in);
	struct command command = { .tag = bytes_slice(in, 0, tag) };

	lex.at = tag;
	out->tag = command.tag;
	if (lex_sp(&lex) != RP_OK || !take_name(&lex, command.name))
		return COMMAND_BAD;
	take_uid(&lex, &command);
	command.args = bytes_slice(in, in.n, in.n);
	if (!lex_end(&lex)) {
		if (lex_sp(&lex) != RP_OK)
			return COMMAND_BAD;
		command.args = bytes_from(in, lex.at);
	}
	*out = command;
	return COMMAND_OK;
}
