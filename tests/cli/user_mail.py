"""What becomes of a deleted user's mail: kept and said where, given back by its id, or removed whole, whenever it is cut short."""
import os
import random
import re
import subprocess
import time

import rp
from commands import ENV, expect

MAIL = b'Subject: x\r\n\r\n' + b'y' * 3000
COUNT = 40


def user(server, *args, **more):
    return expect(server, ['user', *args, '-c', server.conf], **more)


def id_of(server, name):
    return user(server, 'info', name, code=0).stdout.split()[1].decode()


def is_user(server, name):
    with open(f'{server.dir}/passwd') as file:
        return any(line.startswith(f'{name}:') for line in file)


def files_of(server, userid):
    for slot in os.listdir(f'{server.dir}/data/users'):
        if os.path.isdir(f'{server.dir}/data/users/{slot}/{userid}'):
            return os.listdir(f'{server.dir}/data/users/{slot}/{userid}')
    return []


def fill(server, name, count=3):
    client = server.imap(name)
    for _ in range(count):
        assert client.append('INBOX', None, None, MAIL)[0] == 'OK'
    return client


def messages(server, name):
    client = server.imap(name)
    found = int(client.select()[1][0])
    client.logout()
    return found


def kept(server):
    """del says where the mail is; a new user of the name has none of it; who wants it back says so by its id."""
    server.add_user('eve')
    fill(server, 'eve').logout()
    userid = id_of(server, 'eve')
    said = user(server, 'del', 'EVE', code=0, out=f'(?s)eve is deleted; the mail stays, in .*/users/[0-9a-f]{{4}}/{userid}\n.*'
                f'add --id {userid} NAME\n.*del --mail --id {userid}\n').stdout.decode()
    assert os.path.isdir(re.search(r'in (\S*)', said).group(1))
    server.add_user('eve')
    assert messages(server, 'eve') == 0 and id_of(server, 'eve') != userid
    user(server, 'add', '--id', id_of(server, 'eve'), 'other', code=73, err="is the user eve's; nothing was changed", input=b'pw')
    user(server, 'del', '--mail', '--id', id_of(server, 'eve'), code=73, err="is the user eve's; nothing was changed")
    user(server, 'add', '--id', userid, 'eva', code=0, input=b'secret')
    assert messages(server, 'eva') == 3
    user(server, 'del', 'eva', code=0)
    user(server, 'del', '--mail', '--id', userid, code=0)
    assert len(files_of(server, userid)) == 1, files_of(server, userid)
    user(server, 'del', '--mail', '--id', userid, code=0)
    user(server, 'del', '--mail', 'eve', code=0)


def options(server):
    for args in (['passwd', '--mail', 'sam'], ['info', '--id', 'a' * 32, 'sam'], ['del', '--id', 'a' * 32], ['del', '--mail'],
                 ['del', '--id', 'a' * 32, 'sam'], ['del', '--mail', '--id', 'a' * 32, 'sam'], ['add', '--mail', 'x']):
        user(server, *args, code=64, err='usage: ringpost user ')
    user(server, 'del', '--mail', '--id', 'abc', code=64, err='32 hexadecimal digits')
    user(server, 'del', '--mail', 'nobody', code=67, err='no user nobody')


def removed(server):
    """With the mail, every file goes, and every session; nothing of the neighbour's."""
    for name in ('eve', 'sam'):
        server.add_user(name)
    client = fill(server, 'eve', COUNT)
    fill(server, 'sam').logout()
    raw = server.raw()
    raw.line()
    raw.send(b'a LOGIN eve secret\r\nb SELECT INBOX\r\nc IDLE\r\n')
    raw.until('+')
    userid = id_of(server, 'eve')
    assert len(files_of(server, userid)) > 1
    user(server, 'del', '--mail', 'eve', code=0)
    assert b'* BYE [CONTACTADMIN] ' in raw.closed()
    client.shutdown()
    assert len(files_of(server, userid)) == 1, files_of(server, userid)
    assert messages(server, 'sam') == 3
    user(server, 'info', 'eve', code=67, err='no user eve')


def offline(server):
    server.add_user('ann')
    fill(server, 'ann').logout()
    userid = id_of(server, 'ann')
    server.stop()
    user(server, 'del', '--mail', 'ann', code=0)
    assert len(files_of(server, userid)) == 1, files_of(server, userid)
    user(server, 'info', 'ann', code=67, err='no user ann')
    server.start()


def killed(server):
    """SIGKILL of the server at any moment of it: all is there, or all goes; the same command then ends it."""
    dice = random.Random(7)
    outcomes = {'there': 0, 'gone': 0}
    for n in range(12):
        server.add_user(f'k{n}')
        fill(server, f'k{n}', COUNT).logout()
        userid = id_of(server, f'k{n}')
        command = subprocess.Popen([server.exe, 'user', 'del', '--mail', f'k{n}', '-c', server.conf], env=ENV,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(dice.random() * 0.12)
        server.kill()
        command.wait(60)
        server.start()
        # It may have come to its end, and not heard that the server knows it.
        if command.returncode == 0 or not is_user(server, f'k{n}'):
            assert len(files_of(server, userid)) <= 1, files_of(server, userid)
            continue
        try:
            assert messages(server, f'k{n}') == COUNT
            outcomes['there'] += 1
        except rp.imaplib.IMAP4.error:
            assert len(files_of(server, userid)) == 1, files_of(server, userid)
            outcomes['gone'] += 1
        user(server, 'del', '--mail', f'k{n}', code=0)
        assert len(files_of(server, userid)) == 1, files_of(server, userid)
    assert outcomes['there'] > 0, outcomes


def run(checks):
    with rp.Server(shards=2) as server:
        for check in (removed, kept, options, offline, killed):
            checks.run(f'the mail of a deleted user: {check.__name__}', check, server)
