/* drive_io.h -- what the driver does for a command that is under way: send, wait, read a line, read a literal. */
#ifndef RP_CORE_SERVER_DRIVE_IO_H
#define RP_CORE_SERVER_DRIVE_IO_H

#include "core/cmd/cmd.h"
#include "core/server/drive.h"

/* One command under way; lies on the task's stack. */
struct drive_run {
	struct drive *drive;
	struct conn *conn;
	struct cmd cmd;
	struct resp resp;
	struct arena arena;
	uint64_t stream_left; /* of the mail literal that is being read */
	size_t stream_lent;   /* of the input: taken at the next call */
	bool stream_open;     /* the literal's bytes are coming (or have come) */
};

/* cmd.io_arg is the struct drive_run. */
extern const struct cmd_io drive_io;

#endif
