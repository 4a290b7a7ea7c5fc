"""Lists the tasks of every loop, and the stack of each that is suspended.

    gdb -p PID -ex 'source tests/support/gdb_tasks.py' -ex 'tasks' -batch
    (gdb) tasks           names and what they wait for
    (gdb) tasks full      with their stacks

A suspended task's registers lie on its own stack, where jump_fcontext of Boost.Context saved them
(x86-64: MXCSR and x87 control word, then r12, r13, r14, r15, rbx, rbp, the return address). Loops are found
through the running threads' frames.
"""
import gdb

WAITS = ["starts", "ready", "paused", "runs", "op", "queue", "sleeps", "ended"]
RBP_AT, RIP_AT = 0x30, 0x38


def word(address):
    return int(gdb.parse_and_eval("*(unsigned long *)%d" % address))


def offset_of(type_name, member):
    fields = gdb.lookup_type("struct " + type_name).fields()
    return next(f.bitpos // 8 for f in fields if f.name == member)


def loop_of(frame):
    """A thread inside a task is on the task's stack: the task's first frames know the way home."""
    try:
        if frame.name() in ("loop_run", "loop_close"):
            return int(frame.read_var("loop"))
        if frame.name() == "first":
            return int(frame.read_var("fiber")["home"]) - offset_of("loop", "home")
        if frame.name() == "body":
            return int(frame.read_var("task")["loop"])
    except (ValueError, gdb.error):
        pass
    return 0


def loops():
    found = {}
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        frame = gdb.newest_frame()
        while frame is not None:
            loop = loop_of(frame)
            if loop != 0:
                found[loop] = thread.num
            frame = frame.older()
    return found


def members(head, type_name, member):
    kind = gdb.lookup_type("struct " + type_name)
    offset = offset_of(type_name, member)
    link = head["next"]
    while int(link) != int(head.address):
        yield gdb.Value(int(link) - offset).cast(kind.pointer())
        link = link["next"]


def stack(task):
    """Follow the saved frame pointers: the code is compiled with -fno-omit-frame-pointer."""
    context = int(task["fiber"]["context"])
    rip, rbp = word(context + RIP_AT), word(context + RBP_AT)
    for _ in range(64):
        symbol = gdb.execute("info symbol %d" % rip, to_string=True).strip()
        line = gdb.find_pc_line(rip - 1)
        where = "%s:%d" % (line.symtab.filename, line.line) if line.symtab else ""
        print("      %#x %s %s" % (rip, symbol.split(" in section")[0], where))
        low = int(task["fiber"]["stack"])
        if not low <= rbp < low + 256 * 1024:
            return
        rip, rbp = word(rbp + 8), word(rbp)


class Tasks(gdb.Command):
    """List the tasks of all loops. With "full": their stacks too."""

    def __init__(self):
        super().__init__("tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        here = gdb.selected_thread()
        for address, thread in sorted(loops().items()):
            loop = gdb.Value(address).cast(gdb.lookup_type("struct loop").pointer())
            print("loop %#x shard %d thread %d: %d tasks, %d operations" % (
                address, loop["shard"], thread, loop["tasks_count"], loop["ops_count"]))
            for task in members(loop["tasks"], "task", "all"):
                wait = WAITS[int(task["wait"])]
                if wait == "op":
                    wait += " %d" % int(task["op"]["kind"])
                print("  task %#x %-20s %s%s" % (int(task), task["name"].string(), wait,
                                                  " canceled" if task["canceled"] else ""))
                if argument == "full" and wait not in ("runs", "starts"):
                    stack(task)
        here.switch()


Tasks()
