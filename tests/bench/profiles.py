#!/usr/bin/env python3
"""Every profile of the suite, in small, against the real server: each answer is right, and nothing is left out but what is said.

    tests/bench/profiles.py BUILD [NAME...]        BUILD: a build folder; NAME: of profiles, all by default
"""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'bench'))
from suite import servers, tool  # noqa: E402

# What the server does not speak yet.
LEFT_OUT = {'sort', 'thread'}


def main():
    build = os.path.abspath(sys.argv[1])
    failed = passed = 0
    with tempfile.TemporaryDirectory() as folder:
        server = servers.Ringpost(os.path.join(folder, 'server'), build, tool.USERS)
        try:
            server.start()
            for name, path in tool.profiles(sys.argv[2:]).items():
                fault = tool.check_small(build, server, path, folder, LEFT_OUT)
                failed += fault != ''
                passed += fault == ''
                if fault:
                    print(f'FAIL {name}: {fault}')
        finally:
            server.stop()
    print(f'{passed} passed, {failed} failed')
    return 1 if failed else 0


sys.exit(main())
