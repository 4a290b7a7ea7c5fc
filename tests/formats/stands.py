"""Folders of mail that are to be damaged: what servers have left, and what clients saw of it."""
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time

import fill
import whole

WAIT_S = 60
NOT_OURS = ('reserve', 'control')  # beside the files: room without content, a socket


class Stand:
    """A folder that one can spoil and have back. users: {name: the reader's}; told: {name: Seen}; hurt: whose files are
    damaged."""

    def __init__(self, ended, hurt):
        self.how, self.hurt = ended.how, hurt
        self.server, self.data, self.look = ended.server, ended.data, ended.look
        self.kept = ended.data + '.kept'
        self.users = {name: self.look.users[bytes.fromhex(ident)] for ident, name in ended.names.items()}
        subprocess.run(['cp', '-a', '--sparse=always', self.data, self.kept], check=True)
        self.server.start()
        self.told = self.tell()
        assert all(number['MESSAGES'] == len(has) for seen in self.told.values() for _, number, has in seen.boxes.values())
        assert self.server.stop(), self.server.log_tail()
        self.restore()
        self.as_it_was = self.digest()

    def restore(self):
        shutil.rmtree(self.data)
        subprocess.run(['cp', '-a', '--reflink=auto', '--sparse=always', self.kept, self.data], check=True)

    def restore_file(self, path):
        shutil.copy2(os.path.join(self.kept, os.path.relpath(path, self.data)), path)

    def digest(self, only=''):
        """Of every file: its bytes, and when it was written."""
        found = {}
        for top, _, names in os.walk(self.data):
            for path in (os.path.join(top, name) for name in names if name not in NOT_OURS and name.endswith(only)):
                with open(path, 'rb') as f:
                    found[os.path.relpath(path, self.data)] = hashlib.sha256(f.read()).hexdigest(), os.stat(path).st_mtime_ns
        return found

    def check(self):
        """(exit code, lines), of all users and what is nobody's own."""
        return self.asked(self.server.run('check', '--json', check=False))

    def check_of(self, user):
        """Of one, with or without a server."""
        return self.asked(self.server.run('check', '--user', user, '--json', check=False))

    def repair(self, user):
        return self.asked(self.server.run('repair', '--user', user, '--json', check=False))

    @staticmethod
    def asked(done):
        said = [json.loads(line) for line in done.stdout.splitlines()]
        errors = [line for line in done.stderr.decode().splitlines() if line.startswith('ringpost: ')]
        return done.returncode, [f'{line["user"]}: {line["line"]}' for line in said if 'line' in line] + errors

    def tell(self):
        return {user: Seen(self.server, user) for user in self.users}


class Seen:
    """What the running server says of one user's mail."""

    def __init__(self, server, user):
        imap = fill.at_once(server.imap(user))
        self.subscribed = {name for _, name in fill.listed(fill.good(imap.lsub('""', '*')))}
        self.boxes = {}  # {UIDVALIDITY: (name, numbers, {UID: message})}
        for _, name in fill.listed(fill.good(imap.list('""', '*'))):
            status = fill.good(imap.status(f'"{name}"', '(UIDVALIDITY UIDNEXT HIGHESTMODSEQ MESSAGES)'))[0].decode()
            number = {key: int(value) for key, value in re.findall(r'([A-Z]+) (\d+)', status)}
            has = messages(imap, name, number['MESSAGES'])
            status = fill.good(imap.status(f'"{name}"', '(MESSAGES)'))[0].decode()  # it was read: what is counted is there
            number['MESSAGES READ'] = int(re.search(r'MESSAGES (\d+)', status)[1])
            self.boxes[number['UIDVALIDITY']] = (name, number, has)
        imap.logout()
        listed = server.run('undelete', user, '--list', '--json', check=False).stdout.splitlines()
        offers = [json.loads(line) for line in listed]
        self.offers = {(one['expunged'], one['uid'], one['size']) for one in offers if 'uid' in one}


