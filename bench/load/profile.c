#include "bench/load/profile.h"

#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/load/content.h"
#include "bench/load/op.h"

/* The library's callbacks get no argument of ours; reading happens on one thread. */
static char *error_text;
static const char *file_path;

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
	char text[PROFILE_TEXT_BYTES - 128];

	if (error_text[0] != '\0')
		return; /* the first one is the cause */
	vsnprintf(text, sizeof(text), format, args);
	snprintf(error_text, PROFILE_TEXT_BYTES, "%.100s:%d: %s", file_path, cfg != NULL ? cfg->line : 0, text);
}

/* ---- what values may be; called with each that was read, so the line is known ---- */

struct range {
	const char *key;
	double least;
	double most;
};

static const struct range ranges[] = {
    {"seed", 0, 1e15},
    {"users_from", 0, 1e7},
    {"warmup", 0, 3600},
    {"seconds", 0.1, 36000},
    {"lag_max_ms", 0.1, 1e6},
    {"clients", 1, PROFILE_CLIENTS_MAX},
    {"rate", 0, 1e6},
    {"messages", 0, 50e6},
    {"size", CONTENT_BYTES_MIN, CONTENT_BYTES_MAX},
    {"weight", 1, 1e6},
};

static int check_range(cfg_t *cfg, const char *key, double value)
{
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (strcmp(ranges[i].key, key) != 0)
			continue;
		if (value >= ranges[i].least && value <= ranges[i].most)
			return 0;
		cfg_error(cfg, "%s = %g: it must be from %g to %g", key, value, ranges[i].least, ranges[i].most);
		return -1;
	}
	assert_panic("no range for %s", key);
}

static int check_int(cfg_t *cfg, cfg_opt_t *opt)
{
	return check_range(cfg, opt->name, (double)cfg_opt_getnint(opt, cfg_opt_size(opt) - 1));
}

static int check_float(cfg_t *cfg, cfg_opt_t *opt)
{
	return check_range(cfg, opt->name, cfg_opt_getnfloat(opt, cfg_opt_size(opt) - 1));
}

/* Words of fixed choice: "key", then what it may be. */
static const char *const choices[][5] = {
    {"loop", "open", "closed"},
    {"tls", "none", "full", "resumed"},
    {"session", "kept", "each"},
    {"pace", "poisson", "even"},
    {"speaks", "imap", "lmtp"},
};

static int choice_of(const char *key, const char *value)
{
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		for (int k = 1; strcmp(choices[i][0], key) == 0 && k < 5 && choices[i][k] != NULL; k++)
			if (strcmp(choices[i][k], value) == 0)
				return k - 1;
	return -1;
}

static int check_choice(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *value = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);

	if (choice_of(opt->name, value) >= 0)
		return 0;
	cfg_error(cfg, "%s = %s: there is no such choice", opt->name, value);
	return -1;
}

static const struct op_def *parse_word(const char *text, uint64_t *number)
{
	struct bytes word = bytes_of_str(text);
	size_t space = bytes_find(word, 0, ' ');
	const struct op_def *op = op_find(bytes_slice(word, 0, space));

	*number = 0;
	if (op == NULL || space == word.n)
		return op;
	if ((op->traits & OP_NUMBER) == 0 ||
	    !bytes_to_u64(bytes_from(word, space + 1), 1000 * 1000 * 1000, number))
		return NULL;
	return op;
}

static int check_words(cfg_t *cfg, cfg_opt_t *opt)
{
	unsigned count = cfg_opt_size(opt);
	uint64_t number;

	if (count > PROFILE_STEPS_MAX) {
		cfg_error(cfg, "%s: more than %d words", opt->name, PROFILE_STEPS_MAX);
		return -1;
	}
	if (count == 0 || parse_word(cfg_opt_getnstr(opt, count - 1), &number) != NULL)
		return 0;
	cfg_error(cfg, "%s: \"%s\" is no word; ringpost-bench words lists them", opt->name,
	    cfg_opt_getnstr(opt, count - 1));
	return -1;
}

static int check_act(cfg_t *cfg, cfg_opt_t *opt)
{
	cfg_t *act = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);

	if (cfg_size(act, "do") > 0)
		return 0;
	cfg_error(cfg, "act %s: it has no \"do\"", cfg_title(act));
	return -1;
}

