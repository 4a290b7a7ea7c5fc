"""undelete: what was expunged is listed and comes back, once, byte for byte; from a running server and without one."""
import glob
import json
import os
import re
import signal
import socket
import time

import rp
from commands import expect


def subject(number):
    return f'number {number}'


def message(number):
    return f'From: =?utf-8?q?s=C3=A4m?= <sam@test>\nSubject: {subject(number)}\n\nbody {number}\n'.encode()


def crlf(mail):
    return mail.replace(b'\n', b'\r\n')


def listed(server, *args):
    done = expect(server, ['undelete', 'sam', '--list', '--json', *args, '-c', server.conf], 0)
    return [json.loads(line) for line in done.stdout.splitlines()]


def stored(server, mailbox):
    """The messages of a mailbox, by UID: flags, INTERNALDATE and bytes."""
    imap = server.imap('sam')
    imap.select(mailbox, readonly=True)
    found = []
    for uid in imap.uid('SEARCH', 'ALL')[1][0].split():
        answer = imap.uid('FETCH', uid, '(FLAGS INTERNALDATE BODY.PEEK[])')[1]
        head = answer[0][0] + (answer[1] if isinstance(answer[1], bytes) else b'')
        flags = set(re.search(rb'FLAGS \((.*?)\)', head).group(1).split()) - {b'\\Recent'}
        found.append((flags, re.search(rb'INTERNALDATE "(.*?)"', head).group(1), answer[0][1]))
    imap.logout()
    return found


def expunge(server):
    """3 and 4 are expunged from INBOX, 5 is moved, and a mailbox is deleted with 6 in it."""
    imap = server.imap('sam')
    for number in range(1, 6):
        imap.append('INBOX', r'(\Seen)' if number == 3 else None, f'"1{number}-Jan-2020 10:00:00 +0100"', crlf(message(number)))
    imap.create('Old')
    imap.append('Old', r'(\Flagged $word)', '"16-Jan-2020 10:00:00 +0100"', crlf(message(6)))
    imap.select('INBOX')
    imap.uid('MOVE', '5', 'Trash')
    imap.store('3:4', '+FLAGS', r'(\Deleted)')
    imap.expunge()
    imap.close()
    assert imap.delete('Old')[0] == 'OK'
    imap.logout()


def lists(server):
    offers = listed(server)
    assert [(one['mailbox'], one['subject'], one['deleted']) for one in offers] == \
        [('INBOX', subject(3), False), ('INBOX', subject(4), False), ('Old', subject(6), True)], offers
    assert all(one['size'] == len(crlf(message(3))) and one['expunged'] > 1_700_000_000 and one['from'] for one in offers), offers
    assert [one['subject'] for one in listed(server, '--mailbox', 'Old')] == [subject(6)]
    assert listed(server, '--mailbox', 'Trash') == []
    assert len(listed(server, '--since', '1h')) == 3
    assert listed(server, '--since', '2100-01-01') == []
    shown = expect(server, ['undelete', 'sam', '--list', '-c', server.conf], 0, out='3 messages can be brought back').stdout
    assert re.search(rb'^20..-..-..T..:..:..Z  Old \(deleted\)  \d+ bytes  .*  number 6$', shown, re.M), shown


def refusals(server):
    conf = ['-c', server.conf]
    for args in ([], ['a', 'b'], ['sam', '--list', '--to', 'x'], ['sam', '--mailbox']):
        expect(server, ['undelete', *args, *([] if args and args[-1] == '--mailbox' else conf)], 64, err='usage: ringpost undelete ')
    expect(server, ['undelete', 'nobody', *conf], 67, err='there is no user nobody')
    expect(server, ['undelete', 'sam', '--since', 'yesterday', *conf], 64, err='--since: "yesterday" is no time')
    expect(server, ['undelete', 'sam', '--since', '2026-13-01', *conf], 64, err='is no time')
    expect(server, ['undelete', 'sam', '--since', '2026-02-31', *conf], 64, err='is no time')
    expect(server, ['undelete', 'sam', '--mailbox', 'a//b', *conf], 64, err='--mailbox: "a//b" cannot be a mailbox')
    expect(server, ['undelete', 'sam', '--to', '', *conf], 64, err='--to: "" cannot be a mailbox')
    if server.process is not None:
        for field in ('mailbox', 'to'):
            answer = ask(server, {'cmd': 'undelete', 'user': 'sam', field: 'a//b'})
            assert answer['code'] == 64 and 'cannot be a mailbox' in answer['error'], answer


