#!/usr/bin/python3
"""Make golden/vN.tar.xz with the program in RINGPOST_BUILD: the mail of `fill.py`, left by a server that was killed.

    tests/formats/make_golden.py golden/vN.tar.xz

Only for a layout that no golden set has yet; what is there is never made anew, for it stands for what that version wrote.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), 'support'), HERE]
import whole  # noqa: E402


def main():
    archive = os.path.abspath(sys.argv[1])
    if os.path.exists(archive):
        sys.exit(f'{archive} is there already')
    with whole.Ended('killed') as ended:
        with open(os.path.join(ended.dir, 'expected.json'), 'w') as f:
            json.dump({user: (ended.names[user], told) for user, told in ended.told.items()}, f, indent=1, sort_keys=True)
        os.makedirs(os.path.dirname(archive), exist_ok=True)
        subprocess.run(['tar', '--owner=0', '--group=0', '--sort=name', '--exclude=data/reserve', '--exclude=data/control', '-C', ended.dir,
                        '-cJf', archive, 'data', 'passwd', 'expected.json'], check=True, env=dict(os.environ, XZ_OPT='-9e'))
    print(f'{archive}: {os.path.getsize(archive)} bytes')


main()