static int check_group(cfg_t *cfg, cfg_opt_t *opt)
{
	cfg_t *group = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);

	if (cfg_size(group, "act") <= PROFILE_ACTS_MAX)
		return 0;
	cfg_error(cfg, "group %s: more than %d acts", cfg_title(group), PROFILE_ACTS_MAX);
	return -1;
}

/* ---- the file's options ---- */

static cfg_opt_t checked(cfg_opt_t opt, cfg_validate_callback_t check)
{
	opt.validcb = check;
	return opt;
}

/* The library takes the end of the file for the end of all sections. So braces are counted, outside strings and comments. */
static bool all_closed(cfg_t *cfg, const char *path)
{
	FILE *file = fopen(path, "re");
	bool in_string = false;
	bool in_comment = false;
	int depth = 0;

	if (file == NULL)
		return false;
	for (int c; (c = getc(file)) != EOF;) {
		if (c == '\n')
			in_comment = false;
		else if (c == '\\' && in_string)
			(void)getc(file);
		else if (c == '"' && !in_comment)
			in_string = !in_string;
		else if (c == '#' && !in_string)
			in_comment = true;
		else if (!in_string && !in_comment)
			depth += (c == '{') - (c == '}');
	}
	fclose(file);
	if (depth != 0)
		cfg_error(cfg, "a section has no closing brace");
	return depth == 0;
}

