"""What the scripts of this folder share."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import rp  # noqa: E402

PASSWORD = 'secret'
HERE = os.path.dirname(os.path.abspath(__file__))


def message(subject, body='One line.\r\n', sender='anna@example.org'):
    """A small message; the subject is its Message-ID too."""
    return (f'From: <{sender}>\r\nTo: <sam@example.org>\r\nSubject: {subject}\r\n'
            f'Date: Mon, 05 Jan 2026 09:00:00 +0100\r\nMessage-ID: <{subject}@example.org>\r\n\r\n{body}').encode()


def deliver(server, user, *messages):
    lmtp = server.lmtp()
    for text in messages:
        refused = lmtp.sendmail('anna@example.org', [user], text)
        assert not refused, refused
    lmtp.quit()


def have(program):
    return shutil.which(program) is not None


def sh(command, env=None, check=True, timeout=60, cwd=None):
    """Run a client; what it wrote, as bytes."""
    done = subprocess.run(command, env=dict(os.environ, **(env or {})), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, cwd=cwd)
    if check and done.returncode != 0:
        raise AssertionError(f'{command}: exit {done.returncode}:\n{done.stdout.decode(errors="replace")}\n'
                             f'{done.stderr.decode(errors="replace")}')
    return done.stdout


def ok(answer):
    """The data of an imaplib answer that must be OK."""
    kind, data = answer
    assert kind == 'OK', (kind, data)
    return data


def flags_of(imap, message_set='1:*'):
    """uid -> set of flags, of the selected mailbox."""
    out = {}
    for row in ok(imap.uid('FETCH', message_set, '(FLAGS)')):
        if row is None:
            continue
        uid = re.search(rb'UID (\d+)', row)
        flags = re.search(rb'FLAGS \(([^)]*)\)', row)
        out[int(uid[1])] = set(flags[1].decode().split())
    return out


def subjects_of(imap, message_set='1:*'):
    """subject -> set of flags, of the selected mailbox."""
    out = {}
    data = ok(imap.fetch(message_set, '(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])'))
    for i, row in enumerate(data):
        if not isinstance(row, tuple):
            continue
        text = row[0] + (data[i + 1] if i + 1 < len(data) and isinstance(data[i + 1], bytes) else b'')
        subject = row[1].decode().split(':', 1)[1].strip()
        assert subject not in out, f'{subject} is there twice'
        out[subject] = set(re.search(rb'FLAGS \(([^)]*)\)', text)[1].decode().split()) - {'\\Recent'}
    return out


def mailbox(server, user, name='INBOX'):
    """subject -> flags, by a connection of its own."""
    imap = server.imap(user, PASSWORD)
    count = int(ok(imap.select(name, readonly=True))[0])
    out = subjects_of(imap) if count else {}
    imap.logout()
    return out
