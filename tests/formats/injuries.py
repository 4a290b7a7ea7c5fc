"""What can be done to the files of a stand, class by class, and what it may cost."""
import os
import random

import spans
from blocks import Broken, read_payload

AREA, SECTOR, MORE = 1024, 512, 333
DERIVED = ('catalog', 'index', 'cache')
NO_START = ('removed', 'cut off at 0', 'cut off in the first header')  # no copy of `store`, or of the logs' `owner`, is left: a server does not start
ALL_OF_BOX = (1, 2, 3, 15)  # items that tell of a whole mailbox


class Injury:
    """One file is damaged. It costs `cost` at most; check names the file, and a place in [begin, end), or a message that is hit."""

    def __init__(self, kind, part, field, way, path, do, place, cost, told_apart=False):
        self.kind, self.part, self.field, self.way, self.path, self.do = kind, part, field, way, path, do
        self.begin, self.end = place
        self.cost = cost
        self.no_start = kind in ('store', 'owner') and field in NO_START
        self.told_apart = told_apart  # it is said, and no damage: no mail can be lost by it

    def __str__(self):
        return f'{self.kind}: {self.part}: {self.field}: {self.way}'


class Cost:
    """What a client may miss: messages as (mailboxid, UID), all of a mailbox, subscriptions. records: that are lost, by LSN."""

    def __init__(self, messages=(), boxes=(), rows=(), records=(), subscribed=False, kept=False):
        self.messages, self.boxes, self.rows, self.records = set(messages), set(boxes), set(rows), set(records)
        self.subscribed = subscribed
        self.kept = kept  # what tells that messages are kept

    def __or__(self, other):
        return Cost(self.messages | other.messages, self.boxes | other.boxes, self.rows | other.rows,
                    self.records | other.records, self.subscribed or other.subscribed, self.kept or other.kept)


def change(path, at, new):
    with open(path, 'r+b') as f:
        f.seek(at)
        f.write(new)


def flip(path, at, bit):
    with open(path, 'r+b') as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1 << bit]))