def ask(server, request):
    """One request, whatever the command line would say of it."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(f'{server.dir}/data/control')
        control.sendall(json.dumps(request).encode() + b'\n')
        return json.loads(control.makefile('rb').readline())


def brings_back(server, running):
    def back(count, *args):
        expect(server, ['undelete', 'sam', *args, '-c', server.conf], 0, out=f'^{count} messages brought back\n$')

    back(1, '--mailbox', 'Old')
    back(2, '--since', '1h', '--to', 'Found/Here')
    back(0)
    assert listed(server) == []
    if not running:
        server.start()
    old = stored(server, 'Old')
    assert old == [({b'\\Flagged', b'$word'}, b'16-Jan-2020 10:00:00 +0100', crlf(message(6)))], old
    assert stored(server, 'Found/Here') == [
        ({b'\\Seen'}, b'13-Jan-2020 10:00:00 +0100', crlf(message(3))),
        (set(), b'14-Jan-2020 10:00:00 +0100', crlf(message(4)))]
    assert [one[2] for one in stored(server, 'INBOX')] == [crlf(message(1)), crlf(message(2))]
    if not running:
        server.stop()


def passes_over(server, running):
    """A body that is damaged costs its message: it is named, and the exit code says that not all came."""
    server.stop()
    at = crlf(message(4))
    for path in glob.glob(f'{server.dir}/data/users/*/*/*.dbox'):
        with open(path, 'r+b') as f:
            found = f.read().find(at)
            if found >= 0:
                f.seek(found - 32)
                f.write(b'\x55' * 32)
                break
    else:
        raise AssertionError('no file has it')
    number = os.path.basename(path)
    if running:
        server.start()
    done = expect(server, ['undelete', 'sam', '-c', server.conf], 1, out='^2 messages brought back\n$', err='1 messages did not come back')
    named = re.search(rf'^ringpost: sam: INBOX UID 4 \({re.escape(number)}, offset (\d+)\) stays gone: its body is damaged$', done.stderr.decode(), re.M)
    assert named and 0 < found - int(named[1]) < 256, done.stderr
    done = expect(server, ['undelete', 'sam', '--json', '-c', server.conf], 1, err='1 messages did not come back')
    lost, end = (json.loads(line) for line in done.stdout.splitlines())
    assert (lost['mailbox'], lost['uid'], lost['offset'], lost['lost']) == ('INBOX', 4, int(named[1]), 'its body is damaged'), lost
    assert (end['found'], end['back'], end['lost'], end['code']) == (1, 0, 1, 1), end


def off(server):
    """A new setting counts at once: by 0 nothing is offered, nor what is expunged meanwhile afterwards."""
    imap = server.imap('sam')
    imap.append('INBOX', None, None, crlf(message(7)))
    imap.append('INBOX', None, None, crlf(message(8)))
    imap.select('INBOX')
    imap.store('1', '+FLAGS', r'(\Deleted)')
    imap.expunge()
    assert len(listed(server)) == 1
    keep(server, '0')
    assert listed(server) == []
    imap.store('1', '+FLAGS', r'(\Deleted)')
    imap.expunge()
    keep(server, '14d')
    assert [one['subject'] for one in listed(server)] == [subject(1)]
    imap.logout()


def keep(server, value):
    with open(server.conf) as f:
        text = re.sub(r'storage \{( keep_expunged = \S+)?', f'storage {{ keep_expunged = {value}', f.read())
    with open(server.conf, 'w') as f:
        f.write(text)
    logged = len(server.log_text())
    server.process.send_signal(signal.SIGHUP)
    for _ in range(600):
        if 'server.reloaded' in server.log_text()[logged:]:
            return
        time.sleep(0.1)
    raise AssertionError(server.log_tail())


def run(checks):
    for running in (True, False):
        where = 'a running server' if running else 'no server'
        with rp.Server(shards=2) as server:
            server.add_user('sam')
            expunge(server)
            if not running:
                server.stop()
            checks.run(f'undelete lists, with {where}', lists, server)
            checks.run(f'undelete refuses, with {where}', refusals, server)
            checks.run(f'undelete brings back, with {where}', brings_back, server, running)
            if running:
                checks.run('keep_expunged is taken at SIGHUP', off, server)
        with rp.Server(shards=2) as server:
            server.add_user('sam')
            expunge(server)
            checks.run(f'undelete passes over a damaged body, with {where}', passes_over, server, running)
