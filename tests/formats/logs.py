"""`store` and the commit logs: which writes count, and the records in them. See index/FORMATS.md."""
import glob
import os
import re

from blocks import Record, check_record, headers, up, xxh3
from dbox import Body

BLOCK = 4096


def read_store(look, path):
    """The header that counts."""
    with open(path, 'rb') as f:
        data = f.read()
    look.findings.must(len(data) == 2 * BLOCK, path, len(data), 'not two blocks')
    found = headers(look, path, data, 'store', BLOCK)
    if not found:
        return None
    newest = max(found, key=lambda header: header.epoch)
    look.shards = newest.extra('the greatest number of shards')
    look.findings.must(look.shards > 0, path, 0, 'no shards')
    look.findings.must(newest.extra('logs of epochs up to') < newest.epoch, path, 0, 'a loss that has not come yet')
    look.epoch = newest.epoch
    return newest


def read_owner(look, path, store):
    """What DATA/store knows of it holds."""
    least = store.extra('the epoch of the last start')
    if least == 0 and not os.path.exists(path):
        return
    with open(path, 'rb') as f:
        data = f.read()
    look.findings.must(len(data) == 2 * BLOCK, path, len(data), 'not two blocks')
    found = headers(look, path, data, 'owner', BLOCK)
    if found:
        newest = max(found, key=lambda header: header.epoch)
        look.findings.must(newest.epoch >= least, path, 0, f'epoch {newest.epoch}')
        look.findings.must(newest.extra('the id of the store') == store.extra("the store's id"), path, 0, "another store's")
        shards = newest.extra('the shards, from 0 on, that have logs since a start was over')
        look.findings.must(shards <= look.shards, path, 0, f'logs of {shards} shards')
        for shard in range(shards):
            look.findings.must(glob.glob(os.path.join(os.path.dirname(path), str(shard), '*.log')), path, 0, f'shard {shard} has no logs')


class Write:
    def __init__(self, layout, data, at, nonce):
        def get(words):
            return layout.write.get(data, words, at)
        sealed, size = layout.write.offset('xxh3 of all before'), layout.write.size
        self.sound = get('magic').to_bytes(4, 'little') == b'RPLW' and get('xxh3 of all before') == xxh3(data[at:at + sealed], nonce)
        if not self.sound:
            return
        self.found = []  # its records, if it counts
        self.bytes, self.count, self.number, self.durable = (
            get('bytes of header'), get('how many'), get('number'), get('all writes up to'))
        self.fit = (get('version') == 1 and get('64') == size and get("the file's nonce") == nonce and get('0') == 0
                    and size <= self.bytes <= len(data) - at)
        self.records = data[at + size:at + self.bytes]
        self.whole = self.fit and get('xxh3 of the records') == xxh3(self.records, nonce)
        self.padding = data[at + self.bytes:up(at + self.bytes, BLOCK)]


class Log:
    """One file of a commit log."""

    def __init__(self, look, path):
        self.path, self.writes, self.header = path, [], None
        with open(path, 'rb') as f:
            data = f.read()
        shard, number = re.search(r'/(\d+)/(\d+)\.log$', path).groups()
        found = headers(look, path, data, 'log', BLOCK)
        if not found:
            return
        header = self.header = max(found, key=lambda h: (h.epoch, h.extra('which use')))
        self.epoch, self.durable = header.epoch, header.extra('the write up to which')
        self.free, self.shard = header.extra('state') == 1, header.extra('the shard')
        look.findings.must(header.extra('state') in (1, 2), path, 0, 'neither free nor in use')
        look.findings.must(self.shard == int(shard) and header.number == int(number), path, 0, 'the header names another file')
        look.findings.must(header.extra('bytes of the file') == len(data), path, 0, 'another size')
        look.findings.must(header.extra('logs of epochs up to') < header.epoch, path, 0, 'a loss that has not come yet')
        if not self.free:
            self.scan(look, data)

    def scan(self, look, data):
        for at in range(2 * BLOCK, len(data), BLOCK):
            write = Write(look.layout, data, at, self.header.nonce)
            if write.sound:
                write.path, write.at = self.path, at
                look.findings.must(write.fit, self.path, at, 'a write that does not fit')
                self.writes.append(write)


def records_of(look, write, nonce):
    """All records of a write; what is wrong in it is found."""
    layout, data, at, found = look.layout, write.records, 0, []
    base = write.at + layout.write.size
    while at < len(data):
        record = Record(layout, data, at, nonce)
        if not record.sound:
            at += 8
            continue
        check_record(look, write.path, base + at, record)
        record.path, record.at = write.path, base + at
        at += record.bytes
        if record.body_bytes and record.body_bytes <= len(data) - at:
            record.body = Body(layout, data, at, None)
            record.body.number = record.dbox
            look.findings.must(record.body.sound and record.body.bytes == record.body_bytes, write.path, base + at,
                               'no sound body record')
            at = up(at + record.body_bytes, 8)
        found.append(record)
    look.findings.must(len(found) == write.count, write.path, write.at, f'{len(found)} records, not {write.count}')
    return found


def those_that_count(look, logs):
    """The records of one shard and epoch."""
    writes = {write.number: (write, log.header.nonce) for log in logs for write in log.writes}
    if not writes:
        return []
    least, found = min(writes), []
    durable = max([log.durable for log in logs] + [write.durable for write, _ in writes.values()])
    if durable < least - 1:
        return []
    known = sorted(writes)
    for before, after in zip(known, known[1:] + [durable + 1]):
        missing = min(after - 1, durable) - before
        look.findings.must(missing <= 0, logs[0].path, 0, f'{missing} writes behind {before} were durable and are not there')
    for number in known:
        write, nonce = writes[number]
        if number > durable and (not write.whole or number - 1 not in writes and number > least):
            break
        look.findings.must(write.whole, write.path, write.at, f'write {number} was durable and is not whole')
        if write.fit:
            look.findings.must(not any(write.padding), write.path, write.at, 'not zeroes behind a write')
            write.found = records_of(look, write, nonce)
            found += write.found
    return found


def all_there(look, logs):
    """The newest header of a shard tells which files it had."""
    newest = {}
    for log in logs:
        if log.header is not None:
            age = log.epoch, log.header.extra('which use')
            if log.shard not in newest or age > newest[log.shard][0]:
                newest[log.shard] = age, log.header.extra('bit n - 1')
    for shard, (_, bits) in newest.items():
        numbers = {log.header.number for log in logs if log.header is not None and log.shard == shard}
        for number in (n for n in range(1, 65) if bits >> n - 1 & 1):
            look.findings.must(number in numbers, f'{shard}/{number}.log', 0, 'a file that was there is gone')


def read_logs(look, top):
    """{user id: {lsn: record}} of all records in the commit logs that count."""
    logs = [Log(look, path) for path in sorted(glob.glob(os.path.join(top, 'commit', '*', '*.log')))]
    look.logs = logs
    all_there(look, logs)
    by_run = {}
    for log in logs:
        if log.header is not None:
            look.findings.must(log.shard < look.shards, log.path, 0, 'a shard that never was')
            by_run.setdefault((log.epoch, log.shard), []).append(log)
    users = {}
    for run in sorted(by_run):
        in_run = {}
        for record in those_that_count(look, by_run[run]):
            in_run.setdefault(record.user, {})[record.lsn] = record
        for user, records in in_run.items():
            kept = {lsn: r for lsn, r in users.get(user, {}).items() if r.epoch == run[0] or lsn < min(records)}
            kept.update(records)
            users[user] = kept
    return users
