"""What `ringpost import` of a folder has to make: the same rules, written a second time, from their description.

A file that begins with "From " is an mbox: a message begins behind each line "From SENDER DATE" at the beginning or after
an empty line; that line, and the empty line before the next, are not part of a message; one '>' goes from lines that
begin with '>'s and "From ". A folder with cur and new is a Maildir: each file in them is a message, and ".A.B" below it is
its mailbox A/B. Else each file is a message, if it begins with a field's name or is called .eml; an empty file is none, and
is named as wrong where one was meant. Other names with a dot before them are left out. A mailbox is called as the
folder is.
"""
import os
import re

FROM_LINE = re.compile(rb'From .*\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]* +(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)'
                       rb'[a-z]* +\d{1,2} +\d{1,2}:\d\d:\d\d\b.* (?:19[7-9]|20)\d', re.I)


def crlf(text):
    """Bare CR and bare LF become CRLF."""
    return re.sub(rb'\r\n|\r|\n', b'\r\n', text)


def sent(text):
    """As a plain literal has it: a NUL is 0x80."""
    return crlf(text).replace(b'\0', b'\x80')


def mbox(data):
    lines = data.split(b'\n')
    lines = [line + b'\n' for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    messages, empty = [], False
    for i, line in enumerate(lines):
        if i == 0 or (empty and FROM_LINE.match(line)):
            messages.append([])
        else:
            messages[-1].append(re.sub(rb'^>(>*From )', rb'\1', line))
        empty = line in (b'\n', b'\r\n')
    for i, message in enumerate(messages):
        last = message[-1] if message else b''
        if last in (b'\n', b'\r\n') and len(message) > 1:
            message.pop()
    return [b''.join(message) for message in messages]


def is_maildir(path):
    return os.path.isdir(os.path.join(path, 'cur')) and os.path.isdir(os.path.join(path, 'new'))


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def folder(top):
    """[(path, mailbox, message)]: messages as they lie in their files."""
    out = []

    def below(path, mailbox):
        maildir = is_maildir(path)
        for name in sorted(os.listdir(path)):
            full = os.path.join(path, name)
            if os.path.isdir(full):
                if maildir and name in ('cur', 'new'):
                    out.extend((os.path.join(full, leaf), mailbox, read(os.path.join(full, leaf)))
                               for leaf in sorted(os.listdir(full)) if not leaf.startswith('.'))
                elif maildir or not name.startswith('.'):
                    if maildir and name == 'tmp':
                        continue
                    if maildir and name.startswith('.'):
                        name = name[1:].replace('.', '/')
                    below(full, f'{mailbox}/{name}' if mailbox else name)
            elif not maildir and not name.startswith('.'):
                data = read(full)
                for message in mbox(data) if data.startswith(b'From ') else [data]:
                    out.append((full, mailbox, message))

    below(top, '')
    return out


FIELD = re.compile(rb'[!-9;-~]+[ \t]*:')


def verdict(path, message):
    """What import makes of one of folder()'s: 'mail', 'wrong' (named and counted), or 'none'."""
    named = path.lower().endswith('.eml') or os.path.basename(os.path.dirname(path)) in ('cur', 'new')
    if not os.path.getsize(path):
        return 'wrong' if named else 'none'
    if not message:
        return 'wrong'  # a From line alone
    if named or FIELD.match(message) or read(path).startswith(b'From '):
        return 'mail'
    return 'wrong'
