#include "io/base/err.h"

#include <errno.h>

const char *err_name(enum rp_err err)
{
	static const char *const names[RP_ERR_COUNT] = {
		[RP_OK] = "ok",
		[RP_ERR_CANCELED] = "canceled",
		[RP_ERR_END] = "end",
		[RP_ERR_SYNTAX] = "syntax",
		[RP_ERR_LIMIT] = "limit",
		[RP_ERR_TOOBIG] = "toobig",
		[RP_ERR_NOTFOUND] = "notfound",
		[RP_ERR_EXISTS] = "exists",
		[RP_ERR_CANNOT] = "cannot",
		[RP_ERR_HASCHILDREN] = "haschildren",
		[RP_ERR_DENIED] = "denied",
		[RP_ERR_BUSY] = "busy",
		[RP_ERR_QUOTA] = "quota",
		[RP_ERR_NOSPACE] = "nospace",
		[RP_ERR_NOMEM] = "nomem",
		[RP_ERR_EXPUNGED] = "expunged",
		[RP_ERR_IO] = "io",
		[RP_ERR_CORRUPT] = "corrupt",
		[RP_ERR_UNAVAILABLE] = "unavailable",
		[RP_ERR_REFUSED] = "refused",
		[RP_ERR_UNKNOWN] = "unknown",
	};

	if ((unsigned)err >= RP_ERR_COUNT)
		return "invalid";
	return names[err];
}

enum rp_err err_of_errno(int number)
{
	switch (number) {
	case 0:
		return RP_OK;
	case ENOENT:
		return RP_ERR_NOTFOUND;
	case EEXIST:
	case ENOTEMPTY:
		return RP_ERR_EXISTS;
	case EACCES:
	case EPERM:
	case EROFS:
		return RP_ERR_DENIED;
	case EAGAIN:
	case EBUSY:
	case EADDRINUSE:
		return RP_ERR_BUSY;
	case ENOSPC:
	case EDQUOT:
		return RP_ERR_NOSPACE;
	case ENOMEM:
		return RP_ERR_NOMEM;
	case EMFILE:
	case ENFILE:
	case EFBIG:
	case ENAMETOOLONG:
		return RP_ERR_LIMIT;
	case ECANCELED:
		return RP_ERR_CANCELED;
	case EPIPE:
	case ECONNRESET:
		return RP_ERR_END;
	default:
		return RP_ERR_IO;
	}
}
