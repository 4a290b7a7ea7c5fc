"""Mail of every sort put into a server, and what IMAP says of it afterwards."""
import base64
import calendar
import hashlib
import re
import socket

KEYWORDS = [f'$Keyword{k:02}_' + 'k' * 48 for k in range(30)]
USES = ('\\All', '\\Archive', '\\Drafts', '\\Flagged', '\\Junk', '\\Sent', '\\Trash')
MANY = 170  # so many appends with all keywords that the journal calls for a checkpoint
LARGE = b''.join(b'%06d and so on, and so on, up to the end of the line\r\n' % i for i in range(4000))


def message(number, extra=b'', body=b'some words\r\n'):
    return b'From: a%d@test.invalid\r\nDate: Sat, 28 Nov 2026 12:00:%02d +0100\r\nSubject: number %d\r\n%s\r\n' % (
        number, number % 60, number, extra) + body


BODIES = [
    message(0), message(1, body='Grüße\r\n'.encode()), message(2, body=b'.\r\n..\r\n.x\r\n'), message(3, body=bytes(range(128, 256)) + b'\r\n'),
    message(4, body=LARGE[:65000]), message(5, body=LARGE), message(6, 'Subject: Größe\r\n'.encode()), message(7, body=b''),
    message(8, b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n', b'--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n'),
]


def good(answer):
    assert answer[0] == 'OK', answer
    return answer[1]


def at_once(imap):
    """Without waiting for the answer to a part of a command before the next part is sent."""
    imap.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return imap


def deliver(server, user, bodies, folder=''):
    lmtp = server.lmtp()
    for body in bodies:
        lmtp.sendmail('from@test.invalid', [user + folder + '@test.invalid'], body, mail_options=['BODY=8BITMIME'])
    lmtp.quit()


def folders(imap):
    for name in ('Work', 'Work/Sub', 'Entw&APw-rfe', 'Old', 'Away'):
        good(imap.create(name))
    good(imap.subscribe('Work'))
    good(imap.subscribe('Entw&APw-rfe'))
    good(imap.unsubscribe('Junk'))


def appended(imap):
    """What has flags, keywords and a date of its own."""
    good(imap.append('Work', r'(\Seen \Flagged $Forwarded)', '"17-Jul-1996 02:44:25 -0730"', BODIES[0]))
    good(imap.append('Work', r'(\Draft)', '" 1-Jan-1970 00:00:00 +0000"', BODIES[5]))
    for number in range(8):
        good(imap.append('Old', '', '"01-Dec-2026 10:00:0%d +1400"' % number, BODIES[number]))
        good(imap.append('Away', r'(\Answered)', None, BODIES[number]))


def changed(imap):
    """STORE, COPY, MOVE, EXPUNGE, RENAME and DELETE on what is there."""
    good(imap.select('Old'))
    good(imap.store('1:4', '+FLAGS', r'(\Flagged Read-Me)'))
    good(imap.store('2', '-FLAGS', '(Read-Me)'))
    good(imap.store('3', 'FLAGS', r'(\Deleted \Draft)'))
    good(imap.copy('1:6', 'Work/Sub'))
    good(imap.uid('MOVE', '5,7', 'Entw&APw-rfe'))
    good(imap.expunge())
    good(imap.store('1', '+FLAGS', r'(\Deleted)'))
    good(imap.rename('Old', 'New/Place'))
    good(imap.delete('Away'))
    good(imap.select('INBOX'))
    good(imap.fetch('1:*', '(ENVELOPE BODYSTRUCTURE)'))
    good(imap.store('1:2', '+FLAGS', r'(\Seen)'))


def many(imap):
    """So much that catalog and index files are written; then a little more."""
    for number in range(MANY):
        good(imap.append('Archive', '(' + ' '.join(KEYWORDS[number % 3:]) + ')', None, message(number)))
    good(imap.select('Archive'))
    good(imap.fetch('1:40', '(ENVELOPE BODYSTRUCTURE)'))
    good(imap.store('10:20,150', '+FLAGS', r'(\Deleted)'))
    good(imap.expunge())
    for number in range(MANY):
        good(imap.append('Archive', '(' + ' '.join(KEYWORDS[number % 5:]) + ')', None, message(number)))
    good(imap.store('5:15', '+FLAGS', r'(\Seen)'))
    good(imap.fetch('1:40', '(ENVELOPE BODYSTRUCTURE)'))


def late(imap):
    """The last changes before the end."""
    good(imap.append('INBOX', r'(\Seen late)', None, BODIES[8]))
    good(imap.append('INBOX', '', None, BODIES[5]))
    good(imap.select('INBOX'))
    good(imap.store('1', '+FLAGS', '(late)'))
    good(imap.copy('1:3', 'Work'))


def fill(server):
    """Users and their mail; the names of those who are left."""
    for name in ('sam', 'eva', 'gone'):
        server.add_user(name)
    imap = at_once(server.imap('sam'))
    folders(imap)
    deliver(server, 'sam', BODIES)
    deliver(server, 'sam', BODIES[:3], '+Work')
    appended(imap)
    changed(imap)
    many(imap)
    deliver(server, 'eva', BODIES)
    deliver(server, 'gone', BODIES[:2])
    server.run('user', 'del', 'gone')
    late(imap)
    imap.logout()
    return ['sam', 'eva']


def utf8_name(name):
    """From modified UTF-7."""
    def decoded(found):
        text = found[1].replace(',', '/')
        return base64.b64decode(text + '=' * (-len(text) % 4)).decode('utf-16-be') if text else '&'
    return re.sub('&([^-]*)-', decoded, name)


def seconds(text):
    day, month, year, hour, minute, second, sign, hours, minutes = re.match(
        r' ?(\d+)-(\w+)-(\d+) (\d+):(\d+):(\d+) ([+-])(\d\d)(\d\d)', text).groups()
    zone = (int(hours) * 60 + int(minutes)) * (1 if sign == '+' else -1)
    month = 'JanFebMarAprMayJunJulAugSepOctNovDec'.index(month) // 3 + 1
    return calendar.timegm((int(year), month, int(day), int(hour), int(minute), int(second))) - zone * 60, zone


def listed(lines):
    """[(attributes, name)] of answers to LIST."""
    found = [re.match(r'\((.*?)\) "/" "?(.*?)"?$', line.decode()).groups() for line in lines if line]
    return [(attributes.split(), name) for attributes, name in found]


def told_message(head, body):
    date, zone = seconds(re.search(r'INTERNALDATE "([^"]*)"', head)[1])
    flags = re.search(r'FLAGS \(([^)]*)\)', head)[1].split()
    return {'flags': sorted(f for f in flags if f != '\\Recent'), 'modseq': int(re.search(r'MODSEQ \((\d+)\)', head)[1]),
            'internaldate': date, 'zone': zone, 'size': int(re.search(r'RFC822.SIZE (\d+)', head)[1]),
            'sha256': hashlib.sha256(body).hexdigest()}


def told_mailbox(imap, name):
    # imaplib keeps earlier answers of the same name: these are the last.
    status = good(imap.status(f'"{name}"', '(UIDVALIDITY UIDNEXT HIGHESTMODSEQ UNSEEN MESSAGES SIZE)'))[0].decode()
    number = {key: int(value) for key, value in re.findall(r'([A-Z]+) (\d+)', status)}
    mailbox = {'uidvalidity': number['UIDVALIDITY'], 'uidnext': number['UIDNEXT'], 'highestmodseq': number['HIGHESTMODSEQ'],
               'unseen': number['UNSEEN'], 'bytes': number['SIZE'], 'messages': {}}
    if number['MESSAGES'] == 0:
        return mailbox
    good(imap.select(f'"{name}"', readonly=True))
    for part in good(imap.uid('FETCH', '1:*', '(UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE BODY.PEEK[])')):
        if isinstance(part, tuple):
            uid = int(re.search(rb'UID (\d+)', part[0])[1])
            mailbox['messages'][str(uid)] = told_message(part[0].decode(), part[1])
    assert len(mailbox['messages']) == number['MESSAGES'], (name, number, len(mailbox['messages']))
    return mailbox


def told(server, user):
    """All that IMAP says of a user's mail, as JSON could have it."""
    imap = server.imap(user)
    subscribed = {name for _, name in listed(good(imap.lsub('""', '*')))}
    boxes = {}
    for attributes, name in listed(good(imap.list('""', '*'))):
        uses = [flag for flag in attributes if flag in USES]
        boxes[utf8_name(name)] = dict(told_mailbox(imap, name), subscribed=name in subscribed, special_use=uses)
    imap.logout()
    return boxes
