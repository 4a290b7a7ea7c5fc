"""The load tool from scripts: run it on a server, read its result."""
import glob
import json
import os
import re
import subprocess

from . import servers

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROFILES = os.path.join(TOP, 'bench', 'profiles')
USERS = 22000  # profiles have theirs below this

GOOD, LIMITED, VOID = 0, 3, 4


def profiles(names=()):
    """Paths by name; all without names."""
    found = {os.path.basename(p)[:-len('.profile')]: p
             for p in sorted(glob.glob(os.path.join(PROFILES, '**', '*.profile'), recursive=True))}
    unknown = [n for n in names if n not in found]
    if unknown:
        raise SystemExit(f'no such profile: {", ".join(unknown)}; there are {", ".join(found)}')
    return {n: p for n, p in found.items() if not names or n in names}


def mail_of(path):
    """(first user, clients, messages of each, warm-up) of a profile: what is made before its window. By its text alone."""
    text = open(path).read()
    clients = [int(n) for n in re.findall(r'(?m)^ *clients *= *(\d+)', text)]
    messages = [int(n) for n in re.findall(r'(?m)^ *messages *= *(\d+)', text)]
    first = re.search(r'(?m)^users_from *= *(\d+)', text)
    warmup = re.search(r'(?m)^warmup *= *([\d.]+)', text)
    made = 0
    for group in text.split('\ngroup ')[1:]:
        count = re.search(r'(?m)^ *clients *= *(\d+)', group)
        each = re.search(r'(?m)^ *messages *= *(\d+)', group)
        made += int(count.group(1)) * int(each.group(1)) if each else 0
    return {'first': int(first.group(1)) if first else 0, 'clients': sum(clients), 'largest': max(messages, default=0),
            'messages': made, 'warmup_s': float(warmup.group(1)) if warmup else 0.0,
            'seconds': float(re.search(r'(?m)^seconds *= *([\d.]+)', text).group(1))}


def in_small(path, folder):
    """A copy with a few clients, short waits, and no bound for the tool's own lag: for checks, not for measuring."""
    text = open(path).read()
    text = re.sub(r'(?m)^warmup = .*', 'warmup = 0.2\nlag_max_ms = 1000000', text)
    text = re.sub(r'(?m)^( *clients = )(\d+)', lambda m: m.group(1) + str(min(int(m.group(2)), 8)), text)
    text = re.sub(r'idle(-push)? \d+', lambda m: f'idle{m.group(1) or ""} 300', text)
    name = os.path.join(folder, os.path.basename(path))
    with open(name, 'w') as file:
        file.write(text)
    return name


def run(build, server, path, out, *options):
    """(exit code, result or None, what was said). The server has been started."""
    done = subprocess.run([os.path.join(build, 'ringpost-bench'), 'run', path, '--users', f'{servers.PREFIX}:{USERS}',
                           '--out', out, '--server', json.dumps(server.told()), *server.load_options(), *options],
                          capture_output=True, text=True, check=False)
    result = None
    if done.returncode in (GOOD, LIMITED, VOID):
        with open(out) as file:
            result = json.load(file)
    return done.returncode, result, done.stderr.strip()


def check_small(build, server, path, folder, left_out=()):
    """Run a profile in small. What is wrong with it, '' if nothing is."""
    code, result, said = run(build, server, in_small(path, folder), os.path.join(folder, 'result.json'), '--messages-max', '40',
                             '--seconds', '1.5')
    if code not in (GOOD, LIMITED):
        return f'exit code {code}: {said}'
    others = {w['word'].split()[0] for w in result['left_out']} - set(left_out)
    if others:
        return f'left out: {", ".join(sorted(others))}'
    if result['cost'] is not None and result['cost']['commands'] == 0 and 'idle' not in path:
        return 'nothing was done'
    return ''
