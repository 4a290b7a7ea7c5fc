"""Catalog, index and cache files, and what the records say of the same. See index/FORMATS.md."""
import os
import re

from blocks import one_header, up, xxh3

AREA, GROUP, PER_SUMMARY = 1024, 65536, 512
INDEX = '`<mailboxid>.<lsn>.index`'


def opened(look, path, kind, user):
    with open(path, 'rb') as f:
        data = f.read()
    return data, one_header(look, path, data, kind, user)


class Catalog:
    def __init__(self, look, path, user):
        self.path, self.entries, self.deliveries = path, [], []
        data, header = opened(look, path, 'catalog', user)
        self.header = header
        if header is None:
            return
        self.sums = {'next mailboxid': header.extra('next mailboxid'), 'last uidvalidity': header.extra('last uidvalidity'),
                     'messages': header.extra('messages'), 'bytes': header.extra('bytes')}
        self.destroyed = header.extra('flags') & 1
        number = int(re.search(r'/(\d+)\.catalog$', path)[1])
        look.findings.must(header.lsn == number, path, 0, "the name's LSN is not the header's")
        self.sound = look.findings.must(xxh3(data[AREA:], header.nonce) == header.extra('xxh3 of all behind'), path, AREA,
                                        'xxh3 of the content')
        count = header.extra('count of entries')
        if self.sound and look.findings.must(count * look.layout.catalog.size <= len(data), path, 0, f'{count} entries'):
            self.read(look, data, AREA)

    def read(self, look, data, at):
        layout = look.layout.catalog
        fields = ('mailboxid', 'HIGHESTMODSEQ', 'bytes', 'LSN that made it', 'LSN of the last change', 'LSN of its index',
                  'uidvalidity', 'uidnext', 'messages', 'unseen', 'deleted', 'special_use', 'flags', 'bytes of the name', 'zero')
        for _ in range(self.header.extra('count of entries')):
            start, entry = at, {words: layout.get(data, words, at) for words in fields}
            at += layout.size
            entry['name'] = data[at:at + entry['bytes of the name']]
            end = up(at + entry['bytes of the name'], 8)
            look.findings.must(entry['zero'] == 0 and not any(data[at + len(entry['name']):end]), self.path, start, 'not zeroes')
            at = end
            self.entries.append(entry)
        names = [entry['name'] for entry in self.entries]
        look.findings.must(names == sorted(names), self.path, AREA, 'not in the order of names')
        layout = look.layout.delivery
        look.findings.must((len(data) - at) % layout.size == 0, self.path, at, 'half a delivery')
        for start in range(at, len(data) - layout.size + 1, layout.size):
            self.deliveries.append(tuple(layout.get(data, words, start) for words in ('low', 'high', 'seconds')))

    def compare(self, look, volume):
        """With the records up to its LSN."""
        must = look.findings.must
        must(bool(self.destroyed) == volume.destroyed, self.path, 0, 'destroyed or not')
        for name, value in self.sums.items():
            must(volume.sums.get(name) == value, self.path, 0, f'{name} {value}, journal {volume.sums.get(name)}')
        boxes = {entry['mailboxid']: entry for entry in self.entries if entry['mailboxid']}
        must(boxes.keys() == volume.mailboxes.keys(), self.path, AREA, f'mailboxes {sorted(boxes)}, journal {sorted(volume.mailboxes)}')
        marked = {entry['name'].decode() for entry in self.entries if entry['flags'] & 1}
        must(marked == {name.decode() for name in volume.subscribed}, self.path, AREA, f'subscribed {marked}, journal {volume.subscribed}')
        for ident in boxes.keys() & volume.mailboxes.keys():
            mailbox, entry = volume.mailboxes[ident], boxes[ident]
            said = {'HIGHESTMODSEQ': mailbox.highestmodseq, 'LSN that made it': mailbox.made, 'LSN of the last change': mailbox.changed,
                    'uidvalidity': mailbox.uidvalidity, 'special_use': mailbox.special_use, 'name': mailbox.name, **mailbox.counted()}
            for words, value in said.items():
                must(entry[words] == value, self.path, AREA, f'mailbox {ident}: {words} {entry[words]}, journal {value}')
        known = set(volume.deliveries)
        must(set(self.deliveries) <= known, self.path, 0, 'a delivery that no record tells of')
        must(known <= set(self.deliveries) or len(known) > len(self.deliveries) >= 4096, self.path, 0, 'a delivery is missing')


