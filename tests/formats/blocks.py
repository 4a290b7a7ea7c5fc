"""What all files have in common: findings, headers, checksums, records and their payloads. See index/FORMATS.md."""
import xxhash

RECORD, PAYLOAD = 'A record', 'The payload'


def xxh3(data, seed=0):
    return xxhash.xxh3_64_intdigest(data, seed)


def up(number, to):
    return (number + to - 1) // to * to


class Findings:
    """What is not as it must be: (file, offset, words)."""

    def __init__(self):
        self.found = []

    def add(self, path, offset, words):
        self.found.append((path, offset, words))

    def must(self, true, path, offset, words):
        if not true:
            self.add(path, offset, words)
        return true

    def lines(self):
        return [f'{path}+{offset}: {words}' for path, offset, words in self.found]


class Broken(Exception):
    """Bytes that end too early, or say what cannot be."""


class Layout:
    """The page's tables, looked up once."""

    def __init__(self, page):
        self.page = page
        self.magics = page.magics()
        self.header = page.struct('The header')
        self.record = page.struct(RECORD)
        self.write = page.struct('`commit/')
        self.body = page.struct('`<n>.dbox`')
        self.part = page.line_struct(PAYLOAD, 'payload')
        self.item = page.line_struct(PAYLOAD, 'item')
        self.row = page.line(PAYLOAD, 'row')[1]
        self.items = page.items()
        self.types = page.numbered(page.sentence(PAYLOAD, 'Types of records: '))
        self.uses = page.numbered(page.sentence(PAYLOAD, 'special_use: ', '\n'))
        self.directory = page.line_struct('`<mailboxid>.<lsn>.index`', 'entry')
        self.catalog = page.line_struct('`<lsn>.catalog`', 'entry')
        self.delivery = page.line_struct('`<lsn>.catalog`', 'delivery')
        self.cache = page.line_struct('`<mailboxid>.cache`', 'entry')
        self.sections = {}
        for kind, title in (('store', '`DATA/store`'), ('owner', '`owner`'), ('log', '`commit/'), ('dbox', '`<n>.dbox`'),
                            ('index', '`<mailboxid>.<lsn>.index`'), ('catalog', '`<lsn>.catalog`'),
                            ('journal', '`<first>-<last>.journal`')):
            self.sections[kind] = page.extra(title)
        self.versions = {kind: page.version(title) for kind, title in (
            ('store', '`DATA/store`'), ('owner', '`owner`'), ('log', '`commit/'), ('journal', '`<first>-<last>.journal`'),
            ('dbox', '`<n>.dbox`'), ('index', '`<mailboxid>.<lsn>.index`'), ('catalog', '`<lsn>.catalog`'),
            ('cache', '`<mailboxid>.cache`'))}
        self.mark = page.struct('`<first>-<last>.journal`')
        self.versions['merged'] = int(page.sentence('`<first>-<last>.journal`', 'the same, but version ', ','))


def check_mark(look, path, data, nonce, records):
    """The end mark, behind the last record, at the end of the file."""
    mark, at = look.layout.mark, len(data) - look.layout.mark.size
    sealed = mark.offset('xxh3 of all before')

    def get(words):
        return mark.get(data, words, at)
    sound = at >= 0 and get('magic').to_bytes(4, 'little') == b'RPJE' and get('0') == 0 and get('its own offset') == at \
        and get('xxh3 of all before') == xxh3(data[at:at + sealed], nonce)
    if look.findings.must(sound, path, max(at, 0), 'no sound end mark'):
        look.findings.must([get('LSN of the record')] == [record.lsn for record in records[-1:]], path, at, "the end mark is another record's")


class Header:
    def __init__(self, layout, kind, data, at):
        def get(words):
            return layout.header.get(data, words, at)
        self.kind, self.bytes = kind, bytes(data[at:at + layout.header.size])
        self.sound = (len(self.bytes) == layout.header.size and get('magic').to_bytes(4, 'little') == layout.magics[kind]
                      and get('xxh3 of all before') == xxh3(self.bytes[:layout.header.offset('xxh3 of all before')])
                      and get('128') == layout.header.size)
        if not self.sound:
            return
        self.version, self.user = get('version'), get('user id')
        self.epoch, self.lsn, self.nonce, self.number = get('epoch'), get('LSN'), get('nonce'), get('number')
        self.may_know, self.must_know = get('features that a reader need not'), get('features that a reader must')
        words = get('seven words')
        self.words = [int.from_bytes(words[i:i + 8], 'little') for i in range(0, len(words), 8)]
        self.layout = layout

    def extra(self, words):
        return self.words[self.layout.sections[self.kind].place(words)]


def headers(look, path, data, kind, second):
    """Both copies, the sound ones; what is wrong with them is found."""
    layout, found = look.layout, []
    for at in (0, second):
        header = Header(layout, kind, data, at)
        if look.findings.must(header.sound, path, at, f'no sound {kind} header'):
            found.append(header)
            look.findings.must(header.version <= layout.versions[kind], path, at, f'version {header.version}')
            look.findings.must(header.may_know == header.must_know == 0, path, at, 'features')
            look.findings.must(header.nonce != 0, path, at, 'nonce 0')
            look.findings.must(kind == 'store' or header.epoch <= look.epoch, path, at, f'epoch {header.epoch}')
        look.findings.must(not any(data[at + layout.header.size:at + second]), path, at + layout.header.size,
                           'not zeroes behind the header')
    return found


