#!/usr/bin/env python3
"""Every profile of the suite, in small, against the real server: each answer is right, and nothing is left out but what is said.

    tests/bench/profiles.py BUILD [NAME...]        BUILD: a build folder; NAME: of profiles, all by default
"""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, 'bench'))
from suite import servers  # noqa: E402

# What the server does not speak yet.
LEFT_OUT = {'sort', 'thread'}
USERS = 22000


def in_small(path, folder):
    """A few messages, and no bound for the tool's own lag: here it is not measured but checked."""
    text = open(path).read()
    text = re.sub(r'(?m)^warmup = .*', 'warmup = 0.2\nlag_max_ms = 1000000', text)
    text = re.sub(r'(?m)^( *clients = )(\d+)', lambda m: m.group(1) + str(min(int(m.group(2)), 8)), text)
    text = re.sub(r'idle(-push)? \d+', lambda m: f'idle{m.group(1) or ""} 300', text)
    name = os.path.join(folder, os.path.basename(path))
    open(name, 'w').write(text)
    return name


def main():
    build = os.path.abspath(sys.argv[1])
    wanted = sys.argv[2:]
    paths = sorted(glob.glob(os.path.join(TOP, 'bench', 'profiles', '**', '*.profile'), recursive=True))
    failed = passed = 0
    with tempfile.TemporaryDirectory() as folder:
        server = servers.Ringpost(os.path.join(folder, 'server'), build, USERS)
        server.start()
        try:
            for path in paths:
                if wanted and os.path.basename(path)[:-8] not in wanted:
                    continue
                out = os.path.join(folder, 'result.json')
                done = subprocess.run([os.path.join(build, 'ringpost-bench'), 'run', in_small(path, folder), '--messages-max', '40',
                                       '--users', f'{servers.PREFIX}:{USERS}', '--seconds', '1.5', '--out', out, '--server',
                                       json.dumps(server.told()), *server.load_options()],
                                      capture_output=True, text=True, check=False)
                result = json.load(open(out)) if done.returncode in (0, 3) else None
                others = {w['word'].split()[0] for w in result['left_out']} - LEFT_OUT if result else set()
                nothing = result is not None and result['cost']['commands'] == 0 and 'idle' not in path
                if result is None or others or nothing:
                    failed += 1
                    print(f'FAIL {path}: exit code {done.returncode} {done.stderr.strip()} {others or ""}')
                else:
                    passed += 1
        finally:
            server.stop()
    print(f'{passed} passed, {failed} failed')
    return 1 if failed else 0


sys.exit(main())
