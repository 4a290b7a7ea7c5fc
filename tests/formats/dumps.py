"""`ringpost dump` prints every kind of file, and as much of each as the reader finds in it."""
import collections
import glob
import os
import re
import subprocess

import rp

ENV = dict(os.environ, **rp.SANITIZER_ENV)


def dump(server, path):
    """Its lines, counted by their first word."""
    done = subprocess.run([server.exe, 'dump', path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, env=ENV)
    assert done.returncode == 0 and not done.stderr, (path, done.returncode, done.stderr[-400:])
    lines = done.stdout.decode().splitlines()
    assert not any(line.startswith('damage') or 'not sound' in line or 'not whole' in line for line in lines), path
    return lines, collections.Counter(line.split(' ', 1)[0] for line in lines)


def same(path, counts, **expected):
    for word, count in expected.items():
        assert counts[word] == count, f'{path}: {counts[word]} lines "{word}", {count} in the file'


def header(path, lines, read):
    said = re.match(r'[a-z ]+ version (\d+) user (\w+) epoch (\d+) lsn (\d+) number (\d+) nonce (\w+)$', lines[0]).groups()
    has = (read.version, read.user.hex(), read.epoch, read.lsn, read.number, f'{read.nonce:016x}')
    assert said == tuple(map(str, has)), (path, lines[0], has)
    assert lines[1] == 'extra ' + ' '.join(map(str, read.words)), (path, lines[1])


def journals(ended, user):
    names = {number: name for name, number in ended.look.layout.types.items()}
    for journal in user.journals:
        lines, counts = dump(ended.server, journal.path)
        header(journal.path, lines, journal.header)
        same(journal.path, counts, record=len(journal.records))
        said = re.findall(r'^record at (\d+): (\w+) lsn (\d+)', '\n'.join(lines), re.M)
        has = [(str(r.at), names[r.type], str(r.lsn)) for r in journal.records]
        assert said == has, (journal.path, [pair for pair in zip(said, has) if pair[0] != pair[1]][:3])


def date(packed):
    """Seconds since 1970, and the zone in minutes."""
    seconds = packed >> 12
    return f'{seconds - (1 << 52 if seconds >> 51 else 0)}{(packed & 4095) - 2048:+}'


def rows(index, lines):
    """Each message, and each run of expunged UIDs, as the reader has it."""
    flags = {name: number for name, number in index.parts['flag'][1].items() if name.startswith('\\')}
    words = {line.split(' ', 2)[2]: int(line.split(' ', 2)[1]) for line in lines if line.startswith('keyword ')}
    expected = []
    for row in index.rows:
        bits = sum(1 << flags[name] for name in row['flags'] if name in flags)
        keywords = sorted(words[name] for name in row['flags'] if name not in flags)
        expected.append(' '.join(map(str, (
            'uid', row['uid'], 'modseq', row['MODSEQ'], 'flags', f'0x{bits:02x}', *(['keywords', *keywords] if keywords else []),
            'internaldate', date(row['INTERNALDATE']), 'sent', date(row['sent date']), 'size', row['size'], 'savedate', row['SAVEDATE'],
            'body', f'{row["body"] & 0xffffffff}.dbox+{(row["body"] >> 32) * 16}', 'cache', row['cache'] * 8, 'emailid', f'{row["EMAILID"]:016x}',
            'threadid', row['THREADID'])) ) + ('' if row['live'] else ' (expunged)'))
    said = [line for line in lines if line.startswith('uid ')]
    assert said == expected, (index.path, [pair for pair in zip(said, expected) if pair[0] != pair[1]][:2], len(said), len(expected))
    said = [line for line in lines if line.startswith('expunged ')]
    assert said == [f'expunged uids {first}:{last} modseq {modseq}' for modseq, first, last in index.history], (index.path, said[:3])


def others(ended, user):
    for box in user.boxes:
        lines, counts = dump(ended.server, box.path)
        header(box.path, lines, box.header)
        same(box.path, counts, body=len(box.records))
        named = [line.removeprefix('named: ') for line in lines if line.startswith('named: ')]
        assert named == [' '.join(line) for line in box.mailboxes], (box.path, named, box.mailboxes)
    for catalog in user.catalogs:
        lines, counts = dump(ended.server, catalog.path)
        header(catalog.path, lines, catalog.header)
        same(catalog.path, counts, mailbox=len(catalog.entries), delivery=len(catalog.deliveries))
    for index in user.indexes:
        lines, counts = dump(ended.server, index.path)
        header(index.path, lines, index.header)
        same(index.path, counts, section=sum(map(len, index.sections.values())))
        assert lines[2].startswith(f'rows {len(index.rows)} '), lines[2]
        rows(index, lines)
    for cache in user.caches:
        lines, counts = dump(ended.server, cache.path)
        header(cache.path, lines, cache.header)
        same(cache.path, counts, entry=len(cache.entries))


def logs(ended):
    for log in ended.look.logs:
        lines, counts = dump(ended.server, log.path)
        header(log.path, lines, log.header)
        same(log.path, counts, write=len(log.writes), record=sum(write.count for write in log.writes))
    lines, _ = dump(ended.server, os.path.join(ended.data, 'store'))
    assert re.match(rf'store version 1 user 0+ epoch {ended.look.epoch} ', lines[0]), lines[0]


def users(ended, what):
    for user in ended.look.users.values():
        what(ended, user)


def all_at_once(ended):
    """No file of DATA is left out."""
    paths = [p for p in glob.glob(os.path.join(ended.data, '**'), recursive=True) if os.path.isfile(p)]
    careful = os.path.join(ended.dir, 'careful')  # no disk has failed
    open(careful, 'w').close()
    done = subprocess.run([ended.server.exe, 'dump', *paths, careful], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, env=ENV)
    assert done.returncode == 0 and not done.stderr, done.stderr
    kinds = set(re.findall(r'^([a-z ]+) version \d+ user', done.stdout.decode(), re.M))
    assert len(re.findall(r'^(?:reserve|careful): ', done.stdout.decode(), re.M)) == 2
    assert kinds == {'store', 'owner', 'commit log', 'journal', 'dbox', 'catalog', 'index', 'cache'}, kinds


def run(checks, ended):
    how = f'dump, of a server that was {ended.how}'
    checks.run(f'{how}: every file, without an error', all_at_once, ended)
    checks.run(f'{how}: store and commit logs as they were read', logs, ended)
    checks.run(f'{how}: journals as they were read', users, ended, journals)
    checks.run(f'{how}: bodies, catalogs, indexes and caches as they were read', users, ended, others)
