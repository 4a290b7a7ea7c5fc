"""Values that other parsers found in messages of the corpus, asked of the server: addresses, types, dates, decoded text.

What IMAP shows undecoded (ENVELOPE, parameters) is decoded here; what it decodes itself is asked with SEARCH.

Of the corpus's expected results these are compared elsewhere: where parts lie and how they nest (stalwart, mime4j, wildduck:
tests/core/mail/test_corpus.c; mimekit, wildduck: known.py). And these are not, as IMAP has nothing to compare with them yet: mime4j's
.out (messages written anew), _decoded_*.bin (BINARY) and _decoded.xml (the same nesting again); mimekit's *.unix-offsets.json and
*-summary.txt (the .dos-offsets.json once more); stalwart's received.json, list.json, id.json (fields that only THREAD and filters read)
and the values of fields that ENVELOPE and BODYSTRUCTURE lack.
"""
import base64
import json
import os
import quopri
import re
import urllib.parse

import expected
import known

MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split()
FOLDERS = 'rfc', 'legacy', 'thirdparty', 'malformed'
SAMPLE_BYTES = 120  # of a text that is looked for


def eight_bit(raw):
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode('windows-1252', 'replace')


def word(found):
    """An encoded word (RFC 2047)."""
    charset, kind, text = found.groups()
    data = text.replace('_', ' ').encode('latin-1', 'replace')
    try:
        data = quopri.decodestring(data) if kind in 'qQ' else base64.b64decode(data + b'==')
        return data.decode(charset.split('*')[0])
    except (LookupError, ValueError):
        return found[0]


def decoded(raw):
    """Text of an ENVELOPE, whose encoded words and 8-bit are as they came; blanks as one."""
    if raw is None:
        return None
    text = re.sub(r'(\?=)\s+(=\?)', r'\1\2', eight_bit(raw))
    return ' '.join(re.sub(r'=\?([^?\s]+)\?([bBqQ])\?([^?]*)\?=', word, text).split()) or None


def parameters(pairs):
    """Decoded (RFC 2231 too); a language is a parameter of its own there; those without a value are none."""
    out = {}
    for name, value in pairs:
        name = eight_bit(name).lower()
        if name.endswith('*') and value.count(b"'") >= 2:
            charset, language, value = value.split(b"'", 2)
            out[name[:-1]] = plain(urllib.parse.unquote_to_bytes(value).decode(charset.decode() or 'utf-8', 'replace'))
            out[name[:-1] + '-language'] = plain(language.decode())
        else:
            out[name] = decoded(value)
    return {name: value for name, value in out.items() if value is not None}


def plain(text):
    return None if text is None else ' '.join(text.split()) or None


def theirs_addresses(value):
    """[(name, address)] with the members of groups."""
    if not isinstance(value, dict):
        return []
    if 'List' in value:
        return [(plain(a['name']), plain(a['address'])) for a in value['List']]
    return [(plain(a['name']), plain(a['address'])) for group in value.get('Group', []) for a in group['addresses']]


def ours_addresses(rows):
    out = []
    for row in rows or []:
        if row.host is None:
            continue  # a group begins or ends
        mailbox = decoded(row.mailbox) or ''
        out.append((decoded(row.name), f'{mailbox}@{decoded(row.host)}') if row.host else (mailbox, None))
    return out


def has(imap, uid, key, text):
    """Does SEARCH find it in this message?"""
    data = text.encode()
    found = imap.command(b'UID SEARCH CHARSET UTF-8 UID %d %s {%d+}\r\n%s' % (uid, key, len(data), data))
    return found[0] == b'* SEARCH %d\r\n' % uid


def sample(text):
    """A line of a text, for SEARCH: the longest, or the beginning of it."""
    line = max((line.strip() for line in re.split(r'[\r\n\ufffd]', text)), key=len, default='')
    while len(line.encode()) > SAMPLE_BYTES:
        line = line[:-1]
    return line


def longest_word(text):
    return max(text.split(), key=len, default='')


def day(value):
    return f'{value["day"]}-{MONTHS[value["month"] - 1]}-{value["year"]}'


def is_date(value):
    return value is not None and 1 <= value['month'] <= 12 and 1 <= value['day'] <= 31 and value['year'] >= 1000


def one_field(name, header):
    """A message of this field alone; what does not begin with a blank is given one."""
    return expected.crlf(name + b': ' + header.encode().rstrip(b'\r\n') + b'\r\n\r\nx\r\n')


def vectors(top, name):
    with open(os.path.join(top, f'stalwart-mail-parser/{name}.json'), encoding='utf-8') as f:
        return json.load(f)


