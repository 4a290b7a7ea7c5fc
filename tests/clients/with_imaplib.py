"""Python's imaplib: every command it has."""
import imaplib
import re
import time

from common import PASSWORD, deliver, flags_of, message, ok


def begin(server, user):
    """Connect, STARTTLS, AUTHENTICATE; what is there on the first day."""
    imap = server.imap(tls=False)
    ok(imap.starttls(server.tls_context()))
    assert 'STARTTLS' not in ok(imap.capability())[0].decode()
    kind, data = imap.authenticate('PLAIN', lambda _: b'\0' + user.encode() + b'\0' + PASSWORD.encode())
    assert kind == 'OK', data
    imap.state = 'AUTH'
    ok(imap.noop())
    ok(imap.enable('CONDSTORE'))
    assert b'"/"' in ok(imap.namespace())[0]
    imap.logout()

    imap = server.imap()
    try:
        imap.login(user, 'wrong')
    except imaplib.IMAP4.error as error:
        assert 'AUTHENTICATIONFAILED' in str(error), error
    else:
        raise AssertionError('a wrong password is good enough')
    imap.login(user, PASSWORD)
    imap.logout()


def folders(server, user):
    imap = server.imap(user, PASSWORD)
    ok(imap.create('Work'))
    ok(imap.create('Work/2026/Jan'))
    ok(imap.create('"With space"'))
    ok(imap.subscribe('Work'))
    ok(imap.unsubscribe('Work'))
    ok(imap.subscribe('Work/2026/Jan'))
    names = b'\n'.join(ok(imap.list()))
    for name in b'INBOX', b'Work', b'Work/2026', b'Work/2026/Jan', b'"With space"':
        assert re.search(rb'"/" ' + name + rb'$', names, re.M), (name, names)
    assert re.search(rb'\\HasChildren.*"/" Work$', names, re.M), names
    subscribed = b'\n'.join(ok(imap.lsub()))
    assert b'Work/2026/Jan' in subscribed and not re.search(rb'" Work$', subscribed, re.M), subscribed
    assert len(ok(imap.list('""', 'Work/%'))) == 1
    ok(imap.rename('Work', 'Job'))
    assert len(ok(imap.list('Job/', '*'))) == 2
    assert imap.select('Work')[0] == 'NO'
    assert imap.create('INBOX')[0] == 'NO'
    assert imap.delete('INBOX')[0] == 'NO'
    assert b'MESSAGES 0' in ok(imap.status('Job/2026/Jan', '(MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT)'))[0]
    ok(imap.delete('Job/2026/Jan'))
    assert imap.delete('Job/2026/Jan')[0] == 'NO'
    ok(imap.delete('"With space"'))
    imap.logout()


def messages(server, user):
    imap = server.imap(user, PASSWORD)
    texts = [message(f'i{i}', f'body {i}\r\n' * (i + 1)) for i in range(10)]
    deliver(server, user, *texts[:5])
    for i, text in enumerate(texts[5:]):
        ok(imap.append('INBOX', r'(\Seen $Label)' if i % 2 else None, imaplib.Time2Internaldate(1.7e9 + i), text))
    assert ok(imap.select()) == [b'10']
    assert imap.untagged_responses['UIDNEXT'] == [b'11']
    rows = [row for row in ok(imap.fetch('1:*', '(UID RFC822.SIZE RFC822)')) if isinstance(row, tuple)]
    assert [row[1] for row in rows] == texts
    assert [int(re.search(rb'SIZE (\d+)', row[0])[1]) for row in rows] == [len(text) for text in texts]
    assert ok(imap.fetch('3', '(BODY.PEEK[TEXT]<0.6>)'))[0][1] == b'body 2'
    assert ok(imap.fetch('1', 'RFC822.HEADER'))[0][1].endswith(b'\r\n\r\n')
    assert b'14-Nov-2023' in ok(imap.fetch('6', 'INTERNALDATE'))[0]
    assert all('\\Seen' in flags for flags in flags_of(imap).values()), 'RFC822 sets \\Seen'

    ok(imap.store('1:4', 'FLAGS', r'(\Answered one)'))
    ok(imap.store('2', '+FLAGS.SILENT', 'two'))
    ok(imap.store('3', '-FLAGS', 'one'))
    flags = {uid: f - {'\\Recent'} for uid, f in flags_of(imap, '1:4').items()}
    assert flags == {1: {'\\Answered', 'one'}, 2: {'\\Answered', 'one', 'two'}, 3: {'\\Answered'},
                     4: {'\\Answered', 'one'}}, flags
    ok(imap.check())
    imap.logout()


