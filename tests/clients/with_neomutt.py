"""neomutt, driven by its own commands on a terminal that nobody looks at."""
import os
import pty
import select
import signal
import time

from common import PASSWORD, deliver, have, mailbox, message


def on_terminal(command, env, seconds=40):
    """Run it on a pseudo-terminal till it ends; (exit code or None, what it wrote)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, dict(os.environ, **env))
    out, end = b'', time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.5)[0]:
            try:
                piece = os.read(fd, 65536)
            except OSError:
                break
            if not piece:
                break
            out += piece
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(fd)
    _, status = os.waitpid(pid, 0)
    return (os.WEXITSTATUS(status) if os.WIFEXITED(status) else None), out


class Mutt:
    def __init__(self, server, user):
        self.root = os.path.join(server.dir, f'neomutt-{user}')
        os.makedirs(self.root)
        self.url = f'imaps://{user}@localhost:{server.port_tls}/'
        self.rc = os.path.join(self.root, 'rc')
        with open(self.rc, 'w') as f:
            f.write(f'''
set imap_user="{user}" imap_pass="{PASSWORD}"
set ssl_ca_certificates_file="{server.cert}"
set folder="{self.url}" spoolfile="+INBOX" record="" postponed="+Drafts" trash="+Trash"
set header_cache="" message_cachedir="" history_file="/dev/null" alias_file="/dev/null"
set sort=mailbox-order quit=yes delete=yes move=no confirmappend=no confirmcreate=no wait_key=no
set mark_old=no imap_idle=yes editor=true
set mbox_type=Maildir
''')

    def push(self, commands, folder='INBOX'):
        code, out = on_terminal(['neomutt', '-n', '-F', self.rc, '-f', self.url + folder, '-e', f'push "{commands}"'],
                                {'TERM': 'xterm', 'HOME': self.root, 'LC_ALL': 'C.UTF-8', 'COLUMNS': '100', 'LINES': '40'})
        assert code == 0, (code, out[-2000:].decode(errors='replace'))


def scenario(server, user):
    texts = [message(f'n{i}', f'text number {i}\r\n' * 20) for i in range(6)]
    deliver(server, user, *texts)
    mutt = Mutt(server, user)
    saved = os.path.join(mutt.root, 'saved')
    os.makedirs(os.path.join(saved, 'cur'))
    os.makedirs(os.path.join(saved, 'new'))
    os.makedirs(os.path.join(saved, 'tmp'))

    # copy the first to a Maildir, flag the second, move the third, delete the fourth, read the fifth
    mutt.push(f'<first-entry><copy-message><kill-line>{saved}<enter>'
              '<jump>2<enter><flag-message>'
              '<jump>3<enter><save-message><kill-line>+Archive<enter>'
              '<jump>4<enter><delete-message>'
              '<jump>5<enter><display-message><exit>'
              '<sync-mailbox><quit>')
    names = [os.path.join(saved, part, name) for part in ('cur', 'new') for name in os.listdir(os.path.join(saved, part))]
    assert len(names) == 1, names
    with open(names[0], 'rb') as f:
        copied = f.read()
    assert copied.endswith(texts[0].split(b'\r\n\r\n', 1)[1].replace(b'\r\n', b'\n')), copied
    far = mailbox(server, user)
    assert set(far) == {'n0', 'n1', 'n4', 'n5'}, far
    assert far['n1'] == {'\\Flagged'} and '\\Seen' in far['n4'] and far['n5'] == set(), far
    assert set(mailbox(server, user, 'Archive')) == {'n2'}
    assert set(mailbox(server, user, 'Trash')) == {'n3'}

    # search, tag all that are found, move them
    mutt.push('<limit><kill-line>~b \\"number 5\\"<enter><tag-pattern><kill-line>~A<enter>'
              '<tag-prefix><save-message><kill-line>+Junk<enter><sync-mailbox><quit>')
    assert set(mailbox(server, user)) == {'n0', 'n1', 'n4'}
    assert set(mailbox(server, user, 'Junk')) == {'n5'}


def run(checks, server, users):
    if not have('neomutt'):
        return checks.skip('neomutt', 'it is not installed')
    checks.run('neomutt copies, flags, moves, deletes, reads and searches', scenario, server, users[0])
