#!/usr/bin/env python3
"""Much real mail goes in every way there is, and comes out byte for byte, also after a restart and after SIGKILL.

../shared/corpus is used where it is there; mail of the project's own generator always.
"""
import collections
import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'support'))
import expected  # noqa: E402
import imap_grammar  # noqa: E402
import known  # noqa: E402
import known_values  # noqa: E402
import rp  # noqa: E402

CORPUS = os.path.join(rp.SHARED, 'corpus')
GENERATED = 160
SET = 250          # messages in one FETCH
LMTP_EVERY = 8     # of the corpus goes by LMTP too


def digest(message):
    return hashlib.sha256(message).hexdigest()


class Imap:
    """A connection whose every response is read strictly."""

    def __init__(self, server, user):
        self.sock = socket.create_connection(('127.0.0.1', server.port), timeout=120)
        self.reader = imap_grammar.Reader(self.sock.makefile('rb'))
        self.reader.response()
        self.command(b'LOGIN %s secret' % user.encode())

    def command(self, line):
        """The untagged responses; the answer must be OK."""
        self.sock.sendall(b't ' + line + b'\r\n')
        out = []
        while True:
            response = self.reader.response()
            if response.startswith(b't '):
                assert response.startswith(b't OK'), (line[:200], response)
                return out
            out.append(response)

    def select(self, mailbox):
        """The number of messages."""
        answer = b''.join(self.command(b'EXAMINE "%s"' % mailbox.encode()))
        return int(re.search(rb'\* (\d+) EXISTS', answer)[1])

    def fetch(self, mailbox, items):
        """The items of every message, as they come."""
        count = self.select(mailbox)
        seen = 0
        for first in range(1, count + 1, SET):
            last = min(first + SET - 1, count)
            for response in self.command(b'FETCH %d:%d (%s)' % (first, last, items)):
                found = imap_grammar.fetch(response)
                if found is not None:
                    seen += 1
                    assert found[0] == seen, (found[0], seen)
                    yield found[1]
        assert seen == count, (mailbox, seen, count)

    def close(self):
        self.command(b'LOGOUT')
        self.sock.close()


