"""A DATA folder that a version has written: this version reads it, serves it, finds it sound; refuses what is newer.

`golden/vN.tar.xz` holds the folder (without `reserve`), `passwd` and `expected.json`; `vN-seldom.tar.xz` has what a server seldom
writes; `make_golden.py` makes both.
"""
import glob
import hashlib
import imaplib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile

import blocks
import dumps
import fill
import rp
import whole

HERE = os.path.dirname(os.path.abspath(__file__))
NEWER = {'store': 'store', 'log': 'commit/*/1.log', 'journal': 'users/*/*/*.journal', 'dbox': 'users/*/*/*.dbox',
         'catalog': 'users/*/*/*.catalog', 'index': 'users/*/*/*.index', 'cache': 'users/*/*/*.cache'}


class Golden:
    """A copy of one, with a server for it that has not been started."""

    def __init__(self, archive):
        self.how, self.dir = os.path.basename(archive).split('.')[0], tempfile.mkdtemp(prefix='ringpost-golden-')
        with tarfile.open(archive) as tar:
            tar.extractall(self.dir)
        with open(os.path.join(self.dir, 'expected.json')) as f:
            self.told = json.load(f)
        self.server = rp.Server(shards=2, keep=self.dir)
        self.data = os.path.join(self.dir, 'data')

    def __enter__(self):
        return self

    def __exit__(self, _kind, _value, _trace):
        self.server.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def files(self, but=()):
        """{name: digest} of all files but these."""
        found = {}
        for path in glob.glob(os.path.join(self.data, '**'), recursive=True):
            name = os.path.relpath(path, self.data)
            if os.path.isfile(path) and name.split('/')[0] not in ('reserve', 'control', *but) and name not in but:
                with open(path, 'rb') as f:
                    found[name] = hashlib.sha256(f.read()).hexdigest()
        return found

    def serves(self, but=None):
        """All users' mail is as it was told; one's may be left out."""
        for user, (name, told) in self.told.items():
            if user != but:
                whole.same(fill.told(self.server, name), told, name)


def archives():
    return sorted(glob.glob(os.path.join(HERE, 'golden', 'v*.tar.xz')))


def is_seldom(archive):
    return archive.endswith('-seldom.tar.xz')


def each_version():
    numbers = [int(re.match(r'v(\d+)\.', os.path.basename(path))[1]) for path in archives() if not is_seldom(path)]
    assert sorted(numbers) == list(range(1, len(numbers) + 1)) and numbers, numbers
    assert any(map(is_seldom, archives()))


def items_of(user, journals):
    return {item['type'] for journal in journals for record in journal.records
            for item in blocks.read_payload(user.look.layout, record.payload)[2]}


def seldom_is_there(archive, looked):
    """By the page alone: a merged journal with what is kept, stand-ins, a repair's journal, a user who has no mail any more."""
    with Golden(archive) as golden:
        users = looked.look(golden.data).users
        mel, stan, rex, pat = (users[bytes(15) + bytes([number])] for number in (1, 2, 3, 4))
        assert {16, 17, 18} <= items_of(mel, [journal for journal in mel.journals if journal.merged]) and mel.volume.kept
        assert [journal.header.extra('goes on') for journal in stan.journals if journal.first > 1].count(1) == 1, stan.journals
        stand_in = [box for box in stan.boxes if box.path.endswith('/1-1.dbox')][0]
        placed = {(m.row['dbox file'], m.row['dbox offset / 16'] * 16) for box in stan.volume.mailboxes.values() for m in box.live().values()}
        assert len(stand_in.records) > 1 and all((1, at) in placed for at in stand_in.records), stand_in.records.keys()
        made, begun = sorted(rex.journals, key=lambda journal: journal.first)
        assert made.merged and made.first == 1 and made.last > 1 << 40 and begun.first == made.last + 1, rex.journals
        assert pat.volume.destroyed and not pat.mail() and len(pat.all_files()) == 1, pat.all_files()


def stays_purged(archive):
    """Who has no mail any more is given none by a start, and none by a repair."""
    with Golden(archive) as golden:
        folder = os.path.join('users', '*', f'{4:032x}', '*')
        before = sorted(glob.glob(os.path.join(golden.data, folder)))
        with golden.server:
            golden.serves()
            try:
                golden.server.imap('pat')
            except imaplib.IMAP4.error:
                pass
            else:
                raise AssertionError('who has no mail any more is served')
        golden.server.run('repair', '--user', 'pat', check=False)
        assert sorted(glob.glob(os.path.join(golden.data, folder))) == before, before


def read_alone(archive, looked):
    """By the page, as far as it tells of that version."""
    with Golden(archive) as golden:
        look = looked.look(golden.data)
        assert not look.findings.found, look.findings.lines()[:9]
        mail = look.mail()
        for user, (_, told) in golden.told.items():
            whole.same(whole.as_told(mail[user]), told, user[:6])


def dumped(archive):
    with Golden(archive) as golden:
        paths = [p for p in glob.glob(os.path.join(golden.data, '**'), recursive=True) if os.path.isfile(p)]
        assert len(paths) > 15, paths
        for path in paths:
            dumps.dump(golden.server, path)