class Injuries:
    """Of one user's files, or of those that are nobody's own."""

    def __init__(self, look, user, every, dice):
        self.layout, self.user, self.dice = look.layout, user, dice
        self.spans, self.by_path = every, {}
        for span in every:
            self.by_path.setdefault(span.path, []).append(span)

    def all(self):
        found = []
        for path in sorted(self.by_path):
            found += self.whole_file(path)
        classes = {}
        for span in self.spans:
            if span.part not in spans.MEANS_NOTHING:
                classes.setdefault((span.kind, span.part, span.field), []).append(span)
        for one in classes.values():
            found.append(self.flipped(self.dice.choice(one)))
        parts = {}
        for span in self.spans:
            if span.part not in spans.MEANS_NOTHING:
                parts.setdefault((span.kind, span.part), []).append(span)
        for one in parts.values():
            found += self.sector(one)
        return found

    def flipped(self, span):
        at, bit = self.dice.randrange(span.start, span.end), self.dice.randrange(8)
        return self.made(span, span.field, 'bit flipped', lambda: flip(span.path, at, bit), [span], (at, at + 1))

    def sector(self, part):
        """One that is not all zeroes."""
        for _ in range(16):
            span = self.dice.choice(part)
            at = span.start // SECTOR * SECTOR
            with open(span.path, 'rb') as f:
                f.seek(at)
                data = f.read(SECTOR)
            hit = [one for one in self.by_path[span.path] if one.start < at + len(data) and one.end > at
                   and any(data[max(one.start - at, 0):one.end - at])]
            if span in hit:
                yield self.made(span, 'a sector', 'sector zeroed', lambda: change(span.path, at, bytes(len(data))), hit, (at, at + len(data)))
                return

    def made(self, span, field, way, do, hit, place):
        cost = Cost()
        for one in hit:
            cost = cost | self.cost_of(one)
        begin = min([one.begin for one in hit] + [place[0]])
        apart = way == 'sector zeroed' and self.is_as_just_made(hit[0])
        dead = all(one.part.startswith('dead') and not one.field.startswith('zeroes') for one in hit)
        return Injury(span.kind, span.part, field, way, span.path, do, (begin, max(place[1], begin + 1)), cost, dead or apart)

    @staticmethod
    def is_as_just_made(span):
        """Without its second header, and with nothing behind it: as a log that a power cut met while it was made."""
        if span.kind != 'free log' or span.part != 'second header':
            return False
        with open(span.path, 'rb') as f:
            f.seek(2 * spans.BLOCK)
            return not any(f.read(spans.BLOCK))

    def cost_of(self, span):
        if span.field.startswith('zeroes') or span.about is None:
            return Cost()
        if span.kind == 'dbox':
            return self.cost_of_body(span)
        if span.kind in ('journal', 'merged journal'):
            return self.cost_of_record(span.about)
        return Cost()

    def cost_of_body(self, span):
        number, found = int(os.path.basename(span.path).split('.')[0].split('-')[0]), Cost()
        for box in self.user.volume.mailboxes.values():
            found.messages |= {(box.id, uid) for uid, m in box.live().items() if spans.place_of(m.row) == (number, span.begin)}
        found.messages |= {who for who, (_, _, place) in self.user.volume.kept.items() if place == (number, span.begin)}
        return found

    def cost_of_record(self, record):
        found = Cost(records=[record.lsn])
        try:
            items = read_payload(self.layout, record.payload)[2]
        except Broken:
            return found
        for item in items:
            box = item.get('mailboxid')
            if item['type'] in ALL_OF_BOX:
                found.boxes.add(box)
            found.subscribed = found.subscribed or item['type'] in (3, 4)
            found.kept = found.kept or item['type'] in (14, 15, 16)
            for first, last in item.get('runs', []):
                found.rows |= {(box, uid) for uid in range(first, min(last, first + 10000) + 1)}
            found.rows |= {(box, item['first uid'] + i) for i in range(len(item.get('rows', [])))}
            if item['type'] == 12:
                found.rows.add((box, item['uid']))
        return found

    # ---- a whole file ----

    def whole_file(self, path):
        every, size = self.by_path[path], os.path.getsize(path)
        kind, behind = every[0].kind, every[0].kind in ('store', 'owner', 'log', 'free log')
        for where, at in (('at 0', 0), ('in the first header', 64), ('in the second header', 600), ('behind the headers', AREA),
                          ('in the middle', size // 2 | 1), ('the last byte', size - 1)):
            hit = [one for one in every if one.end > at]
            if all(one.field.startswith('zeroes') or one.part in spans.MEANS_NOTHING for one in hit):
                continue  # what is cut off means nothing
            yield self.of_file(path, kind, f'cut off {where}', 'cut off', lambda at=at: os.truncate(path, at), hit, (0, size + 1))
        if kind != 'free log' and not self.is_superseded(path, kind):  # in a free log there is nothing: another is made
            yield self.of_file(path, kind, 'removed', 'removed', lambda: os.remove(path), every, (0, size + 1), kind in DERIVED)
        keeps = kind in ('dbox', *DERIVED)
        yield self.of_file(path, kind, 'both headers zeroed', 'sector zeroed', lambda: change(path, 0, bytes(AREA)),
                           [] if keeps else every, (0, AREA))
        if not behind:
            yield self.of_file(path, kind, 'bytes behind the end', 'bytes more', lambda: change(path, size, b'\x55' * MORE), [],
                               (0, size + MORE), kind == 'dbox')

    def of_file(self, path, kind, field, way, do, hit, place, told_apart=False):
        cost = Cost()
        for one in {id(one.about): one for one in hit if not one.field.startswith('zeroes')}.values():
            cost = cost | self.cost_of(one)
        return Injury(kind, 'file', field, way, path, do, place, cost, told_apart)

    def is_superseded(self, path, kind):
        """Nobody would miss it: another is newer, or nothing names it."""
        if kind not in DERIVED:
            return False
        if kind == 'catalog':
            return path != max(self.user.catalogs, key=lambda one: one.header.lsn).path
        newest = {}
        for index in self.user.indexes:
            if index.header.number not in newest or index.header.lsn > newest[index.header.number].header.lsn:
                newest[index.header.number] = index
        if kind == 'index':
            return path not in {index.path for index in newest.values()}
        number = int(os.path.basename(path).split('.')[0])
        return number not in newest or not any(row['cache'] for row in newest[number].rows)
