"""What can be done to the files of a stand, class by class, and what it may cost."""
import os
import random

import spans
from blocks import Broken, read_payload
from dbox import Body

AREA, SECTOR, MORE = 1024, 512, 333
DERIVED = ('catalog', 'index', 'cache')
NO_START = ('removed', 'cut off at 0', 'cut off in the first header', 'both headers zeroed')  # no copy of `store`, or of the logs' `owner`, is left: a server does not start
ALL_OF_BOX = (1, 2, 3, 15)  # items that tell of a whole mailbox


class Injury:
    """One file is damaged. It costs {user id: Cost} at most; check names the file, and a place in [begin, end), or a message that is
    hit. owed: the next start writes all of it anew, from the commit logs, so check says nothing of it."""

    def __init__(self, kind, part, field, way, path, do, place, costs, told_apart=False, owed=False):
        self.kind, self.part, self.field, self.way, self.path, self.do = kind, part, field, way, path, do
        self.begin, self.end = place
        self.costs, self.owed = {} if owed else costs, owed
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


def number_of(path):
    """Of a dbox file."""
    return int(os.path.basename(path).split('.')[0].split('-')[0])


def flip(path, at, bit):
    with open(path, 'r+b') as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1 << bit]))


class Injuries:
    """Of one user's files, or, without a user, of those that are nobody's own."""

    def __init__(self, look, user, every, dice):
        self.look, self.layout, self.user, self.dice = look, look.layout, user, dice
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
                yield from self.astray(span, at)
                return

    def astray(self, span, at):
        """Whole records lie where others were: a write of this file went astray."""
        if span.kind not in ('journal', 'merged journal') or span.about is None or at < AREA:
            return
        records = [one.about for one in self.by_path[span.path] if one.about is not None]
        others = {one.at // SECTOR * SECTOR for one in records if one.at % SECTOR + one.bytes <= SECTOR} - {at}
        with open(span.path, 'rb') as f:
            data = f.read()
        others = sorted(one for one in others if max(one, at) + SECTOR <= len(data))
        if others:
            new = data[(other := self.dice.choice(others)):other + SECTOR]
            hit = [one for one in self.by_path[span.path] if one.start < at + SECTOR and one.end > at]
            yield self.made(span, 'a sector', 'sector astray', lambda: change(span.path, at, new), hit, (at, at + SECTOR))

    def made(self, span, field, way, do, hit, place):
        begin = min([one.begin for one in hit] + [place[0]])
        apart = way == 'sector zeroed' and self.is_as_just_made(hit[0])
        return Injury(span.kind, span.part, field, way, span.path, do, (begin, max(place[1], begin + 1)), self.costs_of(hit),
                      apart or self.is_told_apart(hit), self.is_owed(hit))

    def is_told_apart(self, hit):
        """A body that nobody has; the names in a file of which the logs have bodies, as a power cut leaves one that was just begun."""
        def apart(span):
            if span.kind == 'dbox' and span.part == 'names' and span.field == 'text':
                return bool(self.coming_bodies(span.path))
            return span.part.startswith('dead') and not span.field.startswith('zeroes') or self.is_written_anew(span)
        return self.user is not None and bool(hit) and all(map(apart, hit)) and not self.is_owed(hit)

    def is_as_just_made(self, span):
        """Without its second header, and with nothing behind it: as a log that a power cut met while it was made."""
        return span.part == 'second header' and self.is_unwritten(span.path, span.kind)

    @staticmethod
    def is_unwritten(path, kind):
        """Nothing lies behind the headers: of such a log they may be lost."""
        if kind != 'free log':
            return False
        with open(path, 'rb') as f:
            f.seek(2 * spans.BLOCK)
            return not any(f.read())

    def costs_of(self, hit):
        found = {}
        for span in {id(one.about): one for one in hit if one.about is not None and not one.field.startswith('zeroes')}.values():
            user = self.user.id if self.user is not None else span.about.user
            found[user] = found.get(user, Cost()) | self.cost_of(span)
        return found

    def cost_of(self, span):
        if self.user is not None and self.is_written_anew(span):
            return Cost()
        if span.kind == 'dbox':
            return self.cost_of_body(span)
        if span.kind in ('journal', 'merged journal'):
            return self.cost_of_record(span.about)
        return self.cost_in_log(self.look.users[span.about.user], span.about) if span.kind == 'log' else Cost()

    def cost_in_log(self, user, about):
        """Of a record that is nowhere else, or a body; what is in its place too costs nothing."""
        if isinstance(about, Body):
            return self.cost_of_place(user, (about.number, about.offset)) if user.has_body_alone(about) else Cost()
        if user.in_log.get(about.lsn) is not about:
            return Cost()
        found = self.cost_of_record(about) if user.is_alone(about) else Cost()
        return found | self.cost_in_log(user, about.body) if about.body is not None else found

    def is_owed(self, hit):
        return self.user is not None and bool(hit) and all(self.is_written_anew(span) for span in hit)

    def is_written_anew(self, span):
        """By the next start: each record that the logs have, each body, the header of a file that any of them goes to, the zeroes
        behind the names there, and the end mark behind the last."""
        if span.kind == 'journal':
            journal = next(one for one in self.user.journals if one.path == span.path)
            coming = [record for record in self.user.in_log.values() if record.journal == journal.first]
            if span.about is not None:
                return any(record.lsn == span.about.lsn for record in coming)
            least = max((record.lsn for record in journal.records), default=0) if span.part == 'end mark' else 0
            return any(record.lsn >= least for record in coming)
        if span.kind != 'dbox' or span.part == 'names' and span.field == 'text':
            return False
        coming = self.coming_bodies(span.path)
        return span.begin in coming if span.about is not None else bool(coming)

    def coming_bodies(self, path):
        """{offset: its end} of those that the logs have for this dbox file."""
        return {record.dbox_at: record.dbox_at + record.body_bytes for record in self.user.in_log.values()
                if record.dbox == number_of(path) and record.body is not None}

    def coming_end(self, path):
        """Where what the next start writes to this file ends."""
        if path.endswith('.dbox'):
            return max(self.coming_bodies(path).values(), default=0)
        first = next(one.first for one in self.user.journals if one.path == path)
        return max((record.journal_at + record.bytes + self.layout.mark.size for record in self.user.in_log.values()
                    if record.journal == first), default=0)

    def cost_of_body(self, span):
        return self.cost_of_place(self.user, (number_of(span.path), span.begin))

    @staticmethod
    def cost_of_place(user, place):
        found = Cost()
        for box in user.volume.mailboxes.values():
            found.messages |= {(box.id, uid) for uid, m in box.live().items() if spans.place_of(m.row) == place}
        found.messages |= {who for who, (_, _, kept) in user.volume.kept.items() if kept == place}
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
        for where, at in (('at 0', 0), ('in the first header', 64), ('in the second header', spans.BLOCK + 88 if behind else SECTOR + 88),
                          ('behind the headers', 2 * spans.BLOCK if behind else AREA),
                          ('in the middle', size // 2 | 1), ('the last byte', size - 1)):
            hit = [one for one in every if one.end > at]
            if all(one.field.startswith('zeroes') or one.part in spans.MEANS_NOTHING for one in hit):
                continue  # what is cut off means nothing
            if at < SECTOR:
                hit = self.without_names(hit)
            if kind == 'cache' and at == AREA and self.is_superseded(path, kind):
                continue  # no index names what was in it, and it is whole without
            # A free log without a header is as one that was being made: the next start makes it anew.
            yield self.of_file(path, kind, f'cut off {where}', 'cut off', lambda at=at: os.truncate(path, at), hit, (0, size + 1),
                               kind == 'free log' and at < SECTOR)
        if kind != 'free log' and not self.is_superseded(path, kind):  # in a free log there is nothing: another is made
            yield self.of_file(path, kind, 'removed', 'removed', lambda: os.remove(path), self.without_names(every), (0, size + 1),
                               kind in DERIVED)
        # A dbox file keeps all but the names, of which its header tells.
        hit = [one for one in every if one.end <= AREA or one.part == 'names'] if kind == 'dbox' else every
        copies = (0, spans.BLOCK) if behind else (0, SECTOR)
        yield self.of_file(path, kind, 'both headers zeroed', 'sector zeroed', lambda: [change(path, at, bytes(SECTOR)) for at in copies], hit,
                           (0, max(AREA, hit[-1].end) if kind == 'dbox' else copies[1] + SECTOR), self.is_unwritten(path, kind))
        if not behind:
            yield self.bytes_more(path, kind, size)

    def without_names(self, hit):
        """Where the logs have bodies for a dbox file that has lost its beginning, another is made, and nothing tells of the names."""
        return [one for one in hit if one.kind != 'dbox' or one.part != 'names' or not self.coming_bodies(one.path)]

    def bytes_more(self, path, kind, size):
        owed = kind in ('dbox', 'journal') and size + MORE <= self.coming_end(path)
        return Injury(kind, 'file', 'bytes behind the end', 'bytes more', path, lambda: change(path, size, b'\x55' * MORE),
                      (0, size + MORE), {}, kind == 'dbox', owed)

    def of_file(self, path, kind, field, way, do, hit, place, told_apart=False):
        told_apart = told_apart or kind == 'dbox' and way != 'removed' and self.is_told_apart(hit)
        return Injury(kind, 'file', field, way, path, do, place, self.costs_of(hit), told_apart, self.is_owed(hit))

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
