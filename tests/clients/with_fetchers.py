"""getmail and fetchmail: all of INBOX, once, every byte of it."""
import os

from common import PASSWORD, deliver, have, mailbox, message, ok, sh

COUNT = 40


def fill(server, user, tag):
    """Mail of many sizes; one has lines that begin with dots and From."""
    texts = [message(f'{tag}{i}', 'text\r\n' * (i * i)) for i in range(COUNT - 1)]
    texts.append(message(f'{tag}{COUNT - 1}', '.\r\n..two\r\nFrom here\r\n'))
    deliver(server, user, *texts)
    return texts


def getmail(server, user):
    texts = fill(server, user, 'g')
    root = os.path.join(server.dir, f'getmail-{user}')
    mail = os.path.join(root, 'mail')
    os.makedirs(mail)
    # getmail writes no mail of its own as root, and whoever runs the tests may be root: it goes through a command
    with open(os.path.join(root, 'getmailrc'), 'w') as f:
        f.write(f'''
[retriever]
type = SimpleIMAPSSLRetriever
server = localhost
port = {server.port_tls}
username = {user}
password = {PASSWORD}
mailboxes = ("INBOX",)
ca_certs = {server.cert}

[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat > $(mktemp {mail}/XXXXXXXX)")
allow_root_commands = true

[options]
read_all = false
delivered_to = false
received = false
''')
    command = ['getmail', '--getmaildir', root, '--rcfile', 'getmailrc']
    out = sh(command, timeout=100)
    got = []
    for name in os.listdir(mail):
        with open(os.path.join(mail, name), 'rb') as f:
            text = f.read().replace(b'\r\n', b'\n')
        # getmail puts a Return-Path before it, and a field of its own at the end of the header
        got.append(text[text.index(b'From: <'):].replace(b'X-getmail-retrieved-from-mailbox: INBOX\n', b''))
    for one, other in zip(sorted(got), sorted(text.replace(b'\r\n', b'\n') for text in texts)):
        assert one == other, (one, other)
    sh(command, timeout=100)
    assert len(os.listdir(mail)) == COUNT, 'a second run fetched mail again'


def fetchmail(server, user):
    texts = fill(server, user, 'f')
    root = os.path.join(server.dir, f'fetchmail-{user}')
    os.makedirs(root)
    rc, mbox = os.path.join(root, 'rc'), os.path.join(root, 'mbox')
    with open(rc, 'w') as f:
        f.write(f'''
set no bouncemail
poll localhost service {server.port_tls} protocol imap
    user "{user}" password "{PASSWORD}" ssl sslcertck sslcertfile "{server.cert}"
    mda "sh -c 'cat >> {mbox}; echo ::end:: >> {mbox}'" no rewrite nokeep
''')
    os.chmod(rc, 0o600)
    sh(['fetchmail', '-f', rc, '--invisible', '--pidfile', os.path.join(root, 'pid'), '--idfile', os.path.join(root, 'ids')],
       env={'FETCHMAILHOME': root, 'HOME': root, 'LC_ALL': 'C'})
    with open(mbox, 'rb') as f:
        pieces = f.read().replace(b'\r\n', b'\n').split(b'::end::\n')[:-1]
    assert len(pieces) == COUNT, len(pieces)
    bodies = sorted(piece.split(b'\n\n', 1)[1] for piece in pieces)
    assert bodies == sorted(text.replace(b'\r\n', b'\n').split(b'\n\n', 1)[1] for text in texts)
    assert mailbox(server, user) == {}, 'fetchmail leaves nothing behind'
    imap = server.imap(user, PASSWORD)
    assert int(ok(imap.select())[0]) == 0
    imap.logout()


def run(checks, server, users):
    if have('getmail'):
        checks.run('getmail fetches all of INBOX, and nothing a second time', getmail, server, users[0])
    else:
        checks.skip('getmail', 'it is not installed')
    if have('fetchmail'):
        checks.run('fetchmail fetches all of INBOX and deletes it', fetchmail, server, users[1])
    else:
        checks.skip('fetchmail', 'it is not installed')
