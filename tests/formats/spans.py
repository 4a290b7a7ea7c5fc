"""Every byte of a user's files, of the commit logs and of `store`, by class, as index/FORMATS.md describes them.

A class is named `kind: part: field`; a part is what a sector that is lost, or an end that is cut off, hits as a whole.
"""
import os

from blocks import up

AREA, SECTOR, BLOCK, CHUNK = 1024, 512, 4096, 65536


class Span:
    """Bytes [start, end) of a file. begin: of the part that they are in. about: the record, or body, likewise."""

    def __init__(self, kind, part, field, path, start, end, begin, about=None):
        self.kind, self.part, self.field, self.path, self.start, self.end = kind, part, field, path, start, end
        self.begin, self.about = begin, about

    def __str__(self):
        return f'{self.kind}: {self.part}: {self.field}'


class Map:
    """The spans of one file, from its beginning on."""

    def __init__(self, kind, path):
        self.kind, self.path, self.at, self.spans = kind, path, 0, []
        self.size = os.path.getsize(path)

    def put(self, part, field, end, begin, about=None):
        """What lies up to `end`, if anything."""
        assert end >= self.at, f'{self.path}: {part}: {field} at {self.at} ends at {end}'
        if end > self.at:
            self.spans.append(Span(self.kind, part, field, self.path, self.at, end, begin, about))
        self.at = end

    def fields(self, part, struct, begin, about=None):
        start = self.at
        for words, offset, size in struct.fields:
            self.put(part, short(words), start + offset + size, begin, about)

    def header(self, part, struct, end):
        begin = self.at
        self.fields(part, struct, begin)
        self.put(part, 'zeroes behind it', end, begin)

    def area(self, layout, second=SECTOR):
        self.header('first header', layout.header, second)
        self.header('second header', layout.header, 2 * second)

    def whole(self):
        assert self.at == self.size, f'{self.path}: {self.size - self.at} bytes at {self.at} have no class'
        return self.spans


def short(words):
    """What a field is called in a table of classes."""
    for end in (':', ';', ',', ' ('):
        words = words.split(end)[0]
    return words


def of_journal(layout, journal):
    """Between records there is nothing."""
    found = Map('merged journal' if journal.merged else 'journal', journal.path)
    found.area(layout)
    last = len(journal.records) - 1
    for number, record in enumerate(journal.records):
        begin, part = record.at, 'last record' if number == last else 'record' if number else 'first record'
        found.fields(part, layout.record, begin, record)
        text = begin + layout.record.size
        found.put(part, 'payload', text + len(record.payload), begin, record)
        found.put(part, 'zeroes to 8', begin + record.bytes, begin, record)
    if journal.marked:
        found.fields('end mark', layout.mark, found.at)
    return found.whole()


def of_body(layout, found, part, body, at, begin, about):
    """Of a body record at this offset."""
    found.fields(part, layout.body, begin, about)
    blocks = up(len(body.data), CHUNK) // CHUNK
    found.put(part, 'bytes', found.at + len(body.data), begin, about)
    found.put(part, 'zeroes to 8', up(found.at, 8), begin, about)
    found.put(part, 'xxh3 of blocks', found.at + (8 * blocks if blocks > 1 else 0), begin, about)
    found.put(part, 'zeroes to 16', at + body.bytes, begin, about)


def of_box(layout, box, sort):
    """sort: what is said of the body at an offset."""
    found = Map('dbox', box.path)
    found.area(layout)
    found.put('names', 'text', AREA + box.header.extra('bytes of the text'), AREA)
    found.put('names', 'zeroes to 16', up(found.at, 16), AREA)
    for at, body in sorted(box.records.items()):
        found.put('hole', 'nothing', at, found.at)
        part = f'{sort(box, at, body)} body' + (' of several blocks' if len(body.data) > CHUNK else '')
        of_body(layout, found, part, body, at, at, body)
    found.put('hole', 'nothing', found.size, found.at)
    return found.whole()


def of_catalog(layout, catalog):
    found = Map('catalog', catalog.path)
    found.area(layout)
    for entry in catalog.entries:
        begin = found.at
        found.fields('entry', layout.catalog, begin)
        found.put('entry', 'name', found.at + len(entry['name']), begin)
        found.put('entry', 'zeroes to 8', up(found.at, 8), begin)
    for _ in catalog.deliveries:
        found.fields('delivery', layout.delivery, found.at)
    return found.whole()


