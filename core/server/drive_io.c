#include "core/server/drive_io.h"

#include "io/base/num.h"

enum { DRIVE_STREAM_PIECE_BYTES = 64 * 1024 };

static enum rp_err io_flush(struct task *task, struct cmd *cmd)
{
	struct drive_run *run = cmd->io_arg;

	resp_flush(&run->resp);
	if (run->conn->out.bytes + run->conn->wire.bytes <= CONN_OUT_BYTES_HIGH && !run->conn->dropped)
		return task_pause(task);
	return conn_flush(task, run->conn, CONN_OUT_BYTES_HIGH / 2);
}

static enum rp_err io_read_line(struct task *task, struct cmd *cmd, struct bytes *line)
{
	struct drive_run *run = cmd->io_arg;
	struct conn *conn = run->conn;

	resp_flush(&run->resp);
	conn_take(conn, run->stream_lent);
	run->stream_lent = 0;
	for (;;) {
		struct bytes in = conn_input(conn);
		size_t lf = bytes_find(in, 0, '\n');

		if (lf < in.n) {
			size_t n = lf > 0 && in.p[lf - 1] == '\r' ? lf - 1 : lf;

			if (n > DRIVE_READ_LINE_BYTES_MAX)
				return RP_ERR_LIMIT;
			*line = arena_copy(cmd->arena, bytes_slice(in, 0, n));
			conn_take(conn, lf + 1);
			return line->p != NULL ? RP_OK : RP_ERR_LIMIT;
		}
		if (in.n > DRIVE_READ_LINE_BYTES_MAX)
			return RP_ERR_LIMIT;
		enum rp_err err = conn_wait_input(task, conn, in.n);

		if (err != RP_OK)
			return err;
	}
}

static enum rp_err io_stream_accept(struct task *task, struct cmd *cmd)
{
	struct drive_run *run = cmd->io_arg;

	RP_ASSERT(cmd->has_stream);
	if (run->stream_open)
		return RP_OK;
	run->stream_open = true;
	run->stream_left = cmd->stream_bytes;
	if (!cmd->stream_waits)
		return RP_OK;
	resp_continuation(&run->resp, BYTES_LIT("OK"));
	resp_flush(&run->resp);
	return conn_flush(task, run->conn, CONN_OUT_BYTES_HIGH);
}

static enum rp_err io_stream_read(struct task *task, struct cmd *cmd, struct bytes *piece)
{
	struct drive_run *run = cmd->io_arg;
	struct conn *conn = run->conn;

	RP_ASSERT(run->stream_open);
	conn_take(conn, run->stream_lent);
	run->stream_lent = 0;
	if (run->stream_left == 0)
		return RP_ERR_END;
	enum rp_err err = conn_wait_input(task, conn, 0);

	if (err != RP_OK)
		return RP_ERR_CANCELED;
	*piece = conn_input(conn);
	piece->n = num_min(num_min(piece->n, run->stream_left), DRIVE_STREAM_PIECE_BYTES);
	run->stream_left -= piece->n;
	run->stream_lent = piece->n;
	return RP_OK;
}

const struct cmd_io drive_io = {
	.flush = io_flush,
	.read_line = io_read_line,
	.stream_accept = io_stream_accept,
	.stream_read = io_stream_read,
};
