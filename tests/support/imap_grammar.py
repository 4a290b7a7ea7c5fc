"""A strict reader of IMAP responses (RFC 3501, section 9): what is not allowed there raises Bad.

    reader = Reader(sock.makefile('rb'))
    line = reader.response()        # one whole response, literals and all
    number, items = fetch(line)     # of '* 12 FETCH (...)': {'UID': 7, 'BODY[]': b'...', 'ENVELOPE': Envelope ...}

Literals are counted, quoted strings have no CR, LF, NUL, no byte beyond 0x7f, and no backslash but before '"' and '\\'.
A plain literal has no NUL. Nothing may stand where the grammar has nothing: two spaces are an error.
"""
import collections
import re
import sys

sys.setrecursionlimit(10000)  # as deep as mail is nested

Envelope = collections.namedtuple('Envelope', 'date subject from_ sender reply_to to cc bcc in_reply_to message_id')
Address = collections.namedtuple('Address', 'name route mailbox host')
# A part of one's own: parts is None. envelope, body and lines as the type has them.
Part = collections.namedtuple('Part', 'type subtype param id desc encoding octets lines envelope body md5 disposition '
                                      'language location parts')

ATOM = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
FLAG = re.compile(rb'\\?[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
NUMBER = re.compile(rb'0|[1-9][0-9]*')
QUOTED = re.compile(rb'"((?:[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]|\\["\\])*)"')
LITERAL = re.compile(rb'\{(0|[1-9][0-9]*)\}\r\n')
SECTION = re.compile(rb'BODY\[([^\]]*)\](<[0-9]+>)?')
DATE = re.compile(rb'"[ 0-3][0-9]-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-[0-9]{4} '
                  rb'[0-2][0-9]:[0-5][0-9]:[0-6][0-9] [-+][0-9]{4}"')
NUMBER_MAX = 2 ** 32 - 1


class Bad(Exception):
    pass


class Reader:
    """Whole responses from a stream."""

    def __init__(self, stream):
        self.stream = stream

    def response(self):
        out = b''
        while True:
            line = self.stream.readline()
            if not line.endswith(b'\r\n'):
                raise Bad(f'a line ends without CRLF: {line[-80:]!r}')
            if b'\n' in line[:-2] or b'\r' in line[:-2]:
                raise Bad(f'a bare CR in a line: {line[-80:]!r}')
            out += line
            literal = re.search(rb'\{(\d+)\}\r\n$', line)
            if literal is None:
                return out
            data = self.stream.read(int(literal[1]))
            if len(data) != int(literal[1]):
                raise Bad('the stream ends inside a literal')
            out += data


class Text:
    """A response and how far it is read."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def bad(self, what):
        raise Bad(f'{what} at {self.at}: {self.data[max(self.at - 60, 0):self.at]!r} <here> '
                  f'{self.data[self.at:self.at + 60]!r}')

    def is_next(self, literal):
        return self.data.startswith(literal, self.at)

    def maybe(self, literal):
        if not self.is_next(literal):
            return False
        self.at += len(literal)
        return True

    def need(self, literal):
        if not self.maybe(literal):
            self.bad(f'{literal!r} is missing')

    def match(self, pattern, what):
        found = pattern.match(self.data, self.at)
        if found is None:
            self.bad(f'no {what}')
        self.at = found.end()
        return found

    def number(self, most=NUMBER_MAX):
        value = int(self.match(NUMBER, 'number')[0])
        if value > most:
            self.bad('the number is too large')
        return value

    def string(self):
        if self.is_next(b'"'):
            return re.sub(rb'\\(.)', rb'\1', self.match(QUOTED, 'quoted string')[1])
        n = int(self.match(LITERAL, 'string')[1])
        data = self.data[self.at:self.at + n]
        if len(data) != n or b'\0' in data:
            self.bad('the literal is cut short or has a NUL')
        self.at += n
        return data

    def nstring(self):
        return None if self.maybe(b'NIL') else self.string()

    def many(self, one, least=1, spaced=True):
        """'(' one SP one ... ')'"""
        self.need(b'(')
        out = []
        while not self.maybe(b')'):
            if spaced and out:
                self.need(b' ')
            out.append(one())
        if len(out) < least:
            self.bad('an empty list')
        return out


def envelope(text):
    def addresses():
        return None if text.maybe(b'NIL') else text.many(address, spaced=False)

    def address():
        text.need(b'(')
        fields = [text.nstring()]
        for _ in range(3):
            text.need(b' ')
            fields.append(text.nstring())
        text.need(b')')
        return Address(*fields)

    text.need(b'(')
    out = [text.nstring()]
    for kind in [text.nstring] + [addresses] * 6 + [text.nstring] * 2:
        text.need(b' ')
        out.append(kind())
    text.need(b')')
    return Envelope(*out)


def params(text):
    """A list of pairs, or None."""
    if text.maybe(b'NIL'):
        return None

    def pair():
        name = text.string()
        text.need(b' ')
        return name, text.string()

    return text.many(pair)


def disposition(text):
    if text.maybe(b'NIL'):
        return None
    text.need(b'(')
    kind = text.string()
    text.need(b' ')
    value = params(text)
    text.need(b')')
    return kind, value


def language(text):
    return text.many(text.string) if text.is_next(b'(') else text.nstring()


def extension(text):
    """What a later standard may add: a number, an nstring, or a list of them."""
    if text.is_next(b'('):
        return text.many(lambda: extension(text))
    if NUMBER.match(text.data, text.at):
        return text.number()
    return text.nstring()


def extensions(text, first):
    """[first [dsp [lang [loc *ext]]]]"""
    out = []
    for kind in first, disposition, language, Text.nstring:
        if text.is_next(b')'):
            break
        text.need(b' ')
        out.append(kind(text))
    while len(out) == 4 and not text.is_next(b')'):
        text.need(b' ')
        extension(text)
    return out + [None] * (4 - len(out))


def body(text):
    text.need(b'(')
    if text.is_next(b'('):
        parts = []
        while text.is_next(b'('):
            parts.append(body(text))
        text.need(b' ')
        subtype = text.string()
        param, disp, lang, loc = extensions(text, params)
        text.need(b')')
        return Part(b'multipart', subtype, param, None, None, None, None, None, None, None, None, disp, lang, loc, parts)
    kind = text.string()
    text.need(b' ')
    subtype = text.string()
    if kind.lower() == b'multipart':
        text.bad('a multipart without parts')
    text.need(b' ')
    param = params(text)
    text.need(b' ')
    ident = text.nstring()
    text.need(b' ')
    desc = text.nstring()
    text.need(b' ')
    encoding = text.string()
    text.need(b' ')
    octets = text.number()
    inner_envelope = inner = lines = None
    if (kind.lower(), subtype.lower()) == (b'message', b'rfc822'):
        text.need(b' ')
        inner_envelope = envelope(text)
        text.need(b' ')
        inner = body(text)
    if kind.lower() == b'text' or inner is not None:
        text.need(b' ')
        lines = text.number()
    md5, disp, lang, loc = extensions(text, Text.nstring)
    text.need(b')')
    return Part(kind, subtype, param, ident, desc, encoding, octets, lines, inner_envelope, inner, md5, disp, lang, loc, None)


def fetch_item(text):
    section = SECTION.match(text.data, text.at)
    if section is not None:
        text.at = section.end()
        text.need(b' ')
        return section[0].decode(), text.nstring()
    name = text.match(ATOM, 'name of an item')[0].decode()
    text.need(b' ')
    if name in ('UID', 'RFC822.SIZE'):
        return name, text.number()
    if name == 'MODSEQ':
        return name, text.many(lambda: text.number(2 ** 63 - 1))[0]
    if name == 'FLAGS':
        return name, text.many(lambda: text.match(FLAG, 'flag')[0].decode(), least=0)
    if name == 'INTERNALDATE':
        return name, text.match(DATE, 'date')[0]
    if name == 'ENVELOPE':
        return name, envelope(text)
    if name in ('BODY', 'BODYSTRUCTURE'):
        return name, body(text)
    if name in ('RFC822', 'RFC822.HEADER', 'RFC822.TEXT'):
        return name, text.nstring()
    return text.bad(f'unknown item {name}')


def fetch(response):
    """(sequence number, items) of a FETCH response; None: it is another kind."""
    begin = re.match(rb'\* ([1-9][0-9]*) FETCH ', response)
    if begin is None:
        return None
    text = Text(response)
    text.at = begin.end()
    items = text.many(lambda: fetch_item(text))
    text.need(b'\r\n')
    if text.at != len(response):
        text.bad('more behind the end')
    out = dict(items)
    if len(out) != len(items):
        raise Bad(f'an item is there twice: {[name for name, _ in items]}')
    return int(begin[1]), out


def leaves(part):
    """All parts below, and the part itself, in order."""
    out = [part]
    for inner in part.parts or ([part.body] if part.body is not None else []):
        out += leaves(inner)
    return out