class Ground:
    """A folder of mail, and what must be in the mailboxes of each user once it is in."""

    def __init__(self, name, path, users):
        self.name, self.path = name, path
        self.importer, self.appender = users
        self.mail = expected.folder(path)
        self.want = collections.defaultdict(collections.Counter)  # (user, mailbox) -> digests
        self.source = {}  # digest -> path, for whoever reads a failure

    def expect(self, user, mailbox, path, message):
        self.want[user, mailbox][digest(expected.sent(message))] += 1
        self.source[digest(expected.sent(message))] = path

    def import_all(self, server):
        done = server.run('import', '--user', self.importer, '--mailbox', self.name, self.path, check=False)
        verdicts = collections.Counter(expected.verdict(path, message) for path, _, message in self.mail)
        said = b'%d messages imported, %d failed\n' % (verdicts['mail'], verdicts['wrong'])
        assert done.stdout == said and done.returncode == (1 if verdicts['wrong'] else 0), (done.stdout, said)
        assert verdicts['mail'] > len(self.mail) // 2, verdicts
        for path, mailbox, message in self.mail:
            if expected.verdict(path, message) == 'mail':
                self.expect(self.importer, f'{self.name}/{mailbox}' if mailbox else self.name, path, message)

    def append_all(self, server):
        """Literals that nobody waits for; answers are read every so often."""
        imap = Imap(server, self.appender)
        imap.command(b'CREATE "%s"' % self.name.encode())
        waiting = sent_bytes = 0
        for path, _, message in self.mail:
            if not message:
                continue  # APPEND refuses it
            imap.sock.sendall(b'a APPEND "%s" {%d+}\r\n%s\r\n' % (self.name.encode(), len(message), message))
            waiting, sent_bytes = waiting + 1, sent_bytes + len(message)
            self.expect(self.appender, self.name, path, message)
            if sent_bytes > 200000 or waiting == 50:
                waiting = sent_bytes = self.answers(imap, waiting)
        self.answers(imap, waiting)
        imap.close()

    @staticmethod
    def answers(imap, waiting):
        while waiting > 0:
            response = imap.reader.response()
            assert response.startswith((b'a OK', b'* ')), response
            waiting -= response.startswith(b'a ')
        return 0

    def deliver_some(self, server):
        """By DATA and by BDAT in turn, to both users at once: their folders of this name, behind a '+'."""
        mailbox = self.name + '-lmtp'
        for user in self.importer, self.appender:
            imap = Imap(server, user)
            imap.command(b'CREATE ' + mailbox.encode())
            imap.close()
        lmtp = Lmtp(server)
        for n, (path, _, message) in enumerate(self.mail[::LMTP_EVERY]):
            message = expected.crlf(message)
            if n % 2 == 0 and not message.endswith(b'\r\n'):
                message += b'\r\n'
            lmtp.deliver([f'{user}+{mailbox}' for user in (self.importer, self.appender)], message, n % 2 == 1)
            for user in self.importer, self.appender:
                self.expect(user, mailbox, path, message)
        lmtp.close()

    def check(self, server, items, look):
        """Every mailbox has what it must have, and nothing else; look(path, items) sees each message."""
        for user in self.importer, self.appender:
            imap = Imap(server, user)
            for (owner, mailbox), want in sorted(self.want.items()):
                if owner != user:
                    continue
                have = collections.Counter()
                for row in imap.fetch(mailbox, items):
                    message = row['BODY[]'] or b''
                    if mailbox.endswith('-lmtp'):
                        message = without_trace(message)
                    key = digest(message)
                    have[key] += 1
                    look(self.source.get(key, f'(not known) {message[:100]!r}'), row)
                lost, more = want - have, have - want
                assert not lost and not more, (
                    f'{user} {mailbox}: lost {[(self.source[key], n) for key, n in list(lost.items())[:5]]}, '
                    f'{sum(lost.values())} in all; {sum(more.values())} not expected')
            imap.close()


def without_trace(message):
    """Delivery puts Return-Path and Delivered-To or Received before a message."""
    while re.match(rb'(Return-Path|Delivered-To|Received): [^\r]*ringpost-corpus@', message):
        message = re.sub(rb'\A[^\r]*\r\n(?:[ \t][^\r]*\r\n)*', b'', message)
    return message


class Lmtp:
    def __init__(self, server):
        self.sock = socket.create_connection(('127.0.0.1', server.port_lmtp), timeout=60)
        self.stream = self.sock.makefile('rb')
        self.answer(b'2')
        self.say(b'LHLO localhost', b'2')

    def answer(self, first):
        while True:
            line = self.stream.readline()
            assert line.startswith(first), line
            if line[3:4] == b' ':
                return

    def say(self, line, first):
        self.sock.sendall(line + b'\r\n')
        self.answer(first)

    def deliver(self, recipients, message, chunks):
        self.say(b'MAIL FROM:<ringpost-corpus@example.org>', b'250')
        for recipient in recipients:
            self.say(b'RCPT TO:<%s@test.invalid>' % recipient.encode(), b'250')
        if chunks:
            half = len(message) // 2
            self.sock.sendall(b'BDAT %d\r\n%s' % (half, message[:half]))
            self.answer(b'250')
            self.sock.sendall(b'BDAT %d LAST\r\n%s' % (len(message) - half, message[half:]))
        else:
            self.say(b'DATA', b'354')
            self.sock.sendall(re.sub(rb'^\.', b'..', message, flags=re.M) + b'.\r\n')
        for _ in recipients:
            self.answer(b'250')

    def close(self):
        self.say(b'QUIT', b'221')
        self.sock.close()


ALL = b'UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[]'
BYTES = b'UID RFC822.SIZE BODY.PEEK[]'


def right_size(path, row):
    assert row['RFC822.SIZE'] == len(row['BODY[]'] or b''), (path, row['RFC822.SIZE'], len(row['BODY[]'] or b''))


