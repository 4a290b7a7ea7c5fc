"""dbox files: the bodies. See index/FORMATS.md."""
import re

from blocks import one_header, up, xxh3

CHUNK = 65536


class Body:
    """A body record; without a nonce it is believed to be sealed with the one that it names."""

    def __init__(self, layout, data, at, nonce):
        def get(words):
            return layout.body.get(data, words, at)
        self.sound, size = False, layout.body.size
        if at + size > len(data) or get('magic').to_bytes(4, 'little') != b'RPDB':
            return
        nonce = get("the file's nonce") if nonce is None else nonce
        if get('xxh3 of all before') != xxh3(data[at:at + layout.body.offset('xxh3 of all before')], nonce):
            return
        self.nonce, self.offset, self.user = get("the file's nonce"), get('offset of this record'), get('user id')
        self.mailboxid, self.uid, self.flags = get('mailboxid'), get('UID'), get('system flags')
        self.zone = int.from_bytes(get("INTERNALDATE's zone").to_bytes(2, 'little'), 'little', signed=True)
        self.internaldate, self.emailid, self.size = get('INTERNALDATE, seconds'), get('EMAILID'), get('bytes of the message')
        length, chunks = get('bytes of the body'), up(get('bytes of the body'), CHUNK) // CHUNK
        self.data = bytes(data[at + size:at + size + length])
        array_at = up(size + length, 8)
        array_end = array_at + (8 * chunks if chunks > 1 else 0)
        array = bytes(data[at + array_at:at + array_end])
        self.bytes = up(array_end, 16)
        self.padding = bytes(data[at + size + length:at + array_at]) + bytes(data[at + array_end:at + self.bytes])
        sums = [xxh3(self.data[i:i + CHUNK], nonce) for i in range(0, length, CHUNK)] or [xxh3(b'', nonce)]
        one = sums[0] if chunks <= 1 else xxh3(array, nonce)
        self.uidvalidity_last = get('the greatest UIDVALIDITY')
        self.zeroes = not any(get('0'))
        self.sound = (get('encoding') == 0 and self.size == length == len(self.data) and get('one block') == one
                      and (chunks <= 1 or array == b''.join(s.to_bytes(8, 'little') for s in sums)))


class Dbox:
    """One file: its records by offset, and what lies between them."""

    def __init__(self, look, path, user):
        self.path, self.records, self.gaps, self.mailboxes = path, {}, [], []
        with open(path, 'rb') as f:
            data = self.data = f.read()
        number, stand_in = re.search(r'/(\d+)(?:-(\d+))?\.dbox$', path).groups()
        header = self.header = one_header(look, path, data, 'dbox', user)
        if header is None:
            return
        self.nonce, self.number = header.nonce, header.number
        look.findings.must(self.number == int(number), path, 0, 'the header names another file')
        look.findings.must(header.extra('k') == int(stand_in or 0), path, 0, 'the header names another stand-in')
        text = data[1024:1024 + header.extra('bytes of the text')]
        look.findings.must(stand_in or xxh3(text, self.nonce) == header.extra('xxh3 of the text'), path, 1024, 'the text')
        self.mailboxes = [line.split(' ', 3) for line in text.decode('utf-8', 'replace').splitlines()]
        self.scan(look, up(1024 + len(text), 16), 1024 + len(text), user)

    def scan(self, look, at, text_end, user):
        look.findings.must(not any(self.data[text_end:at]), self.path, text_end, 'not zeroes behind the text')
        gap = None
        while at < len(self.data):
            body = Body(look.layout, self.data, at, self.nonce)
            if not body.sound:
                gap = at if gap is None else gap
                at += 16
                continue
            if gap is not None:
                self.gaps.append((gap, at))
                gap = None
            self.records[at] = body
            check_body(look, self.path, at, body, user, self.nonce)
            at += body.bytes
        if gap is not None:
            self.gaps.append((gap, len(self.data)))
        look.findings.must(gap is not None or at == len(self.data), self.path, at, 'the end is cut off')


def check_body(look, path, at, body, user, nonce):
    must = look.findings.must
    must(body.user == user, path, at, "another user's body")
    must(body.nonce == nonce and body.offset == at, path, at, 'a body that belongs elsewhere')
    must(not any(body.padding) and body.zeroes, path, at, 'not zeroes behind a body')