static cfg_t *parse(const char *path, enum rp_err *err)
{
	cfg_opt_t act[] = {
	    checked((cfg_opt_t)CFG_INT("weight", 1, CFGF_NONE), check_int),
	    checked((cfg_opt_t)CFG_STR_LIST("do", NULL, CFGF_NONE), check_words), CFG_END()};
	cfg_opt_t group[] = {
	    checked((cfg_opt_t)CFG_INT("clients", 1, CFGF_NONE), check_int),
	    checked((cfg_opt_t)CFG_STR("speaks", "imap", CFGF_NONE), check_choice),
	    checked((cfg_opt_t)CFG_STR("loop", NULL, CFGF_NONE), check_choice),
	    checked((cfg_opt_t)CFG_STR("tls", "none", CFGF_NONE), check_choice),
	    checked((cfg_opt_t)CFG_STR("session", "kept", CFGF_NONE), check_choice),
	    checked((cfg_opt_t)CFG_FLOAT("rate", 0, CFGF_NONE), check_float),
	    checked((cfg_opt_t)CFG_STR("pace", "poisson", CFGF_NONE), check_choice),
	    checked((cfg_opt_t)CFG_INT("messages", 0, CFGF_NONE), check_int),
	    checked((cfg_opt_t)CFG_INT("size", 4096, CFGF_NONE), check_int),
	    CFG_STR("mail_of", NULL, CFGF_NONE),
	    checked((cfg_opt_t)CFG_STR_LIST("begin", NULL, CFGF_NONE), check_words),
	    checked((cfg_opt_t)CFG_STR_LIST("end", NULL, CFGF_NONE), check_words),
	    checked((cfg_opt_t)CFG_SEC("act", act, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES), check_act),
	    CFG_END()};
	cfg_opt_t top[] = {
	    CFG_STR("about", "", CFGF_NONE),
	    checked((cfg_opt_t)CFG_STR("loop", "open", CFGF_NONE), check_choice),
	    checked((cfg_opt_t)CFG_INT("seed", 1, CFGF_NONE), check_int),
	    checked((cfg_opt_t)CFG_INT("users_from", 0, CFGF_NONE), check_int),
	    checked((cfg_opt_t)CFG_FLOAT("warmup", 2, CFGF_NONE), check_float),
	    checked((cfg_opt_t)CFG_FLOAT("seconds", 10, CFGF_NONE), check_float),
	    checked((cfg_opt_t)CFG_FLOAT("lag_max_ms", 2, CFGF_NONE), check_float),
	    checked((cfg_opt_t)CFG_SEC("group", group, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
	        check_group),
	    CFG_END()};
	cfg_t *cfg = cfg_init(top, CFGF_NONE);

	*err = RP_ERR_NOMEM;
	if (cfg == NULL)
		return NULL;
	cfg_set_error_function(cfg, on_error);
	int result = cfg_parse(cfg, path);

	*err = result == CFG_SUCCESS      ? RP_OK
	       : result == CFG_FILE_ERROR ? RP_ERR_NOTFOUND
	                                  : RP_ERR_SYNTAX;
	if (*err == RP_OK && !all_closed(cfg, path))
		*err = RP_ERR_SYNTAX;
	if (*err == RP_ERR_NOTFOUND)
		snprintf(error_text, PROFILE_TEXT_BYTES, "%.100s: cannot be read", path);
	return cfg;
}

/* ---- out of the library's hands into ours ---- */

static enum rp_err copy_text(char **out, const char *text)
{
	*out = strdup(text);
	return *out != NULL ? RP_OK : RP_ERR_NOMEM;
}

static enum rp_err fault(const char *format, const char *what)
{
	char text[PROFILE_TEXT_BYTES - 128];

	snprintf(text, sizeof(text), format, what);
	snprintf(error_text, PROFILE_TEXT_BYTES, "%.100s: %s", file_path, text);
	return RP_ERR_SYNTAX;
}

/* Words that are the same are one: their latencies go into one histogram. */
static enum rp_err add_word(struct profile *profile, const char *text, unsigned *index)
{
	for (unsigned i = 0; i < profile->words_count; i++) {
		*index = i;
		if (strcmp(profile->word[i].text, text) == 0)
			return RP_OK;
	}
	if (profile->words_count == PROFILE_WORDS_MAX)
		return fault("more different words than there may be, at \"%s\"", text);
	struct profile_word *word = &profile->word[profile->words_count];

	word->op = parse_word(text, &word->number);
	RP_ASSERT(word->op != NULL);
	*index = profile->words_count;
	enum rp_err err = copy_text(&word->text, text);

	profile->words_count += err == RP_OK;
	return err;
}

static enum rp_err take_steps(struct profile *profile, const struct profile_group *group, cfg_t *cfg,
    const char *key, struct profile_steps *steps)
{
	for (unsigned i = 0; i < cfg_size(cfg, key); i++) {
		enum rp_err err = add_word(profile, cfg_getnstr(cfg, key, i), &steps->word[i]);

		if (err != RP_OK)
			return err;
		steps->count++;
		if (((profile->word[steps->word[i]].op->traits & OP_LMTP) != 0) != group->lmtp)
			return fault("\"%s\" is not of what its group speaks", cfg_getnstr(cfg, key, i));
	}
	return RP_OK;
}

static enum rp_err take_acts(struct profile *profile, struct profile_group *group, cfg_t *cfg)
{
	group->act_first = profile->acts_count;
	for (unsigned i = 0; i < cfg_size(cfg, "act"); i++) {
		cfg_t *from = cfg_getnsec(cfg, "act", i);
		struct profile_act *act = &group->act[i];
		enum rp_err err = copy_text(&act->name, cfg_title(from));

		group->acts_count++;
		profile->acts_count++;
		act->weight = (unsigned)cfg_getint(from, "weight");
		if (err == RP_OK)
			err = take_steps(profile, group, from, "do", &act->steps);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

static int choice(cfg_t *cfg, const char *key)
{
	return choice_of(key, cfg_getstr(cfg, key));
}

/* mail_of: its mail goes to, or its clients act in, the mailboxes of a group that stands before it. */
static enum rp_err take_users(struct profile *profile, struct profile_group *group, cfg_t *cfg)
{
	const char *other = cfg_getstr(cfg, "mail_of");

	group->user_first = profile->users;
	if (other == NULL) {
		profile->users += group->clients;
		return RP_OK;
	}
	for (struct profile_group *of = profile->group; of < group; of++) {
		if (strcmp(of->name, other) != 0)
			continue;
		if (group->lmtp)
			of->grows = true;
		else
			of->shares = group->shares = true;
		group->user_first = of->user_first;
		if (group->clients > of->clients && !group->lmtp)
			return fault("group %s: it has more clients than the group whose mail it shares", group->name);
		return RP_OK;
	}
	return fault("mail_of = %s: no group before it has this name", other);
}

static enum rp_err take_group(struct profile *profile, cfg_t *cfg)
{
	struct profile_group *group = &profile->group[profile->groups_count++];
	enum rp_err err = copy_text(&group->name, cfg_title(cfg));

	if (err != RP_OK)
		return err;
	group->clients = (unsigned)cfg_getint(cfg, "clients");
	group->tls = (enum profile_tls)choice(cfg, "tls");
	group->lmtp = choice(cfg, "speaks") == 1;
	group->closed = cfg_getstr(cfg, "loop") != NULL ? choice(cfg, "loop") == 1 : profile->closed;
	group->each = choice(cfg, "session") == 1;
	group->rate = cfg_getfloat(cfg, "rate");
	group->pace = (enum schedule_pace)choice(cfg, "pace");
	group->messages = (unsigned)cfg_getint(cfg, "messages");
	group->size_bytes = (unsigned)cfg_getint(cfg, "size");
	profile->clients += group->clients;
	if (group->lmtp && group->tls != PROFILE_TLS_NONE)
		return fault("group %s: LMTP is spoken without TLS", group->name);
	err = take_users(profile, group, cfg);
	if (err == RP_OK)
		err = take_steps(profile, group, cfg, "begin", &group->begin);
	if (err == RP_OK)
		err = take_steps(profile, group, cfg, "end", &group->end);
	if (err == RP_OK)
		err = take_acts(profile, group, cfg);
	if (err == RP_OK && !group->closed && group->acts_count > 0 && group->rate == 0)
		err = fault("group %s: acts of an open loop need a rate", group->name);
	return err;
}

static enum rp_err take(struct profile *profile, cfg_t *cfg)
{
	enum rp_err err = copy_text(&profile->about, cfg_getstr(cfg, "about"));

	profile->closed = choice(cfg, "loop") == 1;
	profile->seed = (uint64_t)cfg_getint(cfg, "seed");
	profile->users_from = (unsigned)cfg_getint(cfg, "users_from");
	profile->warmup_s = cfg_getfloat(cfg, "warmup");
	profile->seconds = cfg_getfloat(cfg, "seconds");
	profile->lag_max_ms = cfg_getfloat(cfg, "lag_max_ms");
	if (err == RP_OK && cfg_size(cfg, "group") == 0)
		err = fault("%s", "there is no group");
	if (err == RP_OK && cfg_size(cfg, "group") > PROFILE_GROUPS_MAX)
		err = fault("%s", "there are too many groups");
	for (unsigned i = 0; err == RP_OK && i < cfg_size(cfg, "group"); i++)
		err = take_group(profile, cfg_getnsec(cfg, "group", i));
	if (err == RP_OK && profile->clients > PROFILE_CLIENTS_MAX)
		err = fault("%s", "there are too many clients in all");
	return err;
}

enum rp_err profile_read(const char *path, struct profile *profile, char text[PROFILE_TEXT_BYTES])
{
	enum rp_err err;

	*profile = (struct profile){0};
	text[0] = '\0';
	error_text = text;
	file_path = path;
	cfg_t *cfg = parse(path, &err);

	if (err == RP_OK)
		err = take(profile, cfg);
	cfg_free(cfg);
	if (err != RP_OK)
		profile_fini(profile);
	if (err != RP_OK && text[0] == '\0')
		snprintf(text, PROFILE_TEXT_BYTES, "%.100s: %s", path, err_name(err));
	return err;
}

void profile_bound_messages(struct profile *profile, unsigned messages_max)
{
	for (unsigned i = 0; i < profile->groups_count; i++)
		if (profile->group[i].messages > messages_max)
			profile->group[i].messages = messages_max;
}

bool profile_set_clients(struct profile *profile, unsigned clients)
{
	struct profile_group *first = &profile->group[0];
	unsigned others = profile->clients - first->clients;

	if (clients == 0 || others > PROFILE_CLIENTS_MAX || clients > PROFILE_CLIENTS_MAX - others)
		return false;
	/* Users of groups behind it move along. */
	for (unsigned i = 1; i < profile->groups_count; i++)
		if (profile->group[i].user_first >= first->clients)
			profile->group[i].user_first += clients - first->clients;
	profile->users += clients - first->clients;
	profile->clients += clients - first->clients;
	first->clients = clients;
	return true;
}

void profile_fini(struct profile *profile)
{
	for (unsigned i = 0; i < profile->groups_count; i++) {
		struct profile_group *group = &profile->group[i];

		for (unsigned k = 0; k < group->acts_count; k++)
			free(group->act[k].name);
		free(group->name);
	}
	for (unsigned i = 0; i < profile->words_count; i++)
		free(profile->word[i].text);
	free(profile->about);
	*profile = (struct profile){0};
}