def differences(wrong, known_ones, what):
    """Each difference is a known one, and each known one differs."""
    news = {key: value for key, value in wrong.items() if key not in known_ones}
    gone = set(known_ones) - set(wrong)
    assert not news and not gone, f'{what}: {len(news)} differ: {list(news.items())[:10]}; agree now: {gone}'


# Where the server says something else, and why. Numbers are places in the list of vectors.
ADDRESS_DIFFERS = {
    **dict.fromkeys((8, 10, 11, 14, 22, 56), 'comments are taken into the name there; ENVELOPE leaves them out'),
    9: 'a line is unfolded first here, so the backslash stands before a blank',
    13: 'the route, and blanks in a domain, are kept in the address there',
    **dict.fromkeys((37, 41, 42, 43, 44, 46), 'no address: a List-* field'),
    55: 'what follows an address is its name there',
}
TYPE_DIFFERS = {
    **dict.fromkeys((4, 38, 39, 40, 41, 42, 43, 47, 48, 58, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 101),
                    'no type and subtype: RFC 2045, section 5.2, has text/plain for it'),
    54: '8-bit in a type: as above',
    **dict.fromkeys((23, 30, 31), 'parameters without semicolons between them'),
    34: 'a blank between encoded words is kept there',
    **dict.fromkeys((59, 61), 'hostile sections of RFC 2231: what is none keeps its name; a NUL is 0x80'),
    **dict.fromkeys((76, 77, 78), 'a second slash belongs to the subtype there'),
}
DATE_DIFFERS = {
    10: 'the month is a number', 12: 'no date', 28: 'a Received field',
}
SUBJECT_DIFFERS = {}
MESSAGE_DIFFERS = {
    'rfc/000': 'audio and images that cannot be decoded are text there',
    **dict.fromkeys(('legacy/010', 'legacy/017', 'legacy/020', 'legacy/022', 'legacy/027', 'legacy/052'),
                    '8-bit without a charset: ENVELOPE has the bytes'),
    'thirdparty/002': 'base64 that is none is text there',
    'thirdparty/007': 'a name and a mailbox without a host',
    'malformed/002': 'a multipart without its boundary is text there, here it has one empty part (CLIENTS C-51)',
    'malformed/004': 'a boundary that goes on ("--ac" for "a") is one there',
}
MIME4J_DIFFERS = {
    **dict.fromkeys(('bad-newlines-multiple-parts-base64', 'base64encoded-rfc822message-nested', 'base64encoded-rfc822message',
                     'multi-2gifs-base64'), 'looks into message/rfc822 in base64, which is no message here (CLIENTS C-51)'),
    'ending-boundaries': 'text behind a boundary on its line is passed over there',
    'malformedHeaderStartsBody-nocrlfcrlf': 'without an empty line all is header here, and found by TEXT',
    'malformedHeaderStartsBody-noheader': 'the same',
    'very-long-boundary': 'blanks behind a boundary matter there',
}


def addresses(imap, top):
    rows = vectors(top, 'address')
    store_fields(imap, 'known-address', b'From', rows)
    wrong = {}
    for n, (row, got) in enumerate(zip(rows, imap.fetch('known-address', b'ENVELOPE'))):
        want, have = theirs_addresses(row['expected']), ours_addresses(got['ENVELOPE'].from_)
        if want != have:
            wrong[n] = (row['header'], want, have)
    differences(wrong, ADDRESS_DIFFERS, 'addresses')


def store_fields(imap, mailbox, name, rows):
    known.store(imap, mailbox, [one_field(name, row['header']) for row in rows])


def type_of(part):
    return ('multipart' if part.parts is not None else part.type.decode('latin-1').lower(), part.subtype.decode('latin-1').lower(),
            parameters(part.param or []))


def theirs_type(value):
    pairs = [(a['name'], a['value']) if isinstance(a, dict) else a for a in value.get('attributes') or []]
    return value.get('c_type', '').lower(), (value.get('c_subtype') or '').lower(), {
        name.lower(): plain(text) for name, text in pairs if plain(text) is not None}


def content_types(imap, top):
    rows = vectors(top, 'content_type')
    store_fields(imap, 'known-type', b'Content-Type', rows)
    wrong = {}
    for n, (row, got) in enumerate(zip(rows, imap.fetch('known-type', b'BODYSTRUCTURE'))):
        have = type_of(got['BODYSTRUCTURE'])
        want = theirs_type(row['expected']) if isinstance(row['expected'], dict) else None
        if want != have:
            wrong[n] = (row['header'], want, have)
    differences(wrong, TYPE_DIFFERS, 'content types')


