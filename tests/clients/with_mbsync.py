"""mbsync: both sides change, both are the same after it, and once more changes nothing."""
import os

from common import PASSWORD, deliver, have, mailbox, message, ok, sh


class Local:
    """The Maildir side and the config."""

    def __init__(self, server, user):
        self.root = os.path.join(server.dir, f'mbsync-{user}')
        self.mail = os.path.join(self.root, 'mail')
        self.rc = os.path.join(self.root, 'rc')
        os.makedirs(self.mail)
        with open(self.rc, 'w') as f:
            f.write(f'''
IMAPAccount here
Host localhost
Port {server.port_tls}
User {user}
Pass {PASSWORD}
SSLType IMAPS
CertificateFile {server.cert}
SystemCertificates no

IMAPStore far
Account here

MaildirStore near
Path {self.mail}/
Inbox {self.mail}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState {self.root}/state/
''')
        os.makedirs(os.path.join(self.root, 'state'))

    def sync(self):
        return sh(['mbsync', '-V', '-c', self.rc, 'all']).decode(errors='replace')

    def files(self, folder):
        """subject -> path"""
        out = {}
        for part in 'cur', 'new':
            where = os.path.join(self.mail, folder, part)
            for name in os.listdir(where) if os.path.isdir(where) else []:
                path = os.path.join(where, name)
                with open(path, 'rb') as f:
                    subject = [line for line in f.read().splitlines() if line.startswith(b'Subject:')][0]
                subject = subject.split(b':', 1)[1].strip().decode()
                assert subject not in out, f'{subject} is there twice'
                out[subject] = path
        return out

    def flags(self, folder):
        """subject -> IMAP flags, from the names of the files."""
        names = {'S': '\\Seen', 'F': '\\Flagged', 'R': '\\Answered', 'T': '\\Deleted', 'D': '\\Draft'}
        return {subject: {names[c] for c in os.path.basename(path).partition(':2,')[2] if c in names}
                for subject, path in self.files(folder).items()}

    def add(self, folder, text, flags=''):
        for part in 'cur', 'new', 'tmp':
            os.makedirs(os.path.join(self.mail, folder, part), exist_ok=True)
        self.added = getattr(self, 'added', 0) + 1
        with open(os.path.join(self.mail, folder, 'cur', f'100{self.added}.1.here:2,{flags}'), 'wb') as f:
            f.write(text.replace(b'\r\n', b'\n'))

    def set_flags(self, folder, subject, flags):
        path = self.files(folder)[subject]
        where = os.path.join(self.mail, folder, 'cur', os.path.basename(path).partition(':2,')[0] + ':2,' + flags)
        os.rename(path, where)


def snapshot(local):
    out = {}
    for where, _, names in os.walk(local.root):
        for name in names:
            path = os.path.join(where, name)
            with open(path, 'rb') as f:
                out[path] = f.read()
    return out


def same(server, user, local, folder, subjects):
    far, near = mailbox(server, user, folder), local.flags(folder)
    assert set(far) == set(subjects), (folder, far, subjects)
    assert far == near, (folder, far, near)


def scenario(server, user):
    local = Local(server, user)
    deliver(server, user, *[message(f'm{i}') for i in range(30)])
    local.add('Local', message('l1'), 'S')
    local.add('INBOX', message('l2'), 'FS')
    local.sync()
    inbox = [f'm{i}' for i in range(30)] + ['l2']
    same(server, user, local, 'INBOX', inbox)
    same(server, user, local, 'Local', ['l1'])
    assert mailbox(server, user)['l2'] == {'\\Seen', '\\Flagged'}
    assert local.flags('INBOX')['m0'] == set()

    # both sides change: mail, flags, deletions, a folder
    deliver(server, user, message('m30'))
    imap = server.imap(user, PASSWORD)
    ok(imap.select())
    ok(imap.store('1:5', '+FLAGS', r'(\Seen)'))
    ok(imap.store('2', '+FLAGS', r'(\Answered)'))
    ok(imap.store('10', '+FLAGS', r'(\Deleted)'))
    ok(imap.expunge())
    ok(imap.create('Far'))
    ok(imap.append('Far', r'(\Flagged)', None, message('f1')))
    imap.logout()
    local.add('INBOX', message('l3'))
    local.set_flags('INBOX', 'm20', 'RS')
    local.set_flags('INBOX', 'm21', 'T')
    local.set_flags('INBOX', 'm1', 'F')
    local.sync()
    inbox = [s for s in inbox if s not in ('m9', 'm21')] + ['m30', 'l3']
    same(server, user, local, 'INBOX', inbox)
    same(server, user, local, 'Far', ['f1'])
    far = mailbox(server, user)
    assert far['m0'] == {'\\Seen'} and far['m20'] == {'\\Seen', '\\Answered'}, far
    assert far['m1'] == {'\\Seen', '\\Answered', '\\Flagged'}, far['m1']

    # once more: nothing on either side
    before, server_before = snapshot(local), [mailbox(server, user, f) for f in ('INBOX', 'Local', 'Far')]
    said = local.sync()
    assert snapshot(local) == before, 'a sync with nothing to do changed the near side'
    assert [mailbox(server, user, f) for f in ('INBOX', 'Local', 'Far')] == server_before
    assert 'rror' not in said and 'arning' not in said, said


def run(checks, server, users):
    if not have('mbsync'):
        return checks.skip('mbsync', 'it is not installed')
    for user in users:
        checks.run(f'mbsync syncs both ways, then finds nothing to do ({user})', scenario, server, user)
