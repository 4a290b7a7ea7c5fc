#!/usr/bin/env python3
"""A server whose n-th allocation fails, for each n, in everything that a client can do.

    tests/memory/run.py [NAME...]

Needs a build with -Dtest_hooks=true (RINGPOST_BUILD): there, XFAIL lets allocations of a shard fail. The server has one shard, so
a second session's XFAIL reaches what the first one does, from its greeting on. Each scenario runs with its n-th allocation failing,
and with five from the n-th on, till it makes no more than that. Whatever fails: the answer is NO, BAD or BYE, or the connection ends;
the server goes on, and what was acknowledged is there.
"""
import itertools
import os
import re
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))
import rp  # noqa: E402

MANY = 3000  # no scenario makes as many allocations
MAIL = (b'From: =?utf-8?q?a?= <a@b>, c@d\r\nTo: g: h@i;\r\nSubject: news\r\nDate: Sat, 1 Feb 2020 10:00:00 +0100\r\n'
        b'Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\none\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n'
        b'Subject: in\r\n\r\ntwo\r\n--x--\r\n')
ENDED = (EOFError, ConnectionError, socket.timeout, OSError)


class Session:
    """One connection; says a command, checks the shape of its answer."""

    def __init__(self, server, tls=False, port=None):
        self.raw, self.number = rp.Raw(server, tls, port), 0

    def say(self, text, *literals):
        """The tagged line's word and all that came before it."""
        self.number += 1
        tag = b't%d' % self.number
        data = tag + b' ' + text
        for literal in literals:
            data += b'{%d+}\r\n' % len(literal) + literal
        self.raw.send(data + b'\r\n')
        lines = self.raw.until(tag)
        last = lines[lines.rindex(tag + b' '):]
        word = last.split(b' ')[1]
        assert word in (b'OK', b'NO', b'BAD'), last
        return word, lines

    def login(self, user):
        self.raw.line()
        word, _ = self.say(b'LOGIN ' + user + b' secret')
        return word == b'OK'


def imap(server, user, commands):
    """Log in and say these; True: all were OK."""
    session = Session(server)
    try:
        good = session.login(user)
        for command in commands if good else []:
            word, _ = session.say(*(command if isinstance(command, tuple) else (command,)))
            good &= word == b'OK'
        return good
    finally:
        session.raw.close()


READ = [b'SELECT INBOX', b'FETCH 1 (FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY)',
        b'FETCH 1 (BODY.PEEK[] BODY.PEEK[1] BODY.PEEK[2.HEADER] BODY.PEEK[HEADER.FIELDS (SUBJECT X-NOT)])',
        b'UID SEARCH OR SUBJECT news BODY two', b'SEARCH RETURN (MIN COUNT) NOT KEYWORD a UNSEEN',
        b'STATUS INBOX (MESSAGES UIDNEXT UNSEEN HIGHESTMODSEQ)', b'LIST "" (* %) RETURN (CHILDREN STATUS (MESSAGES))',
        b'LSUB "" *', b'ID ("name" "x")', b'ENABLE CONDSTORE', b'NAMESPACE', b'CHECK', b'UNSELECT', b'EXAMINE INBOX', b'CLOSE']


ROUNDS = itertools.count()


def write():
    number = next(ROUNDS)  # what a round leaves behind is in nobody's way
    name = b'm%d' % number
    return [(b'APPEND INBOX (\\Flagged word) ', MAIL), (b'APPEND INBOX ', MAIL + b'x' * 100000), b'CREATE ' + name + b'/below',
            b'SUBSCRIBE ' + name, b'SELECT INBOX', b'STORE 1:* +FLAGS (\\Answered k%d)' % (number % 100), b'COPY 1 ' + name,
            b'SELECT ' + name, b'MOVE 1 ' + name + b'/below', b'RENAME ' + name + b' x' + name, b'UNSUBSCRIBE ' + name,
            b'SELECT x' + name + b'/below', b'STORE 1 +FLAGS.SILENT (\\Deleted)', b'EXPUNGE', b'CLOSE',
            b'DELETE x' + name + b'/below', b'DELETE x' + name]


def empty(server, user):
    """Its INBOX, so that each round meets the same."""
    assert imap(server, user, [b'SELECT INBOX', b'UID STORE 1:* +FLAGS.SILENT (\\Deleted)', b'CLOSE'])


def idle(server, user):
    session, other = Session(server), Session(server)
    try:
        good = session.login(user) and other.login(user) and session.say(b'SELECT INBOX')[0] == b'OK'
        if not good:
            return False
        session.raw.send(b'i IDLE\r\n')
        session.raw.line()
        good &= other.say(b'APPEND INBOX ', MAIL)[0] == b'OK'
        session.raw.send(b'DONE\r\n')
        return good and session.raw.until(b'i').split(b'\r\n')[-2].startswith(b'i OK')
    finally:
        session.raw.close()
        other.raw.close()


serial = itertools.count()


