#include "core/imap/id_params.h"

static enum rp_err take_param(struct lex *lex, struct arena *arena, struct id_param *param)
{
	enum rp_err err = lex_string(lex, arena, &param->field);

	if (err == RP_OK)
		err = lex_sp(lex);
	if (err == RP_OK)
		err = lex_nstring(lex, arena, &param->value);
	if (err == RP_OK &&
	    (param->field.n > ID_FIELD_BYTES_MAX || param->value.n > ID_VALUE_BYTES_MAX))
		err = RP_ERR_SYNTAX;
	return err;
}

enum rp_err id_params_parse(struct lex *lex, struct arena *arena, struct id_params *out)
{
	struct lex ahead = *lex;
	struct id_param *param;
	size_t n = 0;

	if (lex_word(&ahead, "NIL")) {
		*lex = ahead;
		*out = (struct id_params){ NULL, 0 };
		return RP_OK;
	}
	enum rp_err err = lex_open(&ahead);

	if (err != RP_OK)
		return err;
	bool more = !lex_close(&ahead);

	param = arena_alloc(arena, more ? ID_PARAMS_MAX * sizeof(*param) : 0);
	if (param == NULL)
		return RP_ERR_LIMIT;
	while (more) {
		if (n == ID_PARAMS_MAX)
			return RP_ERR_SYNTAX;
		err = take_param(&ahead, arena, &param[n++]);
		if (err == RP_OK)
			err = lex_more(&ahead, &more);
		if (err != RP_OK)
			return err;
	}
	*lex = ahead;
	*out = (struct id_params){ param, n };
	return RP_OK;
}

void id_params_write(struct resp *resp, const struct id_params *params)
{
	bool started = false;

	if (params->count == 0) {
		resp_lit(resp, "NIL");
		return;
	}
	resp_byte(resp, '(');
	for (size_t i = 0; i < params->count; i++) {
		resp_sep(resp, &started);
		resp_string(resp, params->param[i].field);
		resp_byte(resp, ' ');
		resp_nstring(resp, params->param[i].value);
	}
	resp_byte(resp, ')');
}
