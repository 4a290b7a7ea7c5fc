#!/usr/bin/python3
"""Make golden/vN.tar.xz with the program in RINGPOST_BUILD: the mail of `fill.py`, left by a server that was killed.

    tests/formats/make_golden.py golden/vN.tar.xz
    tests/formats/make_golden.py golden/vN-seldom.tar.xz     what a server seldom writes: that of tests/index/test_golden.c

Only for a layout that no golden set has yet; what is there is never made anew, for it stands for what that version wrote.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), 'support'), HERE]
import fill  # noqa: E402
import rp  # noqa: E402
import whole  # noqa: E402

SELDOM = {'mel': 1, 'stan': 2, 'rex': 3, 'pat': 4}  # users: their ids
PURGED = 'pat'


def pack(archive, top, told):
    with open(os.path.join(top, 'expected.json'), 'w') as f:
        json.dump(told, f, indent=1, sort_keys=True)
    os.makedirs(os.path.dirname(archive), exist_ok=True)
    subprocess.run(['tar', '--owner=0', '--group=0', '--sort=name', '--exclude=data/reserve', '--exclude=data/control', '-C', top,
                    '-cJf', archive, 'data', 'passwd', 'expected.json'], check=True, env=dict(os.environ, XZ_OPT='-9e'))
    print(f'{archive}: {os.path.getsize(archive)} bytes')


def of_a_server(archive):
    with whole.Ended('killed') as ended:
        pack(archive, ended.dir, {user: (ended.names[user], told) for user, told in ended.told.items()})


def name_users(server):
    """With the ids that their mail has."""
    lines = []
    for name in SELDOM:
        server.add_user(name)
    with open(os.path.join(server.dir, 'passwd')) as f:
        for line in f:
            name, secret, _ = line.rstrip('\n').split(':')
            lines.append(f'{name}:{secret}:{number_of(name)}\n')
    with open(os.path.join(server.dir, 'passwd'), 'w') as f:
        f.writelines(lines)


def number_of(name):
    return f'{SELDOM[name]:032x}'


def of_the_test(archive):
    """What clients see of it is told by a server that has a copy."""
    with tempfile.TemporaryDirectory(prefix='ringpost-seldom-') as top:
        server = rp.Server(keep=top)
        data, kept = os.path.join(top, 'data'), os.path.join(top, 'kept')
        subprocess.run([os.path.join(rp.BUILD, 'tests', 'index', 'test_index_golden')], check=True, env=dict(os.environ, RINGPOST_GOLDEN=data))
        shutil.copytree(data, kept)
        name_users(server)
        with server:
            told = {number_of(name): (name, fill.told(server, name)) for name in SELDOM if name != PURGED}
        shutil.rmtree(data)
        os.rename(kept, data)
        pack(archive, top, told)


def main():
    archive = os.path.abspath(sys.argv[1])
    if os.path.exists(archive):
        sys.exit(f'{archive} is there already')
    (of_the_test if archive.endswith('-seldom.tar.xz') else of_a_server)(archive)


main()