def lmtp(server, kept):
    session = rp.Raw(server, port=server.port_lmtp)
    session.sock.settimeout(30)
    try:
        session.send(b'LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<user+Sent>\r\nRCPT TO:<other>\r\nDATA\r\n')
        seen = b''
        while not re.search(rb'^(354|503) .*\n', seen, re.MULTILINE):
            seen += session.line()
        if b'\n354' not in seen:
            return False
        # Each one is another message: the same one again would be taken for a retry.
        session.send(b'X-Serial: %09d\r\n' % next(serial) + MAIL + b'.\r\nQUIT\r\n')
        answers = re.findall(rb'^(\d\d\d) ', session.closed(), re.MULTILINE)
        count = seen.count(b'250 2.1.5')
        assert all(a in (b'250', b'451', b'452', b'421', b'221') for a in answers), answers
        kept[0] += answers[:count].count(b'250')
        return answers[:count] == [b'250'] * 2
    finally:
        session.close()


def tls(server, user):
    session = Session(server, tls=True)
    try:
        return session.login(user) and session.say(b'NOOP')[0] == b'OK' and session.say(b'LOGOUT')[0] == b'OK'
    finally:
        session.raw.close()


class Control:
    """The session that lets allocations fail; it may be hit itself, and comes again."""

    def __init__(self, server):
        self.server, self.session = server, None

    def log_in(self):
        for _ in range(50):
            try:
                if self.session is None:
                    session = Session(self.server)
                    if session.login(b'control'):
                        self.session = session
                return
            except ENDED:
                pass
        raise AssertionError('nobody can log in any more')

    def fail(self, first, count):
        """Let them fail; the answer may be the first that is hit."""
        self.log_in()
        try:
            assert self.session.say(b'XFAIL %d %d' % (first, count))[0] == b'OK'
        except ENDED:
            self.session = None

    def stop(self):
        """Let none fail any more. Had any?"""
        hit = False
        for _ in range(50):
            self.log_in()
            try:
                word, lines = self.session.say(b'XFAIL 0 0')
                assert word == b'OK', lines
                return hit or b'not over' not in lines
            except ENDED:
                self.session, hit = None, True
        raise AssertionError('the failures have no end')


def count_messages(server, user):
    session = Session(server)
    assert session.login(user)
    total = 0
    for name in (b'INBOX', b'Sent'):
        total += int(re.search(rb'MESSAGES (\d+)', session.say(b'STATUS ' + name + b' (MESSAGES)')[1]).group(1))
    session.raw.close()
    return total


def each(server, scenario, prepare):
    """Run it with every n failing."""
    control = Control(server)
    for count in (1, 5):
        for n in range(1, MANY):
            prepare()
            control.fail(n, count)
            try:
                good = scenario(n)
            except ENDED:
                good = False
            over = control.stop()
            assert 'child.ended' not in server.log_text(), f'n = {n}: the server has ended'
            assert good or over, f'n = {n}: it failed without cause'
            if not over:
                break
        else:
            raise AssertionError('it makes allocations without end')
        print(f'     {n - 1} allocations, {count} failing')
        assert scenario(0), 'it does not work any more'


def main():
    wanted = sys.argv[1:]
    checks = rp.Checks()
    kept = [0]
    with rp.Server(shards=1, limits='connections_per_user_address = 100') as server:
        for user in ('control', 'user', 'other'):
            server.add_user(user)
        probe = Session(server)
        assert probe.login(b'user')
        if probe.say(b'XFAIL 0 0')[0] != b'OK':
            checks.skip('memory fails', 'this build has no XFAIL (-Dtest_hooks=true)')
            checks.end()
        assert probe.say(b'APPEND INBOX ', MAIL)[0] == b'OK'
        start = count_messages(server, b'user') + count_messages(server, b'other')
        scenarios = {
            'lmtp': lambda n: lmtp(server, kept),
            'read': lambda n: imap(server, b'user', READ),
            'idle': lambda n: idle(server, b'user'),
            'tls': lambda n: tls(server, b'user'),
            'write': lambda n: imap(server, b'user', write()),
        }
        for name, scenario in scenarios.items():
            if not wanted or name in wanted:
                prepare = (lambda: empty(server, b'user')) if name == 'write' else (lambda: None)
                checks.run(f'{name}: each allocation fails', each, server, scenario, prepare)
            if name == 'lmtp':
                now = count_messages(server, b'user') + count_messages(server, b'other')
                checks.run('what LMTP answered 250 for is there', lambda: now - start >= kept[0] or 1 / 0)

        def log_clean():
            bad = re.findall('.*(?:Sanitizer|runtime error|child.ended|assert).*', server.log_text())
            assert not bad, '\n'.join(bad[:30])
        checks.run('the log is clean', log_clean)
        if checks.failed:
            print('\n'.join(line for line in server.log_text().splitlines() if 'login.ok' not in line))
        checks.run('the mail is sound', lambda: [server.run('check', '--user', u) for u in ('user', 'other')])
    checks.end()


if __name__ == '__main__':
    main()
