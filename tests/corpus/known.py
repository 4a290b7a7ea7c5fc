"""Messages of the corpus with a parse that others have written down: the same parts, of the same size."""
import json
import os

import expected
import imap_grammar


def of_mimekit(node):
    """(type, octets) of a part and all below, in order; a multipart has no octets."""
    kind = node['mimeType'].lower()
    out = [(kind, None if 'children' in node else node['octets'])]
    for child in node.get('children', []):
        out += of_mimekit(child)
    if kind == 'message/rfc822' and 'message' in node:
        out += of_mimekit(node['message']['body'])
    return out


def of_wildduck(node):
    kind = node['parsedHeader'].get('content-type', {'value': 'text/plain'})['value'].lower()
    children = node.get('childNodes') or []
    out = [(kind, None if kind.startswith('multipart/') else node['size'])]
    for child in children:
        out += of_wildduck(child)
    if kind == 'message/rfc822' and node.get('message'):
        out += of_wildduck(node['message'])
    return out


def of_server(part):
    return [(f'{p.type.decode()}/{p.subtype.decode()}'.lower() if p.parts is None else f'multipart/{p.subtype.decode()}'.lower(),
             p.octets) for p in imap_grammar.leaves(part)]


def mimekit(top):
    """[(name, message, parts)]"""
    out = []
    for name in 'content-length', 'issue1189':
        data = expected.crlf(expected.read(os.path.join(top, f'mimekit/mbox/{name}.mbox.txt')))
        with open(os.path.join(top, f'mimekit/mbox/{name}.dos-offsets.json')) as f:
            for n, node in enumerate(json.load(f)):
                out.append((f'{name} {n}', data[node['beginOffset']:node['endOffset']], of_mimekit(node['body'])))
    return out


def wildduck(top):
    out = []
    for name in 'mimetorture', 'simple':
        with open(os.path.join(top, f'wildduck/imap-core/{name}.json')) as f:
            node = json.load(f)
        out.append((name, expected.crlf(expected.read(os.path.join(top, f'wildduck/imap-core/{name}.eml'))),
                    of_wildduck(node)))
    return out


def store(imap, mailbox, messages):
    """Append them to a mailbox of their own, which stays selected: UIDs from 1 on."""
    imap.command(b'CREATE ' + mailbox.encode())
    for message in messages:
        imap.sock.sendall(b't APPEND %s {%d+}\r\n%s\r\n' % (mailbox.encode(), len(message), message))
        response = imap.reader.response()
        assert response.startswith(b't OK'), response
    imap.select(mailbox)


def check(imap, mailbox, messages):
    """Append them, and compare what BODYSTRUCTURE says."""
    store(imap, mailbox, [message for _, message, _ in messages])
    rows = list(imap.fetch(mailbox, b'BODYSTRUCTURE'))
    wrong = [(name, [pair for pair in zip(want, of_server(row['BODYSTRUCTURE'])) if pair[0] != pair[1]][:3],
              len(want), len(of_server(row['BODYSTRUCTURE'])))
             for (name, _, want), row in zip(messages, rows) if of_server(row['BODYSTRUCTURE']) != want]
    assert len(rows) == len(messages) and not wrong, (len(wrong), wrong[:12])