def checked(archive):
    """`check` finds it sound, and changes nothing, also where records are in the logs alone."""
    with Golden(archive) as golden:
        before = golden.files(but=())
        done = golden.server.run('check', check=False)
        assert done.returncode == 0 and b'in the commit logs alone' in done.stdout, done
        whole.same(golden.files(but=()), before)
        with golden.server:
            golden.serves()
        golden.server.run('check')


def served(archive):
    """Served, stopped, served again, changed."""
    with Golden(archive) as golden:
        server = golden.server
        for _ in range(2):
            server.start()
            golden.serves()
            assert server.stop(), server.log_tail()
            server.run('check')
        server.start()
        for _, (name, told) in golden.told.items():
            imap = server.imap(name)
            fill.good(imap.append('INBOX', r'(\Flagged new)', None, fill.BODIES[0]))
            messages = fill.told_mailbox(imap, 'INBOX')['messages']
            imap.logout()
            assert messages.pop(str(told['INBOX']['uidnext']))['flags'] == ['\\Flagged', 'new']
            whole.same(messages, told['INBOX']['messages'], name)
        assert server.stop(), server.log_tail()


def repaired(archive):
    with Golden(archive) as golden:
        for _, (name, _) in golden.told.items():
            golden.server.run('repair', '--user', name)
        with golden.server:
            golden.serves()


def make_newer(layout, path, kind):
    """The version of both header copies one up, and sound: a later server's."""
    offset, size = layout.header.place('version')
    sealed = layout.header.offset('xxh3 of all before')
    with open(path, 'r+b') as f:
        for at in (0, 4096 if kind in ('store', 'log') else 512):
            f.seek(at)
            data = bytearray(f.read(layout.header.size))
            data[offset:offset + size] = (layout.versions[kind] + 1).to_bytes(size, 'little')
            data[sealed:sealed + 8] = blocks.xxh3(bytes(data[:sealed])).to_bytes(8, 'little')
            f.seek(at)
            f.write(data)


def path_of(golden, kind):
    """A file of this kind, and the user that it is of."""
    path = sorted(glob.glob(os.path.join(golden.data, NEWER[kind])))[0]
    return path, os.path.basename(os.path.dirname(path))


def refused(archive, looked, kind):
    """The server does not start, says why in one line, and changes nothing; but it may have counted the epoch up."""
    with Golden(archive) as golden:
        make_newer(looked.layout, path_of(golden, kind)[0], kind)
        before = golden.files(but=() if kind == 'store' else ('store', 'commit/owner'))
        done = subprocess.run([golden.server.exe, 'serve', '-c', golden.server.conf], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60, env=dumps.ENV)
        said = [line for line in done.stderr.decode().splitlines() if line.startswith('ringpost: ')]
        assert done.returncode == 78 and done.stdout == b'', done
        assert len(said) == 1 and 'written by a newer version of ringpost' in said[0], said
        whole.same(golden.files(but=() if kind == 'store' else ('store', 'commit/owner')), before)


def left_alone(archive, looked, kind, in_order):
    """One user's mail is refused and none of his files is changed, the others have theirs; with the old file all is there."""
    with Golden(archive) as golden:
        if in_order:
            golden.server.start()
            assert golden.server.stop(), golden.server.log_tail()
        path, user = path_of(golden, kind)
        with open(path, 'rb') as f:
            old = f.read()
        make_newer(looked.layout, path, kind)
        before = {name: digest for name, digest in golden.files().items() if user in name}
        golden.server.start()
        golden.serves(but=user)
        try:
            golden.server.imap(golden.told[user][0])
        except imaplib.IMAP4.error as error:
            assert '[UNAVAILABLE]' in str(error), error
        else:
            raise AssertionError('the mail of a newer version is served')
        assert golden.server.stop(), golden.server.log_tail()
        whole.same({name: digest for name, digest in golden.files().items() if user in name}, before)
        with open(path, 'wb') as f:
            f.write(old)
        with golden.server:
            golden.serves()


def made_anew(archive, looked, kind):
    """What is derived is made anew from the rest."""
    with Golden(archive) as golden:
        make_newer(looked.layout, path_of(golden, kind)[0], kind)
        with golden.server:
            golden.serves()


def run(checks, looked):
    checks.run('there is a golden set of each version', each_version)
    for archive in archives():
        name = os.path.basename(archive)
        checks.run(f'{name} is read by the page alone', read_alone, archive, looked)
        checks.run(f'{name}: each file is dumped', dumped, archive)
        checks.run(f'{name} is sound to check', checked, archive)
        checks.run(f'{name} is served as it was, twice, and takes mail', served, archive)
        checks.run(f'{name} is repaired to what it was', repaired, archive)
        if is_seldom(archive):
            checks.run(f'{name} has what a server seldom writes', seldom_is_there, archive, looked)
            checks.run(f'{name}: who has no mail any more stays without', stays_purged, archive)
            continue
        for kind in ('store', 'log'):
            checks.run(f'{name}: a newer {kind} is refused in one line', refused, archive, looked, kind)
        for kind in ('journal', 'dbox'):
            checks.run(f'{name}: a newer {kind} is left alone', left_alone, archive, looked, kind, False)
            checks.run(f'{name}, ended in order: a newer {kind} is left alone', left_alone, archive, looked, kind, True)
        for kind in ('catalog', 'index', 'cache'):
            checks.run(f'{name}: a newer {kind} is made anew', made_anew, archive, looked, kind)
