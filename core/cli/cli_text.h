/* cli_text.h -- what an error means to the person at the terminal, and what to do about it. */
#ifndef RP_CORE_CLI_CLI_TEXT_H
#define RP_CORE_CLI_CLI_TEXT_H

#include "io/base/err.h"

/* Static text, to follow "WHAT: ". Total. */
const char *cli_text_of(enum rp_err err);

/* The error of this name (err_name()); RP_ERR_CANNOT: there is none, or it is NULL. */
enum rp_err cli_text_err(const char *name);

#endif
