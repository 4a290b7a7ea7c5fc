"""What stands in the place of a user's file and is none, and files that the server may not open: who is told what, and that it goes on."""
import imaplib
import os
import re
import shutil
import smtplib
import socket
import subprocess
import time

import rp

ENV = dict(os.environ, **rp.SANITIZER_ENV)
MAIL = b'From: a@b\nSubject: x\n\nbody\n'
NOBODY = 65534


def expect(server, args, code, out=''):
    done = subprocess.run([server.exe, *args, '-c', server.conf], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, env=ENV)
    assert done.returncode == code and re.search(out, done.stdout.decode()), (args, code, out, done)
    return done


def deliver(server, name, count=1):
    for n in range(count):
        server.lmtp().sendmail('a@b', [f'{name}@test.invalid'], MAIL + b'%d\n' % n)


def folder_of(server, name):
    userid = server.run('user', 'info', name).stdout.split()[-1].decode()
    found = [where for where, _, _ in os.walk(f'{server.dir}/data/users') if where.endswith(userid)]
    assert len(found) == 1, (name, userid, found)
    return found[0]


def files_of(server, name, *ends):
    folder = folder_of(server, name)
    found = sorted(f'{folder}/{file}' for file in os.listdir(folder) if file.endswith(ends))
    assert found, (ends, os.listdir(folder))
    return found


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as sock:
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        sock.bind(f'/proc/self/fd/{folder}/{os.path.basename(path)}')
        os.close(folder)


KINDS = {'a FIFO': os.mkfifo, 'a socket': make_socket, 'a folder': os.mkdir}


def put(path, make):
    make(path)
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def remove(path):
    os.rmdir(path) if os.path.isdir(path) else os.unlink(path)


def state(server):
    """Names, kinds and contents of the users' files."""
    found = {}
    for where, folders, names in os.walk(f'{server.dir}/data/users'):
        for name in folders + names:
            path = os.path.join(where, name)
            found[path] = open(path, 'rb').read() if os.path.isfile(path) else os.lstat(path).st_mode
    return found


def looked_at(server):
    """check names it as damage, repair says that it leaves it, and neither waits for its other end; of a derived file repair makes another."""
    server.add_user('sam')
    deliver(server, 'sam', 3)
    server.imap('sam').logout()
    assert server.stop()
    server.run('repair', '--user', 'sam')  # there are derived files now
    for path in files_of(server, 'sam', '.journal', '.dbox'):
        for what, make in KINDS.items():
            os.rename(path, f'{server.dir}/away')
            put(path, make)
            before = state(server)
            says = rf'(?m)^sam: users/.*/{os.path.basename(path)} is no file, but {"a folder" if what == "a folder" else "a FIFO, a socket"}.*nothing is changed'
            expect(server, ['check', '--user', 'sam'], 2, says)
            assert state(server) == before, 'check changes something'
            expect(server, ['repair', '--user', 'sam'], 2, says)
            left = state(server)
            assert all(left[path] == before[path] for path in before if path.endswith(('.journal', '.dbox'))), 'repair gives something up'
            remove(path)
            os.rename(f'{server.dir}/away', path)
            expect(server, ['check', '--user', 'sam'], 0, 'sam: sound')
    for what in ('a FIFO', 'a socket'):
        for path in files_of(server, 'sam', '.catalog', '.index', '.cache'):
            os.unlink(path)
            put(path, KINDS[what])
            expect(server, ['check', '--user', 'sam'], 2, rf'{os.path.basename(path)}: it is damaged')
            expect(server, ['repair', '--user', 'sam'], 0, 'sam: made anew')
            expect(server, ['check', '--user', 'sam'], 0, 'sam: sound')


def login_says(server, name):
    try:
        server.imap(name).logout()
        return ''
    except imaplib.IMAP4.error as error:
        return str(error)


def lines_of(server, event, text=''):
    """Of the log, which is written a moment later."""
    end = time.monotonic() + 10
    while True:
        found = [line for line in server.log_text().splitlines() if f' error {event} ' in line and text in line]
        if found or time.monotonic() > end:
            return found
        time.sleep(0.05)


def forget(server):
    """So that files are opened anew: the server starts with nobody open."""
    assert server.stop(), server.log_tail()
    open(server.log, 'w').close()
    server.start()