class Index:
    """An index file as rows: [{uid, live, flags, columns...}]."""

    def __init__(self, look, path, user):
        self.path, self.look, self.rows, self.history, self.sections = path, look, [], [], {}
        self.sound = False  # rows and history count
        self.data, header = opened(look, path, 'index', user)
        self.header = header
        self.parts = {row[0].split(' ', 1)[1]: (int(row[0].split()[0]), look.layout.page.numbered(row[1]))
                      for row in look.layout.page.table(INDEX, '| section')}
        if header is None:
            return
        ident, lsn = re.search(r'/(\d+)\.(\d+)\.index$', path).groups()
        look.findings.must(header.lsn == int(lsn) and header.number == int(ident), path, 0, 'the header names another file')
        self.count, self.directory = header.extra('rows'), header.extra('offset of the directory')
        look.findings.must(header.extra('bytes of the file') == len(self.data), path, 0, 'another size')
        sound = xxh3(self.data[self.directory:], header.nonce) == header.extra('xxh3 of the directory')
        fits = look.findings.must(self.count * 8 <= len(self.data), path, 0, f'{self.count} rows')
        if look.findings.must(sound, path, self.directory, 'xxh3 of the directory') and fits:
            before = len(look.findings.found)
            self.read_directory()
            if len(look.findings.found) == before:
                self.read_rows()

    def read_rows(self):
        self.read_uids()
        self.read_columns()
        self.read_bits()
        self.read_history()
        self.check_summaries()
        self.sound = True

    def read_directory(self):
        layout, must = self.look.layout.directory, self.look.findings.must
        numbers, column = {number for number, _ in self.parts.values()}, self.parts['column'][0]
        must((len(self.data) - self.directory) % layout.size == 0, self.path, self.directory, 'half an entry')
        spans = []
        for at in range(self.directory, len(self.data) - layout.size + 1, layout.size):
            key = tuple(layout.get(self.data, words, at) for words in ('section', 'number', 'group'))
            start, size = layout.get(self.data, 'offset', at), layout.get(self.data, 'bytes', at)
            must(key[0] in numbers, self.path, at, f'no section {key[0]}')
            must(start % 64 == 0 and AREA <= start <= start + size <= self.directory, self.path, at, 'a section out of bounds')
            piece = self.data[start:start + size]
            must(xxh3(piece, self.header.nonce) == layout.get(self.data, 'xxh3 of the section', at), self.path, start, f'xxh3 of section {key}')
            must((key[0] == column) == (start < self.header.extra('offset of the tail')) or not size, self.path, at, 'on the wrong side of the tail')
            self.sections.setdefault(key, []).append(piece)
            spans.append((start, start + size))
        self.check_between(sorted(spans))

    def check_between(self, spans):
        at = AREA
        for start, end in spans + [(self.directory, len(self.data))]:
            if start != end:
                self.look.findings.must(start >= at, self.path, start, 'sections that overlap')
                self.look.findings.must(not any(self.data[at:start]), self.path, at, 'not zeroes between sections')
                at = max(at, end)

    def groups(self):
        return [(group, min(GROUP, self.count - group * GROUP)) for group in range((self.count + GROUP - 1) // GROUP)]

    def piece(self, name, number=0, group=0):
        return self.sections.get((self.parts[name][0], number, group))

    def read_uids(self):
        uids = []
        for key in sorted(k for k in self.sections if k[0] == self.parts['UIDs'][0]):
            for data in self.sections[key]:
                for at in range(0, len(data), 16):
                    bits, base = (int.from_bytes(data[at + i:at + i + n], 'little') for i, n in ((0, 8), (8, 4)))
                    self.look.findings.must(not any(data[at + 12:at + 16]), self.path, at, 'not zeroes among the UIDs')
                    uids += [base * 64 + bit for bit in range(64) if bits >> bit & 1]
        must = self.look.findings.must
        must(uids == sorted(set(uids)) and len(uids) == self.count, self.path, 0, f'{len(uids)} UIDs for {self.count} rows')
        must(not uids or uids[-1] <= self.header.extra('the greatest UID'), self.path, 0, 'a UID greater than the greatest')
        self.rows = [{'uid': uid, 'live': True, 'flags': set()} for uid in uids[:self.count]]
        self.count = len(self.rows)

    def read_columns(self):
        for name, number in self.parts['column'][1].items():
            narrow = name in ('size', 'SAVEDATE', 'cache')
            for group, rows in self.groups():
                piece = (self.piece('column', number, group) or [bytes(rows * 8)])[0]
                width = 4 if narrow else 8
                if self.piece('column', number, group):
                    self.look.findings.must(len(piece) == rows * width, self.path, 0, f'column {name}: {len(piece)} bytes')
                for i in range(rows):
                    self.rows[group * GROUP + i][name] = int.from_bytes(piece[i * width:i * width + width], 'little')

    def bit_set(self, section, number, group, rows):
        piece = self.piece(section, number, group)
        if piece is None:
            return None
        if piece[0] == b'':
            return [True] * rows
        self.look.findings.must(len(piece[0]) == up(rows, 64) // 8, self.path, 0, f'{section} {number}: {len(piece[0])} bytes')
        bits = int.from_bytes(piece[0], 'little')
        self.look.findings.must(bits >> rows == 0, self.path, 0, f'{section} {number}: bits behind the last row')
        return [bool(bits >> i & 1) for i in range(rows)]

    def read_bits(self):
        keywords = b''.join(self.piece('keywords') or [])
        names = {number: name for name, number in self.parts['flag'][1].items() if name.startswith('\\')}
        for k in range(len(keywords) // 65):
            one = keywords[k * 65:k * 65 + 65]
            names[5 + k] = one[1:1 + one[0]].decode()
            self.look.findings.must(not any(one[1 + one[0]:]), self.path, 0, 'not zeroes behind a keyword')
        for group, rows in self.groups():
            alive = self.bit_set('live', 0, group, rows)
            for number, name in names.items():
                on = self.bit_set('flag', number, group, rows) or [False] * rows
                for i in range(rows):
                    if on[i]:
                        self.rows[group * GROUP + i]['flags'].add(name)
            for i in range(rows if alive is not None else 0):
                self.rows[group * GROUP + i]['live'] = alive[i]

    def read_history(self):
        data = (self.piece('history') or [b''])[0]
        self.complete_from = int.from_bytes(data[:8], 'little')
        for at in range(8, len(data), 16):
            self.history.append(tuple(int.from_bytes(data[at + i:at + i + n], 'little') for i, n in ((0, 8), (8, 4), (12, 4))))
        self.look.findings.must([h[0] for h in self.history] == sorted(h[0] for h in self.history), self.path, 0, 'history out of order')

    @staticmethod
    def value(name, row):
        """As the summary has it: a date in seconds of its own zone."""
        if name not in ('INTERNALDATE', 'sent date'):
            return row[name]
        seconds = row[name] >> 12
        seconds -= (1 << 52) if seconds >> 51 else 0
        return seconds + ((row[name] & 4095) - 2048) * 60

    def check_summaries(self):
        must, columns = self.look.findings.must, self.parts['column'][1]
        for group, count in self.groups():
            piece, rows = self.piece('summary', 0, group), self.rows[group * GROUP:group * GROUP + count]
            if not must(piece is not None, self.path, 0, f'group {group} has no summary'):
                continue
            words = [int.from_bytes(piece[0][i:i + 8], 'little') for i in range(0, len(piece[0]), 8)]
            expected = [sum(row['size'] for row in rows if row['live'])]
            for name in sorted(columns, key=columns.get)[:5]:
                values = [self.value(name, row) for row in rows]
                expected += [min(values) % (1 << 64), max(values) % (1 << 64)]
            expected += [max(r['MODSEQ'] for r in rows[i:i + PER_SUMMARY]) for i in range(0, count, PER_SUMMARY)]
            must(words == expected, self.path, 0, f'summary of group {group}: {words}, rows {expected}')
            then = [row['MODSEQ'] for row in rows if row['MODSEQ'] <= self.header.lsn]  # others changed while the file was written
            must(max(then, default=0) <= self.header.extra('the greatest MODSEQ'), self.path, 0, 'a MODSEQ greater than the greatest')

    def compare(self, look, mailbox, merged_up_to):
        """Each row with the records up to the file's LSN; a row that is newer, up to the row's own."""
        must, lsn = look.findings.must, self.header.lsn
        expected = {uid for uid, m in mailbox.messages.items() if m.states[0][0] <= lsn and (m.expunged or lsn + 1) > lsn}
        live = {row['uid'] for row in self.rows if row['live']}
        later = {uid for uid, m in mailbox.messages.items() if m.states[-1][0] > lsn or (m.expunged or 0) > lsn}
        must(live - later == expected - later, self.path, 0, f'UIDs {sorted((live ^ expected) - later)[:9]} are in one of index and journal')
        for row in self.rows:
            message = mailbox.messages.get(row['uid'])
            if must(message is not None, self.path, 0, f'UID {row["uid"]} is in no record') and row['live']:
                self.compare_row(must, row, message, max(lsn, row['MODSEQ']))
        told = {(m.expunged, uid) for uid, m in mailbox.messages.items() if m.expunged and max(self.complete_from, merged_up_to) < m.expunged <= lsn}
        listed = {(modseq, uid) for modseq, first, last in self.history if modseq > merged_up_to for uid in range(first, last + 1)}
        must(told <= listed, self.path, 0, f'history lacks {sorted(told - listed)[:5]}')
        must(all(m in mailbox.messages and mailbox.messages[m].expunged == modseq for modseq, m in listed), self.path, 0,
             'the history tells of what was not expunged')

    def compare_row(self, must, row, message, lsn):
        modseq, flags = message.flags_at(lsn)
        said = message.row
        date = (said['INTERNALDATE'] % (1 << 52)) << 12 | said['zone'] + 2048
        sent = (said['sent date'] % (1 << 52)) << 12 | said['sent zone'] + 2048
        expected = {'MODSEQ': modseq, 'INTERNALDATE': date, 'sent date': sent, 'size': said['size'], 'SAVEDATE': said['SAVEDATE'],
                    'EMAILID': said['EMAILID'],
                    'THREADID': said['THREADID'], 'flags': flags}
        place = row['body'] & (1 << 32) - 1, (row['body'] >> 32) * 16
        places = message.places_from(self.header.lsn)
        must(place in places, self.path, 0, f'UID {row["uid"]}: body {place}, journal {places}')  # moved since: its MODSEQ stays
        for name, value in expected.items():
            must(row[name] == value, self.path, 0, f'UID {row["uid"]}: {name} {row[name]}, journal {value}')


class Cache:
    def __init__(self, look, path, user):
        self.path, self.entries, self.header = path, {}, None
        if os.path.getsize(path) == 0:  # not begun
            return
        data, header = opened(look, path, 'cache', user)
        self.header = header
        if header is None:
            return
        self.number = int(re.search(r'/(\d+)\.cache$', path)[1])
        look.findings.must(header.number == self.number, path, 0, 'the header names another file')
        layout, at = look.layout.cache, AREA
        while at < len(data):
            size = layout.get(data, 'bytes', at)
            content = data[at + layout.size:at + layout.size + size]
            seed = header.nonce ^ (layout.get(data, 'EMAILID', at) if header.version > 1 else 0)
            sound = (at + layout.size + size <= len(data) and xxh3(content, seed) == layout.get(data, 'xxh3 of the bytes', at))
            if not look.findings.must(sound, path, at, 'no sound entry'):
                break
            end = up(at + layout.size + size, 8)
            padding = data[at + layout.size + size:end]
            look.findings.must(layout.get(data, 'zero', at) == 0 and not any(padding), path, at, 'not zeroes')
            look.findings.must(end <= len(data), path, at, 'the end is cut off')
            self.entries[at] = (layout.get(data, 'EMAILID', at), content)
            at = end

    def compare(self, look, rows):
        """Each row's place in it is an entry of the same message."""
        for row in rows:
            if row['cache']:
                entry = self.entries.get(row['cache'] * 8)
                look.findings.must(entry is not None and entry[0] == row['EMAILID'], self.path, row['cache'] * 8,
                                   f'UID {row["uid"]} has no entry here')
