"""System calls, context switches and flushes of the disk while a window was open, by the kernel's tracepoints and `perf stat`.

They are counted in a pass of their own, as a traced server is a slower one. Flushes are the machine's (requests to the disk that tell it
to flush): whose they are cannot be told from there, so nothing else should write meanwhile.

perf loses sight of processes that a server starts for a connection and gives another user: so it counts their CPU time too, and where
that is less than what the load tool accounted, what else it counted is left out.
"""
import re
import shutil
import subprocess
import threading
import time

OF_SERVER = {'raw_syscalls:sys_enter': 'syscalls', 'context-switches': 'switches', 'task-clock': 'seen_ms'}
SEEN_LEAST = 0.5   # a ring's workers are not seen either, and make no system calls
OF_MACHINE = {'block:block_rq_issue': 'flushes'}
EVERY_MS = 50


def unavailable():
    """Why nothing can be counted here; '' if it can."""
    if shutil.which('perf') is None:
        return 'perf is not installed (Debian: linux-perf)'
    done = subprocess.run(['perf', 'stat', '-a', '-e', ','.join([*OF_SERVER, *OF_MACHINE]), 'true'], capture_output=True, text=True,
                          check=False)
    return '' if done.returncode == 0 else 'perf stat has no tracepoints here: ' + done.stderr.strip().splitlines()[-1]


def read_line(line):
    """(seconds since it began, event, count) of a line of `perf stat -I -x,`, None if it is none."""
    found = re.match(r' *(\d+\.\d+),(\d+(?:\.\d+)?),[^,]*,([^,]+),', line)
    return (float(found.group(1)), found.group(3), float(found.group(2))) if found else None


def sum_of(lines, began_s, from_s, to_s):
    """Counts by event of intervals that end in the window; times are of one clock."""
    out = {}
    for line in lines:
        read = read_line(line)
        if read and from_s < began_s + read[0] <= to_s:
            out[read[1]] = out.get(read[1], 0) + read[2]
    return out


def trusted(counted, cpu_ns):
    """(what is left of it, why not all)."""
    seen = counted.get('seen_ms', 0) * 1e6 / cpu_ns if cpu_ns else 0
    if seen >= SEEN_LEAST:
        return {name: count for name, count in counted.items() if name != 'seen_ms'}, ''
    return ({name: count for name, count in counted.items() if name in OF_MACHINE.values()},
            f'perf saw {seen * 100:.0f} % of its CPU time: system calls and context switches are left out')


class Perf:
    """One `perf stat` that runs until it is ended."""

    def __init__(self, *options):
        self.lines, self.began_s = [], None
        self.process = subprocess.Popen(['perf', 'stat', '-I', str(EVERY_MS), '-x,', *options], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self):
        for line in self.process.stderr:
            read = read_line(line)
            if read and self.began_s is None:
                self.began_s = time.time() - read[0]
            self.lines.append(line)

    def end(self):
        self.process.send_signal(2)
        self.thread.join()
        self.process.wait()


class Counting:
    """with Counting(pids) as counting: ...; then counting.of(from_s, to_s), times of the wall clock."""

    def __init__(self, pids):
        self.pids = pids

    def __enter__(self):
        self.perfs = [Perf('-e', ','.join(OF_SERVER), '-p', ','.join(map(str, self.pids))),
                      Perf('-a', '-e', *OF_MACHINE, '--filter', 'rwbs ~ "*F*"')]
        return self

    def __exit__(self, *_):
        for perf in self.perfs:
            perf.end()

    def of(self, from_s, to_s):
        names, out = {**OF_SERVER, **OF_MACHINE}, {}
        for perf in self.perfs:
            if perf.began_s is not None:
                for event, count in sum_of(perf.lines, perf.began_s, from_s, to_s).items():
                    out[names[event]] = count
        return out
