"""Two clients on one mailbox: what one does reaches the other in IDLE, within a second."""
import re
import time

from common import PASSWORD, deliver, message

SOON_S = 1.0


class Watcher:
    """A client in IDLE."""

    def __init__(self, server, user, mailbox='INBOX'):
        self.raw = server.raw(tls=True)
        self.raw.line()
        self.raw.send(f'a LOGIN {user} {PASSWORD}\r\n')
        assert b'a OK' in self.raw.until('a')
        self.raw.send(f'b SELECT {mailbox}\r\n')
        assert b'b OK' in self.raw.until('b')
        self.raw.send('c IDLE\r\n')
        assert self.raw.line().startswith(b'+')

    def sees(self, pattern, what, since):
        """A line that matches comes, no later than a second after `since`."""
        self.raw.sock.settimeout(10)
        while not re.match(pattern, self.raw.line()):
            pass
        took = time.monotonic() - since
        assert took < SOON_S, f'{what} took {took:.3f} s'

    def end(self):
        self.raw.send('DONE\r\n')
        assert b'c OK' in self.raw.until('c')
        self.raw.send('d LOGOUT\r\n')
        self.raw.closed()
        self.raw.close()


def scenario(server, user):
    watcher = Watcher(server, user)
    other = server.imap(user, PASSWORD)
    other.select()

    def act(what, pattern, function, *args):
        since = time.monotonic()
        function(*args)
        watcher.sees(pattern, what, since)

    for n in 1, 2, 3:
        act('a delivery', rb'\* %d EXISTS' % n, deliver, server, user, message(f'd{n}'))
    act('APPEND', rb'\* 4 EXISTS', other.append, 'INBOX', None, None, message('d4'))
    act('STORE', rb'\* 2 FETCH .*\\Flagged', other.store, '2', '+FLAGS', r'(\Flagged)')
    act('a keyword', rb'\* 3 FETCH .*Later', other.store, '3', '+FLAGS.SILENT', 'Later')
    act('the end of a flag', rb'\* 2 FETCH \((?!.*\\Flagged)', other.store, '2', '-FLAGS', r'(\Flagged)')
    other.store('1', '+FLAGS', r'(\Deleted)')
    act('EXPUNGE', rb'\* 1 EXPUNGE', other.expunge)
    act('MOVE', rb'\* 1 EXPUNGE', other.uid, 'MOVE', '2', 'Archive')
    act('COPY', rb'\* 3 EXISTS', other.copy, '1', 'INBOX')
    watcher.end()
    other.logout()


def both_idle(server, users):
    """One connection to LMTP delivers to users of every shard; each one's two clients are told."""
    watchers = [Watcher(server, user, 'Junk') for user in users for _ in range(2)]
    since = time.monotonic()
    for user in users:
        deliver(server, user + '+Junk@test.invalid', message('to-all'))
    for watcher in watchers:
        watcher.sees(rb'\* 1 EXISTS', 'a delivery to a folder', since)
    for watcher in watchers:
        watcher.end()


def run(checks, server, users):
    for user in users:
        checks.run(f'two clients: each change of one reaches the other in IDLE ({user})', scenario, server, user)
    checks.run('two clients of each user are told of mail in a folder, on every shard', both_idle, server, users)