def of_index(layout, index):
    found, entry, sections = Map('index', index.path), layout.directory, []
    found.area(layout)
    names = {number: name for name, (number, _) in index.parts.items()}
    for at in range(index.directory, len(index.data), entry.size):
        start, size = entry.get(index.data, 'offset', at), entry.get(index.data, 'bytes', at)
        part = names[entry.get(index.data, 'section', at)]
        sections.append((start, start + size, part, f'{part} {entry.get(index.data, "number", at)}'))
    for start, end, part, field in sorted(one for one in sections if one[1] > one[0]):
        found.put('between sections', 'zeroes to 64', start, found.at)
        found.put(part, field, end, start)
    found.put('between sections', 'zeroes to 64', index.directory, found.at)
    while found.at < found.size:
        found.fields('directory', entry, found.at)
    return found.whole()


def of_cache(layout, cache):
    found = Map('cache', cache.path)
    found.area(layout)
    for at, (_, content) in sorted(cache.entries.items()):
        found.fields('entry', layout.cache, at)
        found.put('entry', 'content', found.at + len(content), at)
        found.put('entry', 'zeroes to 8', up(found.at, 8), at)
    return found.whole()


def of_store(layout, kind, path):
    found = Map(kind, path)
    found.area(layout, BLOCK)
    return found.whole()


def of_log(look, log):
    """What lies behind the writes is of earlier uses, or nothing. A place in a write is told by that of the write."""
    found, layout = Map('log' if log.writes else 'free log', log.path), look.layout
    found.area(layout, BLOCK)
    run = [one for one in look.logs if one.header is not None and (one.shard, one.epoch) == (log.shard, log.epoch)]
    durable = max([one.durable for one in run] + [write.durable for one in run for write in one.writes])
    for write in log.writes:
        torn = write.number > durable
        found.put('behind writes', 'nothing', write.at, found.at)
        found.fields(TORN if torn else 'write', layout.write, write.at)
        for record in write.found:
            of_record_in_log(look, found, TORN if torn else '', record, write.at)
        found.put(TORN if torn else 'write', 'zeroes to 8', write.at + write.bytes, write.at)
        found.put(TORN if torn else 'write', 'zeroes to 4096', up(found.at, BLOCK), write.at)
    found.put('behind writes', 'nothing', found.size, found.at)
    return found.whole()


def of_record_in_log(look, found, torn, record, begin):
    """And of the body that travels with it, if any."""
    in_place = '' if look.users[record.user].is_alone(record) else ' that is in its place too'
    part = torn or 'record' + in_place
    found.put(torn or 'write', 'zeroes to 8', record.at, begin)
    found.fields(part, look.layout.record, begin, record)
    found.put(part, 'payload', found.at + len(record.payload), begin, record)
    found.put(part, 'zeroes to 8', record.at + record.bytes, begin, record)
    if record.body is not None and record.body.sound:
        of_body(look.layout, found, torn or 'body' + in_place, record.body, found.at, begin, record.body)


TORN = 'write that may be torn'
MEANS_NOTHING = ('hole', 'behind writes', TORN)


def sorter(user):
    """Says of a body: live, a message has it; kept, undelete can bring it back; else dead."""
    live, kept = set(), {place for _, _, place in user.volume.kept.values()}
    for mailbox in user.volume.mailboxes.values():
        live |= {place_of(message.row) for message in mailbox.live().values()}
    return lambda box, at, _: 'live' if (box.number, at) in live else 'kept' if (box.number, at) in kept else 'dead'


def place_of(row):
    return row['dbox file'], row['dbox offset / 16'] * 16


def of_user(layout, user):
    """All spans of all of his files."""
    found = [of_journal(layout, journal) for journal in user.journals]
    found += [of_box(layout, box, sorter(user)) for box in user.boxes]
    found += [of_catalog(layout, catalog) for catalog in user.catalogs]
    found += [of_index(layout, index) for index in user.indexes]
    found += [of_cache(layout, cache) for cache in user.caches]
    return [span for spans in found for span in spans]


def of_server(look):
    """Of what is no user's own."""
    found = [of_store(look.layout, 'store', os.path.join(look.top, 'store')),
             of_store(look.layout, 'owner', os.path.join(look.top, 'commit', 'owner'))]
    found += [of_log(look, log) for log in look.logs]
    return [span for spans in found for span in spans]