def refused(server, path, make):
    """His journal, or bodies, cannot be opened: that is said, nothing else happens, and when it is mended he goes on."""
    forget(server)
    make(path)
    others = server.imap('eve')
    assert others.select('INBOX')[0] == 'OK'
    if path.endswith('.dbox'):
        imap = server.imap('sam')
        assert imap.select('INBOX')[1] == [b'3']
        for _ in range(3):
            status, said = imap.fetch('1', 'BODY.PEEK[]')
            assert status == 'NO' and b'[UNAVAILABLE]' in said[-1], (status, said)
        assert imap.append('INBOX', None, None, MAIL)[0] == 'OK'
        assert imap.fetch('4', 'BODY.PEEK[]')[0] == 'OK', 'new mail goes elsewhere'
        imap.store('4', '+FLAGS', '\\Deleted')
        imap.expunge()
        imap.logout()
    else:
        for _ in range(3):
            assert '[UNAVAILABLE]' in login_says(server, 'sam'), server.log_tail()
        try:
            deliver(server, 'sam')
            raise AssertionError('it is delivered')
        except smtplib.SMTPResponseException as error:
            assert error.smtp_code == 451, error
    assert others.fetch('1', 'BODY.PEEK[]')[0] == 'OK'
    others.logout()
    told = lines_of(server, 'file.denied', os.path.basename(path))
    assert len(told) == 1 and 'reason=' in told[0], server.log_tail()


def good_again(server):
    imap = server.imap('sam')
    assert imap.select('INBOX')[1] == [b'3']
    status, said = imap.fetch('1:3', 'BODY.PEEK[]')
    assert status == 'OK' and len(said) == 6, said
    imap.logout()
    assert not re.search('bad_index|bad_catalog|lost_records|journal.damaged', server.log_text()), server.log_tail()


def served(server):
    """Each kind of thing in the place of a journal and of a dbox file, with clients; the log names it once."""
    server.start()
    for path in files_of(server, 'sam', '.journal', '.dbox'):
        for make in (*KINDS.values(), lambda path: os.symlink('away', path)):
            def replace(path):
                os.rename(path, f'{server.dir}/away')
                put(path, make)
            refused(server, path, replace)
            remove(path)
            os.rename(f'{server.dir}/away', path)
            good_again(server)


def may_not(server):
    """Modes: root's file in a user's folder. Nothing is made anew because of it."""
    for path in files_of(server, 'sam', '.journal', '1.dbox', '.catalog', '.index'):
        inode = os.stat(path).st_ino
        if path.endswith('.index'):
            forget(server)
            os.chmod(path, 0)
            imap = server.imap('sam')
            for _ in range(3):
                status, said = imap.select('INBOX')
                assert status == 'NO' and b'[UNAVAILABLE]' in said[0], said
            imap.logout()
            assert len(lines_of(server, 'file.denied', os.path.basename(path))) == 1, server.log_tail()
        else:
            refused(server, path, lambda path: os.chmod(path, 0))
        os.chmod(path, 0o600)
        good_again(server)
        assert path.endswith(('.catalog', '.index')) or os.stat(path).st_ino == inode
    folder = folder_of(server, 'sam')
    forget(server)
    os.chmod(folder, 0)
    assert '[UNAVAILABLE]' in login_says(server, 'sam')
    assert server.imap('eve').logout()[0] == 'BYE'
    os.chmod(folder, 0o700)
    good_again(server)


def damaged_body():
    """A message that is damaged somewhere is named once, however often and in how small pieces a client asks for it."""
    with rp.Server(shards=1) as server:
        server.add_user('sam')
        for letter in ('a', 'b', 'c'):
            server.lmtp().sendmail('a@b', ['sam@test.invalid'], MAIL + ((letter * 70 + '\n') * 5000).encode())
        server.imap('sam').logout()
        assert server.stop()
        harmed = 0
        for path in files_of(server, 'sam', '.dbox'):
            with open(path, 'r+b') as f:
                content = f.read()
                for letter, place in ((b'a', 0.5), (b'b', 0)):  # a block further on; the record's header
                    first = content.find(letter * 70)
                    if first < 0:
                        continue
                    last = content.rfind(letter * 70)
                    f.seek(int(first + (last - first) * place) - (100 if place == 0 else 0))
                    f.write(b'#' * 16)
                    harmed += 1
        assert harmed == 2, harmed
        for path in files_of(server, 'sam', '.cache'):
            os.unlink(path)
        server.start()
        imap = server.imap('sam')
        assert imap.select('INBOX')[1] == [b'3']
        assert imap.fetch('3', 'BODY.PEEK[]')[0] == 'OK'
        failed = {'1': 0, '2': 0}
        for uid in failed:
            for at in range(0, 350_000, 20_000):
                failed[uid] += imap.fetch(uid, f'BODY.PEEK[]<{at}.20000>')[0] == 'NO'
            imap.search(None, 'BODY', '"nowhere to be found"')
            imap.fetch(uid, 'BODYSTRUCTURE')
        assert 3 <= failed['1'] < 17 and failed['2'] >= 17, failed
        imap.logout()
        for uid in failed:
            assert len(lines_of(server, 'mailbox.bad_body', f' uid={uid} ')) == 1, server.log_tail()
        assert not [line for line in lines_of(server, 'mailbox.bad_body') if ' uid=3 ' in line]