def messages(imap, name, count):
    """sha256 None: its body is not given."""
    found = {}
    if count == 0:
        return found
    fill.good(imap.select(f'"{name}"', readonly=True))
    for line in fill.good(imap.uid('FETCH', '1:*', '(UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE)')):
        found[int(re.search(rb'UID (\d+)', line)[1])] = dict(fill.told_message(line.decode(), b''), sha256=None)
    take_bodies(found, imap.uid('FETCH', '1:*', '(UID BODY.PEEK[])'))
    for uid in [uid for uid, one in found.items() if one['sha256'] is None]:
        take_bodies(found, imap.uid('FETCH', str(uid), '(UID BODY.PEEK[])'))
    return found


def take_bodies(found, answer):
    for part in answer[1] or []:
        if isinstance(part, tuple):
            found[int(re.search(rb'UID (\d+)', part[0])[1])]['sha256'] = hashlib.sha256(part[1]).hexdigest()


class Plain(whole.Ended):
    """With messages that were expunged and are kept, and others that are not. killed: most is in no log; of the changes since the last
    start some are in the logs and in their places, the last ones, of two users, in the logs alone."""

    def change_and_kill(self):
        assert self.server.stop(), self.server.log_tail()
        self.server.start()
        sam, eva = (fill.at_once(self.server.imap(user)) for user in ('sam', 'eva'))
        changed_late(sam)
        changed_by_another(eva)
        self.kill_behind(lambda: (changed_late(sam), changed_by_another(eva), changed_last(sam)))

    def fill(self):
        users = fill.fill(self.server)
        set_keep(self.server, 'storage {', 'storage { keep_expunged = 0')
        imap = fill.at_once(self.server.imap('sam'))
        fill.good(imap.select('INBOX'))
        fill.good(imap.uid('STORE', '3,4,11', '+FLAGS.SILENT', r'(\Deleted)'))
        fill.good(imap.expunge())
        imap.logout()
        set_keep(self.server, 'keep_expunged = 0', 'keep_expunged = 14d')
        return users


def changed_late(imap):
    """Each change is a write of its own. The body that is too large for a log is in its file before."""
    for body in (*fill.BODIES[:4], fill.BODIES[5], fill.BODIES[8]):
        fill.good(imap.append('Drafts', r'(\Seen last)', None, body))
    fill.good(imap.create('Late/Box'))
    for body in fill.BODIES[6:8]:
        fill.good(imap.append('Late/Box', r'(\Draft)', None, body))
    fill.good(imap.subscribe('Late/Box'))
    fill.good(imap.select('Drafts'))
    fill.good(imap.store('2:4', '+FLAGS', r'(\Answered other)'))
    fill.good(imap.copy('1:3', 'Work'))
    fill.good(imap.store('1', '+FLAGS', r'(\Deleted)'))
    fill.good(imap.expunge())
    fill.good(imap.rename('Late/Box', f'Late/{time.monotonic_ns()}'))
    fill.good(imap.create('Brief'))
    fill.good(imap.append('Brief', '', None, fill.BODIES[0]))
    fill.good(imap.delete('Brief'))


def changed_by_another(imap):
    fill.good(imap.append('INBOX', '', None, fill.BODIES[1]))
    fill.good(imap.select('INBOX'))
    fill.good(imap.store('1:3', '+FLAGS', r'(\Flagged)'))
    fill.good(imap.append('Drafts', '', None, fill.BODIES[2]))


def changed_last(imap):
    """The very last write of a log nothing vouches for."""
    fill.good(imap.store('1', '+FLAGS', r'(\Flagged)'))
    fill.good(imap.store('1', '-FLAGS', r'(\Flagged)'))


def set_keep(server, old, new):
    logged = len(server.log_text())
    with open(server.conf) as f:
        said = f.read()
    assert old in said
    with open(server.conf, 'w') as f:
        f.write(said.replace(old, new))
    server.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + WAIT_S
    while 'server.reloaded' not in server.log_text()[logged:]:
        assert time.monotonic() < end, server.log_tail()
        time.sleep(0.05)
