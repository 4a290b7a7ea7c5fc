"""A bit of a file is flipped, or its end is cut off: the reader names the file."""
import glob
import os
import random

FLIPS, SEED = 12, 3
KINDS = {'journal': '*.journal', 'dbox': '*.dbox', 'catalog': '*.catalog', 'index': '*.index', 'cache': '*.cache'}


def files(ended, kind):
    if kind == 'store':
        return [os.path.join(ended.data, 'store')]
    if kind == 'log':
        return sorted({log.path for log in ended.look.logs if log.writes})
    return sorted(glob.glob(os.path.join(ended.data, 'users', '*', '*', KINDS[kind])))


def places(ended, path, kind):
    """The spans of a file in which every bit counts."""
    if kind != 'log':
        return [(0, os.path.getsize(path))]
    log = next(log for log in ended.look.logs if log.path == path)
    durable = max(write.durable for write in log.writes)
    return [(0, 8192)] + [(w.at, w.at + w.bytes) for w in log.writes if w.number <= durable]


def seen(ended, looked, path, what):
    """The damage is found, in the file that has it."""
    found = looked.look(ended.data).findings.found
    assert any(where == path for where, _, _ in found), f'{path}: {what} is not seen; found: {found[:3]}'


def flip(path, at, bit):
    with open(path, 'r+b') as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1 << bit]))


def flips(ended, looked, kind):
    dice = random.Random(f'{SEED} {kind}')
    paths = files(ended, kind)
    assert paths, kind
    for number in range(FLIPS):
        path = dice.choice(paths)
        spans = places(ended, path, kind)
        start, end = spans[number] if number < min(2, len(spans)) else dice.choice(spans)
        at, bit = dice.randrange(start, end), dice.randrange(8)
        flip(path, at, bit)
        try:
            seen(ended, looked, path, f'bit {bit} of byte {at}')
        finally:
            flip(path, at, bit)


def cut(ended, looked, kind):
    dice = random.Random(f'{SEED} {kind} cut')  # at odd places: between two records nothing but the next file tells
    path = dice.choice(files(ended, kind))
    with open(path, 'rb') as f:
        data = f.read()
    try:
        for size in (len(data) - 1, dice.randrange(len(data)) | 1, 1):
            with open(path, 'r+b') as f:
                f.truncate(size)
            seen(ended, looked, path, f'the end at {size} of {len(data)}')
            with open(path, 'wb') as f:
                f.write(data)
    finally:
        with open(path, 'wb') as f:
            f.write(data)


def run(checks, ended, looked):
    how = f'damage, after a server was {ended.how}'
    for kind in ('log',) if ended.how == 'killed' else ('store', *KINDS):
        checks.run(f'{how}: {FLIPS} flipped bits in {kind}', flips, ended, looked, kind)
        if kind != 'log':
            checks.run(f'{how}: an end of {kind} that is cut off', cut, ended, looked, kind)
