"""curl: one IMAP command at a time, as scripts do it."""
import os
import re

from common import PASSWORD, deliver, have, message, sh


class Curl:
    def __init__(self, server, user):
        self.base = f'imaps://localhost:{server.port_tls}/'
        self.command = ['curl', '-sS', '--max-time', '30', '--cacert', server.cert, '-u', f'{user}:{PASSWORD}']

    def __call__(self, path, *args, **kw):
        return sh([*self.command, self.base + path, *args], **kw)


def scenario(server, user):
    curl = Curl(server, user)
    deliver(server, user, message('c1'), message('c2', 'a needle in it\r\n'))

    listed = curl('')
    assert b'INBOX' in listed and b'\\Trash' in listed, listed
    assert curl('INBOX;UID=1') == message('c1')
    assert curl('INBOX;MAILINDEX=2') == message('c2', 'a needle in it\r\n')
    assert curl('INBOX;UID=2;SECTION=TEXT') == b'a needle in it\r\n'
    assert re.search(rb'SEARCH 2\r', curl('INBOX?TEXT%20needle'))
    assert re.search(rb'SEARCH 1\r', curl('INBOX?SUBJECT%20c1'))
    assert re.search(rb'FLAGS \(.*\\Flagged', curl('INBOX', '-X', r'STORE 1 +FLAGS (\Flagged \Deleted)'))
    assert re.search(rb'EXISTS', curl('INBOX', '-X', 'EXAMINE INBOX'))
    assert b'1 EXPUNGE' in curl('INBOX', '-X', 'EXPUNGE')
    assert curl('INBOX;UID=1', check=False) == b''

    path = os.path.join(server.dir, 'upload.eml')
    big = message('c3', 'x' * 70 + '\r\n' + 'line\r\n' * 40000)
    with open(path, 'wb') as f:
        f.write(big)
    curl('', '-X', 'CREATE Notes')
    curl('Notes', '-T', path)
    assert curl('Notes;UID=1') == big
    assert b'MESSAGES 1' in curl('', '-X', 'STATUS Notes (MESSAGES UNSEEN)')


def starttls(server, user):
    out = sh(['curl', '-sS', '--max-time', '30', '--ssl-reqd', '--cacert', server.cert, '-u', f'{user}:{PASSWORD}',
              f'imap://localhost:{server.port}/INBOX;UID=2'])
    assert out == message('c2', 'a needle in it\r\n'), out


def run(checks, server, users):
    if not have('curl'):
        return checks.skip('curl', 'it is not installed')
    for user in users:
        checks.run(f'curl lists, fetches, searches, stores, expunges and appends ({user})', scenario, server, user)
    checks.run('curl reads a message after STARTTLS', starttls, server, users[0])
