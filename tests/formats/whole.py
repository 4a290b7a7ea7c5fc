"""The files of a server that has ended, in order or not, against what IMAP said of them."""
import hashlib
import os
import shutil
import tempfile
import time

import blocks
import fill
import page
import reader
import rp
import xxhash

SETTLED_S, UNSETTLED_S = 1.5, 0.7  # after so long, and up to then not
ROUNDS = 40


class Looked:
    """One page for all, so that what nobody asked of it is known in the end."""

    def __init__(self):
        self.page = page.Page()
        self.layout = blocks.Layout(self.page)

    def look(self, data):
        return reader.Look(data, self.layout)

    def nothing_unused(self):
        assert not self.page.unused(), self.page.unused()


class Ended:
    """A server's folder after it was filled and has ended; what IMAP said stands in `told`."""

    def __init__(self, how):
        self.how = how
        self.dir = tempfile.mkdtemp(prefix='ringpost-formats-')
        self.server = rp.Server(shards=2, keep=self.dir)
        self.data = os.path.join(self.dir, 'data')

    def __enter__(self):
        self.before_start()
        self.server.start()
        try:
            users = self.fill()
            self.names = {self.user_id(user): user for user in users}
            self.told = {user: fill.told(self.server, name) for user, name in self.names.items()}
            if self.how == 'killed':
                self.change_and_kill()
            else:
                assert self.server.stop(), self.server.log_tail()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def before_start(self):
        """What another kind of it sets up."""

    def fill(self):
        return fill.fill(self.server)

    def change_and_kill(self):
        """Some changes so late that they are in the commit log alone: what settles waits for a second."""
        imap = self.server.imap('sam')
        mine = self.told[self.user_id('sam')]

        def late():
            for body in fill.BODIES[:4] + fill.BODIES[6:]:  # less than the 64 KiB that settle at once
                fill.good(imap.append('Drafts', r'(\Seen last)', None, body))
            fill.good(imap.select('Drafts'))
            fill.good(imap.store('2:4', '+FLAGS', r'(\Answered)'))
            mine['Drafts'] = dict(mine['Drafts'], **fill.told_mailbox(imap, 'Drafts'))

        self.kill_behind(late)

    def kill_behind(self, late):
        """Soon enough that nothing of it has settled; where the machine is too busy for that, it is done again."""
        for _ in range(ROUNDS):
            time.sleep(SETTLED_S)
            began = time.monotonic()
            late()
            if time.monotonic() - began < UNSETTLED_S:
                break
        self.server.kill()

    def user_id(self, name):
        return self.server.run('user', 'info', name).stdout.split()[1].decode()

    def __exit__(self, _kind, _value, _trace):
        self.server.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


def as_told(mail):
    """The reader's mail in the words of `fill.told`."""
    boxes = {}
    for name, box in mail.items():
        messages = {}
        for uid, m in box['messages'].items():
            said = {key: m[key] for key in ('flags', 'modseq', 'internaldate', 'zone', 'size')}
            messages[str(uid)] = dict(said, sha256=hashlib.sha256(m['body']).hexdigest())
        boxes[name] = {key: value for key, value in box.items() if key != 'mailboxid'}
        boxes[name]['messages'] = messages
    return boxes


def same(has, said, where=''):
    """Equal, else the first place where not."""
    if isinstance(has, dict) and isinstance(said, dict):
        assert has.keys() == said.keys(), f'{where}: {sorted(has.keys() ^ said.keys())} in one alone'
        for key in has:
            same(has[key], said[key], f'{where}/{key}')
    else:
        assert has == said, f'{where}: {has!r}, not {said!r}'


def sound(ended, looked):
    ended.look = looked.look(ended.data)
    found = ended.look.findings.lines()
    assert not found, '\n'.join(found[:20])


def as_imap_said(ended):
    mail = ended.look.mail()
    for user, told in ended.told.items():
        same(as_told(mail[user]), told, user[:6])


def many_are_told(ended):
    sizes = [m['size'] for boxes in ended.told.values() for box in boxes.values() for m in box['messages'].values()]
    assert len(sizes) > 300 and max(sizes) > 200_000, (len(sizes), max(sizes))


def every_kind(ended):
    """The test is about all kinds of files, and all have something in them."""
    users = ended.look.users.values()
    assert any(write.records for log in ended.look.logs for write in log.writes) == (ended.how == 'killed')
    assert ended.how == 'killed' or all(log.free for log in ended.look.logs)
    for name in ('journals', 'boxes', 'catalogs', 'indexes', 'caches'):
        assert any(getattr(user, name) for user in users), name
    assert any(entry for user in users for catalog in user.catalogs for entry in catalog.entries)
    assert any(catalog.deliveries for user in users for catalog in user.catalogs)
    assert any(index.rows for user in users for index in user.indexes)
    assert any(index.history for user in users for index in user.indexes)
    assert any(cache.entries for user in users for cache in user.caches)


def in_the_log_alone(ended):
    """The records, and bodies, that a kill left nowhere else."""
    users = ended.look.users.values()
    alone = [r for user in users for lsn, r in user.in_log.items() if not any(
        record.lsn == lsn for journal in user.journals for record in journal.records)]
    bodies = [r for r in alone if r.body is not None]
    assert alone and bodies, (len(alone), len(bodies))


def delivery_keys(ended):
    """The key of each delivery, made anew from what the page says."""
    for user in ended.look.users.values():
        seed = int.from_bytes(user.id[:8], 'little') ^ int.from_bytes(user.id[8:], 'little')
        keys = {(low, high) for low, high, _ in user.volume.deliveries}
        name = ended.names.get(user.id.hex())
        if name is None:
            continue  # who has been removed
        stored = {m['body'] for box in user.mail().values() for m in box['messages'].values()}
        made = set()
        for to in (f'{name}@test.invalid', f'{name}+Work@test.invalid'):
            for body in stored:
                key = xxhash.xxh3_128_intdigest(user.id + to.encode() + b'\0' + body, seed)
                made.add((key & (1 << 64) - 1, key >> 64))
        assert keys and keys <= made, f'{len(keys - made)} of {len(keys)} keys are none of ours'


def sound_as_said(checks, ended, looked):
    how = f'the files of a server that was {ended.how}'
    checks.run(f'{how} are sound', sound, ended, looked)
    checks.run(f'{how}: mailboxes, messages, flags, numbers and bytes are what IMAP said', as_imap_said, ended)


def run(checks, ended, looked):
    how = f'the files of a server that was {ended.how}'
    sound_as_said(checks, ended, looked)
    checks.run(f'{how}: there are many of them', many_are_told, ended)
    checks.run(f'{how}: every kind of file is there', every_kind, ended)
    checks.run(f'{how}: the keys of deliveries', delivery_keys, ended)
    if ended.how == 'killed':
        checks.run(f'{how}: some records and bodies are in the log alone', in_the_log_alone, ended)