def dates(imap, top):
    rows = [row for row in vectors(top, 'date')]
    store_fields(imap, 'known-date', b'Date', rows)
    wrong = {}
    for n, row in enumerate(rows):
        if is_date(row['expected']):
            found = imap.command(b'UID SEARCH UID %d SENTON %s' % (n + 1, day(row['expected']).encode()))
            if found[0] != b'* SEARCH %d\r\n' % (n + 1):
                wrong[n] = (row['header'], day(row['expected']))
    differences(wrong, DATE_DIFFERS, 'dates')


def subjects(imap, top):
    rows = vectors(top, 'unstructured')
    store_fields(imap, 'known-subject', b'Subject', rows)
    wrong = {n: (row['header'], row['expected']) for n, row in enumerate(rows)
             if row['expected'] and not has(imap, n + 1, b'SUBJECT', longest_word(row['expected']))}
    differences(wrong, SUBJECT_DIFFERS, 'subjects')


def texts_of(part):
    body = part['body']
    return [body[kind] for kind in ('Text', 'Html') if isinstance(body, dict) and kind in body]


def check_message(imap, uid, node, row):
    """What differs in one message, in words."""
    out = []
    headers = {h['name']: h['value'] for h in node['parts'][0]['headers'] if isinstance(h['name'], str)}
    for name, field in ('from', 'from_'), ('to', 'to'), ('cc', 'cc'):
        value = headers.get(name, {})
        if isinstance(value, dict) and 'Address' in value:
            want, have = theirs_addresses(value['Address']), ours_addresses(getattr(row['ENVELOPE'], field))
            if want != have:
                out.append((name, want, have))
    date = headers.get('date', {})
    if isinstance(date, dict) and is_date(date.get('DateTime')):
        found = imap.command(b'UID SEARCH UID %d SENTON %s' % (uid, day(date['DateTime']).encode()))
        if found[0] != b'* SEARCH %d\r\n' % uid:
            out.append(('date', day(date['DateTime'])))
    subject = headers.get('subject', {})
    if isinstance(subject, dict) and 'Text' in subject and not has(imap, uid, b'SUBJECT', longest_word(subject['Text'])):
        out.append(('subject', subject['Text']))
    kind = headers.get('content_type', {})
    if isinstance(kind, dict) and 'ContentType' in kind:
        want, have = theirs_type(kind['ContentType']), type_of(row['BODYSTRUCTURE'])
        if want != have:
            out.append(('type', want, have))
    for n, part in enumerate(node['parts']):
        for text in map(sample, texts_of(part)):
            if text and not has(imap, uid, b'BODY', text):
                out.append((f'text {n}', text))
    return out


def messages(imap, top):
    found = []
    for folder in FOLDERS:
        path = os.path.join(top, 'stalwart-mail-parser/eml', folder)
        for name in sorted(os.listdir(path)):
            if name.endswith('.crlf.json'):
                with open(os.path.join(path, name), encoding='utf-8') as f:
                    node = json.load(f)
                found.append((f'{folder}/{name[:3]}', expected.crlf(expected.read(os.path.join(path, name[:3] + '.eml'))), node))
    known.store(imap, 'known-values', [message for _, message, _ in found])
    rows = list(imap.fetch('known-values', b'ENVELOPE BODYSTRUCTURE'))
    wrong = {}
    for n, ((name, _, node), row) in enumerate(zip(found, rows)):
        bad = check_message(imap, n + 1, node, row)
        if bad:
            wrong[name] = bad
    assert len(rows) == len(found) > 60
    differences(wrong, MESSAGE_DIFFERS, 'messages')


# ---- mime4j: raw fields and bodies of every part, and their decoded text

def mime4j(imap, top):
    found = []
    for folder in 'testmsgs', 'mimetools-testmsgs':
        path = os.path.join(top, 'mime4j', folder)
        for name in sorted(os.listdir(path)):
            if name.endswith('.msg'):
                texts = [os.path.join(path, other) for other in sorted(os.listdir(path))
                         if re.fullmatch(re.escape(name[:-4]) + r'_decoded_[\d_]+\.txt', other)]
                found.append((name[:-4], expected.crlf(expected.read(os.path.join(path, name))), texts))
    known.store(imap, 'known-mime4j', [message for _, message, _ in found])
    wrong, looked = {}, 0
    for n, (name, _, texts) in enumerate(found):
        for path in texts:
            text = sample(expected.read(path).decode('utf-8', 'replace'))
            looked += bool(text)
            if text and not has(imap, n + 1, b'BODY', text):
                wrong.setdefault(name, []).append((os.path.basename(path), text))
    assert looked > 100, looked
    differences(wrong, MIME4J_DIFFERS, 'decoded texts')


ALL = {'addresses': addresses, 'content types': content_types, 'dates': dates, 'subjects': subjects, 'messages': messages,
       'decoded texts': mime4j}