def searches(server, user):
    imap = server.imap(user, PASSWORD)
    ok(imap.select())

    def found(*keys):
        return [int(n) for n in ok(imap.search(None, *keys))[0].split()]

    assert found('ALL') == list(range(1, 11))
    assert found('ANSWERED') == [1, 2, 3, 4]
    assert found('KEYWORD', 'two') == [2]
    assert found('UNSEEN') == [1, 2, 3, 4]
    assert found('SUBJECT', 'i7') == [8]
    assert found('BODY', '"body 9"') == [10]
    assert found('TEXT', 'anna@example.org', '5:6') == [5, 6]
    assert found('HEADER', 'Message-ID', '"<i2@example.org>"') == [3]
    assert found('OR', 'UID', '1', '10') == [1, 10]
    assert found('NOT', '2:*') == [1]
    assert found('BEFORE', '1-Jan-2024', 'SINCE', '1-Nov-2023') == [6, 7, 8, 9, 10]
    assert found('SENTON', '5-Jan-2026', 'LARGER', '250') == [n for n in range(1, 11) if len(
        message(f'i{n - 1}', f'body {n - 1}\r\n' * n)) > 250]
    assert imap.uid('SEARCH', 'CHARSET', 'UTF-8', 'FROM', 'anna')[1][0].split() == [b'%d' % n for n in range(1, 11)]
    assert imap.search('X-NO-SUCH', 'TEXT', 'a')[0] == 'NO'
    imap.logout()


def copies(server, user):
    imap = server.imap(user, PASSWORD)
    ok(imap.select())
    ok(imap.create('Copies'))
    ok(imap.copy('1:3', 'Copies'))
    assert imap.untagged_responses['COPYUID'][0].endswith(b' 1:3 1:3'), imap.untagged_responses
    kind, data = imap.copy('1', 'Nowhere')
    assert kind == 'NO' and b'TRYCREATE' in data[0], data
    assert imap.uid('MOVE', '4', 'Copies')[0] == 'OK'
    assert ok(imap.uid('SEARCH', 'ALL'))[0].split() == [b'%d' % n for n in (1, 2, 3, 5, 6, 7, 8, 9, 10)]
    ok(imap.uid('STORE', '1,10', '+FLAGS', r'(\Deleted)'))
    imap.untagged_responses.clear()  # MOVE's own EXPUNGE is among them
    gone = ok(imap.expunge())
    assert gone in ([b'1', b'8'], [b'9', b'1']), gone
    ok(imap.uid('STORE', '5:6', '+FLAGS.SILENT', r'(\Deleted)'))
    assert imap.uid('EXPUNGE', '6')[0] == 'OK'
    assert ok(imap.uid('SEARCH', 'ALL'))[0].split() == [b'%d' % n for n in (2, 3, 5, 7, 8, 9)]
    ok(imap.unselect())
    ok(imap.select('Copies', readonly=True))
    flags = {uid: f - {'\\Recent'} for uid, f in flags_of(imap).items()}
    assert flags == {1: {'\\Answered', 'one'}, 2: {'\\Answered', 'one', 'two'}, 3: {'\\Answered'},
                     4: {'\\Answered', 'one'}}, flags
    assert imap.store('1', '+FLAGS', r'(\Seen)')[0] == 'NO'
    ok(imap.select())
    ok(imap.close())
    ok(imap.select())
    assert ok(imap.uid('SEARCH', 'ALL'))[0].split() == [b'%d' % n for n in (2, 3, 7, 8, 9)]
    imap.logout()


def conditional(server, user):
    """CONDSTORE by imaplib's way to send what it does not know."""
    imap = server.imap(user, PASSWORD)
    ok(imap._simple_command('SELECT', 'Copies', '(CONDSTORE)'))
    imap.state = 'SELECTED'
    now = int(re.search(rb'HIGHESTMODSEQ (\d+)', ok(imap.status('Copies', '(HIGHESTMODSEQ)'))[0])[1])
    ok(imap.store('1', '+FLAGS', 'three'))
    kind, data = imap.uid('STORE', '1:2', f'(UNCHANGEDSINCE {now})', '+FLAGS', 'four')
    assert kind == 'OK' and imap.untagged_responses['MODIFIED'] == [b'1'], (kind, data, imap.untagged_responses)
    flags = flags_of(imap, '1:2')
    assert 'four' not in flags[1] and 'four' in flags[2], flags
    changed = ok(imap.uid('FETCH', '1:*', f'(FLAGS) (CHANGEDSINCE {now})'))
    assert sorted(re.search(rb'UID (\d+)', row)[1] for row in changed) == [b'1', b'2'], changed
    imap.logout()


def many(server, user):
    """Long answers and long commands: a thousand messages, all flags in one STORE, a long set."""
    imap = server.imap(user, PASSWORD)
    ok(imap.create('Many'))
    ok(imap.append('Many', None, None, message('seed')))
    ok(imap.select('Many'))
    while int(ok(imap.search(None, 'ALL'))[0].split()[-1]) < 1024:
        ok(imap.copy('1:*', 'Many'))
        ok(imap.noop())
    ok(imap.store('1:*', '+FLAGS.SILENT', r'(\Flagged)'))
    odd = ','.join(str(n) for n in range(1, 1025, 2))
    ok(imap.store(odd, '+FLAGS.SILENT', r'(\Deleted)'))
    begin_s = time.monotonic()
    assert len(ok(imap.expunge())) == 512
    assert time.monotonic() - begin_s < 20
    flags = flags_of(imap)
    assert sorted(flags) == list(range(2, 1025, 2)) and all('\\Flagged' in f for f in flags.values())
    ok(imap.close())
    ok(imap.delete('Many'))
    imap.logout()


def run(checks, server, users):
    for user in users:
        for what in begin, folders, messages, searches, copies, conditional, many:
            checks.run(f'imaplib: {what.__name__} ({user})', what, server, user)
