"""Disks in trouble under a real server: full ones, and one that answers EIO."""
import errno
import os
import shutil
import smtplib
import time

import model
import mounts
import rp

BODY_BYTES = 60000
DELIVERED_BYTES = 64 << 20  # what deliveries alone fill


class Mail:
    """Puts mail in one by one, and knows what was acknowledged."""

    def __init__(self, server, user):
        self.server, self.user = server, user
        self.made = 0
        self.there = {}  # ident: acknowledged
        self.maybe = set()
        self.connect()

    def connect(self):
        self.client = model.Client(self.server.port, self.user)

    def body(self):
        self.made += 1
        ident = f'{self.user}.{self.made}'
        return ident, model.body_of(ident, BODY_BYTES)

    def append(self):
        ident, body = self.body()
        self.maybe.add(ident)
        line = self.client.answer(self.client.send(b'APPEND INBOX {%d+}\r\n' % len(body) + body)[0])[0]
        self.maybe.discard(ident)
        if line.startswith(b'OK'):
            self.there[ident] = body
        return line

    def deliver(self):
        """The reply's code."""
        ident, body = self.body()
        self.maybe.add(ident)
        with self.server.lmtp() as lmtp:
            try:
                lmtp.sendmail('a@test.invalid', [self.user], body)
                code = 250
            except smtplib.SMTPRecipientsRefused as error:
                code = error.recipients[self.user][0]
            except smtplib.SMTPResponseException as error:
                code = error.smtp_code
        self.maybe.discard(ident)
        if code == 250:
            self.there[ident] = body
        return code

    def idents(self):
        """{ident: uid} of all in INBOX; each byte is compared."""
        found = {}
        self.client.ok('SELECT INBOX')
        uids = self.search('ALL')
        for at in range(0, len(uids), 50):
            _, untagged = self.client.ok(f'UID FETCH {",".join(map(str, uids[at:at + 50]))} (BODY.PEEK[])')
            for text, literals in untagged:
                if b'BODY[] {}' not in text:
                    continue
                body = literals[0][literals[0].find(b'From: '):]
                ident = body.split(b'X-Ident: ')[1].split(b' ')[0].decode()
                assert body == model.body_of(ident, BODY_BYTES), f'{ident} is not as it went in'
                found[ident] = int(text.split(b'UID ')[1].split(b' ')[0].rstrip(b')'))
        assert len(found) == len(uids), f'{len(uids)} messages, {len(found)} bodies'
        return found

    def search(self, key):
        _, untagged = self.client.ok('UID SEARCH ' + key)
        return sorted(int(n) for text, _ in untagged if text.startswith(b'* SEARCH') for n in text.split()[2:])

    def compare(self):
        found = self.idents()
        assert set(self.there) <= set(found), f'lost {sorted(set(self.there) - set(found))}'
        assert set(found) <= set(self.there) | self.maybe, f'invented {sorted(set(found) - set(self.there))}'
        return found

    def expunge(self, count):
        """So many of the oldest."""
        found = self.idents()
        gone = sorted(found, key=found.get)[:count]
        uids = ','.join(str(found[ident]) for ident in gone)
        self.client.ok(f'UID STORE {uids} +FLAGS.SILENT (\\Deleted)')
        line, untagged = self.client.ok('EXPUNGE')
        assert sum(text.endswith(b' EXPUNGE') for text, _ in untagged) == count, untagged
        for ident in gone:
            self.there.pop(ident, None)


def fill_file(path, leave=0):
    """To the last block, or so far that so much is left."""
    with open(path, 'wb', buffering=0) as f:
        for size in (1 << 20, 4096):
            try:
                while not leave or shutil.disk_usage(os.path.dirname(path)).free > leave:
                    f.write(b'f' * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC


def full_disk(checks, kind, mount):
    """`mount` makes the file system at DATA of this server. Could it?"""
    name = f'a full disk ({kind})'
    server = rp.Server(shards=2, storage=rp.SMALL_STORAGE)
    try:
        disk = mount(server.dir)
    except mounts.Cannot as error:
        checks.skip(name, error)
        shutil.rmtree(server.dir, ignore_errors=True)
        return False
    filler = disk.path + '/filler'
    try:
        server.add_user('sam')
        server.start()
        mail = Mail(server, 'sam')

        def fill(deliveries_only=False):
            for _ in range(4):
                line = mail.append()
                assert line.startswith(b'OK'), line
            fill_file(filler, leave=DELIVERED_BYTES if deliveries_only else 0)
            code = 250
            for _ in range(3000):
                code = mail.deliver()
                if code != 250:
                    break
            assert code == 452, code
            line = mail.append()
            assert line.startswith((b'NO [UNAVAILABLE]', b'NO [OVERQUOTA]')), line

        def goes_on():
            mail.compare()
            assert len(mail.search('SUBJECT sam.1')) >= 1 and len(mail.search('BODY 000001')) == len(mail.there)
            mail.expunge(1)
            mail.client.ok('NOOP')
            mail.compare()

        def killed():
            """All of it, while the disk is full; what was there is there."""
            server.kill()
            server.start()
            mail.connect()
            mail.compare()
            mail.expunge(1)
            assert mail.deliver() in (250, 452)

        def room():
            pid = server.children()['server']
            os.unlink(filler)
            end = time.monotonic() + 30
            while not (line := mail.append()).startswith(b'OK'):
                assert time.monotonic() < end, line
                time.sleep(0.2)
            for _ in range(20):
                assert mail.deliver() == 250
            assert server.children()['server'] == pid, 'it was started again'
            mail.compare()

        checks.run(name + ': LMTP says 452, APPEND says NO', fill)
        checks.run(name + ': reading, SEARCH and EXPUNGE go on', goes_on)
        checks.run(name + ': SIGKILL while it is full', killed)
        checks.run(name + ': with room again it works, without a restart', room)
        checks.run(name + ': full again, by deliveries alone', fill, True)
        checks.run(name + ': and again reading, SEARCH and EXPUNGE go on', goes_on)
        checks.run(name + ': and SIGKILL', killed)
        clean = server.stop()
        checks.run(name + ': it ends in order', lambda: clean or (_ for _ in ()).throw(AssertionError(server.log_tail())))
        print(f'{kind}: {mail.made} messages tried, {len(mail.there)} are there')
    finally:
        server.kill()
        disk.close()
        shutil.rmtree(server.dir, ignore_errors=True)
    return True


def full_disks(checks):
    if not full_disk(checks, 'ext4 of 256 MiB', lambda directory: mounts.Small(directory, 256 << 20)):
        full_disk(checks, 'tmpfs of 256 MiB', mounts.Memory)
