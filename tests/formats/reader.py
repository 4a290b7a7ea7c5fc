#!/usr/bin/python3
"""Every file of a DATA directory, read by index/FORMATS.md alone: what is in it, and what is not as it must be.

    tests/formats/reader.py DATA       the mail, as JSON; findings on standard error, exit code 2
"""
import glob
import json
import os
import re
import sys

from blocks import Broken, Findings, Layout, Record, check_mark, check_record, one_header, read_payload, xxh3
from dbox import Dbox
from derived import Cache, Catalog, Index
from logs import read_logs, read_owner, read_store
from page import Page
from replay import replay

AREA = 1024


class Journal:
    """One file: its records, in the order of their places."""

    def __init__(self, look, path, user):
        self.path, self.records = path, []
        first, sign, last = re.search(r'/(\d+)([-+])(\d*)\.journal$', path).groups()
        self.first, self.last, self.merged = int(first), int(last) if last else None, sign == '+'
        with open(path, 'rb') as f:
            data = f.read()
        header = self.header = one_header(look, path, data, 'journal', user)
        if header is None:
            return
        look.findings.must(header.lsn == self.first, path, 0, "the name's LSN is not the header's")
        versions = [look.layout.versions['merged']] if self.merged else [1, look.layout.versions['journal']]
        look.findings.must(header.version in versions, path, 0, f'version {header.version}')
        look.findings.must(header.extra('last') == (self.last if self.merged else 0), path, 0, "the last LSN is not the header's")
        look.findings.must(header.extra('goes on') <= (not self.merged), path, 0, 'it cannot go on with another')
        self.marked = header.version == look.layout.versions['journal']
        end = max(len(data) - look.layout.mark.size, AREA) if self.marked else len(data)
        self.scan(look, data[:end], header.nonce, user)
        if self.marked:
            check_mark(look, path, data, header.nonce, self.records)
        lsns = [record.lsn for record in self.records]
        look.findings.must(lsns == sorted(set(lsns)), path, AREA, 'LSNs out of order')
        look.findings.must(self.last is None or lsns[-1:] == [self.last], path, AREA, "the last LSN is not the name's")

    def scan(self, look, data, nonce, user):
        at, gap = AREA, None
        while at < len(data):
            record = Record(look.layout, data, at, nonce)
            if not record.sound or record.user != user or (record.journal, record.journal_at) != (self.first, at):
                gap = at if gap is None else gap
                at += 8
                continue
            if gap is not None:
                look.findings.add(self.path, gap, f'no sound record up to {at}')
                gap = None
            check_record(look, self.path, at, record)
            record.path, record.at = self.path, at
            self.records.append(record)
            at += record.bytes
        if gap is not None:
            look.findings.add(self.path, gap, 'no sound record up to the end')
        look.findings.must(at == len(data), self.path, at, 'the end is cut off')