def serves(server, count):
    """It starts, INBOX has so many messages, and it ends in order."""
    server.start()
    imap = server.imap('sam')
    assert imap.select('INBOX')[1] == [b'%d' % count]
    imap.logout()
    assert server.stop()


def starts():
    """What stands in the place of DATA/store or of a log is waited for by nobody: the start is refused at once, and says why."""
    server = rp.Server(shards=1)
    try:
        server.add_user('sam')
        server.start()
        deliver(server, 'sam')
        server.kill()
        logs = sorted(os.listdir(f'{server.dir}/data/commit/0'))
        for path in (f'{server.dir}/data/store', *(f'{server.dir}/data/commit/0/{log}' for log in logs)):
            for make in (*KINDS.values(), lambda path: os.symlink('away', path)):
                os.rename(path, f'{server.dir}/away')
                make(path)
                for args in (['serve'], ['check'], ['deliver', '--user', 'sam']):
                    begun = time.monotonic()
                    done = subprocess.run([server.exe, *args, '-c', server.conf], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                          input=MAIL, timeout=60, env=ENV)
                    said = done.stderr.decode()
                    assert done.returncode in (1, 78) and time.monotonic() - begun < 20, (path, args, done)
                    assert re.search(rf'error file.denied .*file=\S*{os.path.basename(path)} ', said), said
                    assert re.search('no file, or was written|may not be|symbolic link', said), said
                remove(path)
                os.rename(f'{server.dir}/away', path)
        serves(server, 1)
    finally:
        server.kill()
        shutil.rmtree(server.dir, ignore_errors=True)


def no_store():
    """repair makes no store where there is none; where it is lost, and users are there, it makes it anew."""
    server = rp.Server(shards=1)
    try:
        server.add_user('sam')
        data = f'{server.dir}/data'
        for made in ((), ('commit',), ('commit', 'users')):
            for name in made:
                os.makedirs(f'{data}/{name}', exist_ok=True)
            done = expect(server, ['repair', '--user', 'sam'], 1)
            assert b'there is no store here' in done.stderr and done.stderr.count(b'\n') == 1, done
            expect(server, ['check', '--user', 'sam'], 67 if made else 1)
            assert sorted(os.listdir(data)) == sorted(made), os.listdir(data)
        server.start()
        deliver(server, 'sam', 2)
        assert server.stop()
        for also in (None, 'commit/owner', 'commit'):
            os.unlink(f'{data}/store')
            if also == 'commit':
                shutil.rmtree(f'{data}/commit')
            elif also:
                os.unlink(f'{data}/{also}')
            before = sorted(os.listdir(data))
            done = expect(server, ['check', '--user', 'sam'], 1 if also == 'commit' else 2)
            assert (b'commit: No such file' if also == 'commit' else b'damaged or missing: store at 0') in done.stderr, done
            assert sorted(os.listdir(data)) == before
            if also != 'commit':  # what is there is looked at all the same
                assert b'sam: sound' in done.stdout, done
                expect(server, ['check'], 2, '1 users, 0 with damage')
            expect(server, ['repair', '--user', 'sam'], 0, 'sam: made anew')
            expect(server, ['check'], 0)
            serves(server, 2)
    finally:
        server.kill()
        shutil.rmtree(server.dir, ignore_errors=True)


def run(checks):
    checks.run('repair where there is no store', no_store)
    checks.run('a start, and what is no file', starts)
    checks.run('a damaged message, asked for in pieces', damaged_body)
    server = rp.Server(shards=1)
    try:
        as_root = os.geteuid() == 0
        if as_root:  # the server is not root, so it can be denied something
            os.chmod(server.dir, 0o711)
            os.chown(f'{server.dir}/data', NOBODY, NOBODY)
        server.start()
        server.add_user('eve')
        deliver(server, 'eve')
        checks.run('check and repair of what is no file', looked_at, server)
        checks.run('a client, and what is no file', served, server)
        checks.run('a client, and files that may not be opened', may_not, server)
        assert server.stop(), server.log_tail()
    finally:
        server.kill()
        shutil.rmtree(server.dir, ignore_errors=True)
