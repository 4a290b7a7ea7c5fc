"""The floors: what the machine itself costs, measured between the scenarios of the same run."""
import json
import os
import statistics
import subprocess

PROGRAM = os.path.join('bench', 'ringpost-bench-probe')

# What each is, for the report. Names end with their units.
ABOUT = {
    'echo_ns': 'one line comes and goes, on a ring: server CPU',
    'connect_ns': 'accept, three lines, close, on a ring: server CPU',
    'send_ns_per_kib': 'bytes sent over loopback in pieces of 64 KiB, per KiB: server CPU',
    'receive_ns_per_kib': 'bytes received likewise',
    'handshake_ns': 'a full TLS 1.3 handshake, ECDSA P-256: the server half',
    'resumed_ns': 'a resumed TLS 1.3 handshake: the server half',
    'seal_ns_per_kib': 'a TLS record of 16 KiB sealed, per KiB',
    'log_write_ns': '4 KiB written and fdatasync, p50 by the clock',
    'log_write_cpu_ns': 'the same: CPU',
    'copy_ns_per_kib': 'memory copied, per KiB, 64 MiB',
    'scan_ns_per_kib': 'memory scanned by memchr, likewise',
}


def measure(build, folder, seconds=0.1):
    """Figures by name. The folder is one on the disk that servers use."""
    done = subprocess.run([os.path.join(build, PROGRAM), folder, str(seconds)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def medians(all_probes):
    """Of several measurements."""
    names = {name for probes in all_probes for name in probes}
    return {name: statistics.median(p[name] for p in all_probes if name in p) for name in sorted(names)}