def one_header(look, path, data, kind, user=None):
    """Of a file whose two copies are the same; None: it has none that is sound."""
    found = headers(look, path, data, kind, 512)
    if len(found) == 2:
        look.findings.must(found[0].bytes == found[1].bytes, path, 512, 'the two headers differ')
    if found and user is not None:
        look.findings.must(found[0].user == user, path, 0, "another user's file")
    return found[0] if found else None


class Record:
    """A record's header and payload; None of it counts unless `sound`."""

    def __init__(self, layout, data, at, nonce):
        def get(words):
            return layout.record.get(data, words, at)
        self.sound, size = False, layout.record.size
        if at + size > len(data) or get('magic').to_bytes(4, 'little') != b'RPRC':
            return
        sealed = layout.record.offset('xxh3 of all before')
        if get('xxh3 of all before') != xxh3(data[at:at + sealed], nonce):
            return
        self.header_bytes = size
        self.payload = bytes(data[at + size:at + size + get("payload's bytes")])
        self.sound = len(self.payload) == get("payload's bytes") and get('xxh3 of the payload') == xxh3(self.payload)
        self.type, self.flags, self.user = get('type'), get('flags'), get('user id')
        self.epoch, self.lsn = get('epoch'), get('LSN')
        self.journal, self.journal_at = get('place: the journal'), get('place: offset in it')
        self.dbox, self.dbox_at = get('place: the dbox'), get('place: offset in the dbox')
        self.body_bytes = get("body record's bytes")
        self.body = None
        self.bytes = up(size + len(self.payload), 8)
        self.padding = bytes(data[at + size + len(self.payload):at + self.bytes])


RECORD_MAX, BODY_RECORD_MAX = 256 * 1024, 68 * 1024


def check_record(look, path, at, record):
    """Its bounds, and what lies behind it."""
    must = look.findings.must
    must(not any(record.padding), path, at, 'not zeroes behind a record')
    must(record.header_bytes + len(record.payload) <= RECORD_MAX, path, at, 'a record that is too large')
    must(record.body_bytes <= BODY_RECORD_MAX, path, at, 'a body record that is too large')
    must(record.lsn > 0 and 0 < record.epoch <= look.epoch, path, at, f'LSN {record.lsn}, epoch {record.epoch}')
    must(record.type in look.layout.types.values(), path, at, f'no type {record.type}')
    must(record.flags in (0, 1, 2) and (record.flags != 2 or not record.body_bytes), path, at, f'flags {record.flags}')


class Cursor:
    """Fields of a payload, one after the other."""

    def __init__(self, data, at=0, end=None):
        self.data, self.at, self.end = data, at, len(data) if end is None else end

    def take(self, count):
        if count > self.end - self.at:
            raise Broken('a field goes beyond its item')
        self.at += count
        return self.data[self.at - count:self.at]

    def fixed(self, count):
        return int.from_bytes(self.take(count), 'little')

    def varint(self):
        value = shift = 0
        while True:
            byte = self.fixed(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        if value >= 1 << 64:
            raise Broken('a varint of more than 64 bits')
        return value

    def signed(self):
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def name(self):
        return self.take(self.varint())

    def runs(self):
        runs, last = [], 0
        for _ in range(self.varint()):
            first = last + self.varint()
            last = first + self.varint()
            runs.append((first, last))
        return runs


def read_rows(cursor, layout, count):
    """As the page's line `row` says: `[u64|signed] name [+-(row before)|+-NAME]`."""
    rows, before = [], {}
    for _ in range(count):
        row = {}
        for part in layout.row:
            words, _, base = part.partition(' +-')
            if base:
                row[words] = cursor.signed() + (before.get(words, 0) if base == '(row before)' else row[base])
            elif words.startswith('u64 '):
                row[words[4:]] = cursor.fixed(8)
            elif words.startswith('signed '):
                row[words[7:]] = cursor.signed()
            else:
                row[words] = cursor.varint()
        rows.append(row)
        before = row
    return rows


def read_item(cursor, layout, kind):
    """One item's fields, by the names that the page's table gives them."""
    item = {'type': kind}
    widths = {'u8': 1, 'u32': 4, 'u64': 8}
    for field, name in layout.items[kind][1]:
        if field in widths:
            item[name] = cursor.fixed(widths[field])
        elif field == 'varint':
            item[name] = cursor.varint()
        elif field == 'name' or (field == '[name]' and item['flag'] == 5):
            item['name'] = cursor.name()
        elif field == 'runs':
            item['runs'] = cursor.runs()
        elif field == 'rows':
            item['rows'] = read_rows(cursor, layout, item['count'])
    if cursor.at != cursor.end:
        raise Broken(f'item {kind} has {cursor.end - cursor.at} bytes too many')
    return item


def read_payload(layout, payload):
    """(part, last, [item])."""
    if len(payload) < layout.part.size or layout.part.get(payload, 'version') != 1:
        raise Broken('no payload of version 1')
    items, at = [], layout.part.size
    while at < len(payload):
        start = at + layout.item.size
        kind, size = layout.item.get(payload, 'type', at), layout.item.get(payload, 'bytes', at)
        if kind not in layout.items or start + size > len(payload):
            raise Broken(f'item {kind} of {size} bytes')
        items.append(read_item(Cursor(payload, start, start + size), layout, kind))
        at = start + size
    return layout.part.get(payload, 'part'), layout.part.get(payload, 'last'), items
