"""index/FORMATS.md as a program reads it: the tables and lines of that page are the only layout that the reader knows.

A field is asked for by the words that the page begins it with, so a page that says something else is noticed; and what has
not been asked for in the end is listed by `unused`.
"""
import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WIDTHS = {'u8': 1, 'u16': 2, 'u32': 4, 'u64': 8}


class Wrong(Exception):
    """The page does not say what it must."""


def only(found, what):
    if len(found) != 1:
        raise Wrong(f'{what}: {len(found)} of them')
    return found[0]


class Struct:
    """Fields of fixed places: [(words, offset, bytes)]."""

    def __init__(self, title, fields):
        self.title, self.fields, self.asked, self.size = title, fields, {}, 0
        for words, offset, size in fields:
            if offset != self.size:
                raise Wrong(f'{title}: {words!r} at {offset}, not {self.size}')
            self.size += size

    def place(self, words):
        if words not in self.asked:
            exact = [f[1:] for f in self.fields if f[0] == words]
            self.asked[words] = only(exact or [f[1:] for f in self.fields if f[0].startswith(words)], f'{self.title}: {words!r}')
        return self.asked[words]

    def get(self, data, words, at=0):
        """A field's number; its bytes where it is wider than eight."""
        offset, size = self.place(words)
        piece = bytes(data[at + offset:at + offset + size])
        return int.from_bytes(piece, 'little') if size <= 8 else piece

    def offset(self, words):
        return self.place(words)[0]

    def unused(self):
        places = set(self.asked.values())
        return [f'{self.title}: {words}' for words, *place in self.fields if tuple(place) not in places]


class Words:
    """`extra`: N words; N words; ..."""

    def __init__(self, title, listed):
        self.title, self.listed, self.asked = title, listed, set()

    def place(self, words):
        index = only([i for i, text in self.listed.items() if text.startswith(words)], f'{self.title}: extra {words!r}')
        self.asked.add(index)
        return index

    def unused(self):
        return [f'{self.title}: extra {i} {text}' for i, text in self.listed.items() if i not in self.asked]


class Page:
    def __init__(self, path=os.path.join(TOP, 'index', 'FORMATS.md')):
        with open(path) as f:
            parts = re.split(r'^## (.*)\n', f.read(), flags=re.M)
        self.sections = dict(zip(parts[1::2], parts[2::2]))
        self.made = []

    def section(self, title):
        return only([text for name, text in self.sections.items() if name.startswith(title)], f'section {title!r}')

    def keep(self, thing):
        self.made.append(thing)
        return thing

    def table(self, title, head):
        """The rows of the section's one table with this head, as lists of cells."""
        tables = re.findall(r'(?:^\|.*\n)+', self.section(title), re.M)
        rows = only([t for t in tables if t.startswith(head)], f'{title}: table {head!r}').splitlines()
        return [[cell.strip() for cell in row.strip('|').split('|')] for row in rows[2:]]

    def struct(self, title):
        rows = self.table(title, '| offset | bytes | |')
        return self.keep(Struct(title, [(words, int(offset), int(size)) for offset, size, words in rows]))

    def line(self, title, name):
        """`name (size): one | two | three`, which goes on in lines that are further in: (size or None, [part])."""
        found = re.findall(rf'^( *){name}(?: \((\d+)\))?:(.*\n(?:\1 +.*\n)*)', self.section(title), re.M)
        _, size, text = only(found, f'{title}: line {name!r}')
        parts = [re.sub(r'\s+', ' ', part).strip() for part in text.split('|')]
        return int(size) if size else None, parts

    def line_struct(self, title, name):
        """The fixed part that such a line begins with."""
        size, parts = self.line(title, name)
        fields, at = [], 0
        for part in parts:
            width, _, words = part.partition(' ')
            if width not in WIDTHS:
                break
            fields.append((words, at, WIDTHS[width]))
            at += WIDTHS[width]
        if size is not None and size != at:
            raise Wrong(f'{title}: {name} is {at} bytes, not {size}')
        return self.keep(Struct(f'{title}: {name}', fields))

    def extra(self, title):
        text = only(re.findall(r'`extra`: (.*?\.)(?:\s|$)', self.section(title), re.S), f'{title}: extra')
        listed = {}
        for part in text.split(';'):
            number, _, words = re.sub(r'\s+', ' ', part).strip().partition(' ')
            if number.isdigit():
                listed[int(number)] = words
        return self.keep(Words(title, listed))

    def numbered(self, text):
        """`0 one, 1 two`: {'one': 0, 'two': 1}."""
        return {words.strip(): int(number) for number, words in re.findall(r'(\d+) ([^,.;|]+)', text)}

    def sentence(self, title, begins, ends='.'):
        """What stands behind these words, up to the end."""
        found = re.findall(re.escape(begins) + '(.*?)' + re.escape(ends), self.section(title), re.S)
        return only(found, f'{title}: {begins!r}')

    def magics(self):
        row = only([row for row in self.table('The header', '| offset') if row[2].startswith('magic')], 'magic')
        return {kind: magic.encode() for magic, kind in re.findall(r'(RP[A-Z]{2}) (\w+)', row[2])}

    def version(self, title):
        """The version that a section says its files are of."""
        return int(only(re.findall(r'[Vv]ersion (\d+)', self.section(title))[:1], f'{title}: version'))

    def items(self):
        """{type: (what it is, [(kind, name)])} of the items of a payload; kinds: u8.., name, [name], runs, rows, varint."""
        return {int(number): (what, [self.field(part) for part in self.item_fields(text)])
                for number, what, text in self.table('The payload', '| type | item')}

    @staticmethod
    def item_fields(text):
        text = re.sub(r'\([^)]*\)', '', text).split(';')[0]
        return [part.strip() for part in text.split(',') if part.strip()]

    @staticmethod
    def field(part):
        width, _, name = part.partition(' ')
        if width in WIDTHS:
            return width, name
        if part in ('name', '[name]', 'runs', 'rows'):
            return part, part.strip('[]')
        return 'varint', part

    def unused(self):
        return [words for thing in self.made for words in thing.unused()]