class User:
    """One user's folder, and what the logs have of him."""

    def __init__(self, look, folder, user, in_log):
        self.look, self.folder, self.id, self.in_log = look, folder, user, in_log
        look.findings.must(os.path.basename(os.path.dirname(folder)) == f'{xxh3(user) & 0xffff:04x}', folder, 0, 'another slot')
        self.journals = [Journal(look, path, user) for path in self.files('*.journal')]
        self.boxes = [Dbox(look, path, user) for path in self.files('*.dbox')]
        self.catalogs = [Catalog(look, path, user) for path in self.files('*.catalog')]
        self.indexes = [Index(look, path, user) for path in self.files('*.index')]
        for path in self.files('*.checkpoint'):
            lsn = int(os.path.basename(path).split('.')[0])
            look.findings.must(os.path.getsize(path) == 0, path, 0, 'it is not empty')
            look.findings.must(any(int(os.path.basename(name).split('.')[0]) >= lsn for name in self.files('*.catalog')), path, 0, 'there is no such catalog')
        self.caches = [Cache(look, path, user) for path in self.files('*.cache')]
        self.records = self.all_records()
        self.groups = self.read_groups()
        self.volume = replay(self.groups)
        self.check_bodies()
        self.check_gaps()
        self.check_derived()

    def files(self, pattern):
        return sorted(glob.glob(os.path.join(self.folder, pattern)))

    def all_records(self):
        """Those of the journals, and behind them those of the log, in order."""
        must, found = self.look.findings.must, {}
        self.merged_up_to = max([journal.last for journal in self.journals if journal.merged], default=0)
        journals = sorted(filter(self.counts, self.journals), key=lambda one: (one.first, max((r.lsn for r in one.records), default=0)))
        for journal, after in zip(journals, journals[1:] + [None]):
            for record in journal.records:
                if after is None or record.lsn < after.first:
                    found[record.lsn] = record
        for lsn, record in self.in_log.items():
            if lsn <= self.merged_up_to:
                continue
            if lsn in found:
                must(record.payload == found[lsn].payload, record.path, record.at, f'LSN {lsn} is another in the journal')
                must((record.journal, record.journal_at) == (found[lsn].journal, found[lsn].at), record.path, record.at,
                     f'LSN {lsn} has another place in the journal')
            found.setdefault(lsn, record)
        void = max([lsn for lsn, record in found.items() if record.flags & 1], default=0)
        records = [found[lsn] for lsn in sorted(found) if lsn >= void]
        lsns = [record.lsn for record in records]
        behind = [lsn for lsn in lsns if lsn > self.merged_up_to]
        start = void if void > self.merged_up_to else self.merged_up_to + 1
        must(behind == list(range(start, start + len(behind))), self.folder, 0, f'LSNs with a gap: {len(lsns)} from {lsns[:1]} to {lsns[-1:]}')
        return records

    def counts(self, journal):
        """A file whose LSNs all lie in the range of a merged one is void."""
        return journal.merged and journal.last == self.merged_up_to or journal.last is None or journal.last > self.merged_up_to

    def read_groups(self):
        groups, parts = [], []
        for record in self.records:
            try:
                part, last, items = read_payload(self.look.layout, record.payload)
            except Broken as error:
                self.look.findings.add(record.path, record.at, f'payload: {error}')
                continue
            parts = [] if part == 0 else parts
            self.look.findings.must(part == len(parts), record.path, record.at, f'part {part} after {len(parts)}')
            parts.append((record.lsn, items))
            if last:
                groups.append(parts)
                parts = []
        return groups

    def body(self, number, offset):
        """From the newest file that has it, else from the log."""
        for box in sorted(self.boxes, key=lambda box: box.path, reverse=True):
            if box.header is not None and box.number == number and offset in box.records:
                return box.records[offset]
        for record in self.in_log.values():
            if (record.dbox, record.dbox_at) == (number, offset) and record.body is not None and record.body.sound:
                return record.body
        return None

    def is_alone(self, record):
        """Is this one of a log, that counts, in no journal?"""
        placed = (one.lsn for journal in self.journals for one in journal.records)
        return self.in_log.get(record.lsn) is record and record.lsn not in placed

    def has_body_alone(self, body):
        """Is this one of a log in no dbox file?"""
        return not any(box.header is not None and box.number == body.number and body.offset in box.records for box in self.boxes)

    def check_bodies(self):
        must = self.look.findings.must
        for mailbox in self.volume.mailboxes.values():
            for uid, message in mailbox.live().items():
                row, where = message.row, f'mailbox {mailbox.id} UID {uid}'
                number, offset = row['dbox file'], row['dbox offset / 16'] * 16
                body = self.body(number, offset)
                place = os.path.join(self.folder, f'{number}.dbox')
                if must(body is not None, place, offset, f'{where}: no body record'):
                    said = (row['size'], row['INTERNALDATE'], row['zone'], row['EMAILID'], self.id)
                    has = (body.size, body.internaldate, body.zone, body.emailid, body.user)
                    must(said == has, place, offset, f'{where}: journal {said}, body {has}')
                    must(body.offset == offset, place, offset, f'{where}: a body that belongs elsewhere')
        for record in self.records:
            if record.dbox and record.body_bytes:
                body = self.body(record.dbox, record.dbox_at)
                must(body is None or body.bytes == record.body_bytes, record.path, record.at, 'the body has another size')
        gone = {record.dbox for record in self.records if record.flags == 2 and record.lsn not in self.in_log}
        for box in self.boxes:
            must(box.header is None or box.number not in gone, box.path, 0, 'a record says that it is no more')
            self.check_box(box)
        for words in self.volume.differences():
            self.look.findings.add(self.folder, 0, words)
        for lsn, words in self.volume.wrong:
            self.look.findings.add(self.folder, 0, f'LSN {lsn}: {words}')

    def check_box(self, box):
        """What a dbox file tells of mailboxes and messages, where they are there still."""
        must, ours = self.look.findings.must, self.volume.mailboxes
        for line in box.mailboxes if box.header is not None else []:
            ident, uidvalidity, special_use = map(int, line[:3])
            if ident in ours:
                must((uidvalidity, special_use) == (ours[ident].uidvalidity, ours[ident].special_use), box.path, AREA,
                     f'mailbox {ident} is another in the text')
        for at, body in box.records.items():
            must(body.uidvalidity_last <= self.volume.sums.get('last uidvalidity', 0xffffffff), box.path, at,
                 f'the greatest UIDVALIDITY was {body.uidvalidity_last}')
            message = ours[body.mailboxid].messages.get(body.uid) if body.mailboxid in ours else None
            if message is not None:
                said = (message.row['dbox file'], message.row['dbox offset / 16'] * 16, message.row['flags'])
                at_home = message.moved and said[:2] != (box.number, at) or said[:2] == (box.number, at)
                must(at_home and said[2] == body.flags, box.path, at, f'UID {body.uid}: journal {said}, flags here {body.flags}')

    def check_gaps(self):
        """What lies in a dbox file without being a record: nothing, or what the log will put there."""
        for box in self.boxes:
            coming = [(r.dbox_at, r.dbox_at + r.body_bytes) for r in self.in_log.values() if box.header and r.dbox == box.number]
            for start, end in box.gaps:
                covered = any(a <= start and end <= b for a, b in coming)
                self.look.findings.must(covered or not any(box.data[start:end]), box.path, start, f'no sound body record up to {end}')

    def check_derived(self):
        must = self.look.findings.must
        ids = {index.header.number: index for index in self.indexes if index.sound}
        for catalog in self.catalogs:
            if catalog.header is not None and catalog.sound and catalog.header.lsn >= self.merged_up_to:
                catalog.compare(self.look, replay(self.groups, catalog.header.lsn))
                for entry in catalog.entries:
                    listed = [i for i in self.indexes if i.header and i.header.number == entry['mailboxid']]
                    wanted = entry['LSN of its index']
                    must(not wanted or any(i.header.lsn >= wanted for i in listed), catalog.path, AREA,
                         f'mailbox {entry["mailboxid"]}: no index file of LSN {wanted}')
        for index in self.indexes:
            if index.sound and index.header.number in self.volume.mailboxes and index.header.lsn >= self.merged_up_to:
                index.compare(self.look, self.volume.mailboxes[index.header.number], self.merged_up_to)
        for cache in self.caches:
            if cache.header is not None and cache.number in ids:
                cache.compare(self.look, ids[cache.number].rows)

    def mail(self):
        """As IMAP would tell it."""
        subscribed = self.volume.subscribed
        boxes = {}
        for mailbox in self.volume.mailboxes.values():
            messages = {}
            for uid, m in sorted(mailbox.live().items()):
                body = self.body(m.row['dbox file'], m.row['dbox offset / 16'] * 16)
                messages[uid] = {'flags': sorted(m.flags), 'modseq': m.modseq, 'internaldate': m.row['INTERNALDATE'], 'zone': m.row['zone'],
                                 'size': m.row['size'], 'emailid': m.row['EMAILID'], 'body': body.data if body else None}
            boxes[mailbox.name.decode()] = {
                'mailboxid': mailbox.id, 'uidvalidity': mailbox.uidvalidity, 'uidnext': mailbox.counters['uidnext'],
                'highestmodseq': mailbox.highestmodseq, 'unseen': mailbox.counters['unseen'], 'bytes': mailbox.counters['bytes'],
                'subscribed': mailbox.name in subscribed, 'messages': messages,
                'special_use': [name for name, bit in self.look.layout.uses.items() if mailbox.special_use & bit]}
        return boxes

    def all_files(self):
        return self.journals + self.boxes + self.catalogs + self.indexes + self.caches


class Look:
    """A whole DATA directory."""

    def __init__(self, data, layout=None):
        self.findings, self.layout, self.top = Findings(), layout or Layout(Page()), data
        self.shards = self.epoch = 0
        self.users, self.logs = {}, []
        store = read_store(self, os.path.join(data, 'store'))
        if store is None:
            return
        read_owner(self, os.path.join(data, 'commit', 'owner'), store)
        in_log = read_logs(self, data)
        folders = {bytes.fromhex(os.path.basename(path)): path for path in glob.glob(os.path.join(data, 'users', '*', '*'))}
        for user in sorted(folders.keys() | in_log.keys()):
            folder = folders.get(user, os.path.join(data, 'users', f'{xxh3(user) & 0xffff:04x}', user.hex()))
            self.users[user] = User(self, folder, user, in_log.get(user, {}))

    def mail(self):
        return {user.hex(): one.mail() for user, one in self.users.items()}


def main():
    look = Look(sys.argv[1])
    print(json.dumps(look.mail(), indent=1, default=lambda data: data.decode('latin-1')))
    for line in look.findings.lines():
        print(line, file=sys.stderr)
    sys.exit(2 if look.findings.found else 0)


if __name__ == '__main__':
    main()