def whole(path, row):
    """The strict grammar has read it already; the numbers must agree with the message too."""
    right_size(path, row)
    message = row['BODY[]'] or b''
    for part in imap_grammar.leaves(row['BODYSTRUCTURE']):
        if part.octets is None:
            continue
        assert part.octets <= len(message), (path, part)
        if part.lines is not None:
            assert part.lines <= message.count(b'\n') + 1, (path, part)
    root = row['BODYSTRUCTURE']
    end = 0 if message.startswith(b'\r\n') else message.find(b'\r\n\r\n')
    if root.octets is not None and end >= 0 and re.match(rb'[!-9;-~]+:', message):
        assert root.octets in (len(message) - end - (2 if end == 0 else 4), len(message)), (path, root.octets, len(message) - end - 4)
    assert row['ENVELOPE'].message_id is None or b'\n' not in row['ENVELOPE'].message_id


def survive(checks, server, grounds, how):
    for ground in grounds:
        checks.run(f'{ground.name}: every byte is there after {how}', ground.check, server, BYTES, right_size)


def compare(server, user, known_parts):
    imap = Imap(server, user)
    known.check(imap, 'known-' + known_parts.__name__, known_parts(CORPUS))
    imap.close()


def compare_values(server, user, ask):
    imap = Imap(server, user)
    ask(imap, CORPUS)
    imap.close()


def sound(server):
    log = server.log_text()
    bad = re.search('ERROR: AddressSanitizer|runtime error:|child.ended|ERROR: LeakSanitizer', log)
    assert bad is None, 'the server log has ' + log[max(bad.start() - 500, 0):bad.start() + 5000]


def ends(server):
    assert server.stop(), 'it did not'


def generate(path):
    os.makedirs(os.path.join(path, 'odd'))
    mailgen = [sys.executable, os.path.join(rp.TOP, 'tests', 'support', 'mailgen')]
    subprocess.run([*mailgen, '--count', str(GENERATED), '--seed', '7', os.path.join(path, 'odd')], check=True)
    subprocess.run([*mailgen, '--count', '60', '--seed', '8', '--mbox', os.path.join(path, 'mbox')], check=True)


def main():
    checks = rp.Checks()
    made = tempfile.mkdtemp(prefix='ringpost-mail-')
    generate(made)
    with rp.Server(shards=2) as server:
        grounds = [Ground('generated', made, server.users_of_all_shards('gen'))]
        if os.path.isdir(CORPUS):
            grounds.append(Ground('corpus', CORPUS, server.users_of_all_shards('cor')))
        else:
            checks.skip('corpus', '../shared/corpus is not here')
        for ground in grounds:
            checks.run(f'{ground.name}: {len(ground.mail)} messages are imported', ground.import_all, server)
            checks.run(f'{ground.name}: all are appended', ground.append_all, server)
            checks.run(f'{ground.name}: some are delivered by DATA and BDAT', ground.deliver_some, server)
            checks.run(f'{ground.name}: bytes, sizes, BODYSTRUCTURE and ENVELOPE are right', ground.check, server, ALL, whole)
            if ground.path == CORPUS:
                for known_parts in known.mimekit, known.wildduck:
                    checks.run(f'BODYSTRUCTURE says what {known_parts.__name__} expects', compare, server, ground.importer,
                               known_parts)
                for what, ask in known_values.ALL.items():
                    checks.run(f'{what} are those that other parsers found', compare_values, server, ground.importer, ask)
        checks.run('no crash and no sanitizer report before the kill', sound, server)
        server.kill()
        server.start()
        survive(checks, server, grounds, 'SIGKILL')
        checks.run('the server ends in order', ends, server)
        server.start()
        survive(checks, server, grounds, 'a restart')
        checks.run('no crash and no sanitizer report at all', sound, server)
    shutil.rmtree(made, ignore_errors=True)
    checks.end()


if __name__ == '__main__':
    main()
