"""The machine a run was made on, and what else it did."""
import os
import platform


def line_of(path, start):
    try:
        with open(path) as file:
            return next((line.split(':', 1)[1].strip() for line in file if line.startswith(start)), 'unknown')
    except OSError:
        return 'unknown'


def file_system(folder):
    """What the folder is on."""
    folder, best = os.path.realpath(folder), ('', 'unknown')
    try:
        with open('/proc/mounts') as file:
            for line in file:
                device, at, kind, options = line.split()[:4]
                if (folder + '/').startswith(at.rstrip('/') + '/') and len(at) >= len(best[0]):
                    best = (at, f'{kind} on {device} ({options})')
    except OSError:
        pass
    return best[1]


def told(folder):
    return {'cpu': line_of('/proc/cpuinfo', 'model name'), 'cores': os.cpu_count(), 'kernel': platform.release(),
            'memory': line_of('/proc/meminfo', 'MemTotal'), 'disk': file_system(folder), 'load': os.getloadavg()[0]}
