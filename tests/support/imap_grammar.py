"""A strict reader of IMAP responses (RFC 3501, section 9, and those of the extensions offered): what is not allowed there
raises Bad.

    reader = Reader(sock.makefile('rb'))
    line = reader.response()        # one whole response, literals and all, checked
    number, items = fetch(line)     # of '* 12 FETCH (...)': {'UID': 7, 'BODY[]': b'...', 'ENVELOPE': Envelope ...}

    check(line)                     # any response
    tap.feed(data)                  # a Tap checks what passes by, in whatever pieces

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
ASTRING_ATOM = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\]+')
TAG = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\+]+')
FLAG = re.compile(rb'\\?[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
NUMBER = re.compile(rb'0|[1-9][0-9]*')
QUOTED = re.compile(rb'"((?:[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]|\\["\\])*)"')
LITERAL = re.compile(rb'\{(0|[1-9][0-9]*)\}\r\n')
PART = re.compile(rb'[1-9][0-9]*(?:\.[1-9][0-9]*)*')
SET = re.compile(rb'[1-9][0-9]*(?::[1-9][0-9]*)?(?:,[1-9][0-9]*(?::[1-9][0-9]*)?)*')
TEXT = re.compile(rb'[\x20-\x7e]*[\x21-\x7e]')  # that ends in a space: allowed, but nobody's intention
DATE = re.compile(rb'"[ 0-3][0-9]-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-[0-9]{4} '
                  rb'[0-2][0-9]:[0-5][0-9]:[0-6][0-9] [-+][0-9]{4}"')
NUMBER_MAX = 2 ** 32 - 1
MODSEQ_MAX = 2 ** 63 - 1


class Bad(Exception):
    pass


# A literal at the end of a line; a status line ends in text, which may look like one.
ENDS_IN_LITERAL = re.compile(rb'\{(\d+)\}\r\n\Z')
IS_STATUS = re.compile(rb'\+|[^ ]+ (?:OK|NO|BAD|BYE) ')


class Reader:
    """Whole responses from a stream, each of them checked."""

    def __init__(self, stream):
        self.stream = stream

    def response(self):
        out = b''
        while True:
            line = self.stream.readline()
            if not line.endswith(b'\r\n'):
                raise Bad(f'a line ends without CRLF: {line[-80:]!r}')
            out += line
            literal = None if IS_STATUS.match(out) else ENDS_IN_LITERAL.search(line)
            if literal is None:
                check(out)
                return out
            data = self.stream.read(int(literal[1]))
            if len(data) != int(literal[1]):
                raise Bad('the stream ends inside a literal')
            out += data


class Tap:
    """Checks responses whose bytes pass by."""

    def __init__(self):
        self.buffer, self.line, self.from_ = bytearray(), 0, 0  # where the current line starts; where to look for its end

    def feed(self, data):
        self.buffer += data
        while True:
            end = self.buffer.find(b'\n', self.from_)
            if end < 0:
                self.from_ = max(self.from_, len(self.buffer))
                return
            literal = None if IS_STATUS.match(self.buffer) else ENDS_IN_LITERAL.search(self.buffer[self.line:end + 1])
            if literal:
                self.line = self.from_ = end + 1 + int(literal[1])
                if self.line > len(self.buffer):
                    return
                continue
            check(bytes(self.buffer[:end + 1]))
            del self.buffer[:end + 1]
            self.line = self.from_ = 0


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

    def astring(self):
        return self.string() if self.is_next((b'"', b'{')) else self.match(ASTRING_ATOM, 'astring')[0]

    def nz_number(self, most=NUMBER_MAX):
        value = self.number(most)
        if value == 0:
            self.bad('a zero')
        return value

    def end(self):
        self.need(b'\r\n')
        if self.at != len(self.data):
            self.bad('more behind the end')

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


def no_extensions(text):
    """body without what BODYSTRUCTURE alone may say."""
    part = body(text)
    if any(p.md5 or p.disposition or p.language or p.location or (p.parts and p.param) for p in leaves(part)):
        text.bad('extension data in BODY')
    return part


def section(text):
    """section, behind "[", with its "]"."""
    numbers = PART.match(text.data, text.at)
    if numbers:
        text.at = numbers.end()
        if text.maybe(b']'):
            return
        text.need(b'.')
        if text.maybe(b'MIME]'):
            return
    elif text.maybe(b']'):
        return
    if text.maybe(b'HEADER.FIELDS'):
        text.maybe(b'.NOT')
        text.need(b' ')
        text.many(text.astring)
        text.need(b']')
    elif not text.maybe(b'TEXT]'):
        text.need(b'HEADER]')


def flags_in(text, star=False):
    def one():
        return b'\\*' if star and text.maybe(b'\\*') else text.match(FLAG, 'flag')[0]
    return text.many(one, least=0)


def fetch_item(text):
    begin = text.at
    if text.maybe(b'BODY['):
        section(text)
        if text.maybe(b'<'):
            text.number()
            text.need(b'>')
        name = text.data[begin:text.at].decode('latin-1')
        text.need(b' ')
        return name, text.nstring()
    name = text.match(ATOM, 'name of an item')[0].decode()
    text.need(b' ')
    if name == 'UID':
        return name, text.nz_number()
    if name == 'RFC822.SIZE':
        return name, text.number()
    if name == 'MODSEQ':
        text.need(b'(')
        value = text.nz_number(MODSEQ_MAX)
        text.need(b')')
        return name, value
    if name == 'FLAGS':
        return name, [flag.decode() for flag in flags_in(text)]
    if name == 'INTERNALDATE':
        return name, text.match(DATE, 'date')[0]
    if name == 'ENVELOPE':
        return name, envelope(text)
    if name in ('BODY', 'BODYSTRUCTURE'):
        return name, body(text) if name == 'BODYSTRUCTURE' else no_extensions(text)
    if name in ('RFC822', 'RFC822.HEADER', 'RFC822.TEXT'):
        return name, text.nstring()
    return text.bad(f'unknown item {name}')


def fetch_items(text):
    items = text.many(lambda: fetch_item(text))
    out = dict(items)
    if len(out) != len(items):
        raise Bad(f'an item is there twice: {[name for name, _ in items]}')
    return out


def fetch(response):
    """(sequence number, items) of a FETCH response; None: it is another kind."""
    begin = re.match(rb'\* ([1-9][0-9]*) FETCH ', response)
    if begin is None:
        return None
    text = Text(response)
    text.at = begin.end()
    out = fetch_items(text)
    text.end()
    return int(begin[1]), out


def quoted_char(text):
    """The hierarchy delimiter."""
    if not text.maybe(b'NIL') and len(text.match(QUOTED, 'delimiter')[1].replace(b'\\\\', b'\\')) != 1:
        text.bad('a delimiter is one character')


def capabilities(text):
    names = []
    while text.maybe(b' '):
        names.append(text.match(ATOM, 'capability')[0])
    if b'IMAP4rev1' not in names or len(set(names)) != len(names):
        text.bad('IMAP4rev1 is missing, or a capability is there twice')


def mailbox_list(text):
    attributes = text.many(lambda: text.match(re.compile(rb'\\[A-Za-z]+'), 'attribute')[0], least=0)
    if len(set(attributes)) != len(attributes):
        text.bad('an attribute is there twice')
    text.need(b' ')
    quoted_char(text)
    text.need(b' ')
    text.astring()
    if text.maybe(b' '):
        def item():
            if text.astring() != b'CHILDINFO':
                text.bad('no extended item that is known')
            text.need(b' ')
            text.many(text.string)
        text.many(item)


def status_att(text):
    name = text.match(ATOM, 'status item')[0]
    text.need(b' ')
    if name in (b'MESSAGES', b'RECENT', b'UNSEEN', b'DELETED'):
        text.number()
    elif name in (b'UIDNEXT', b'UIDVALIDITY'):
        text.nz_number()
    elif name in (b'SIZE', b'HIGHESTMODSEQ'):
        text.number(MODSEQ_MAX)
    else:
        text.bad('no such status item')


def search_data(text):
    while text.maybe(b' '):
        if text.maybe(b'(MODSEQ '):
            text.nz_number(MODSEQ_MAX)
            text.need(b')')
            return
        text.nz_number()


def esearch_data(text):
    seen = []
    if text.maybe(b' (TAG '):
        text.string()
        text.need(b')')
    text.maybe(b' UID')
    while text.maybe(b' '):
        seen.append(text.match(ATOM, 'result')[0])
        text.need(b' ')
        if seen[-1] in (b'MIN', b'MAX'):
            text.nz_number()
        elif seen[-1] == b'COUNT':
            text.number()
        elif seen[-1] == b'MODSEQ':
            text.nz_number(MODSEQ_MAX)
        elif seen[-1] == b'ALL':
            text.match(SET, 'set')
        else:
            text.bad('no such result')
    if len(set(seen)) != len(seen):
        text.bad('a result is there twice')


def namespaces(text):
    def one():
        text.need(b'(')
        text.string()
        text.need(b' ')
        quoted_char(text)
        text.need(b')')
    for kind in range(3):
        text.need(b' ')
        if not text.maybe(b'NIL'):
            text.many(one, spaced=False)


def identity(text):
    text.need(b' ')
    if not text.maybe(b'NIL'):
        def pair():
            text.string()
            text.need(b' ')
            text.nstring()
        text.many(pair, least=0)


def enabled(text):
    while text.maybe(b' '):
        text.match(ATOM, 'capability')


def one_list(text):
    text.need(b' ')
    mailbox_list(text)


def status_data(text):
    text.need(b' ')
    text.astring()
    text.need(b' ')
    text.many(lambda: status_att(text))


def flags_data(text):
    text.need(b' ')
    flags_in(text)


UNTAGGED = {b'CAPABILITY': capabilities, b'LIST': one_list, b'LSUB': one_list, b'STATUS': status_data, b'SEARCH': search_data,
            b'ESEARCH': esearch_data, b'NAMESPACE': namespaces, b'ID': identity, b'ENABLED': enabled, b'FLAGS': flags_data}
# Response codes: those without arguments (RFC 3501, 3691, 4315, 5530, 7162, 7888, ...), and what is behind the others.
# XFAIL is the answer of a command that only tests have.
CODES = {b'ALERT', b'PARSE', b'READ-ONLY', b'READ-WRITE', b'TRYCREATE', b'CLOSED', b'NOMODSEQ', b'UIDNOTSTICKY', b'TOOBIG',
         b'UNAVAILABLE', b'AUTHENTICATIONFAILED', b'AUTHORIZATIONFAILED', b'EXPIRED', b'PRIVACYREQUIRED', b'CONTACTADMIN', b'NOPERM',
         b'INUSE', b'EXPUNGEISSUED', b'CORRUPTION', b'SERVERBUG', b'CLIENTBUG', b'CANNOT', b'LIMIT', b'OVERQUOTA', b'ALREADYEXISTS',
         b'NONEXISTENT', b'USEATTR', b'HASCHILDREN',
         b'XFAIL'}


def uids(text, sets):
    text.nz_number()
    for _ in range(sets):
        text.need(b' ')
        text.match(SET, 'set of UIDs')


CODES_WITH = {
    b'UIDNEXT': Text.nz_number, b'UIDVALIDITY': Text.nz_number, b'UNSEEN': Text.nz_number,
    b'HIGHESTMODSEQ': lambda text: text.nz_number(MODSEQ_MAX), b'PERMANENTFLAGS': lambda text: flags_in(text, star=True),
    b'APPENDUID': lambda text: uids(text, 1), b'COPYUID': lambda text: uids(text, 2),
    b'MODIFIED': lambda text: text.match(SET, 'set'), b'BADCHARSET': lambda text: text.many(text.astring)}


def resp_text(text):
    """["[" code "]" SP] text: to the end of the line."""
    if text.maybe(b'['):
        name = text.match(ATOM, 'code')[0]
        if name == b'CAPABILITY':
            capabilities(text)
        elif name in CODES_WITH:
            text.need(b' ')
            CODES_WITH[name](text)
        elif name not in CODES:
            text.bad('no code that is known')
        text.need(b'] ')
    if text.is_next(b' '):
        text.bad('two spaces')
    text.match(TEXT, 'text')
    text.end()


def check(response):
    """Any response, with its CRLF."""
    text = Text(response)
    if text.maybe(b'+ '):
        return text.end() if text.is_next(b'\r\n') else resp_text(text)
    if not text.maybe(b'* '):
        text.match(TAG, 'tag')
        text.need(b' ')
        text.match(re.compile(rb'(?:OK|NO|BAD) '), 'status')
        return resp_text(text)
    if re.compile(rb'(?:OK|NO|BAD|BYE) ').match(response, text.at):
        text.at = response.index(b' ', text.at) + 1
        return resp_text(text)
    if NUMBER.match(response, text.at):
        number = text.number()
        text.need(b' ')
        name = text.match(ATOM, 'name')[0]
        if name not in (b'EXISTS', b'RECENT') and number == 0:
            text.bad('there is no message 0')
        if name == b'FETCH':
            text.need(b' ')
            fetch_items(text)
        elif name not in (b'EXISTS', b'RECENT', b'EXPUNGE'):
            text.bad('unknown message data')
    else:
        name = text.match(ATOM, 'name')[0]
        if name not in UNTAGGED:
            text.bad('unknown data')
        UNTAGGED[name](text)
    return text.end()


def leaves(part):
    """All parts below, and the part itself, in order."""
    out = [part]
    for inner in part.parts or ([part.body] if part.body is not None else []):
        out += leaves(inner)
    return out
